//! Somebody's program that keeps to no rule of Jingle's, and what phones bear.

use netsim::NodeId;
use phone::{Event, defaults};
use wayleave_phone as phone;
use xmpp::client::{Event as Told, RequestError};
use xmpp::jingle::{Action, Condition, Initiation, Jingle, Refusal};
use xmpp::stanza::{self, MessageType};
use xmpp::{Element, Jid, Stanza, ns};

use crate::lab::{Handset, Lab, SEC, ended};

pub(crate) const GARDEN: &str = "bob@example.org/garden";

/// Bob's phone, and a program of Mallory's, whom he does not know.
pub(crate) fn garden(seed: u64) -> (Lab, Handset, NodeId) {
    place(seed, false)
}

/// The same; they see each other's presence.
pub(crate) fn acquainted(seed: u64) -> (Lab, Handset, NodeId) {
    place(seed, true)
}

fn place(seed: u64, acquainted: bool) -> (Lab, Handset, NodeId) {
    let mut lab = Lab::new(seed);
    lab.accounts.add("mallory", "mallory");
    if acquainted {
        lab.accounts.befriend("mallory", "bob");
    }
    let mut config = Lab::config_xmpp("bob");
    config.accounts[0].resource = Some("garden".to_owned());
    let bob = lab.phone(2, config);
    lab.register(bob);
    let mallory = lab.client(3, "mallory");
    (lab, bob, mallory)
}

pub(crate) fn element(text: &str) -> Element {
    text.parse().unwrap()
}

/// A session-initiate with ICE.
pub(crate) fn initiate(sid: &str) -> Element {
    element(&format!(
        "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='{sid}' \
         initiator='mallory@example.org/x'><content creator='initiator' name='0'>\
         <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>\
         <payload-type id='0' name='PCMU' clockrate='8000'/><rtcp-mux/></description>\
         <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' \
         pwd='0123456789012345678901'>{}</transport></content></jingle>",
        candidate(1)
    ))
}

pub(crate) fn candidate(n: u16) -> String {
    format!(
        "<candidate component='1' foundation='{n}' generation='0' id='{n}' ip='203.0.113.3' \
         network='0' port='{}' priority='1000' protocol='udp' type='host'/>",
        20_000 + n
    )
}

/// Sends a step; says what it was answered with: fine, refused by Jingle, or by another error.
pub(crate) fn step(
    lab: &mut Lab,
    mallory: NodeId,
    payload: &Element,
) -> Result<(), (stanza::Condition, Option<Refusal>)> {
    let to: Jid = GARDEN.parse().unwrap();
    lab.on_client(mallory, |client, now| client.request(now, to.clone(), payload.clone(), true))
        .unwrap();
    lab.run(SEC / 4);
    let mut answer = None;
    for told in lab.take_client(mallory) {
        match told {
            Told::Response { result: Ok(_), .. } => answer = Some(Ok(())),
            Told::Response { result: Err(RequestError::Refused(error)), .. } => {
                answer = Some(Err((error.condition, Refusal::of(&error))));
            }
            _ => {}
        }
    }
    answer.expect("every request is answered")
}

/// A message that proposes a call.
pub(crate) fn propose(id: &str, media: &str) -> Element {
    let description =
        xmpp::jingle::rtp::Description { media: media.to_owned(), ..Default::default() };
    let (id, descriptions, unknown) = (id.to_owned(), vec![description], Vec::new());
    Element::from(&Initiation::Propose { id, descriptions, unknown })
}

/// Sends a message with a payload to Bob, all of him.
pub(crate) fn submit(lab: &mut Lab, client: NodeId, payload: &Element) {
    submit_to(lab, client, "bob@example.org", [payload.clone()].into());
}

/// Sends a message to somebody.
pub(crate) fn submit_to(lab: &mut Lab, client: NodeId, to: &str, payloads: Vec<Element>) {
    let message = Stanza::message(to.parse::<Jid>().unwrap(), MessageType::Chat, payloads);
    lab.on_client(client, |client, now| client.send(now, message.clone())).unwrap();
}

