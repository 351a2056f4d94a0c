//! What DNS says, and where it leads.

use machine::srv::Lookup;
use machine::{Endpoint, Entropy, Ids, Record, RecordData, RecordKind, ResolveError};

use super::{Locator, Target};
use crate::BareJid;
use crate::client::Config;
use crate::client::defaults::{MAX_HOST_ADDRESSES, MAX_SRV_RECORDS, MAX_TARGETS};
use crate::client::event::Error;

fn config() -> Config {
    Config::new(BareJid::new("alice@example.org").unwrap(), "secret")
}

fn record(data: RecordData) -> Record {
    Record { name: "x".to_owned(), ttl_secs: 1, data }
}

fn srv(priority: u16, port: u16, target: &str) -> Record {
    record(RecordData::Srv { priority, weight: 0, port, target: target.to_owned() })
}

fn address(ip: &str) -> Record {
    record(RecordData::Address(ip.parse().unwrap()))
}

fn at(endpoint: &str, direct_tls: bool) -> Target {
    Target { endpoint: endpoint.parse().unwrap(), direct_tls }
}

/// Looks everything up by `dns`; the names in order, and what came of it.
fn locate(
    config: &Config,
    dns: impl Fn(&str) -> Result<Vec<Record>, ResolveError>,
) -> (Vec<String>, Result<Vec<Target>, Error>) {
    let mut ids = Ids::new(1);
    let (mut locator, mut lookups) = Locator::new(config, &mut ids);
    let mut names = Vec::new();
    while !lookups.is_empty() {
        let Lookup { id, name, kinds } = lookups.remove(0);
        assert_eq!(kinds == [RecordKind::Srv], name.starts_with('_'));
        let records = dns(&name);
        names.push(name);
        lookups.extend(locator.resolved(id, &records, &mut ids));
    }
    assert!(!locator.is_busy());
    let targets = locator.targets(&mut Entropy::seeded(1));
    (names, targets.map(Vec::from))
}

fn none(_: &str) -> Result<Vec<Record>, ResolveError> {
    Err(ResolveError::NoSuchName)
}

#[test]
fn both_services_are_one_list() {
    let (names, targets) = locate(&config(), |name| match name {
        "_xmpps-client._tcp.example.org" => Ok(vec![srv(20, 443, "b.example.net.")]),
        "_xmpp-client._tcp.example.org" => {
            Ok(vec![srv(30, 5222, "b.example.net"), srv(10, 5222, "a.example.net")])
        }
        "a.example.net" => Ok(vec![address("192.0.2.1"), address("2001:db8::1")]),
        "b.example.net" => Ok(vec![address("192.0.2.2")]),
        _ => panic!("{name}"),
    });
    assert_eq!(names.len(), 4, "each host is asked for once: {names:?}");
    let expected = [
        at("192.0.2.1:5222", false),
        at("[2001:db8::1]:5222", false),
        at("192.0.2.2:443", true),
        at("192.0.2.2:5222", false),
    ];
    assert_eq!(targets.unwrap(), expected);
}

#[test]
fn only_one_kind_of_tls_where_the_owner_says_so() {
    let services = |name: &str| match name {
        "_xmpps-client._tcp.example.org" => Ok(vec![srv(0, 5223, "a.example.net")]),
        "_xmpp-client._tcp.example.org" => Ok(vec![srv(0, 5222, "a.example.net")]),
        _ => Ok(vec![address("192.0.2.1")]),
    };
    for (direct, port) in [(true, 5223), (false, 5222)] {
        let config = Config { direct_tls: Some(direct), ..config() };
        let target = at(&format!("192.0.2.1:{port}"), direct);
        assert_eq!(locate(&config, services).1.unwrap(), [target]);
        // For want of services, the domain itself on the usual port.
        let plain = |name: &str| if name == "example.org" { services("a") } else { none(name) };
        assert_eq!(locate(&config, plain).1.unwrap(), [target]);
    }
}

#[test]
fn without_services_the_domain_itself() {
    let (names, targets) = locate(&config(), |name| match name {
        "example.org" => Ok(vec![address("::ffff:192.0.2.1")]),
        _ => Err(ResolveError::NoRecords),
    });
    assert_eq!(names.last().map(String::as_str), Some("example.org"));
    assert_eq!(targets.unwrap(), [at("192.0.2.1:5222", false)]);
}

