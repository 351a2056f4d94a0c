use proptest::prelude::*;

use super::{Frame, Framer, FramingError};
use crate::status::Status;

const OPTIONS: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc";

fn frames(framer: &mut Framer, bytes: &[u8]) -> Vec<Result<Frame, FramingError>> {
    framer.push(bytes);
    std::iter::from_fn(|| framer.next_frame()).collect()
}

fn message() -> Result<Frame, FramingError> {
    Ok(Frame::Message(OPTIONS.to_vec()))
}

#[test]
fn messages_come_whole() {
    let mut framer = Framer::accepted();
    for byte in &OPTIONS[..OPTIONS.len() - 1] {
        assert_eq!(frames(&mut framer, &[*byte]), []);
    }
    let rest = [b"c", OPTIONS, &OPTIONS[..4]].concat();
    assert_eq!(frames(&mut framer, &rest), [message(), message()]);
    assert_eq!(framer.buffered(), 4);
}

#[test]
fn pings_on_what_the_peer_opened() {
    let mut framer = Framer::accepted();
    assert_eq!(frames(&mut framer, b"\r\n"), []);
    assert_eq!(frames(&mut framer, b"\r"), []);
    assert_eq!(frames(&mut framer, b"\n\r\n\r\n"), [Ok(Frame::Ping), Ok(Frame::Ping)]);
    let stray = [b"\r\n", OPTIONS].concat();
    assert_eq!(frames(&mut framer, &stray), [message()]);
    assert_eq!(framer.buffered(), 0);
}

/// A flood costs what it weighs: a megabyte of pings is taken in one pass.
#[test]
fn many_small_frames_in_one_read() {
    let mut framer = Framer::accepted();
    let flood = b"\r\n\r\n".repeat(250_000);
    framer.push(&flood);
    let taken = std::iter::from_fn(|| framer.next_frame()).take(flood.len()).count();
    assert_eq!((taken, framer.buffered()), (250_000, 0));
}

#[test]
fn pongs_on_what_we_opened() {
    let mut framer = Framer::opened();
    assert_eq!(frames(&mut framer, b"\r"), []);
    assert_eq!(frames(&mut framer, b"\n"), [Ok(Frame::Pong)]);
    let both = [b"\r\n\r\n", OPTIONS].concat();
    assert_eq!(frames(&mut framer, &both), [Ok(Frame::Pong), Ok(Frame::Pong), message()]);
}

#[test]
fn too_large_says_what_it_was_when_it_can() {
    let head = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    let mut framer = Framer::accepted();
    let error = FramingError::TooLarge { head: Some(head.to_vec()) };
    assert_eq!(error.owed(), Some((&head[..], Status::MESSAGE_TOO_LARGE)));
    assert_eq!(frames(&mut framer, head), [Err(error)]);
    assert_eq!(frames(&mut framer, OPTIONS), []);
    assert_eq!(framer.buffered(), 0);
}

#[test]
fn an_endless_header_section_is_cut_off() {
    let mut framer = Framer::accepted().with_limit(1000);
    assert_eq!(frames(&mut framer, &[b'A'; 999]), []);
    assert_eq!(frames(&mut framer, b"A"), [Err(FramingError::TooLarge { head: None })]);
}

#[test]
fn length_must_be_there_once() {
    for fields in ["", "l: -1\r\n", "l: 1\r\nContent-Length: 2\r\n", "l:\r\n", "l: +1\r\n"] {
        let head = format!("OPTIONS sip:a SIP/2.0\r\n{fields}\r\n").into_bytes();
        let error = FramingError::Length { head: head.clone() };
        assert_eq!(error.owed(), Some((&head[..], Status::BAD_REQUEST)));
        assert_eq!(frames(&mut Framer::accepted(), &head), [Err(error)], "{fields}");
    }
}

#[test]
fn other_protocols_are_noticed_at_once() {
    assert_eq!(frames(&mut Framer::accepted(), b"\x16\x03\x01"), [Err(FramingError::NotSip)]);
    assert_eq!(frames(&mut Framer::accepted(), b"\rA"), [Err(FramingError::NotSip)]);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..300usize) {
        let (a, b) = bytes.split_at(cut.min(bytes.len()));
        let mut framer = Framer::accepted().with_limit(200);
        let mut pieces = frames(&mut framer, a);
        pieces.extend(frames(&mut framer, b));
        prop_assert!(framer.buffered() <= 200);
        prop_assert!(pieces.iter().filter(|f| f.is_err()).count() <= 1);
    }

    #[test]
    fn where_the_stream_is_cut_does_not_count(cuts in prop::collection::vec(0..100usize, 0..6)) {
        let stream = [OPTIONS, b"\r\n\r\n", OPTIONS, b"\r\n\r\n"].concat();
        let mut framer = Framer::accepted();
        let mut got = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            got.extend(frames(&mut framer, head));
            rest = tail;
        }
        got.extend(frames(&mut framer, rest));
        prop_assert_eq!(got, [message(), Ok(Frame::Ping), message(), Ok(Frame::Ping)]);
    }
}
