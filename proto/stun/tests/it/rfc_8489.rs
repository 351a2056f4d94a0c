//! The test vector of RFC 8489 §B.1.
//!
//! Its length field says 156 where 136 bytes follow, and its HMAC was made with that: it is no message
//! that a receiver takes, but USERHASH and the key of SHA-256 can be checked against it.

use wayleave_stun::integrity::userhash;
use wayleave_stun::message::Error;
use wayleave_stun::{Key, Message, PasswordAlgorithm};

const REQUEST: &str = "
    0001009c2112a44278ad3433c6ad72c029da412e
    001e00204a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704
    001500296f624d61744a6f7332414141
    43662f2f3439396b39353464364f4c33346f4c39465354767936347341000000
    0014000b6578616d706c652e6f726700
    001c0020e4686c8f0edeb59013e07090010a93efccbccc544c0a45d9f830aa6d6f735a01";

#[test]
fn userhash_and_key() {
    let bytes = super::rfc_5769::bytes(REQUEST);
    assert_eq!(Message::parse(&bytes).map(|_| ()), Err(Error::Length));
    let username = "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}";
    assert_eq!(userhash(username, "example.org")[..], bytes[24..56]);
    let (before, mac) = bytes.split_at(bytes.len() - 36);
    let secret = crypto::sha256(&[username.as_bytes(), b":example.org:TheMatrIX"]);
    assert_eq!(crypto::hmac_sha256(&secret, &[before])[..], mac[4..]);
    let key = Key::long_term(PasswordAlgorithm::Sha256, username, "example.org", b"TheMatrIX");
    assert_eq!(key, Some(Key::derived(secret.into())));
}
