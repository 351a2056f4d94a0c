//! What Jingle's requests, their answers and the state of the stream mean for calls.

use call::call::Error as CallFailure;
use call::description::Creator;
use call::map::jingle as map;
use call::media::Source;
use call::{Call, negotiate};
use machine::{Instant, Now};
use xmpp::client::{RequestError, RequestId};
use xmpp::jingle::initiation::ProposalEvent;
use xmpp::jingle::session::Glare;
use xmpp::jingle::{
    self as wire, Action, Condition, Content, Info, Jingle, Proposal, Reason, Refusal, State,
};
use xmpp::stanza::StanzaError;
use xmpp::{BareJid, Element, Jid, Stanza};

use crate::account::Line;
use crate::defaults::RING_LIMIT;
use crate::event::{By, CallId, EndReason, Event};
use crate::phone::Phone;
use crate::reason::JingleEnd;
use crate::session::Session;
use crate::signalling::jingle::{Leg, Stage, tell, usable};
use crate::signalling::{Context, Signalling};

/// What the owner does.
impl Phone {
    /// Looks which device a call of ours goes to. `hurry`: decides now.
    pub(crate) fn seek(&mut self, now: Now, call: CallId, hurry: bool) {
        let found = self.at_work(now, call).and_then(|(mut context, session)| {
            let (leg, call) = session.jingle_mut()?;
            Some(leg.seek(&mut context, call, hurry))
        });
        if let Some(Err(end)) = found {
            self.drop_session(now, call, end.into(), By::Them);
        }
    }

    /// More is known of somebody's devices.
    pub(crate) fn seek_again(&mut self, now: Now, account: usize, person: &BareJid) {
        let seeks = |leg: &Leg| {
            leg.account == account && matches!(&leg.stage, Stage::Seeking(to) if to == person)
        };
        for call in self.calls_whose(seeks) {
            self.seek(now, call, false);
        }
    }

    /// Hangs up, as it fits the state of the call and why it is.
    pub(crate) fn hang_up_jingle(&mut self, now: Now, call: CallId) {
        let Some(session) = self.sessions.get(&call) else { return };
        let Some(leg) = session.jingle() else { return };
        let called = leg.session().is_some_and(|s| s.role() == wire::Creator::Responder);
        let (condition, end) = match (&session.fate, session.is_answered()) {
            (Some(fate), _) => (condition_of(fate), JingleEnd::Lost),
            (None, true) => (Condition::Success, JingleEnd::HungUp),
            (None, false) if called => (Condition::Decline, JingleEnd::Rejected { busy: false }),
            (None, false) => (Condition::Cancel, JingleEnd::Cancelled),
        };
        self.end_jingle(now, call, condition, end, By::Us);
    }

    /// Refuses a session that came.
    pub(crate) fn reject_jingle(&mut self, now: Now, call: CallId, busy: bool) {
        let rings = |session: &Session| {
            let session = session.jingle().and_then(Leg::session);
            session.is_some_and(|session| {
                session.role() == wire::Creator::Responder && session.state() == State::Pending
            })
        };
        if self.sessions.get(&call).is_some_and(rings) {
            let condition = if busy { Condition::Busy } else { Condition::Decline };
            self.end_jingle(now, call, condition, JingleEnd::Rejected { busy }, By::Us);
        }
    }

    fn end_jingle(&mut self, now: Now, call: CallId, condition: Condition, end: JingleEnd, by: By) {
        if let Some((mut context, session)) = self.at_work(now, call)
            && let Some((leg, _)) = session.jingle_mut()
        {
            leg.end(&mut context, condition);
        }
        self.drop_session(now, call, end.into(), by);
    }
}

