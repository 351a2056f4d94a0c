//! Calls through the core, by phones behind NATs.

use netsim::{NodeId, Preset};
use sip::ua::{AccountId, Body, By, CallId, Event, Reason};
use sip::{Status, Uri};

use crate::lab::{Lab, MS, SEC};

fn invite(lab: &mut Lab, (host, account): (NodeId, AccountId), to: &str, size: usize) -> CallId {
    let to: Uri = to.parse().unwrap();
    let body = Body::sdp("x".repeat(size));
    lab.on(host, |agent, now| agent.invite(now, account, to.clone(), body.clone()))
}

fn ended(events: &[Event]) -> Option<(Reason, By)> {
    events.iter().find_map(|event| match event {
        Event::Ended { reason, by, .. } => Some((reason.clone(), *by)),
        _ => None,
    })
}

/// Alice calls Bob, they stay for 90 seconds, and one of them hangs up.
fn call(alice_nat: Preset, bob_nat: Preset, size: usize, callee_ends: bool) {
    let mut lab = Lab::new(1);
    let alice = lab.registered(1, "alice", alice_nat);
    let bob = lab.registered(2, "bob", bob_nat);
    let ours = invite(&mut lab, alice, "sip:bob@example.org", size);
    lab.run(SEC);
    let heard = lab.phone_said(bob.0);
    let theirs = heard.iter().find_map(|event| match event {
        Event::Incoming { call, body: Some(body), .. } => {
            assert_eq!(body.bytes.len(), size);
            Some(*call)
        }
        _ => None,
    });
    let theirs = theirs.unwrap_or_else(|| panic!("no call: {heard:?}"));
    assert!(heard.iter().any(|event| matches!(event, Event::Confirmed { .. })), "{heard:?}");
    assert!(lab.phone_said(alice.0).iter().any(|e| matches!(e, Event::Answered { .. })));
    lab.run(SEC * 90);
    if callee_ends {
        lab.on(bob.0, |agent, now| agent.hangup(now, theirs));
    } else {
        lab.on(alice.0, |agent, now| agent.hangup(now, ours));
    }
    lab.run(SEC);
    let (a, b) = (ended(&lab.phone_said(alice.0)), ended(&lab.phone_said(bob.0)));
    let (us, them) = (Some((Reason::Bye, By::Us)), Some((Reason::Bye, By::Them)));
    assert_eq!((a, b), if callee_ends { (them, us) } else { (us, them) });
    lab.run(SEC * 70);
    let stats = lab.server().stats();
    assert_eq!((stats.sip.clients, stats.sip.servers, stats.proxy.contexts), (0, 0, 0));
    lab.assert_replays();
}

#[test]
fn through_all_kinds_of_nat() {
    let presets = [Preset::Open, Preset::PortRestricted, Preset::Symmetric, Preset::Double];
    for (n, alice) in presets.into_iter().enumerate() {
        for (m, bob) in presets.into_iter().enumerate() {
            call(alice, bob, 500, (n + m) % 2 == 0);
        }
    }
}

#[test]
fn an_offer_too_large_for_a_datagram() {
    call(Preset::PortRestricted, Preset::PortRestricted, 2000, false);
    call(Preset::PortRestricted, Preset::PortRestricted, 2000, true);
}

#[test]
fn registered_over_tcp() {
    let mut lab = Lab::new(1);
    let tcp = ";transport=tcp";
    let alice = lab.registered_over(1, "alice", Preset::PortRestricted, tcp);
    let bob = lab.registered_over(2, "bob", Preset::PortRestricted, tcp);
    lab.run(SEC * 200);
    let ours = invite(&mut lab, alice, "sip:bob@example.org", 100);
    lab.run(SEC);
    assert!(lab.phone_said(alice.0).iter().any(|e| matches!(e, Event::Answered { .. })));
    lab.run(SEC * 200);
    lab.on(alice.0, |agent, now| agent.hangup(now, ours));
    lab.run(SEC);
    assert_eq!(ended(&lab.phone_said(bob.0)), Some((Reason::Bye, By::Them)));
    lab.assert_replays();
}

#[test]
fn a_call_that_is_given_up() {
    let mut lab = Lab::new(1);
    let alice = lab.registered(1, "alice", Preset::PortRestricted);
    let bob = lab.registered(2, "bob", Preset::PortRestricted);
    lab.set_answers(bob.0, false);
    let ours = invite(&mut lab, alice, "sip:bob@example.org", 100);
    lab.run(SEC);
    lab.on(alice.0, |agent, now| agent.hangup(now, ours));
    lab.run(SEC);
    assert_eq!(ended(&lab.phone_said(alice.0)), Some((Reason::Cancelled, By::Us)));
    assert_eq!(ended(&lab.phone_said(bob.0)), Some((Reason::Abandoned, By::Them)));
    lab.assert_serves();
}

