//! Calls between phones over XMPP.

use machine::Transport;
use netsim::Preset;
use phone::{
    By, CallError, EndKind, EndReason, Event, IceMode, JingleEnd, Source, Target, defaults,
};
use wayleave_phone as phone;

use crate::lab::{Handset, Lab, MS, SEC, ended, heard};

const BOB: &str = "xmpp:bob@example.org";

/// Why the call of a phone ended, in short, and by whom.
fn end(lab: &mut Lab, handset: Handset) -> Option<(EndKind, By)> {
    let (reason, by) = ended(&lab.take(handset))?;
    Some((reason.kind(), by))
}

fn count(events: &[Event], name: &str) -> usize {
    events.iter().filter(|event| format!("{event:?}").starts_with(name)).count()
}

#[test]
fn friends_are_heard() {
    let mut lab = Lab::new(1);
    let [alice, bob] = lab.friends();
    let pair = lab.talk(alice, bob, BOB);
    lab.run(SEC);
    for (handset, _) in pair {
        assert!(heard(&lab.take(handset)) >= 48);
    }
    lab.on(alice, |phone, now| phone.hang_up(now, pair[0].1));
    lab.run(SEC);
    assert_eq!(end(&mut lab, alice), Some((EndKind::HungUp, By::Us)));
    assert_eq!(end(&mut lab, bob), Some((EndKind::HungUp, By::Them)));
    for (handset, _) in pair {
        assert_eq!(lab.on(handset, |phone, _| phone.calls().count()), 0);
    }
}

#[test]
fn strangers_are_asked_by_a_message_and_are_heard() {
    let mut lab = Lab::new(2);
    let [alice, bob] = lab.strangers();
    let ours = lab.call(alice, BOB);
    lab.run(SEC);
    // Whoever does not know her is not told that somebody is there.
    assert_eq!(count(&lab.take(alice), "Ringing"), 0);
    let theirs = lab.answer(bob);
    lab.run(SEC * 3);
    for (handset, call) in [(alice, ours), (bob, theirs)] {
        let events = lab.take(handset);
        assert!(heard(&events) >= 48);
        assert_eq!((count(&events, "Answered"), count(&events, "Incoming")), (1, 0), "{call:?}");
    }
    lab.on(bob, |phone, now| phone.hang_up(now, theirs));
    lab.run(SEC);
    assert_eq!(end(&mut lab, bob), Some((EndKind::HungUp, By::Us)));
    assert_eq!(end(&mut lab, alice), Some((EndKind::HungUp, By::Them)));
}

#[test]
fn a_device_is_called_by_its_address() {
    let mut lab = Lab::new(3);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    let mut config = Lab::config_xmpp("bob");
    config.accounts[0].resource = Some("garden".to_owned());
    let bob = lab.phone(2, config);
    lab.register(alice);
    lab.register(bob);
    lab.talk(alice, bob, "xmpp:bob@example.org/garden");
}

#[test]
fn behind_nats_with_starttls_and_with_direct_tls() {
    let mut lab = Lab::new(4);
    lab.accounts.befriend("alice", "bob");
    let mut config = Lab::config_xmpp("alice");
    config.accounts[0].transport = Some(Transport::Tcp);
    let alice = lab.phone_behind(1, config, Preset::Symmetric);
    let mut config = Lab::config_xmpp("bob");
    config.accounts[0].transport = Some(Transport::Tls);
    let bob = lab.phone_behind(2, config, Preset::Symmetric);
    lab.register(alice);
    lab.register(bob);
    let ours = lab.call(alice, BOB);
    lab.run(SEC);
    let theirs = lab.answer(bob);
    lab.run(SEC * 4);
    for (handset, _) in [(alice, ours), (bob, theirs)] {
        let events = lab.take(handset);
        let path = events.iter().rev().find_map(|event| match event {
            Event::Path { path, .. } => Some(path.clone()),
            _ => None,
        });
        assert!(path.expect("a path").relayed, "two symmetric NATs want a relay");
        assert!(heard(&events) > 48);
    }
}