/// What the other side does.
impl Phone {
    /// A request of Jingle's.
    pub(crate) fn handle_jingle(
        &mut self,
        now: Now,
        account: usize,
        iq: &Stanza,
        payload: &Element,
    ) {
        let Some(from) = iq.from().cloned() else {
            return self.respond(now, account, iq, Err(Refusal::UnknownSession));
        };
        let Ok(step) = Jingle::try_from(payload) else {
            return self.respond(now, account, iq, Err(Refusal::BadRequest));
        };
        let ours = |leg: &Leg| leg.account == account && leg.is_between(&from, &step.sid);
        match self.calls_whose(ours).first() {
            Some(call) => {
                let (call, session) = (*call, self.sessions.get_mut(call));
                let handled = session.and_then(Session::jingle_mut);
                let Some((leg, _)) = handled else { return };
                match leg.handle(&from, &step) {
                    Ok(events) => {
                        self.respond(now, account, iq, Ok(()));
                        self.follow(now, call, events);
                    }
                    Err(refusal) => self.respond(now, account, iq, Err(refusal)),
                }
            }
            None if step.action == Action::SessionInitiate => {
                self.handle_initiate(now, account, iq, from, &step);
            }
            None => self.respond(now, account, iq, Err(Refusal::UnknownSession)),
        }
    }

    fn respond(&mut self, now: Now, account: usize, iq: &Stanza, result: Result<(), Refusal>) {
        if let Some(client) = self.lines.get_mut(account).and_then(Line::client_mut) {
            let result = result.map(|()| None).map_err(StanzaError::from);
            let _ = client.respond(now, iq, result);
        }
    }

    /// Somebody begins a session.
    fn handle_initiate(
        &mut self,
        now: Now,
        account: usize,
        iq: &Stanza,
        from: Jid,
        initiate: &Jingle,
    ) {
        let crossing = |leg: &Leg| {
            leg.account == account
                && leg.session().is_some_and(|ours| ours.glare(&from, initiate).is_some())
        };
        let crossing = self.calls_whose(crossing).first().copied();
        let glare = crossing
            .and_then(|call| self.sessions.get(&call)?.jingle()?.session()?.glare(&from, initiate));
        if glare == Some(Glare::Ours) {
            return self.respond(now, account, iq, Err(Refusal::TieBreak));
        }
        let us = self.lines.get(account).and_then(Line::jid).cloned();
        let Some(us) = us else { return };
        let session = match wire::Session::incoming(us.into(), from.clone(), initiate) {
            Ok(session) => session,
            Err(refusal) => return self.respond(now, account, iq, Err(refusal)),
        };
        self.respond(now, account, iq, Ok(()));
        // Both want to talk: theirs takes the place of ours, and is answered at once. So is one that we
        // told to come.
        let wanted = match crossing.and_then(|call| self.give_way(now, call)) {
            Some(wanted) => Some(wanted),
            None => match self.take_invitation(account, &from, &initiate.sid) {
                Ok(wanted) => wanted,
                Err(condition) => return self.refuse(now, account, session, condition),
            },
        };
        if wanted.is_none() && (self.is_full() || self.is_stopping()) {
            return self.refuse(now, account, session, Condition::Busy);
        }
        self.open_session(now, account, session, initiate, wanted);
    }

    /// A call of ours gives way to one that came: its name, and what it would have played.
    fn give_way(&mut self, now: Now, call: CallId) -> Option<(CallId, Source)> {
        let mut session = self.sessions.remove(&call)?;
        let source = session.jingle()?.source.clone();
        session.call.end(now, &mut self.connect);
        Some((call, source))
    }

    /// Refuses a session that nobody was told of.
    fn refuse(&mut self, now: Now, account: usize, mut session: wire::Session, why: Condition) {
        let client = self.lines.get_mut(account).and_then(Line::client_mut);
        if let (Some(client), Ok(step)) = (client, session.terminate(why.into())) {
            let _ = client.request(now, session.peer().clone(), Element::from(&step), true);
        }
    }

