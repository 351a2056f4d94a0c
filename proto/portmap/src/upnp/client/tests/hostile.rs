//! Routers that mean no good: each is refused by its name, and nothing is fetched from anybody else.

use super::super::{Error, Event, Refusal};
use super::lab::{Lab, ROUTER, ROUTER_V6, Router, request};
use crate::upnp::defaults::{CANDIDATES_OF_ONE, HTTP_BODY_BYTES};
use crate::upnp::http::{self, Fields, Response};
use crate::upnp::{description, soap, xml};

/// Why this router is refused; it alone was connected to, if anybody.
fn refusal(router: Router) -> Refusal {
    let mut lab = Lab::new(router);
    let events = lab.search();
    assert!(lab.connected.iter().all(|ip| *ip == lab.router.address), "{:?}", lab.connected);
    assert!(lab.connections.is_empty() && lab.sockets.is_empty());
    match <[Event; 2]>::try_from(events).unwrap() {
        [Event::Refused { why, .. }, Event::Searched] => why,
        other => panic!("{other:?}"),
    }
}

fn document(document: &[u8]) -> Option<(Vec<u8>, bool)> {
    Some((document.to_vec(), false))
}

fn body(body: &[u8]) -> Option<(Vec<u8>, bool)> {
    document(&Response::of_status(200, Fields::default(), body.to_vec()).to_bytes())
}

#[test]
fn answers_from_outside_the_link() {
    for from in ["192.168.2.1", "198.51.100.1"] {
        let answers_from = Some(from.parse().unwrap());
        assert_eq!(refusal(Router { answers_from, ..Router::default() }), Refusal::OffLink);
    }
    let address = ROUTER_V6.parse().unwrap();
    let answers_from = Some("2001:db8:0:1::1".parse().unwrap());
    assert_eq!(refusal(Router { address, answers_from, ..Router::default() }), Refusal::OffLink);
}

#[test]
fn locations_elsewhere() {
    for (location, host) in [
        ("http://192.168.1.2:5000/root.xml", "192.168.1.2:5000"),
        ("http://198.51.100.1/", "198.51.100.1:80"),
        ("http://127.0.0.1:631/", "127.0.0.1:631"),
        ("http://example.org/root.xml", "example.org"),
        ("http://[2001:db8::1]:5000/", "[2001:db8::1]:5000"),
    ] {
        let location = Some(location.into());
        assert_eq!(
            refusal(Router { location, ..Router::default() }),
            Refusal::Elsewhere(host.into())
        );
    }
    for location in ["https://192.168.1.1/", "http://test@192.168.1.1/", "file:///etc/passwd"] {
        let refused = refusal(Router { location: Some(location.into()), ..Router::default() });
        assert_eq!(refused, Refusal::NotHttp(location.into()));
    }
    // Who answers from another host's address names that host, and is not followed either.
    let answers_from = Some("192.168.1.50".parse().unwrap());
    let refused = refusal(Router { answers_from, ..Router::default() });
    assert_eq!(refused, Refusal::Elsewhere(format!("{ROUTER}:5000")));
}

#[test]
fn services_and_bases_elsewhere() {
    for control in ["http://192.168.1.2:80/ctl", "//192.168.1.2/ctl", "http://example.org/ctl"] {
        let refused = refusal(Router { control: control.into(), ..Router::default() });
        assert!(matches!(refused, Refusal::Elsewhere(_)), "{control}");
    }
    let base = Some("http://192.168.1.2/".into());
    let refused = refusal(Router { base, ..Router::default() });
    assert_eq!(refused, Refusal::Elsewhere("192.168.1.2:80".into()));
}

#[test]
fn redirects() {
    for status in [301, 302, 303, 307, 308] {
        let fields = Fields::of(&[("Location", "http://198.51.100.1/root.xml")]);
        let redirect = Response::of_status(status, fields, Vec::new()).to_bytes();
        let refused = refusal(Router { document: document(&redirect), ..Router::default() });
        assert_eq!(refused, Refusal::Redirect("http://198.51.100.1/root.xml".into()));
    }
}

