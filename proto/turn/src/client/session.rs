//! One attempt at an allocation, and then the allocation: one server, over one transport.

mod connections;
mod data;
mod link;
mod peers;
mod refusals;
mod requests;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Entropy, FailKind, Icmp, Id, Ids, Input, Instant, Now, Outputs, Timers};
use stun::long_term::Verdict as Judgement;
use stun::transaction::Output as Step;
use stun::{Class, LongTerm, Message, Timing, Transaction, TransactionId};

use self::connections::Connections;
use self::link::{Change, Link};
use self::peers::Peers;
use self::requests::{Purpose, Wishes};
use super::config::{Config, Server};
use super::defaults::{
    CHANNEL_REFRESH, JITTER_PERCENT, KEEPALIVE, MAX_PEERS_PER_REQUEST, MIN_REFRESH, OPEN,
    PERMISSION_REFRESH, REFRESH_PERCENT, RELEASE,
};
use super::event::{Allocation, Cause, Event, Failure, SendError};
use crate::attribute::RelayTransport;
use crate::message::{TurnMessage, UNDERSTOOD};

/// What a session does its work with.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) now: Now,
    pub(super) config: &'a Config,
    pub(super) out: &'a mut Outputs<Event, Infallible>,
    pub(super) ids: &'a mut Ids,
    pub(super) entropy: &'a mut Entropy,
}

impl Context<'_> {
    /// `period`, a little shortened at random.
    pub(super) fn jittered(&mut self, period: Duration) -> Duration {
        let percent_of_percent = self.entropy.below(JITTER_PERCENT * 100) as u32;
        period.saturating_sub(period.saturating_mul(percent_of_percent) / 10_000)
    }
}

/// What became of a session, for the client to act on.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It has an allocation.
    Allocated,
    /// The server names another one.
    Redirected(Server),
    /// It is over.
    Failed(Failure),
    /// It was closed and is over.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The link is being opened.
    Opening,
    /// The server was asked.
    Allocating,
    /// The server was asked, and its allocation is no longer wanted.
    Abandoned,
    /// There is an allocation.
    Allocated,
    /// It is being released.
    Releasing,
    /// Everything is closed.
    Over,
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The link must be open.
    Open,
    /// A request's next step.
    Transaction(TransactionId),
    /// The allocation's refresh.
    Refresh,
    /// All permissions' refresh.
    Permissions,
    /// A channel's refresh.
    Channel(Endpoint),
    /// The flow through NATs.
    KeepAlive,
    /// A connection that is being opened, or that a peer offers.
    Connection(Id),
    /// The end of patience after closing.
    End,
}

/// One server over one transport.
#[derive(Debug)]
pub(super) struct Session {
    server: Server,
    link: Link,
    /// The link that the allocation moves to.
    moving: Option<Link>,
    state: State,
    auth: Option<LongTerm>,
    pending: BTreeMap<TransactionId, (Purpose, Transaction)>,
    timers: Timers<Timer>,
    wishes: Wishes,
    peers: Peers,
    connections: Connections,
    allocation: Option<Allocation>,
    ticket: Option<Vec<u8>>,
    verdict: Option<Verdict>,
    rebinds: u32,
    concessions: u32,
    /// Whether the server was ever heard.
    heard: bool,
    scratch: Vec<u8>,
}

impl Session {
    /// Starts to open a link to `server`.
    pub(super) fn new(context: &mut Context<'_>, server: Server) -> Self {
        let config = context.config;
        let link = Link::open(context, &server, config.local, config.interface);
        let mut timers = Timers::new();
        timers.set(Timer::Open, context.now.mono + OPEN);
        Self {
            server,
            link,
            moving: None,
            state: State::Opening,
            auth: config.credentials.clone().map(LongTerm::new),
            pending: BTreeMap::new(),
            timers,
            wishes: Wishes::new(config),
            peers: Peers::default(),
            connections: Connections::default(),
            allocation: None,
            ticket: None,
            verdict: None,
            rebinds: 0,
            concessions: 0,
            heard: false,
            scratch: Vec::new(),
        }
    }

    pub(super) fn owns(&self, id: Id) -> bool {
        id == self.link.id()
            || self.moving.as_ref().is_some_and(|link| link.id() == id)
            || self.connections.owns(id)
    }

    pub(super) const fn allocation(&self) -> Option<&Allocation> {
        self.allocation.as_ref()
    }

