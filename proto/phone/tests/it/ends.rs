//! How calls end, and how a phone does.

use machine::Instant;
use phone::{By, EndReason, Event, Reason, defaults};
use wayleave_phone as phone;

use crate::lab::{Lab, MS, SEC, ended};

fn bye() -> EndReason {
    EndReason::Signalling(Reason::Bye)
}

#[test]
fn either_side_hangs_up() {
    for hanger in [0, 1] {
        let mut lab = Lab::new(1);
        let pair = lab.conversation();
        let (handset, call) = pair[hanger];
        lab.on(handset, |phone, now| phone.hang_up(now, call));
        lab.run(SEC);
        for (at, (handset, _)) in pair.into_iter().enumerate() {
            let by = if at == hanger { By::Us } else { By::Them };
            assert_eq!(ended(&lab.take(handset)), Some((bye(), by)));
            assert_eq!(lab.on(handset, |phone, _| phone.calls().count()), 0);
        }
    }
}

#[test]
fn the_caller_gives_up() {
    let mut lab = Lab::new(2);
    let (alice, bob) = (lab.registered(1, "alice"), lab.registered(2, "bob"));
    // At once, while candidates are gathered: Bob never hears of it.
    let call = lab.call(alice, "sip:bob@example.org");
    lab.on(alice, |phone, now| phone.hang_up(now, call));
    lab.run(SEC);
    let cancelled = EndReason::Signalling(Reason::Cancelled);
    assert_eq!(ended(&lab.take(alice)), Some((cancelled.clone(), By::Us)));
    assert!(lab.take(bob).is_empty());
    // While it rings.
    let call = lab.call(alice, "sip:bob@example.org");
    lab.run(SEC);
    lab.on(alice, |phone, now| phone.hang_up(now, call));
    lab.run(SEC);
    assert_eq!(ended(&lab.take(alice)), Some((cancelled, By::Us)));
    let abandoned = EndReason::Signalling(Reason::Abandoned);
    assert_eq!(ended(&lab.take(bob)), Some((abandoned, By::Them)));
}

#[test]
fn the_called_side_refuses() {
    for (busy, status) in [(true, "486 Busy Here"), (false, "603 Decline")] {
        let mut lab = Lab::new(3);
        let (alice, bob) = (lab.registered(1, "alice"), lab.registered(2, "bob"));
        lab.call(alice, "sip:bob@example.org");
        lab.run(SEC);
        let call = lab.on(bob, |phone, _| phone.calls().next()).unwrap();
        lab.on(bob, |phone, now| phone.reject(now, call, busy));
        lab.run(SEC);
        let (reason, by) = ended(&lab.take(alice)).unwrap();
        assert_eq!((reason.to_string().as_str(), by), (status, By::Them));
        assert_eq!(ended(&lab.take(bob)).unwrap().1, By::Us);
    }
}

#[test]
fn whoever_falls_silent_is_given_up() {
    let mut lab = Lab::new(4);
    let [(alice, _), (bob, _)] = lab.conversation();
    lab.cut(bob);
    lab.run(defaults::SILENCE_LIMIT - SEC * 5);
    assert_eq!(ended(&lab.take(alice)), None);
    // The BYE is never answered; SIP waits 32 s for that.
    lab.run(SEC * 50);
    assert_eq!(ended(&lab.take(alice)), Some((EndReason::Silent, By::Us)));
}

#[test]
fn a_call_on_hold_is_silent_and_lasts() {
    let mut lab = Lab::new(5);
    let [(alice, call), (bob, _)] = lab.conversation();
    lab.on(alice, |phone, now| phone.hold(now, call, true));
    lab.run(defaults::SILENCE_LIMIT * 3);
    assert_eq!((ended(&lab.take(alice)), ended(&lab.take(bob))), (None, None));
}

#[test]
fn stop_hangs_up_and_then_unregisters() {
    let mut lab = Lab::new(6);
    let [(alice, _), (bob, _)] = lab.conversation();
    lab.take_core();
    lab.on(alice, |phone, now| phone.stop(now));
    lab.run(SEC);
    let events = lab.take(alice);
    assert_eq!(ended(&events), Some((bye(), By::Us)));
    assert_eq!(events.last(), Some(&Event::Stopped));
    assert_eq!(ended(&lab.take(bob)), Some((bye(), By::Them)));
    let told = lab.take_core();
    let gone = server::Event::Unregistered { address: "alice@example.org".to_owned() };
    assert!(told.contains(&gone), "{told:?}");
    // It is told once, and calls are refused from now on.
    lab.on(alice, |phone, now| phone.stop(now));
    lab.run(SEC * 10);
    assert!(!lab.take(alice).contains(&Event::Stopped));
}

#[test]
fn stop_while_it_rings_cancels() {
    let mut lab = Lab::new(7);
    let (alice, bob) = (lab.registered(1, "alice"), lab.registered(2, "bob"));
    lab.call(alice, "sip:bob@example.org");
    lab.run(SEC);
    lab.on(alice, |phone, now| phone.stop(now));
    lab.run(SEC);
    let events = lab.take(alice);
    assert_eq!(ended(&events).unwrap().0, EndReason::Signalling(Reason::Cancelled));
    assert_eq!(events.last(), Some(&Event::Stopped));
    assert_eq!(ended(&lab.take(bob)).unwrap().0, EndReason::Signalling(Reason::Abandoned));
}

#[test]
fn stop_does_not_wait_for_the_dead() {
    let mut lab = Lab::new(8);
    let [(alice, _), _] = lab.conversation();
    lab.cut_core();
    let begun = lab.world.now().mono;
    lab.on(alice, |phone, now| phone.stop(now));
    lab.run(SEC * 60);
    let events = lab.take_timed(alice);
    let at = |wanted: &dyn Fn(&Event) -> bool| -> Option<Instant> {
        events.iter().find(|(_, event)| wanted(event)).map(|(at, _)| *at)
    };
    let ended = at(&|event| matches!(event, Event::Ended { .. })).expect("the call ended");
    let stopped = at(&|event| *event == Event::Stopped).expect("it stopped");
    assert!(ended <= stopped && stopped <= begun + defaults::STOP_LIMIT);
    assert_eq!(events.iter().filter(|(_, event)| *event == Event::Stopped).count(), 1);
}

#[test]
fn a_phone_that_never_registered_stops_at_once() {
    let mut lab = Lab::new(9);
    let alice = lab.phone(1, Lab::config("alice"));
    lab.on(alice, |phone, now| phone.stop(now));
    lab.run(MS);
    assert_eq!(lab.take(alice), [Event::Stopped]);
}

#[test]
fn a_registration_under_way_is_taken_back() {
    let mut lab = Lab::new(10);
    let alice = lab.phone(1, Lab::config("alice"));
    lab.on(alice, |phone, now| phone.register(now));
    // The first request is challenged, the second is on its way.
    lab.run(MS * 25);
    lab.on(alice, |phone, now| phone.stop(now));
    lab.run(SEC * 5);
    assert_eq!(lab.take(alice).last(), Some(&Event::Stopped));
    let told = lab.take_core();
    let registered = |event: &server::Event| matches!(event, server::Event::Registered { .. });
    let gone = server::Event::Unregistered { address: "alice@example.org".to_owned() };
    assert!(!told.iter().any(registered) || told.last() == Some(&gone), "{told:?}");
}
