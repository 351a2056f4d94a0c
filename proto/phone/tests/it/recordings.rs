//! Calls as other people's programs made them, made again to a phone of ours.

use netsim::NodeId;
use wayleave_phone as phone;
use xmpp::client::{Event as Told, RequestError};
use xmpp::jingle::{Action, Condition, Initiation, Jingle, Refusal};
use xmpp::stanza::MessageType;
use xmpp::{Element, Jid, Stanza, ns};

use crate::lab::{Lab, SEC, ended};

const DINO: &str = include_str!("../../../xmpp/tests/fixtures/jingle/dino-0.4.2.xml");
const STANZA: &str =
    include_str!("../../../xmpp/tests/fixtures/jingle/stanza-12.22-chromium-156.xml");
const GARDEN: &str = "bob@example.org/garden";

/// What the caller sent about its call, in order.
fn sent(recording: &str) -> Vec<Element> {
    let mut text = String::new();
    for part in recording.split("<!--") {
        text.push_str(part.split_once("-->").map_or(part, |(_, after)| after));
    }
    let document: Element = format!("<s xmlns='jabber:client'>{text}</s>").parse().unwrap();
    let ours = document.children().filter(|stanza| stanza.attr("from").is_none());
    let about = |child: &&Element| child.has_ns(ns::JINGLE) || child.has_ns(ns::JINGLE_MESSAGE);
    ours.filter_map(|stanza| stanza.children().find(about)).cloned().collect()
}

/// Sends the payload as its stanza.
fn say(lab: &mut Lab, client: NodeId, to: &str, payload: &Element) {
    let to: Jid = to.parse().unwrap();
    if payload.has_ns(ns::JINGLE) {
        lab.on_client(client, |client, now| client.request(now, to.clone(), payload.clone(), true))
            .unwrap();
    } else {
        let message = Stanza::message(to, MessageType::Chat, [payload.clone()]);
        lab.on_client(client, |client, now| client.send(now, message.clone())).unwrap();
    }
    lab.run(SEC);
}

/// Bob's phone in the garden, and a program of Alice's.
fn garden(seed: u64) -> (Lab, crate::lab::Handset, NodeId) {
    let mut lab = Lab::new(seed);
    let mut config = Lab::config_xmpp("bob");
    config.accounts[0].resource = Some("garden".to_owned());
    let bob = lab.phone(2, config);
    lab.register(bob);
    let alice = lab.client(3, "alice");
    (lab, bob, alice)
}

/// What a step of Alice's was answered with, and the step of Bob's that followed.
fn answered(lab: &mut Lab, alice: NodeId) -> (Result<(), Option<Refusal>>, Option<Jingle>) {
    let (mut answer, mut step) = (Err(None), None);
    for told in lab.take_client(alice) {
        match told {
            Told::Response { result: Ok(_), .. } => answer = Ok(()),
            Told::Response { result: Err(RequestError::Refused(error)), .. } => {
                answer = Err(Refusal::of(&error));
            }
            Told::Request { iq } => {
                let payload = iq.payload("jingle", ns::JINGLE).expect("Jingle");
                step = Some(Jingle::try_from(payload).unwrap());
                lab.on_client(alice, |client, now| client.respond(now, &iq, Ok(None))).unwrap();
            }
            _ => {}
        }
    }
    (answer, step)
}

fn is_security_error(step: Option<Jingle>) {
    let step = step.expect("a step of Bob's");
    assert_eq!(step.action, Action::SessionTerminate);
    assert_eq!(step.reason.unwrap().condition, Some(Condition::SecurityError));
}

#[test]
fn a_browsers_call_wants_keys_and_is_refused_for_that() {
    let (mut lab, bob, alice) = garden(31);
    let steps = sent(STANZA);
    assert_eq!(steps.len(), 6);
    say(&mut lab, alice, GARDEN, &steps[0]);
    let (answer, step) = answered(&mut lab, alice);
    assert_eq!(answer, Ok(()));
    is_security_error(step);
    // The rest of what the browser said comes too late, and gets to know it.
    for step in &steps[1..] {
        say(&mut lab, alice, GARDEN, step);
        assert_eq!(answered(&mut lab, alice), (Err(Some(Refusal::UnknownSession)), None));
    }
    let rang = |event: &phone::Event| matches!(event, phone::Event::Incoming { .. });
    let events = lab.take(bob);
    assert!(!events.iter().any(rang), "nobody was disturbed");
    let told = |event: &phone::Event| matches!(event, phone::Event::Refused { from, .. } if from.starts_with("xmpp:alice@"));
    assert_eq!(events.iter().filter(|event| told(event)).count(), 1);
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 0);
}

#[test]
fn dinos_call_wants_keys_and_is_refused_for_that() {
    let (mut lab, bob, alice) = garden(32);
    let [propose, initiate] = &sent(DINO)[..] else { panic!("a proposal and its call") };
    // The proposal says nothing of keys yet: Bob's phone rings, and he takes it.
    say(&mut lab, alice, "bob@example.org", propose);
    lab.answer(bob);
    lab.run(SEC);
    let said: Vec<Initiation> = lab
        .take_client(alice)
        .into_iter()
        .filter_map(|told| match told {
            Told::Stanza(stanza) => {
                stanza.payloads().find_map(|payload| Initiation::try_from(payload).ok())
            }
            _ => None,
        })
        .collect();
    assert!(matches!(said[..], [Initiation::Proceed { .. }]), "{said:?}");
    say(&mut lab, alice, GARDEN, initiate);
    let (answer, step) = answered(&mut lab, alice);
    assert_eq!(answer, Ok(()));
    is_security_error(step);
    assert!(ended(&lab.take(bob)).is_some(), "Bob is told");
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 0);
}
