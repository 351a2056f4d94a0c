//! One session, both ends of it: what is said, what crosses, what is out of order.

use std::collections::VecDeque;

use jid::Jid;
use minidom::Element;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Error, Event, Glare, Session, State, tie_break};
use crate::defaults::MAX_JINGLE_SESSION_CANDIDATES;
use crate::jingle::initiation::{Proposal, ProposalEvent, ProposalState};
use crate::jingle::transport::RawCandidate;
use crate::jingle::{
    Action, Condition, Content, Creator, Info, Initiation, Jingle, RawUdp, Reason, Refusal,
    Senders, Transport,
};
use crate::ns;
use crate::stanza::{self, StanzaError};

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

fn alice() -> Jid {
    jid("alice@example.test/a")
}

fn bob() -> Jid {
    jid("bob@example.test/b")
}

fn content(name: &str) -> Content {
    Content {
        description: Some(crate::jingle::rtp::Description::default()),
        transport: Some(candidates(1)),
        ..Content::new(Creator::Initiator, name)
    }
}

fn candidates(count: usize) -> Transport {
    let candidates = vec![RawCandidate::default(); count];
    Transport::RawUdp(RawUdp { candidates, ..RawUdp::default() })
}

fn initiated(contents: &[&str]) -> (Session, Jingle) {
    let contents = contents.iter().map(|name| content(name)).collect();
    Session::initiate(alice(), bob(), "s1", contents, Vec::new()).unwrap()
}

/// Both ends, and what is on its way between them: steps, and the results that they get.
struct Pair {
    ends: [Session; 2],
    addresses: [Jid; 2],
    /// What is on its way to each end, in the order in which it was sent, as a stream keeps it.
    ways: [VecDeque<Sent>; 2],
    events: [Vec<Event>; 2],
}

enum Sent {
    Step(Box<Jingle>),
    Result(Action, Result<(), Refusal>),
}

const ALICE: usize = 0;
const BOB: usize = 1;

impl Pair {
    fn new(contents: &[&str]) -> Self {
        let (alices, initiate) = initiated(contents);
        let bobs = Session::incoming(bob(), alice(), &initiate).unwrap();
        Self {
            ends: [alices, bobs],
            addresses: [alice(), bob()],
            ways: [VecDeque::new(), VecDeque::new()],
            events: [Vec::new(), Vec::new()],
        }
    }

    fn active(contents: &[&str]) -> Self {
        let mut pair = Self::new(contents);
        let accepted = contents.iter().map(|name| content(name)).collect();
        pair.act(BOB, |bob| bob.accept(accepted, Vec::new()));
        pair.settle();
        pair.events = [Vec::new(), Vec::new()];
        pair
    }

    /// A verb of an end's; what it makes is on its way then.
    fn act(&mut self, end: usize, verb: impl FnOnce(&mut Session) -> Result<Jingle, Error>) {
        let step = verb(&mut self.ends[end]).unwrap();
        self.ways[1 - end].push_back(Sent::Step(Box::new(step)));
    }

    /// The next thing arrives at an end.
    fn deliver(&mut self, end: usize) {
        let events = match self.ways[end].pop_front() {
            None => return,
            Some(Sent::Step(step)) => {
                let result = self.ends[end].handle(&self.addresses[1 - end], &step);
                let told = result.as_ref().map(|_| ()).map_err(|refusal| *refusal);
                self.ways[1 - end].push_back(Sent::Result(step.action, told));
                result.unwrap_or_default()
            }
            Some(Sent::Result(action, Ok(()))) => self.ends[end].handle_result(action, Ok(())),
            Some(Sent::Result(action, Err(refusal))) => {
                self.ends[end].handle_result(action, Err(&refusal.into()))
            }
        };
        for event in events {
            match event {
                Event::Send(step) => self.ways[1 - end].push_back(Sent::Step(Box::new(step))),
                event => self.events[end].push(event),
            }
        }
    }

    /// Everything arrives.
    fn settle(&mut self) {
        while self.ways.iter().any(|way| !way.is_empty()) {
            self.deliver(ALICE);
            self.deliver(BOB);
        }
    }

    fn take(&mut self, end: usize) -> Vec<Event> {
        std::mem::take(&mut self.events[end])
    }
}