    /// A session becomes a call: a new one that rings, or one that is wanted already.
    fn open_session(
        &mut self,
        now: Now,
        account: usize,
        session: wire::Session,
        initiate: &Jingle,
        wanted: Option<(CallId, Source)>,
    ) {
        let (fresh, entropy) = self.next_call();
        let mut map = map::Session::new(Creator::Responder, &entropy);
        let offer = usable(map.read(&initiate.contents, &initiate.groups));
        let answers = wanted.is_some();
        let (id, source) = wanted.unwrap_or_else(|| (fresh, Source::silence()));
        let config = self.call_config(account, source);
        let (connect, entropy) = (&mut self.connect, entropy.fork("phone.call"));
        let call = match Call::incoming(now, config, offer.clone(), connect, entropy) {
            Ok(call) => call,
            Err(error) => {
                let condition = match &error {
                    CallFailure::Negotiation(error) => map::condition(&initiate.contents, error),
                    _ => Condition::FailedTransport,
                };
                self.refuse(now, account, session, condition);
                if answers {
                    let ended = Event::Ended { call: id, reason: error.into(), by: By::Us };
                    self.events.push_back(ended);
                }
                return;
            }
        };
        let from = format!("xmpp:{}", session.peer());
        let leg = Leg::incoming(now, account, session, map);
        let session = Session::new(id, call, Signalling::Jingle(Box::new(leg)));
        if !answers {
            let display_name = String::new();
            self.events.push_back(Event::Incoming { call: id, account, from, display_name });
        }
        session.tell_remote(&offer, &mut self.events);
        self.sessions.insert(id, session);
        let Some((mut context, session)) = self.at_work(now, id) else { return };
        if answers {
            session.fate = session.answer(now, context.connect).err();
        } else if let Some((leg, _)) = session.jingle_mut() {
            leg.ring(&mut context);
        }
    }

    /// What came of a step of ours.
    pub(crate) fn handle_result(
        &mut self,
        now: Now,
        account: usize,
        request: RequestId,
        result: Result<(), RequestError>,
    ) {
        let mut sessions = self.sessions.values_mut();
        let found = sessions.find_map(|session| {
            let call = session.id;
            let (leg, _) = session.jingle_mut().filter(|(leg, _)| leg.account == account)?;
            Some((call, leg.answered(request)?))
        });
        let Some((call, action)) = found else { return };
        let begins = action == Action::SessionInitiate;
        let end = match &result {
            Err(RequestError::Refused(error)) if begins => Some(JingleEnd::refused(error)),
            Err(RequestError::TimedOut) if begins => Some(JingleEnd::TimedOut),
            Err(RequestError::TimedOut) if action == Action::SessionAccept => Some(JingleEnd::Lost),
            _ => None,
        };
        if let Some(end) = end {
            return self.drop_session(now, call, end.into(), By::Them);
        }
        let result = match &result {
            Ok(()) => Ok(()),
            Err(RequestError::Refused(error)) => Err(error),
            // The call goes on without the step.
            Err(RequestError::TimedOut | RequestError::Offline) => return,
        };
        let leg = self.sessions.get_mut(&call).and_then(Session::jingle_mut);
        let events = leg.map(|(leg, _)| leg.handle_result(action, result)).unwrap_or_default();
        self.follow(now, call, events);
    }

    /// Does what follows from the events of a session.
    fn follow(&mut self, now: Now, call: CallId, events: Vec<wire::Event>) {
        for event in events {
            let Some((mut context, session)) = self.at_work(now, call) else { return };
            if let Some(end) = session.handle_jingle(&mut context, event) {
                self.drop_session(now, call, end, By::Them);
            }
        }
    }

    /// The calls over Jingle of which something is so.
    fn calls_whose(&self, mut is_so: impl FnMut(&Leg) -> bool) -> Vec<CallId> {
        let sessions = self.sessions.values();
        let found = sessions.filter(|session| session.jingle().is_some_and(&mut is_so));
        found.map(|session| session.id).collect()
    }
}

/// Proposals of ours.
impl Phone {
    /// Takes an answer to a proposal of ours.
    pub(crate) fn proposal_answered(
        &mut self,
        now: Now,
        account: usize,
        from: &Jid,
        answer: &wire::Initiation,
    ) {
        let waiting =
            |leg: &Leg| leg.account == account && matches!(leg.stage, Stage::Proposing(_));
        for call in self.calls_whose(waiting) {
            let Some((mut context, session)) = self.at_work(now, call) else { continue };
            let Some((leg, own)) = session.jingle_mut() else { continue };
            match leg.proposal_mut().and_then(|proposal| proposal.handle(from, answer)) {
                Some(ProposalEvent::Ringing) => session.ringing(context.events),
                Some(ProposalEvent::Proceed(device)) => leg.proceed(&mut context, own, device),
                Some(ProposalEvent::Rejected { reason, tie_break: false }) => {
                    let end = JingleEnd::terminated(&reason);
                    self.drop_session(now, call, end.into(), By::Them);
                }
                // Theirs goes on, and comes.
                Some(ProposalEvent::Rejected { tie_break: true, .. })
                | Some(ProposalEvent::Retracted(_) | ProposalEvent::Elsewhere)
                | None => {}
            }
        }
    }