#[test]
fn descriptions_that_are_bad() {
    let bomb =
        b"<!DOCTYPE r [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]><root><device>&b;</device></root>";
    let xml = |error| Error::Description(description::Error::Xml(error));
    let short = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n<root>";
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", HTTP_BODY_BYTES + 1);
    let deep = "<a>".repeat(100);
    for (sent, error) in [
        (body(bomb), xml(xml::Error::Forbidden)),
        (body(b""), xml(xml::Error::Truncated)),
        (body(b"<root/>"), Error::Description(description::Error::NoDevice)),
        (body(deep.as_bytes()), xml(xml::Error::TooLarge("more elements in elements"))),
        (document(short), Error::Http(http::Error::Short { got: 6, announced: 999 })),
        (document(long.as_bytes()), Error::Http(http::Error::BodyTooLong)),
        (document(b""), Error::Http(http::Error::Truncated)),
        (document(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), Error::Status(404)),
    ] {
        let refused = refusal(Router { document: sent, ..Router::default() });
        assert_eq!(refused, Refusal::Description(error));
    }
}

#[test]
fn answers_without_end() {
    // The lab counts what the client takes.
    let mut lab = Lab::new(Router {
        document: Some((b"HTTP/1.1 200 OK\r\n\r\nendless endless endless ".to_vec(), true)),
        ..Router::default()
    });
    let events = lab.search();
    let error = Error::Http(http::Error::BodyTooLong);
    let why = Refusal::Description(error);
    assert!(
        matches!(&events[..], [Event::Refused { why: w, .. }, Event::Searched] if *w == why),
        "{events:?}"
    );
    assert!(lab.sent <= 2 * HTTP_BODY_BYTES);
    // Nor does silence hold a search up for ever.
    let refused = refusal(Router { silent: true, ..Router::default() });
    assert_eq!(refused, Refusal::Description(Error::TimedOut));
}

#[test]
fn more_descriptions_than_a_device_has() {
    let location = Some(format!("http://{ROUTER}:5000/{{n}}.xml"));
    let answer_count = CANDIDATES_OF_ONE as u32 + 3;
    let mut lab = Lab::new(Router { location, answer_count, ..Router::default() });
    let events = lab.search();
    assert!(
        events.iter().any(|event| matches!(event, Event::Refused { why: Refusal::TooMany, .. }))
    );
    // It is a gateway all the same, and one.
    assert_eq!(lab.client.get().gateways().count(), 1);
}

#[test]
fn calls_that_are_answered_badly() {
    let bomb = b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
    let ok = |body: &[u8]| Response::of_status(200, Fields::default(), body.to_vec()).to_bytes();
    let fields = Fields::of(&[("Location", "http://198.51.100.1/")]);
    for (answer, error) in [
        (ok(bomb), Error::Soap(soap::Error::Xml(xml::Error::Forbidden))),
        (ok(b"<a/>"), Error::Soap(soap::Error::Malformed("no envelope with a body"))),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_vec(),
            Error::Http(http::Error::Short { got: 5, announced: 9 }),
        ),
        (
            Response::of_status(302, fields, Vec::new()).to_bytes(),
            Error::Redirect("http://198.51.100.1/".into()),
        ),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec(), Error::Status(401)),
    ] {
        let mut lab = Lab::found(Router::default());
        lab.router.answer = Some(answer);
        assert_eq!(lab.map(&request(5000)), Err(error));
        assert_eq!(lab.connected.iter().map(ToString::to_string).collect::<Vec<_>>(), [ROUTER]);
    }
    let mut lab = Lab::found(Router::default());
    lab.router.silent = true;
    assert_eq!(lab.map(&request(5000)), Err(Error::TimedOut));
}

#[test]
fn the_other_address_of_a_router_over_ipv6_is_no_refusal() {
    // It answers from its link-local address and names its global one.
    let router = Router { address: ROUTER_V6.parse().unwrap(), ..Router::default() };
    let mut lab = Lab::new(router);
    lab.router.answers_from = Some("fe80::1".parse().unwrap());
    assert!(matches!(
        &lab.search()[..],
        [Event::Refused { why: Refusal::Elsewhere(_), .. }, Event::Searched]
    ));
    let mut lab = Lab::found(Router { address: ROUTER_V6.parse().unwrap(), ..Router::default() });
    lab.router.answers_from = Some("fe80::1".parse().unwrap());
    let events = lab.search();
    assert!(matches!(&events[..], [Event::Found(_), Event::Searched]), "{events:?}");
}
