//! The phone: its verbs, and the joining of its parts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;

use call::Call;
use call::media::Source;
use connect::Connect;
use machine::{Entropy, Ids, Machine, Now, Outputs, Timers};
use sip::stack;

use sip::Status;
use sip::ua::{self, UserAgent};
use xmpp::client::Client;

use crate::account::{self, Connection, Line, Login};
use crate::address::{Address, Protocol, Target};
use crate::config::{Account, Config};
use crate::defaults;
use crate::event::{By, CallId, EndReason, Event};
use crate::invitations::Invitation;
use crate::keepalive::Keepalives;
use crate::proposals::Proposed;
use crate::session::Session;
use crate::signalling::{Context, Signalling, jingle, sip as sip_leg};
use crate::stop::Stage;

/// Ids of signalling sockets and look-ups.
pub(crate) const SIGNALLING: u16 = 1;
/// Ids of media sockets.
pub(crate) const PATHS: u16 = 2;
/// Ids of the first account's XMPP client; each account has a namespace.
pub(crate) const CLIENTS: u16 = 16;

/// A user agent: registrations, calls and their media.
#[derive(Debug)]
pub struct Phone {
    pub(crate) config: Config,
    pub(crate) agent: UserAgent,
    pub(crate) connect: Connect,
    pub(crate) keepalives: Keepalives,
    /// The configuration's accounts, at their places.
    pub(crate) lines: Vec<Line>,
    pub(crate) sessions: BTreeMap<CallId, Session>,
    /// Calls that are proposed to us by message, and have no session yet.
    pub(crate) invitations: BTreeMap<CallId, Invitation>,
    /// The last proposals of ours, the latest first.
    pub(crate) proposed: VecDeque<Proposed>,
    /// Accounts whose removal is under way.
    pub(crate) unregistering: BTreeSet<usize>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) outputs: Outputs<Event, Infallible>,
    entropy: Entropy,
    next_call: u64,
    pub(crate) timers: Timers<Timer>,
    /// The families that sockets for signalling were asked for: IPv4, IPv6.
    pub(crate) listening: [bool; 2],
    pub(crate) stage: Stage,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// An account of XMPP has waited for its own presence for long enough.
    Presence(usize),
    /// The time for calls to end in peace is up.
    HangUp,
    /// The time for a peaceful end is up.
    Stop,
}

/// Why a call was not begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The configuration has no such account.
    #[error("there is no account {0}")]
    NoAccount(usize),
    /// The account speaks another protocol than whom it is to call.
    #[error("an account of {} cannot call an address of {}", .0.name(), .1.name())]
    OtherProtocol(Protocol, Protocol),
    /// The account is not connected to its core.
    #[error("not connected")]
    NotConnected,
    /// As many calls as are allowed.
    #[error("{0} calls at a time are the limit")]
    TooMany(usize),
    /// The phone is being stopped.
    #[error("the phone is being stopped")]
    Stopping,
    /// No path can be looked for.
    #[error(transparent)]
    Call(#[from] call::call::Error),
}

impl Phone {
    /// A phone that is not registered yet; [`Phone::register`] makes it reachable.
    #[must_use]
    pub fn new(config: Config, entropy: Entropy) -> Self {
        let stack = stack::Config {
            fallback_after: Some(sip::defaults::FALLBACK_AFTER),
            ..stack::Config::default()
        };
        let user_agent = config.user_agent.clone();
        let agent_config = ua::Config { stack, user_agent, only_from_server: !config.direct_calls };
        let mut agent =
            UserAgent::new(agent_config, Ids::new(SIGNALLING), &entropy.fork("phone.ua"));
        let paths = entropy.fork("phone.connect");
        let connect = Connect::new(config.connect.clone(), Ids::new(PATHS), paths);
        let instance = account::instance(&mut entropy.fork("phone.instance"));
        let known = (0u16..).zip(&config.accounts).take(defaults::MAX_ACCOUNTS);
        let login = |(n, account): (u16, &Account)| {
            let login = match &account.address {
                Address::Sip(uri) => {
                    Login::Sip(agent.add_account(account::sip_account(account, uri, &instance)))
                }
                Address::Xmpp(jid) => {
                    let entropy = entropy.fork(&format!("phone.client.{n}"));
                    let mut resource = entropy.fork("phone.resource");
                    let client = account::client_config(jid, account, &config, &mut resource);
                    let client = Client::new(client, Ids::new(CLIENTS + n), &entropy);
                    Login::Xmpp(Box::new(Connection { client, untold: None, ping: None }))
                }
            };
            Line { login, route: None }
        };
        let lines = known.map(login).collect();
        Self {
            keepalives: Keepalives::new(&entropy),
            config,
            agent,
            connect,
            lines,
            sessions: BTreeMap::new(),
            invitations: BTreeMap::new(),
            proposed: VecDeque::new(),
            unregistering: BTreeSet::new(),
            events: VecDeque::new(),
            outputs: Outputs::new(),
            entropy,
            next_call: 0,
            timers: Timers::new(),
            listening: [false; 2],
            stage: Stage::Running,
            scratch: Vec::new(),
        }
    }

