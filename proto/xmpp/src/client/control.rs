//! The client itself: what it is at, what ends that, and what it hands to its parts.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{
    Entropy, FailKind, Id, Ids, Input, Instant, Interface, Machine, Now, Output, Outputs, Timers,
};

use super::attempt::Trying;
use super::backoff::Backoff;
use super::config::Config;
use super::defaults::{PING, STOP};
use super::event::{Error, Event, SendError};
use super::link::{Link, Phase};
use super::locate::Locator;
use super::session::{Context, Session};
use super::stats::Stats;
use crate::Stanza;
use crate::sasl::Mechanism;
use crate::stream::client::Action;

/// What a client waits for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// DNS has to answer.
    Lookup,
    /// The connection, and TLS on it, must stand.
    Connect,
    /// Another attempt.
    Retry,
    /// The server was silent for long, perhaps.
    Keepalive,
    /// An answer to the request with this id.
    Request(String),
    /// The end of patience after closing.
    Stop,
}

/// Where a client is.
#[derive(Debug)]
pub(super) enum State {
    /// Not wanted, or without hope.
    Idle,
    /// DNS is asked.
    Locating(Locator),
    /// One address is tried.
    Trying(Trying),
    /// Logged in.
    Online(Box<Link>),
    /// Another attempt will be made.
    Waiting,
    /// The stream is being closed.
    Stopping(Box<Link>),
}

/// One account and its connection.
///
/// A part of a machine, with the verbs of one: it can be driven by itself too.
#[derive(Debug)]
pub struct Client {
    pub(super) config: Config,
    pub(super) ids: Ids,
    pub(super) state: State,
    pub(super) session: Session,
    pub(super) backoff: Backoff,
    pub(super) stats: Stats,
    pub(super) outputs: Outputs<Event, Infallible>,
    pub(super) timers: Timers<Timer>,
    /// When the server was heard last.
    heard: Instant,
    /// What we logged in with before; nothing less will do.
    pub(super) proven: Option<Mechanism>,
    /// For ids of stanzas, which nobody may guess.
    secret: Entropy,
    /// For pauses and the order of servers, which everybody sees.
    pub(super) chance: Entropy,
    /// For streams, each with a fork of its own.
    pub(super) streams: Entropy,
    pub(super) opened: u64,
}

impl Client {
    /// A client that is not connected. Its names come from `ids`.
    #[must_use]
    pub fn new(config: Config, ids: Ids, entropy: &Entropy) -> Self {
        Self {
            session: Session::new(&config),
            proven: config.policy.at_least,
            config,
            ids,
            state: State::Idle,
            backoff: Backoff::default(),
            stats: Stats::default(),
            outputs: Outputs::new(),
            timers: Timers::new(),
            heard: Instant::ORIGIN,
            secret: entropy.fork("xmpp.client.ids"),
            chance: entropy.fork("xmpp.client.chance"),
            streams: entropy.fork("xmpp.client.streams"),
            opened: 0,
        }
    }