#[test]
fn without_ice_the_transport_is_raw_udp() {
    for [a, b] in [[IceMode::Off; 2], [IceMode::On, IceMode::Off], [IceMode::Off, IceMode::On]] {
        let mut lab = Lab::new(5);
        lab.accounts.befriend("alice", "bob");
        let [alice, bob] = [(1, "alice", a), (2, "bob", b)].map(|(n, user, ice)| {
            let config = phone::Config { ice, ..Lab::config_xmpp(user) };
            let handset = lab.phone(n, config);
            lab.register(handset);
            handset
        });
        lab.run(SEC);
        lab.call(alice, BOB);
        lab.run(SEC);
        lab.answer(bob);
        lab.run(SEC * 2);
        for handset in [alice, bob] {
            let events = lab.take(handset);
            assert!(heard(&events) >= 48, "{a:?} {b:?}");
            let pairs = count(&events, "Pair");
            assert_eq!(pairs, 0, "no ICE: {a:?} {b:?}");
        }
    }
}

#[test]
fn candidates_are_told_as_they_are_found() {
    for trickle in [true, false] {
        let mut lab = Lab::new(6);
        lab.accounts.befriend("alice", "bob");
        let [alice, bob] = [(1, "alice"), (2, "bob")].map(|(n, user)| {
            let config = phone::Config { trickle, ..Lab::config_xmpp(user) };
            let handset = lab.phone_behind(n, config, Preset::PortRestricted);
            lab.register(handset);
            handset
        });
        lab.run(SEC);
        lab.talk(alice, bob, BOB);
    }
}

#[test]
fn the_called_side_refuses() {
    for friends in [true, false] {
        for (busy, kind) in [(true, EndKind::Busy), (false, EndKind::Declined)] {
            let mut lab = Lab::new(7);
            let [alice, bob] = if friends { lab.friends() } else { lab.strangers() };
            lab.call(alice, BOB);
            lab.run(SEC);
            let call = lab.on(bob, |phone, _| phone.calls().next()).unwrap();
            lab.on(bob, |phone, now| phone.reject(now, call, busy));
            lab.run(SEC);
            assert_eq!(end(&mut lab, alice), Some((kind, By::Them)), "{friends}");
            assert_eq!(end(&mut lab, bob), Some((kind, By::Us)));
            for handset in [alice, bob] {
                assert_eq!(lab.on(handset, |phone, _| phone.calls().count()), 0);
            }
        }
    }
}

#[test]
fn the_caller_gives_up() {
    for friends in [true, false] {
        let mut lab = Lab::new(8);
        let [alice, bob] = if friends { lab.friends() } else { lab.strangers() };
        lab.run(SEC);
        let call = lab.call(alice, BOB);
        lab.run(SEC);
        lab.on(alice, |phone, now| phone.hang_up(now, call));
        lab.run(SEC);
        assert_eq!(end(&mut lab, alice), Some((EndKind::Cancelled, By::Us)), "{friends}");
        assert_eq!(end(&mut lab, bob), Some((EndKind::Abandoned, By::Them)));
    }
}

#[test]
fn nobody_answers() {
    for friends in [true, false] {
        let mut lab = Lab::new(9);
        let [alice, bob] = if friends { lab.friends() } else { lab.strangers() };
        lab.call(alice, BOB);
        // Nobody says that it rings at a stranger's.
        let limit = if friends { defaults::RING_LIMIT } else { defaults::PROPOSE_LIMIT };
        lab.run(limit - SEC);
        assert_eq!((end(&mut lab, alice), end(&mut lab, bob)), (None, None));
        lab.run(SEC * 5);
        assert_eq!(end(&mut lab, alice).unwrap().0, EndKind::NoAnswer, "{friends}");
        // Whoever gives up first tells the other.
        let theirs = end(&mut lab, bob).unwrap().0;
        assert!(matches!(theirs, EndKind::NoAnswer | EndKind::Abandoned), "{theirs:?}");
    }
}

