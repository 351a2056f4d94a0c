//! The torture tests of RFC 4475 and RFC 5118: what each message must be taken for.

use std::net::IpAddr;
use std::path::Path;

use sip::header::{Protocol, name};
use sip::{Message, Method, ParseError, Request, Response, Status, Uri, validate};

/// A fixture as bytes of the wire: CRLF, `<hex>` and `<repeat>` written out.
#[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
fn fixture(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path).with_extension("sip");
    let text = std::fs::read_to_string(&path).unwrap().replace('\n', "\r\n");
    let (mut bytes, mut rest) = (Vec::new(), text.as_str());
    while let Some(at) = ["<hex>", "<repeat "].iter().filter_map(|tag| rest.find(tag)).min() {
        let (before, element) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        let (open, tail) = element.split_once('>').unwrap();
        let (content, tail) = tail.split_once("</").unwrap();
        match open.strip_prefix("<repeat count=") {
            Some(count) => bytes.extend(content.repeat(count.parse().unwrap()).bytes()),
            None => bytes.extend(crypto::from_hex(content).unwrap()),
        }
        rest = tail.split_once('>').unwrap().1;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn message(path: &str) -> Message {
    Message::parse(&fixture(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn request(path: &str) -> Request {
    match message(path) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("{path}: a response"),
    }
}

fn response(path: &str) -> Response {
    match message(path) {
        Message::Response(response) => response,
        Message::Request(_) => panic!("{path}: a request"),
    }
}

/// A request that everybody must take, whose text survives forwarding.
fn valid(path: &str) -> Request {
    let request = request(path);
    assert_eq!(validate::request(&request), Ok(()), "{path}");
    let bytes = fixture(path);
    let written = request.to_bytes();
    if request.headers.contains(name::CONTENT_LENGTH) {
        assert!(bytes.starts_with(&written), "{path}: rewritten");
        assert_eq!(Message::parse(&written), Ok(request.clone().into()), "{path}");
    }
    request
}

/// The status that a request is owed, which can then be answered.
fn owed(path: &str) -> u16 {
    let request = request(path);
    let invalid = validate::request(&request).expect_err(path);
    let response = invalid.response(&request).unwrap();
    assert_eq!(response.status, invalid.status());
    assert!(response.via().is_ok(), "{path}: nowhere to send the answer");
    assert!(Message::parse(&response.to_bytes()).is_ok(), "{path}");
    invalid.status().code()
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

#[test]
fn a_short_tortuous_invite() {
    let invite = valid("rfc4475/wsinv");
    assert_eq!(invite.from().unwrap().display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(invite.from().unwrap().tag(), Some("98asjd8"));
    assert_eq!(invite.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(invite.cseq().unwrap().number, 9);
    assert_eq!(invite.headers.max_forwards().unwrap().unwrap().0, 68);
    let vias = invite.headers.vias().unwrap();
    let hosts: Vec<_> = vias.iter().map(|via| via.host.as_str()).collect();
    assert_eq!(hosts, ["192.0.2.2", "spindle.example.com", "192.168.255.111"]);
    assert_eq!(vias[2].branch(), Some("z9hG4bK30239"));
    assert!(!vias[0].has_unique_branch());
    assert_eq!(invite.headers.first("Subject"), Some(""));
    assert_eq!(invite.headers.first("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    let contact = invite.contact().unwrap();
    assert_eq!(contact.0.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.q_thousandths(), 330);
    assert!(invite.routes().unwrap()[0].uri.as_sip().unwrap().is_loose_router());
    assert_eq!(invite.body.len(), 150);
}

#[test]
fn a_wide_range_of_characters() {
    let odd = valid("rfc4475/intmeth");
    assert_eq!(odd.method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(odd.to().unwrap().display.as_deref(), Some("BEL:\u{7} NUL:\0 DEL:\u{7f}"));
    assert_eq!(odd.from().unwrap().display.as_deref(), Some("token1~` token2'+_ token3*%!.-"));
    assert_eq!(odd.from().unwrap().tag(), Some("_token~1'+`*%!-."));
    assert_eq!(odd.call_id(), Ok("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"));
    let Uri::Sip(uri) = &odd.uri else { panic!() };
    assert_eq!(uri.password().as_deref(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
}

#[test]
fn escapes_in_uris() {
    let invite = valid("rfc4475/esc01");
    let user = |uri: &Uri| uri.as_sip().unwrap().user().unwrap();
    assert_eq!(user(&invite.uri), "sips:user@example.com");
    assert_eq!(user(&invite.to().unwrap().uri), "user");
    assert_eq!(user(&invite.from().unwrap().uri), "I have spaces");
    let contact = invite.contact().unwrap();
    assert!(contact.uri().as_sip().unwrap().is_loose_router());
    let register = valid("rfc4475/escnull");
    let contacts = register.contacts().unwrap();
    let users: Vec<_> = contacts.list().iter().map(|contact| user(contact.uri())).collect();
    assert_eq!(users, ["\0", "\0\0"]);
    assert_eq!(user(&register.to().unwrap().uri), "null-\0-null");
}

#[test]
fn percent_signs_that_are_no_escapes() {
    let odd = valid("rfc4475/esc02");
    assert_eq!(odd.method, Method::Extension("RE%47IST%45R".to_owned()));
    assert_eq!(odd.to().unwrap().display.as_deref(), Some("%Z%45"));
    assert_eq!(odd.contacts().unwrap().list().len(), 2);
}

#[test]
fn other_valid_messages() {
    assert_eq!(valid("rfc4475/lwsdisp").from().unwrap().display.as_deref(), Some("caller"));
    let long = valid("rfc4475/longreq");
    assert_eq!(long.headers.vias().unwrap().len(), 34);
    let first = valid("rfc4475/dblreq");
    assert_eq!((first.method, first.body.len()), (Method::Register, 0));
    let semicolon = valid("rfc4475/semiuri");
    assert_eq!(semicolon.uri.as_sip().unwrap().user().as_deref(), Some("user;par=u@example.net"));
    let transports = valid("rfc4475/transports").headers.vias().unwrap();
    assert_eq!(transports[3].protocol, Protocol::Other("UNKNOWN".to_owned()));
}

#[test]
fn reasons_of_responses() {
    let unusual = response("rfc4475/unreason");
    assert_eq!(validate::response(&unusual), Ok(()));
    assert!(unusual.reason.starts_with("= 2**3 * 5**2 но сто девяносто девять"));
    assert_eq!(unusual.to_bytes(), fixture("rfc4475/unreason"));
    let none = response("rfc4475/noreason");
    assert_eq!((validate::response(&none), none.status), (Ok(()), Status::TRYING));
    assert_eq!(none.reason, "");
}

#[test]
fn broken_requests_are_answered() {
    for name in [
        "badinv01",
        "clerr",
        "ncl",
        "scalar02",
        "quotbal",
        "ltgtruri",
        "lwsruri",
        "lwsstart",
        "trws",
        "escruri",
        "regbadct",
        "baddn",
        "mismatch01",
        "mismatch02",
        "insuf",
        "multi01",
        "mcl01",
    ] {
        assert_eq!(owed(&format!("rfc4475/{name}")), 400, "{name}");
    }
    assert_eq!(owed("rfc4475/badvers"), 505);
}

#[test]
fn broken_responses_are_dropped() {
    assert!(validate::response(&response("rfc4475/scalarlg")).is_err());
    assert_eq!(Message::parse(&fixture("rfc4475/bigcode")), Err(ParseError::StartLine));
    let strayed = response("rfc4475/bcast");
    assert!(validate::response(&strayed).is_ok() && !validate::has_one_via(&strayed));
}

#[test]
fn what_can_be_understood_is() {
    // RFC 4475 §3.1.2.12 leaves a bad Date to whoever wants to know the date.
    assert!(valid("rfc4475/baddate").headers.date().is_err());
    // §3.1.2.14: the spaces in `< sip:… >` can be passed over.
    let to = valid("rfc4475/badaspec").to().unwrap();
    assert_eq!(to.uri.to_string(), "sip:t.watson@example.org");
    // §3.2.1: the magic cookie alone is no branch.
    assert!(!valid("rfc4475/badbranch").via().unwrap().has_unique_branch());
    // §3.4.1: a request of RFC 2543, without tag, branch, Max-Forwards and Content-Length.
    let old = valid("rfc4475/inv2543");
    assert_eq!(old.from().unwrap().tag(), None);
    assert!(!old.body.is_empty());
}

#[test]
fn what_is_for_the_application_to_refuse() {
    for name in ["unkscm", "novelsc"] {
        let refused = validate::scheme(&valid(&format!("rfc4475/{name}")), &["sip", "sips", "tel"]);
        assert_eq!(refused.unwrap_err().status(), Status::UNSUPPORTED_URI_SCHEME);
    }
    assert_eq!(valid("rfc4475/unksm2").to().unwrap().uri.scheme(), Some("isbn"));
    let extended = valid("rfc4475/bext01");
    for (field, first) in
        [(name::REQUIRE, "nothingSupportsThis"), (name::PROXY_REQUIRE, "noProxiesSupportThis")]
    {
        let refused = validate::extensions(&extended, field, &["path"]).unwrap_err();
        assert_eq!(refused.status(), Status::BAD_EXTENSION);
        let response = refused.response(&extended).unwrap();
        assert_eq!(response.headers.list(name::UNSUPPORTED).next(), Some(first));
    }
    assert!(!valid("rfc4475/invut").headers.content_type().unwrap().unwrap().is("application/sdp"));
    let credentials = valid("rfc4475/regaut01").headers.credentials(name::AUTHORIZATION);
    assert!(!credentials[0].is_digest());
    let used_up = validate::hops(&valid("rfc4475/zeromf")).unwrap_err();
    assert_eq!(used_up.status(), Status::TOO_MANY_HOPS);
    assert!(!valid("rfc4475/sdp01").headers.has_token(name::ACCEPT, "application/sdp"));
}

#[test]
fn parameters_of_contacts_and_of_their_uris() {
    let outside = valid("rfc4475/cparam01").contact().unwrap();
    assert!(outside.0.params.contains("unknownparam"));
    let inside = valid("rfc4475/cparam02").contact().unwrap();
    assert!(inside.uri().as_sip().unwrap().params.contains("unknownparam"));
    let escaped = valid("rfc4475/regescrt").contact().unwrap();
    let headers: Vec<_> = escaped.uri().as_sip().unwrap().headers().collect();
    assert_eq!(headers, [("Route".to_owned(), "<sip:sip.example.com>".to_owned())]);
}

#[test]
fn ipv6_references() {
    let host = |request: &Request| request.uri.as_sip().unwrap().host.ip();
    let port = |request: &Request| request.uri.as_sip().unwrap().port;
    let good = valid("rfc5118/ipv6-good");
    assert_eq!((host(&good), port(&good)), (ip("2001:db8::10"), None));
    assert_eq!(owed("rfc5118/ipv6-bad"), 400);
    let ambiguous = valid("rfc5118/port-ambiguous");
    assert_eq!((host(&ambiguous), port(&ambiguous)), (ip("2001:db8::10:5070"), None));
    let unambiguous = valid("rfc5118/port-unambiguous");
    assert_eq!((host(&unambiguous), port(&unambiguous)), (ip("2001:db8::10"), Some(5070)));
    assert_eq!(owed("rfc5118/ipv6-bug-abnf-3-colons"), 400);
}

#[test]
fn ipv6_in_via() {
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        let via = valid(&format!("rfc5118/{name}")).via().unwrap();
        assert_eq!(via.received(), ip("2001:db8::9:255"), "{name}");
    }
    let vias = valid("rfc5118/mult-ip-in-header").headers.vias().unwrap();
    assert_eq!(vias[0].port, Some(6050));
    assert_eq!(vias[1].host.ip(), ip("192.0.2.1"));
    assert_eq!(vias[2].received(), ip("192.0.2.200"));
    let mapped = valid("rfc5118/ipv4-mapped-ipv6");
    assert_eq!(mapped.via().unwrap().host.ip(), ip("192.0.2.10"));
}
