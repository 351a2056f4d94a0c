//! Relays: found without being named, and with the account's own name and password.

use machine::Transport;
use netsim::Preset;
use phone::{Config, Event, IceMode, Path, Relays, Secret, TurnServer};
use wayleave_phone as phone;

use crate::lab::{CORE, Handset, Lab, MS, SEC, ended};

/// Alice and Bob, each behind a symmetric NAT, registered.
fn behind_symmetric_nats(lab: &mut Lab, config: impl Fn(&str) -> Config) -> [Handset; 2] {
    let mut n = 0;
    ["alice", "bob"].map(|user| {
        n += 1;
        let handset = lab.phone_behind(n, config(user), Preset::Symmetric);
        lab.register(handset);
        handset
    })
}

/// Alice calls Bob, who answers; what both tell in the next seconds.
fn call(lab: &mut Lab, [alice, bob]: [Handset; 2]) -> [Vec<Event>; 2] {
    lab.call(alice, "sip:bob@example.org");
    lab.run(SEC * 3);
    lab.answer(bob);
    lab.run(SEC * 5);
    [lab.take(alice), lab.take(bob)]
}

fn path(events: &[Event]) -> Option<&Path> {
    events.iter().rev().find_map(|event| match event {
        Event::Path { path, .. } => Some(path),
        _ => None,
    })
}

#[test]
fn without_records_the_relay_is_on_the_registrars_host() {
    let mut lab = Lab::new(1);
    let phones = behind_symmetric_nats(&mut lab, Lab::config);
    let told = call(&mut lab, phones);
    let paths = told.each_ref().map(|events| path(events).expect("a path"));
    assert!(paths.iter().all(|path| path.relayed));
    let own = paths.iter().find_map(|path| path.relay).expect("somebody's own relay");
    assert_eq!(own.to_string(), format!("{CORE}:3478"));
    assert!(told.iter().flatten().any(|event| matches!(event, Event::FirstMedia { .. })));
}

#[test]
fn who_wants_no_relay_gets_none() {
    let mut lab = Lab::new(2);
    let without = |user: &str| Config { relays: Relays::Off, ..Lab::config(user) };
    let phones = behind_symmetric_nats(&mut lab, without);
    let told = call(&mut lab, phones);
    lab.run(SEC * 60);
    assert_eq!(told.each_ref().map(|events| path(events).is_some()), [false; 2]);
    assert!(ended(&lab.take(phones[0])).is_some() || ended(&told[0]).is_some());
}

#[test]
fn a_relay_that_is_named_is_used_over_its_transport_and_with_its_password() {
    for (password, works) in [("alice", true), ("wrong", false)] {
        let mut lab = Lab::new(3);
        let relay = TurnServer {
            host: CORE.to_owned(),
            port: Some(3478),
            transport: Some(Transport::Tcp),
            fallback: Vec::new(),
            username: "alice".to_owned(),
            password: Secret::from(password),
        };
        let given = |user: &str| Config {
            relays: Relays::Given(vec![relay.clone()]),
            ice: IceMode::RelayOnly,
            ..Lab::config(user)
        };
        let alice = lab.phone(1, given("alice"));
        let bob = lab.phone(2, Config { relays: Relays::Off, ..Lab::config("bob") });
        lab.register(alice);
        lab.register(bob);
        if works {
            let [told, _] = call(&mut lab, [alice, bob]);
            let path = path(&told).expect("a path");
            assert_eq!((path.relayed, path.transport), (true, Transport::Tcp));
        } else {
            lab.call(alice, "sip:bob@example.org");
            lab.run(SEC * 10);
            let told = lab.take(alice);
            let why = told.iter().find_map(|event| match event {
                Event::NoPath { explanation, .. } => Some(explanation.words().join(" ")),
                _ => None,
            });
            let why = why.expect("no path");
            assert!(why.contains("user name or password not accepted"), "{why}");
            assert!(lab.take(bob).is_empty(), "nobody is called without an address to offer");
        }
        lab.run(MS);
    }
}