/// What was said to a program in messages about proposals, and by whom.
pub(crate) fn said(lab: &mut Lab, client: NodeId) -> Vec<(Jid, Initiation)> {
    let told = lab.take_client(client).into_iter();
    told.filter_map(|told| match told {
        Told::Stanza(stanza) => {
            let said = stanza.payloads().find_map(|payload| Initiation::try_from(payload).ok())?;
            Some((stanza.from()?.clone(), said))
        }
        _ => None,
    })
    .collect()
}

/// The steps that a phone has sent, each acknowledged.
pub(crate) fn steps(lab: &mut Lab, mallory: NodeId) -> Vec<Jingle> {
    let mut steps = Vec::new();
    for told in lab.take_client(mallory) {
        if let Told::Request { iq } = told {
            let payload = iq.payload("jingle", ns::JINGLE).expect("Jingle");
            steps.push(Jingle::try_from(payload).unwrap());
            lab.on_client(mallory, |client, now| client.respond(now, &iq, Ok(None))).unwrap();
        }
    }
    steps
}

pub(crate) fn count(events: &[Event], name: &str) -> usize {
    events.iter().filter(|event| format!("{event:?}").starts_with(name)).count()
}

#[test]
fn what_is_no_step_of_a_session_is_refused() {
    let (mut lab, bob, mallory) = garden(1);
    for (text, condition, refusal) in [
        (
            "<jingle xmlns='urn:xmpp:jingle:1' action='dance' sid='x'/>",
            stanza::Condition::BadRequest,
            None,
        ),
        ("<jingle xmlns='urn:xmpp:jingle:1' sid='x'/>", stanza::Condition::BadRequest, None),
        (
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='x'/>",
            stanza::Condition::BadRequest,
            None,
        ),
        (
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='x'/>",
            stanza::Condition::ItemNotFound,
            Some(Refusal::UnknownSession),
        ),
        ("<dance xmlns='urn:example:dance'/>", stanza::Condition::ServiceUnavailable, None),
    ] {
        let answer = step(&mut lab, mallory, &element(text)).unwrap_err();
        assert_eq!(answer.0, condition, "{text}");
        if refusal.is_some() {
            assert_eq!(answer.1, refusal);
        }
    }
    assert_eq!(count(&lab.take(bob), "Incoming"), 0);
}

#[test]
fn others_cannot_speak_in_a_session() {
    let (mut lab, bob, mallory) = garden(2);
    lab.accounts.befriend("alice", "bob");
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    lab.register(alice);
    lab.run(SEC);
    // Mallory's call has the name that she made; Alice's has another, which nobody knows.
    assert_eq!(step(&mut lab, mallory, &initiate("mine")), Ok(()));
    let other = lab.client(4, "mallory");
    let to: Jid = GARDEN.parse().unwrap();
    let end = Element::from(&Jingle::new(Action::SessionTerminate, "mine"));
    lab.on_client(other, |client, now| client.request(now, to.clone(), end.clone(), true)).unwrap();
    lab.run(SEC);
    let refused = lab.take_client(other).into_iter().any(|told| match told {
        Told::Response { result: Err(RequestError::Refused(error)), .. } => {
            Refusal::of(&error) == Some(Refusal::UnknownSession)
        }
        _ => false,
    });
    assert!(refused, "the same account, and another device");
    assert_eq!(ended(&lab.take(bob)), None);
    // What is out of order changes nothing either.
    let accept = initiate("mine").to_owned();
    let mut accept = Jingle::try_from(&accept).unwrap();
    accept.action = Action::SessionAccept;
    let answer = step(&mut lab, mallory, &Element::from(&accept)).unwrap_err();
    assert_eq!(answer.1, Some(Refusal::OutOfOrder));
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 1);
}