    /// Registers every account and keeps it registered.
    pub fn register(&mut self, now: Now) {
        for line in &mut self.lines {
            match &mut line.login {
                Login::Sip(account) => self.agent.register(now, *account),
                Login::Xmpp(connection) => connection.client.connect(now),
            }
        }
        self.run(now);
    }

    /// Calls `to` from the account at place `account`, and plays `source` to whoever answers.
    ///
    /// # Errors
    /// If no call can be begun.
    pub fn call(
        &mut self,
        now: Now,
        account: usize,
        to: &Target,
        source: Source,
    ) -> Result<CallId, CallError> {
        if self.is_stopping() {
            return Err(CallError::Stopping);
        }
        let Some(line) = self.lines.get(account) else {
            return Err(CallError::NoAccount(account));
        };
        let own = if line.sip().is_some() { Protocol::Sip } else { Protocol::Xmpp };
        if own != to.protocol() {
            return Err(CallError::OtherProtocol(own, to.protocol()));
        }
        if own == Protocol::Xmpp && line.jid().is_none() {
            return Err(CallError::NotConnected);
        }
        if self.is_full() {
            return Err(CallError::TooMany(self.config.max_calls));
        }
        let config = self.call_config(account, source.clone());
        let (id, entropy) = self.next_call();
        let call = Call::dial(now, config, &mut self.connect, entropy.fork("phone.call"))?;
        let signalling = match to {
            Target::Sip(to) => {
                let leg = sip_leg::Leg::outgoing(account, to.clone(), &entropy);
                Signalling::Sip(Box::new(leg))
            }
            Target::Xmpp(to) => {
                let leg = jingle::Leg::outgoing(now, account, to, source, &entropy);
                Signalling::Jingle(Box::new(leg))
            }
        };
        self.sessions.insert(id, Session::outgoing(id, call, signalling));
        self.seek(now, id, false);
        self.run(now);
        Ok(id)
    }

    /// Answers a call that came, and plays `source`.
    pub fn answer(&mut self, now: Now, call: CallId, source: Source) {
        if let Some(session) = self.sessions.get_mut(&call) {
            session.call.play(source);
            if let Err(reason) = session.answer(now, &mut self.connect) {
                session.fate = Some(reason);
            }
            if let Signalling::Sip(leg) = &mut session.signalling {
                leg.offer_in_answer(now, &mut self.agent);
            }
        } else {
            self.accept_invitation(now, call, source);
        }
        self.run(now);
    }

    /// Refuses a call that came and was not answered: busy here, or declined.
    pub fn reject(&mut self, now: Now, call: CallId, busy: bool) {
        match self.sessions.get(&call).map(|session| &session.signalling) {
            Some(Signalling::Sip(leg)) => {
                let status = if busy { Status::BUSY_HERE } else { Status::DECLINE };
                if let Some(id) = leg.id {
                    self.agent.reject(now, id, status);
                }
            }
            Some(Signalling::Jingle(_)) => self.reject_jingle(now, call, busy),
            None => self.reject_invitation(now, call, busy),
        }
        self.run(now);
    }

