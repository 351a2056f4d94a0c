use std::time::Duration;

use machine::{Entropy, Ids, Transport};

use super::{Account, AccountId, Body, By, CallId, Config, Event, Reason, UserAgent};
use crate::status::Status;
use crate::testing::Net;

const MS: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);

/// Alice at 10.0.0.1 and Bob at 10.0.0.2, who send everything to each other.
struct Pair {
    net: Net<UserAgent>,
    accounts: [AccountId; 2],
}

fn agent(seed: u64, user: &str, server: &str) -> (UserAgent, AccountId) {
    let mut agent = UserAgent::new(Config::default(), Ids::new(1), &Entropy::seeded(seed));
    agent.listen(Transport::Udp, "0.0.0.0:5060".parse().unwrap());
    agent.listen(Transport::Tcp, "0.0.0.0:5060".parse().unwrap());
    let address = format!("sip:{user}@test").parse::<crate::Uri>().unwrap();
    let mut account = Account::new(address.as_sip().unwrap().clone(), "secret");
    account.server = Some(server.parse().unwrap());
    account.display_name = user.to_uppercase();
    let id = agent.add_account(account);
    (agent, id)
}

fn body(text: &str) -> Body {
    Body::sdp(text)
}

impl Pair {
    fn new() -> Self {
        let (alice, a) = agent(1, "alice", "sip:10.0.0.2");
        let (bob, b) = agent(2, "bob", "sip:10.0.0.1");
        let mut net = Net::new([("10.0.0.1", alice), ("10.0.0.2", bob)]);
        net.run(MS);
        let mut pair = Self { net, accounts: [a, b] };
        (0..4).for_each(|n| assert!(matches!(pair.event(n % 2), Event::Listening { .. })));
        pair
    }

    fn next(&mut self, index: usize) -> Option<Event> {
        self.net.on(index, |agent, _| agent.poll_event())
    }

    fn event(&mut self, index: usize) -> Event {
        match self.next(index) {
            Some(event) => event,
            None => panic!("no event: {:#?}", self.net.log),
        }
    }

    fn run(&mut self, time: Duration) {
        self.net.run(time);
    }

    /// Alice calls Bob; gives both names of the call.
    fn ringing(&mut self) -> (CallId, CallId) {
        let account = self.accounts[0];
        let to = "sip:bob@test".parse().unwrap();
        let ours = self.net.on(0, |a, now| a.invite(now, account, to, body("offer")));
        self.run(50 * MS);
        let Event::Incoming { call: theirs, from, display_name, body: offer, .. } = self.event(1)
        else {
            panic!("no call");
        };
        assert_eq!((from.to_string().as_str(), display_name.as_str()), ("sip:alice@test", "ALICE"));
        assert_eq!(offer, Some(body("offer")));
        self.net.on(1, |agent, now| agent.ring(now, theirs, None));
        self.run(50 * MS);
        let (call, status, early) = (ours, Status::RINGING, None);
        assert_eq!(self.event(0), Event::Progress { call, status, body: early });
        (ours, theirs)
    }

    fn up(&mut self) -> (CallId, CallId) {
        let (ours, theirs) = self.ringing();
        self.net.on(1, |agent, now| agent.answer(now, theirs, body("answer")));
        self.run(50 * MS);
        assert_eq!(self.event(0), Event::Answered { call: ours, body: Some(body("answer")) });
        assert_eq!(self.event(1), Event::Confirmed { call: theirs, body: None });
        (ours, theirs)
    }

    fn assert_forgotten(&mut self) {
        self.run(70 * SEC);
        for index in 0..2 {
            assert_eq!(self.next(index), None);
            let agent = &self.net.nodes[index].part;
            assert!(agent.calls.is_empty() && agent.dialogs.is_empty(), "{agent:#?}");
            assert!(agent.pending.is_empty() && agent.answered.is_empty(), "{agent:#?}");
            assert_eq!((agent.stats().clients, agent.stats().servers), (0, 0));
        }
    }
}

