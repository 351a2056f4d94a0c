//! Paths with ICE.

use std::time::Duration;

use connect::{CandidateKind, Event, Fate, IceMode, OpenError, StreamSpec};
use netsim::Link;

use crate::town::{ALICE, BOB, Plan, Town};

#[test]
fn open_hosts_talk_directly() {
    let mut town = Town::new(&Plan::default());
    let (sessions, connected) = town.call();
    assert!(connected);
    let path = town.path(ALICE).unwrap().clone();
    assert_eq!(path.local.ip().to_string(), "203.0.113.1");
    assert_eq!(path.remote.ip().to_string(), "203.0.113.2");
    assert_eq!(path.local_type, Some(CandidateKind::Host));
    assert_eq!(path.rtt, Some(Duration::from_millis(40)));
    assert!(!path.relayed && path.pairs_tried == 1 && path.checks_sent >= 2);
    town.send(ALICE, sessions[ALICE], 1, b"\x80hello").unwrap();
    town.send(BOB, sessions[BOB], 1, b"\x80hi").unwrap();
    town.run(Duration::from_millis(30));
    assert_eq!(town.received(BOB, 1), [b"\x80hello"]);
    assert_eq!(town.received(ALICE, 1), [b"\x80hi"]);
}

#[test]
fn through_two_port_restricted_nats() {
    let access = ["port-restricted", "port-restricted"];
    let mut town = Town::new(&Plan { access, ..Plan::default() });
    let (_, connected) = town.call();
    assert!(connected);
    for (side, public) in [(ALICE, "203.0.113.11"), (BOB, "203.0.113.12")] {
        let path = town.path(side).unwrap();
        assert_eq!(path.local.ip().to_string(), public);
        assert_eq!(path.local_type, Some(CandidateKind::ServerReflexive));
        assert_ne!(path.base, path.local);
    }
}

#[test]
fn two_components_have_a_path_each() {
    let access = ["port-restricted", "address-restricted"];
    let mut town = Town::new(&Plan { access, ..Plan::default() });
    town.spec.streams = vec![StreamSpec { components: 2 }];
    let (sessions, connected) = town.call();
    assert!(connected);
    town.run(Duration::from_secs(1));
    let bases = [1, 2].map(|component| town.path_of(BOB, component).unwrap().base);
    assert_ne!(bases[0], bases[1]);
    town.send(ALICE, sessions[ALICE], 2, b"\x80\xc8").unwrap();
    town.run(Duration::from_millis(50));
    assert_eq!(town.received(BOB, 2), [b"\x80\xc8"]);
    assert!(town.received(BOB, 1).is_empty());
}

#[test]
fn multiplexing_closes_the_second_socket() {
    let mut town = Town::new(&Plan::default());
    town.spec.streams = vec![StreamSpec { components: 2 }];
    let alice = town.open(ALICE);
    town.spec.streams = vec![StreamSpec { components: 1 }];
    let bob = town.open(BOB);
    town.run(Duration::from_secs(1));
    town.exchange([alice, bob], Duration::ZERO);
    assert!(town.settle());
    assert_eq!(town.connect(ALICE).local(alice).unwrap().streams[0].defaults.len(), 1);
    assert!(town.path_of(ALICE, 2).is_none());
}

#[test]
fn ipv6_is_preferred_and_needs_no_nat() {
    let more = [vec!["2001:db8:a::1/64"], vec!["2001:db8:b::1/64"]];
    let access = ["symmetric", "symmetric"];
    let mut town = Town::new(&Plan { more, access, ..Plan::default() });
    let (_, connected) = town.call();
    assert!(connected);
    assert_eq!(town.path(ALICE).unwrap().remote.to_string().split(':').next(), Some("[2001"));
}

#[test]
fn ipv6_alone() {
    let more = [vec!["2001:db8:a::1/64"], vec!["2001:db8:b::1/64"]];
    let mut town = Town::new(&Plan { more, v4: false, ..Plan::default() });
    let (_, connected) = town.call();
    assert!(connected);
}

#[test]
fn data_may_flow_before_the_path_is_chosen() {
    let mut town = Town::new(&Plan { access: ["port-restricted", "open"], ..Plan::default() });
    let sessions = town.gather();
    town.exchange(sessions, Duration::from_millis(20));
    let writable = |town: &Town| {
        town.events[BOB].iter().any(|(_, event)| matches!(event, Event::Writable { .. }))
    };
    assert!(town.until(Duration::from_secs(5), writable));
    assert!(town.path(BOB).is_none());
    town.send(BOB, sessions[BOB], 1, b"\x80early").unwrap();
    assert!(town.settle());
    town.run(Duration::from_millis(50));
    assert_eq!(town.received(ALICE, 1), [b"\x80early"]);
}

#[test]
fn a_failure_explains_itself() {
    let mut town = Town::new(&Plan { access: ["symmetric", "port-restricted"], ..Plan::default() });
    let (_, connected) = town.call();
    assert!(!connected);
    for side in [ALICE, BOB] {
        let explanation = town.failure(side).expect("it failed");
        assert!(explanation.reason.is_some());
        assert!(explanation.pairs.iter().any(|p| p.fate == Fate::NoAnswer { heard: false }));
        assert!(!explanation.sources.is_empty());
        assert!(explanation.to_string().contains("relay"), "{explanation}");
    }
}

#[test]
fn no_network_is_a_failure_that_says_so() {
    let mut town = Town::new(&Plan::default());
    for side in [ALICE, BOB] {
        town.world.set_addresses(town.phones[side].port("eth0"), &[]);
        town.world.set_addresses(town.phones[side].port("lo"), &[]);
    }
    town.run(Duration::from_secs(1));
    town.open(ALICE);
    town.run(Duration::from_secs(5));
    let explanation = town.failure(ALICE).expect("it failed");
    assert!(explanation.to_string().contains("no address"), "{explanation}");
}

