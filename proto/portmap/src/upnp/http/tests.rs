//! Messages as routers send them, and as they must not.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Error, Fields, Reader, Request, Response};
use crate::upnp::defaults::{HTTP_BODY_BYTES, HTTP_FIELDS, HTTP_HEAD_BYTES};

fn read(bytes: &[u8]) -> Result<Option<Response>, Error> {
    Reader::new().push(bytes)
}

fn read_to_end(bytes: &[u8]) -> Result<Response, Error> {
    let mut reader = Reader::new();
    match reader.push(bytes)? {
        Some(response) => Ok(response),
        None => reader.finish(),
    }
}

#[test]
fn bodies_end_by_length_by_chunks_or_with_the_connection() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\nCONTENT-LENGTH:5\n\nhello",
        "\r\nHTTP/1.0 200\r\ncontent-length: 5\r\n\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 99\r\n\r\n05\nhello\n0\nA: b\n\n",
    ] {
        assert_eq!(read(text.as_bytes()).unwrap().unwrap().body, b"hello", "{text}");
        // In the smallest of pieces, too.
        let mut reader = Reader::<Response>::new();
        let last = text.bytes().find_map(|byte| reader.push(&[byte]).unwrap());
        assert_eq!(last.unwrap().body, b"hello", "{text}");
    }
    let text = "HTTP/1.1 200 OK\r\nServer: a\r\n\r\nhello";
    assert_eq!(read(text.as_bytes()), Ok(None));
    assert_eq!(read_to_end(text.as_bytes()).unwrap().body, b"hello");
    let none = read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
    assert_eq!((none.status, none.body.len()), (204, 0));
}

#[test]
fn a_wrong_length_is_named() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";
    assert_eq!(read_to_end(text.as_bytes()), Err(Error::Short { got: 5, announced: 9 }));
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhello";
    assert_eq!(read(text.as_bytes()), Err(Error::Excess { announced: 3 }));
    for length in ["-1", "", "5a", "+5", "5, 5"] {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello");
        assert!(matches!(read(text.as_bytes()), Err(Error::Malformed(_))), "{length}");
    }
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello";
    assert!(matches!(read(text.as_bytes()), Err(Error::Malformed(_))));
}

#[test]
fn what_is_too_long_is_refused_before_it_is_held() {
    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", HTTP_BODY_BYTES + 1);
    assert_eq!(read(announced.as_bytes()), Err(Error::BodyTooLong));
    let overflow = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    assert_eq!(read(overflow.as_bytes()), Err(Error::BodyTooLong));
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n";
    assert_eq!(read(chunk.as_bytes()), Err(Error::BodyTooLong));
    let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(HTTP_FIELDS + 1));
    assert_eq!(read(fields.as_bytes()), Err(Error::HeadTooLong));
    // What never ends is cut off, whatever it is made of.
    for (head, more, error) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "endless", Error::BodyTooLong),
        ("HTTP/1.1 200 OK\r\n", "A: endless", Error::HeadTooLong),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", Error::BodyTooLong),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "A: b\r\n",
            Error::BodyTooLong,
        ),
        ("", "HTTP/1.1 100 Continue\r\n\r\n", Error::BodyTooLong),
        ("", "\r\n", Error::BodyTooLong),
    ] {
        let mut reader = Reader::<Response>::new();
        assert_eq!(reader.push(head.as_bytes()), Ok(None));
        let mut pushed = 0;
        let refused = loop {
            pushed += more.len();
            if let Err(refused) = reader.push(more.as_bytes()) {
                break refused;
            }
        };
        assert_eq!(refused, error, "{more}");
        assert!(pushed <= 3 * HTTP_BODY_BYTES + HTTP_HEAD_BYTES);
    }
}

#[test]
fn requests_without_a_length_have_no_body() {
    let request =
        Reader::<Request>::new().push(b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n").unwrap().unwrap();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/a"));
    assert_eq!(request.fields.value("HOST"), Some("b"));
    for text in ["GET /a\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "GET /a HTTP/2\r\n\r\n"] {
        assert!(matches!(Reader::<Request>::new().push(text.as_bytes()), Err(Error::Malformed(_))));
    }
    for text in ["ICY 200 OK\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n"] {
        assert!(matches!(read(text.as_bytes()), Err(Error::Malformed(_))), "{text}");
    }
}

#[test]
fn what_is_written_stays_in_its_line() {
    let fields = Fields::of(&[("A", "b\r\nC: d")]);
    let request = Request { method: "GET".into(), target: "/\r\n".into(), fields, body: vec![] };
    assert_eq!(request.to_bytes(), b"GET / HTTP/1.1\r\nA: bC: d\r\n\r\n");
}

fn fields() -> impl Strategy<Value = Fields> {
    vec(("X-[A-Za-z]{1,8}", "([!-~]([ -~]{0,20}[!-~])?)?"), 0..8).prop_map(Fields)
}

proptest! {
    #[test]
    fn responses_read_after_write(
        status in 200..600_u16, reason in "[A-Z][a-z]{0,9}", fields in fields(),
        body in vec(any::<u8>(), 0..300), cut in 0..400_usize,
    ) {
        prop_assume!(!matches!(status, 204 | 304));
        let response = Response { status, reason, fields, body };
        let bytes = response.to_bytes();
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        let mut reader = Reader::new();
        let mut read = reader.push(first).unwrap();
        if read.is_none() {
            read = reader.push(second).unwrap();
        }
        prop_assert_eq!(read, Some(response.clone()));
        let mut reader = Reader::new();
        reader.push(&response.to_datagram()).unwrap();
        prop_assert_eq!(reader.finish(), Ok(response));
    }

    #[test]
    fn requests_read_after_write(
        method in "[A-Z-]{1,9}", target in "[!-~]{1,20}", fields in fields(),
        body in vec(any::<u8>(), 0..300),
    ) {
        let request = Request { method, target, fields, body };
        prop_assert_eq!(Reader::new().push(&request.to_bytes()), Ok(Some(request)));
    }

    #[test]
    fn no_bytes_panic(pieces in vec(vec(any::<u8>(), 0..50), 0..5), text in "(HTTP/1.1 200 OK|[a-zA-Z:0-9; -]{0,9}|\r\n|\n|Transfer-Encoding: chunked){0,20}") {
        let mut reader = Reader::<Response>::new();
        for piece in &pieces {
            let _ = reader.push(piece);
        }
        let _ = reader.finish();
        let _ = read_to_end(text.as_bytes());
    }
}