#[test]
fn a_call_from_ring_to_end() {
    let mut pair = Pair::new(&["voice"]);
    pair.act(BOB, |bob| bob.info(Some(Info::Ringing)));
    pair.act(ALICE, |alice| alice.transport_info(vec![content("voice")]));
    pair.act(BOB, |bob| bob.transport_info(vec![content("voice")]));
    pair.settle();
    let more = || Event::Transport(vec![content("voice")]);
    assert_eq!(pair.take(ALICE), [Event::Info(Info::Ringing), more()]);
    assert_eq!(pair.take(BOB), [more()]);
    pair.act(BOB, |bob| bob.accept(vec![content("voice")], Vec::new()));
    pair.settle();
    let (contents, groups) = (vec![content("voice")], Vec::new());
    assert_eq!(pair.take(ALICE), [Event::Accepted { contents, groups }]);
    assert!(pair.ends.iter().all(|end| end.state() == State::Active));
    pair.act(ALICE, |alice| alice.info(Some(Info::Hold)));
    pair.act(ALICE, |alice| alice.info(None));
    pair.act(ALICE, |alice| alice.info(Some(Info::Unhold)));
    pair.settle();
    assert_eq!(pair.take(BOB), [Event::Info(Info::Hold), Event::Info(Info::Unhold)]);
    pair.act(ALICE, |alice| alice.terminate(Condition::Success.into()));
    pair.settle();
    assert_eq!(pair.take(BOB), [Event::Ended(Condition::Success.into())]);
    assert_eq!(pair.take(ALICE), []);
    assert!(pair.ends.iter().all(|end| end.state() == State::Ended));
    let again = pair.ends[ALICE].terminate(Condition::Success.into());
    assert_eq!(again, Err(Error::OutOfOrder(Action::SessionTerminate)));
}

#[test]
fn initiator_and_responder_are_named() {
    let (_, initiate) = initiated(&["voice"]);
    assert_eq!((initiate.initiator, initiate.responder), (Some(alice()), None));
    let mut pair = Pair::new(&["voice"]);
    let accept = pair.ends[BOB].accept(vec![content("voice")], Vec::new()).unwrap();
    assert_eq!((accept.initiator, accept.responder), (None, Some(bob())));
}

#[test]
fn what_is_not_accepted_is_gone() {
    let mut pair = Pair::new(&["voice", "video"]);
    pair.act(BOB, |bob| bob.accept(vec![content("voice")], Vec::new()));
    pair.settle();
    for end in &pair.ends {
        assert_eq!(end.senders(Creator::Initiator, "voice"), Some(Senders::Both));
        assert_eq!(end.senders(Creator::Initiator, "video"), None);
    }
    let info = pair.ends[ALICE].transport_info(vec![content("video")]);
    assert_eq!(info, Err(Error::Content(Action::TransportInfo)));
}

#[test]
fn an_initiate_that_makes_no_sense_is_refused() {
    let (_, initiate) = initiated(&["voice"]);
    let refusal = |change: fn(&mut Jingle)| {
        let mut initiate = initiate.clone();
        change(&mut initiate);
        Session::incoming(bob(), alice(), &initiate).unwrap_err()
    };
    let bad = Refusal::BadRequest;
    assert_eq!(refusal(|jingle| jingle.action = Action::SessionInfo), Refusal::UnknownSession);
    assert_eq!(refusal(|jingle| jingle.contents.clear()), bad);
    assert_eq!(refusal(|jingle| jingle.contents.push(content("voice"))), bad);
    assert_eq!(refusal(|jingle| jingle.contents[0].creator = Creator::Responder), bad);
    assert_eq!(refusal(|jingle| jingle.sid.clear()), bad);
    assert_eq!(
        refusal(|jingle| jingle.contents[0].transport = Some(candidates(65))),
        Refusal::TooMuch
    );
    let none = Session::initiate(alice(), bob(), "s1", Vec::new(), Vec::new());
    assert_eq!(none.err(), Some(Error::Content(Action::SessionInitiate)));
}

