//! The server itself: inputs to its parts, deadlines, what its owner may do.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use jid::{DomainPart, NodePart};
use machine::{
    BindKind, Bucket, Endpoint, Entropy, FailKind, Id, Ids, Input, Instant, Machine, Now, Output,
    Outputs, Timers,
};

use super::account::Account;
use super::attempts::Attempts;
use super::connection::Conn;
use super::defaults::QUESTION;
use super::strangers::Strangers;
use super::{Answer, Cause, Config, Event, Listener, Question, Refusal, Stats};
use crate::stream::{self, Condition};

/// The domain of a server that has none; nobody can be there (RFC 6761 §6.4).
const NO_DOMAIN: &str = "invalid";

/// A deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A deadline of a stream's own.
    Stream(Id),
    /// A client may have been silent for too long.
    Idle(Id),
    /// The end of a stream is still not written.
    Farewell(Id),
    /// A question is still not answered.
    Question(Id),
}

/// Whose question waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A client that logs in, and whose address it has.
    Credentials(Id, IpAddr),
    /// The first task of an account.
    Task(NodePart),
}

/// The XMPP server of one domain.
#[derive(Debug)]
pub struct Server {
    pub(super) config: Config,
    pub(super) domain: DomainPart,
    /// What every stream is set up with.
    pub(super) streams: Arc<stream::server::Config>,
    pub(super) ids: Ids,
    pub(super) entropy: Entropy,
    pub(super) outputs: Outputs<Event, Question>,
    pub(super) timers: Timers<Timer>,
    pub(super) stats: Stats,
    pub(super) scratch: Vec<u8>,

    pub(super) listeners: BTreeMap<Id, Listener>,
    pub(super) conns: BTreeMap<Id, Conn>,
    /// How many connections were accepted.
    pub(super) accepted: u64,
    /// Connections that have not bound a resource.
    pub(super) strangers: Strangers,
    pub(super) attempts: Attempts,
    /// How fast keys are derived, for all clients together.
    pub(super) derivations: Bucket,

    pub(super) accounts: BTreeMap<NodePart, Account>,
    pub(super) sessions: usize,
    pub(super) asked: BTreeMap<Id, Asked>,

    // What is to be done before the input at hand is done with.
    /// Clients that do not read.
    pub(super) doomed: VecDeque<Id>,
    /// Accounts with tasks that wait for nothing.
    pub(super) ready: VecDeque<NodePart>,
    /// Clients that go on.
    pub(super) resumed: VecDeque<Id>,

    pub(super) draining: bool,
    drained: bool,
}

impl Server {
    /// A server whose names come from `ids`, which binds the listeners of `config`. One whose domain
    /// is none ([`is_domain`](Config::is_domain)) serves nobody.
    #[must_use]
    pub fn new(config: Config, ids: Ids, entropy: &Entropy) -> Self {
        let domain = DomainPart::new(&config.domain)
            .or_else(|_| DomainPart::new(NO_DOMAIN))
            .expect("one of both is a domain")
            .into_owned();
        let streams = Arc::new(config.streams(&domain));
        let mut server = Self {
            domain,
            streams,
            ids,
            entropy: entropy.fork("xmpp.server"),
            outputs: Outputs::new(),
            timers: Timers::new(),
            stats: Stats::default(),
            scratch: Vec::new(),
            listeners: BTreeMap::new(),
            conns: BTreeMap::new(),
            accepted: 0,
            strangers: Strangers::default(),
            attempts: Attempts::default(),
            derivations: Bucket::default(),
            accounts: BTreeMap::new(),
            sessions: 0,
            asked: BTreeMap::new(),
            doomed: VecDeque::new(),
            ready: VecDeque::new(),
            resumed: VecDeque::new(),
            draining: false,
            drained: false,
            config,
        };
        for listener in server.config.listeners.clone() {
            server.listen(listener);
        }
        server
    }

    /// Binds another listener; an [`Event::Listening`] or [`Event::ListenFailed`] with this name
    /// follows.
    pub fn listen(&mut self, listener: Listener) -> Id {
        let id = self.ids.next_id();
        self.listeners.insert(id, listener);
        let (kind, local) = (BindKind::TcpListener, listener.local);
        self.outputs.push(Output::Bind { id, kind, local, interface: None });
        id
    }

    /// Takes new limits for what comes from now on; streams that there are keep theirs. The domain
    /// and the listeners stay as they are.
    pub fn reload(&mut self, config: Config) {
        self.config.limits = config.limits;
        self.streams = Arc::new(self.config.streams(&self.domain));
    }