#[test]
fn relayed_paths_alone_are_refused() {
    let mut town = Town::new(&Plan::default());
    let spec = connect::SessionSpec { ice: IceMode::RelayOnly, ..town.spec.clone() };
    let refused = town.verb(ALICE, |connect, now| connect.open(now, spec.clone()));
    assert_eq!(refused, Err(OpenError::NoRelay));
    assert!(OpenError::NoRelay.to_string().contains("TURN"));
}

#[test]
fn a_silent_call_of_ninety_seconds_keeps_its_nat_bindings() {
    let access = ["mapping=ei,filtering=apd,lifetime=30s", "mapping=ei,filtering=apd,lifetime=30s"];
    let mut town = Town::new(&Plan { access, ..Plan::default() });
    let (sessions, connected) = town.call();
    assert!(connected);
    town.run(Duration::from_secs(90));
    town.send(ALICE, sessions[ALICE], 1, b"\x80still there?").unwrap();
    town.send(BOB, sessions[BOB], 1, b"\x80yes").unwrap();
    town.run(Duration::from_millis(50));
    assert_eq!((town.received(BOB, 1).len(), town.received(ALICE, 1).len()), (1, 1));
}

#[test]
fn bindings_are_kept_while_it_rings() {
    let access = ["mapping=ei,filtering=apd,lifetime=30s", "mapping=ei,filtering=apd,lifetime=30s"];
    let mut town = Town::new(&Plan { access, ..Plan::default() });
    let sessions = town.gather();
    let offer = town.described(ALICE, sessions[ALICE]);
    town.run(Duration::from_secs(90));
    town.tell(BOB, sessions[BOB], &offer);
    let answer = town.described(BOB, sessions[BOB]);
    town.run(Duration::from_millis(20));
    town.tell(ALICE, sessions[ALICE], &answer);
    assert!(town.settle(), "the offer's addresses still lead to Alice");
    // Once the pairs are chosen, nobody asks the server any longer.
    town.run(Duration::from_secs(1));
    let asked = town.asked();
    town.run(Duration::from_secs(60));
    assert_eq!(town.asked(), asked);
}

#[test]
fn a_restart_finds_a_new_path_while_data_flows() {
    let access = ["port-restricted", "port-restricted"];
    let mut town = Town::new(&Plan { access, ..Plan::default() });
    let (sessions, connected) = town.call();
    assert!(connected);
    let before = town.path(ALICE).unwrap().clone();
    for side in [ALICE, BOB] {
        town.verb(side, |connect, now| connect.restart(now, sessions[side]));
    }
    town.send(ALICE, sessions[ALICE], 1, b"\x80meanwhile").unwrap();
    town.events = [Vec::new(), Vec::new()];
    town.exchange(sessions, Duration::from_millis(20));
    assert!(town.settle());
    assert_eq!(town.path(ALICE).unwrap().remote, before.remote);
    assert_eq!(town.received(BOB, 1), [b"\x80meanwhile"]);
}

#[test]
fn loss_delays_and_no_more() {
    for seed in 0..20 {
        let access = ["port-restricted", "symmetric-sequential"];
        let mut town = Town::new(&Plan {
            seed,
            access: if seed % 2 == 0 { ["full-cone", access[1]] } else { [access[0]; 2] },
            loss: 0.1,
            ..Plan::default()
        });
        town.spec.streams = vec![StreamSpec { components: 2 }];
        let (_, connected) = town.call();
        assert!(connected, "seed {seed}");
    }
}

#[test]
fn behind_the_same_nat_the_private_addresses_win() {
    let mut town = Town::new(&Plan::default());
    // A third house: both phones get a second interface on a network of their own.
    let router = town.world.router("home");
    for side in [ALICE, BOB] {
        let address = format!("192.168.77.{}/24", side + 1);
        let kind = machine::InterfaceKind::Physical;
        town.world.interface(town.phones[side], "eth1", kind, &[&address]);
        town.world.link(town.phones[side].port("eth1"), router, Link::default());
    }
    town.run(Duration::from_millis(1));
    let (_, connected) = town.call();
    assert!(connected);
    let explanation = town.failure(ALICE);
    assert_eq!(explanation, None);
}

#[test]
fn a_restart_learns_the_outside_address_anew() {
    let access = ["port-restricted", "open"];
    let mut town = Town::new(&Plan { access, ..Plan::default() });
    let (sessions, connected) = town.call();
    assert!(connected);
    let asked = town.asked();
    town.verb(ALICE, |connect, now| connect.restart(now, sessions[ALICE]));
    town.run(Duration::from_secs(1));
    assert_eq!(town.asked(), asked + 1);
}

#[test]
fn a_restart_asks_only_from_sockets_that_are_open() {
    let mut town = Town::new(&Plan { access: ["full-cone", "open"], ..Plan::default() });
    town.spec.streams = vec![StreamSpec { components: 2 }];
    let alice = town.open(ALICE);
    town.spec.streams = vec![StreamSpec { components: 1 }];
    let bob = town.open(BOB);
    town.run(Duration::from_secs(1));
    let answer = town.described(BOB, bob);
    town.tell(ALICE, alice, &answer);
    let asked = town.asked();
    town.verb(ALICE, |connect, now| connect.restart(now, alice));
    town.run(Duration::from_secs(1));
    assert_eq!(town.asked(), asked + 1);
}
