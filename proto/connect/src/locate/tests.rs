use machine::srv::Lookup;
use machine::{Entropy, Ids, Record, RecordData, RecordKind, ResolveError, Transport};

use super::Locator;
use crate::TurnServer;

fn server(host: &str) -> TurnServer {
    TurnServer {
        host: host.to_owned(),
        port: None,
        transport: None,
        fallback: Vec::new(),
        username: "alice".to_owned(),
        password: "secret".into(),
    }
}

/// What the DNS of a test says: by kind and name.
fn answer(zone: &[(&str, &str)], lookup: &Lookup) -> Result<Vec<Record>, ResolveError> {
    let data = |text: &str| match text.split(' ').collect::<Vec<_>>()[..] {
        [priority, weight, port, target] => RecordData::Srv {
            priority: priority.parse().unwrap(),
            weight: weight.parse().unwrap(),
            port: port.parse().unwrap(),
            target: target.to_owned(),
        },
        _ => RecordData::Address(text.parse().unwrap()),
    };
    let wanted = |data: &RecordData| {
        matches!(data, RecordData::Srv { .. }) == (lookup.kinds == [RecordKind::Srv])
    };
    let records = zone.iter().filter(|(name, _)| *name == lookup.name).map(|(name, text)| Record {
        name: (*name).to_owned(),
        ttl_secs: 60,
        data: data(text),
    });
    let records: Vec<Record> = records.filter(|record| wanted(&record.data)).collect();
    if records.is_empty() { Err(ResolveError::NoSuchName) } else { Ok(records) }
}

fn located(server: TurnServer, zone: &[(&str, &str)]) -> Vec<String> {
    let mut ids = Ids::new(1);
    let (mut locator, mut lookups) = Locator::new(server, &mut ids, Entropy::seeded(1));
    while let Some(lookup) = lookups.pop() {
        assert!(locator.is_busy());
        lookups.extend(locator.resolved(lookup.id, &answer(zone, &lookup), &mut ids));
    }
    assert!(!locator.is_busy());
    locator.servers().iter().map(ToString::to_string).collect()
}

#[test]
fn addresses_need_no_name() {
    let found = located(server("192.0.2.1"), &[]);
    let expected = [
        "192.0.2.1:3478 over UDP",
        "192.0.2.1:3478 over TCP",
        "192.0.2.1:443 over TLS",
        "192.0.2.1:5349 over TLS",
    ];
    assert_eq!(found, expected);
    let only =
        TurnServer { port: Some(80), transport: Some(Transport::Tcp), ..server("2001:db8::1") };
    assert_eq!(located(only, &[]), ["[2001:db8::1]:80 over TCP"]);
}

#[test]
fn a_domain_says_where_its_server_is() {
    let zone = [
        ("_turn._udp.example.org", "20 0 3479 b.example.org"),
        ("_turn._udp.example.org", "10 0 3478 a.example.org"),
        ("_turns._tcp.example.org", "10 0 443 a.example.org"),
        ("_turn._tcp.example.org", "0 0 0 ."),
        ("a.example.org", "2001:db8::a"),
        ("a.example.org", "192.0.2.10"),
        ("b.example.org", "192.0.2.11"),
        ("example.org", "192.0.2.80"),
    ];
    let expected = [
        "[2001:db8::a]:3478 over UDP",
        "192.0.2.10:3478 over UDP",
        "192.0.2.11:3479 over UDP",
        "[2001:db8::a]:443 over TLS",
        "192.0.2.10:443 over TLS",
    ];
    assert_eq!(located(server("example.org"), &zone), expected);
}

#[test]
fn without_services_the_fallback_counts_and_else_the_name_itself() {
    let zone = [("example.org", "192.0.2.80")];
    let udp = TurnServer { transport: Some(Transport::Udp), ..server("example.org") };
    assert_eq!(located(udp.clone(), &zone), ["192.0.2.80:3478 over UDP"]);
    let registrar = TurnServer { fallback: vec!["192.0.2.99".parse().unwrap()], ..udp.clone() };
    assert_eq!(located(registrar.clone(), &zone), ["192.0.2.99:3478 over UDP"]);
    let named = TurnServer { port: Some(5000), ..registrar.clone() };
    assert_eq!(located(named.clone(), &zone), ["192.0.2.80:5000 over UDP"]);
    assert_eq!(located(named, &[]), ["192.0.2.99:5000 over UDP"]);
    assert!(located(udp, &[]).is_empty());
}

#[test]
fn answers_are_limited() {
    let many: Vec<(String, String)> = (0..100)
        .flat_map(|n| {
            let target = format!("t{n}.example.org");
            let record = (target.clone(), format!("192.0.2.{n}"));
            [("_turn._udp.example.org".to_owned(), format!("1 1 3478 {target}")), record]
        })
        .collect();
    let zone: Vec<(&str, &str)> = many.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let found = located(server("example.org"), &zone);
    assert_eq!(found.len(), crate::defaults::MAX_SRV_RECORDS);
}
