//! The client: servers in order, the first that answers wins.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;

use machine::{Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs, Timers};

use super::config::{Config, Server};
use super::defaults::{ABANDON, MAX_PEERS, MAX_REDIRECTS, MAX_ROUNDS, RELEASE};
use super::event::{Allocation, Cause, Event, Failure, SendError};
use super::session::{Context, Session, Verdict};

/// A TURN client with at most one allocation.
#[derive(Debug)]
pub struct Client {
    config: Config,
    ids: Ids,
    entropy: Entropy,
    out: Outputs<Event, Infallible>,
    /// Attempts and the allocation; those that lost as long as they are not closed.
    sessions: Vec<(u32, Session)>,
    /// The session with the allocation.
    winner: Option<u32>,
    sessions_begun: u32,
    /// Servers that are still to be tried.
    servers: VecDeque<Server>,
    /// Servers that were tried, for loops of alternate servers.
    tried: Vec<Server>,
    redirects: u32,
    rounds: u32,
    /// What has come of those that failed.
    failure: Option<Failure>,
    timers: Timers<Timer>,
    state: State,
    permits: BTreeSet<IpAddr>,
    channels: BTreeSet<Endpoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The next server's turn.
    Next,
    /// All servers' turn again.
    Again,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Over,
}

impl Client {
    /// Starts asking for an allocation. The client's sockets and connections have names of `ids`.
    #[must_use]
    pub fn new(now: Now, config: Config, ids: Ids, entropy: Entropy) -> Self {
        let mut client = Self {
            servers: config.servers.iter().cloned().collect(),
            config,
            ids,
            entropy,
            out: Outputs::new(),
            sessions: Vec::new(),
            winner: None,
            sessions_begun: 0,
            tried: Vec::new(),
            redirects: 0,
            rounds: 0,
            failure: None,
            timers: Timers::new(),
            state: State::Open,
            permits: BTreeSet::new(),
            channels: BTreeSet::new(),
        };
        client.try_next(now);
        client
    }

    /// Whether an input with this name is for this client: every name of the [`Ids`] that it got.
    #[must_use]
    pub const fn owns(&self, id: Id) -> bool {
        self.ids.contains(id)
    }

    /// The allocation, while there is one.
    #[must_use]
    pub fn allocation(&self) -> Option<&Allocation> {
        self.won().and_then(Session::allocation)
    }