    /// A proposal of ours came back: its call is over.
    pub(crate) fn proposal_failed(
        &mut self,
        now: Now,
        account: usize,
        id: &str,
        error: &StanzaError,
    ) {
        let proposed = |leg: &Leg| {
            let proposing = matches!(leg.stage, Stage::Proposing(_));
            leg.account == account && proposing && leg.sid == id
        };
        let found = self.calls_whose(proposed).first().copied();
        if let Some(call) = found {
            self.drop_session(now, call, JingleEnd::refused(error).into(), By::Them);
        }
    }

    /// Whether a proposal that came crossed one of ours, which goes on.
    pub(crate) fn proposals_cross(
        &mut self,
        now: Now,
        account: usize,
        from: &Jid,
        propose: &wire::Initiation,
    ) -> Option<Glare> {
        let ours = |leg: &Leg| match &leg.stage {
            Stage::Proposing(proposal) if leg.account == account => proposal.glare(from, propose),
            _ => None,
        };
        let call = *self.calls_whose(|leg| ours(leg).is_some()).first()?;
        let glare = self.sessions.get(&call).and_then(Session::jingle).and_then(ours)?;
        match glare {
            Glare::Ours => {
                let answer = Proposal::yield_to(propose);
                tell(now, &mut self.lines, account, from, &answer);
            }
            Glare::Theirs => {
                if let Some((call, source)) = self.give_way(now, call) {
                    self.invite(now, account, from, propose, Some((call, source)));
                }
            }
        }
        Some(glare)
    }
}

/// What becomes of calls when the way of signalling ends, or nobody says anything.
impl Phone {
    /// The stream of an account is gone. Calls that were answered go on: media need no signalling.
    pub(crate) fn lose_stream(&mut self, now: Now, account: usize) {
        let sessions = self.sessions.values();
        let pending = sessions.filter(|session| {
            let ours = session.jingle().is_some_and(|leg| leg.account == account);
            ours && !session.is_answered()
        });
        for call in pending.map(|session| session.id).collect::<Vec<_>>() {
            self.drop_session(now, call, JingleEnd::Offline.into(), By::Them);
        }
        self.lose_invitations(account);
    }

    /// Somebody's device, or all of them, went. A call that was answered goes on.
    pub(crate) fn lose_peer(&mut self, now: Now, account: usize, who: &Jid) {
        let gone: Vec<CallId> = self
            .sessions
            .values()
            .filter(|session| !session.is_answered())
            .filter(|session| {
                session.jingle().is_some_and(|leg| leg.account == account && leg.is_with(who))
            })
            .map(|session| session.id)
            .collect();
        for call in gone {
            let reason = Reason::from(Condition::Gone);
            let leg = self.sessions.get(&call).and_then(Session::jingle);
            let end = leg.map_or(JingleEnd::Lost, |leg| leg.ended(&reason, false));
            self.drop_session(now, call, end.into(), By::Them);
        }
    }

    /// Decides what has waited for long enough.
    pub(crate) fn handle_deadlines(&mut self, now: Now) {
        let due = |leg: &Leg| leg.deadline.is_some_and(|at| at <= now.mono);
        for call in self.calls_whose(due) {
            let leg = self.sessions.get(&call).and_then(Session::jingle);
            if leg.is_some_and(|leg| matches!(leg.stage, Stage::Seeking(_))) {
                self.seek(now, call, true);
            } else {
                self.end_jingle(now, call, Condition::Timeout, JingleEnd::TimedOut, By::Us);
            }
        }
        // A device that could not be sought has its time like one that was found.
        for session in self.sessions.values_mut() {
            if let Some((leg, _)) = session.jingle_mut()
                && due(leg)
            {
                leg.deadline = Some(now.mono + RING_LIMIT);
            }
        }
        self.handle_invitation_deadlines(now);
    }

