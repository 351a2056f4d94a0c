//! Our INVITEs: the calling side (RFC 3261 §13.2), and re-INVITEs of either (§14.1).

use std::time::Duration;

use machine::Now;

use super::call::{ALLOW, Call, State, body_of};
use super::request::Purpose;
use super::{AccountId, Body, By, CallId, Event, Reason, Timer, UserAgent};
use crate::defaults;
use crate::dialog::{Dialog, DialogId};
use crate::header::{NameAddr, name};
use crate::message::{Request, Response};
use crate::method::Method;
use crate::stack::{Target, TransactionId};
use crate::status::Status;
use crate::uri::Uri;

impl UserAgent {
    /// Calls `to` with an offer.
    pub fn invite(&mut self, now: Now, account: AccountId, to: Uri, body: Body) -> CallId {
        self.next_call += 1;
        let call = CallId(self.next_call);
        let Some(identity) = self.accounts.get(&account) else {
            let (reason, by) = (Reason::NoCredentials, By::Us);
            self.events.push_back(Event::Ended { call, reason, by });
            return call;
        };
        let tag = self.entropy.token(defaults::TAG_CHARS);
        let call_id = self.entropy.token(defaults::CALL_ID_CHARS);
        let (from, target) = (identity.from(&tag), self.target_of(identity));
        let uri = match &to {
            Uri::Sip(uri) => Uri::Sip(uri.clone().without_headers()),
            other => other.clone(),
        };
        let to = NameAddr::new(uri.clone());
        let mut request = Request::with_essentials(Method::Invite, uri, &from, &to, &call_id, 1);
        self.dress_invite(account, &mut request, &body);
        let entry = Call {
            account,
            caller: true,
            state: State::Calling { cancelled: false },
            dialog: None,
            ours: None,
            theirs: None,
            ack: None,
            reoffer: None,
            number: 1,
        };
        self.calls.insert(call, entry);
        let transaction = self.send(now, account, Purpose::Invite(call), request, target);
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.ours = Some(transaction);
        }
        self.pump(now);
        call
    }

    /// What every INVITE of ours carries.
    fn dress_invite(&self, account: AccountId, request: &mut Request, body: &Body) {
        if let Some(contact) = self.contact(account) {
            request.headers.push(name::CONTACT, contact);
        }
        request.headers.push(name::ALLOW, ALLOW);
        request.headers.push(name::SUPPORTED, "outbound");
        request.headers.push(name::USER_AGENT, &self.config.user_agent);
        request.headers.push(name::CONTENT_TYPE, &body.content_type);
        request.body.clone_from(&body.bytes);
    }

    pub(super) fn progress(&mut self, call: CallId, response: &Response) {
        if response.status != Status::TRYING && self.calls.contains_key(&call) {
            let body = body_of(&response.headers, &response.body);
            self.events.push_back(Event::Progress { call, status: response.status, body });
        }
    }

    pub(super) fn invite_answered(
        &mut self,
        now: Now,
        call: CallId,
        request: &Request,
        response: &Response,
    ) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let State::Calling { cancelled } = entry.state else { return };
        if !response.status.is_success() {
            let (status, phrase) = (response.status, response.reason.clone());
            let reason = match status {
                _ if cancelled => Reason::Cancelled,
                status => Reason::Refused { status, phrase },
            };
            let by = if cancelled { By::Us } else { By::Them };
            return self.end(now, call, reason, by);
        }
        let Ok(dialog) = Dialog::as_caller(request, response) else {
            return self.end(now, call, Reason::Lost, By::Them);
        };
        let ack = dialog.ack(dialog.local_number);
        // The transaction still tells 2xx that come again, and those of other forks.
        if let Some(transaction) = entry.ours.take() {
            self.answered.insert(transaction, call);
        }
        entry.ack = Some(ack.clone());
        entry.state = State::Up;
        self.set_dialog(call, dialog);
        self.stack.send_ack(now, ack, Target::Uri);
        if cancelled {
            //= RFC 3261 §9.1: a CANCEL that came too late is followed by a BYE.
            return self.send_bye(now, call, Reason::Cancelled, By::Us);
        }
        let body = body_of(&response.headers, &response.body);
        self.events.push_back(Event::Answered { call, body });
    }

    /// A 2xx came to an INVITE that has been answered: again, or from another fork.
    pub(super) fn late_response(
        &mut self,
        now: Now,
        transaction: TransactionId,
        response: &Response,
    ) {
        if !response.status.is_success() {
            return;
        }
        let call = self.answered.get(&transaction).copied();
        let entry = call.and_then(|call| self.calls.get(&call));
        let Some(ack) = entry.and_then(|entry| entry.ack.clone()) else { return };
        let ours = entry.and_then(|entry| entry.dialog.as_ref());
        let Ok(id) = DialogId::of_response(response) else { return };
        if ours.is_some_and(|dialog| dialog.id == id) {
            return self.stack.send_ack(now, ack, Target::Uri);
        }
        //= RFC 3261 §13.2.2.4: each fork that answers is acknowledged; this one is not wanted.
        let Ok(mut other) = Dialog::as_caller(&ack, response) else { return };
        let ack = other.ack(other.local_number);
        self.stack.send_ack(now, ack, Target::Uri);
        let bye = other.request(Method::Bye);
        self.stack.send_request(now, bye, Target::Uri);
    }

    pub(super) fn invite_failed(&mut self, now: Now, call: CallId, reason: Reason) {
        let Some(entry) = self.calls.get(&call) else { return };
        let cancelled = entry.state == (State::Calling { cancelled: true });
        if cancelled {
            self.end(now, call, Reason::Cancelled, By::Us);
        } else {
            self.end(now, call, reason, By::Them);
        }
    }

    /// Offers a change of an answered call (re-INVITE). A 491 is tried again by itself
    /// (RFC 3261 §14.1).
    pub fn reinvite(&mut self, now: Now, call: CallId, body: Body) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        if entry.state != State::Up {
            return;
        }
        //= RFC 3261 §14.1: no re-INVITE while an INVITE of either side is under way.
        if entry.ours.is_some() || entry.theirs.is_some() {
            entry.reoffer = Some(body);
            self.timers.set(Timer::Reoffer(call), now.mono + Duration::from_millis(500));
            return;
        }
        entry.reoffer = Some(body.clone());
        let account = entry.account;
        let Some(dialog) = &mut entry.dialog else { return };
        let mut request = dialog.request(Method::Invite);
        self.dress_invite(account, &mut request, &body);
        let transaction = self.send(now, account, Purpose::Reinvite(call), request, Target::Uri);
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.ours = Some(transaction);
        }
        self.pump(now);
    }

    /// Tries a re-INVITE again that met another one.
    pub(super) fn reoffer_due(&mut self, now: Now, call: CallId) {
        let body = self.calls.get_mut(&call).and_then(|entry| entry.reoffer.take());
        if let Some(body) = body {
            self.reinvite(now, call, body);
        }
    }

    pub(super) fn reinvite_answered(
        &mut self,
        now: Now,
        call: CallId,
        request: &Request,
        response: &Response,
    ) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let transaction = entry.ours.take();
        match response.status {
            status if status.is_success() => {
                let Some(dialog) = &mut entry.dialog else { return };
                dialog.confirm(response);
                let ack = dialog.ack(request.cseq().map_or(0, |cseq| cseq.number));
                entry.ack = Some(ack.clone());
                entry.reoffer = None;
                self.answered.extend(transaction.map(|transaction| (transaction, call)));
                self.stack.send_ack(now, ack, Target::Uri);
                let body = body_of(&response.headers, &response.body);
                self.events.push_back(Event::ReofferAnswered { call, body });
            }
            Status::REQUEST_PENDING => {
                //= RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s.
                let drawn = Duration::from_millis(10 * self.entropy.below(191));
                let pause = if entry.caller { Duration::from_millis(2100) + drawn } else { drawn };
                self.timers.set(Timer::Reoffer(call), now.mono + pause);
            }
            status => {
                entry.reoffer = None;
                let phrase = response.reason.clone();
                self.reinvite_failed(now, call, Reason::Refused { status, phrase });
            }
        }
    }

    /// A re-INVITE came to nothing: the session stays, unless the far side has lost it.
    pub(super) fn reinvite_failed(&mut self, now: Now, call: CallId, reason: Reason) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        entry.ours = None;
        entry.reoffer = None;
        //= RFC 3261 §12.2.1.2: 481, 408 or silence ends the dialog.
        let lost = match &reason {
            Reason::Refused { status, .. } => {
                matches!(*status, Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT)
            }
            Reason::TimedOut => true,
            _ => false,
        };
        if lost {
            self.send_bye(now, call, Reason::Lost, By::Them);
        } else {
            self.events.push_back(Event::ReofferRefused { call, reason });
        }
    }
}