/// Floods by as many people as it takes: all of a phone's room, and no more, is theirs.
#[test]
fn floods_of_calls_are_busy() {
    let (mut lab, bob, mallory) = garden(3);
    let busy = stanza::Condition::ServiceUnavailable;
    for n in 0..2 * defaults::MAX_CALLS {
        let answer = step(&mut lab, mallory, &initiate(&format!("s{n}")));
        let taken = n < defaults::MAX_CALLS_OF_ONE;
        assert_eq!(answer, if taken { Ok(()) } else { Err((busy, None)) });
    }
    assert_eq!(count(&lab.take(bob), "Incoming"), defaults::MAX_CALLS_OF_ONE);
    let crowd = defaults::MAX_CALLS / defaults::MAX_CALLS_OF_ONE;
    let mut answers = Vec::new();
    for n in 1..=crowd {
        let user = format!("mallory{n}");
        lab.accounts.add(&user, &user);
        let host = lab.client(100 + u8::try_from(n).unwrap(), &user);
        for m in 0..defaults::MAX_CALLS_OF_ONE {
            answers.push(step(&mut lab, host, &initiate(&format!("s{m}"))));
        }
    }
    let taken = defaults::MAX_CALLS - defaults::MAX_CALLS_OF_ONE;
    assert!(
        answers[..taken].iter().all(Result::is_ok) && answers[taken..].iter().all(Result::is_err)
    );
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), defaults::MAX_CALLS);
    // None of it keeps Bob from calling.
    let to = "xmpp:alice@example.org".parse().unwrap();
    let call = lab.on(bob, |phone, now| phone.call(now, 0, &to, phone::Source::silence()));
    assert!(call.is_ok());
    // Nobody takes them; it is over some day.
    lab.run(defaults::RING_LIMIT + SEC);
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 0);
}

#[test]
fn floods_of_proposals_are_busy() {
    let (mut lab, bob, mallory) = acquainted(4);
    for n in 0..2 * defaults::MAX_CALLS {
        // Twice each: the second says nothing new.
        for _ in 0..2 {
            submit(&mut lab, mallory, &propose(&format!("p{n}"), "audio"));
            lab.run(SEC / 4);
        }
    }
    assert_eq!(count(&lab.take(bob), "Incoming"), defaults::MAX_CALLS_OF_ONE);
    let said = said(&mut lab, mallory).into_iter();
    let rejected = said.filter(|(_, said)| matches!(said, Initiation::Reject { .. }));
    assert!(rejected.count() >= defaults::MAX_CALLS);
    lab.run(defaults::RING_LIMIT + SEC);
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 0);
}

/// What we refuse leaves nothing behind, however often somebody makes us.
#[test]
fn refusals_wait_for_no_answer() {
    let (mut lab, bob, mallory) = garden(8);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    lab.register(alice);
    let mut offer = Jingle::try_from(&initiate("s")).unwrap();
    if let Some(description) = &mut offer.contents[0].description {
        description.payload_types.clear();
    }
    let to: Jid = GARDEN.parse().unwrap();
    for n in 0..=xmpp::client::defaults::MAX_REQUESTS {
        offer.sid = format!("s{n}");
        let payload = Element::from(&offer);
        lab.on_client(mallory, |client, now| {
            client.request(now, to.clone(), payload.clone(), true)
        })
        .unwrap();
        // Faster than requests of ours are given up.
        lab.run(SEC / 20);
    }
    let refused = lab.take_client(mallory).into_iter();
    let refused = refused.filter(|told| matches!(told, Told::Request { .. }));
    assert!(refused.count() > 200, "each is told why");
    lab.take(bob);
    lab.talk(alice, bob, "xmpp:bob@example.org");
}