#[test]
fn strangers_and_other_names_are_unknown() {
    let mut pair = Pair::active(&["voice"]);
    let mut terminate = Jingle::new(Action::SessionTerminate, "s1");
    for from in ["bob@example.test/other", "bob@example.test", "mallory@example.test/b"] {
        assert_eq!(pair.ends[ALICE].handle(&jid(from), &terminate), Err(Refusal::UnknownSession));
    }
    "s2".clone_into(&mut terminate.sid);
    assert_eq!(pair.ends[ALICE].handle(&bob(), &terminate), Err(Refusal::UnknownSession));
    assert_eq!(pair.ends[ALICE].state(), State::Active);
    // Who says that somebody else began it changes nothing.
    terminate = Jingle { initiator: Some(jid("m@x")), ..Jingle::new(Action::SessionInfo, "s1") };
    assert_eq!(pair.ends[ALICE].handle(&bob(), &terminate), Ok(vec![]));
}

#[test]
fn out_of_order_is_said() {
    let step = |action, contents: &[&str]| Jingle {
        contents: contents.iter().map(|name| content(name)).collect(),
        ..Jingle::new(action, "s1")
    };
    let order = Err(Refusal::OutOfOrder);
    let mut pair = Pair::new(&["voice"]);
    // The initiator accepts nothing; nothing that was not asked for is answered.
    assert_eq!(pair.ends[BOB].handle(&alice(), &step(Action::SessionAccept, &["voice"])), order);
    for action in [
        Action::SessionInitiate,
        Action::ContentAccept,
        Action::ContentReject,
        Action::TransportAccept,
        Action::TransportReject,
    ] {
        assert_eq!(pair.ends[BOB].handle(&alice(), &step(action, &["voice"])), order, "{action}");
        assert_eq!(pair.ends[ALICE].handle(&bob(), &step(action, &["voice"])), order, "{action}");
    }
    let security = step(Action::SecurityInfo, &["voice"]);
    assert_eq!(pair.ends[BOB].handle(&alice(), &security), Err(Refusal::NotImplemented));
    // An accept comes once, and names what was offered.
    let accept = |contents: &[&str]| step(Action::SessionAccept, contents);
    assert_eq!(pair.ends[ALICE].handle(&bob(), &accept(&[])), Err(Refusal::BadRequest));
    assert_eq!(pair.ends[ALICE].handle(&bob(), &accept(&["x"])), Err(Refusal::UnknownContent));
    assert_eq!(pair.ends[ALICE].state(), State::Pending);
    assert!(pair.ends[ALICE].handle(&bob(), &accept(&["voice"])).is_ok());
    assert_eq!(pair.ends[ALICE].handle(&bob(), &accept(&["voice"])), order);
    // Our own verbs keep to it too.
    let accept = pair.ends[ALICE].accept(vec![content("voice")], Vec::new());
    assert_eq!(accept, Err(Error::OutOfOrder(Action::SessionAccept)));
    let accept = pair.ends[ALICE].accept_transport(vec![content("voice")]);
    assert_eq!(accept, Err(Error::OutOfOrder(Action::TransportAccept)));
    let reject = pair.ends[ALICE].reject_transport(&[content("voice")], Reason::default());
    assert_eq!(reject, Err(Error::OutOfOrder(Action::TransportReject)));
}

#[test]
fn unknown_information_is_refused_and_a_ping_is_not() {
    let mut pair = Pair::active(&["voice"]);
    let mut info = Jingle::new(Action::SessionInfo, "s1");
    assert_eq!(pair.ends[BOB].handle(&alice(), &info), Ok(vec![]));
    info.unknown.push(Element::bare("applause", ns::JINGLE_RTP_INFO));
    assert_eq!(pair.ends[BOB].handle(&alice(), &info), Err(Refusal::UnsupportedInfo));
}