fn ended(call: CallId, reason: Reason, by: By) -> Event {
    Event::Ended { call, reason, by }
}

#[test]
fn a_call_that_either_side_ends() {
    for ends in 0..2 {
        let mut pair = Pair::new();
        let calls = pair.up();
        let (first, second) = if ends == 0 { calls } else { (calls.1, calls.0) };
        pair.run(90 * SEC);
        pair.net.on(ends, |agent, now| agent.hangup(now, first));
        pair.run(SEC);
        assert_eq!(pair.event(ends), ended(first, Reason::Bye, By::Us));
        assert_eq!(pair.event(1 - ends), ended(second, Reason::Bye, By::Them));
        assert_eq!(pair.net.count("SIP/2.0 200"), 2);
        pair.assert_forgotten();
    }
}

#[test]
fn a_call_that_is_refused() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.ringing();
    pair.net.on(1, |agent, now| agent.reject(now, theirs, Status::DECLINE));
    pair.run(SEC);
    let reason = Reason::Refused { status: Status::DECLINE, phrase: "Decline".to_owned() };
    assert_eq!(pair.event(0), ended(ours, reason, By::Them));
    assert_eq!(pair.event(1), ended(theirs, Reason::Rejected(Status::DECLINE), By::Us));
    pair.assert_forgotten();
}

#[test]
fn a_call_that_is_given_up() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.ringing();
    pair.net.on(0, |agent, now| agent.hangup(now, ours));
    pair.run(SEC);
    assert_eq!(pair.event(0), ended(ours, Reason::Cancelled, By::Us));
    assert_eq!(pair.event(1), ended(theirs, Reason::Abandoned, By::Them));
    assert_eq!(pair.net.count("SIP/2.0 487"), 1);
    pair.assert_forgotten();
}

#[test]
fn giving_up_that_comes_too_late_is_a_bye() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.ringing();
    pair.net.on(1, |agent, now| agent.answer(now, theirs, body("answer")));
    pair.net.on(0, |agent, now| agent.hangup(now, ours));
    pair.run(SEC);
    assert_eq!(pair.event(0), ended(ours, Reason::Cancelled, By::Us));
    assert_eq!(pair.event(1), Event::Confirmed { call: theirs, body: None });
    assert_eq!(pair.event(1), ended(theirs, Reason::Bye, By::Them));
    pair.assert_forgotten();
}

#[test]
fn an_answer_is_sent_until_it_is_acknowledged() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.ringing();
    let mut acks = 0;
    pair.net.lose = Box::new(move |line| {
        acks += usize::from(line.contains("ACK"));
        line.contains("ACK") && acks <= 2
    });
    pair.net.on(1, |agent, now| agent.answer(now, theirs, body("answer")));
    pair.run(10 * SEC);
    assert_eq!(pair.event(0), Event::Answered { call: ours, body: Some(body("answer")) });
    assert_eq!(pair.event(1), Event::Confirmed { call: theirs, body: None });
    assert_eq!(pair.net.count("SIP/2.0 200"), 3);
    assert_eq!(pair.net.count("ACK"), 3);
    assert_eq!(pair.next(0), None);
}

#[test]
fn an_answer_that_is_never_acknowledged() {
    let mut pair = Pair::new();
    let (_, theirs) = pair.ringing();
    pair.net.lose = Box::new(|line| line.contains("ACK"));
    pair.net.on(1, |agent, now| agent.answer(now, theirs, body("answer")));
    pair.run(40 * SEC);
    assert_eq!(pair.event(1), ended(theirs, Reason::NotAcknowledged, By::Them));
    assert!(matches!(pair.event(0), Event::Answered { .. }));
    assert!(matches!(pair.event(0), Event::Ended { reason: Reason::Bye, by: By::Them, .. }));
    pair.assert_forgotten();
}