    /// Does something while logged in, and sends what came of it.
    pub(super) fn with_session<T>(
        &mut self,
        now: Now,
        what: impl FnOnce(&mut Session, &mut Context<'_>) -> T,
    ) -> Result<T, SendError> {
        if !matches!(self.state, State::Online(_)) {
            return Err(SendError::Offline);
        }
        let result = self.in_session(now, what);
        self.pump(now);
        Ok(result)
    }

    /// Does something with the session; what it sends goes to the stream.
    pub(super) fn in_session<T>(
        &mut self,
        now: Now,
        what: impl FnOnce(&mut Session, &mut Context<'_>) -> T,
    ) -> T {
        let mut send: Vec<Stanza> = Vec::new();
        let mut context = Context {
            now,
            config: &self.config,
            out: &mut self.outputs,
            timers: &mut self.timers,
            entropy: &mut self.secret,
            stats: &mut self.stats,
            send: &mut send,
        };
        let result = what(&mut self.session, &mut context);
        if let Some(link) = self.link_mut() {
            send.iter().for_each(|stanza| link.stream.send(stanza));
        }
        result
    }

    const fn link_mut(&mut self) -> Option<&mut Link> {
        match &mut self.state {
            State::Trying(trying) => Some(&mut *trying.link),
            State::Online(link) | State::Stopping(link) => Some(&mut **link),
            State::Idle | State::Locating(_) | State::Waiting => None,
        }
    }

    /// The link that is called `id`, unless it is one of those that are gone.
    fn link_of(&mut self, id: Id) -> Option<&mut Link> {
        self.link_mut().filter(|link| link.conn == id)
    }

    /// The link is gone, or is to go. `error` says why.
    fn link_failed(&mut self, now: Now, error: Error, close: bool) {
        let close = |client: &mut Self, link: &Link| {
            if close {
                client.outputs.push(Output::Close { id: link.conn });
            }
        };
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Trying(Trying { link, rest, failed }) => {
                close(self, &link);
                // A server that was reached and refuses for good: the others are the same server.
                if matches!(&error, Error::Stream(_) if error.is_final()) {
                    return self.give_up(now, error);
                }
                let worse = failed.filter(|failed| failed.weight() >= error.weight());
                self.try_next(now, rest, Some(worse.unwrap_or(error)));
            }
            State::Online(link) => {
                close(self, &link);
                self.give_up(now, error);
            }
            State::Stopping(link) => {
                close(self, &link);
                self.stopped(now);
            }
            other => self.state = other,
        }
    }

    /// The attempt, or the login, is over.
    pub(super) fn give_up(&mut self, now: Now, reason: Error) {
        self.clear_timers();
        self.in_session(now, |session, context| session.end(context));
        let again = self.config.reconnect && !reason.is_final();
        let retry_in = again.then(|| self.backoff.failed(now.mono, &mut self.chance));
        self.state = match retry_in {
            Some(pause) => {
                self.timers.set(Timer::Retry, now.mono + pause);
                State::Waiting
            }
            None => State::Idle,
        };
        self.outputs.event(Event::Offline { reason, retry_in });
    }

    fn clear_timers(&mut self) {
        self.timers = Timers::new();
    }

    /// Says that we go, and closes the stream.
    pub(super) fn leave(&mut self, now: Now) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Online(link) => {
                self.state = State::Online(link);
                self.in_session(now, |session, context| session.leave(context));
                self.end_stream(now);
                self.pump(now);
            }
            State::Locating(mut locator) => {
                for id in locator.give_up() {
                    self.outputs.push(Output::Close { id });
                }
                self.stopped(now);
            }
            State::Trying(trying) => {
                self.outputs.push(Output::Close { id: trying.link.conn });
                self.stopped(now);
            }
            State::Stopping(link) => self.state = State::Stopping(link),
            State::Idle | State::Waiting => self.stopped(now),
        }
    }

    fn end_stream(&mut self, now: Now) {
        if let State::Online(mut link) = std::mem::replace(&mut self.state, State::Idle) {
            link.stream.end(now);
            self.timers.cancel(&Timer::Keepalive);
            self.timers.set(Timer::Stop, now.mono + STOP);
            self.state = State::Stopping(link);
        }
    }

    fn stopped(&mut self, now: Now) {
        self.clear_timers();
        self.in_session(now, |session, context| session.end(context));
        self.backoff.reset();
        self.state = State::Idle;
        self.outputs.event(Event::Stopped);
    }

    /// Does what the stream wants.
    pub(super) fn pump(&mut self, now: Now) {
        loop {
            let Some(link) = self.link_mut() else { return };
            let Some(action) = link.stream.poll() else { return };
            match action {
                Action::Write(bytes) => self.write(now, &bytes),
                Action::StartTls => self.start_tls(),
                Action::Online { jid, mechanism, channel_bound, .. } => {
                    self.online(now, jid, mechanism, channel_bound);
                }
                Action::Stanza(stanza) => {
                    self.in_session(now, |session, context| session.handle(context, stanza));
                }
                Action::Failed(failure) => link.failure = Some(Error::Stream(failure)),
                Action::Closed => {
                    let error = link.failure.take().unwrap_or(Error::Closed);
                    self.link_failed(now, error, true);
                }
            }
        }
    }

    fn write(&mut self, now: Now, bytes: &[u8]) {
        let Self { state, outputs, .. } = self;
        let link = match state {
            State::Trying(trying) => &mut trying.link,
            State::Online(link) | State::Stopping(link) => link,
            State::Idle | State::Locating(_) | State::Waiting => return,
        };
        if link.write(bytes, outputs).is_err() {
            self.link_failed(now, Error::Stalled, true);
        }
    }

    fn failed(&mut self, now: Now, id: Id, kind: &FailKind) {
        let domain = self.config.jid.domain().as_str().to_owned();
        let Some(link) = self.link_of(id) else { return };
        let server = link.target.endpoint;
        let error = match (kind, link.phase) {
            (FailKind::Certificate(why), _) => {
                Error::Certificate { domain, server, why: why.clone() }
            }
            (FailKind::Tls(why), _) => Error::Tls { server, why: why.clone() },
            (cause, Phase::Connecting) => Error::Unreachable { server, cause: cause.clone() },
            (FailKind::TimedOut, _) => Error::Tls { server, why: "no answer in time".to_owned() },
            (_, _) => Error::Tls { server, why: "the connection ended".to_owned() },
        };
        self.link_failed(now, error, false);
    }

    /// The list of interfaces changed: a connection from an address that is gone is gone too, and a
    /// way that did not exist may exist now.
    fn interfaces(&mut self, now: Now, interfaces: &[Interface]) {
        let here = |ip: IpAddr| {
            // The host itself is always there, listed or not.
            if ip.is_loopback() {
                return true;
            }
            let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
            addresses.into_iter().any(|address| address.ip.to_canonical() == ip)
        };
        match &self.state {
            State::Trying(Trying { link, .. }) | State::Online(link)
                if link.phase != Phase::Connecting && !here(link.local.ip()) =>
            {
                self.link_failed(now, Error::NetworkChanged, true);
                self.hurry(now);
            }
            State::Waiting => self.hurry(now),
            _ => {}
        }
    }

    /// Makes the next attempt soon, though not at once: interfaces come in several steps.
    fn hurry(&mut self, now: Now) {
        if matches!(self.state, State::Waiting) {
            let soon = now.mono + Duration::from_millis(500 + self.chance.below(500));
            if self.timers.at(&Timer::Retry).is_none_or(|at| soon < at) {
                self.timers.set(Timer::Retry, soon);
            }
        }
    }

    fn expired(&mut self, now: Now, timer: Timer) {
        match timer {
            Timer::Lookup => {
                if let State::Locating(locator) = &mut self.state {
                    for id in locator.give_up() {
                        self.outputs.push(Output::Close { id });
                    }
                    self.located(now);
                }
            }
            Timer::Connect => {
                let Some(link) = self.link_mut() else { return };
                let server = link.target.endpoint;
                let error = match link.phase {
                    Phase::Connecting => Error::Unreachable { server, cause: FailKind::TimedOut },
                    Phase::Handshaking => {
                        Error::Tls { server, why: "no answer in time".to_owned() }
                    }
                    Phase::Streaming => return,
                };
                self.link_failed(now, error, true);
            }
            Timer::Stop => self.link_failed(now, Error::TimedOut, true),
            Timer::Retry => self.begin(now),
            Timer::Keepalive => self.keep_alive(now),
            Timer::Request(id) => {
                let silent = self.in_session(now, |session, context| session.expired(context, &id));
                if silent && now.mono.saturating_since(self.heard) > PING {
                    self.link_failed(now, Error::Silent, true);
                }
            }
        }
    }

    /// Asks the server whether it is there, where it was silent; looks again in any case.
    fn keep_alive(&mut self, now: Now) {
        let period = self.config.keepalive;
        let next = if now.mono.saturating_since(self.heard) < period {
            self.heard + period
        } else {
            self.in_session(now, |session, context| session.ping(context));
            now.mono + period
        };
        self.timers.set(Timer::Keepalive, next);
    }
}