#[test]
fn what_is_added_is_rejected() {
    let mut pair = Pair::active(&["voice"]);
    let mut add = Jingle::new(Action::ContentAdd, "s1");
    add.contents.push(content("video"));
    let events = pair.ends[BOB].handle(&alice(), &add).unwrap();
    let [Event::Send(reject)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((reject.action, reject.contents[0].name.as_str()), (Action::ContentReject, "video"));
    assert_eq!(reject.reason.as_ref().unwrap().name(), "unsupported-applications");
    add.contents[0].name = "voice".to_owned();
    assert_eq!(pair.ends[BOB].handle(&alice(), &add), Err(Refusal::BadRequest));
}

#[test]
fn the_last_content_takes_the_session_with_it() {
    let mut pair = Pair::active(&["voice", "video"]);
    let remove = |name| {
        let contents = vec![Content::new(Creator::Initiator, name)];
        Jingle { contents, ..Jingle::new(Action::ContentRemove, "s1") }
    };
    let events = pair.ends[BOB].handle(&alice(), &remove("video"));
    assert_eq!(events, Ok(vec![Event::Removed(remove("video").contents)]));
    let again = pair.ends[BOB].handle(&alice(), &remove("video"));
    assert_eq!(again, Err(Refusal::UnknownContent));
    let events = pair.ends[BOB].handle(&alice(), &remove("voice")).unwrap();
    assert!(matches!(
        &events[..],
        [
            Event::Removed(_),
            Event::Send(Jingle { action: Action::SessionTerminate, .. }),
            Event::Ended(_)
        ]
    ));
    assert_eq!(pair.ends[BOB].state(), State::Ended);
}

#[test]
fn the_other_side_says_who_sends() {
    let mut pair = Pair::active(&["voice"]);
    let mut modify = Jingle::new(Action::ContentModify, "s1");
    modify.contents.push(Content { senders: Some(Senders::Initiator), ..content("voice") });
    let events = pair.ends[BOB].handle(&alice(), &modify);
    assert_eq!(events, Ok(vec![Event::Modified(modify.contents.clone())]));
    assert_eq!(pair.ends[BOB].senders(Creator::Initiator, "voice"), Some(Senders::Initiator));
    modify.contents[0].senders = None;
    assert_eq!(pair.ends[BOB].handle(&alice(), &modify), Err(Refusal::BadRequest));
    // What is said of parameters changes nothing.
    let info = Jingle { action: Action::DescriptionInfo, ..modify };
    let before = pair.ends[BOB].clone();
    assert_eq!(pair.ends[BOB].handle(&alice(), &info), Ok(Vec::new()));
    assert_eq!(pair.ends[BOB], before);
}

#[test]
fn of_two_restarts_that_cross_the_initiators_goes_on() {
    let mut pair = Pair::active(&["voice"]);
    pair.act(ALICE, |alice| alice.replace_transport(vec![content("voice")]));
    pair.act(BOB, |bob| bob.replace_transport(vec![content("voice")]));
    pair.settle();
    assert_eq!(pair.take(ALICE), []);
    assert!(matches!(pair.take(BOB)[..], [Event::TransportOffered(_)]));
    // One at a time, whoever asks.
    let pending = Err(Error::Pending(Action::TransportReplace));
    assert_eq!(pair.ends[ALICE].replace_transport(vec![content("voice")]), pending);
    assert_eq!(pair.ends[BOB].replace_transport(vec![content("voice")]), pending);
    let mut twice = Jingle::new(Action::TransportReplace, "s1");
    twice.contents.push(content("voice"));
    assert_eq!(pair.ends[BOB].handle(&alice(), &twice), Err(Refusal::OutOfOrder));
    pair.act(BOB, |bob| bob.accept_transport(vec![content("voice")]));
    pair.settle();
    assert_eq!(pair.take(ALICE), [Event::TransportAccepted(vec![content("voice")])]);
    // And again, the other way, and in vain.
    pair.act(BOB, |bob| bob.replace_transport(vec![content("voice")]));
    pair.settle();
    let reason = Reason::from(Condition::UnsupportedTransports);
    pair.act(ALICE, |alice| alice.reject_transport(&[content("voice")], reason.clone()));
    pair.settle();
    assert_eq!(pair.take(BOB), [Event::TransportRejected(reason)]);
}

#[test]
fn an_accept_that_crosses_the_end_ends() {
    let mut pair = Pair::new(&["voice"]);
    pair.act(ALICE, |alice| alice.terminate(Condition::Cancel.into()));
    pair.act(BOB, |bob| bob.accept(vec![content("voice")], Vec::new()));
    pair.settle();
    assert_eq!(pair.take(BOB), [Event::Ended(Condition::Cancel.into())]);
    assert!(pair.ends.iter().all(|end| end.state() == State::Ended));
}

#[test]
fn refused_steps_have_not_happened() {
    let unavailable = StanzaError::from(stanza::Condition::ServiceUnavailable);
    let (mut session, _) = initiated(&["voice"]);
    let events = session.handle_result(Action::SessionInitiate, Err(&unavailable));
    assert!(matches!(&events[..], [Event::Ended(_)]));
    assert_eq!(session.state(), State::Ended);
    // Information that the other side does not know is no reason to end.
    let (mut session, _) = initiated(&["voice"]);
    let events = session.handle_result(Action::SessionInfo, Err(&Refusal::UnsupportedInfo.into()));
    assert_eq!((events, session.state()), (Vec::new(), State::Pending));
    // A peer that forgot the session is.
    let events = session.handle_result(Action::SessionInfo, Err(&Refusal::UnknownSession.into()));
    assert_eq!(events.last(), Some(&Event::Ended(Condition::Gone.into())));
}

#[test]
fn candidates_are_counted() {
    let mut pair = Pair::active(&["voice"]);
    let mut info = Jingle::new(Action::TransportInfo, "s1");
    info.contents.push(Content { transport: Some(candidates(64)), ..content("voice") });
    let mut taken = 1;
    while pair.ends[BOB].handle(&alice(), &info).is_ok() {
        taken += 64;
    }
    assert!(taken <= MAX_JINGLE_SESSION_CANDIDATES && taken + 64 > MAX_JINGLE_SESSION_CANDIDATES);
    assert_eq!(pair.ends[BOB].handle(&alice(), &info), Err(Refusal::TooMuch));
    // Another transport begins from anew.
    let replace = Jingle { action: Action::TransportReplace, ..info.clone() };
    assert!(pair.ends[BOB].handle(&alice(), &replace).is_ok());
    assert!(pair.ends[BOB].handle(&alice(), &info).is_ok());
}

#[test]
fn of_two_calls_that_cross_the_lower_name_goes_on() {
    assert_eq!(tie_break(("a", &bob()), ("b", &alice())), Glare::Ours);
    assert_eq!(tie_break(("b", &alice()), ("a", &bob())), Glare::Theirs);
    // Two of the same name: the lower initiator's.
    assert_eq!(tie_break(("a", &alice()), ("a", &bob())), Glare::Ours);
    assert_eq!(tie_break(("a", &bob()), ("a", &alice())), Glare::Theirs);
    let start = |us: Jid, peer: Jid, sid| {
        Session::initiate(us, peer, sid, vec![content("voice")], Vec::new()).unwrap()
    };
    let (mut alices, first) = start(alice(), bob(), "s1");
    let (bobs, second) = start(bob(), alice(), "s2");
    assert_eq!(alices.glare(&bob(), &second), Some(Glare::Ours));
    assert_eq!(bobs.glare(&alice(), &first), Some(Glare::Theirs));
    // Another device of the same person's knows nothing of it.
    assert_eq!(alices.glare(&jid("bob@example.test/c"), &second), None);
    assert_eq!(alices.glare(&jid("carol@example.test/c"), &second), None);
    // A call that is under way crosses nothing.
    let mut accept = Jingle::new(Action::SessionAccept, "s1");
    accept.contents.push(content("voice"));
    alices.handle(&bob(), &accept).unwrap();
    assert_eq!(alices.glare(&bob(), &second), None);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Deliver,
    Info,
    Candidates,
    Accept,
    Replace,
    AcceptTransport,
    RejectTransport,
    Terminate,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => Just(Op::Deliver),
        2 => Just(Op::Info),
        2 => Just(Op::Candidates),
        3 => Just(Op::Accept),
        2 => Just(Op::Replace),
        2 => Just(Op::AcceptTransport),
        1 => Just(Op::RejectTransport),
        1 => Just(Op::Terminate),
    ]
}

