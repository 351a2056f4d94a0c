use std::time::Duration;

use machine::{Ids, Instant, Now, Transport};

use super::{Config, Outcome, register};
use crate::header::name;
use crate::location::Binding;
use crate::message::Request;
use crate::method::Method;
use crate::transport::Flow;

const SEC: Duration = Duration::from_secs(1);

fn at(secs: u32) -> Now {
    Now { mono: Instant::ORIGIN + SEC * secs, unix: SEC * (1_000_000 + secs) }
}

fn flow(port: u16) -> Flow {
    Flow {
        transport: Transport::Udp,
        id: Ids::new(0).next_id(),
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: format!("198.51.100.7:{port}").parse().unwrap(),
    }
}

fn request(number: u32, contacts: &[&str], more: &[(&str, &str)]) -> Request {
    let alice = "<sip:alice@test>".parse().unwrap();
    let uri = "sip:test".parse().unwrap();
    let mut request = Request::with_essentials(Method::Register, uri, &alice, &alice, "c1", number);
    contacts.iter().for_each(|contact| request.headers.push(name::CONTACT, contact));
    more.iter().for_each(|(name, value)| request.headers.push(name, value));
    request
}

/// The new bindings, or the status of a refusal.
fn run(now: Now, request: &Request, current: &[Binding]) -> Result<Vec<Binding>, u16> {
    match register(&Config::default(), now, request, flow(40_000), current) {
        Outcome::Refused(response) => Err(response.status.code()),
        Outcome::Query(_) => Ok(current.to_vec()),
        Outcome::Changed { bindings, response } => {
            assert_eq!(response.headers.list(name::CONTACT).count(), bindings.len());
            Ok(bindings)
        }
    }
}

#[test]
fn bound_refreshed_and_removed() {
    let contact = "<sip:alice@10.0.0.1>;expires=120";
    let bound = run(at(0), &request(1, &[contact], &[]), &[]).unwrap();
    assert_eq!(bound[0].expires, at(120).mono);
    let refreshed = run(at(60), &request(2, &[contact], &[]), &bound).unwrap();
    assert_eq!((refreshed.len(), refreshed[0].expires), (1, at(180).mono));
    assert_eq!(run(at(60), &request(2, &[contact], &[]), &refreshed), Err(500));
    let gone = request(3, &["<sip:alice@10.0.0.1>;expires=0"], &[]);
    assert_eq!(run(at(60), &gone, &refreshed), Ok(vec![]));
    let all = run(at(60), &request(3, &["*"], &[("Expires", "0")]), &refreshed);
    assert_eq!(all, Ok(vec![]));
    assert_eq!(run(at(60), &request(3, &["*"], &[("Expires", "60")]), &refreshed), Err(400));
    assert_eq!(run(at(60), &request(2, &["*"], &[("Expires", "0")]), &refreshed), Err(500));
}

#[test]
fn a_query_changes_nothing() {
    let bound = run(at(0), &request(1, &["<sip:alice@10.0.0.1>"], &[]), &[]).unwrap();
    let outcome = register(&Config::default(), at(10), &request(2, &[], &[]), flow(1), &bound);
    let Outcome::Query(response) = outcome else { panic!("{outcome:?}") };
    assert_eq!(response.headers.first(name::CONTACT), Some("<sip:alice@10.0.0.1>;expires=3590"));
}

#[test]
fn lifetimes() {
    let brief = request(1, &["<sip:alice@10.0.0.1>;expires=10"], &[]);
    let outcome = register(&Config::default(), at(0), &brief, flow(1), &[]);
    let Outcome::Refused(response) = outcome else { panic!("{outcome:?}") };
    assert_eq!(response.status.code(), 423);
    assert_eq!(response.headers.first(name::MIN_EXPIRES), Some("60"));
    let long = request(1, &["<sip:alice@10.0.0.1>"], &[("Expires", "4294967295")]);
    assert_eq!(run(at(0), &long, &[]).unwrap()[0].expires, at(7200).mono);
}

#[test]
fn a_device_that_moved_replaces_its_binding() {
    let device = ";+sip.instance=\"<urn:uuid:1>\";reg-id=1";
    let outbound = [("Supported", "outbound")];
    let first = format!("<sip:alice@10.0.0.1>{device}");
    let bound = run(at(0), &request(1, &[&first], &outbound), &[]).unwrap();
    let second = format!("<sip:alice@198.51.100.7:40000>{device}");
    let moved = request(2, &[&second, "<sip:alice@10.0.0.1>;expires=0"], &outbound);
    let outcome = register(&Config::default(), at(1), &moved, flow(40_000), &bound);
    let Outcome::Changed { bindings, response } = outcome else { panic!("{outcome:?}") };
    assert_eq!(bindings.len(), 1);
    assert_eq!(bindings[0].contact.to_string(), "sip:alice@198.51.100.7:40000");
    assert_eq!(response.headers.first(name::REQUIRE), Some("outbound"));
    let other = format!("<sip:alice@10.0.0.2>{}", device.replace(":1", ":2"));
    assert_eq!(run(at(2), &request(3, &[&other], &outbound), &bindings).unwrap().len(), 2);
}

#[test]
fn the_number_of_bindings_is_limited() {
    let mut bindings = Vec::new();
    for n in 0..40 {
        let contact = format!("<sip:alice@10.0.0.1:{}>", 5000 + n);
        bindings = run(at(n), &request(n + 1, &[&contact], &[]), &bindings).unwrap();
    }
    assert_eq!(bindings.len(), crate::defaults::BINDINGS_PER_ADDRESS);
    assert!(bindings.iter().any(|b| b.contact.to_string().ends_with(":5039")));
}

#[test]
fn contacts_that_are_none() {
    assert_eq!(run(at(0), &request(1, &["<tel:+33123>"], &[]), &[]), Err(400));
}