    /// When something has waited for long enough.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.sessions.values();
        let legs = sessions.filter_map(|session| session.jingle()?.deadline);
        legs.chain(self.invitations.values().map(|invitation| invitation.deadline)).min()
    }
}

impl Session {
    /// Takes an event of its session; why it is over, if it is.
    fn handle_jingle(
        &mut self,
        context: &mut Context<'_>,
        event: wire::Event,
    ) -> Option<EndReason> {
        let now = context.now;
        match event {
            wire::Event::Accepted { contents, groups } => {
                self.handle_accept(context, &contents, &groups);
            }
            wire::Event::Info(Info::Ringing) => self.ringing(context.events),
            wire::Event::Transport(contents) => self.take_candidates(context, contents),
            wire::Event::Info(_) | wire::Event::Modified(_) | wire::Event::Removed(_) => {
                let (leg, call) = self.jingle_mut()?;
                if let Some(theirs) = leg.read_change(&event) {
                    // Before it is agreed on, the answer will be to this; what cannot be is not.
                    let _ = call.handle_offer(now, context.connect, theirs);
                }
            }
            wire::Event::TransportOffered(ref contents) => {
                let (leg, call) = self.jingle_mut()?;
                let theirs = leg.read_change(&event);
                let ours = theirs.and_then(|t| call.handle_offer(now, context.connect, t).ok());
                leg.answer_transports(context, ours.as_ref(), contents);
            }
            wire::Event::TransportAccepted(_) => {
                let (leg, call) = self.jingle_mut()?;
                if let Some(theirs) = leg.read_change(&event) {
                    let _ = call.handle_answer(now, context.connect, theirs);
                }
            }
            wire::Event::TransportRejected(_) => self.call.keep_terms(),
            wire::Event::Send(step) => self.jingle_mut()?.0.follow(context, step),
            wire::Event::Described(_) | wire::Event::Refused(_) => {}
            wire::Event::Ended(reason) => {
                let answered = self.is_answered();
                return Some(self.jingle()?.ended(&reason, answered).into());
            }
        }
        None
    }

    fn handle_accept(
        &mut self,
        context: &mut Context<'_>,
        contents: &[Content],
        groups: &[wire::Group],
    ) {
        let Some((leg, _)) = self.jingle_mut() else { return };
        let answer = leg.read_answer(contents, groups);
        let early = leg.take_early();
        match self.handle_answer(context.now, context.connect, answer, context.events) {
            Ok(()) => {
                self.tell_answered(context.events);
                self.take_candidates(context, early);
            }
            Err(reason) => self.fate = Some(reason),
        }
    }

    fn take_candidates(&mut self, context: &mut Context<'_>, contents: Vec<Content>) {
        let id = self.id;
        let Some((leg, call)) = self.jingle_mut() else { return };
        for said in leg.read_candidates(contents) {
            let (index, complete) = (said.index, said.complete);
            call.add_candidates(context.now, context.connect, index, &said.candidates, complete);
            if !said.candidates.is_empty() {
                let candidates = said.candidates;
                context.events.push_back(Event::RemoteCandidates { call: id, candidates });
            }
        }
    }
}

/// What the other side is told of an end that is nobody's wish.
const fn condition_of(fate: &EndReason) -> Condition {
    match fate {
        EndReason::NoPath | EndReason::Silent => Condition::ConnectivityError,
        EndReason::Call(CallFailure::Negotiation(negotiate::Error::Keying)) => {
            Condition::SecurityError
        }
        EndReason::Call(CallFailure::Negotiation(_)) => Condition::IncompatibleParameters,
        EndReason::Call(_) => Condition::FailedTransport,
        EndReason::Description => Condition::FailedApplication,
        EndReason::Signalling(_) | EndReason::Jingle(_) => Condition::GeneralError,
    }
}