#[test]
fn the_callee_hangs_up_before_the_ack() {
    let mut pair = Pair::new();
    let (_, theirs) = pair.ringing();
    pair.net.on(1, |agent, now| agent.answer(now, theirs, body("answer")));
    pair.net.on(1, |agent, now| agent.hangup(now, theirs));
    assert_eq!(pair.net.count("BYE"), 0);
    pair.run(SEC);
    assert_eq!(pair.event(1), ended(theirs, Reason::Bye, By::Us));
    assert!(matches!(pair.event(0), Event::Answered { .. }));
    assert!(matches!(pair.event(0), Event::Ended { by: By::Them, .. }));
    pair.assert_forgotten();
}

#[test]
fn nobody_answers() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.ringing();
    pair.run(200 * SEC);
    let status = Status::TEMPORARILY_UNAVAILABLE;
    assert_eq!(pair.event(1), ended(theirs, Reason::Rejected(status), By::Us));
    while let Some(event) = pair.next(0) {
        if let Event::Ended { call, reason, .. } = event {
            assert_eq!(call, ours);
            assert!(matches!(reason, Reason::Refused { status: s, .. } if s == status));
            assert_eq!(pair.net.count("SIP/2.0 180"), 3);
            return;
        }
    }
    panic!("the call goes on");
}

#[test]
fn nobody_is_there() {
    let mut pair = Pair::new();
    let account = pair.accounts[0];
    pair.net.lose = Box::new(|_| true);
    let to = "sip:bob@test".parse().unwrap();
    let call = pair.net.on(0, |a, now| a.invite(now, account, to, body("offer")));
    pair.run(40 * SEC);
    assert_eq!(pair.event(0), ended(call, Reason::TimedOut, By::Them));
    pair.assert_forgotten();
}

#[test]
fn a_user_who_is_not_here() {
    let mut pair = Pair::new();
    let account = pair.accounts[0];
    let to = "sip:carol@test".parse().unwrap();
    let call = pair.net.on(0, |a, now| a.invite(now, account, to, body("offer")));
    pair.run(SEC);
    let reason = Reason::Refused { status: Status::NOT_FOUND, phrase: "Not Found".to_owned() };
    assert_eq!(pair.event(0), ended(call, reason, By::Them));
    pair.assert_forgotten();
}

#[test]
fn reoffers_both_ways() {
    let mut pair = Pair::new();
    let calls = pair.up();
    for from in [0, 1, 0] {
        let to = 1 - from;
        let (ours, theirs) = if from == 0 { calls } else { (calls.1, calls.0) };
        pair.net.on(from, |agent, now| agent.reinvite(now, ours, body("again")));
        pair.run(50 * MS);
        assert_eq!(pair.event(to), Event::Reoffer { call: theirs, body: Some(body("again")) });
        pair.net.on(to, |agent, now| agent.accept_reoffer(now, theirs, body("fine")));
        pair.run(50 * MS);
        assert_eq!(
            pair.event(from),
            Event::ReofferAnswered { call: ours, body: Some(body("fine")) }
        );
        assert_eq!(pair.event(to), Event::Confirmed { call: theirs, body: None });
    }
    let (ours, theirs) = calls;
    pair.net.on(0, |agent, now| agent.reinvite(now, ours, body("no")));
    pair.run(50 * MS);
    assert!(matches!(pair.event(1), Event::Reoffer { .. }));
    pair.net.on(1, |agent, now| agent.reject_reoffer(now, theirs, Status::NOT_ACCEPTABLE_HERE));
    pair.run(50 * MS);
    assert!(matches!(pair.event(0), Event::ReofferRefused { .. }));
    pair.net.on(1, |agent, now| agent.hangup(now, theirs));
    pair.run(SEC);
    assert_eq!(pair.event(0), ended(ours, Reason::Bye, By::Them));
    assert_eq!(pair.event(1), ended(theirs, Reason::Bye, By::Us));
    pair.assert_forgotten();
}

