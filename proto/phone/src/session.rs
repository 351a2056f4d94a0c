//! One call of the phone: its signalling, its description, its media.

use std::collections::VecDeque;

use call::{Call, Description};
use connect::Connect;
use machine::{Instant, Now};
use sip::ua::Body;

use crate::defaults::SILENCE_LIMIT;
use crate::event::{By, CallId, EndReason, Event};
use crate::reason::JingleEnd;
use crate::signalling::{Context, Signalling, jingle, sip as leg};

/// One call.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: CallId,
    pub(crate) call: Call,
    pub(crate) signalling: Signalling,
    /// Why it ends, when it is not signalling that says so.
    pub(crate) fate: Option<EndReason>,
    told_ringing: bool,
    told_answered: bool,
    heard: bool,
    /// When media last came, or could last have come.
    alive: Option<Instant>,
    /// Its end has been asked of signalling.
    pub(crate) doomed: bool,
    /// It rings here, and was not answered.
    rings: bool,
}

impl Session {
    /// A call that came, and rings.
    pub(crate) fn incoming(id: CallId, call: Call, signalling: Signalling) -> Self {
        Self { rings: true, ..Self::outgoing(id, call, signalling) }
    }

    /// A call of ours.
    pub(crate) const fn outgoing(id: CallId, call: Call, signalling: Signalling) -> Self {
        Self {
            id,
            call,
            signalling,
            fate: None,
            told_ringing: false,
            told_answered: false,
            heard: false,
            alive: None,
            doomed: false,
            rings: false,
        }
    }

    /// Whether it rings here, and was not answered.
    pub(crate) const fn is_ringing_here(&self) -> bool {
        self.rings
    }

    /// Its signalling, if that is SIP.
    pub(crate) const fn sip(&self) -> Option<&leg::Leg> {
        match &self.signalling {
            Signalling::Sip(leg) => Some(leg),
            Signalling::Jingle(_) => None,
        }
    }

    /// Its signalling, if that is Jingle.
    pub(crate) const fn jingle(&self) -> Option<&jingle::Leg> {
        match &self.signalling {
            Signalling::Jingle(leg) => Some(leg),
            Signalling::Sip(_) => None,
        }
    }

    /// Its signalling and its call, if that is Jingle.
    pub(crate) const fn jingle_mut(&mut self) -> Option<(&mut jingle::Leg, &mut Call)> {
        match &mut self.signalling {
            Signalling::Jingle(leg) => Some((leg, &mut self.call)),
            Signalling::Sip(_) => None,
        }
    }

    /// Whether the owner was told that it was answered.
    pub(crate) const fn is_answered(&self) -> bool {
        self.told_answered
    }

    /// The far side rings; the owner is told once, however often signalling says so.
    pub(crate) fn ringing(&mut self, events: &mut VecDeque<Event>) {
        self.call.ringing();
        if !std::mem::replace(&mut self.told_ringing, true) {
            events.push_back(Event::Ringing { call: self.id });
        }
    }

    /// Media came in.
    pub(crate) const fn media_came(&mut self, now: Now) {
        self.alive = Some(now.mono);
    }

    /// Gives the call up when nothing was heard for too long.
    fn check_silence(&mut self, now: Now) {
        let expected = self.call.agreed().is_some_and(|agreed| agreed.direction.receives);
        let since = *self.alive.get_or_insert(now.mono);
        if !expected {
            self.alive = Some(now.mono);
        } else if now.mono.saturating_since(since) >= SILENCE_LIMIT {
            self.fate.get_or_insert(EndReason::Silent);
        }
    }

    /// Takes the answer to an offer of ours, from a body of SIP.
    pub(crate) fn handle_sip_answer(
        &mut self,
        now: Now,
        connect: &mut Connect,
        body: Option<&Body>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), EndReason> {
        let Signalling::Sip(leg) = &mut self.signalling else { return Ok(()) };
        match leg.read_answer(&self.call, body)? {
            Some(answer) => self.handle_answer(now, connect, answer, events),
            None => Ok(()),
        }
    }

    /// Takes the answer to an offer of ours.
    pub(crate) fn handle_answer(
        &mut self,
        now: Now,
        connect: &mut Connect,
        answer: Description,
        events: &mut VecDeque<Event>,
    ) -> Result<(), EndReason> {
        self.tell_remote(&answer, events);
        self.call.handle_answer(now, connect, answer)?;
        Ok(())
    }

