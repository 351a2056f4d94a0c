use machine::Endpoint;
use proptest::prelude::*;

use super::{Address, Places, Route, answer, answer_at};
use crate::defaults::{MAX_GROWTH_BYTES, MAX_PLACED_GROWTH_BYTES};
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

mod discovery {
    //! A server with two addresses (RFC 5780 §6).

    use super::{
        Address, AttributeType, Builder, CLASSIC, Class, Endpoint, ID, MAX_PLACED_GROWTH_BYTES,
        Message, Method, Places, Route, TransactionId, answer_at, client,
    };
    use proptest::prelude::*;

    const CHANGES: [(u32, &str); 4] = [
        (0, "192.0.2.1:3478"),
        (2, "192.0.2.1:3479"),
        (4, "192.0.2.2:3478"),
        (6, "192.0.2.2:3479"),
    ];

    fn at(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    fn places(classic: bool) -> Places {
        let address = |n: u8| Address { local: [10, 0, 0, n].into(), seen: [192, 0, 2, n].into() };
        Places::new([address(1), address(2)], [3478, 3479], classic).unwrap()
    }

    /// As clients see it.
    fn seen(local: Endpoint) -> Endpoint {
        at(&local.to_string().replace("10.0.0", "192.0.2"))
    }

    fn ask(classic: bool, local: &str, request: &[u8]) -> (Route, Vec<u8>) {
        let mut answer = Vec::new();
        let route = answer_at(&[places(classic)], request, at(local), client(), &mut answer);
        (route.unwrap(), answer)
    }

    fn request(kind: AttributeType, value: &[u8]) -> Vec<u8> {
        let mut request = Builder::request(Method::BINDING, ID);
        request.attribute(kind, value);
        request.finish()
    }

    #[test]
    fn every_place_names_itself_and_the_one_across() {
        for (n, local) in places(false).locals().into_iter().enumerate() {
            let across = places(false).locals()[3 - n];
            let plain = Builder::request(Method::BINDING, ID).finish();
            let (route, answer) = ask(false, &local.to_string(), &plain);
            assert_eq!(route, Route { from: local, to: client() });
            let answer = Message::parse(&answer).unwrap();
            assert_eq!(answer.xor_mapped_address(), Some(client()));
            assert_eq!(answer.address(AttributeType::RESPONSE_ORIGIN), Some(seen(local)));
            assert_eq!(answer.address(AttributeType::OTHER_ADDRESS), Some(seen(across)));
        }
        assert_eq!(places(false).primary(), at("192.0.2.1:3478"));
    }

    #[test]
    fn change_request_is_obeyed() {
        for (flags, from) in CHANGES {
            let request = request(AttributeType::CHANGE_REQUEST, &flags.to_be_bytes());
            let (route, answer) = ask(false, "10.0.0.1:3478", &request);
            assert_eq!((seen(route.from), route.to), (at(from), client()));
            let answer = Message::parse(&answer).unwrap();
            assert_eq!(answer.address(AttributeType::RESPONSE_ORIGIN), Some(at(from)));
            assert_eq!(answer.address(AttributeType::OTHER_ADDRESS), Some(at("192.0.2.2:3479")));
        }
    }

    #[test]
    fn response_port_moves_the_answer_and_padding_comes_back_no_longer() {
        for value in [&[0x10, 0][..], &[0x10, 0, 0, 0]] {
            let request = request(AttributeType::RESPONSE_PORT, value);
            let (route, answer) = ask(false, "10.0.0.2:3479", &request);
            assert_eq!(route, Route { from: at("10.0.0.2:3479"), to: at("203.0.113.7:4096") });
            assert_eq!(Message::parse(&answer).unwrap().xor_mapped_address(), Some(client()));
        }
        for (asked, answered) in [(0, 0), (5, 5), (1500, 1500), (9000, 1500)] {
            let (_, answer) =
                ask(false, "10.0.0.1:3478", &request(AttributeType::PADDING, &vec![0; asked]));
            let answer = Message::parse(&answer).unwrap();
            assert_eq!(answer.attribute(AttributeType::PADDING).map(<[u8]>::len), Some(answered));
        }
    }

    #[test]
    fn nonsense_is_a_bad_request() {
        let mut both = Builder::request(Method::BINDING, ID);
        both.attribute(AttributeType::RESPONSE_PORT, &[0x10, 0]);
        both.attribute(AttributeType::PADDING, &[0; 8]);
        for request in [
            both.finish(),
            request(AttributeType::CHANGE_REQUEST, &[0; 3]),
            request(AttributeType::RESPONSE_PORT, &[0, 0]),
            request(AttributeType::RESPONSE_PORT, &[]),
        ] {
            let (route, answer) = ask(false, "10.0.0.1:3478", &request);
            assert_eq!(route, Route { from: at("10.0.0.1:3478"), to: client() });
            let answer = Message::parse(&answer).unwrap();
            assert_eq!(answer.error_code().map(|error| error.code), Some(400));
        }
    }

    #[test]
    fn with_one_address_it_is_refused() {
        for kind in super::super::DISCOVERY {
            let request = request(kind, &[0, 0, 0, 6]);
            for places in [&[][..], &[places(true)]] {
                let mut answer = Vec::new();
                let (local, remote) = (at("198.51.100.1:3478"), client());
                let route = answer_at(places, &request, local, remote, &mut answer).unwrap();
                assert_eq!(route, Route { from: local, to: remote });
                let answer = Message::parse(&answer).unwrap();
                assert_eq!(answer.error_code().map(|error| error.code), Some(420));
                assert_eq!(answer.unknown_attributes().collect::<Vec<_>>(), [kind]);
            }
        }
    }

    #[test]
    fn rfc_3489_clients_are_told_by_configuration() {
        for (flags, from) in CHANGES {
            let mut request = CLASSIC.to_vec();
            request[3] = 8;
            request.extend([0, 3, 0, 4]);
            request.extend(flags.to_be_bytes());
            let (route, answer) = ask(true, "10.0.0.1:3478", &request);
            assert_eq!((seen(route.from), route.to), (at(from), client()));
            assert_eq!(answer[4..20], CLASSIC[4..]);
            let answer = Message::parse_classic(&answer).unwrap();
            assert_eq!(answer.class(), Class::Success);
            assert_eq!(answer.mapped_address(), Some(client()));
            assert_eq!(answer.address(AttributeType::SOURCE_ADDRESS), Some(at(from)));
            assert_eq!(answer.address(AttributeType::CHANGED_ADDRESS), Some(at("192.0.2.2:3479")));
            let (route, answer) = ask(false, "10.0.0.1:3478", &request);
            assert_eq!((route.from, route.to), (at("10.0.0.1:3478"), client()));
            assert_eq!(answer[..2], [0x01, 0x11], "without it, CHANGE-REQUEST is refused");
        }
        let mut aimed = CLASSIC.to_vec();
        aimed[3] = 12;
        aimed.extend([0, 2, 0, 8, 0, 1, 0x10, 0, 203, 0, 113, 9]);
        let (route, answer) = ask(true, "10.0.0.1:3478", &aimed);
        assert_eq!((route.to, &answer[..2]), (client(), &[0x01, 0x11][..]));
    }

    #[test]
    fn four_different_places_or_none() {
        let ip = |text: &str| text.parse().unwrap();
        let address = |local, seen| Address { local: ip(local), seen: ip(seen) };
        let one = address("10.0.0.1", "192.0.2.1");
        for two in [
            address("10.0.0.1", "192.0.2.2"),
            address("10.0.0.2", "192.0.2.1"),
            address("fd00::2", "2001:db8::2"),
        ] {
            assert_eq!(Places::new([one, two], [3478, 3479], false), None);
        }
        let two = address("10.0.0.2", "192.0.2.2");
        for ports in [[3478, 3478], [0, 3479], [3478, 0]] {
            assert_eq!(Places::new([one, two], ports, false), None);
        }
    }

    proptest! {
        /// However it is asked, an answer stays with the one who asked, and short.
        #[test]
        fn an_answer_amplifies_nothing(
            kinds in prop::collection::vec(
                (
                    prop::sample::select(vec![0x0002_u16, 0x0003, 0x0026, 0x0027, 0x7001]),
                    prop::collection::vec(any::<u8>(), 0..2000),
                ),
                0..4,
            ),
            classic: bool,
            ipv6: bool,
        ) {
            let mut request = Builder::request(Method::BINDING, TransactionId([7; 12]));
            for (kind, value) in kinds {
                request.attribute(AttributeType(kind), &value);
            }
            let mut request = request.finish();
            if classic {
                request[4] = 0;
            }
            let (local, places) = if ipv6 {
                let address = |n: u16| {
                    let ip = std::net::IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
                    Address { local: ip, seen: ip }
                };
                let places = Places::new([address(1), address(2)], [3478, 3479], true);
                (at("[2001:db8::1]:3478"), places.unwrap())
            } else {
                (at("10.0.0.1:3478"), places(true))
            };
            let remote = if ipv6 { at("[2001:db8::7]:4") } else { client() };
            let mut answer = Vec::new();
            if let Some(route) = answer_at(&[places], &request, local, remote, &mut answer) {
                prop_assert_eq!(route.to.ip(), remote.ip());
                prop_assert!(places.locals().contains(&route.from));
                prop_assert!(answer.len() <= request.len() + MAX_PLACED_GROWTH_BYTES);
            }
        }
    }
}
