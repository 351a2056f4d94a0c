//! Their INVITEs: the side that is called (RFC 3261 §13.3), and re-INVITEs that come (§14.2).

use machine::Now;

use super::call::{ALLOW, Call, State, Theirs, body_of};
use super::{AccountId, Body, By, CallId, Event, Reason, Timer, UserAgent};
use crate::defaults;
use crate::dialog::{Dialog, DialogId};
use crate::header::{NameAddr, name};
use crate::message::{Request, Response};
use crate::stack::TransactionId;
use crate::status::Status;

impl UserAgent {
    /// An INVITE outside any dialog.
    pub(super) fn incoming(
        &mut self,
        now: Now,
        transaction: TransactionId,
        account: AccountId,
        request: Request,
    ) {
        if self.calls.len() >= defaults::CALLS {
            return self.refuse(now, transaction, &request, Status::BUSY_HERE);
        }
        let tag = self.entropy.token(defaults::TAG_CHARS);
        let Ok(dialog) = Dialog::as_callee(&request, &tag) else {
            return self.refuse(now, transaction, &request, Status::BAD_REQUEST);
        };
        self.next_call += 1;
        let call = CallId(self.next_call);
        let from = dialog.remote.clone();
        let body = body_of(&request.headers, &request.body);
        let entry = Call {
            account,
            caller: false,
            state: State::Ringing,
            dialog: None,
            ours: None,
            theirs: Some(Theirs::new(transaction, request)),
            ack: None,
            reoffer: None,
            number: 0,
        };
        self.calls.insert(call, entry);
        self.set_dialog(call, dialog);
        self.timers.set(Timer::Unanswered(call), now.mono + defaults::RINGING);
        let NameAddr { display, uri: from, .. } = from;
        let display_name = display.unwrap_or_default();
        self.events.push_back(Event::Incoming { call, account, from, display_name, body });
    }

    /// Tells the caller that the phone rings (180, or 183 with an early answer).
    pub fn ring(&mut self, now: Now, call: CallId, body: Option<Body>) {
        let status = if body.is_some() { Status::SESSION_PROGRESS } else { Status::RINGING };
        let Some(response) = self.response_of(call, status, body.as_ref()) else { return };
        self.timers.set(Timer::Provisional(call), now.mono + defaults::PROVISIONAL_REPEAT);
        if let Some(theirs) = self.calls.get_mut(&call).and_then(|entry| entry.theirs.as_mut()) {
            theirs.provisional = Some(response.clone());
            self.stack.respond(now, theirs.transaction, &response);
        }
    }

    //= RFC 3261 §13.3.1.1: a provisional response every minute, lest a proxy cancels.
    pub(super) fn provisional_due(&mut self, now: Now, call: CallId) {
        let Some(entry) = self.calls.get(&call).filter(|e| e.state == State::Ringing) else {
            return;
        };
        if let Some(theirs) = &entry.theirs
            && let Some(response) = &theirs.provisional
        {
            self.timers.set(Timer::Provisional(call), now.mono + defaults::PROVISIONAL_REPEAT);
            self.stack.respond(now, theirs.transaction, response);
        }
    }

    /// Answers a call with 200, which is sent again until it is acknowledged.
    pub fn answer(&mut self, now: Now, call: CallId, body: Body) {
        if self.calls.get(&call).is_some_and(|entry| entry.state == State::Ringing) {
            self.send_answer(now, call, &body);
        }
    }

    fn send_answer(&mut self, now: Now, call: CallId, body: &Body) {
        let Some(response) = self.response_of(call, Status::OK, Some(body)) else { return };
        self.timers.cancel(&Timer::Unanswered(call));
        self.timers.cancel(&Timer::Provisional(call));
        let times = self.config.stack.times;
        let Some(entry) = self.calls.get_mut(&call) else { return };
        entry.state = State::Up;
        if let Some(dialog) = &mut entry.dialog {
            dialog.early = false;
        }
        let Some(theirs) = &mut entry.theirs else { return };
        self.stack.respond(now, theirs.transaction, &response);
        //= RFC 3261 §13.3.1.4: the 2xx is sent again from T1 up to T2 until the ACK, over any
        //  transport, and given up after 64·T1.
        theirs.answer = Some(response);
        theirs.pause = times.t1;
        self.timers.set(Timer::Repeat(call), now.mono + times.t1);
        self.timers.set(Timer::GiveUp(call), now.mono + times.timeout());
    }

    pub(super) fn repeat_due(&mut self, now: Now, call: CallId) {
        let t2 = self.config.stack.times.t2;
        let theirs = self.calls.get_mut(&call).and_then(|entry| entry.theirs.as_mut());
        let Some(theirs) = theirs else { return };
        if let Some(response) = &theirs.answer {
            theirs.pause = (theirs.pause * 2).min(t2);
            self.timers.set(Timer::Repeat(call), now.mono + theirs.pause);
            self.stack.respond(now, theirs.transaction, response);
        }
    }

