use std::net::IpAddr;

use machine::Endpoint;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Error, Request, Response};
use crate::defaults::PCP_FILTERS;
use crate::pcp::{Filter, Map, Nonce, Operation, Options, Peer, ResultCode};

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(|ip| IpAddr::from(ip).to_canonical()),
        Just(IpAddr::from([0; 16])),
    ]
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (ip(), any::<u16>()).prop_map(|(ip, port)| Endpoint::new(ip, port))
}

fn map() -> impl Strategy<Value = Map> {
    (any::<[u8; 12]>(), any::<u8>(), any::<u16>(), endpoint()).prop_map(
        |(nonce, protocol, internal_port, external)| Map {
            nonce: Nonce(nonce),
            protocol,
            internal_port,
            external,
        },
    )
}

fn filter() -> impl Strategy<Value = Filter> {
    (any::<bool>(), 96..=128_u8, endpoint()).prop_map(|(all, prefix_len, remote)| Filter {
        prefix_len: if all { 0 } else { prefix_len },
        remote,
    })
}

/// An operation with options that it may have.
fn operation() -> impl Strategy<Value = (Operation, Options)> {
    let third_party = || proptest::option::of(ip());
    prop_oneof![
        Just((Operation::Announce, Options::default())),
        (map(), third_party(), any::<bool>(), vec(filter(), 0..PCP_FILTERS)).prop_map(
            |(map, third_party, prefer_failure, filters)| {
                (Operation::Map(map), Options { third_party, prefer_failure, filters })
            }
        ),
        (map(), endpoint(), third_party()).prop_map(|(map, remote, third_party)| {
            let options = Options { third_party, ..Options::default() };
            (Operation::Peer(Peer { map, remote }), options)
        }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    (any::<u32>(), ip(), operation()).prop_map(|(lifetime_secs, client, (operation, options))| {
        Request { lifetime_secs, client, operation, options }
    })
}

fn response() -> impl Strategy<Value = Response> {
    (0..20_u8, any::<u32>(), any::<u32>(), operation()).prop_map(
        |(result, lifetime_secs, epoch_secs, (operation, options))| Response {
            result: ResultCode(result),
            lifetime_secs,
            epoch_secs,
            operation,
            options,
        },
    )
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn what_is_written_is_read(request in request(), response in response()) {
        let bytes = written(|buf| request.write(buf));
        prop_assert_eq!(Request::parse(&bytes), Ok(request));
        prop_assert!(matches!(Response::parse(&bytes), Err(Error::Direction(_))));
        let bytes = written(|buf| response.write(buf));
        prop_assert_eq!(Response::parse(&bytes), Ok(Ok(response)));
        prop_assert!(matches!(Request::parse(&bytes), Err(Error::Direction(_))));
    }

    #[test]
    fn no_bytes_panic(
        start in prop_oneof![Just(vec![]), (0..3_u8, 0..132_u8).prop_map(|(v, o)| vec![v, o])],
        rest in vec(any::<u8>(), 0..140), code in 1..14_u8,
    ) {
        let bytes = [start, rest].concat();
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert_eq!(Request::parse(&written(|buf| request.write(buf))), Ok(request));
        }
        if let Ok(Ok(response)) = Response::parse(&bytes) {
            let again = written(|buf| response.write(buf));
            prop_assert_eq!(Response::parse(&again), Ok(Ok(response)));
        }
        // Whatever is refused, its sender can read the refusal.
        let mut refusal = Vec::new();
        if Response::refuse(&bytes, ResultCode(code), 30, 7, &mut refusal) {
            let result = match Response::parse(&refusal).expect("a response") {
                Ok(response) => response.result,
                Err(unread) => unread.result,
            };
            prop_assert_eq!(result, ResultCode(code));
        }
    }
}

fn a_map() -> Request {
    Request {
        lifetime_secs: 7200,
        client: [192, 168, 1, 2].into(),
        operation: Operation::Map(Map {
            nonce: Nonce(*b"twelve bytes"),
            protocol: super::super::UDP,
            internal_port: 5060,
            external: Endpoint::UNSPECIFIED_V4.with_port(5062),
        }),
        options: Options { prefer_failure: true, ..Options::default() },
    }
}

#[test]
fn a_map_request_to_the_byte() {
    let mut expected = vec![2, 1, 0, 0, 0, 0, 0x1c, 0x20];
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 1, 2]);
    expected.extend(b"twelve bytes");
    expected.extend([17, 0, 0, 0, 0x13, 0xc4, 0x13, 0xc6]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    expected.extend([2, 0, 0, 0]);
    assert_eq!(written(|buf| a_map().write(buf)), expected);
}