    /// Whether it has failed or ended, and everything of it is closed.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over) && self.sessions.is_empty()
    }

    /// Lets what comes from `peer` pass, and what is sent to it: now or as soon as there is an
    /// allocation, until [`release`](Self::release). Told by [`Event::Permitted`] or
    /// [`Event::PeerRefused`].
    ///
    /// # Errors
    /// [`SendError::TooManyPeers`].
    pub fn permit(&mut self, now: Now, peer: IpAddr) -> Result<(), SendError> {
        if self.winner.is_some() {
            return self.with_winner(now, |session, context| session.permit(context, peer));
        }
        remember(&mut self.permits, peer)
    }

    /// As [`permit`](Self::permit) for several peers, in as few requests as possible.
    ///
    /// # Errors
    /// [`SendError::TooManyPeers`]; those before the first that is too many are permitted.
    pub fn permit_all(&mut self, now: Now, peers: &[IpAddr]) -> Result<(), SendError> {
        if self.winner.is_some() {
            return self.with_winner(now, |session, context| session.permit_all(context, peers));
        }
        peers.iter().try_for_each(|peer| remember(&mut self.permits, *peer))
    }

    /// Permits `peer` and gives it a channel: less header a packet, and less work for the server.
    /// Told by [`Event::ChannelBound`] or [`Event::PeerRefused`].
    ///
    /// # Errors
    /// [`SendError::TooManyPeers`]; [`SendError::Unsupported`] if the allocation relays TCP.
    pub fn bind_channel(&mut self, now: Now, peer: Endpoint) -> Result<(), SendError> {
        if self.winner.is_some() {
            return self.with_winner(now, |session, context| session.bind(context, peer));
        }
        remember(&mut self.channels, peer)
    }

    /// Stops refreshing the permission of `peer` and its channels: they end with their lifetime.
    pub fn release(&mut self, peer: IpAddr) {
        self.permits.remove(&peer);
        self.channels.retain(|channel| channel.ip() != peer);
        if let Some(session) = self.won_mut() {
            session.release_peer(peer);
        }
    }

    /// Sends a datagram to `peer`: on its channel if it has one, else in a Send indication.
    ///
    /// Over TCP and TLS media that finds no room waits for it a fraction of a second, and is dropped
    /// then.
    ///
    /// # Errors
    /// [`SendError`] says why it was not sent.
    pub fn send(&mut self, now: Now, peer: Endpoint, bytes: &[u8]) -> Result<(), SendError> {
        self.send_train(now, peer, bytes.len(), bytes)
    }

    /// Sends a train of datagrams of `segment_bytes` each (the last may be shorter) to `peer`.
    ///
    /// # Errors
    /// As [`send`](Self::send); the first error ends it.
    pub fn send_train(
        &mut self,
        now: Now,
        peer: Endpoint,
        segment_bytes: usize,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        self.with_winner(now, |session, context| session.send(context, peer, segment_bytes, bytes))
    }

    /// Opens a connection to `peer` through the relay (RFC 6062 §4.3). Told by
    /// [`Event::PeerConnected`] with the name that is returned, or [`Event::PeerRefused`].
    ///
    /// # Errors
    /// [`SendError::NotAllocated`], [`SendError::Unsupported`], [`SendError::TooManyPeers`].
    pub fn connect_peer(&mut self, now: Now, peer: Endpoint) -> Result<Id, SendError> {
        self.with_winner(now, |session, context| session.connect_to(context, peer))
    }

    /// Takes the connection of [`Event::PeerConnecting`].
    ///
    /// # Errors
    /// [`SendError::NoConnection`] if the peer has gone.
    pub fn accept_peer(&mut self, now: Now, conn: Id) -> Result<(), SendError> {
        self.with_winner(now, |session, context| session.accept(context, conn))
    }

    /// Writes to a connection with a peer, at most the room that was announced; says how much was
    /// written.
    ///
    /// # Errors
    /// [`SendError::NoConnection`].
    pub fn write_peer(&mut self, now: Now, conn: Id, bytes: &[u8]) -> Result<usize, SendError> {
        self.with_winner(now, |session, context| session.write(context, conn, bytes))
    }

    /// Closes a connection with a peer, or refuses one that it offered.
    pub fn close_peer(&mut self, now: Now, conn: Id) {
        let _ = self.with_winner(now, |session, context| {
            session.close_connection(context, conn);
            Ok(())
        });
    }

    /// Goes on from another address of ours, or from any, taking the allocation along
    /// (RFC 8016 §3.2). Told by [`Event::Moved`] or [`Event::Failed`].
    ///
    /// # Errors
    /// [`SendError::Unsupported`] if the allocation is not mobile, [`SendError::NotAllocated`].
    pub fn move_to(
        &mut self,
        now: Now,
        local: Option<IpAddr>,
        interface: Option<u32>,
    ) -> Result<(), SendError> {
        self.with_winner(now, |session, context| session.move_to(context, local, interface))
    }

    /// Releases the allocation and ends. Told by [`Event::Ended`], shortly.
    pub fn close(&mut self, now: Now) {
        if self.state != State::Open {
            return;
        }
        self.state = State::Closing;
        self.timers = Timers::new();
        self.servers.clear();
        self.each(now, |session, context| session.close(context, RELEASE));
        self.settle(now);
    }

    fn won(&self) -> Option<&Session> {
        let winner = self.winner?;
        self.sessions.iter().find(|(n, _)| *n == winner).map(|(_, session)| session)
    }

    fn won_mut(&mut self) -> Option<&mut Session> {
        let winner = self.winner?;
        self.sessions.iter_mut().find(|(n, _)| *n == winner).map(|(_, session)| session)
    }

    fn with_winner<R>(
        &mut self,
        now: Now,
        verb: impl FnOnce(&mut Session, &mut Context<'_>) -> Result<R, SendError>,
    ) -> Result<R, SendError> {
        let Self { config, ids, entropy, out, sessions, winner, .. } = self;
        let winner = winner.ok_or(SendError::NotAllocated)?;
        let (_, session) =
            sessions.iter_mut().find(|(n, _)| *n == winner).ok_or(SendError::NotAllocated)?;
        verb(session, &mut Context { now, config, out, ids, entropy })
    }

    /// Does something with every session.
    fn each(&mut self, now: Now, mut verb: impl FnMut(&mut Session, &mut Context<'_>)) {
        let Self { config, ids, entropy, out, sessions, .. } = self;
        let mut context = Context { now, config, out, ids, entropy };
        sessions.iter_mut().for_each(|(_, session)| verb(session, &mut context));
    }

    /// Starts with the next server, and sees to the one after it.
    fn try_next(&mut self, now: Now) {
        self.timers.cancel(&Timer::Next);
        if let Some(server) = self.servers.pop_front() {
            self.begin(now, server);
        } else if self.sessions.is_empty() {
            self.exhausted(now);
        }
        if !self.servers.is_empty() {
            self.timers.set(Timer::Next, now.mono + self.config.stagger);
        }
    }

    fn begin(&mut self, now: Now, server: Server) {
        self.tried.push(server.clone());
        let Self { config, ids, entropy, out, .. } = self;
        let session = Session::new(&mut Context { now, config, out, ids, entropy }, server);
        self.sessions.push((self.sessions_begun, session));
        self.sessions_begun += 1;
    }

    /// There is no server left to try.
    fn exhausted(&mut self, now: Now) {
        let failure = self.failure.take().unwrap_or_else(|| Failure {
            server: Server::udp(Endpoint::UNSPECIFIED_V4),
            cause: Cause::NoServer,
            retry_after: None,
        });
        match failure.retry_after {
            Some(wait) if self.rounds < MAX_ROUNDS => {
                self.rounds += 1;
                let spread = wait / 10;
                let extra = self.entropy.below(spread.as_nanos().max(1) as u64);
                let until = now.mono + wait + std::time::Duration::from_nanos(extra);
                self.timers.set(Timer::Again, until);
                self.out.event(Event::Waiting { until, failure: Box::new(failure) });
            }
            _ => {
                self.state = State::Over;
                self.out.event(Event::Failed(Box::new(failure)));
            }
        }
    }

    /// Acts on what became of sessions, until nothing more comes of it.
    fn settle(&mut self, now: Now) {
        while let Some((n, verdict)) = self
            .sessions
            .iter_mut()
            .find_map(|(n, session)| session.take_verdict().map(|verdict| (*n, verdict)))
        {
            match verdict {
                Verdict::Allocated => self.allocated(now, n),
                Verdict::Ended => self.remove(n),
                Verdict::Redirected(server) => {
                    self.remove(n);
                    self.redirected(now, server);
                }
                Verdict::Failed(failure) => {
                    self.remove(n);
                    self.failed(now, n, failure);
                }
            }
        }
        if self.state == State::Closing && self.sessions.is_empty() {
            self.state = State::Over;
            self.out.event(Event::Ended);
        }
    }

    fn remove(&mut self, session: u32) {
        self.sessions.retain(|(n, _)| *n != session);
    }

    fn allocated(&mut self, now: Now, n: u32) {
        if self.winner.is_some() || self.state != State::Open {
            self.each_where(now, |other| other == n);
            return;
        }
        self.winner = Some(n);
        self.timers = Timers::new();
        self.servers.clear();
        if let Some(allocation) = self.allocation().cloned() {
            self.out.event(Event::Allocated(Box::new(allocation)));
        }
        self.each_where(now, |other| other != n);
        for peer in std::mem::take(&mut self.permits) {
            self.tell_if_refused(now, Endpoint::new(peer, 0), |session, context| {
                session.permit(context, peer)
            });
        }
        for peer in std::mem::take(&mut self.channels) {
            self.tell_if_refused(now, peer, |session, context| session.bind(context, peer));
        }
    }

    /// Does what was wished for before there was an allocation.
    fn tell_if_refused(
        &mut self,
        now: Now,
        peer: Endpoint,
        verb: impl FnOnce(&mut Session, &mut Context<'_>) -> Result<(), SendError>,
    ) {
        if self.with_winner(now, verb).is_err() {
            self.out.event(Event::PeerRefused { peer, cause: Cause::TooManyPeers });
        }
    }

    /// Closes those sessions that lost.
    fn each_where(&mut self, now: Now, lost: impl Fn(u32) -> bool) {
        let Self { config, ids, entropy, out, sessions, .. } = self;
        let mut context = Context { now, config, out, ids, entropy };
        let losers = sessions.iter_mut().filter(|(n, _)| lost(*n));
        losers.for_each(|(_, session)| session.close(&mut context, ABANDON));
    }

    /// A server named another one.
    //= RFC 8489 §10: a server that was tried already ends the chain.
    fn redirected(&mut self, now: Now, server: Server) {
        let loops = self.redirects >= MAX_REDIRECTS || self.tried.contains(&server);
        if self.winner.is_some() || self.state != State::Open {
            return;
        }
        if loops {
            let failure = Failure { server, cause: Cause::Loop, retry_after: None };
            self.attempt_failed(now, failure);
        } else {
            self.redirects += 1;
            self.begin(now, server);
        }
    }

    fn failed(&mut self, now: Now, n: u32, failure: Failure) {
        if self.winner == Some(n) {
            self.winner = None;
            if self.state == State::Open {
                self.state = State::Over;
                self.out.event(Event::Failed(Box::new(failure)));
            }
        } else if self.winner.is_none() && self.state == State::Open {
            self.attempt_failed(now, failure);
        }
    }

    fn attempt_failed(&mut self, now: Now, failure: Failure) {
        self.out.event(Event::Attempt(Box::new(failure.clone())));
        let better = self.failure.as_ref().is_none_or(|known| weight(&failure) >= weight(known));
        if better {
            self.failure = Some(failure);
        }
        self.try_next(now);
    }
}

/// How much a failure says: a server that answers knows best why there is nothing to be had, and one
/// that may have something later is worth waiting for.
const fn weight(failure: &Failure) -> u8 {
    match (&failure.cause, failure.retry_after) {
        (_, Some(_)) => 4,
        (Cause::Refused { .. } | Cause::Credentials(_) | Cause::CredentialsMissing, _) => 3,
        (Cause::Loop | Cause::BadAnswer, _) => 2,
        (Cause::Unreachable(_), _) => 1,
        _ => 0,
    }
}

/// Adds a wish, within the limit.
fn remember<T: Ord>(wishes: &mut BTreeSet<T>, wish: T) -> Result<(), SendError> {
    if wishes.len() >= MAX_PEERS && !wishes.contains(&wish) {
        return Err(SendError::TooManyPeers);
    }
    wishes.insert(wish);
    Ok(())
}

impl Machine for Client {
    type Event = Event;
    type Question = Infallible;
    type Answer = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        let id = match input {
            Input::Datagram { socket, .. } | Input::Unreachable { socket, .. } => Some(socket),
            Input::Bound { id, .. } | Input::Failed { id, .. } => Some(id),
            Input::Connected { conn, .. }
            | Input::Secured { conn, .. }
            | Input::Data { conn, .. }
            | Input::Writable { conn, .. }
            | Input::Closed { conn, .. } => Some(conn),
            Input::Interfaces(_) => None,
            Input::Accepted { .. } | Input::Resolved { .. } | Input::Answer { .. } => return,
        };
        self.each(now, |session, context| {
            if id.is_none_or(|id| session.owns(id)) {
                session.handle_input(context, &input);
            }
        });
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            if timer == Timer::Again {
                self.servers.extend(self.config.servers.iter().cloned());
                (self.tried, self.redirects) = (Vec::new(), 0);
            }
            self.try_next(now);
        }
        self.each(now, |session, context| session.handle_timeout(context));
        self.settle(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.out.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.sessions.iter().filter_map(|(_, session)| session.poll_timeout());
        sessions.chain(self.timers.next()).min()
    }
}