#[test]
fn no_such_user_and_nobody_there_sound_the_same() {
    let mut lab = Lab::new(10);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    lab.register(alice);
    let mut reasons = Vec::new();
    for to in [BOB, "xmpp:nobody@example.org", "xmpp:bob@example.org/garden"] {
        lab.call(alice, to);
        lab.run(SEC * 3);
        let (reason, by) = ended(&lab.take(alice)).expect(to);
        assert_eq!((reason.kind(), by), (EndKind::NotFound, By::Them));
        reasons.push(reason);
    }
    assert_eq!(reasons[0], reasons[1]);
}

#[test]
fn hold_and_back_on_both_sides() {
    let mut lab = Lab::new(11);
    let [alice, bob] = lab.friends();
    let pair = lab.talk(alice, bob, BOB);
    let hears = |lab: &mut Lab, expected: [bool; 2]| {
        lab.run(SEC);
        pair.iter().for_each(|(handset, _)| drop(lab.take(*handset)));
        lab.run(SEC);
        let heard = [alice, bob].map(|handset| heard(&lab.take(handset)) > 40);
        assert_eq!(heard, expected);
    };
    let hold = |lab: &mut Lab, who: usize, on: bool| {
        let (handset, call) = pair[who];
        lab.on(handset, |phone, now| phone.hold(now, call, on));
    };
    hears(&mut lab, [true, true]);
    hold(&mut lab, 0, true);
    hears(&mut lab, [false, true]);
    hold(&mut lab, 1, true);
    hears(&mut lab, [false, false]);
    hold(&mut lab, 0, false);
    hears(&mut lab, [true, false]);
    hold(&mut lab, 1, false);
    hears(&mut lab, [true, true]);
    // Held for long, it lasts.
    hold(&mut lab, 0, true);
    lab.run(defaults::SILENCE_LIMIT * 2);
    assert_eq!((end(&mut lab, alice), end(&mut lab, bob)), (None, None));
}

#[test]
fn two_who_call_each_other_at_once_talk() {
    for (seed, friends) in [(12, true), (13, false), (14, true), (15, false)] {
        let mut lab = Lab::new(seed);
        let [alice, bob] = if friends { lab.friends() } else { lab.strangers() };
        lab.run(SEC);
        let calls = [lab.call(alice, BOB), lab.call(bob, "xmpp:alice@example.org")];
        lab.run(SEC * 4);
        for (handset, call) in [alice, bob].into_iter().zip(calls) {
            let events = lab.take(handset);
            assert!(heard(&events) > 48, "{friends}: {call:?}");
            assert_eq!(ended(&events), None);
            assert_eq!(count(&events, "Incoming"), 0, "both wanted this call");
            assert_eq!(lab.on(handset, |phone, _| phone.calls().collect::<Vec<_>>()), [call]);
        }
    }
}

#[test]
fn calls_at_a_time_are_limited() {
    let mut lab = Lab::new(16);
    let [alice, bob] = lab.friends();
    lab.run(SEC);
    for _ in 0..=defaults::MAX_CALLS {
        let to: Target = BOB.parse().unwrap();
        let _ = lab.on(alice, |phone, now| phone.call(now, 0, &to, Source::silence()));
    }
    let refused =
        lab.on(alice, |phone, now| phone.call(now, 0, &BOB.parse().unwrap(), Source::silence()));
    assert_eq!(refused, Err(CallError::TooMany(defaults::MAX_CALLS)));
    lab.run(SEC * 2);
    // One person brings no more than this.
    let calls = lab.on(bob, |phone, _| phone.calls().count());
    assert_eq!(calls, defaults::MAX_CALLS_OF_ONE);
    let busy = lab.take(alice).into_iter().filter(
        |event| matches!(event, Event::Ended { reason, .. } if reason.kind() == EndKind::Busy),
    );
    assert_eq!(busy.count(), defaults::MAX_CALLS - defaults::MAX_CALLS_OF_ONE);
    // What rings here keeps nobody from calling somebody else.
    let config = phone::Config { max_calls: 1, ..Lab::config_xmpp("bob") };
    for friends in [true, false] {
        let mut lab = Lab::new(17);
        if friends {
            lab.accounts.befriend("alice", "bob");
        }
        let alice = lab.phone(1, Lab::config_xmpp("alice"));
        let bob = lab.phone(2, config.clone());
        lab.register(alice);
        lab.register(bob);
        lab.call(alice, BOB);
        lab.run(SEC);
        lab.call(alice, BOB);
        lab.run(SEC);
        // A stranger hears nothing, as of somebody who is not there.
        let expected = friends.then_some((EndKind::Busy, By::Them));
        assert_eq!(end(&mut lab, alice), expected, "{friends}");
        assert_eq!(count(&lab.take(bob), "Incoming"), 1);
        let to: Target = "xmpp:nobody@example.org".parse().unwrap();
        lab.on(bob, |phone, now| phone.call(now, 0, &to, Source::silence())).unwrap();
        let full = lab.on(bob, |phone, now| phone.call(now, 0, &to, Source::silence()));
        assert_eq!(full, Err(CallError::TooMany(1)));
    }
}