    /// Ends a call, whatever its state: CANCEL, BYE, a refusal, or what Jingle has for each.
    pub fn hang_up(&mut self, now: Now, call: CallId) {
        self.end_signalling(now, call);
        self.run(now);
    }

    /// Holds a call, or takes it back.
    pub fn hold(&mut self, now: Now, call: CallId, on: bool) {
        if let Some(session) = self.sessions.get_mut(&call) {
            // A call that is not answered yet has nothing to hold.
            let _ = session.call.hold(&self.connect, on);
        }
        self.run(now);
    }

    /// The calls there are.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        let invitations = self.invitations.iter().filter(|(_, invitation)| invitation.is_open());
        self.sessions.keys().chain(invitations.map(|(call, _)| call)).copied()
    }

    pub(crate) fn next_call(&mut self) -> (CallId, Entropy) {
        let id = CallId(self.next_call);
        self.next_call += 1;
        (id, self.entropy.fork(&format!("phone.call.{}", id.0)))
    }

    /// Ends a call: over SIP, the user agent says when it is over.
    pub(crate) fn end_signalling(&mut self, now: Now, call: CallId) {
        match self.sessions.get(&call).map(|session| &session.signalling) {
            Some(Signalling::Sip(leg)) => match leg.id {
                Some(id) => self.agent.hangup(now, id),
                None => self.drop_session(now, call, ua::Reason::Cancelled.into(), By::Us),
            },
            Some(Signalling::Jingle(_)) => self.hang_up_jingle(now, call),
            None => self.reject_invitation(now, call, false),
        }
    }

    /// Forgets a call that is over.
    pub(crate) fn drop_session(&mut self, now: Now, call: CallId, reason: EndReason, by: By) {
        if let Some(session) = self.sessions.remove(&call) {
            session.end(now, &mut self.connect, reason, by, &mut self.events);
        }
    }

    /// What a call of ours works with, and that call.
    pub(crate) fn at_work(
        &mut self,
        now: Now,
        call: CallId,
    ) -> Option<(Context<'_>, &mut Session)> {
        let Self { agent, lines, connect, events, sessions, .. } = self;
        let session = sessions.get_mut(&call)?;
        Some((Context { now, agent, lines, connect, events }, session))
    }

    /// Lets the parts talk to each other until none has anything to say.
    pub(crate) fn run(&mut self, now: Now) {
        let mut buf = std::mem::take(&mut self.scratch);
        loop {
            let mut quiet = true;
            while let Some(event) = self.agent.poll_event() {
                quiet = false;
                self.handle_signalling(now, event);
            }
            quiet &= self.drain_clients(now, &mut buf);
            buf.clear();
            while let Some(output) = self.connect.poll_output(&mut buf) {
                quiet = false;
                match output.split() {
                    Ok(effect) => self.outputs.push_with(effect, &buf),
                    Err(event) => self.handle_path(now, event),
                }
                buf.clear();
            }
            quiet &= self.pump(now) && self.advance_stop(now);
            if quiet {
                break;
            }
        }
        while let Some(output) = self.agent.poll_output(&mut buf) {
            self.outputs.push_with(output.map(|never| match never {}, |never| never), &buf);
            buf.clear();
        }
        self.scratch = buf;
        while let Some(event) = self.events.pop_front() {
            self.outputs.event(event);
        }
    }

    /// Carries what calls have to say; whether there was nothing.
    fn pump(&mut self, now: Now) -> bool {
        let before = self.events.len();
        let mut doomed = Vec::new();
        let Self { agent, lines, connect, events, sessions, .. } = self;
        for session in sessions.values_mut() {
            let mut context = Context { now, agent, lines, connect, events };
            session.pump(&mut context);
            if let Signalling::Sip(leg) = &mut session.signalling {
                leg.offer_in_answer(now, agent);
            }
            if session.fate.is_some() && !std::mem::replace(&mut session.doomed, true) {
                doomed.push(session.id);
            }
        }
        for call in &doomed {
            self.end_signalling(now, *call);
        }
        doomed.is_empty() && self.events.len() == before
    }
}
