//! What the events of SIP's user agent mean for accounts and calls.

use call::map::sdp;
use call::{Call, Description};
use machine::Now;
use sip::Status;
use sip::ua::{self, Body, By, Reason};

use crate::account::Route;
use crate::event::{EndReason, Event};
use crate::phone::Phone;
use crate::session::Session;
use crate::signalling::{Signalling, sip::Leg};

impl Phone {
    pub(crate) fn handle_signalling(&mut self, now: Now, event: ua::Event) {
        match event {
            ua::Event::Listening { .. } | ua::Event::Capabilities { .. } => {}
            ua::Event::ListenFailed { local, kind, .. } => {
                self.events.push_back(Event::ListenFailed { local, kind });
            }
            ua::Event::Registered { account, expires, flow, reflexive } => {
                let Some(account) = self.account_index(account) else { return };
                // What the core sees is an address of ours where no NAT is in between; else it fits none.
                let ours = match flow.local.ip() {
                    ip if ip.is_unspecified() => reflexive.ip(),
                    ip => ip,
                };
                //= RFC 5626 §3.5.2: where the registrar takes SIP over UDP, it answers STUN.
                let route = Route { server: flow.remote, stun: flow.remote, ours };
                self.lines[account].route = Some(route);
                let (server, transport) = (flow.remote, flow.transport);
                let (reflexive, expires) = (Some(reflexive), Some(expires));
                let event = Event::Registered { account, server, transport, reflexive, expires };
                self.events.push_back(event);
            }
            ua::Event::Unregistered { account } => self.forget_route(account),
            ua::Event::RegistrationFailed { account, reason, retry_in } => {
                self.forget_route(account);
                let Some(account) = self.account_index(account) else { return };
                let reason = reason.into();
                self.events.push_back(Event::RegistrationFailed { account, reason, retry_in });
            }
            ua::Event::KeepaliveDue { flow, .. } => {
                self.keepalives.start(now.mono, flow, &mut self.outputs);
            }
            ua::Event::Incoming { call, account, from, display_name, body } => {
                let from = from.to_string();
                self.handle_incoming(now, call, account, from, display_name, body.as_ref());
            }
            ua::Event::Progress { call, status, body } => {
                self.handle_progress(now, call, status, body.as_ref());
            }
            ua::Event::Answered { call, body } | ua::Event::Confirmed { call, body } => {
                self.handle_answer(now, call, body.as_ref());
            }
            ua::Event::Reoffer { call, body } => self.handle_reoffer(now, call, body.as_ref()),
            ua::Event::ReofferAnswered { call, body } => {
                self.handle_answer(now, call, body.as_ref());
            }
            ua::Event::ReofferRefused { call, .. } => {
                if let Some(session) = self.session_of(call) {
                    session.call.keep_terms();
                }
            }
            ua::Event::Ended { call, reason, by } => self.handle_ended(now, call, reason, by),
        }
    }

    fn account_index(&self, account: ua::AccountId) -> Option<usize> {
        self.lines.iter().position(|line| line.sip() == Some(account))
    }

    fn forget_route(&mut self, account: ua::AccountId) {
        if let Some(index) = self.account_index(account) {
            self.lines[index].route = None;
            self.unregistering.remove(&index);
        }
    }

    fn session_of(&mut self, call: ua::CallId) -> Option<&mut Session> {
        self.sessions.values_mut().find(|session| names(session, call))
    }

    /// Refuses a call whose description we cannot take part in.
    fn refuse_incoming(
        &mut self,
        now: Now,
        sip: ua::CallId,
        account: usize,
        from: String,
        reason: EndReason,
    ) {
        self.agent.reject(now, sip, Status::NOT_ACCEPTABLE_HERE);
        self.events.push_back(Event::Refused { account, from, reason });
    }

