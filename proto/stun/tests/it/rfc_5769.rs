//! The test vectors of RFC 5769, byte for byte.

use machine::Endpoint;
use wayleave_stun::{Builder, Class, Integrity, Key, Message, Method, PasswordAlgorithm};

/// §2.1: a request of ICE with the short-term mechanism; padded with spaces.
const REQUEST: &str = "
    000100582112a442b7e7a701bc34d686fa87dfae
    802200105354554e207465737420636c69656e74
    002400046e0001ff
    80290008932ff9b151263b36
    000600096576746a3a68367659202020
    000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2
    80280004e57a3bcf";

/// §2.2: a response with an IPv4 address.
const IPV4_RESPONSE: &str = "
    0101003c2112a442b7e7a701bc34d686fa87dfae
    8022000b7465737420766563746f7220
    002000080001a147e112a643
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7
    80280004c07d4c96";

/// §2.3: a response with an IPv6 address.
const IPV6_RESPONSE: &str = "
    010100482112a442b7e7a701bc34d686fa87dfae
    8022000b7465737420766563746f7220
    002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9
    00080014a382954e4be67bf11784c97c8292c275bfe3ed41
    80280004c8fb0b4c";

/// §2.4: a request with the long-term mechanism.
const LONG_TERM_REQUEST: &str = "
    000100602112a44278ad3433c6ad72c029da412e
    00060012e3839ee38388e383aae38383e382afe382b90000
    0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341
    0014000b6578616d706c652e6f726700
    00080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

/// The password of §2.1 to §2.3.
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

pub(crate) fn bytes(vector: &str) -> Vec<u8> {
    let digits: String = vector.split_whitespace().collect();
    crypto::from_hex(&digits).expect("the vectors are hex")
}

#[test]
fn request() {
    let bytes = bytes(REQUEST);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, Method::BINDING));
    assert_eq!(message.software(), Some("STUN test client"));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!(message.ice_controlled(), Some(0x932f_f9b1_5126_3b36));
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert!(message.has_fingerprint());
    let key = Key::short_term(PASSWORD);
    assert_eq!(message.verify_integrity(&key), Ok(Integrity::Sha1));
}

#[test]
fn responses() {
    for (vector, address) in [
        (IPV4_RESPONSE, "192.0.2.1:32853"),
        (IPV6_RESPONSE, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ] {
        let address: Endpoint = address.parse().unwrap();
        let bytes = bytes(vector);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Success, Method::BINDING));
        assert_eq!(message.software(), Some("test vector"));
        assert_eq!(message.xor_mapped_address(), Some(address));
        assert!(message.has_fingerprint());
        let key = Key::short_term(PASSWORD);
        assert_eq!(message.verify_integrity(&key), Ok(Integrity::Sha1));
    }
}

#[test]
fn long_term_request() {
    let bytes = bytes(LONG_TERM_REQUEST);
    let message = Message::parse(&bytes).unwrap();
    let username = "\u{30de}\u{30c8}\u{30ea}\u{30c3}\u{30af}\u{30b9}";
    assert_eq!(message.username(), Some(username));
    assert_eq!(message.nonce(), Some(&b"f//499k954d6OL34oL9FSTvy64sA"[..]));
    assert_eq!(message.realm(), Some("example.org"));
    assert!(!message.has_fingerprint());
    let key = Key::long_term(PasswordAlgorithm::Md5, username, "example.org", b"TheMatrIX");
    assert_eq!(message.verify_integrity(&key.unwrap()), Ok(Integrity::Sha1));
}

/// What our builder writes differs from the long-term vector, which pads with zeros, in nothing.
#[test]
fn the_long_term_request_is_written_to_the_byte() {
    let bytes = bytes(LONG_TERM_REQUEST);
    let message = Message::parse(&bytes).unwrap();
    let (username, realm) = (message.username().unwrap(), message.realm().unwrap());
    let key = Key::long_term(PasswordAlgorithm::Md5, username, realm, b"TheMatrIX").unwrap();
    let mut builder = Builder::request(message.method(), message.id());
    builder.username(username).nonce(message.nonce().unwrap()).realm(realm);
    assert_eq!(builder.integrity(&key).finish(), bytes);
}