proptest! {
    /// Whatever both ends do, and however it crosses, in the end they agree.
    #[test]
    fn both_ends_agree(ops in vec((0..2_usize, op()), 0..60)) {
        let mut pair = Pair::new(&["voice", "video"]);
        for (end, op) in ops {
            let voice = || vec![content("voice")];
            let session = &mut pair.ends[end];
            let step = match op {
                Op::Deliver => {
                    pair.deliver(end);
                    continue;
                }
                Op::Info => session.info(Some(Info::Ringing)),
                Op::Candidates => session.transport_info(voice()),
                Op::Accept => session.accept(vec![content("voice"), content("video")], Vec::new()),
                Op::Replace => session.replace_transport(voice()),
                Op::AcceptTransport => session.accept_transport(voice()),
                Op::RejectTransport => session.reject_transport(&voice(), Reason::default()),
                Op::Terminate => session.terminate(Condition::Success.into()),
            };
            if let Ok(step) = step {
                pair.ways[1 - end].push_back(Sent::Step(Box::new(step)));
            }
        }
        pair.settle();
        let [alices, bobs] = &pair.ends;
        prop_assert_eq!(alices.state(), bobs.state());
        if alices.state() != State::Ended {
            prop_assert_eq!(&alices.contents, &bobs.contents);
            prop_assert_eq!(alices.replacing, bobs.offered);
            prop_assert_eq!(bobs.replacing, alices.offered);
        }
    }
}