#[test]
fn a_service_whose_host_has_no_address_is_no_reason_to_try_the_domain() {
    let (names, targets) = locate(&config(), |name| match name {
        "_xmpp-client._tcp.example.org" => Ok(vec![srv(0, 5222, "gone.example.net")]),
        _ => Err(ResolveError::NoSuchName),
    });
    assert!(!names.contains(&"example.org".to_owned()));
    let (domain, cause) = ("gone.example.net".to_owned(), ResolveError::NoSuchName);
    assert_eq!(targets, Err(Error::NotFound { domain, cause }));
}

#[test]
fn a_dot_says_no() {
    let no = |service: &'static str| {
        move |name: &str| match name {
            name if name.starts_with(service) => Ok(vec![srv(0, 0, ".")]),
            "example.org" => Ok(vec![address("192.0.2.1")]),
            _ => Err(ResolveError::NoRecords),
        }
    };
    let refused = Err(Error::NoService { domain: "example.org".to_owned() });
    assert_eq!(locate(&config(), no("_xmpp-client")).1, refused);
    // No direct TLS alone leaves STARTTLS.
    let target = at("192.0.2.1:5222", false);
    assert_eq!(locate(&config(), no("_xmpps-client")).1.unwrap(), [target]);
    let direct = Config { direct_tls: Some(true), ..config() };
    assert_eq!(locate(&direct, no("_xmpps-client")).1, refused);
}

#[test]
fn a_server_of_ones_own_and_a_fallback() {
    let named = Config { server: Some(("xmpp.lan".to_owned(), 5223)), ..config() };
    let (names, targets) = locate(&named, |_| Ok(vec![address("10.0.0.1")]));
    assert_eq!(
        (names, targets.unwrap()),
        (vec!["xmpp.lan".to_owned()], vec![at("10.0.0.1:5223", true)])
    );
    let number = Config { server: Some(("2001:db8::5".to_owned(), 5222)), ..config() };
    let (names, targets) = locate(&number, none);
    assert_eq!((names.len(), targets.unwrap()), (0, vec![at("[2001:db8::5]:5222", false)]));
    let fallback: Endpoint = "192.0.2.9:5222".parse().unwrap();
    let config = Config { fallback: vec![fallback], ..config() };
    assert_eq!(locate(&config, none).1.unwrap(), [at("192.0.2.9:5222", false)]);
    // A domain that is an address.
    let jid = BareJid::new("alice@192.0.2.7").unwrap();
    let (names, targets) = locate(&Config::new(jid, "secret"), none);
    assert_eq!((names.len(), targets.unwrap()), (0, vec![at("192.0.2.7:5222", false)]));
}

#[test]
fn nothing_anywhere() {
    let (names, targets) = locate(&config(), none);
    assert_eq!(names.len(), 3);
    let (domain, cause) = ("example.org".to_owned(), ResolveError::NoSuchName);
    assert_eq!(targets, Err(Error::NotFound { domain, cause }));
}

#[test]
fn more_than_is_looked_at() {
    let (names, targets) = locate(&config(), |name| {
        if name.starts_with('_') {
            Ok((0..100).map(|n| srv(n, 5222, &format!("host{n}.example.net"))).collect())
        } else {
            Ok((0..100).map(|n| address(&format!("192.0.2.{n}"))).collect())
        }
    });
    assert_eq!(names.len(), 2 + MAX_SRV_RECORDS);
    // By each of the two services.
    assert_eq!(targets.unwrap().len(), (2 * MAX_HOST_ADDRESSES).min(MAX_TARGETS));
    let (_, targets) = locate(&config(), |name| {
        let n: u8 = name.trim_start_matches("host").split('.').next().unwrap().parse().unwrap_or(0);
        if name.starts_with('_') {
            Ok((0..100).map(|n| srv(n, 5222, &format!("host{n}.example.net"))).collect())
        } else {
            Ok((0..100).map(|m| address(&format!("10.{n}.2.{m}"))).collect())
        }
    });
    assert_eq!(targets.unwrap().len(), MAX_TARGETS);
}
