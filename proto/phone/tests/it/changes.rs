//! Calls that change, and calls that begin without an offer.

use machine::Endpoint;
use phone::{By, EndReason, Event, IceMode, Reason, Source};
use wayleave_phone as phone;

use crate::lab::{Handset, Lab, MS, SEC, STRANGER, ended, heard};

#[test]
fn a_call_is_held_and_taken_back() {
    for holder in [0, 1] {
        let mut lab = Lab::new(1);
        let pair = lab.conversation();
        let (holding, call) = pair[holder];
        let (held, _) = pair[1 - holder];
        lab.on(holding, |phone, now| phone.hold(now, call, true));
        lab.run(SEC);
        lab.take_all();
        lab.run(SEC);
        assert_eq!(heard(&lab.take(holding)), 0, "who is held says nothing");
        assert!(heard(&lab.take(held)) > 40, "who holds may play music");
        lab.on(holding, |phone, now| phone.hold(now, call, false));
        lab.run(SEC);
        lab.take_all();
        lab.run(SEC);
        for (handset, _) in pair {
            let events = lab.take(handset);
            assert!(heard(&events) > 40);
            assert_eq!(ended(&events), None);
        }
    }
}

#[test]
fn both_hold_at_once_and_neither_call_nor_hold_is_lost() {
    let mut lab = Lab::new(2);
    let pair = lab.conversation();
    for (handset, call) in pair {
        lab.on(handset, |phone, now| phone.hold(now, call, true));
    }
    // Each refuses the other's re-INVITE with 491, and tries again after a while.
    lab.run(SEC * 6);
    lab.take_all();
    lab.run(SEC);
    for (handset, _) in pair {
        let events = lab.take(handset);
        assert_eq!((heard(&events), ended(&events)), (0, None));
    }
}

/// The stranger, who calls Bob's phone directly, without a core in between.
struct Caller {
    bob: Handset,
    to: Endpoint,
    /// Bob's To, with the tag that his phone gave it.
    tag: String,
}

impl Caller {
    fn new(lab: &mut Lab) -> Self {
        Self::calling(lab, true)
    }

    /// Bob's phone takes such calls, or only those of its core.
    fn calling(lab: &mut Lab, direct_calls: bool) -> Self {
        let config = phone::Config { ice: IceMode::Off, direct_calls, ..Lab::config("bob") };
        let bob = lab.phone(2, config);
        lab.on(bob, |phone, now| phone.register(now));
        lab.run(SEC);
        let to = lab.take(bob).into_iter().find_map(|event| match event {
            Event::Registered { reflexive, .. } => reflexive,
            _ => None,
        });
        Self { bob, to: to.unwrap(), tag: String::new() }
    }

