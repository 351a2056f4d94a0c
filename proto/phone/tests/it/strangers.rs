//! Programs that say what is unexpected, to a phone that knows them or does not: what rings, what is
//! told, where media go.

use netsim::NodeId;
use phone::{EndKind, Event, Source, defaults};
use wayleave_phone as phone;
use xmpp::client::Event as Told;
use xmpp::jingle::transport::RawCandidate;
use xmpp::jingle::{Action, Condition, Initiation, Jingle, RawUdp, Transport};
use xmpp::stanza;
use xmpp::{Element, Jid, ns};

use crate::intruders::{
    acquainted, count, element, garden, initiate, propose, said, step, steps, submit, submit_to,
};
use crate::lab::{Handset, Lab, SEC, STRANGER, ended};

fn calls(lab: &mut Lab, handset: Handset) -> usize {
    lab.on(handset, |phone, _| phone.calls().count())
}

/// Who a client is.
fn address(lab: &mut Lab, client: NodeId) -> Jid {
    lab.on_client(client, |client, _| client.jid().cloned()).unwrap().into()
}

#[test]
fn strangers_learn_nothing_before_the_owner_acts() {
    let (mut lab, bob, mallory) = garden(41);
    for n in 0..4 {
        submit(&mut lab, mallory, &propose(&format!("p{n}"), "audio"));
        lab.run(SEC);
    }
    assert_eq!(count(&lab.take(bob), "Incoming"), defaults::MAX_CALLS_OF_ONE);
    lab.run(defaults::RING_LIMIT + SEC);
    assert_eq!(lab.take_client(mallory), [], "nobody may know that he is there");
    assert_eq!(calls(&mut lab, bob), 0);
    // Nor by what is no proposal: a session is said to be for nobody once there is no room.
    for n in 0..defaults::MAX_CALLS_OF_ONE {
        assert_eq!(step(&mut lab, mallory, &initiate(&format!("s{n}"))), Ok(()));
    }
    assert_eq!(steps(&mut lab, mallory), [], "and it rings in silence");
    let answer = step(&mut lab, mallory, &initiate("more")).unwrap_err();
    assert_eq!(answer.0, stanza::Condition::ServiceUnavailable);

    let (mut lab, bob, mallory) = acquainted(42);
    lab.take_client(mallory);
    for n in 0..3 {
        submit(&mut lab, mallory, &propose(&format!("p{n}"), "audio"));
    }
    lab.run(SEC);
    let said = said(&mut lab, mallory);
    assert!(matches!(
        said[..],
        [
            (_, Initiation::Ringing { .. }),
            (_, Initiation::Ringing { .. }),
            (_, Initiation::Reject { .. })
        ]
    ));
    let answer = step(&mut lab, mallory, &initiate("more")).unwrap_err();
    assert_eq!(answer.0, stanza::Condition::ResourceConstraint);
    lab.take(bob);
}

#[test]
fn what_somebody_kept_for_us_has_rung_out() {
    let (mut lab, bob, mallory) = garden(43);
    for (stamp, rings) in [("1970-01-01T00:00:00Z", 0), ("2999-01-01T00:00:00Z", 1), ("?", 0)] {
        let delay = element(&format!("<delay xmlns='urn:xmpp:delay' stamp='{stamp}'/>"));
        let payloads = vec![propose(stamp, "audio"), delay];
        submit_to(&mut lab, mallory, "bob@example.org", payloads);
        lab.run(SEC);
        assert_eq!(count(&lab.take(bob), "Incoming"), rings, "{stamp}");
    }
}

#[test]
fn proposals_are_for_nobody_to_keep() {
    let mut lab = Lab::new(44);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    lab.register(alice);
    let bob = lab.client(4, "bob");
    lab.call(alice, "xmpp:bob@example.org");
    lab.run(SEC);
    let told = lab.take_client(bob);
    let [Told::Stanza(message)] = &told[..] else { panic!("{told:?}") };
    assert!(message.payload("propose", ns::JINGLE_MESSAGE).is_some());
    assert!(message.payload("no-store", ns::HINTS).is_some());
}

/// Who begins the session without waiting for an answer to the proposal means the same call.
#[test]
fn a_session_before_the_answer_is_the_call_that_rings() {
    let (mut lab, bob, mallory) = garden(45);
    submit(&mut lab, mallory, &propose("p", "audio"));
    lab.run(SEC);
    assert_eq!(step(&mut lab, mallory, &initiate("p")), Ok(()));
    let incoming: Vec<_> = lab
        .take(bob)
        .into_iter()
        .filter_map(|event| match event {
            Event::Incoming { call, .. } => Some(call),
            _ => None,
        })
        .collect();
    let [call] = incoming[..] else { panic!("{incoming:?}") };
    assert_eq!(lab.on(bob, |phone, _| phone.calls().collect::<Vec<_>>()), [call]);
    lab.on(bob, |phone, now| phone.answer(now, call, Source::silence()));
    lab.run(SEC);
    assert_eq!(count(&lab.take(bob), "Answered"), 1);
    assert!(steps(&mut lab, mallory).iter().any(|step| step.action == Action::SessionAccept));
}

