//! A STUN datagram from a stranger: reading, rewriting, answering.

use machine::Endpoint;
use stun::attribute::UNDERSTOOD_BY_ICE;
use stun::defaults::MAX_GROWTH_BYTES;
use stun::{
    Attribute, AttributeType, Builder, Credentials, Key, LongTerm, Message, Method, TransactionId,
};

/// Reads `bytes` as a message, looks at everything in it, and writes it again; has them answered by the
/// Binding server; and takes them for the response to a request of ours.
pub fn run(bytes: &[u8]) {
    if let Ok(message) = Message::parse(bytes) {
        assert!(stun::is_stun(bytes));
        look_at(&message);
        rewrite(&message);
        be_challenged(&message);
    }
    answer(bytes);
}

fn look_at(m: &Message<'_>) {
    let _ = (m.reflexive_address(), m.alternate_server(), m.username(), m.userhash(), m.realm());
    let _ = (m.nonce(), m.error_code(), m.unknown_attributes().count(), m.password_algorithms());
    let _ = (m.password_algorithm(), m.software(), m.alternate_domain(), m.priority());
    let _ = (m.use_candidate(), m.ice_controlled(), m.ice_controlling());
    let _ = (m.unknown_required(UNDERSTOOD_BY_ICE), m.verify_integrity(&key()), format!("{m:?}"));
}

/// The attributes that count survive being written and read. A FINGERPRINT in the middle of a message
/// is an attribute like any; written anew it could come last, and be checked.
fn rewrite(message: &Message<'_>) {
    let plain = || message.attributes().filter(|a| a.kind != AttributeType::FINGERPRINT);
    let mut builder = Builder::new(message.class(), message.method(), message.id());
    for Attribute { kind, value } in plain() {
        builder.attribute(kind, value);
    }
    let bytes = builder.finish();
    let again = Message::parse(&bytes).expect("what was written is read");
    assert!(plain().eq(again.attributes()), "attributes survive");
    assert!(bytes.len() <= message.as_bytes().len());
}

fn be_challenged(response: &Message<'_>) {
    let credentials = Credentials::new("alice", "swordfish").expect("a short name");
    let mut auth = LongTerm::new(credentials);
    let request = Builder::request(Method::BINDING, TransactionId([7; 12])).finish();
    let request = Message::parse(&request).expect("what was written is read");
    auth.handle_response(&request, response);
    let mut again = Builder::request(Method::BINDING, TransactionId([8; 12]));
    auth.authenticate(&mut again);
    let again = again.finish();
    let again = Message::parse(&again).expect("what was written is read");
    assert_eq!(again.integrity().is_some(), auth.realm().is_some());
    auth.handle_response(&again, response);
}

fn answer(request: &[u8]) {
    let client: Endpoint = Endpoint::new([203, 0, 113, 7], 40_000);
    let mut answer = Vec::new();
    if stun::binding::answer(request, client, &mut answer) {
        assert!(answer.len() <= request.len() + MAX_GROWTH_BYTES, "amplifies");
        assert!(!stun::binding::answer(&answer, client, &mut Vec::new()), "answers an answer");
    }
}

fn key() -> Key {
    Key::short_term("VOkJxbRl1RmTxUk/WvJxBt")
}