    /// What became of it since this was last asked.
    pub(super) fn take_verdict(&mut self) -> Option<Verdict> {
        self.verdict.take()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Takes an input that it [owns](Self::owns), or a new list of interfaces.
    pub(super) fn handle_input(
        &mut self,
        context: &mut Context<'_>,
        input: &Input<'_, Infallible>,
    ) {
        match *input {
            Input::Datagram { socket, local, remote, segment_size, bytes, .. } => {
                let link = match &mut self.moving {
                    Some(moving) if moving.id() == socket => moving,
                    _ => &mut self.link,
                };
                if link.is_from_server(local, remote) {
                    let length = segment_size.unwrap_or(bytes.len()).max(1);
                    bytes.chunks(length).for_each(|packet| self.handle_packet(context, packet));
                }
            }
            Input::Data { conn, bytes } if !self.connections.owns(conn) => {
                self.handle_stream(context, conn, bytes);
            }
            Input::Unreachable { icmp, .. } => self.handle_icmp(context, icmp),
            Input::Interfaces(ref interfaces) => {
                let ours = self.link.local().ip();
                let mut addresses = interfaces.iter().flat_map(|i| &i.addresses);
                if !ours.is_unspecified() && !addresses.any(|address| address.ip == ours) {
                    // An allocation that cannot move may still be good, should the address return.
                    let _ = self.move_to(context, None, None);
                }
            }
            ref other => {
                if let Some(id) = subject(other) {
                    self.handle_opening(context, id, other);
                }
            }
        }
    }

    /// Takes what concerns links and connections themselves.
    fn handle_opening(&mut self, context: &mut Context<'_>, id: Id, input: &Input<'_, Infallible>) {
        if self.link.id() == id {
            match self.link.handle_input(context, input) {
                Change::None => {}
                Change::Ready => self.link_ready(context),
                Change::Failed(cause) => self.link_failed(context, cause),
            }
        } else if let Some(moving) = self.moving.as_mut().filter(|link| link.id() == id) {
            match moving.handle_input(context, input) {
                Change::None => {}
                Change::Ready => {
                    self.timers.cancel(&Timer::Open);
                    self.start(context, Purpose::Move);
                }
                Change::Failed(_) => self.fail(context, Cause::AddressLost, None),
            }
        } else {
            self.handle_connection(context, id, input);
        }
    }

    fn link_ready(&mut self, context: &mut Context<'_>) {
        self.timers.cancel(&Timer::Open);
        if self.state == State::Opening {
            self.state = State::Allocating;
            self.start(context, Purpose::Allocate);
        }
    }

    fn link_failed(&mut self, context: &mut Context<'_>, cause: Cause) {
        match self.state {
            State::Releasing | State::Abandoned => self.end(context),
            // A connection that broke is as good a reason to move as a new address.
            State::Allocated if self.ticket.is_some() => {
                if self.moving.is_none() {
                    let _ = self.move_to(context, None, None);
                }
            }
            _ => self.fail(context, cause, None),
        }
    }

    /// An error of the network's. Anybody may have made it up, so it counts only as long as the server
    /// has not been heard at all.
    fn handle_icmp(&mut self, context: &mut Context<'_>, icmp: Icmp) {
        let hard = !matches!(icmp, Icmp::TooBig { .. } | Icmp::TimeExceeded);
        if self.state == State::Allocating && !self.heard && hard {
            self.fail(context, Cause::Icmp(icmp), None);
        }
    }

    /// Sends a request for `purpose`.
    fn start(&mut self, context: &mut Context<'_>, purpose: Purpose) {
        let id = TransactionId::random(context.entropy);
        let request = self.request(context.config, &purpose, id);
        let timing = if self.link.is_stream() { Timing::RELIABLE } else { context.config.timing };
        let transaction = Transaction::new(context.now.mono, request, timing);
        self.pending.insert(id, (purpose, transaction));
        self.drive(context, id);
    }

    /// Does what the transaction `id` wants done.
    fn drive(&mut self, context: &mut Context<'_>, id: TransactionId) {
        let Some((purpose, transaction)) = self.pending.get_mut(&id) else { return };
        self.scratch.clear();
        while let Some(step) = transaction.poll_output(&mut self.scratch) {
            match (step, &*purpose, &mut self.moving) {
                (Step::Send, Purpose::ConnectionBind(conn), _) => {
                    self.connections.send(context, *conn, &self.scratch);
                }
                (Step::Send, Purpose::Move, Some(moving)) => moving.send(context, &self.scratch),
                (Step::Send, ..) => self.link.send(context, &self.scratch),
                (Step::TimedOut, ..) => {
                    if let Some((purpose, _)) = self.forget(id) {
                        self.refused(context, purpose, Cause::NoAnswer);
                    }
                    return;
                }
            }
            self.scratch.clear();
        }
        match transaction.poll_timeout() {
            Some(at) => self.timers.set(Timer::Transaction(id), at),
            None => {
                self.timers.cancel(&Timer::Transaction(id));
            }
        }
    }

    fn forget(&mut self, id: TransactionId) -> Option<(Purpose, Transaction)> {
        self.timers.cancel(&Timer::Transaction(id));
        self.pending.remove(&id)
    }

    /// Takes a STUN message from the server.
    fn handle_message(&mut self, context: &mut Context<'_>, bytes: &[u8]) {
        let Ok(message) = Message::parse(bytes) else { return };
        match message.class() {
            Class::Success | Class::Error => self.handle_response(context, &message),
            Class::Indication => self.handle_indication(context, &message),
            Class::Request => {}
        }
    }

    fn handle_response(&mut self, context: &mut Context<'_>, response: &Message<'_>) {
        let Some((_, transaction)) = self.pending.get(&response.id()) else { return };
        let request = Message::parse(transaction.request());
        let Some(request) = request.ok().filter(|_| transaction.matches(response)) else { return };
        let judgement = match &mut self.auth {
            Some(auth) => auth.handle_response(&request, response),
            None => Judgement::Accept,
        };
        if judgement == Judgement::Discard {
            return;
        }
        self.heard = true;
        let Some((purpose, _)) = self.forget(response.id()) else { return };
        match judgement {
            Judgement::Retry => self.start(context, purpose),
            Judgement::GiveUp(refusal) => {
                self.refused(context, purpose, Cause::Credentials(refusal));
            }
            Judgement::Accept | Judgement::Discard => {
                //= RFC 8489 §6.3.3: a response with an unknown comprehension-required attribute
                // fails the transaction.
                if !response.unknown_required(UNDERSTOOD).is_empty() {
                    self.refused(context, purpose, Cause::BadAnswer);
                } else if response.class() == Class::Error {
                    self.handle_error(context, purpose, response);
                } else {
                    self.succeeded(context, purpose, response);
                }
            }
        }
    }

    fn succeeded(&mut self, context: &mut Context<'_>, purpose: Purpose, response: &Message<'_>) {
        match purpose {
            Purpose::Allocate => self.allocate_succeeded(context, response),
            Purpose::Refresh => self.refreshed(context, response),
            Purpose::Move => self.moved(context, response),
            Purpose::Release => self.end(context),
            Purpose::Permit(peers) => {
                for peer in peers {
                    if self.peers.permitted(peer) {
                        context.out.event(Event::Permitted { peer });
                    }
                }
                self.schedule_permissions(context);
            }
            Purpose::Bind(peer) => {
                if self.peers.bound(peer) {
                    context.out.event(Event::ChannelBound { peer });
                }
                if self.peers.channel(peer).is_some() {
                    let at = context.now.mono + context.jittered(CHANNEL_REFRESH);
                    self.timers.set(Timer::Channel(peer), at);
                }
                self.schedule_permissions(context);
            }
            Purpose::Connect(conn) => match response.connection_id() {
                Some(id) => self.connect_succeeded(context, conn, id),
                None => self.connection_failed(context, conn, Cause::BadAnswer),
            },
            Purpose::ConnectionBind(conn) => self.connection_bound(context, conn),
        }
    }

    fn schedule_permissions(&mut self, context: &mut Context<'_>) {
        if self.timers.at(&Timer::Permissions).is_none() && !self.peers.granted().is_empty() {
            let at = context.now.mono + context.jittered(PERMISSION_REFRESH);
            self.timers.set(Timer::Permissions, at);
        }
    }

    fn allocate_succeeded(&mut self, context: &mut Context<'_>, response: &Message<'_>) {
        if self.state == State::Abandoned {
            self.release(context, RELEASE);
            return;
        }
        let relayed: Vec<_> = response.relayed_addresses().take(2).collect();
        let (Some(lifetime), Some(reflexive)) = (response.lifetime(), response.reflexive_address())
        else {
            self.fail(context, Cause::BadAnswer, None);
            return;
        };
        if relayed.is_empty() {
            self.fail(context, Cause::BadAnswer, None);
            return;
        }
        let ticket = response.mobility_ticket().filter(|_| self.wishes.mobility);
        self.ticket = ticket.map(<[u8]>::to_vec);
        self.allocation = Some(Allocation {
            server: self.server.clone(),
            relayed,
            reflexive,
            local: self.link.local(),
            lifetime,
            reservation: response.reservation_token(),
            missing: response.address_error().map(|missing| (missing.family, missing.error.code)),
            mobile: self.ticket.is_some(),
        });
        self.state = State::Allocated;
        self.verdict = Some(Verdict::Allocated);
        self.schedule_refresh(context, lifetime);
        self.schedule_keepalive(context.now.mono);
    }

    fn schedule_refresh(&mut self, context: &mut Context<'_>, lifetime: Duration) {
        let period = lifetime.saturating_mul(REFRESH_PERCENT) / 100;
        let at = context.now.mono + context.jittered(period).max(MIN_REFRESH);
        self.timers.set(Timer::Refresh, at);
    }

    /// Keeps the flow through NATs alive, over UDP.
    fn schedule_keepalive(&mut self, now: Instant) {
        if let Some(last) = self.link.last_sent() {
            let due = last + KEEPALIVE;
            self.timers.set(Timer::KeepAlive, if due > now { due } else { now + KEEPALIVE });
        }
    }

    fn refreshed(&mut self, context: &mut Context<'_>, response: &Message<'_>) {
        if let Some(ticket) = response.mobility_ticket() {
            self.ticket = self.ticket.is_some().then(|| ticket.to_vec());
        }
        let known = self.allocation.as_ref().map(|allocation| allocation.lifetime);
        if let Some(lifetime) = response.lifetime().or(known) {
            if let Some(allocation) = &mut self.allocation {
                allocation.lifetime = lifetime;
            }
            self.schedule_refresh(context, lifetime);
        }
    }

    /// The allocation has come along to the new link.
    fn moved(&mut self, context: &mut Context<'_>, response: &Message<'_>) {
        let Some(link) = self.moving.take() else { return };
        std::mem::replace(&mut self.link, link).close(context);
        self.refreshed(context, response);
        let reflexive = response.reflexive_address();
        if let Some(allocation) = &mut self.allocation {
            allocation.local = self.link.local();
            allocation.reflexive = reflexive.unwrap_or(allocation.reflexive);
        }
        // What was asked from the old address may never be answered there.
        let waiting: Vec<_> = self.pending.keys().copied().collect();
        for id in waiting {
            if let Some((purpose, _)) = self.forget(id) {
                self.start(context, purpose);
            }
        }
        self.schedule_keepalive(context.now.mono);
        context.out.event(Event::Moved { reflexive });
    }

    /// Fires what is due.
    pub(super) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        while let Some(timer) = self.timers.expire(context.now.mono) {
            match timer {
                Timer::Open => {
                    let cause = match self.moving {
                        Some(_) => Cause::AddressLost,
                        None => Cause::Unreachable(FailKind::TimedOut),
                    };
                    self.fail(context, cause, None);
                }
                Timer::Transaction(id) => {
                    if let Some((_, transaction)) = self.pending.get_mut(&id) {
                        transaction.handle_timeout(context.now.mono);
                        self.drive(context, id);
                    }
                }
                Timer::Refresh => self.start(context, Purpose::Refresh),
                Timer::Permissions => {
                    for peers in self.peers.granted().chunks(MAX_PEERS_PER_REQUEST) {
                        self.start(context, Purpose::Permit(peers.to_vec()));
                    }
                }
                Timer::Channel(peer) => self.start(context, Purpose::Bind(peer)),
                Timer::KeepAlive => self.keep_alive(context),
                Timer::Connection(conn) => self.connection_late(context, conn),
                Timer::End => self.end(context),
            }
        }
    }