impl Machine for Client {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        match input {
            Input::Resolved { id, records } => self.resolved(now, id, &records),
            Input::Connected { conn, local, room, .. } => self.connected(now, conn, local, room),
            Input::Secured { conn, binding, room, .. } => self.secured(now, conn, binding, room),
            Input::Data { conn, bytes } => {
                if let Some(link) = self.link_of(conn) {
                    link.stream.handle_bytes(now, bytes);
                    self.heard = now.mono;
                    self.pump(now);
                }
            }
            Input::Writable { conn, room } => {
                let Self { state, outputs, .. } = self;
                let link = match state {
                    State::Trying(trying) => &mut trying.link,
                    State::Online(link) | State::Stopping(link) => link,
                    State::Idle | State::Locating(_) | State::Waiting => return,
                };
                if link.conn == conn {
                    link.writable(room, outputs);
                }
            }
            Input::Failed { id, kind } => self.failed(now, id, &kind),
            Input::Closed { conn, reason } => {
                if self.link_of(conn).is_some() {
                    self.link_failed(now, Error::Lost(reason), false);
                }
            }
            Input::Interfaces(interfaces) => self.interfaces(now, &interfaces),
            Input::Datagram { .. }
            | Input::Bound { .. }
            | Input::Accepted { .. }
            | Input::Unreachable { .. }
            | Input::Answer { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            self.expired(now, timer);
        }
        if let Some(link) = self.link_mut() {
            link.stream.handle_timeout(now);
        }
        self.pump(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let stream = match &self.state {
            State::Trying(trying) => trying.link.stream.poll_timeout(),
            State::Online(link) | State::Stopping(link) => link.stream.poll_timeout(),
            State::Idle | State::Locating(_) | State::Waiting => None,
        };
        self.timers.next().into_iter().chain(stream).min()
    }
}