    fn say(&self, lab: &mut Lab, method: &str, number: u32, body: &str) {
        let (to, tag) = (self.to, &self.tag);
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:bob@{to} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {STRANGER};branch=z9hG4bK{method}{number}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:stranger@example.net>;tag=stranger\r\n\
             To: <sip:bob@example.org>{tag}\r\n\
             Call-ID: stranger\r\n\
             CSeq: {number} {method}\r\n\
             Contact: <sip:stranger@{STRANGER}>\r\n\
             {kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        lab.say(to, &text);
        lab.run(MS * 100);
    }

    /// Waits for a 200 and learns the tag; its body.
    fn answered(&mut self, lab: &mut Lab) -> String {
        let responses = lab.take_sip();
        let answer = responses.iter().find(|text| text.starts_with("SIP/2.0 200 "));
        let answer = answer.unwrap_or_else(|| panic!("no 200 in {responses:?}"));
        let to = answer.lines().find(|line| line.starts_with("To:")).unwrap();
        self.tag = to[to.find(";tag=").unwrap()..].to_owned();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

fn description(direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {STRANGER}\r\ns=-\r\nc=IN IP4 {STRANGER}\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 0\r\na={direction}\r\n"
    )
}

/// Whether the stranger got RTP lately.
fn rtp_comes(lab: &mut Lab) -> bool {
    lab.take_stranger();
    lab.run(SEC);
    lab.take_stranger().iter().any(|bytes| matches!(bytes[..], [0x80, 0x00 | 0x80, ..]))
}

#[test]
fn a_call_without_an_offer_gets_ours() {
    // Bob takes it at once, before his candidates are gathered, or after a while.
    for wait in [MS, SEC] {
        let mut lab = Lab::new(3);
        let mut caller = Caller::new(&mut lab);
        let bob = caller.bob;
        caller.say(&mut lab, "INVITE", 1, "");
        lab.run(wait);
        let call = lab.on(bob, |phone, _| phone.calls().next()).unwrap();
        lab.on(bob, |phone, now| phone.answer(now, call, Source::silence()));
        lab.run(MS * 100);
        let offer = caller.answered(&mut lab);
        assert!(offer.contains("m=audio ") && offer.contains(" RTP/AVP 0 8"), "{offer}");
        caller.say(&mut lab, "ACK", 1, &description("sendrecv"));
        let events = lab.take(bob);
        assert!(events.iter().any(|event| matches!(event, Event::Answered { .. })));
        assert!(rtp_comes(&mut lab));
        caller.say(&mut lab, "BYE", 2, "");
        let reason = EndReason::Signalling(Reason::Bye);
        assert_eq!(ended(&lab.take(bob)), Some((reason, By::Them)));
    }
}

#[test]
fn an_offer_that_nobody_answers_ends_the_call() {
    let mut lab = Lab::new(4);
    let mut caller = Caller::new(&mut lab);
    caller.say(&mut lab, "INVITE", 1, "");
    lab.answer(caller.bob);
    lab.run(MS * 100);
    caller.answered(&mut lab);
    caller.say(&mut lab, "ACK", 1, "");
    assert!(lab.take_sip().iter().any(|text| text.starts_with("BYE ")));
}

#[test]
fn who_asks_for_an_offer_within_a_call_takes_it_off_hold() {
    let mut lab = Lab::new(5);
    let mut caller = Caller::new(&mut lab);
    let bob = caller.bob;
    caller.say(&mut lab, "INVITE", 1, &description("sendrecv"));
    lab.answer(bob);
    lab.run(MS * 100);
    caller.answered(&mut lab);
    caller.say(&mut lab, "ACK", 1, "");
    assert!(rtp_comes(&mut lab));

    caller.say(&mut lab, "INVITE", 2, &description("sendonly"));
    assert!(caller.answered(&mut lab).contains("a=recvonly"));
    caller.say(&mut lab, "ACK", 2, "");
    assert!(!rtp_comes(&mut lab));

    caller.say(&mut lab, "INVITE", 3, "");
    let offer = caller.answered(&mut lab);
    assert!(!offer.contains("a=recvonly") && !offer.contains("a=inactive"), "{offer}");
    caller.say(&mut lab, "ACK", 3, &description("sendrecv"));
    assert!(rtp_comes(&mut lab));
    assert_eq!(ended(&lab.take(bob)), None);
}

#[test]
fn what_cannot_be_read_is_refused_and_the_call_goes_on() {
    let mut lab = Lab::new(6);
    let mut caller = Caller::new(&mut lab);
    let bob = caller.bob;
    caller.say(&mut lab, "INVITE", 1, "this is no description");
    assert!(lab.take_sip().iter().any(|text| text.starts_with("SIP/2.0 488 ")));
    caller.say(&mut lab, "ACK", 1, "");
    assert_eq!(lab.on(bob, |phone, _| phone.calls().count()), 0);
    // Bob learns who called, and why they were not put through.
    let refused = |event: &Event| {
        matches!(event, Event::Refused { account: 0, from, reason: EndReason::Description }
            if from.starts_with("sip:"))
    };
    assert_eq!(lab.take(bob).iter().filter(|event| refused(event)).count(), 1);

    caller.say(&mut lab, "INVITE", 2, &description("sendrecv"));
    lab.answer(bob);
    lab.run(MS * 100);
    caller.answered(&mut lab);
    caller.say(&mut lab, "ACK", 2, "");
    caller.say(&mut lab, "INVITE", 3, "neither is this");
    assert!(lab.take_sip().iter().any(|text| text.starts_with("SIP/2.0 488 ")));
    caller.say(&mut lab, "ACK", 3, "");
    let video = description("sendrecv").replace("m=audio", "m=video");
    caller.say(&mut lab, "INVITE", 4, &video);
    assert!(lab.take_sip().iter().any(|text| text.starts_with("SIP/2.0 488 ")));
    caller.say(&mut lab, "ACK", 4, "");
    assert!(rtp_comes(&mut lab));
    assert_eq!(ended(&lab.take(bob)), None);
}

#[test]
fn whoever_calls_past_the_core_rings_nobody() {
    let mut lab = Lab::new(7);
    let caller = Caller::calling(&mut lab, false);
    caller.say(&mut lab, "INVITE", 1, &description("sendrecv"));
    assert!(lab.take_sip().iter().any(|text| text.starts_with("SIP/2.0 403 ")));
    caller.say(&mut lab, "ACK", 1, "");
    assert_eq!(lab.on(caller.bob, |phone, _| phone.calls().count()), 0);
    // Nor does it learn what the phone is.
    caller.say(&mut lab, "OPTIONS", 2, "");
    assert!(lab.take_sip().iter().any(|text| text.starts_with("SIP/2.0 403 ")));
    assert!(lab.take(caller.bob).is_empty());
}