#[test]
fn a_call_that_nobody_can_take_ends() {
    // Bob has a program that chats. A friend sees what it can do; a stranger waits for a while.
    for friends in [true, false] {
        let mut lab = Lab::new(29);
        if friends {
            lab.accounts.befriend("alice", "bob");
        }
        let alice = lab.phone(1, Lab::config_xmpp("alice"));
        lab.register(alice);
        lab.client(4, "bob");
        lab.run(SEC);
        lab.call(alice, BOB);
        lab.run(SEC);
        let by = if friends { By::Them } else { By::Us };
        if !friends {
            lab.run(defaults::PROPOSE_LIMIT - SEC * 2);
            assert_eq!(end(&mut lab, alice), None);
            lab.run(SEC * 2);
        }
        assert_eq!(end(&mut lab, alice), Some((EndKind::NoAnswer, by)), "{friends}");
        assert_eq!(lab.on(alice, |phone, _| phone.calls().count()), 0);
    }
}

#[test]
fn a_stranger_who_knows_no_ice_says_so() {
    let mut lab = Lab::new(30);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    let bob = lab.phone(2, phone::Config { ice: IceMode::Off, ..Lab::config_xmpp("bob") });
    lab.register(alice);
    lab.register(bob);
    lab.call(alice, BOB);
    lab.run(SEC);
    lab.answer(bob);
    lab.run(SEC * 3);
    assert_eq!(end(&mut lab, alice), Some((EndKind::Negotiation, By::Them)));
    assert!(end(&mut lab, bob).is_some());
}

#[test]
fn each_account_calls_its_own_protocol() {
    let mut lab = Lab::new(18);
    let mut config = Lab::config("alice");
    config.accounts.extend(Lab::config_xmpp("alice").accounts);
    let alice = lab.phone(1, config);
    lab.on(alice, |phone, now| phone.register(now));
    lab.run(SEC);
    assert_eq!(count(&lab.take(alice), "Registered"), 2);
    for (account, to) in [(0, BOB), (1, "sip:bob@example.org")] {
        let to: Target = to.parse().unwrap();
        let call = lab.on(alice, |phone, now| phone.call(now, account, &to, Source::silence()));
        assert!(matches!(call, Err(CallError::OtherProtocol(..))), "{call:?}");
    }
    // Bob has both as well: each call comes to the account that it is for.
    let mut config = Lab::config_xmpp("bob");
    config.accounts.extend(Lab::config("bob").accounts);
    let bob = lab.phone(2, config);
    lab.on(bob, |phone, now| phone.register(now));
    lab.run(SEC);
    for (account, to, theirs) in [(0, "sip:bob@example.org", 1), (1, BOB, 0)] {
        let to: Target = to.parse().unwrap();
        lab.on(alice, |phone, now| phone.call(now, account, &to, Source::silence())).unwrap();
        lab.run(SEC * 2);
        let came = lab.take(bob).into_iter().find_map(|event| match event {
            Event::Incoming { account, from, .. } => Some((account, from)),
            _ => None,
        });
        let (at, from) = came.expect("a call");
        assert_eq!(at, theirs);
        assert_eq!(from.split_once(':').unwrap().0, to.protocol().name());
    }
    lab.on(alice, |phone, now| phone.stop(now));
    lab.run(SEC * 5);
    assert_eq!(lab.take(alice).last(), Some(&Event::Stopped));
}

