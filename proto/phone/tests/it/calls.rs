//! Calls between phones.

use machine::Transport;
use netsim::Preset;
use phone::{CallError, Event, IceMode, Source, Target};
use wayleave_phone as phone;

use crate::lab::{Lab, SEC, ended, heard};

#[test]
fn both_are_heard() {
    let mut lab = Lab::new(1);
    let pair = lab.conversation();
    lab.run(SEC);
    for (handset, _) in pair {
        assert!(heard(&lab.take(handset)) >= 48);
    }
}

#[test]
fn over_tcp() {
    let mut lab = Lab::new(2);
    let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(n, user)| {
        let mut config = Lab::config(user);
        config.accounts[0].transport = Some(Transport::Tcp);
        let handset = lab.phone(n, config);
        lab.register(handset);
        handset
    });
    lab.connect(alice, bob);
}

#[test]
fn over_ipv6_alone() {
    let mut lab = Lab::new(3);
    let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(n, user)| {
        let address = format!("2001:db8:{n}::1/64");
        let handset = lab.phone_at(n, Lab::config_v6(user), &[&address]);
        lab.register(handset);
        handset
    });
    lab.connect(alice, bob);
}

#[test]
fn without_ice_a_phone_names_the_address_that_its_core_sees() {
    for v6 in [false, true] {
        let mut lab = Lab::new(4);
        let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(n, user)| {
            let mut config = if v6 { Lab::config_v6(user) } else { Lab::config(user) };
            config.ice = IceMode::Off;
            let handset = lab.phone(n, config);
            lab.register(handset);
            handset
        });
        lab.call(alice, "sip:bob@example.org");
        lab.run(SEC);
        lab.answer(bob);
        lab.run(SEC);
        let path = lab.take(alice).into_iter().find_map(|event| match event {
            Event::Path { path, .. } => Some(path),
            _ => None,
        });
        let path = path.expect("a path");
        assert_eq!((path.local.is_ipv4(), path.remote.is_ipv4()), (!v6, !v6));
    }
}

#[test]
fn one_with_ice_and_one_without() {
    let mut lab = Lab::new(5);
    let alice = lab.registered(1, "alice");
    let bob = lab.phone(2, phone::Config { ice: IceMode::Off, ..Lab::config("bob") });
    lab.register(bob);
    lab.connect(alice, bob);
}

#[test]
fn ringing_is_told_once() {
    let mut lab = Lab::new(6);
    let (alice, bob) = (lab.registered(1, "alice"), lab.registered(2, "bob"));
    lab.call(alice, "sip:bob@example.org");
    lab.run(SEC * 150);
    let rings = |event: &&Event| matches!(event, Event::Ringing { .. });
    assert_eq!(lab.take(alice).iter().filter(rings).count(), 1);
    assert!(ended(&lab.take(bob)).is_none());
}

#[test]
fn calls_at_a_time_are_limited() {
    let mut lab = Lab::new(7);
    let config = phone::Config { max_calls: 2, ..Lab::config("bob") };
    let bob = lab.phone(2, config);
    lab.register(bob);
    let alice = lab.registered(1, "alice");
    for _ in 0..3 {
        lab.call(alice, "sip:bob@example.org");
        lab.run(SEC);
    }
    let (reason, _) = ended(&lab.take(alice)).expect("the third is refused");
    assert_eq!(reason.to_string(), "486 Busy Here");
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 2);
    // What only rings keeps nobody from calling; what was taken does.
    let to: Target = "sip:alice@example.org".parse().unwrap();
    for call in lab.on(bob, |phone, _| phone.calls().collect::<Vec<_>>()) {
        lab.on(bob, |phone, now| phone.answer(now, call, Source::silence()));
    }
    let refused = lab.on(bob, |phone, now| phone.call(now, 0, &to, Source::silence()));
    assert_eq!(refused, Err(CallError::TooMany(2)));
    let nobody = lab.on(alice, |phone, now| phone.call(now, 7, &to, Source::silence()));
    assert_eq!(nobody, Err(CallError::NoAccount(7)));
}

#[test]
fn a_call_to_oneself_rings_at_oneself() {
    let mut lab = Lab::new(8);
    let alice = lab.phone_behind(1, Lab::config("alice"), Preset::FullCone);
    lab.register(alice);
    lab.call(alice, "sip:alice@example.org");
    lab.run(SEC);
    let theirs = lab.answer(alice);
    lab.run(SEC * 2);
    let events = lab.take(alice);
    assert!(heard(&events) > 0);
    lab.on(alice, |phone, now| phone.hang_up(now, theirs));
    lab.run(SEC);
    let ends = |event: &&Event| matches!(event, Event::Ended { .. });
    assert_eq!(lab.take(alice).iter().filter(ends).count(), 2);
}