/// What a server owes to `bytes`.
fn owed(bytes: &[u8]) -> Option<ResultCode> {
    Request::parse(bytes).expect_err("it cannot be met").code()
}

#[test]
fn a_request_that_cannot_be_met_names_its_answer() {
    let good = written(|buf| a_map().write(buf));
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(owed(&good[..1]), None);
    assert_eq!(owed(&changed(1, 129)), None);
    assert_eq!(owed(&changed(0, 1)), Some(ResultCode::UNSUPP_VERSION));
    assert_eq!(owed(&good[..good.len() - 1]), Some(ResultCode::MALFORMED_REQUEST));
    assert_eq!(owed(&[&good[..], &[0; 1100]].concat()), Some(ResultCode::MALFORMED_REQUEST));
    assert_eq!(owed(&good[..24]), Some(ResultCode::MALFORMED_REQUEST));
    assert_eq!(owed(&changed(1, 77)), Some(ResultCode::UNSUPP_OPCODE));
    // The option: unknown and mandatory, of MAP in an ANNOUNCE, with data, twice.
    assert_eq!(owed(&changed(60, 100)), Some(ResultCode::UNSUPP_OPTION));
    assert_eq!(owed(&changed(60, 1)), Some(ResultCode::MALFORMED_OPTION));
    assert_eq!(owed(&changed(63, 4)), Some(ResultCode::MALFORMED_OPTION));
    let twice = [&good[..], &[2, 0, 0, 0]].concat();
    assert_eq!(owed(&twice), Some(ResultCode::MALFORMED_OPTION));
    let announce = [&[2, 0], &good[2..24], &good[60..]].concat();
    assert_eq!(owed(&announce), Some(ResultCode::MALFORMED_OPTION));
    // Optional and unknown: passed over.
    let request = Request::parse(&changed(60, 200)).expect("it can be met");
    assert_eq!(request.options, Options::default());
}

#[test]
fn filters_are_bounded() {
    let mut request = a_map();
    let filter = Filter { prefix_len: 128, remote: Endpoint::new([203, 0, 113, 5], 0) };
    request.options.filters = vec![filter; PCP_FILTERS];
    assert_eq!(Request::parse(&written(|buf| request.write(buf))), Ok(request.clone()));
    request.options.filters.push(filter);
    assert_eq!(owed(&written(|buf| request.write(buf))), Some(ResultCode::EXCESSIVE_REMOTE_PEERS));
    // Longer than an address, or ending before the IPv4 address begins.
    for prefix_len in [129, 95] {
        request.options.filters = vec![Filter { prefix_len, ..filter }];
        let bytes = written(|buf| request.write(buf));
        assert_eq!(owed(&bytes), Some(ResultCode::MALFORMED_OPTION));
    }
}

#[test]
fn a_server_of_another_version_is_understood() {
    let mut refusal = Vec::new();
    let good = written(|buf| a_map().write(buf));
    assert!(Response::refuse(&good, ResultCode::UNSUPP_VERSION, 1800, 9, &mut refusal));
    let response = Response::parse(&refusal).expect("a response").expect("of a map");
    assert_eq!(response.operation, a_map().operation);
    refusal[0] = 1;
    let unread = Response::parse(&refusal).expect("a response").expect_err("of version 1");
    assert_eq!((unread.version, unread.opcode, unread.lifetime_secs), (1, 1, 1800));
}
