use proptest::collection::vec;
use proptest::prelude::*;

use super::{Answer, Error, Request, Response, ResultCode};

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        Just(Request::ExternalAddress),
        (any::<bool>(), any::<u16>(), any::<u16>(), any::<u32>()).prop_map(
            |(tcp, internal_port, external_port, lifetime_secs)| Request::Map {
                tcp,
                internal_port,
                external_port,
                lifetime_secs,
            }
        ),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let answer = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| Answer::ExternalAddress(ip.into())),
        (any::<bool>(), any::<u16>(), any::<u16>(), any::<u32>()).prop_map(
            |(tcp, internal_port, external_port, lifetime_secs)| Answer::Map {
                tcp,
                internal_port,
                external_port,
                lifetime_secs,
            }
        ),
        (0..128_u8).prop_map(|opcode| Answer::Other { opcode }),
        Just(Answer::Version),
    ];
    (0..9_u16, any::<u32>(), answer).prop_map(|(result, epoch_secs, answer)| {
        // Only a refusal can be of something unknown.
        let result = match answer {
            Answer::Other { .. } => result + 1,
            Answer::Version => 1,
            _ => result,
        };
        Response { result: ResultCode(result), epoch_secs, answer }
    })
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
        prop_assert_eq!(Response::parse(&bytes), Err(Error::Direction(bytes[1])));
        let bytes = written(|buf| response.write(buf));
        prop_assert_eq!(Response::parse(&bytes), Ok(response));
        if response.answer != Answer::Version {
            prop_assert_eq!(Request::parse(&bytes), Err(Error::Direction(bytes[1])));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..20), code in 1..6_u16) {
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert_eq!(Request::parse(&written(|buf| request.write(buf))), Ok(request));
        }
        if let Ok(response) = Response::parse(&bytes) {
            prop_assert_eq!(Response::parse(&written(|buf| response.write(buf))), Ok(response));
        }
        // Whatever is refused, its sender can read the refusal.
        if let Some(refusal) = Response::refusal(&bytes, ResultCode(code), 7) {
            prop_assert_eq!(Response::parse(&written(|buf| refusal.write(buf))), Ok(refusal));
        }
    }
}

#[test]
fn the_figures_of_the_rfc() {
    let map =
        Request::Map { tcp: true, internal_port: 5060, external_port: 5062, lifetime_secs: 7200 };
    let bytes = written(|buf| map.write(buf));
    assert_eq!(bytes, [0, 2, 0, 0, 0x13, 0xc4, 0x13, 0xc6, 0, 0, 0x1c, 0x20]);
    assert_eq!(written(|buf| Request::ExternalAddress.write(buf)), [0, 0]);
    let response = Response {
        result: ResultCode::SUCCESS,
        epoch_secs: 258,
        answer: Answer::ExternalAddress([192, 0, 2, 1].into()),
    };
    let bytes = written(|buf| response.write(buf));
    assert_eq!(bytes, [0, 128, 0, 0, 0, 0, 1, 2, 192, 0, 2, 1]);
}

#[test]
fn a_request_that_cannot_be_met_names_its_answer() {
    // PCP's version 2, an opcode that there is not, a response, and nothing.
    for (bytes, code) in [
        (&[2, 1, 0, 0][..], Some(ResultCode::UNSUPPORTED_VERSION)),
        (&[0, 9], Some(ResultCode::UNSUPPORTED_OPCODE)),
        (&[0, 128], None),
        (&[0], None),
        (&[], None),
    ] {
        assert_eq!(Request::parse(bytes).expect_err("no request").code(), code, "{bytes:?}");
    }
    let refusal =
        Response::refusal(&[2, 1], ResultCode::UNSUPPORTED_VERSION, 5).expect("an answer");
    assert_eq!(written(|buf| refusal.write(buf)), [0, 0, 0, 1, 0, 0, 0, 5]);
}

#[test]
fn a_refusal_may_end_after_its_epoch() {
    let refusal = Response::parse(&[0, 129, 0, 2, 0, 0, 0, 9]).expect("a refusal");
    assert_eq!(refusal.answer, Answer::Other { opcode: 1 });
    assert!(Response::parse(&[0, 129, 0, 0, 0, 0, 0, 9]).is_err());
}