    fn keep_alive(&mut self, context: &mut Context<'_>) {
        let silent = self.link.last_sent().is_some_and(|at| at + KEEPALIVE <= context.now.mono);
        if silent {
            let id = TransactionId::random(context.entropy);
            let message = stun::Builder::indication(stun::Method::BINDING, id).finish();
            self.link.send(context, &message);
        }
        self.schedule_keepalive(context.now.mono);
    }

    /// Wants a permission for `peer`.
    pub(super) fn permit(
        &mut self,
        context: &mut Context<'_>,
        peer: IpAddr,
    ) -> Result<(), SendError> {
        self.permit_all(context, &[peer])
    }

    /// Wants permissions for all of `peers`.
    pub(super) fn permit_all(
        &mut self,
        context: &mut Context<'_>,
        peers: &[IpAddr],
    ) -> Result<(), SendError> {
        if self.state != State::Allocated {
            return Ok(());
        }
        let (mut new, mut result) = (Vec::new(), Ok(()));
        for peer in peers {
            match self.peers.permit(*peer) {
                Ok(true) => new.push(*peer),
                Ok(false) => {}
                Err(error) => result = Err(error),
            }
        }
        for peers in new.chunks(MAX_PEERS_PER_REQUEST) {
            self.start(context, Purpose::Permit(peers.to_vec()));
        }
        result
    }

