//! Where stanzas go: RFC 6120 §10, RFC 6121 §8.

use machine::Id;
use xmpp::server::Refusal;

use crate::server_rig::Rig;

/// Sends a stanza and reads what its sender gets.
fn ask(rig: &mut Rig, conn: Id, stanza: &str) -> Vec<String> {
    rig.clear();
    rig.send(conn, stanza);
    rig.read(conn)
}

fn priority(n: i8) -> String {
    format!("<presence><priority>{n}</priority></presence>")
}

/// Bob has sessions `low` (0), `high` and `also-high` (5), `negative` (-1) and `quiet`, which has not
/// said that it is available; Alice has one.
fn several() -> (Rig, Id, Vec<(&'static str, Id)>) {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    let names = ["low", "high", "also-high", "negative", "quiet"];
    let bobs: Vec<_> = names.map(|name| (name, rig.login("bob", name))).into();
    for (n, priority) in [0, 5, 5, -1].map(priority).iter().enumerate() {
        rig.send(bobs[n].1, priority);
    }
    (rig, alice, bobs)
}

/// Sends a stanza to Bob's address and tells which of his sessions get it, and what Alice gets.
fn reached(stanza: &str) -> (Vec<&'static str>, Vec<String>) {
    let (mut rig, alice, bobs) = several();
    let back = ask(&mut rig, alice, stanza);
    let got = bobs.iter().filter(|(_, conn)| !rig.text(*conn).is_empty());
    (got.map(|(name, _)| *name).collect(), back)
}

#[test]
fn messages_by_type_and_priority() {
    let refused = |type_: &str| format!("message(error) from bob@example.org{type_}");
    for (to, type_, expected) in [
        ("bob@example.org", "chat", "low high also-high"),
        ("bob@example.org", "headline", "low high also-high"),
        ("bob@example.org", "normal", "high also-high"),
        ("bob@example.org", "made-up", "high also-high"),
        ("bob@example.org", "groupchat", "refused"),
        ("bob@example.org", "error", ""),
        ("bob@example.org/negative", "chat", "negative"),
        ("bob@example.org/quiet", "normal", "quiet"),
        ("bob@example.org/low", "groupchat", "low"),
        ("bob@example.org/low", "headline", "low"),
        ("bob@example.org/low", "error", "low"),
        ("bob@example.org/none", "chat", "low high also-high"),
        ("bob@example.org/none", "normal", "refused"),
        ("bob@example.org/none", "groupchat", "refused"),
        ("bob@example.org/none", "headline", ""),
        ("bob@example.org/none", "error", ""),
    ] {
        let stanza = format!("<message to='{to}' type='{type_}'><body>hello</body></message>");
        let (got, back) = reached(&stanza);
        let mut expected: Vec<_> = expected.split_whitespace().collect();
        if expected == ["refused"] {
            expected.clear();
            let resource = to.strip_prefix("bob@example.org").unwrap();
            assert_eq!(back, [refused(resource) + ": service-unavailable"], "{type_} to {to}");
        } else {
            assert!(back.is_empty(), "{type_} to {to}: {back:?}");
        }
        expected.sort_unstable();
        let mut got = got;
        got.sort_unstable();
        assert_eq!(got, expected, "{type_} to {to}");
    }
}

#[test]
fn a_message_arrives_as_it_was_sent() {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    let bob = rig.online("bob", "laptop");
    rig.clear();
    rig.send(
        alice,
        "<message to='bob@example.org/laptop' id='1' xml:lang='de'><body>a &lt; b</body>\
         <x xmlns='urn:example:any' a='1'><y xmlns=''>z</y></x></message>",
    );
    let text = rig.text(bob);
    for part in [
        "from='alice@example.org/phone'",
        "to='bob@example.org/laptop'",
        "id='1'",
        "xml:lang='de'",
        "<body>a &lt; b</body>",
        "<x xmlns='urn:example:any' a='1'><y xmlns=''>z</y></x>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_stranger_does_not_learn_who_is_here() {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    // Carol is a user who is not logged in, zoe is none, bob is here without being available.
    rig.login("bob", "quiet");
    for stanza in [
        "<message to='USER@example.org'><body>hello</body></message>",
        "<message to='USER@example.org' type='chat'><body>hello</body></message>",
        "<message to='USER@example.org/x' type='chat'><body>hello</body></message>",
        "<message to='USER@example.org/x'/>",
        "<message to='USER@example.org' type='headline'/>",
        "<iq to='USER@example.org' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq to='USER@example.org/x' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq to='USER@example.org' type='get' id='1'>\
         <query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
        "<iq to='USER@example.org' type='get' id='1'>\
         <query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
        "<iq to='USER@example.org' type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq to='USER@example.org' type='set' id='1'><query xmlns='jabber:iq:roster'>\
         <item jid='x@example.org'/></query></iq>",
        "<presence to='USER@example.org'/>",
        "<presence to='USER@example.org' type='probe'/>",
        "<presence to='USER@example.org' type='unavailable'/>",
    ] {
        let of = |rig: &mut Rig, user| {
            rig.clear();
            rig.send(alice, &stanza.replace("USER", user));
            rig.text(alice).replace(&format!("{user}@"), "USER@")
        };
        let (carol, zoe, bob) = (of(&mut rig, "carol"), of(&mut rig, "zoe"), of(&mut rig, "bob"));
        assert_eq!((&carol, &bob), (&zoe, &zoe), "{stanza}");
    }
    assert!(rig.refused(Refusal::Undeliverable) > 0);
}

#[test]
fn requests_to_sessions_and_their_answers() {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    let bob = rig.login("bob", "laptop");
    let request = "<iq type='set' id='7' to='bob@example.org/laptop'><any xmlns='urn:x'/></iq>";
    assert!(ask(&mut rig, alice, request).is_empty());
    assert_eq!(rig.read(bob), ["iq(set) from alice@example.org/phone: any"]);
    assert!(
        ask(&mut rig, bob, "<iq type='result' id='7' to='alice@example.org/phone'/>").is_empty()
    );
    assert_eq!(rig.read(alice), ["iq(result) from bob@example.org/laptop"]);
    // An answer to nobody is dropped.
    assert!(ask(&mut rig, bob, "<iq type='result' id='7' to='alice@example.org/x'/>").is_empty());
    assert!(ask(&mut rig, bob, "<iq type='result' id='7' to='alice@example.org'/>").is_empty());
    assert!(rig.text(alice).is_empty());
}

#[test]
fn what_the_server_answers_itself() {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    for (to, payload, expected) in [
        ("", "<ping xmlns='urn:xmpp:ping'/>", "iq(result)"),
        ("example.org", "<ping xmlns='urn:xmpp:ping'/>", "iq(result) from example.org"),
        ("alice@example.org", "<ping xmlns='urn:xmpp:ping'/>", "iq(result) from alice@example.org"),
        (
            "example.org",
            "<query xmlns='http://jabber.org/protocol/disco#items'/>",
            "iq(result) from example.org: query",
        ),
        (
            "example.org",
            "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>",
            "iq(error) from example.org: item-not-found",
        ),
        (
            "example.org",
            "<query xmlns='jabber:iq:version'/>",
            "iq(error) from example.org: service-unavailable",
        ),
        ("", "<query xmlns='jabber:iq:version'/>", "iq(error): service-unavailable"),
        (
            "example.org/x",
            "<ping xmlns='urn:xmpp:ping'/>",
            "iq(error) from example.org/x: service-unavailable",
        ),
        (
            "example.net",
            "<ping xmlns='urn:xmpp:ping'/>",
            "iq(error) from example.net: remote-server-not-found",
        ),
        (
            "zoe@example.net/x",
            "<ping xmlns='urn:xmpp:ping'/>",
            "iq(error) from zoe@example.net/x: remote-server-not-found",
        ),
    ] {
        let to = if to.is_empty() { String::new() } else { format!("to='{to}'") };
        let request = format!("<iq type='get' id='1' {to}>{payload}</iq>");
        assert_eq!(ask(&mut rig, alice, &request), [expected], "{request}");
    }
    let session =
        "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    assert_eq!(ask(&mut rig, alice, session), ["iq(result)"]);
    rig.send(
        alice,
        "<iq type='get' id='1' to='example.org'>\
         <query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    );
    let text = rig.text(alice);
    assert!(text.contains("<identity category='server' type='im'/>"), "{text}");
    assert!(text.contains("<feature var='urn:xmpp:ping'/>"), "{text}");
}

#[test]
fn malformed_stanzas_are_answered_and_the_stream_goes_on() {
    let mut rig = Rig::new();
    let alice = rig.login("alice", "phone");
    for (stanza, condition) in [
        ("<iq type='get' id='1'/>", "bad-request"),
        ("<iq type='get' id='1'><a xmlns='x'/><b xmlns='x'/></iq>", "bad-request"),
        ("<iq type='what' id='1'><a xmlns='x'/></iq>", "bad-request"),
        ("<message to='@'><body>hello</body></message>", "jid-malformed"),
        ("<presence type='what'/>", "bad-request"),
        ("<presence type='subscribe'/>", "bad-request"),
        ("<message to='example.net'/>", "remote-server-not-found"),
        ("<message to='example.org'/>", "service-unavailable"),
        ("<presence to='zoe@example.net' type='subscribe'/>", "remote-server-not-found"),
    ] {
        let answer = ask(&mut rig, alice, stanza);
        assert_eq!(answer.len(), 1, "{stanza}: {answer:?}");
        assert!(answer[0].contains("(error)") && answer[0].contains(condition), "{answer:?}");
    }
    // What answers is not answered.
    for stanza in [
        "<message type='error' to='example.net'/>",
        "<iq type='error' id='1' to='zoe@example.org'/>",
        "<presence type='error' to='zoe@example.org'/>",
        "<iq type='result' id='1' to='example.org'/>",
    ] {
        assert!(ask(&mut rig, alice, stanza).is_empty(), "{stanza}");
    }
    assert!(rig.refused(Refusal::BadStanza) > 0 && rig.refused(Refusal::RemoteServer) == 3);
}

#[test]
fn a_message_to_oneself() {
    let mut rig = Rig::new();
    let alice = rig.online("alice", "phone");
    let got = ask(&mut rig, alice, "<message type='chat'><body>note</body></message>");
    assert_eq!(got, ["message(chat) from alice@example.org/phone: note"]);
}

#[test]
fn stanzas_keep_their_order_while_the_world_thinks() {
    let mut rig = Rig::new();
    let bob = rig.online("bob", "laptop");
    let alice = rig.login("alice", "phone");
    rig.clear();
    rig.hold = true;
    rig.send(
        alice,
        "<presence to='bob@example.org' type='subscribe'/>\
         <message to='bob@example.org/laptop'><body>one</body></message>",
    );
    rig.send(alice, "<message to='bob@example.org/laptop'><body>two</body></message>");
    assert!(rig.paused.contains(&alice) && rig.text(bob).is_empty());
    while !rig.questions.is_empty() {
        assert!(rig.paused.contains(&alice));
        rig.answer();
    }
    assert!(!rig.paused.contains(&alice));
    assert_eq!(
        rig.read(bob),
        [
            "presence(subscribe) from alice@example.org",
            "message from alice@example.org/phone: one",
            "message from alice@example.org/phone: two",
        ]
    );
}
