use super::{
    Invalid, Limits, extensions, has_one_via, hops, loop_mark, loops, request, response, scheme,
};
use crate::header::{Via, name};
use crate::message::{Message, Request, Response};
use crate::method::Method;
use crate::status::Status;

fn parsed(text: &str) -> Request {
    match Message::parse(text.replace('\n', "\r\n").as_bytes()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

const REST: &str =
    "Via: SIP/2.0/UDP h;branch=z9hG4bKa\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>\nCall-ID: x\n";

/// A request with this start line and these fields besides those that must be there.
fn with(line: &str, fields: &str) -> Request {
    parsed(&format!("{line}\n{REST}{fields}\n"))
}

fn options(fields: &str) -> Request {
    with("OPTIONS sip:c@d SIP/2.0", &format!("CSeq: 1 OPTIONS\n{fields}"))
}

fn status(result: Result<(), Invalid>) -> Option<u16> {
    result.err().map(|invalid| invalid.status().code())
}

#[test]
fn a_sound_request_passes() {
    assert_eq!(request(&options("Max-Forwards: 70\nl: 0\n")), Ok(()));
}

#[test]
fn versions_other_than_2_0_earn_505() {
    let odd = with("OPTIONS sip:c@d SIP/7.0", "CSeq: 1 OPTIONS\n");
    assert_eq!(status(request(&odd)), Some(505));
}

#[test]
fn broken_requests_earn_400_that_names_the_fault() {
    for (broken, fault) in [
        (with("OPTIONS  sip:c@d SIP/2.0", "CSeq: 1 OPTIONS\n"), "start line"),
        (with("OPTIONS <sip:c@d> SIP/2.0", "CSeq: 1 OPTIONS\n"), "Request-URI"),
        (with("OPTIONS sip:c@d?Route=x SIP/2.0", "CSeq: 1 OPTIONS\n"), "headers in"),
        (with("OPTIONS sip:c@d SIP/2.0", "CSeq: 1 INVITE\n"), "another method"),
        (with("OPTIONS sip:c@d SIP/2.0", "CSeq: 2147483648 OPTIONS\n"), "too large"),
        (with("OPTIONS sip:c@d SIP/2.0", ""), "no CSeq"),
        (options("Max-Forwards: 256\n"), "Max-Forwards"),
        (options("l: 5\n"), "shorter"),
        (options("l: -1\n"), "Content-Length"),
        (options("Contact: <sip:a@b>;;\n"), "Contact"),
        (options("Route: nonsense\n"), "Route"),
        (options("To: <sip:other@d>\n"), "more than one To"),
        (options("nonsense\n"), "no header field"),
        (options("Subject: a\rb\n"), "stray line end"),
    ] {
        let invalid = request(&broken).expect_err(fault);
        assert_eq!(invalid.status(), Status::BAD_REQUEST);
        assert!(invalid.reason().contains(fault), "{}", invalid.reason());
        let owed = invalid.response(&broken).unwrap();
        assert!(owed.via().is_ok());
    }
}

#[test]
fn limits() {
    let within =
        |limits: Limits, request: &Request| status(super::request_within(request, &limits));
    let sound = options("Content-Type: text/plain\nl: 0\n").with_body("text/plain", "12345");
    let sound = parsed(&String::from_utf8(sound.to_bytes()).unwrap().replace("\r\n", "\n"));
    assert_eq!(within(Limits::default(), &sound), None);
    let uri_bytes = 6;
    assert_eq!(within(Limits { uri_bytes, ..Limits::default() }, &sound), Some(414));
    assert_eq!(within(Limits { headers: 6, ..Limits::default() }, &sound), Some(513));
    assert_eq!(within(Limits { header_bytes: 20, ..Limits::default() }, &sound), Some(513));
    assert_eq!(within(Limits { body_bytes: 4, ..Limits::default() }, &sound), Some(413));
    let many = "X: y\n".repeat(crate::defaults::MAX_HEADERS);
    assert_eq!(status(request(&options(&many))), Some(513));
    let hops = format!("Via: {}\n", vec!["SIP/2.0/UDP h"; crate::defaults::MAX_HEADERS].join(", "));
    assert_eq!(status(request(&options(&hops))), Some(513));
    let long = format!("Subject: {}\n", "x".repeat(crate::defaults::MAX_HEADER_BYTES));
    assert_eq!(status(request(&options(&long))), Some(513));
    let uri = format!("OPTIONS sip:{}@d SIP/2.0", "x".repeat(crate::defaults::MAX_URI_BYTES));
    assert_eq!(status(request(&with(&uri, "CSeq: 1 OPTIONS\n"))), Some(414));
}

#[test]
fn an_ack_is_never_answered() {
    let ack = with("ACK sip:c@d SIP/2.0", "CSeq: 1 INVITE\n");
    assert_eq!(request(&ack).unwrap_err().response(&ack), None);
}

#[test]
fn schemes() {
    let known = ["sip", "sips"];
    assert_eq!(scheme(&options(""), &known), Ok(()));
    let odd = with("OPTIONS nobodyKnowsThisScheme:x SIP/2.0", "CSeq: 1 OPTIONS\n");
    assert_eq!(request(&odd), Ok(()));
    assert_eq!(status(scheme(&odd, &known)), Some(416));
}

#[test]
fn unknown_extensions_are_named() {
    let asked = options("Require: path, nothingSupportsThis\nRequire: orThis\n");
    let invalid = extensions(&asked, name::REQUIRE, &["Path"]).unwrap_err();
    let owed = invalid.response(&asked).unwrap();
    assert_eq!(owed.status, Status::BAD_EXTENSION);
    assert_eq!(owed.headers.first("Unsupported"), Some("nothingSupportsThis, orThis"));
    assert_eq!(extensions(&asked, name::PROXY_REQUIRE, &[]), Ok(()));
    let cancel = Request { method: Method::Cancel, ..asked };
    assert_eq!(extensions(&cancel, name::REQUIRE, &[]), Ok(()));
}

#[test]
fn hops_run_out() {
    assert_eq!(hops(&options("Max-Forwards: 1\n")), Ok(()));
    assert_eq!(hops(&options("")), Ok(()));
    assert_eq!(status(hops(&options("Max-Forwards: 0\n"))), Some(483));
}

#[test]
fn loops_are_not_spirals() {
    let ours = |via: &Via| via.host.as_str() == "proxy.example";
    let mut forwarded = options("");
    let branch = format!("z9hG4bKabc.{}", loop_mark(&forwarded));
    forwarded.headers.push_front(name::VIA, format!("SIP/2.0/UDP proxy.example;branch={branch}"));
    assert_eq!(status(loops(&forwarded, ours)), Some(482));
    assert_eq!(loops(&forwarded, |_| false), Ok(()));
    let spiral = Request { uri: "sip:e@f".parse().unwrap(), ..forwarded };
    assert_eq!(loops(&spiral, ours), Ok(()));
}

#[test]
fn responses() {
    let sound: Response = options("l: 0\n").response(Status::OK);
    assert_eq!(response(&sound), Ok(()));
    assert!(has_one_via(&sound));
    let mut two = sound.clone();
    two.headers.push_front(name::VIA, "SIP/2.0/UDP elsewhere");
    assert!(response(&two).is_ok() && !has_one_via(&two));
    let mut broken = sound;
    broken.headers.remove(name::CSEQ);
    assert!(response(&broken).is_err());
}