    /// The owner answers a call that came.
    pub(crate) fn answer(&mut self, now: Now, connect: &mut Connect) -> Result<(), EndReason> {
        self.rings = false;
        match &mut self.signalling {
            Signalling::Sip(leg) => leg.answer(now, &mut self.call, connect),
            // Answering twice changes nothing, nor does answering one's own call.
            Signalling::Jingle(leg) => match leg.session().map(xmpp::jingle::Session::role) {
                Some(xmpp::jingle::Creator::Responder)
                    if self.call.state() == call::State::Ringing =>
                {
                    Ok(self.call.answer(now, connect)?)
                }
                _ => Ok(()),
            },
        }
    }

    /// Tells the owner what candidates the other side named.
    pub(crate) fn tell_remote(&self, theirs: &Description, events: &mut VecDeque<Event>) {
        let ice = theirs.contents.iter().find_map(|content| content.transport.ice.as_ref());
        let candidates = ice.map(|ice| ice.candidates.clone()).unwrap_or_default();
        events.push_back(Event::RemoteCandidates { call: self.id, candidates });
    }

    /// Tells the owner once that the call was answered.
    pub(crate) fn tell_answered(&mut self, events: &mut VecDeque<Event>) {
        let Some(agreed) = self.call.agreed() else { return };
        if !std::mem::replace(&mut self.told_answered, true) {
            events.push_back(Event::Answered { call: self.id, codec: agreed.send.name.clone() });
        }
    }

    /// Carries what the call has to say to signalling and to the owner.
    pub(crate) fn pump(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        while let Some(event) = self.call.poll_event() {
            match event {
                call::Event::Offer(description) | call::Event::Answer(description) => {
                    self.say(context, &description);
                }
                call::Event::Candidates { index, candidates, complete } => {
                    if let Some((leg, call)) = self.jingle_mut() {
                        leg.say_candidates(context, call, index, &candidates, complete);
                    }
                }
                call::Event::Path { component: 1, path } => {
                    self.alive.get_or_insert(now.mono);
                    let explanation = context.connect.explain(self.call.session()).map(Box::new);
                    context.events.push_back(Event::Path { call: self.id, path, explanation });
                }
                call::Event::NoPath(explanation) => {
                    context.events.push_back(Event::NoPath { call: self.id, explanation });
                    self.fate.get_or_insert(EndReason::NoPath);
                }
                call::Event::Heard(frame) => {
                    if !std::mem::replace(&mut self.heard, true) {
                        context.events.push_back(Event::FirstMedia { call: self.id });
                    }
                    let samples = frame.to_vec();
                    context.events.push_back(Event::Heard { call: self.id, samples });
                }
                call::Event::SourceEnded => {
                    context.events.push_back(Event::Played { call: self.id })
                }
                call::Event::Media(stats) => {
                    context.events.push_back(Event::Media { call: self.id, stats });
                    self.check_silence(now);
                }
                call::Event::State(_) | call::Event::Path { .. } => {}
            }
        }
        if self.jingle().is_some_and(jingle::Leg::is_stuck) {
            self.fate.get_or_insert(EndReason::Jingle(JingleEnd::Stuck));
        }
    }

    fn say(&mut self, context: &mut Context<'_>, description: &Description) {
        let answered = match &mut self.signalling {
            Signalling::Sip(leg) => leg.say(context, description),
            Signalling::Jingle(leg) => leg.say(context, &mut self.call, description),
        };
        if answered {
            self.tell_answered(context.events);
        }
    }

    /// Ends the media; what is left is to be told.
    pub(crate) fn end(
        mut self,
        now: Now,
        connect: &mut Connect,
        reason: EndReason,
        by: By,
        events: &mut VecDeque<Event>,
    ) {
        // Who hangs up while a path is looked for has given up looking.
        if by == By::Them && self.call.state() == call::State::Connecting && self.fate.is_none() {
            let explanation = connect.explain(self.call.session()).map(Box::new);
            if let Some(explanation) = explanation.filter(|found| found.checks_sent > 0) {
                events.push_back(Event::NoPath { call: self.id, explanation });
                self.fate = Some(EndReason::NoPath);
            }
        }
        self.call.end(now, connect);
        while let Some(event) = self.call.poll_event() {
            if let call::Event::Media(stats) = event {
                events.push_back(Event::Media { call: self.id, stats });
            }
        }
        let reason = self.fate.unwrap_or(reason);
        events.push_back(Event::Ended { call: self.id, reason, by });
    }
}