#[test]
fn a_call_that_was_answered_outlives_its_stream() {
    let mut lab = Lab::new(19);
    let [alice, bob] = lab.friends();
    lab.talk(alice, bob, BOB);
    lab.cut_core();
    // Pings find out.
    lab.run(SEC * 400);
    let events = lab.take(alice);
    assert!(count(&events, "RegistrationFailed") > 0);
    assert!(ended(&events).is_none());
    assert!(heard(&events) > 350 * 48, "media need no core");
    lab.mend_core();
    lab.run(SEC * 400);
    assert!(count(&lab.take(alice), "Registered") > 0, "it comes back");
    // Both are who they were, so that the session goes on as well.
    let call = lab.on(alice, |phone, _| phone.calls().next()).unwrap();
    lab.take(bob);
    lab.on(alice, |phone, now| phone.hang_up(now, call));
    lab.run(SEC);
    assert_eq!(end(&mut lab, alice), Some((EndKind::HungUp, By::Us)));
    assert_eq!(end(&mut lab, bob), Some((EndKind::HungUp, By::Them)));
}

#[test]
fn who_hangs_up_without_a_stream_is_missed() {
    let mut lab = Lab::new(25);
    let [alice, bob] = lab.friends();
    let [(_, call), _] = lab.talk(alice, bob, BOB);
    lab.cut_core();
    lab.run(SEC * 300);
    lab.take(alice);
    lab.on(alice, |phone, now| phone.hang_up(now, call));
    lab.run(MS);
    assert_eq!(end(&mut lab, alice), Some((EndKind::HungUp, By::Us)));
    assert_eq!(end(&mut lab, bob), None);
    lab.run(defaults::SILENCE_LIMIT + SEC * 10);
    assert_eq!(ended(&lab.take(bob)), Some((EndReason::Silent, By::Us)));
}

#[test]
fn a_call_that_was_not_answered_ends_with_its_stream() {
    let mut lab = Lab::new(20);
    let [alice, bob] = lab.friends();
    lab.run(SEC);
    lab.call(alice, BOB);
    lab.run(SEC);
    lab.cut(bob);
    lab.cut(alice);
    lab.run(SEC * 170);
    let offline = EndReason::Jingle(JingleEnd::Offline);
    assert_eq!(ended(&lab.take(alice)), Some((offline.clone(), By::Them)));
    assert_eq!(ended(&lab.take(bob)), Some((offline, By::Them)));
}

#[test]
fn a_callee_who_goes_while_it_rings_is_gone() {
    let mut lab = Lab::new(21);
    let [alice, bob] = lab.friends();
    lab.run(SEC);
    lab.call(alice, BOB);
    lab.run(SEC);
    lab.on(bob, |phone, now| phone.stop(now));
    lab.run(SEC);
    let (kind, by) = end(&mut lab, alice).expect("over");
    assert!(matches!(kind, EndKind::Declined | EndKind::NoAnswer), "{kind:?}");
    assert_eq!(by, By::Them);
}

#[test]
fn stop_hangs_up_and_then_leaves() {
    let mut lab = Lab::new(22);
    let [alice, bob] = lab.friends();
    lab.talk(alice, bob, BOB);
    lab.on(alice, |phone, now| phone.stop(now));
    lab.run(SEC);
    let events = lab.take(alice);
    assert_eq!(ended(&events).unwrap().0.kind(), EndKind::HungUp);
    assert_eq!(events.last(), Some(&Event::Stopped));
    let events = lab.take(bob);
    assert_eq!(ended(&events).unwrap().0.kind(), EndKind::HungUp);
    let gone = |event: &&Event| matches!(event, Event::PresenceChanged { available: false, .. });
    assert!(events.iter().any(|event| gone(&event)), "he sees her go");
    let to: Target = BOB.parse().unwrap();
    let call = lab.on(alice, |phone, now| phone.call(now, 0, &to, Source::silence()));
    assert_eq!(call, Err(CallError::Stopping));
    lab.run(MS);
}

