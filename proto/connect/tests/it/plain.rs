//! Paths without ICE.

use std::time::Duration;

use connect::{Event, IceMode, SendError};

use crate::town::{ALICE, BOB, Plan, Town};

fn talk(town: &mut Town) -> [usize; 2] {
    town.spec.ice = IceMode::Off;
    let (sessions, _) = {
        let sessions = town.gather();
        town.exchange(sessions, Duration::from_millis(20));
        (sessions, ())
    };
    for n in 0..50 {
        for side in [ALICE, BOB] {
            town.send(side, sessions[side], 1, &[0x80, n]).unwrap();
        }
        town.run(Duration::from_millis(20));
    }
    town.run(Duration::from_millis(100));
    [ALICE, BOB].map(|side| town.received(side, 1).len())
}

#[test]
fn open_hosts_hear_each_other() {
    let mut town = Town::new(&Plan::default());
    assert_eq!(talk(&mut town), [50, 50]);
    let path = town.path(ALICE).unwrap();
    assert_eq!((path.local_type, path.checks_sent), (None, 0));
    assert_eq!(path.remote.ip().to_string(), "203.0.113.2");
}

#[test]
fn private_addresses_carry_nothing() {
    let access = ["port-restricted", "port-restricted"];
    let mut town = Town::new(&Plan { access, ..Plan::default() });
    town.spec.stun_servers.clear();
    assert_eq!(talk(&mut town), [0, 0], "the talk's ERROR slide");
}

#[test]
fn a_stun_server_makes_the_default_address_useful() {
    let mut town = Town::new(&Plan { access: ["full-cone", "full-cone"], ..Plan::default() });
    assert_eq!(talk(&mut town), [50, 50]);
    assert_eq!(town.path(ALICE).unwrap().local.ip().to_string(), "203.0.113.11");
}

#[test]
fn one_side_without_ice_makes_both_do_without() {
    let mut town = Town::new(&Plan::default());
    let alice = town.open(ALICE);
    town.spec.ice = IceMode::Off;
    let bob = town.open(BOB);
    town.run(Duration::from_secs(1));
    assert_eq!(town.connect(BOB).local(bob).unwrap().credentials, None);
    assert!(town.connect(BOB).local(bob).unwrap().streams[0].candidates.is_empty());
    town.exchange([alice, bob], Duration::from_millis(20));
    assert!(town.settle());
    town.send(ALICE, alice, 1, b"\x80a").unwrap();
    town.send(BOB, bob, 1, b"\x80b").unwrap();
    town.run(Duration::from_secs(1));
    assert_eq!((town.received(ALICE, 1).len(), town.received(BOB, 1).len()), (1, 1));
    let failed = |side: usize| town.failure(side).is_some();
    assert!(!failed(ALICE) && !failed(BOB));
}

#[test]
fn a_new_description_moves_the_path() {
    let mut town = Town::new(&Plan::default());
    town.spec.ice = IceMode::Off;
    let (sessions, connected) = town.call();
    assert!(connected);
    let mut moved = town.described(BOB, sessions[BOB]);
    let elsewhere = "203.0.113.99:4000".parse().unwrap();
    if let Some(stream) = &mut moved.streams[0] {
        stream.defaults[0] = Some(elsewhere);
    }
    let paths = |town: &Town| {
        town.events[ALICE].iter().filter(|(_, e)| matches!(e, Event::Path { .. })).count()
    };
    let before = paths(&town);
    town.tell(ALICE, sessions[ALICE], &moved);
    town.tell(ALICE, sessions[ALICE], &moved);
    town.run(Duration::from_millis(1));
    assert_eq!(paths(&town), before + 1);
    assert_eq!(town.path(ALICE).unwrap().remote, elsewhere);
    // On hold: nowhere to send to.
    if let Some(stream) = &mut moved.streams[0] {
        stream.defaults[0] = Some("0.0.0.0:4000".parse().unwrap());
    }
    town.tell(ALICE, sessions[ALICE], &moved);
    assert_eq!(town.send(ALICE, sessions[ALICE], 1, b"\x80"), Err(SendError::NoPath));
}

#[test]
fn the_binding_stays_open_without_data() {
    let nat = "mapping=ei,filtering=ei,lifetime=30s";
    let mut town = Town::new(&Plan { access: [nat, "open"], ..Plan::default() });
    town.spec.ice = IceMode::Off;
    let (sessions, connected) = town.call();
    assert!(connected);
    town.run(Duration::from_secs(90));
    town.send(BOB, sessions[BOB], 1, b"\x80late").unwrap();
    town.run(Duration::from_millis(50));
    assert_eq!(town.received(ALICE, 1), [b"\x80late"]);
}

#[test]
fn the_other_side_may_be_told_before_anything_is_bound() {
    let mut town = Town::new(&Plan { access: ["full-cone", "open"], ..Plan::default() });
    town.spec.ice = IceMode::Off;
    let bob = town.open(BOB);
    town.run(Duration::from_secs(1));
    let offer = town.described(BOB, bob);
    let alice = town.open(ALICE);
    town.tell(ALICE, alice, &offer);
    assert!(town.path(ALICE).is_none());
    town.run(Duration::from_secs(1));
    town.send(ALICE, alice, 1, b"\x80").unwrap();
    let writable =
        |(_, event): &&(machine::Instant, Event)| matches!(event, Event::Writable { .. });
    assert_eq!(town.events[ALICE].iter().filter(writable).count(), 1);
    assert_eq!(town.path(ALICE).unwrap().local.ip().to_string(), "203.0.113.11");
}