#[test]
fn reoffers_that_meet_are_tried_again() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.up();
    pair.net.on(0, |agent, now| agent.reinvite(now, ours, body("a")));
    pair.net.on(1, |agent, now| agent.reinvite(now, theirs, body("b")));
    pair.run(100 * MS);
    assert_eq!(pair.net.count("SIP/2.0 491"), 2);
    let mut answered = [false; 2];
    for _ in 0..100 {
        pair.run(100 * MS);
        for (index, answered) in answered.iter_mut().enumerate() {
            match pair.next(index) {
                Some(Event::Reoffer { call, .. }) => {
                    pair.net.on(index, |agent, now| agent.accept_reoffer(now, call, body("ok")));
                }
                Some(Event::ReofferAnswered { .. }) => *answered = true,
                _ => {}
            }
        }
    }
    assert_eq!(answered, [true, true]);
}

#[test]
fn a_far_side_that_has_lost_the_call() {
    let mut pair = Pair::new();
    let (ours, theirs) = pair.up();
    pair.net.on(1, |agent, now| agent.end(now, theirs, Reason::Lost, By::Us));
    pair.event(1);
    pair.net.on(0, |agent, now| agent.reinvite(now, ours, body("a")));
    pair.run(SEC);
    assert_eq!(pair.net.count("SIP/2.0 481"), 2);
    assert_eq!(pair.event(0), ended(ours, Reason::Lost, By::Them));
}

#[test]
fn too_many_calls_are_busy() {
    let mut pair = Pair::new();
    let account = pair.accounts[0];
    for _ in 0..=crate::defaults::CALLS {
        let to = "sip:bob@test".parse().unwrap();
        pair.net.on(0, |a, now| a.invite(now, account, to, body("offer")));
    }
    pair.run(SEC);
    assert_eq!(pair.net.count("SIP/2.0 486"), 1);
    assert_eq!(pair.net.nodes[1].part.calls.len(), crate::defaults::CALLS);
}

/// Something that one side does, or time that passes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Invite,
    Ring(usize),
    Answer(usize),
    Reject(usize),
    Hangup(usize),
    Reinvite(usize),
    Accept(usize),
    Refuse(usize),
    Wait(u64),
}

fn any_step() -> impl proptest::strategy::Strategy<Value = (usize, Step)> {
    use proptest::prelude::*;
    let call = 0..4usize;
    let step = prop_oneof![
        2 => Just(Step::Invite),
        1 => call.clone().prop_map(Step::Ring),
        3 => call.clone().prop_map(Step::Answer),
        1 => call.clone().prop_map(Step::Reject),
        2 => call.clone().prop_map(Step::Hangup),
        2 => call.clone().prop_map(Step::Reinvite),
        2 => call.clone().prop_map(Step::Accept),
        1 => call.prop_map(Step::Refuse),
        6 => (0..4000u64).prop_map(Step::Wait),
    ];
    (0..2usize, step)
}

fn take_step(pair: &mut Pair, index: usize, step: Step) {
    let account = pair.accounts[index];
    let known: Vec<CallId> = pair.net.nodes[index].part.calls.keys().copied().collect();
    let call = |n: usize| known.get(n % known.len().max(1)).copied().unwrap_or(CallId(999));
    let to: crate::Uri = ["sip:bob@test", "sip:alice@test"][index].parse().unwrap();
    pair.net.on(index, |agent, now| match step {
        Step::Invite => {
            agent.invite(now, account, to, body("offer"));
        }
        Step::Ring(n) => agent.ring(now, call(n), None),
        Step::Answer(n) => agent.answer(now, call(n), body("answer")),
        Step::Reject(n) => agent.reject(now, call(n), Status::DECLINE),
        Step::Hangup(n) => agent.hangup(now, call(n)),
        Step::Reinvite(n) => agent.reinvite(now, call(n), body("offer")),
        Step::Accept(n) => agent.accept_reoffer(now, call(n), body("answer")),
        Step::Refuse(n) => agent.reject_reoffer(now, call(n), Status::NOT_ACCEPTABLE_HERE),
        Step::Wait(_) => {}
    });
    if let Step::Wait(millis) = step {
        pair.run(MS * millis as u32);
    }
}

