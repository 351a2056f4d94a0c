//! The server itself: inputs to its parts, deadlines, what its owner may do.

use std::collections::{BTreeMap, BTreeSet};

use crypto::Secret;
use machine::{
    Endpoint, Entropy, Id, Ids, Input, Instant, KeyedMap, Machine, Now, Output, Outputs, Timers,
};
use relay::{Client, FlowId, Table};
use stun::TransactionId;
use stun::attribute::SecurityFeatures;

use super::admit::Waiting;
use super::allocation::Allocation;
use super::answers::Answers;
use super::bind::{RelayState, Reservation, Socket};
use super::count::{Counts, holder};
use super::keyring::{Found, Keyring, Whose};
use super::listen::Bound;
use super::nonce::Nonces;
use super::peers::Peers;
use super::stream::Conn;
use super::tcp::Peer;
use super::unproven::Unproven;
use super::{Answer, Config, Event, Listener, Question, Stats};

/// A deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A relayed address ends.
    Allocation(FlowId),
    /// A reserved port ends.
    Reservation([u8; 8]),
    /// A client that moves has not confirmed it.
    Move(FlowId),
    /// A connection of a client's has been idle, or is to be closed at last.
    Conn(Id),
    /// A peer's connection has not come about, or was not bound.
    Peer(Id),
    /// A spliced connection may carry more.
    Pace(Id),
    /// A question is still not answered.
    Question(Id),
}

/// The TURN server.
#[derive(Debug)]
pub struct Server {
    pub(super) config: Config,
    pub(super) ids: Ids,
    pub(super) entropy: Entropy,
    pub(super) outputs: Outputs<Event, Question>,
    pub(super) timers: Timers<Timer>,
    pub(super) stats: Stats,
    pub(super) scratch: Vec<u8>,

    // Who listens.
    pub(super) listeners: BTreeMap<Id, Bound>,
    /// Sockets that are bound to every address.
    pub(super) wildcards: BTreeSet<Id>,
    pub(super) conns: BTreeMap<Id, Conn>,
    pub(super) conns_by_address: Counts<std::net::IpAddr>,

    // Who may come in.
    pub(super) nonces: Nonces,
    pub(super) unproven: Unproven,
    pub(super) keyring: Keyring,
    pub(super) nobody: super::Keys,
    pub(super) waiting: BTreeMap<Id, Waiting>,
    pub(super) waiting_requests: KeyedMap<(Client, TransactionId), ()>,
    pub(super) waiting_by_address: Counts<std::net::IpAddr>,
    pub(super) answers: Answers,

    // Who has what.
    pub(super) peers: Peers,
    pub(super) table: Table,
    pub(super) allocations: BTreeMap<FlowId, Allocation>,
    pub(super) next_flow: u64,
    pub(super) clients: KeyedMap<Client, FlowId>,
    pub(super) tickets: KeyedMap<[u8; 16], FlowId>,
    pub(super) by_account: Counts<String>,
    pub(super) by_address: Counts<std::net::IpAddr>,
    pub(super) relays: [Option<RelayState>; 2],
    pub(super) sockets: BTreeMap<Id, Socket>,
    pub(super) reservations: BTreeMap<[u8; 8], Reservation>,

    // Connections to and from peers.
    pub(super) peer_conns: BTreeMap<Id, Peer>,
    pub(super) peer_numbers: BTreeMap<u32, Id>,
    pub(super) peers_by_account: Counts<String>,
    /// What the relayed addresses of TCP allocations are bound to, by what peers see; and back.
    pub(super) tcp_relayed: BTreeMap<Endpoint, Endpoint>,
    pub(super) tcp_locals: BTreeMap<Endpoint, Endpoint>,
    pub(super) draining: bool,
    /// Whether it was told that the last allocation has ended.
    drained: bool,
}