fn proposed() -> (Proposal, Proposal, Initiation) {
    let (alices, propose) = Proposal::propose(alice(), jid("bob@example.test"), "p1", "audio");
    let bobs = Proposal::incoming(bob(), alice(), &propose).unwrap();
    (alices, bobs, propose)
}

#[test]
fn a_proposal_that_is_taken() {
    let (mut alices, mut bobs, propose) = proposed();
    assert!(propose.proposes("audio") && !propose.proposes("video"));
    let ringing = bobs.ringing().unwrap();
    assert_eq!(bobs.ringing(), None);
    assert_eq!(alices.handle(&bob(), &ringing), Some(ProposalEvent::Ringing));
    assert_eq!(alices.handle(&bob(), &ringing), None);
    assert!(!bobs.admits(&alice(), "p1"));
    let proceed = bobs.proceed().unwrap();
    assert_eq!(alices.handle(&jid("mallory@example.test/b"), &proceed), None);
    assert_eq!(alices.handle(&bob(), &proceed), Some(ProposalEvent::Proceed(bob())));
    assert_eq!(alices.state(), &ProposalState::Proceeding(bob()));
    // A second device is too late, and so is everything else.
    assert_eq!(alices.handle(&jid("bob@example.test/c"), &proceed), None);
    assert_eq!((alices.retract(Reason::default()), bobs.reject(Reason::default())), (None, None));
    assert!(bobs.admits(&alice(), "p1"));
    assert!(!bobs.admits(&jid("alice@example.test/other"), "p1") && !bobs.admits(&alice(), "p2"));
}

#[test]
fn proposals_that_come_to_nothing() {
    let (mut alices, mut bobs, _) = proposed();
    let reject = bobs.reject(Condition::Busy.into()).unwrap();
    let rejected = ProposalEvent::Rejected { reason: Condition::Busy.into(), tie_break: false };
    assert_eq!(alices.handle(&bob(), &reject), Some(rejected));
    let (mut alices, mut bobs, _) = proposed();
    let retract = alices.retract(Condition::Cancel.into()).unwrap();
    assert_eq!(bobs.handle(&jid("alice@example.test/other"), &retract), None);
    let retracted = Some(ProposalEvent::Retracted(Condition::Cancel.into()));
    assert_eq!(bobs.handle(&alice(), &retract), retracted);
    assert_eq!(bobs.proceed(), None);
    // Another device of Bob's takes it.
    let (_, mut bobs, _) = proposed();
    let accept = Initiation::Accept { id: "p1".to_owned() };
    assert_eq!(bobs.handle(&bob(), &accept), None);
    assert_eq!(bobs.handle(&jid("bob@example.test/c"), &accept), Some(ProposalEvent::Elsewhere));
    assert_eq!(bobs.state(), &ProposalState::Over);
    // One that is busy says nothing for the others; one where it is declined does.
    let (_, mut bobs, _) = proposed();
    let reject = |condition: Condition| {
        let (id, reason) = ("p1".to_owned(), Some(condition.into()));
        Initiation::Reject { id, reason, tie_break: false, unknown: Vec::new() }
    };
    let other = jid("bob@example.test/c");
    assert_eq!(bobs.handle(&other, &reject(Condition::Busy)), None);
    assert_eq!(bobs.handle(&other, &reject(Condition::Decline)), Some(ProposalEvent::Elsewhere));
}