proptest::proptest! {
    /// Whatever both sides do, and however many datagrams are lost on the way: every call ends
    /// exactly once, and nothing of it is left.
    #[test]
    fn every_call_ends_once(
        seed in proptest::prelude::any::<u64>(),
        loss in 0..40u64,
        steps in proptest::collection::vec(any_step(), 1..40),
    ) {
        let mut pair = Pair::new();
        let mut entropy = Entropy::seeded(seed);
        pair.net.lose = Box::new(move |_| entropy.below(100) < loss);
        for (index, step) in steps {
            take_step(&mut pair, index, step);
        }
        pair.net.lose = Box::new(|_| false);
        pair.run(SEC * 40);
        for round in 0..4 {
            for index in 0..2 {
                (0..8).for_each(|n| take_step(&mut pair, index, Step::Hangup(n)));
            }
            pair.run(SEC * if round == 0 { 300 } else { 70 });
        }
        for index in 0..2 {
            let mut begun: Vec<CallId> = Vec::new();
            let mut over: Vec<CallId> = Vec::new();
            while let Some(event) = pair.next(index) {
                match event {
                    Event::Incoming { call, .. } => begun.push(call),
                    Event::Ended { call, .. } => over.push(call),
                    _ => {}
                }
            }
            let unique: std::collections::BTreeSet<_> = over.iter().collect();
            proptest::prop_assert_eq!(unique.len(), over.len());
            proptest::prop_assert!(begun.iter().all(|call| over.contains(call)));
            let agent = &pair.net.nodes[index].part;
            proptest::prop_assert!(agent.calls.is_empty() && agent.dialogs.is_empty());
            proptest::prop_assert!(agent.pending.is_empty(), "{:#?}", agent.pending);
            proptest::prop_assert!(agent.answered.is_empty(), "{:?}", agent.answered);
            proptest::prop_assert!(agent.timers.is_empty());
            proptest::prop_assert_eq!((agent.stats().clients, agent.stats().servers), (0, 0));
        }
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_told_at_once() {
    let (mut agent, _) = agent(1, "alice", "sip:10.0.0.2");
    let address = "sip:carol@test".parse::<crate::Uri>().unwrap();
    let mut account = Account::new(address.as_sip().unwrap().clone(), "secret");
    account.server = Some("sip:10.0.0.2;transport=sctp".parse().unwrap());
    let account = agent.add_account(account);
    let mut net = Net::new([("10.0.0.1", agent)]);
    net.run(MS);
    net.on(0, |agent, now| agent.register(now, account));
    let mut events = Vec::new();
    net.on(0, |agent, _| events.extend(std::iter::from_fn(|| agent.poll_event())));
    let failed = |event: &Event| matches!(event, Event::RegistrationFailed { account: a, .. } if *a == account);
    assert!(events.iter().any(failed), "{events:?}");
}

#[test]
fn strangers_ring_nobody_whose_phone_takes_calls_of_its_server_alone() {
    let mut pair = Pair::new();
    pair.net.nodes[1].part.config.only_from_server = true;
    let account = pair.accounts[0];
    for to in ["sip:bob@test", "sip:nobody@test"] {
        let to = to.parse().unwrap();
        let call = pair.net.on(0, |a, now| a.invite(now, account, to, body("offer")));
        pair.run(SEC);
        let (status, phrase) = (Status::FORBIDDEN, "Forbidden".to_owned());
        assert_eq!(pair.event(0), ended(call, Reason::Refused { status, phrase }, By::Them));
    }
    assert_eq!(pair.next(1), None);
    pair.assert_forgotten();
}

#[test]
fn what_the_far_side_can_do() {
    let mut pair = Pair::new();
    let account = pair.accounts[0];
    for (to, known) in [("sip:bob@test", true), ("sip:nobody@test", false)] {
        let query = pair.net.on(0, |a, now| a.options(now, account, to.parse().unwrap()));
        pair.run(SEC);
        let Event::Capabilities { query: q, allow } = pair.event(0) else { panic!() };
        assert_eq!(q, query);
        assert_eq!(allow.is_ok_and(|methods| methods.contains(&crate::Method::Invite)), known);
    }
    pair.assert_forgotten();
}
