//! What the steps of Jingle's sessions mean for calls: requests that come, and the answers to ours.

use call::Call;
use call::call::Error as CallFailure;
use call::description::Creator;
use call::map::jingle as map;
use call::media::Source;
use machine::Now;
use xmpp::client::{RequestError, RequestId};
use xmpp::jingle::session::Glare;
use xmpp::jingle::{self as wire, Action, Condition, Content, Info, Jingle, Refusal};
use xmpp::stanza::{self, StanzaError};
use xmpp::{Element, Jid, Stanza};

use crate::account::Line;
use crate::config::IceMode;
use crate::endings::end_of;
use crate::event::{By, CallId, EndReason, Event};
use crate::phone::Phone;
use crate::reason::JingleEnd;
use crate::session::Session;
use crate::signalling::jingle::{Leg, untracked};
use crate::signalling::{Context, Signalling};

/// What a session that comes is to the owner.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    /// A call that nobody was told of.
    New,
    /// One that rings already, since it was proposed.
    Rings(CallId),
    /// One that is wanted: it is answered at once, and this is played.
    Wanted(CallId, Source),
    /// One that was wanted, and is not any more.
    Unwanted,
}

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
            return self.respond(now, account, iq, Err(Refusal::UnknownSession.into()));
        };
        let Ok(step) = Jingle::try_from(payload) else {
            return self.respond(now, account, iq, Err(Refusal::BadRequest.into()));
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
                    Err(refusal) => self.respond(now, account, iq, Err(refusal.into())),
                }
            }
            None if step.action == Action::SessionInitiate => {
                self.handle_initiate(now, account, iq, from, &step);
            }
            None => self.respond(now, account, iq, Err(Refusal::UnknownSession.into())),
        }
    }

    fn respond(&mut self, now: Now, account: usize, iq: &Stanza, result: Result<(), StanzaError>) {
        if let Some(client) = self.lines.get_mut(account).and_then(Line::client_mut) {
            let _ = client.respond(now, iq, result.map(|()| None));
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
        let crossed = self.sessions.values().find_map(|session| {
            let leg = session.jingle().filter(|leg| leg.account == account)?;
            Some((session.id, leg.session()?.glare(&from, initiate)?))
        });
        if matches!(crossed, Some((_, Glare::Ours))) {
            return self.respond(now, account, iq, Err(Refusal::TieBreak.into()));
        }
        let us = self.lines.get(account).and_then(Line::jid).cloned();
        let Some(us) = us else { return };
        let session = match wire::Session::incoming(us.into(), from.clone(), initiate) {
            Ok(session) => session,
            Err(refusal) => return self.respond(now, account, iq, Err(refusal.into())),
        };
        // Both want to talk: theirs takes the place of ours.
        let arrival = match crossed.and_then(|(call, _)| self.give_way(now, call)) {
            Some((call, source)) => Arrival::Wanted(call, source),
            None => self.take_invitation(account, &from, &initiate.sid),
        };
        let room = || self.has_room_for(account, &from) && !self.is_stopping();
        if matches!(arrival, Arrival::New) && !room() {
            //= XEP-0166 §6.3.1: who has no room for another session says so in the error.
            let busy = match self.lines.get(account).is_some_and(|line| line.is_seen_by(&from)) {
                true => stanza::Condition::ResourceConstraint,
                // A stranger hears what a server says of whoever is not there.
                false => stanza::Condition::ServiceUnavailable,
            };
            return self.respond(now, account, iq, Err(busy.into()));
        }
        self.respond(now, account, iq, Ok(()));
        self.open_session(now, account, session, initiate, arrival);
    }

    /// Ends a session that came and is not taken. Nothing follows from the answer, and strangers can
    /// make us do it at will: it takes no place among the requests that wait for one.
    fn refuse(&mut self, now: Now, account: usize, mut session: wire::Session, why: Condition) {
        let client = self.lines.get_mut(account).and_then(Line::client_mut);
        if let (Some(client), Ok(step)) = (client, session.terminate(why.into())) {
            let _ = client.send(now, untracked(session.peer(), &step));
        }
    }

    /// A session becomes a call: a new one that rings, or one that is known already.
    fn open_session(
        &mut self,
        now: Now,
        account: usize,
        session: wire::Session,
        initiate: &Jingle,
        arrival: Arrival,
    ) {
        let (fresh, entropy) = self.next_call();
        let (id, source) = match &arrival {
            Arrival::New => (fresh, Source::silence()),
            Arrival::Rings(call) => (*call, Source::silence()),
            Arrival::Wanted(call, source) => (*call, source.clone()),
            Arrival::Unwanted => return self.refuse(now, account, session, Condition::Decline),
        };
        let mut map = map::Session::new(Creator::Responder, &entropy);
        let (offer, _) = map.read(&initiate.contents, &initiate.groups);
        let config = self.call_config(account, source);
        let ice = offer.contents.iter().any(|content| content.transport.ice.is_some());
        let call = if ice && self.config.ice == IceMode::Off {
            Err((Condition::UnsupportedTransports, EndReason::NoPath))
        } else {
            let (connect, entropy) = (&mut self.connect, entropy.fork("phone.call"));
            let call = Call::incoming(now, config, offer.clone(), connect, entropy);
            call.map_err(|error| (why_not(&initiate.contents, &error), error.into()))
        };
        let call = match call {
            Ok(call) => call,
            Err((condition, reason)) => {
                let from = format!("xmpp:{}", session.peer());
                self.refuse(now, account, session, condition);
                self.events.push_back(match arrival {
                    Arrival::New => Event::Refused { account, from, reason },
                    _ => Event::Ended { call: id, reason, by: By::Us },
                });
                return;
            }
        };
        let peer = session.peer().clone();
        let leg = Leg::incoming(now, account, session, map);
        let session = Session::incoming(id, call, Signalling::Jingle(Box::new(leg)));
        if matches!(arrival, Arrival::New) {
            let (from, display_name) = (format!("xmpp:{peer}"), String::new());
            self.events.push_back(Event::Incoming { call: id, account, from, display_name });
        }
        session.tell_remote(&offer, &mut self.events);
        self.sessions.insert(id, session);
        let seen = self.lines.get(account).is_some_and(|line| line.is_seen_by(&peer));
        let Some((mut context, session)) = self.at_work(now, id) else { return };
        if matches!(arrival, Arrival::Wanted(..)) {
            session.fate = session.answer(now, context.connect).err();
        } else if let Some((leg, _)) = session.jingle_mut().filter(|_| seen) {
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
    pub(crate) fn calls_whose(&self, mut is_so: impl FnMut(&Leg) -> bool) -> Vec<CallId> {
        let sessions = self.sessions.values();
        let found = sessions.filter(|session| session.jingle().is_some_and(&mut is_so));
        found.map(|session| session.id).collect()
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
                leg.answer_transports(context, ours, contents);
            }
            wire::Event::TransportAccepted(_) => {
                let (leg, call) = self.jingle_mut()?;
                if let Some(theirs) = leg.read_change(&event) {
                    let _ = call.handle_answer(now, context.connect, theirs);
                }
            }
            wire::Event::TransportRejected(_) => self.call.keep_terms(),
            wire::Event::Send(step) => self.jingle_mut()?.0.tell(context, &step),
            wire::Event::Ended(reason) => {
                let answered = self.is_answered();
                return Some(end_of(&reason, self.jingle()?.is_called(), answered).into());
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
        let (answer, early) = leg.read_answer(contents, groups);
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

/// Why a session that cannot become a call is ended.
fn why_not(contents: &[Content], error: &CallFailure) -> Condition {
    match error {
        CallFailure::Negotiation(error) => map::condition(contents, error),
        _ => Condition::FailedTransport,
    }
}