    /// Wants a channel to `peer`.
    pub(super) fn bind(
        &mut self,
        context: &mut Context<'_>,
        peer: Endpoint,
    ) -> Result<(), SendError> {
        if context.config.relay != RelayTransport::Udp {
            return Err(SendError::Unsupported);
        }
        if self.state == State::Allocated && self.peers.bind(peer)?.is_some() {
            self.start(context, Purpose::Bind(peer));
        }
        Ok(())
    }

    /// Wants `peer` no longer.
    pub(super) fn release_peer(&mut self, peer: IpAddr) {
        for channel in self.peers.release(peer) {
            self.timers.cancel(&Timer::Channel(channel));
        }
    }

    /// Takes the allocation to another address of ours.
    pub(super) fn move_to(
        &mut self,
        context: &mut Context<'_>,
        local: Option<IpAddr>,
        interface: Option<u32>,
    ) -> Result<(), SendError> {
        if self.state != State::Allocated {
            return Err(SendError::NotAllocated);
        }
        if self.ticket.is_none() {
            return Err(SendError::Unsupported);
        }
        if let Some(moving) = self.moving.take() {
            moving.close(context);
            let before = |(_, (purpose, _)): &(&TransactionId, &(Purpose, Transaction))| {
                *purpose == Purpose::Move
            };
            let attempts: Vec<_> = self.pending.iter().filter(before).map(|(id, _)| *id).collect();
            attempts.into_iter().for_each(|id| drop(self.forget(id)));
        }
        self.moving = Some(Link::open(context, &self.server, local, interface));
        self.timers.set(Timer::Open, context.now.mono + OPEN);
        Ok(())
    }