#[test]
fn a_wrong_password_is_final_and_told() {
    let mut lab = Lab::new(23);
    let mut config = Lab::config_xmpp("alice");
    config.accounts[0].password = phone::Secret::from("guess");
    let alice = lab.phone(1, config);
    lab.on(alice, |phone, now| phone.register(now));
    lab.run(SEC * 100);
    let failures: Vec<_> = lab
        .take(alice)
        .into_iter()
        .filter_map(|event| match event {
            Event::RegistrationFailed { reason, retry_in, .. } => Some((reason.kind(), retry_in)),
            _ => None,
        })
        .collect();
    assert_eq!(failures, [(phone::RegistrationErrorKind::Unauthorized, None)]);
    let call =
        lab.on(alice, |phone, now| phone.call(now, 0, &BOB.parse().unwrap(), Source::silence()));
    assert_eq!(call, Err(CallError::NotConnected));
}

#[test]
fn whoever_falls_silent_is_given_up() {
    let mut lab = Lab::new(24);
    let [alice, bob] = lab.friends();
    lab.talk(alice, bob, BOB);
    lab.cut(bob);
    lab.run(defaults::SILENCE_LIMIT + SEC * 5);
    assert_eq!(ended(&lab.take(alice)), Some((EndReason::Silent, By::Us)));
}

#[test]
fn all_devices_ring_and_one_takes_it() {
    for takes in [true, false] {
        let mut lab = Lab::new(26);
        let [alice, bob] = lab.strangers();
        let desk = lab.phone(3, Lab::config_xmpp("bob"));
        lab.register(desk);
        lab.call(alice, BOB);
        lab.run(SEC);
        assert_eq!(count(&lab.take(desk), "Incoming"), 1);
        if takes {
            lab.answer(bob);
        } else {
            let call = lab.on(bob, |phone, _| phone.calls().next()).unwrap();
            lab.on(bob, |phone, now| phone.reject(now, call, false));
        }
        lab.run(SEC * 3);
        let elsewhere = EndReason::Jingle(JingleEnd::Elsewhere);
        assert_eq!(ended(&lab.take(desk)), Some((elsewhere, By::Them)));
        assert_eq!(lab.on(desk, |phone, _| phone.calls().count()), 0);
        let (events, calls) = (lab.take(alice), lab.on(alice, |phone, _| phone.calls().count()));
        assert_eq!((heard(&events) > 48, calls), (takes, usize::from(takes)));
    }
}

#[test]
fn of_a_friends_devices_the_one_that_can_is_called() {
    let mut lab = Lab::new(27);
    let [alice, bob] = lab.friends();
    // A program of Bob's that can chat and nothing else.
    lab.client(4, "bob");
    lab.run(SEC);
    lab.talk(alice, bob, BOB);
}

#[test]
fn nobody_calls_oneself_on_the_same_device() {
    let mut lab = Lab::new(28);
    let mut config = Lab::config_xmpp("alice");
    config.accounts[0].resource = Some("desk".to_owned());
    let alice = lab.phone(1, config);
    lab.register(alice);
    for to in ["xmpp:alice@example.org", "xmpp:alice@example.org/desk"] {
        lab.call(alice, to);
        lab.run(SEC * 3);
        assert_eq!(end(&mut lab, alice), Some((EndKind::NotFound, By::Them)), "{to}");
    }
    // Another device of one's own is somebody to talk to.
    let kitchen = lab.phone(2, Lab::config_xmpp("alice"));
    lab.register(kitchen);
    lab.run(SEC);
    lab.talk(alice, kitchen, "xmpp:alice@example.org");
}
