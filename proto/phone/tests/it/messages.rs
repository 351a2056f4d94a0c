//! Messages and presence.

use phone::{Event, MessageError, Target};
use wayleave_phone as phone;

use crate::lab::{Handset, Lab, SEC};

fn target(text: &str) -> Target {
    text.parse().unwrap()
}

fn messages(lab: &mut Lab, handset: Handset) -> Vec<(String, String)> {
    let events = lab.take(handset).into_iter();
    let message = |event| match event {
        Event::Message { from, text, .. } => Some((from, text)),
        _ => None,
    };
    events.filter_map(message).collect()
}

#[test]
fn both_ways() {
    let mut lab = Lab::new(1);
    let [alice, bob] = lab.strangers();
    let to = target("xmpp:bob@example.org");
    lab.on(alice, |phone, now| phone.send_message(now, 0, &to, "Wherefore art thou?")).unwrap();
    lab.run(SEC);
    let came = messages(&mut lab, bob);
    let (from, text) = came.first().expect("a message");
    assert!(from.starts_with("xmpp:alice@example.org/"), "{from}");
    assert_eq!((text.as_str(), came.len()), ("Wherefore art thou?", 1));
    // The answer goes to her device.
    let back = target(from);
    lab.on(bob, |phone, now| phone.send_message(now, 0, &back, "<here> & \u{1f339}")).unwrap();
    lab.run(SEC);
    assert_eq!(messages(&mut lab, alice)[0].1, "<here> & \u{1f339}");
}

#[test]
fn what_does_not_arrive_comes_back() {
    let mut lab = Lab::new(2);
    let [alice, _] = lab.strangers();
    let to = target("xmpp:nobody@example.org");
    let sent = lab.on(alice, |phone, now| phone.send_message(now, 0, &to, "Hello?")).unwrap();
    lab.run(SEC);
    let failed = lab.take(alice).into_iter().find_map(|event| match event {
        Event::MessageFailed { message, .. } => Some(message),
        _ => None,
    });
    assert_eq!(failed, Some(sent));
}

#[test]
fn a_ping_says_that_the_core_has_what_was_sent() {
    let mut lab = Lab::new(5);
    let [alice, _] = lab.strangers();
    let to = target("xmpp:nobody@example.org");
    let pinged = |event: &Event| matches!(event, Event::Pinged { account: 0, answered: true });
    lab.take(alice);
    lab.on(alice, |phone, now| phone.send_message(now, 0, &to, "Hello?")).unwrap();
    lab.on(alice, |phone, now| phone.ping(now, 0)).unwrap();
    lab.run(SEC);
    let events = lab.take(alice);
    let failed = events.iter().position(|event| matches!(event, Event::MessageFailed { .. }));
    assert!(failed < events.iter().position(pinged), "{events:?}");
    assert!(failed.is_some());
    assert_eq!(lab.on(alice, |phone, now| phone.ping(now, 1)), Err(MessageError::NoAccount(1)));
}

#[test]
fn what_cannot_be_sent_says_so() {
    let mut lab = Lab::new(3);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    let to = target("xmpp:bob@example.org");
    let mut send = |account, to: &Target| {
        lab.on(alice, |phone, now| phone.send_message(now, account, to, "Hello?"))
    };
    assert_eq!(send(0, &to), Err(MessageError::NotConnected));
    assert_eq!(send(1, &to), Err(MessageError::NoAccount(1)));
    assert_eq!(lab.on(alice, |phone, now| phone.ping(now, 0)), Err(MessageError::NotConnected));
    let mut send = |account, to: &Target| {
        lab.on(alice, |phone, now| phone.send_message(now, account, to, "Hello?"))
    };
    let elsewhere = send(0, &target("sip:bob@example.org"));
    assert!(matches!(elsewhere, Err(MessageError::OtherProtocol(..))));
}

#[test]
fn friends_see_each_other() {
    let mut lab = Lab::new(4);
    let [alice, bob] = lab.strangers();
    let (to_bob, to_alice) = (target("xmpp:bob@example.org"), target("xmpp:alice@example.org"));
    lab.on(alice, |phone, now| phone.subscribe(now, 0, &to_bob)).unwrap();
    lab.run(SEC);
    let asked = |event: &Event| matches!(event, Event::SubscriptionAsked { from, .. } if from == "xmpp:alice@example.org");
    assert!(lab.take(bob).iter().any(asked));
    lab.on(bob, |phone, now| phone.approve(now, 0, &to_alice)).unwrap();
    lab.run(SEC);
    let sees = |lab: &mut Lab, wanted: bool| {
        lab.take(alice).iter().any(|event| {
            matches!(event, Event::PresenceChanged { who, available, .. }
                if who.starts_with("xmpp:bob@example.org/") && *available == wanted)
        })
    };
    assert!(sees(&mut lab, true));
    lab.on(bob, |phone, now| phone.stop(now));
    lab.run(SEC);
    assert!(sees(&mut lab, false));
}