    /// Ends it, waiting at most `patience` for the server.
    pub(super) fn close(&mut self, context: &mut Context<'_>, patience: Duration) {
        match self.state {
            State::Opening => self.end(context),
            // The end of a connection is the end of what it asked for.
            State::Allocating if self.link.is_stream() => self.end(context),
            State::Allocating => {
                self.state = State::Abandoned;
                self.timers.set(Timer::End, context.now.mono + patience);
            }
            State::Allocated => self.release(context, patience),
            State::Abandoned | State::Releasing | State::Over => {}
        }
    }

    fn release(&mut self, context: &mut Context<'_>, patience: Duration) {
        self.state = State::Releasing;
        self.allocation = None;
        self.connections.close_all(context);
        self.pending.clear();
        self.timers = Timers::new();
        if let Some(moving) = self.moving.take() {
            moving.close(context);
        }
        self.timers.set(Timer::End, context.now.mono + patience);
        self.start(context, Purpose::Release);
    }

    fn end(&mut self, context: &mut Context<'_>) {
        self.shut(context);
        self.verdict = Some(Verdict::Ended);
    }

    fn fail(&mut self, context: &mut Context<'_>, cause: Cause, retry_after: Option<Duration>) {
        self.shut(context);
        let server = self.server.clone();
        self.verdict = Some(Verdict::Failed(Failure { server, cause, retry_after }));
    }

    /// Closes everything.
    fn shut(&mut self, context: &mut Context<'_>) {
        if self.state != State::Over {
            self.state = State::Over;
            self.link.close(context);
            if let Some(moving) = self.moving.take() {
                moving.close(context);
            }
        }
        self.connections.close_all(context);
        self.allocation = None;
        self.pending.clear();
        self.timers = Timers::new();
    }
}

/// The socket or connection that an input is about.
const fn subject(input: &Input<'_, Infallible>) -> Option<Id> {
    match *input {
        Input::Bound { id, .. } | Input::Failed { id, .. } => Some(id),
        Input::Connected { conn, .. }
        | Input::Secured { conn, .. }
        | Input::Data { conn, .. }
        | Input::Writable { conn, .. }
        | Input::Closed { conn, .. } => Some(conn),
        _ => None,
    }
}
