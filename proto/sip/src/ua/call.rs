//! One call: its state, and what both sides of it share (RFC 3261 §12 to §15).

use std::time::Duration;

use machine::Now;

use super::account::Identity;
use super::register::contact_uri;
use super::request::Purpose;
use super::{AccountId, Body, By, CallId, Event, Reason, Timer, UserAgent};
use crate::dialog::{Dialog, DialogId};
use crate::header::{Contact, name};
use crate::headers::Headers;
use crate::message::{Request, Response};
use crate::method::Method;
use crate::stack::{Target, TransactionId};
use crate::status::Status;
use crate::uri::Uri;

/// The methods that a user agent answers.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS";

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) account: AccountId,
    /// Whether we called.
    pub(super) caller: bool,
    pub(super) state: State,
    pub(super) dialog: Option<Dialog>,
    /// The INVITE or re-INVITE of ours under way.
    pub(super) ours: Option<TransactionId>,
    /// The INVITE or re-INVITE of theirs that is not answered, or whose answer is not
    /// acknowledged.
    pub(super) theirs: Option<Theirs>,
    /// The ACK of our last INVITE, to be sent again when its 2xx comes again.
    pub(super) ack: Option<Request>,
    /// The offer of a re-INVITE that could not be sent yet (491).
    pub(super) reoffer: Option<Body>,
    /// Our number for requests outside a dialog: the INVITE's.
    pub(super) number: u32,
}

/// How far a call has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Our INVITE is not answered. `cancelled`: we have given up.
    Calling { cancelled: bool },
    /// Their INVITE is not answered.
    Ringing,
    /// The call stands.
    Up,
    /// It ends as soon as our answer is acknowledged (RFC 3261 §15 forbids a BYE before).
    Closing,
    /// Our BYE is under way.
    Leaving { reason: Reason, by: By },
}

/// An INVITE of theirs.
#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) transaction: TransactionId,
    pub(super) request: Request,
    /// The 2xx that is sent until the ACK comes.
    pub(super) answer: Option<Response>,
    /// The pause before the 2xx is sent again.
    pub(super) pause: Duration,
    /// The last provisional response, sent again every minute.
    pub(super) provisional: Option<Response>,
    /// Whether the offer is in our 2xx, so that the ACK brings the answer.
    pub(super) offerless: bool,
}

impl Theirs {
    pub(super) fn new(transaction: TransactionId, request: Request) -> Self {
        let offerless = request.body.is_empty();
        let (answer, provisional, pause) = (None, None, Duration::ZERO);
        Self { transaction, request, answer, pause, provisional, offerless }
    }
}