    fn handle_incoming(
        &mut self,
        now: Now,
        sip: ua::CallId,
        account: ua::AccountId,
        from: String,
        display_name: String,
        body: Option<&Body>,
    ) {
        if !self.has_room() || self.is_stopping() {
            self.agent.reject(now, sip, Status::BUSY_HERE);
            return;
        }
        let account = self.account_index(account).unwrap_or_default();
        let (id, entropy) = self.next_call();
        let mut dialogue = sdp::Session::new(&mut entropy.fork("phone.sdp"));
        let offer = match body.map(|body| dialogue.read(&body.bytes)) {
            None => None,
            Some(Ok((offer, _))) => Some(offer),
            Some(Err(_)) => {
                return self.refuse_incoming(now, sip, account, from, EndReason::Description);
            }
        };
        match self.open(now, account, offer.clone(), &entropy) {
            Err(error) => self.refuse_incoming(now, sip, account, from, error.into()),
            Ok(call) => {
                self.agent.ring(now, sip, None);
                let dialogue = offer.is_some().then_some(dialogue);
                let leg = Leg::incoming(sip, dialogue, &entropy);
                let session = Session::incoming(id, call, Signalling::Sip(Box::new(leg)));
                self.events.push_back(Event::Incoming { call: id, account, from, display_name });
                if let Some(offer) = &offer {
                    session.tell_remote(offer, &mut self.events);
                }
                self.sessions.insert(id, session);
            }
        }
    }

    /// The call of an INVITE: with its offer, or ours to offer.
    fn open(
        &mut self,
        now: Now,
        account: usize,
        offer: Option<Description>,
        entropy: &machine::Entropy,
    ) -> Result<Call, call::call::Error> {
        let config = self.call_config(account, call::media::Source::silence());
        let (connect, entropy) = (&mut self.connect, entropy.fork("phone.call"));
        match offer {
            Some(offer) => Call::incoming(now, config, offer, connect, entropy),
            None => Call::dial(now, config, connect, entropy),
        }
    }

    fn handle_progress(&mut self, now: Now, call: ua::CallId, status: Status, body: Option<&Body>) {
        let Some(session) = self.sessions.values_mut().find(|s| names(s, call)) else {
            return;
        };
        if status == Status::RINGING {
            session.ringing(&mut self.events);
        }
        // An early answer that does not fit is no reason to hang up: the final one counts.
        let _ = session.handle_sip_answer(now, &mut self.connect, body, &mut self.events);
    }

    fn handle_answer(&mut self, now: Now, call: ua::CallId, body: Option<&Body>) {
        let Some(session) = self.sessions.values_mut().find(|s| names(s, call)) else {
            return;
        };
        match session.handle_sip_answer(now, &mut self.connect, body, &mut self.events) {
            Ok(()) => session.tell_answered(&mut self.events),
            Err(reason) => session.fate = Some(reason),
        }
    }

    fn handle_reoffer(&mut self, now: Now, call: ua::CallId, body: Option<&Body>) {
        let Some(session) = self.sessions.values_mut().find(|s| names(s, call)) else {
            return;
        };
        let Signalling::Sip(leg) = &mut session.signalling else { return };
        match leg.handle_reoffer(now, &mut session.call, &mut self.connect, body) {
            Ok(answer) => self.agent.accept_reoffer(now, call, answer),
            Err(_) => self.agent.reject_reoffer(now, call, Status::NOT_ACCEPTABLE_HERE),
        }
    }

    fn handle_ended(&mut self, now: Now, call: ua::CallId, reason: Reason, by: By) {
        let Some(id) = self.session_of(call).map(|session| session.id) else { return };
        if let Some(session) = self.sessions.remove(&id) {
            let reason = EndReason::Signalling(reason);
            session.end(now, &mut self.connect, reason, by, &mut self.events);
        }
    }
}

/// Whether a session has this name in the user agent.
fn names(session: &Session, call: ua::CallId) -> bool {
    session.sip().is_some_and(|leg| leg.id == Some(call))
}
