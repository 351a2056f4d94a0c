use machine::Endpoint;
use proptest::prelude::*;

use super::answer;
use crate::defaults::MAX_GROWTH_BYTES;
use crate::{AttributeType, Builder, Class, Message, Method, TransactionId};

const ID: TransactionId = TransactionId(*b"transaction!");
const CLASSIC: &[u8; 20] = b"\x00\x01\x00\x00classic128bitid!";

fn client() -> Endpoint {
    "203.0.113.7:40000".parse().unwrap()
}

fn ask(request: &[u8]) -> Option<Vec<u8>> {
    let mut buf = vec![9; 3];
    answer(request, client(), &mut buf).then_some(buf)
}

#[test]
fn tells_the_client_its_address() {
    for client in [client(), "[2001:db8::7]:40000".parse().unwrap()] {
        let request = Builder::request(Method::BINDING, ID).software("x").finish();
        let mut buf = Vec::new();
        assert!(answer(&request, client, &mut buf));
        let response = Message::parse(&buf).unwrap();
        assert_eq!((response.class(), response.method()), (Class::Success, Method::BINDING));
        assert_eq!(response.id(), ID);
        assert_eq!(response.xor_mapped_address(), Some(client));
        assert!(!response.has_fingerprint());
    }
}

#[test]
fn a_fingerprint_is_answered_by_one() {
    let answer = ask(&Builder::request(Method::BINDING, ID).fingerprint().finish()).unwrap();
    assert!(Message::parse(&answer).unwrap().has_fingerprint());
}

#[test]
fn unknown_required_attributes_are_listed_in_a_420() {
    let mut request = Builder::request(Method::BINDING, ID);
    let (required, optional) = (AttributeType(0x7001), AttributeType(0xf001));
    request.attribute(required, b"a").attribute(optional, b"b").priority(1);
    let answer = ask(&request.finish()).unwrap();
    let response = Message::parse(&answer).unwrap();
    assert_eq!(response.class(), Class::Error);
    assert_eq!(response.error_code().unwrap().code, 420);
    let listed: Vec<_> = response.unknown_attributes().collect();
    assert_eq!(listed, [required, AttributeType::PRIORITY]);
    assert_eq!(response.xor_mapped_address(), None);
}

#[test]
fn a_420_lists_a_bounded_number() {
    let mut request = Builder::request(Method::BINDING, ID);
    for kind in 0x7000..0x7100 {
        request.attribute(AttributeType(kind), &[]);
    }
    let answer = ask(&request.finish()).unwrap();
    let response = Message::parse(&answer).unwrap();
    let listed = response.unknown_attributes().count();
    assert_eq!(listed, crate::defaults::MAX_UNKNOWN_ATTRIBUTES);
}

#[test]
fn rfc_3489_clients_are_told_mapped_address() {
    let response = ask(CLASSIC).unwrap();
    let expected =
        b"\x01\x01\x00\x0cclassic128bitid!\x00\x01\x00\x08\x00\x01\x9c\x40\xcb\x00\x71\x07";
    assert_eq!(response, expected);
}

#[test]
fn rfc_3489_clients_cannot_aim_or_move_the_answer() {
    for kind in [AttributeType::CHANGE_REQUEST, AttributeType::RESPONSE_ADDRESS] {
        let mut request = CLASSIC.to_vec();
        request[3] = 8;
        request.extend(kind.0.to_be_bytes());
        request.extend([0, 4, 0, 0, 0, 6]);
        let response = ask(&request).unwrap();
        assert_eq!(response[..2], [0x01, 0x11]);
        assert_eq!(response[4..20], CLASSIC[4..]);
        let listed = response.windows(2).any(|pair| pair == kind.0.to_be_bytes());
        assert!(listed, "{kind:?} is listed as unknown");
    }
}

#[test]
fn nothing_else_is_answered() {
    let request = Builder::request(Method::BINDING, ID).finish();
    for (class, method) in [
        (Class::Indication, Method::BINDING),
        (Class::Success, Method::BINDING),
        (Class::Error, Method::BINDING),
        (Class::Request, Method::new(3)),
    ] {
        assert_eq!(ask(&Builder::new(class, method, ID).finish()), None);
    }
    assert_eq!(ask(&request[..19]), None);
    assert_eq!(ask(b""), None);
    assert_eq!(ask(b"REGISTER sip:example.org SIP/2.0\r\n\r\n"), None);
    let mut wrong = Builder::request(Method::BINDING, ID).fingerprint().finish();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(ask(&wrong), None);
}

#[test]
fn addresses_that_no_client_has_get_no_answer() {
    let request = Builder::request(Method::BINDING, ID).finish();
    for remote in ["203.0.113.7:0", "0.0.0.0:9", "224.0.0.1:9", "255.255.255.255:9", "[ff02::1]:9"]
    {
        assert!(!answer(&request, remote.parse().unwrap(), &mut Vec::new()), "{remote}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        ask(&bytes);
    }

    #[test]
    fn an_answer_amplifies_nothing(
        kinds in prop::collection::vec((any::<u16>(), 0_usize..9), 0..40),
        ipv6: bool,
        classic: bool,
        fingerprint: bool,
    ) {
        let mut request = Builder::request(Method::BINDING, ID);
        for (kind, len) in kinds {
            request.attribute(AttributeType(kind), &vec![0; len]);
        }
        if fingerprint {
            request.fingerprint();
        }
        let mut request = request.finish();
        if classic {
            request[4] = 0;
        }
        let client = if ipv6 { "[2001:db8::7]:4".parse().unwrap() } else { client() };
        let mut buf = Vec::new();
        if answer(&request, client, &mut buf) {
            prop_assert!(buf.len() <= request.len() + MAX_GROWTH_BYTES);
        }
    }
}