#[test]
fn two_phones_ring_and_one_answers() {
    let mut lab = Lab::new(1);
    let alice = lab.registered(1, "alice", Preset::PortRestricted);
    let first = lab.registered(2, "bob", Preset::PortRestricted);
    let second = lab.registered(3, "bob", Preset::Symmetric);
    lab.set_answers(first.0, false);
    lab.set_answers(second.0, false);
    invite(&mut lab, alice, "sip:bob@example.org", 100);
    lab.run(SEC);
    let incoming = |event: Event| match event {
        Event::Incoming { call, .. } => Some(call),
        _ => None,
    };
    let one = lab.phone_said(first.0).into_iter().find_map(incoming).unwrap();
    lab.phone_said(second.0).into_iter().find_map(incoming).unwrap();
    lab.on(first.0, |agent, now| agent.ring(now, one, None));
    lab.run(MS * 100);
    lab.on(first.0, |agent, now| agent.answer(now, one, Body::sdp("answer")));
    lab.run(SEC);
    assert_eq!(ended(&lab.phone_said(second.0)), Some((Reason::Abandoned, By::Them)));
    let heard = lab.phone_said(alice.0);
    assert!(heard.iter().any(|e| matches!(e, Event::Progress { status: Status::RINGING, .. })));
    assert!(heard.iter().any(|e| matches!(e, Event::Answered { .. })));
    lab.run(SEC * 70);
    assert_eq!(lab.server().stats().proxy.contexts, 0);
    lab.assert_replays();
}

#[test]
fn the_best_refusal_of_two_phones() {
    let mut lab = Lab::new(1);
    let alice = lab.registered(1, "alice", Preset::PortRestricted);
    let phones = [
        lab.registered(2, "bob", Preset::PortRestricted),
        lab.registered(3, "bob", Preset::PortRestricted),
    ];
    phones.iter().for_each(|phone| lab.set_answers(phone.0, false));
    invite(&mut lab, alice, "sip:bob@example.org", 100);
    lab.run(SEC);
    for (phone, status) in phones.iter().zip([Status::BUSY_HERE, Status::DECLINE]) {
        for event in lab.phone_said(phone.0) {
            if let Event::Incoming { call, .. } = event {
                lab.on(phone.0, |agent, now| agent.reject(now, call, status));
            }
        }
        lab.run(SEC);
    }
    let reason = Reason::Refused { status: Status::DECLINE, phrase: "Decline".to_owned() };
    assert_eq!(ended(&lab.phone_said(alice.0)), Some((reason, By::Them)));
}

#[test]
fn nobody_such_and_nobody_here() {
    let mut lab = Lab::new(1);
    let alice = lab.registered(1, "alice", Preset::PortRestricted);
    for (to, code) in [
        ("sip:nobody@example.org", 404),
        ("sip:carol@example.org", 480),
        ("sip:bob@elsewhere.example", 403),
    ] {
        invite(&mut lab, alice, to, 100);
        lab.run(SEC);
        let heard = lab.phone_said(alice.0);
        let Some((Reason::Refused { status, .. }, By::Them)) = ended(&heard) else {
            panic!("{heard:?}");
        };
        assert_eq!(status.code(), code, "{to}");
    }
    lab.assert_serves();
}

#[test]
fn a_phone_that_has_vanished() {
    let mut lab = Lab::new(1);
    let alice = lab.registered(1, "alice", Preset::Open);
    let tcp = ";transport=tcp";
    let bob = lab.registered_over(2, "bob", Preset::Open, tcp);
    lab.on(bob.0, |agent, _| {
        *agent = sip::ua::UserAgent::new(
            sip::ua::Config::default(),
            machine::Ids::new(7),
            &machine::Entropy::seeded(7),
        )
    });
    invite(&mut lab, alice, "sip:bob@example.org", 100);
    lab.run(SEC * 200);
    assert!(ended(&lab.phone_said(alice.0)).is_some());
    lab.assert_serves();
}

#[test]
fn over_ipv6() {
    let mut lab = Lab::over_ipv6(1);
    let alice = lab.registered(1, "alice", Preset::Open);
    let bob = lab.registered(2, "bob", Preset::Open);
    let ours = invite(&mut lab, alice, "sip:bob@example.org", 2000);
    lab.run(SEC);
    assert!(lab.phone_said(alice.0).iter().any(|e| matches!(e, Event::Answered { .. })));
    lab.on(alice.0, |agent, now| agent.hangup(now, ours));
    lab.run(SEC);
    assert_eq!(ended(&lab.phone_said(bob.0)), Some((Reason::Bye, By::Them)));
    lab.assert_replays();
}

#[test]
fn a_call_outlives_the_connection_that_it_came_over() {
    let mut lab = Lab::new(1);
    let tcp = ";transport=tcp";
    let alice = lab.registered_over(1, "alice", Preset::PortRestricted, tcp);
    let bob = lab.registered_over(2, "bob", Preset::PortRestricted, tcp);
    invite(&mut lab, alice, "sip:bob@example.org", 100);
    lab.run(SEC);
    let theirs = lab.phone_said(bob.0).into_iter().find_map(|event| match event {
        Event::Incoming { call, .. } => Some(call),
        _ => None,
    });
    lab.world.restart_nat(lab.nats["alice"]);
    lab.run(SEC * 120);
    lab.phone_said(alice.0);
    lab.on(bob.0, |agent, now| agent.hangup(now, theirs.unwrap()));
    lab.run(SEC * 10);
    assert_eq!(ended(&lab.phone_said(alice.0)), Some((Reason::Bye, By::Them)));
    lab.assert_replays();
}
