//! The user agent (RFC 3261 §8, §10, §13 to §15; RFC 5626 for the way through NATs).
//!
//! [`UserAgent`] is a part that a machine embeds: it owns a [`Stack`], hence all ids of one
//! namespace. The owner hands it inputs and timeouts, forwards its outputs and drains
//! [`poll_event`](UserAgent::poll_event) after each. Bodies are opaque: offers and answers belong to
//! whoever owns the user agent.
//!
//! | file | what |
//! |---|---|
//! | `account` | who we are: address of record, credentials, server |
//! | `register` | registrations: refresh, 423, removal, the reflexive address |
//! | `request` | requests of ours under way, and their second try with credentials |
//! | `call` | the state of one call |
//! | `caller`, `callee` | the two sides of an INVITE, re-INVITEs among them |
//! | `answer` | requests that come: OPTIONS, BYE, and what is refused |

mod account;
mod event;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;

use machine::{Endpoint, Entropy, Id, Ids, Input, Instant, Now, Output, Transport};

pub use account::Account;
pub use event::{AccountId, Body, By, CallId, Event, Reason};

use crate::stack::{self, Stack};
use crate::status::Status;
use crate::transport::Flow;
use crate::uri::Uri;

/// How a user agent behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its stack.
    pub stack: stack::Config,
    /// What it calls itself in User-Agent.
    pub user_agent: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { stack: stack::Config::default(), user_agent: "Wayleave".to_owned() }
    }
}

/// A user agent: accounts, their registrations, and calls.
#[derive(Debug)]
pub struct UserAgent {
    config: Config,
    stack: Stack,
    entropy: Entropy,
    accounts: BTreeMap<AccountId, Account>,
    events: VecDeque<Event>,
}

impl UserAgent {
    /// A user agent that names its sockets with `ids`.
    #[must_use]
    pub fn new(config: Config, ids: Ids, entropy: Entropy) -> Self {
        let stack = Stack::new(config.stack.clone(), ids, entropy.fork("sip.stack"));
        let entropy = entropy.fork("sip.ua");
        let (accounts, events) = (BTreeMap::new(), VecDeque::new());
        Self { config, stack, entropy, accounts, events }
    }

    /// Binds a UDP socket or a TCP listener. [`Event::Listening`] or [`Event::ListenFailed`]
    /// follows. Without a TCP listener, connections of our own still carry requests both ways.
    pub fn listen(&mut self, transport: Transport, local: Endpoint) -> Id {
        self.stack.listen(transport, local)
    }

    /// Adds an account; nothing is sent.
    pub fn add_account(&mut self, account: Account) -> AccountId {
        let _ = (account, &self.config, &self.entropy, &self.accounts);
        AccountId(0)
    }

    /// Registers an account and keeps it registered. Waits for the first listener by itself.
    pub fn register(&mut self, now: Now, account: AccountId) {
        let _ = (now, account);
    }

    /// Removes an account's registration. [`Event::Unregistered`] follows, or
    /// [`Event::RegistrationFailed`].
    pub fn unregister(&mut self, now: Now, account: AccountId) {
        let _ = (now, account);
    }

    /// Calls `to`. Without a body the far side makes the offer, which then comes in
    /// [`Event::Answered`].
    pub fn invite(&mut self, now: Now, account: AccountId, to: Uri, body: Option<Body>) -> CallId {
        let _ = (now, account, to, body);
        CallId(0)
    }

    /// Tells the caller that the phone rings (180, or 183 with an early answer).
    pub fn ring(&mut self, now: Now, call: CallId, body: Option<Body>) {
        let _ = (now, call, body);
    }

    /// Answers a call with 200, which is sent again until it is acknowledged.
    pub fn answer(&mut self, now: Now, call: CallId, body: Body) {
        let _ = (now, call, body);
    }

    /// Refuses a call that is not answered yet. [`Event::Ended`] follows.
    pub fn reject(&mut self, now: Now, call: CallId, status: Status) {
        let _ = (now, call, status);
    }

    /// Ends a call whatever its state: CANCEL before the answer, BYE after it, a refusal (486)
    /// of a call that rings here. [`Event::Ended`] follows.
    pub fn hangup(&mut self, now: Now, call: CallId) {
        let _ = (now, call);
    }

    /// Offers a change of an answered call (re-INVITE). A 491 is tried again by itself
    /// (RFC 3261 §14.1).
    pub fn reinvite(&mut self, now: Now, call: CallId, body: Option<Body>) {
        let _ = (now, call, body);
    }

    /// Accepts [`Event::Reoffer`].
    pub fn accept_reoffer(&mut self, now: Now, call: CallId, body: Body) {
        let _ = (now, call, body);
    }

    /// Refuses [`Event::Reoffer`], with 488 for one; the session stays as it was.
    pub fn reject_reoffer(&mut self, now: Now, call: CallId, status: Status) {
        let _ = (now, call, status);
    }

    /// A STUN Binding response came over `flow`, with this mapped address. If the address is a
    /// new one, the account registers again.
    pub fn keepalive_answered(&mut self, now: Now, flow: Flow, reflexive: Endpoint) {
        let _ = (now, flow, reflexive);
    }

    /// No STUN Binding response came over `flow`: the account registers again.
    pub fn keepalive_failed(&mut self, now: Now, flow: Flow) {
        let _ = (now, flow);
    }

    /// Takes one input of this namespace, and `Interfaces`. STUN datagrams stay with the owner.
    pub fn handle_input<A>(&mut self, now: Now, input: &Input<'_, A>) {
        self.stack.handle_input(now, input);
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next output; events do not come this way.
    pub fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Infallible, Infallible>> {
        self.stack.poll_output(buf)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.stack.poll_timeout()
    }
}
