//! Registrations, and the flow that they keep alive.

use netsim::Preset;
use phone::{Event, Reason, Secret, defaults};
use wayleave_phone as phone;

use crate::lab::{Lab, SEC, ended};

#[test]
fn a_wrong_password_is_told_and_not_tried_again() {
    let mut lab = Lab::new(1);
    let mut config = Lab::config("alice");
    config.accounts[0].password = Secret::from("wrong");
    let alice = lab.phone(1, config);
    lab.on(alice, |phone, now| phone.register(now));
    lab.run(SEC * 600);
    let reason = Reason::Unauthorized;
    let failed = Event::RegistrationFailed { account: 0, reason: reason.into(), retry_in: None };
    assert_eq!(lab.take(alice), [failed]);
}

#[test]
fn a_core_that_was_away_is_found_again() {
    let mut lab = Lab::new(2);
    lab.cut_core();
    let alice = lab.phone(1, Lab::config("alice"));
    lab.on(alice, |phone, now| phone.register(now));
    lab.run(SEC * 40);
    let [Event::RegistrationFailed { reason, retry_in: Some(_), .. }] = &lab.take(alice)[..] else {
        panic!("a failure, and another try");
    };
    assert_eq!(*reason, Reason::TimedOut.into());
    lab.mend_core();
    lab.run(SEC * 60);
    assert!(lab.take(alice).iter().any(|event| matches!(event, Event::Registered { .. })));
}

#[test]
fn a_phone_behind_a_nat_stays_within_reach() {
    let mut lab = Lab::new(3);
    let alice = lab.registered(1, "alice");
    let bob = lab.phone_behind(2, Lab::config("bob"), Preset::PortRestricted);
    lab.register(bob);
    // An hour of silence but for keepalives, and then a NAT that has forgotten everything.
    lab.run(SEC * 3000);
    lab.connect(alice, bob);
    let call = lab.on(alice, |phone, _| phone.calls().next()).unwrap();
    lab.on(alice, |phone, now| phone.hang_up(now, call));
    lab.run(SEC);
    let nat = bob.nat.unwrap();
    lab.world.restart_nat(nat);
    lab.run(SEC * 30 + defaults::KEEPALIVE_TIMING.last_wait);
    lab.take(alice);
    lab.take(bob);
    lab.connect(alice, bob);
}

#[test]
fn a_host_without_a_network_registers_when_it_gets_one() {
    let mut lab = Lab::new(4);
    let alice = lab.phone(1, Lab::config("alice"));
    lab.world.set_up(alice.host.port("eth0"), false);
    lab.on(alice, |phone, now| phone.register(now));
    lab.run(SEC);
    lab.world.set_up(alice.host.port("eth0"), true);
    lab.run(SEC * 60);
    assert!(lab.take(alice).iter().any(|event| matches!(event, Event::Registered { .. })));
}

#[test]
fn accounts_are_limited() {
    let mut lab = Lab::new(5);
    let mut config = Lab::config("alice");
    let users = (0..defaults::MAX_ACCOUNTS + 1).map(|n| format!("user{n}"));
    config.accounts = users
        .map(|user| {
            lab.accounts.add(&user, &user);
            Lab::config(&user).accounts.remove(0)
        })
        .collect();
    let alice = lab.phone(1, config);
    lab.on(alice, |phone, now| phone.register(now));
    lab.run(SEC * 2);
    let registered = |event: &&Event| matches!(event, Event::Registered { .. });
    assert_eq!(lab.take(alice).iter().filter(registered).count(), defaults::MAX_ACCOUNTS);
    // Each has calls of its own.
    let to = "sip:user3@example.org".parse().unwrap();
    let call = lab.on(alice, |phone, now| phone.call(now, 7, &to, phone::Source::silence()));
    assert!(call.is_ok());
    lab.run(SEC);
    let from = lab.take(alice).into_iter().find_map(|event| match event {
        Event::Incoming { from, .. } => Some(from),
        _ => None,
    });
    assert_eq!(from.as_deref(), Some("sip:user7@example.org"));
    assert_eq!(ended(&lab.take(alice)), None);
}
