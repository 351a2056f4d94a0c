//! Registrations: kept over a restart, refreshed, moved, ended.

use netsim::Preset;
use sip::ua::{Event, Reason};

use crate::lab::{CORE, Lab, MS, SEC};
use wayleave_server::defaults::QUESTION;
use wayleave_server::{Config, Event as Core, Question};

#[test]
fn a_phone_behind_a_nat_is_known_by_its_outer_address() {
    let mut lab = Lab::new(1);
    lab.registered(1, "alice", Preset::PortRestricted);
    let events = lab.core_said();
    let remotes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Core::Registered { address, contact, remote, .. } => {
                assert_eq!(address, "alice@example.org");
                Some((contact.clone(), remote.to_string()))
            }
            _ => None,
        })
        .collect();
    let (contact, remote) = remotes.last().unwrap();
    assert!(remote.starts_with("203.0.113.1:"), "{remote}");
    assert_eq!(*contact, format!("sip:alice@{remote}"));
    assert_eq!(lab.server().stats().addresses, 1);
    assert_eq!(lab.saved["alice@example.org"].bindings.len(), 1);
}

#[test]
fn registrations_are_refreshed_before_they_end() {
    let mut lab = Lab::new(1);
    lab.registered(1, "alice", Preset::PortRestricted);
    lab.run(SEC * 3 * 3600);
    assert_eq!(lab.server().stats().addresses, 1);
    let events = lab.core_said();
    assert!(!events.iter().any(|event| matches!(event, Core::Unregistered { .. })));
    assert!(lab.server().stats().registrations >= 4);
    assert!(lab.server().stats().stun_answered > 300);
    let steps = lab.assert_replays();
    assert!(steps > 300, "{steps}");
}

#[test]
fn a_registration_is_removed() {
    let mut lab = Lab::new(1);
    let (alice, account) = lab.registered(1, "alice", Preset::PortRestricted);
    lab.on(alice, |agent, now| agent.unregister(now, account));
    lab.run(SEC);
    assert_eq!(lab.phone_said(alice), [Event::Unregistered { account }]);
    assert_eq!(lab.server().stats().addresses, 0);
    assert!(lab.saved["alice@example.org"].bindings.is_empty());
    let gone = Core::Unregistered { address: "alice@example.org".to_owned() };
    assert!(lab.core_said().contains(&gone));
}

#[test]
fn a_registration_that_is_not_wanted_any_more_before_it_stands() {
    let mut lab = Lab::new(1);
    let (alice, account) = lab.phone(1, "alice", Preset::PortRestricted, "");
    lab.on(alice, |agent, now| agent.register(now, account));
    lab.run(MS * 15);
    lab.on(alice, |agent, now| agent.unregister(now, account));
    lab.run(SEC);
    assert_eq!(lab.phone_said(alice).last(), Some(&Event::Unregistered { account }));
    assert_eq!(lab.server().stats().addresses, 0);
    lab.on(alice, |agent, now| agent.register(now, account));
    lab.run(SEC);
    lab.on(alice, |agent, now| agent.unregister(now, account));
    lab.on(alice, |agent, now| agent.register(now, account));
    lab.run(SEC);
    assert!(matches!(lab.phone_said(alice).last(), Some(Event::Registered { .. })));
    assert_eq!(lab.server().stats().addresses, 1);
}

#[test]
fn a_phone_that_is_silent_is_forgotten() {
    let mut lab = Lab::new(1);
    let (alice, _) = lab.registered(1, "alice", Preset::Open);
    lab.on(alice, |agent, _| {
        let entropy = machine::Entropy::seeded(1);
        *agent =
            sip::ua::UserAgent::new(sip::ua::Config::default(), machine::Ids::new(7), &entropy);
    });
    lab.run(SEC * 3700);
    assert_eq!(lab.server().stats().addresses, 0);
    assert!(lab.core_said().iter().any(|event| matches!(event, Core::Unregistered { .. })));
}

#[test]
fn a_wrong_password_is_told_as_such() {
    let mut lab = Lab::new(1);
    lab.passwords.insert("alice".to_owned(), "another".to_owned());
    let (alice, account) = lab.phone(1, "alice", Preset::Open, "");
    lab.on(alice, |agent, now| agent.register(now, account));
    lab.run(SEC);
    let failed = lab.phone_said(alice).into_iter().find_map(|event| match event {
        Event::RegistrationFailed { reason, retry_in, .. } => Some((reason, retry_in)),
        _ => None,
    });
    assert_eq!(failed, Some((Reason::Unauthorized, None)));
    lab.run(SEC * 3600);
    assert_eq!(lab.server().stats().wrong_proofs, 1);
}

/// Alice registers while the store fails in one way, and again by herself once it works.
fn registers_after(fault: impl Fn(&mut Lab) -> &mut bool) {
    let mut lab = Lab::new(1);
    *fault(&mut lab) = false;
    let (alice, account) = lab.phone(1, "alice", Preset::Open, "");
    lab.on(alice, |agent, now| agent.register(now, account));
    lab.run(SEC);
    let failed =
        |event: &Event| matches!(event, Event::RegistrationFailed { retry_in: Some(_), .. });
    assert!(lab.phone_said(alice).iter().any(failed));
    *fault(&mut lab) = true;
    lab.run(SEC * 60);
    assert!(lab.phone_said(alice).iter().any(|event| matches!(event, Event::Registered { .. })));
}

#[test]
fn what_cannot_be_kept_is_not_acknowledged() {
    registers_after(|lab| &mut lab.store_works);
}

/// A store that fails for a while must not look like a wrong password: phones would give up.
#[test]
fn keys_that_cannot_be_looked_up_are_asked_for_again() {
    registers_after(|lab| &mut lab.store_tells);
}

