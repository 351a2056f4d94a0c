use super::{Flaw, ParseError};
use crate::message::{Message, Request, Version};
use crate::method::Method;
use crate::uri::Uri;

fn request(text: &str) -> Request {
    match Message::parse(text.as_bytes()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn folds_compact_forms_and_space() {
    let text =
        "\r\n\r\nINVITE sip:a@b SIP/2.0\r\nTO :\r\n  sip:a@b ;\r\n\ttag  = x\r\nl: 2\r\n\r\nhihi";
    let request = request(text);
    assert_eq!(request.method, Method::Invite);
    assert_eq!(request.headers.first("To"), Some("sip:a@b ; tag  = x"));
    assert_eq!(request.to().unwrap().tag(), Some("x"));
    assert_eq!(request.body, b"hi");
    assert_eq!(request.flaw(), None);
    assert_eq!(String::from_utf8(request.to_bytes()).unwrap(), text[4..text.len() - 2]);
}

#[test]
fn flaws_are_stepped_over() {
    assert_eq!(request("A  sip:a@b SIP/2.0\r\n\r\n").flaw(), Some(Flaw::StartLine));
    assert_eq!(request("A sip:a@b SIP/2.0 \r\n\r\n").flaw(), Some(Flaw::StartLine));
    let request = request("A sip:a@b SIP/2.0\r\nno field\r\nX: a\nb\r\n\r\n");
    assert_eq!(request.flaw(), Some(Flaw::HeaderLine));
    assert_eq!(request.headers.len(), 1);
}

#[test]
fn bytes_that_are_not_utf_8_are_forwarded() {
    let bytes = b"A sip:a@b SIP/2.0\r\nSubject: \xff\r\nContent-Length: 0\r\n\r\n";
    let message = Message::parse(bytes).unwrap();
    assert_eq!(message.headers().first("Subject"), Some("\u{fffd}"));
    assert_eq!(message.to_bytes(), bytes);
}

#[test]
fn malformed_request_uris_are_kept() {
    let request = request("A <sip:a@b> SIP/2.0\r\n\r\n");
    assert_eq!(request.uri, Uri::Other("<sip:a@b>".to_owned()));
    assert!(request.uri.is_malformed());
}

#[test]
fn versions() {
    assert_eq!(request("A sip:a@b SIP/7.0\r\n\r\n").version(), Version { major: 7, minor: 0 });
    assert_eq!(request("A sip:a@b sip/2.0\r\n\r\n").version(), Version::SIP_2_0);
    let huge = request("A sip:a@b SIP/99999999999.0\r\n\r\n").version();
    assert_eq!(huge, Version { major: u16::MAX, minor: 0 });
}

#[test]
fn refused() {
    for (bytes, error) in [
        (&b""[..], ParseError::Empty),
        (b"\r\n\r\n", ParseError::Empty),
        (b"GET / HTTP/1.1\r\n\r\n", ParseError::StartLine),
        (b"A sip:a@b SIP/2.0\r\nTo: x\r\n", ParseError::Incomplete),
        (b"SIP/2.0 4294967301 better\r\n\r\n", ParseError::StartLine),
        (b"SIP/2.0 99 low\r\n\r\n", ParseError::StartLine),
        (b"\0\x01\x02\x03", ParseError::StartLine),
    ] {
        assert_eq!(Message::parse(bytes), Err(error));
    }
}

#[test]
fn reasons() {
    for (line, reason) in
        [("SIP/2.0 200 All is well", "All is well"), ("SIP/2.0 200 ", ""), ("SIP/2.0 200", "")]
    {
        let text = format!("{line}\r\n\r\n");
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!() };
        assert_eq!(response.reason, reason);
    }
}
