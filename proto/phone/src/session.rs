//! One call of the phone: its signalling, its description on the wire, its media.

use std::collections::VecDeque;

use call::map::sdp;
use call::{Call, Description};
use connect::Connect;
use machine::{Entropy, Instant, Now};
use sip::ua::{Body, UserAgent};

use crate::Uri;
use crate::defaults::SILENCE_LIMIT;
use crate::event::{By, CallId, EndReason, Event};

/// What is to be done with the next description that the call gives out.
#[derive(Debug)]
pub(crate) enum Next {
    /// Call somebody with it.
    Invite {
        /// The account that calls.
        account: usize,
        /// Whom.
        to: Uri,
    },
    /// Answer the INVITE with it, once the owner answers.
    Answer {
        /// The owner has answered.
        wanted: bool,
    },
    /// Offer it to change the call.
    Reinvite,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: CallId,
    /// Its name in signalling; none before the INVITE is sent.
    pub(crate) sip: Option<sip::ua::CallId>,
    pub(crate) call: Call,
    pub(crate) next: Next,
    /// Why it ends, when it is not signalling that says so.
    pub(crate) fate: Option<EndReason>,
    sdp: sdp::Session,
    /// What was said last: our offer, if the owner answers after it was gathered.
    said: Option<Body>,
    /// The offer of an incoming call is ours to make.
    offers: bool,
    told_ringing: bool,
    told_answered: bool,
    heard: bool,
    /// When media last came, or could last have come.
    alive: Option<Instant>,
    /// Its end has been asked of signalling.
    pub(crate) doomed: bool,
}

impl Session {
    pub(crate) fn new(id: CallId, call: Call, next: Next, entropy: &Entropy) -> Self {
        let sdp = sdp::Session::new(&mut entropy.fork("phone.sdp"));
        Self {
            id,
            sip: None,
            call,
            next,
            fate: None,
            sdp,
            said: None,
            offers: false,
            told_ringing: false,
            told_answered: false,
            heard: false,
            alive: None,
            doomed: false,
        }
    }

    /// A call that came: with the dialogue that its offer began, or without an offer.
    pub(crate) fn incoming(
        id: CallId,
        call: Call,
        sip: sip::ua::CallId,
        sdp: Option<sdp::Session>,
        entropy: &Entropy,
    ) -> Self {
        let mut session = Self::new(id, call, Next::Answer { wanted: false }, entropy);
        session.sip = Some(sip);
        session.offers = sdp.is_none();
        session.sdp = sdp.unwrap_or(session.sdp);
        session
    }

    /// Reads what the other side says.
    pub(crate) fn read(&mut self, body: &Body) -> Result<Description, EndReason> {
        let (description, _) = self.sdp.read(&body.bytes).map_err(|_| EndReason::Description)?;
        Ok(description)
    }

    fn write(&mut self, description: &Description) -> Body {
        let (bytes, _) = self.sdp.write(description);
        let body = Body::sdp(bytes);
        self.said = Some(body.clone());
        body
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

    /// Takes the answer to an offer of ours.
    pub(crate) fn handle_answer(
        &mut self,
        now: Now,
        connect: &mut Connect,
        body: Option<&Body>,
        events: &mut VecDeque<Event>,
    ) -> Result<(), EndReason> {
        let Some(body) = body else {
            // Nothing new; but an offer in our 200 is answered in the ACK (RFC 3261 §13.2.1).
            let owed = self.offers && self.call.agreed().is_none();
            return if owed { Err(EndReason::Description) } else { Ok(()) };
        };
        let answer = self.read(body)?;
        self.tell_remote(&answer, events);
        self.call.handle_answer(now, connect, answer)?;
        Ok(())
    }

    /// Takes a later offer; the answer to it, or an offer of ours where there is none.
    pub(crate) fn handle_reoffer(
        &mut self,
        now: Now,
        connect: &mut Connect,
        body: Option<&Body>,
    ) -> Result<Body, EndReason> {
        match body {
            Some(body) => {
                let offer = self.read(body)?;
                let answer = self.call.handle_offer(now, connect, offer)?;
                Ok(self.write(&answer))
            }
            //= RFC 3261 §14.2: whoever asks for an offer gets one of all that we are willing to do.
            None => {
                let offer = self.call.offer(connect)?;
                Ok(self.write(&offer))
            }
        }
    }

    /// The owner answers a call that came.
    pub(crate) fn answer(&mut self, now: Now, connect: &mut Connect) -> Result<(), EndReason> {
        if let Next::Answer { wanted } = &mut self.next {
            *wanted = true;
            if !self.offers {
                self.call.answer(now, connect)?;
            }
        }
        Ok(())
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
    pub(crate) fn pump(
        &mut self,
        now: Now,
        agent: &mut UserAgent,
        accounts: &[sip::ua::AccountId],
        connect: &mut Connect,
        events: &mut VecDeque<Event>,
    ) {
        while let Some(event) = self.call.poll_event() {
            match event {
                call::Event::Offer(description) | call::Event::Answer(description) => {
                    self.say(now, agent, accounts, &description, events);
                }
                call::Event::Path { component: 1, path } => {
                    self.alive.get_or_insert(now.mono);
                    let explanation = connect.explain(self.call.session()).map(Box::new);
                    events.push_back(Event::Path { call: self.id, path, explanation });
                }
                call::Event::NoPath(explanation) => {
                    events.push_back(Event::NoPath { call: self.id, explanation });
                    self.fate.get_or_insert(EndReason::NoPath);
                }
                call::Event::Heard(frame) => {
                    if !std::mem::replace(&mut self.heard, true) {
                        events.push_back(Event::FirstMedia { call: self.id });
                    }
                    let samples = frame.to_vec();
                    events.push_back(Event::Heard { call: self.id, samples });
                }
                call::Event::SourceEnded => events.push_back(Event::Played { call: self.id }),
                call::Event::Media(stats) => {
                    events.push_back(Event::Media { call: self.id, stats });
                    self.check_silence(now);
                }
                call::Event::State(_) | call::Event::Path { .. } => {}
            }
        }
    }

    fn say(
        &mut self,
        now: Now,
        agent: &mut UserAgent,
        accounts: &[sip::ua::AccountId],
        description: &Description,
        events: &mut VecDeque<Event>,
    ) {
        let body = self.write(description);
        match (&self.next, self.sip) {
            (Next::Invite { account, to }, None) => {
                if let Some(account) = accounts.get(*account) {
                    self.sip = Some(agent.invite(now, *account, to.clone(), body));
                    self.next = Next::Reinvite;
                }
            }
            (Next::Answer { wanted: true }, Some(sip)) => {
                self.next = Next::Reinvite;
                agent.answer(now, sip, body);
                self.tell_answered(events);
            }
            // Without an offer in the INVITE, ours is gathered while it rings.
            (Next::Answer { wanted: false }, _) => {}
            (Next::Reinvite, Some(sip)) => agent.reinvite(now, sip, body),
            _ => {}
        }
    }

    /// An incoming call without an offer was answered before or after ours was gathered.
    pub(crate) fn offer_in_answer(&mut self, now: Now, agent: &mut UserAgent) {
        if let (true, Next::Answer { wanted: true }, Some(sip), Some(offer)) =
            (self.offers, &self.next, self.sip, &self.said)
        {
            agent.answer(now, sip, offer.clone());
            self.next = Next::Reinvite;
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