impl Server {
    /// A server whose names come from `ids`, which binds the listeners of `config`.
    #[must_use]
    pub fn new(config: Config, ids: Ids, entropy: &Entropy) -> Self {
        let mut keys = entropy.fork("turn.keys");
        let limits = &config.limits;
        let (nonce_lifetime, unproven) = (limits.nonce_lifetime, limits.unproven_bytes_per_second);
        let mut server = Self {
            ids,
            entropy: entropy.fork("turn.tokens"),
            outputs: Outputs::new(),
            timers: Timers::new(),
            stats: Stats::default(),
            scratch: Vec::new(),
            listeners: BTreeMap::new(),
            wildcards: BTreeSet::new(),
            conns: BTreeMap::new(),
            conns_by_address: Counts::new(entropy.fork("turn.conns")),
            nonces: Nonces::new(features(&config), nonce_lifetime, entropy.fork("turn.nonces")),
            unproven: Unproven::new(unproven, entropy.fork("turn.unproven")),
            keyring: Keyring::new(entropy.fork("turn.keyring")),
            nobody: super::Keys::derive("nobody", "", &keys.bytes::<32>()),
            waiting: BTreeMap::new(),
            waiting_requests: KeyedMap::new(&mut keys),
            waiting_by_address: Counts::new(entropy.fork("turn.waiting")),
            answers: Answers::new(entropy.fork("turn.answers")),
            peers: Peers::new(&config),
            table: Table::new(&mut entropy.fork("turn.table")),
            allocations: BTreeMap::new(),
            next_flow: 0,
            clients: KeyedMap::new(&mut keys),
            tickets: KeyedMap::new(&mut keys),
            by_account: Counts::new(entropy.fork("turn.accounts")),
            by_address: Counts::new(entropy.fork("turn.addresses")),
            relays: super::bind::relays(&config, entropy),
            sockets: BTreeMap::new(),
            reservations: BTreeMap::new(),
            peer_conns: BTreeMap::new(),
            peer_numbers: BTreeMap::new(),
            peers_by_account: Counts::new(entropy.fork("turn.peers")),
            tcp_relayed: BTreeMap::new(),
            tcp_locals: BTreeMap::new(),
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
        self.bind_listener(listener)
    }

    /// Takes new settings for what comes from now on: realms, peers, secrets, limits, alternates.
    /// Listeners and relayed addresses stay as they are. Forgets remembered keys, so that changed
    /// passwords count at once; allocations that there are go on.
    pub fn reload(&mut self, config: Config) {
        let (listeners, relays) =
            (std::mem::take(&mut self.config.listeners), std::mem::take(&mut self.config.relays));
        let ports = self.config.ports.clone();
        self.config = Config { listeners, relays, ports, ..config };
        let limits = &self.config.limits;
        self.nonces.set(features(&self.config), limits.nonce_lifetime);
        self.unproven.set(limits.unproven_bytes_per_second);
        self.peers.set(&self.config);
        self.keyring.clear();
    }

    /// Replaces the secrets of time-limited credentials; several, so that they can be rotated.
    pub fn set_shared_secrets(&mut self, secrets: Vec<Secret>) {
        self.config.secrets = secrets;
        self.nonces.set(features(&self.config), self.config.limits.nonce_lifetime);
    }

    /// Takes no new allocations: clients are sent to [`Config::alternates`], or away. Those that
    /// there are go on; [`Event::Drained`] tells when the last has ended.
    pub fn drain(&mut self, _now: Now) {
        if !self.draining {
            self.draining = true;
            self.check_drained();
        }
    }

    /// How many allocations there are.
    #[must_use]
    pub fn allocations(&self) -> usize {
        self.allocations.len()
    }

    /// What was counted.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            allocations: self.allocations.len() as u64,
            connections: self.conns.len() as u64,
            peer_connections: self.peer_conns.len() as u64,
            waiting: self.waiting.len() as u64,
            relay: *self.table.counters(),
            ..self.stats.clone()
        }
    }

    /// Says that the last allocation has ended, if it has.
    pub(super) fn check_drained(&mut self) {
        if self.draining && !self.drained && self.allocations.is_empty() {
            self.drained = true;
            self.outputs.event(Event::Drained);
        }
    }

    fn answered(&mut self, now: Now, id: Id, answer: Answer) {
        let Some(waiting) = self.waiting.remove(&id) else { return };
        self.timers.cancel(&Timer::Question(id));
        let Waiting { origin, id, user, realm, bytes } = waiting;
        self.waiting_requests.remove(&(origin.client, id));
        let holder = holder(origin.remote.ip());
        self.waiting_by_address.remove(&holder);
        let whose = Whose { holder, user: user.clone(), realm: realm.clone() };
        let found = match answer {
            Answer::Credentials(keys) => Found::new(user, realm, keys),
            Answer::Failed => Found::Failed,
        };
        self.keyring.keep(now.mono, whose, &found);
        if self.is_there(origin.client) {
            self.request(now, origin, &bytes, Some(found));
        }
    }

    fn fire(&mut self, now: Now, timer: Timer) {
        match timer {
            Timer::Allocation(id) => self.allocation_due(now, id),
            Timer::Reservation(token) => self.reservation_due(now, token),
            Timer::Move(id) => self.move_due(now, id),
            Timer::Conn(conn) => self.conn_due(now, conn),
            Timer::Peer(conn) => self.peer_due(now, conn),
            Timer::Pace(conn) => self.pace_due(conn),
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
            Input::Datagram { socket, local, remote, segment_size, bytes, .. } => {
                for bytes in bytes.chunks(segment_size.unwrap_or(bytes.len()).max(1)) {
                    self.datagram(now, socket, local, remote, bytes);
                }
                if bytes.is_empty() {
                    self.datagram(now, socket, local, remote, bytes);
                }
            }
            Input::Bound { id, local } => self.bound(now, id, local),
            Input::Failed { id, kind } => self.failed(now, id, kind),
            Input::Accepted { listener, conn, local, remote, room } => {
                self.accepted(now, listener, conn, (local, remote), room);
            }
            Input::Connected { conn, room, .. } => self.peer_connected(now, conn, room),
            Input::Secured { conn, room, .. } => self.secured(conn, room),
            Input::Data { conn, bytes } => self.stream_data(now, conn, bytes),
            Input::Writable { conn, room } => self.writable(now, conn, room),
            Input::Closed { conn, .. } => self.closed(now, conn),
            Input::Unreachable { socket, remote, icmp } => {
                self.unreachable(now, socket, remote, icmp);
            }
            Input::Interfaces(interfaces) => {
                let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
                self.peers.set_interfaces(addresses.map(|address| address.ip.to_canonical()));
            }
            Input::Answer { id, answer } => self.answered(now, id, answer),
            Input::Resolved { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            self.fire(now, timer);
        }
        self.answers.forget(now.mono);
        self.keyring.forget(now.mono);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.answers.next(), self.keyring.next()].into_iter().flatten().min()
    }
}

/// What nonces announce.
fn features(config: &Config) -> SecurityFeatures {
    SecurityFeatures {
        password_algorithms: !config.algorithms.is_empty(),
        // The names of time-limited credentials stand in no table in which a hash could be found.
        username_anonymity: config.anonymity && config.secrets.is_empty(),
    }
}