    /// No ACK came (RFC 3261 §13.3.1.4): the call ends with a BYE.
    pub(super) fn give_up_due(&mut self, now: Now, call: CallId) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.theirs = None;
            self.send_bye(now, call, Reason::NotAcknowledged, By::Them);
        }
    }

    pub(super) fn unanswered_due(&mut self, now: Now, call: CallId) {
        let status = Status::TEMPORARILY_UNAVAILABLE;
        self.finish_unanswered(now, call, status, Reason::Rejected(status), By::Us);
    }

    /// Refuses a call that is not answered yet. [`Event::Ended`] follows.
    pub fn reject(&mut self, now: Now, call: CallId, status: Status) {
        self.finish_unanswered(now, call, status, Reason::Rejected(status), By::Us);
    }

    pub(super) fn cancelled(&mut self, now: Now, transaction: TransactionId) {
        let found = self.calls.iter().find(|(_, entry)| {
            entry.theirs.as_ref().is_some_and(|theirs| theirs.transaction == transaction)
        });
        let Some((&call, entry)) = found else { return };
        let status = Status::REQUEST_TERMINATED;
        if entry.state == State::Ringing {
            self.finish_unanswered(now, call, status, Reason::Abandoned, By::Them);
        } else if entry.theirs.as_ref().is_some_and(|theirs| theirs.answer.is_none()) {
            // A re-INVITE was cancelled: the session stays as it was.
            self.reject_reoffer(now, call, status);
        }
    }

    pub(super) fn finish_unanswered(
        &mut self,
        now: Now,
        call: CallId,
        status: Status,
        reason: Reason,
        by: By,
    ) {
        let ringing = self.calls.get(&call).is_some_and(|entry| entry.state == State::Ringing);
        if ringing && let Some(response) = self.response_of(call, status, None) {
            let entry = self.calls.get_mut(&call);
            if let Some(theirs) = entry.and_then(|entry| entry.theirs.take()) {
                self.stack.respond(now, theirs.transaction, &response);
            }
            self.end(now, call, reason, by);
        }
    }

    /// A re-INVITE (RFC 3261 §14.2).
    pub(super) fn reoffered(
        &mut self,
        now: Now,
        call: CallId,
        transaction: TransactionId,
        request: Request,
    ) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let unanswered = entry.theirs.as_ref().is_some_and(|theirs| theirs.answer.is_none());
        if unanswered {
            //= RFC 3261 §14.2: a second INVITE before the first is answered gets a 500.
            let response = request
                .response(Status::SERVER_INTERNAL_ERROR)
                .with_header(name::RETRY_AFTER, self.entropy.below(11));
            return self.stack.respond(now, transaction, &response);
        }
        if entry.ours.is_some() || entry.theirs.is_some() {
            return self.refuse(now, transaction, &request, Status::REQUEST_PENDING);
        }
        if entry.state != State::Up {
            return self.refuse(now, transaction, &request, Status::CALL_DOES_NOT_EXIST);
        }
        let body = body_of(&request.headers, &request.body);
        entry.theirs = Some(Theirs::new(transaction, request));
        self.events.push_back(Event::Reoffer { call, body });
    }

    /// Accepts [`Event::Reoffer`].
    pub fn accept_reoffer(&mut self, now: Now, call: CallId, body: Body) {
        let waits = self.calls.get(&call).is_some_and(|entry| {
            entry.state == State::Up && entry.theirs.as_ref().is_some_and(|t| t.answer.is_none())
        });
        if waits {
            self.send_answer(now, call, &body);
        }
    }

    /// Refuses [`Event::Reoffer`], with 488 for one; the session stays as it was.
    pub fn reject_reoffer(&mut self, now: Now, call: CallId, status: Status) {
        let Some(response) = self.response_of(call, status, None) else { return };
        let Some(entry) = self.calls.get_mut(&call).filter(|e| e.state == State::Up) else {
            return;
        };
        if let Some(theirs) = entry.theirs.take_if(|theirs| theirs.answer.is_none()) {
            self.stack.respond(now, theirs.transaction, &response);
        }
    }

    /// An ACK for a 2xx of ours.
    pub(super) fn acknowledged(&mut self, now: Now, request: &Request) {
        let call = DialogId::of_request(request).ok().and_then(|id| self.call_of(&id));
        let Some((call, entry)) = call.and_then(|call| Some((call, self.calls.get_mut(&call)?)))
        else {
            return;
        };
        let number = |request: &Request| request.cseq().map(|cseq| cseq.number).ok();
        let Some(theirs) = entry.theirs.take_if(|theirs| {
            theirs.answer.is_some() && number(&theirs.request) == number(request)
        }) else {
            return;
        };
        self.timers.cancel(&Timer::Repeat(call));
        self.timers.cancel(&Timer::GiveUp(call));
        if entry.state == State::Closing {
            return self.send_bye(now, call, Reason::Bye, By::Us);
        }
        let body = body_of(&request.headers, &request.body).filter(|_| theirs.offerless);
        self.events.push_back(Event::Confirmed { call, body });
    }

    /// A response to the INVITE of theirs that is under way.
    pub(super) fn response_of(
        &self,
        call: CallId,
        status: Status,
        body: Option<&Body>,
    ) -> Option<Response> {
        let entry = self.calls.get(&call)?;
        let theirs = entry.theirs.as_ref()?;
        let mut response = theirs.request.response(status);
        response.set_to_tag(&entry.dialog.as_ref()?.id.local_tag);
        if status.is_failure() {
            return Some(response);
        }
        //= RFC 3261 §12.1.1: a response that makes a dialog has Record-Route and Contact.
        response.headers.copy_from(&theirs.request.headers, name::RECORD_ROUTE);
        if let Some(contact) = self.contact(entry.account) {
            response.headers.push(name::CONTACT, contact);
        }
        response.headers.push(name::ALLOW, ALLOW);
        response.headers.push(name::SUPPORTED, "outbound");
        response.headers.push(name::SERVER, &self.config.user_agent);
        if let Some(body) = body {
            response.headers.push(name::CONTENT_TYPE, &body.content_type);
            response.body.clone_from(&body.bytes);
        }
        Some(response)
    }
}