    /// Takes no new connections and ends the streams that there are, with `system-shutdown`;
    /// [`Event::Drained`] tells when the last has ended and every answer is there.
    pub fn drain(&mut self, now: Now) {
        if self.draining {
            return;
        }
        self.draining = true;
        for id in std::mem::take(&mut self.listeners).into_keys() {
            self.outputs.push(Output::Close { id });
        }
        for id in self.conns.keys().copied().collect::<Vec<_>>() {
            self.cut(now, id, Condition::SystemShutdown.into(), Cause::Shutdown);
        }
        self.settle(now);
    }

    /// Ends the sessions of an account that is gone or has a new password, and logins to it that are
    /// under way.
    pub fn disconnect(&mut self, now: Now, user: &str) {
        let Ok(user) = NodePart::new(user) else { return };
        let theirs = self.conns.iter().filter(|(_, conn)| conn.user.as_deref() == Some(&*user));
        for id in theirs.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.cut(now, id, Condition::NotAuthorized.into(), Cause::Shutdown);
        }
        self.settle(now);
    }

    /// How many sessions there are.
    #[must_use]
    pub const fn sessions(&self) -> usize {
        self.sessions
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.conns.len() as u64,
            sessions: self.sessions as u64,
            waiting: self.asked.len() as u64,
            ..self.stats.clone()
        }
    }

    /// Does what an input has left to do.
    fn settle(&mut self, now: Now) {
        loop {
            if let Some(id) = self.doomed.pop_front() {
                self.refuse_slow(now, id);
            } else if let Some(user) = self.ready.pop_front() {
                self.work(now, &user);
            } else if let Some(id) = self.resumed.pop_front() {
                self.drive(now, id);
            } else {
                break;
            }
        }
        if self.draining && !self.drained && self.conns.is_empty() && self.asked.is_empty() {
            self.drained = true;
            self.outputs.event(Event::Drained);
        }
    }

    fn bound_listener(&mut self, id: Id, local: Endpoint) {
        if let Some(&Listener { direct_tls, .. }) = self.listeners.get(&id) {
            self.outputs.event(Event::Listening { id, direct_tls, local });
        }
    }

    fn failed(&mut self, now: Now, id: Id, kind: FailKind) {
        if let Some(Listener { direct_tls, local }) = self.listeners.remove(&id) {
            self.outputs.event(Event::ListenFailed { id, direct_tls, local, kind });
        } else if self.conns.contains_key(&id) {
            self.stats.refuse(Refusal::Tls);
            self.gone(now, id);
        }
    }

    /// Asks the world. A question that it does not answer in time has failed; what is said of it
    /// later counts for nothing.
    pub(super) fn ask(&mut self, now: Now, question: Question, waits: Asked) -> Id {
        let id = self.ids.next_id();
        self.asked.insert(id, waits);
        self.timers.set(Timer::Question(id), now.mono + QUESTION);
        self.outputs.push(Output::Ask { id, question });
        id
    }

    fn answered(&mut self, now: Now, id: Id, answer: Answer) {
        self.timers.cancel(&Timer::Question(id));
        match self.asked.remove(&id) {
            Some(Asked::Credentials(conn, holder)) => {
                self.credentials(now, conn, holder, answer);
            }
            Some(Asked::Task(user)) => self.task_answered(&user, answer),
            None => {}
        }
    }

    fn fire(&mut self, now: Now, timer: Timer) {
        match timer {
            Timer::Stream(id) => self.stream_due(now, id),
            Timer::Idle(id) => self.idle_due(now, id),
            Timer::Farewell(id) => self.close(now, id),
            Timer::Question(id) => self.answered(now, id, Answer::Failed),
        }
    }
}

impl Machine for Server {
    type Event = Event;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match input {
            Input::Bound { id, local } => self.bound_listener(id, local),
            Input::Failed { id, kind } => self.failed(now, id, kind),
            Input::Accepted { listener, conn, remote, room, .. } => {
                self.accepted(now, listener, conn, remote, room);
            }
            Input::Secured { conn, binding, room, .. } => self.secured(now, conn, binding, room),
            Input::Data { conn, bytes } => self.data(now, conn, bytes),
            Input::Writable { conn, room } => self.writable(now, conn, room),
            Input::Closed { conn, .. } => self.gone(now, conn),
            Input::Answer { id, answer } => self.answered(now, id, answer),
            Input::Datagram { .. }
            | Input::Connected { .. }
            | Input::Unreachable { .. }
            | Input::Interfaces(_)
            | Input::Resolved { .. } => {}
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            self.fire(now, timer);
        }
        self.settle(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }
}