/// Alice calls Bob, who has two programs that know no rule.
fn called(seed: u64) -> (Lab, Handset, [NodeId; 2]) {
    let mut lab = Lab::new(seed);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    lab.register(alice);
    let bobs = [lab.client(4, "bob"), lab.client(5, "bob")];
    lab.run(SEC);
    bobs.iter().for_each(|bob| drop(lab.take_client(*bob)));
    (lab, alice, bobs)
}

#[test]
fn only_a_proposal_that_can_be_a_call_crosses_ours() {
    let (mut lab, alice, [bob, _]) = called(46);
    lab.call(alice, "xmpp:bob@example.org");
    lab.run(SEC);
    // Each has a name that would win.
    for odd in [propose("-", "video"), propose(&"-".repeat(300), "audio")] {
        submit_to(&mut lab, bob, "alice@example.org", vec![odd]);
        lab.run(SEC);
    }
    let said = said(&mut lab, bob);
    assert!(matches!(said[..], [(_, Initiation::Propose { .. })]), "{said:?}");
    let events = lab.take(alice);
    assert_eq!((ended(&events), count(&events, "Incoming"), calls(&mut lab, alice)), (None, 0, 1));
}

#[test]
fn a_call_that_gives_way_is_taken_back_from_the_others() {
    let (mut lab, alice, [bob, other]) = called(47);
    let call = lab.call(alice, "xmpp:bob@example.org");
    lab.run(SEC);
    submit_to(&mut lab, bob, "alice@example.org", vec![propose("-", "audio")]);
    lab.run(SEC);
    let said = [bob, other].map(|bob| said(&mut lab, bob));
    let proceeds = |(_, said): &(Jid, Initiation)| matches!(said, Initiation::Proceed { .. });
    assert_eq!(said.each_ref().map(|said| said.iter().any(proceeds)), [true, false]);
    let retracts = |(_, said): &(Jid, Initiation)| matches!(said, Initiation::Retract { .. });
    assert!(said[1].iter().any(retracts), "the other one does not ring on");
    assert_eq!(lab.on(alice, |phone, _| phone.calls().collect::<Vec<_>>()), [call]);
}

#[test]
fn a_call_of_another_device_crosses_nothing() {
    let (mut lab, alice, [bob, other]) = called(48);
    let [desk, _] = [bob, other].map(|bob| address(&mut lab, bob));
    let call = lab.call(alice, &format!("xmpp:{desk}"));
    lab.run(SEC);
    let begun = steps(&mut lab, bob);
    assert_eq!(begun[0].action, Action::SessionInitiate);
    let alices = begun[0].initiator.clone().unwrap();
    // A name that would win, from where nobody knows of Alice's.
    let theirs = initiate("-");
    lab.on_client(other, |client, now| client.request(now, alices.clone(), theirs.clone(), true))
        .unwrap();
    lab.run(SEC);
    assert_eq!(count(&lab.take(alice), "Incoming"), 1, "it rings like any other");
    let calls = lab.on(alice, |phone, _| phone.calls().collect::<Vec<_>>());
    assert!(calls.contains(&call) && calls.len() == 2);
    let ends = |step: &Jingle| step.action == Action::SessionTerminate;
    assert!(!steps(&mut lab, bob).iter().any(ends));
}

#[test]
fn who_goes_before_the_answer_is_gone_and_afterwards_is_only_not_seen() {
    for answers in [false, true] {
        let mut lab = Lab::new(49);
        lab.accounts.befriend("alice", "bob");
        let alice = lab.phone(1, Lab::config_xmpp("alice"));
        lab.register(alice);
        let bob = lab.client(4, "bob");
        let desk = address(&mut lab, bob);
        lab.call(alice, &format!("xmpp:{desk}"));
        lab.run(SEC);
        let begun = steps(&mut lab, bob);
        if answers {
            let mut accept = Jingle::try_from(&initiate(&begun[0].sid)).unwrap();
            accept.action = Action::SessionAccept;
            accept.contents[0].name.clone_from(&begun[0].contents[0].name);
            let (to, accept) = (begun[0].initiator.clone().unwrap(), Element::from(&accept));
            lab.on_client(bob, |client, now| client.request(now, to.clone(), accept.clone(), true))
                .unwrap();
            lab.run(SEC);
            assert_eq!(count(&lab.take(alice), "Answered"), 1);
        }
        lab.on_client(bob, |client, now| client.stop(now));
        lab.run(SEC * 3);
        let events = lab.take(alice);
        let gone =
            |event: &&Event| matches!(event, Event::PresenceChanged { available: false, .. });
        assert_eq!(events.iter().filter(gone).count(), 1);
        let kind = ended(&events).map(|(reason, _)| reason.kind());
        assert_eq!(kind, (!answers).then_some(EndKind::NoAnswer));
        assert_eq!(calls(&mut lab, alice), usize::from(answers));
    }
}

