//! One attempt at an allocation, and then the allocation: one server, over one transport.

mod connections;
mod data;
mod ending;
mod link;
mod moving;
mod peers;
mod refusals;
mod requests;
mod transactions;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Entropy, FailKind, Icmp, Id, Ids, Input, Instant, Now, Outputs, Timers};
use stun::{LongTerm, Message, Transaction, TransactionId};

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
use crate::message::TurnMessage;

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
    /// The allocation must have moved.
    Moved,
    /// Another attempt to move it.
    MoveAgain,
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
    /// Where that shall be: an address and an interface of ours, or any.
    destination: (Option<IpAddr>, Option<u32>),
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
            destination: (None, None),
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
            Input::Interfaces(ref interfaces) => self.handle_interfaces(context, interfaces),
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
                Change::Ready => self.moving_ready(context),
                Change::Failed(_) => self.moving_failed(context),
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
                if !self.is_moving() {
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

    /// Fires what is due.
    pub(super) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        while let Some(timer) = self.timers.expire(context.now.mono) {
            match timer {
                Timer::Open => {
                    self.fail(context, Cause::Unreachable(FailKind::TimedOut), None);
                }
                Timer::Moved => self.fail(context, Cause::AddressLost, None),
                Timer::MoveAgain => self.try_move(context),
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