#[test]
fn bindings_survive_a_restart() {
    let mut lab = Lab::new(1);
    lab.registered(2, "bob", Preset::Open);
    let saved = lab.saved.clone();
    assert!(lab.asked.iter().any(|question| matches!(question, Question::SaveBindings(_))));
    // Another core, which knows nothing but what was kept; Bob's phone knows nothing of it.
    let config = Config::new("example.org", [CORE.parse().unwrap()]);
    let mut lab = Lab::with(2, config, saved);
    assert_eq!(lab.server().stats().addresses, 1);
    let bob = lab.phone(2, "bob", Preset::Open, "");
    let (alice, account) = lab.registered(1, "alice", Preset::PortRestricted);
    let to: sip::Uri = "sip:bob@example.org".parse().unwrap();
    lab.on(alice, |agent, now| {
        agent.invite(now, account, to.clone(), sip::ua::Body::sdp("offer"));
    });
    lab.run(SEC);
    assert!(lab.phone_said(bob.0).iter().any(|event| matches!(event, Event::Incoming { .. })));
    lab.assert_replays();
}

#[test]
fn a_nat_that_forgets_is_noticed() {
    let mut lab = Lab::new(1);
    let (alice, _) = lab.registered(1, "alice", Preset::Symmetric);
    lab.run(SEC * 20);
    lab.phone_said(alice);
    // After the restart the NAT gives another port; the keepalive shows it.
    lab.world.restart_nat(lab.nats["alice"]);
    lab.run(SEC * 40);
    assert!(lab.phone_said(alice).iter().any(|event| matches!(event, Event::Registered { .. })));
    lab.run(MS);
    assert_eq!(lab.saved["alice@example.org"].bindings.len(), 1);
}

#[test]
fn an_account_that_is_gone_is_registered_no_longer() {
    let mut lab = Lab::new(1);
    lab.registered(1, "alice", Preset::PortRestricted);
    lab.registered(2, "bob", Preset::PortRestricted);
    lab.core_verb(|core, now| core.disconnect(now, "alice@example.org"));
    lab.core_verb(|core, now| core.disconnect(now, "nobody@example.org"));
    lab.run(SEC);
    assert_eq!(lab.server().stats().addresses, 1);
    assert!(lab.saved["alice@example.org"].bindings.is_empty());
    assert_eq!(lab.saved["bob@example.org"].bindings.len(), 1);
    assert_eq!(lab.server().stats().questions, 0);
    let gone = Core::Unregistered { address: "alice@example.org".to_owned() };
    assert!(lab.core_said().contains(&gone));
}

#[test]
fn what_is_not_kept_is_not_so() {
    let mut lab = Lab::new(1);
    let (alice, account) = lab.registered(1, "alice", Preset::PortRestricted);
    lab.store_works = false;
    lab.on(alice, |agent, now| agent.unregister(now, account));
    let (bob, theirs) = lab.phone(2, "bob", Preset::PortRestricted, "");
    lab.on(bob, |agent, now| agent.register(now, theirs));
    lab.run(SEC);
    assert_eq!(lab.server().stats().addresses, 1, "Alice's, and not Bob's");
    let refused = lab.server().stats().refusals[&500];
    assert!(refused >= 2, "{refused}");
}

/// Alice has unregistered one phone and registered another, and the store says nothing of either.
fn with_two_changes_under_way() -> Lab {
    let mut lab = Lab::new(1);
    let (alice, account) = lab.registered(1, "alice", Preset::Open);
    lab.is_mute = |question| matches!(question, Question::SaveBindings(_));
    lab.on(alice, |agent, now| agent.unregister(now, account));
    lab.run(MS * 100);
    assert_eq!(lab.server().stats().addresses, 0);
    let (other, theirs) = lab.phone(2, "alice", Preset::Open, "");
    lab.on(other, |agent, now| agent.register(now, theirs));
    lab.run(SEC);
    let stats = lab.server().stats();
    assert_eq!((stats.addresses, stats.questions), (1, 2));
    lab
}

#[test]
fn changes_that_are_not_kept_in_time_are_none() {
    let mut lab = with_two_changes_under_way();
    lab.run(QUESTION);
    let stats = lab.server().stats();
    assert_eq!((stats.addresses, stats.questions), (1, 0), "the one that is kept");
    assert_eq!(stats.refusals[&500], 2);
    assert_eq!(lab.saved["alice@example.org"].bindings.len(), 1);
    lab.assert_replays();
}

#[test]
fn an_account_that_is_gone_gets_nothing_back() {
    let mut lab = with_two_changes_under_way();
    lab.core_verb(|core, now| core.disconnect(now, "alice@example.org"));
    assert_eq!(lab.server().stats().addresses, 0);
    lab.run(QUESTION);
    let stats = lab.server().stats();
    assert_eq!((stats.addresses, stats.questions), (0, 0));
}

#[test]
fn keys_that_do_not_come_in_time_are_asked_for_again() {
    let mut lab = Lab::new(1);
    lab.is_mute = |question| matches!(question, Question::Credentials { .. });
    let (alice, account) = lab.phone(1, "alice", Preset::Open, "");
    lab.on(alice, |agent, now| agent.register(now, account));
    lab.run(SEC);
    assert_eq!(lab.server().stats().questions, 1);
    lab.run(QUESTION);
    assert_eq!(lab.server().stats().questions, 0);
    let failed =
        |event: &Event| matches!(event, Event::RegistrationFailed { retry_in: Some(_), .. });
    assert!(lab.phone_said(alice).iter().any(failed));
    lab.is_mute = |_| false;
    lab.run(SEC * 60);
    assert!(lab.phone_said(alice).iter().any(|event| matches!(event, Event::Registered { .. })));
}