/// Says a step of a session, in full haste: what it is answered with does not matter.
fn hurry(lab: &mut Lab, mallory: NodeId, step: &Jingle) {
    let (to, payload): (Jid, _) = (GARDEN.parse().unwrap(), Element::from(step));
    let said = |client: &mut xmpp::client::Client, now| {
        client.send(now, Stanza::iq_set(to.clone(), "hurry", payload.clone()))
    };
    lab.on_client(mallory, said).unwrap();
    lab.run(SEC / 20);
}

/// Nor does what is refused inside a session, even one that only rings.
#[test]
fn refusals_in_a_session_wait_for_no_answer() {
    let (mut lab, bob, mallory) = garden(10);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    lab.register(alice);
    assert_eq!(step(&mut lab, mallory, &initiate("s")), Ok(()));
    let offer = Jingle::try_from(&initiate("s")).unwrap();
    let [mut add, mut replace] = [offer.clone(), offer];
    add.action = Action::ContentAdd;
    add.contents[0].name = "another".to_owned();
    replace.action = Action::TransportReplace;
    replace.contents[0].description = None;
    for _ in 0..=xmpp::client::defaults::MAX_REQUESTS / 2 {
        hurry(&mut lab, mallory, &add);
        hurry(&mut lab, mallory, &replace);
    }
    let refused = lab.take_client(mallory).into_iter();
    let refused = refused.filter(|told| matches!(told, Told::Request { .. }));
    assert!(refused.count() > 200, "each is told");
    assert_eq!(ended(&lab.take(bob)), None);
    lab.talk(alice, bob, "xmpp:bob@example.org");
}

/// Who makes us say what matters, and answers none of it, ends one call with it.
#[test]
fn who_answers_nothing_is_stuck_alone() {
    let (mut lab, bob, mallory) = garden(11);
    let alice = lab.phone(1, Lab::config_xmpp("alice"));
    lab.register(alice);
    lab.talk(alice, bob, "xmpp:bob@example.org");
    assert_eq!(step(&mut lab, mallory, &initiate("s")), Ok(()));
    lab.answer(bob);
    lab.run(SEC / 4);
    let mut replace = Jingle::try_from(&initiate("s")).unwrap();
    replace.action = Action::TransportReplace;
    replace.contents[0].description = None;
    for n in 0..2 * defaults::MAX_STEPS_OF_ONE {
        if let Some(xmpp::jingle::Transport::IceUdp(ice)) = &mut replace.contents[0].transport {
            ice.ufrag = Some(format!("abcd{n}"));
        }
        hurry(&mut lab, mallory, &replace);
    }
    let (reason, _) = ended(&lab.take(bob)).expect("the end of Mallory's");
    assert_eq!(reason, phone::EndReason::Jingle(phone::JingleEnd::Stuck));
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 1, "Alice's goes on");
    lab.run(SEC);
    assert_eq!(ended(&lab.take(alice)), None);
}

/// A step that finds no place among what waits for an answer ends its call.
#[test]
fn what_cannot_be_said_ends_its_call() {
    let (mut lab, bob, mallory) = garden(9);
    drop(lab.take(bob));
    let config =
        phone::Config { max_calls: 200, relays: phone::Relays::Off, ..Lab::config_xmpp("alice") };
    let alice = lab.phone(1, config);
    lab.register(alice);
    // Mallory's program answers nothing.
    let mallory = lab.on_client(mallory, |client, _| client.jid().cloned()).unwrap();
    for _ in 0..200 {
        lab.call(alice, &format!("xmpp:{mallory}"));
        lab.run(SEC / 20);
    }
    // Each is told that there are no more candidates.
    lab.run(SEC * 5);
    let stuck = |event: &&Event| {
        matches!(
            event,
            Event::Ended { reason: phone::EndReason::Jingle(phone::JingleEnd::Stuck), .. }
        )
    };
    assert!(lab.take(alice).iter().filter(stuck).count() > 0);
}