impl UserAgent {
    /// Ends a call whatever its state: CANCEL before the answer, BYE after it, a refusal (486)
    /// of a call that rings here. [`Event::Ended`] follows.
    pub fn hangup(&mut self, now: Now, call: CallId) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        match entry.state {
            State::Calling { ref mut cancelled } => {
                *cancelled = true;
                if let Some(transaction) = entry.ours {
                    self.stack.cancel(now, transaction);
                }
            }
            State::Ringing => self.reject(now, call, Status::BUSY_HERE),
            State::Up => {
                //= RFC 3261 §15: the callee sends no BYE before its answer is acknowledged.
                if entry.theirs.as_ref().is_some_and(|theirs| theirs.answer.is_some()) {
                    entry.state = State::Closing;
                } else {
                    self.send_bye(now, call, Reason::Bye, By::Us);
                }
            }
            State::Closing | State::Leaving { .. } => {}
        }
        self.pump(now);
    }

    /// Sends BYE; the call ends, as told here, when it is answered.
    pub(super) fn send_bye(&mut self, now: Now, call: CallId, reason: Reason, by: By) {
        self.stop_timers(call);
        self.drop_requests(now, call);
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Some(dialog) = entry.dialog.as_mut() else {
            return self.end(now, call, reason, by);
        };
        entry.state = State::Leaving { reason, by };
        let request =
            dialog.request(Method::Bye).with_header(name::USER_AGENT, &self.config.user_agent);
        let account = entry.account;
        self.send(now, account, Purpose::Bye(call), request, Target::Uri);
    }

    /// Our BYE was answered, with whatever: the call is over (RFC 3261 §15.1.1).
    pub(super) fn bye_answered(&mut self, now: Now, call: CallId) {
        let state = self.calls.get(&call).map(|entry| entry.state.clone());
        match state {
            Some(State::Leaving { reason, by }) => self.end(now, call, reason, by),
            Some(_) => self.end(now, call, Reason::Bye, By::Us),
            None => {}
        }
    }

    /// Ends the INVITEs of a call that are under way, on both sides.
    fn drop_requests(&mut self, now: Now, call: CallId) {
        let refusal = self.response_of(call, Status::REQUEST_TERMINATED, None);
        let Some(entry) = self.calls.get_mut(&call) else { return };
        if let Some(transaction) = entry.ours.take() {
            self.stack.cancel(now, transaction);
        }
        //= RFC 3261 §15.1.2: what is not answered when the dialog ends is answered with a 487.
        if let Some(theirs) = entry.theirs.take_if(|theirs| theirs.answer.is_none())
            && let Some(refusal) = refusal
        {
            self.stack.respond(now, theirs.transaction, &refusal);
        }
    }

    /// Forgets a call and tells the owner.
    pub(super) fn end(&mut self, now: Now, call: CallId, reason: Reason, by: By) {
        self.stop_timers(call);
        self.drop_requests(now, call);
        if let Some(entry) = self.calls.remove(&call) {
            if let Some(dialog) = &entry.dialog {
                self.dialogs.remove(&dialog.id);
            }
            self.events.push_back(Event::Ended { call, reason, by });
        }
    }

    pub(super) fn stop_timers(&mut self, call: CallId) {
        for timer in [
            Timer::Repeat(call),
            Timer::GiveUp(call),
            Timer::Unanswered(call),
            Timer::Provisional(call),
            Timer::Reoffer(call),
        ] {
            self.timers.cancel(&timer);
        }
    }

    /// Gives a call its dialog.
    pub(super) fn set_dialog(&mut self, call: CallId, dialog: Dialog) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        if let Some(old) = &entry.dialog {
            self.dialogs.remove(&old.id);
        }
        self.dialogs.insert(dialog.id.clone(), call);
        entry.dialog = Some(dialog);
    }

    pub(super) fn call_of(&self, id: &DialogId) -> Option<CallId> {
        self.dialogs.get(id).copied()
    }

    /// The number of a request that is sent again with credentials.
    pub(super) fn next_number(&mut self, call: CallId) -> Option<u32> {
        let entry = self.calls.get_mut(&call)?;
        match &mut entry.dialog {
            Some(dialog) => {
                dialog.local_number += 1;
                Some(dialog.local_number)
            }
            None => {
                entry.number += 1;
                Some(entry.number)
            }
        }
    }

    /// A request of a call goes under another transaction now.
    pub(super) fn renamed(&mut self, now: Now, purpose: Purpose, transaction: TransactionId) {
        let (Purpose::Invite(call) | Purpose::Reinvite(call)) = purpose else { return };
        let Some(entry) = self.calls.get_mut(&call) else { return };
        entry.ours = Some(transaction);
        if entry.state == (State::Calling { cancelled: true }) {
            self.stack.cancel(now, transaction);
        }
    }

    /// Where the far side of a call reaches us.
    pub(super) fn contact(&self, account: AccountId) -> Option<Contact> {
        let identity: &Identity = self.accounts.get(&account)?;
        let (transport, at) = self.contact_address(identity);
        let mut uri = contact_uri(&identity.user(), transport, at);
        //= RFC 5626 §4.3: `ob` asks for later requests over the flow that this one takes.
        if !identity.account.instance.is_empty() {
            uri = uri.with_param("ob", "");
        }
        Some(Contact::new(Uri::Sip(uri)))
    }
}

/// The body of a message, if there is one.
pub(super) fn body_of(headers: &Headers, bytes: &[u8]) -> Option<Body> {
    let content_type = headers.first(name::CONTENT_TYPE).unwrap_or("application/sdp").to_owned();
    (!bytes.is_empty()).then(|| Body { content_type, bytes: bytes.to_vec() })
}