/// Both of Bob's devices take it at once, or while Alice takes it back.
#[test]
fn what_was_taken_may_be_taken_back() {
    let (mut alices, mut desk, propose) = proposed();
    let mut garden = Proposal::incoming(jid("bob@example.test/c"), alice(), &propose).unwrap();
    let proceeds = [desk.proceed().unwrap(), garden.proceed().unwrap()];
    let accept = Initiation::Accept { id: "p1".to_owned() };
    assert_eq!(desk.handle(&jid("bob@example.test/c"), &accept), Some(ProposalEvent::Contested));
    assert_eq!(garden.handle(&bob(), &accept), Some(ProposalEvent::Contested));
    assert_eq!(alices.handle(&bob(), &proceeds[0]), Some(ProposalEvent::Proceed(bob())));
    assert_eq!(alices.handle(&jid("bob@example.test/c"), &proceeds[1]), None);
    let back = Proposal::take_back(alices.id());
    let retracted = Some(ProposalEvent::Retracted(Condition::Cancel.into()));
    assert_eq!(garden.handle(&alice(), &back), retracted);
    assert!(!garden.admits(&alice(), "p1") && desk.admits(&alice(), "p1"));
    assert_eq!(garden.handle(&bob(), &accept), None);
    let (mut alices, mut bobs, _) = proposed();
    let (proceed, retract) = (bobs.proceed().unwrap(), alices.retract(Reason::default()).unwrap());
    assert_eq!(alices.handle(&bob(), &proceed), None);
    assert!(matches!(bobs.handle(&alice(), &retract), Some(ProposalEvent::Retracted(_))));
}

#[test]
fn of_two_proposals_that_cross_the_lower_name_goes_on() {
    let (alices, first) = Proposal::propose(alice(), jid("bob@example.test"), "p1", "audio");
    let (mut bobs, second) = Proposal::propose(bob(), jid("alice@example.test"), "p2", "audio");
    assert_eq!(alices.glare(&bob(), &second), Some(Glare::Ours));
    assert_eq!(bobs.glare(&alice(), &first), Some(Glare::Theirs));
    assert_eq!(bobs.glare(&jid("carol@example.test/c"), &first), None);
    let yielding = Proposal::yield_to(&second);
    let event = bobs.handle(&alice(), &yielding);
    assert!(matches!(event, Some(ProposalEvent::Rejected { tie_break: true, .. })));
    assert_eq!(bobs.glare(&alice(), &first), None);
}

/// Each recording, driven through a session at the caller's end.
#[test]
fn recordings_are_sessions() {
    for recording in [
        include_str!("../../../tests/fixtures/jingle/dino-0.4.2.xml"),
        include_str!("../../../tests/fixtures/jingle/stanza-12.22-chromium-156.xml"),
    ] {
        let steps = crate::jingle::tests::steps(recording);
        let (None, initiate) = &steps[0] else { panic!("the caller sends first") };
        let us = jid("alice@example.test/dino.alice");
        let peer = steps.iter().find_map(|(from, _)| from.clone()).unwrap();
        let contents = initiate.contents.clone();
        let mut bobs = Session::incoming(peer.clone(), us.clone(), initiate).unwrap();
        let (mut session, _) =
            Session::initiate(us.clone(), peer, &initiate.sid, contents, Vec::new()).unwrap();
        let mut accepted = false;
        for (from, step) in &steps[1..] {
            let Some(from) = from else {
                // What the caller sent goes to the other end.
                let events = bobs.handle(&us, step).unwrap();
                assert!(matches!(&events[..], [Event::Transport(_)]));
                continue;
            };
            let events = session.handle(from, step).unwrap();
            match &events[..] {
                [Event::Accepted { .. }] => accepted = true,
                [Event::Transport(_)] => assert!(accepted),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(session.state(), State::Active);
    }
}