#[test]
fn who_proceeds_and_never_comes_is_given_up() {
    let (mut lab, bob, mallory) = garden(5);
    submit(&mut lab, mallory, &propose("p", "audio"));
    lab.run(SEC);
    let call = lab.answer(bob);
    lab.run(defaults::INITIATE_LIMIT - SEC * 2);
    assert_eq!(ended(&lab.take(bob)), None);
    lab.run(SEC * 3);
    assert_eq!(ended(&lab.take(bob)).unwrap().0.kind(), phone::EndKind::NoAnswer);
    // Who hung up meanwhile does not want what comes then.
    submit(&mut lab, mallory, &propose("q", "audio"));
    lab.run(SEC);
    let again = lab.answer(bob);
    assert_ne!(call, again);
    lab.on(bob, |phone, now| phone.hang_up(now, again));
    lab.run(SEC);
    assert!(ended(&lab.take(bob)).is_some());
    assert_eq!(step(&mut lab, mallory, &initiate("q")), Ok(()));
    lab.run(SEC);
    assert_eq!(count(&lab.take(bob), "Incoming"), 0);
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 0);
}

#[test]
fn candidates_without_end_are_refused() {
    let (mut lab, bob, mallory) = garden(6);
    assert_eq!(step(&mut lab, mallory, &initiate("s")), Ok(()));
    let mut refused = 0;
    for n in 0..200_u16 {
        let many: String = (0..8).map(|m| candidate(n * 8 + m)).collect();
        let info = element(&format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='s'>\
             <content creator='initiator' name='0'>\
             <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' \
             pwd='0123456789012345678901'>{many}</transport></content></jingle>"
        ));
        if let Err((_, refusal)) = step(&mut lab, mallory, &info) {
            assert_eq!(refusal, Some(Refusal::TooMuch));
            refused += 1;
        }
    }
    assert!(refused > 100, "{refused}");
    let told: usize = lab
        .take(bob)
        .into_iter()
        .map(|event| match event {
            Event::RemoteCandidates { candidates, .. } => candidates.len(),
            _ => 0,
        })
        .sum();
    assert!(told <= 100, "{told}");
    // He answers all the same, and finds nobody at these addresses.
    let call = lab.on(bob, |phone, _| phone.calls().next()).unwrap();
    lab.on(bob, |phone, now| phone.answer(now, call, phone::Source::silence()));
    lab.run(SEC * 60);
    let (reason, _) = ended(&lab.take(bob)).expect("no path");
    assert_eq!(reason.kind(), phone::EndKind::NoMedia);
}

#[test]
fn one_who_says_nothing_of_sound_or_of_a_way_is_told_why_not() {
    let (mut lab, bob, mallory) = garden(7);
    let base = Jingle::try_from(&initiate("s")).unwrap();
    let mut without_sound = base.clone();
    without_sound.contents[0].description = None;
    let mut without_way = base.clone();
    without_way.contents[0].transport = None;
    let mut without_codec = base;
    if let Some(description) = &mut without_codec.contents[0].description {
        description.payload_types.clear();
    }
    for (n, (mut initiate, condition)) in [
        (without_sound, Condition::UnsupportedApplications),
        (without_way, Condition::UnsupportedTransports),
        (without_codec, Condition::IncompatibleParameters),
    ]
    .into_iter()
    .enumerate()
    {
        initiate.sid = n.to_string();
        let (to, payload): (Jid, _) = (GARDEN.parse().unwrap(), Element::from(&initiate));
        lab.on_client(mallory, |client, now| {
            client.request(now, to.clone(), payload.clone(), true)
        })
        .unwrap();
        lab.run(SEC);
        let steps = steps(&mut lab, mallory);
        let reason = steps.first().and_then(|step| step.reason.clone()).expect("a reason");
        assert_eq!(reason.condition, Some(condition));
    }
    let events = lab.take(bob);
    assert_eq!((count(&events, "Incoming"), count(&events, "Refused")), (0, 3));
}
