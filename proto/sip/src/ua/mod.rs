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
//! | `options` | what the far side can do |
//! | `answer` | requests that come: OPTIONS, BYE, and what is refused |

mod account;
mod answer;
mod call;
mod callee;
mod caller;
mod event;
mod options;
mod register;
mod request;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;

use machine::{Endpoint, Entropy, Id, Ids, Input, Instant, Now, Output, Timers, Transport};

pub use account::Account;
pub use event::{AccountId, Body, By, CallId, Event, QueryId, Reason};

use self::account::Identity;
use self::call::Call;
use self::request::Pending;
use crate::dialog::DialogId;
use crate::stack::{self, Stack, TransactionId};

/// How a user agent behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its stack.
    pub stack: stack::Config,
    /// What it calls itself in User-Agent.
    pub user_agent: String,
    /// Whether requests that begin something are taken only from where an account is registered:
    /// whoever is on the way to the phone could else ring it, past everything that its server checks.
    pub only_from_server: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            stack: stack::Config::default(),
            user_agent: "Wayleave".to_owned(),
            only_from_server: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A registration is to be refreshed or tried again.
    Register(AccountId),
    /// A 2xx is to be sent again.
    Repeat(CallId),
    /// A 2xx was never acknowledged.
    GiveUp(CallId),
    /// A call rang for too long.
    Unanswered(CallId),
    /// A provisional response is to be sent again.
    Provisional(CallId),
    /// A re-INVITE is to be tried again.
    Reoffer(CallId),
}

/// A user agent: accounts, their registrations, and calls.
#[derive(Debug)]
pub struct UserAgent {
    config: Config,
    stack: Stack,
    entropy: Entropy,
    accounts: BTreeMap<AccountId, Identity>,
    calls: BTreeMap<CallId, Call>,
    dialogs: BTreeMap<DialogId, CallId>,
    pending: BTreeMap<TransactionId, Pending>,
    /// INVITE transactions of ours that had a 2xx: they tell when it comes again (RFC 6026).
    answered: BTreeMap<TransactionId, CallId>,
    next_account: u32,
    next_call: u64,
    next_query: u64,
    timers: Timers<Timer>,
    events: VecDeque<Event>,
}

impl UserAgent {
    /// A user agent that names its sockets with `ids`.
    #[must_use]
    pub fn new(config: Config, ids: Ids, entropy: &Entropy) -> Self {
        let stack = Stack::new(config.stack.clone(), ids, entropy.fork("sip.stack"));
        Self {
            config,
            stack,
            entropy: entropy.fork("sip.ua"),
            accounts: BTreeMap::new(),
            calls: BTreeMap::new(),
            dialogs: BTreeMap::new(),
            pending: BTreeMap::new(),
            answered: BTreeMap::new(),
            next_account: 0,
            next_call: 0,
            next_query: 0,
            timers: Timers::new(),
            events: VecDeque::new(),
        }
    }

    /// The namespace of everything that this user agent names.
    #[must_use]
    pub fn namespace(&self) -> u16 {
        self.stack.namespace()
    }

    /// Binds a UDP socket or a TCP listener. [`Event::Listening`] or [`Event::ListenFailed`]
    /// follows. Without a TCP listener, connections of our own still carry requests both ways.
    pub fn listen(&mut self, transport: Transport, local: Endpoint) -> Id {
        self.stack.listen(transport, local)
    }

    /// Adds an account; nothing is sent.
    pub fn add_account(&mut self, account: Account) -> AccountId {
        self.next_account += 1;
        let id = AccountId(self.next_account);
        let auth = self.entropy.fork(&format!("auth.{}", id.0));
        self.accounts.insert(id, Identity::new(account, &mut self.entropy, auth));
        id
    }

    /// Takes one input of this namespace, or `Interfaces`. STUN datagrams stay with the owner.
    pub fn handle_input<A>(&mut self, now: Now, input: &Input<'_, A>) {
        self.stack.handle_input(now, input);
        self.pump(now);
    }

    /// Fires every timer that is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.stack.handle_timeout(now);
        self.pump(now);
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Register(account) => self.send_register(now, account),
                Timer::Repeat(call) => self.repeat_due(now, call),
                Timer::GiveUp(call) => self.give_up_due(now, call),
                Timer::Unanswered(call) => self.unanswered_due(now, call),
                Timer::Provisional(call) => self.provisional_due(now, call),
                Timer::Reoffer(call) => self.reoffer_due(now, call),
            }
            self.pump(now);
        }
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
        [self.timers.next(), self.stack.poll_timeout()].into_iter().flatten().min()
    }

    /// What the stack counts.
    #[must_use]
    pub fn stats(&self) -> stack::Stats {
        self.stack.stats()
    }

    /// Carries the stack's events to where they belong.
    fn pump(&mut self, now: Now) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                stack::Event::Listening { id, transport, local } => {
                    self.events.push_back(Event::Listening { id, transport, local });
                    self.register_wanted(now);
                }
                stack::Event::ListenFailed { id, local, kind, .. } => {
                    self.events.push_back(Event::ListenFailed { id, local, kind });
                    self.register_wanted(now);
                }
                stack::Event::Request { transaction, flow, request } => {
                    self.request(now, transaction, flow, request);
                }
                stack::Event::Ack { request, .. } => self.acknowledged(now, &request),
                stack::Event::Cancelled { transaction } => self.cancelled(now, transaction),
                stack::Event::Response { transaction, flow, response } => {
                    self.response(now, transaction, flow, &response);
                }
                stack::Event::TimedOut { transaction } => {
                    self.transaction_failed(now, transaction, Reason::TimedOut);
                }
                stack::Event::Failed { transaction, failure } => {
                    self.transaction_failed(now, transaction, Reason::Transport(failure));
                }
                stack::Event::ClientEnded { transaction } => {
                    self.answered.remove(&transaction);
                }
                // A refusal that nobody acknowledged is told already; 2xx have their own timers.
                stack::Event::ServerEnded { .. } => {}
                stack::Event::FlowLost { flow } => self.flow_lost(now, &flow),
                stack::Event::KeepaliveDue { flow } => self.keepalive_due(flow),
            }
        }
    }
}