#[test]
fn ice_that_cannot_be_checked_is_refused() {
    let (mut lab, bob, mallory) = garden(50);
    let complete = Jingle::try_from(&initiate("s")).unwrap();
    for (n, change) in [
        |ice: &mut xmpp::jingle::IceUdp| ice.pwd = None,
        |ice: &mut xmpp::jingle::IceUdp| ice.ufrag = None,
        |ice: &mut xmpp::jingle::IceUdp| ice.pwd = Some("short".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut initiate = complete.clone();
        initiate.sid = n.to_string();
        if let Some(Transport::IceUdp(ice)) = &mut initiate.contents[0].transport {
            change(ice);
        }
        let (to, payload): (Jid, _) =
            (crate::intruders::GARDEN.parse().unwrap(), Element::from(&initiate));
        lab.on_client(mallory, |client, now| {
            client.request(now, to.clone(), payload.clone(), true)
        })
        .unwrap();
        lab.run(SEC);
        let steps = steps(&mut lab, mallory);
        let reason = steps.first().and_then(|step| step.reason.clone()).expect("a reason");
        assert_eq!(reason.condition, Some(Condition::FailedTransport));
    }
    assert_eq!(count(&lab.take(bob), "Incoming"), 0);
}

/// A transport without ICE, whose media would go to a third party.
fn elsewhere(step: &mut Jingle) {
    let candidate = |component, port| RawCandidate {
        component,
        ip: STRANGER.to_owned(),
        port,
        generation: Some(0),
        ..RawCandidate::default()
    };
    let candidates = vec![candidate(1, 4000), candidate(2, 4000)];
    step.contents[0].transport =
        Some(Transport::RawUdp(RawUdp { candidates, ..RawUdp::default() }));
}

#[test]
fn no_other_transport_takes_the_place_of_ice() {
    let (mut lab, bob, mallory) = garden(51);
    assert_eq!(step(&mut lab, mallory, &initiate("s")), Ok(()));
    lab.answer(bob);
    lab.run(SEC);
    steps(&mut lab, mallory);
    let mut replace = Jingle::try_from(&initiate("s")).unwrap();
    replace.action = Action::TransportReplace;
    replace.initiator = None;
    replace.contents[0].description = None;
    elsewhere(&mut replace);
    // Once refused, it is not taken for what was there before.
    for _ in 0..3 {
        let (to, payload): (Jid, _) =
            (crate::intruders::GARDEN.parse().unwrap(), Element::from(&replace));
        lab.on_client(mallory, |client, now| {
            client.request(now, to.clone(), payload.clone(), true)
        })
        .unwrap();
        lab.run(SEC);
        let answers = steps(&mut lab, mallory);
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(answer.action, Action::TransportReject);
    }
    assert_eq!(lab.take_stranger(), Vec::<Vec<u8>>::new(), "nobody asked for media there");
    assert_eq!(calls(&mut lab, bob), 1);
}

#[test]
fn ice_is_answered_with_ice() {
    let (mut lab, alice, [bob, _]) = called(52);
    let desk = address(&mut lab, bob);
    lab.call(alice, &format!("xmpp:{desk}"));
    lab.run(SEC);
    let begun = steps(&mut lab, bob);
    let mut accept = Jingle::try_from(&initiate(&begun[0].sid)).unwrap();
    accept.action = Action::SessionAccept;
    accept.contents[0].name.clone_from(&begun[0].contents[0].name);
    elsewhere(&mut accept);
    let (to, accept) = (begun[0].initiator.clone().unwrap(), Element::from(&accept));
    lab.on_client(bob, |client, now| client.request(now, to.clone(), accept.clone(), true))
        .unwrap();
    lab.run(SEC * 2);
    let (reason, _) = ended(&lab.take(alice)).expect("the end");
    assert_eq!(reason.kind(), EndKind::Negotiation);
    assert_eq!(lab.take_stranger(), Vec::<Vec<u8>>::new(), "nobody asked for media there");
}
