//! One relayed address of one component: an allocation on a TURN server (RFC 8445 §5.1.1.2,
//! RFC 8656).
//!
//! The allocation's client binds no socket of its own for UDP: it is lent the component's, so that
//! host, reflexive and relayed candidates share one NAT binding. What arrives there from the server
//! is told apart by [`Relay::claims`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;

use machine::{Endpoint, Entropy, Id, Input, Instant, Machine, Output, Transport};
use stun::Method;
use turn::client::{Allocation, Cause, Client, Config, Event, Failure, SendError, Server};

use crate::defaults::{MAX_HELD_PACKETS, MAX_RELAY_PEERS};
use crate::session::Context;

/// How many names a client may use up. It takes one a socket, connection and connection with a peer.
const NAMES: u64 = 1 << 20;

/// The number of a relay, never used twice in a session.
pub(crate) type RelayId = u32;

/// What is known of the server's permission to send to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Permission {
    /// Waits for a slot to be asked for.
    Wanted,
    Asked,
    Granted,
    Refused,
}

/// One allocation, wanted, had or ending.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) stream: usize,
    pub(crate) component: u16,
    /// The component's own socket.
    pub(crate) socket: Id,
    /// Where that is bound.
    pub(crate) base: Endpoint,
    /// Which of the session's servers it is.
    pub(crate) server: usize,
    client: Client,
    /// The client's name for the component's socket, while it uses it.
    alias: Option<Id>,
    /// Whether the socket was lent before: a second one that the client wants must be another.
    lent: bool,
    /// Sockets and connections of the client's own.
    own: BTreeSet<Id>,
    /// What the client has sent to from the component's socket.
    contacted: BTreeSet<Endpoint>,
    permissions: BTreeMap<IpAddr, Permission>,
    channels: BTreeMap<Endpoint, Permission>,
    /// Packets that wait for a permission.
    held: VecDeque<(Endpoint, Vec<u8>)>,
    /// Every server that may be asked, and what came of it.
    pub(crate) attempts: Vec<(Server, ice::Answer)>,
    /// It is of no more use; only its server must still be told.
    closing: bool,
    /// It has failed, or waits for better times: nobody need wait for it.
    pub(crate) hopeless: bool,
}

/// Whom a relay is for and whom it asks.
pub(crate) struct Wanted {
    pub(crate) stream: usize,
    pub(crate) component: u16,
    pub(crate) socket: Id,
    pub(crate) base: Endpoint,
    pub(crate) server: usize,
}

impl Relay {
    /// Starts to ask.
    pub(crate) fn new(
        context: &mut Context<'_>,
        wanted: &Wanted,
        config: Config,
        entropy: Entropy,
    ) -> Self {
        let pending = |server: &Server| (server.clone(), ice::Answer::Pending);
        let attempts = config.servers.iter().map(pending).collect();
        let names = context.ids.block(NAMES);
        Self {
            stream: wanted.stream,
            component: wanted.component,
            socket: wanted.socket,
            base: wanted.base,
            server: wanted.server,
            client: Client::new(context.now, config, names, entropy),
            alias: None,
            lent: false,
            own: BTreeSet::new(),
            contacted: BTreeSet::new(),
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
            held: VecDeque::new(),
            attempts,
            closing: false,
            hopeless: false,
        }
    }

    /// The allocation, while it can be used.
    pub(crate) fn allocation(&self) -> Option<&Allocation> {
        self.client.allocation().filter(|_| !self.closing)
    }

    /// Whether its server is reached over TCP or TLS.
    pub(crate) fn is_stream(&self) -> bool {
        self.allocation().is_some_and(|allocation| allocation.server.transport != Transport::Udp)
    }

    /// Whether it may still become an allocation soon.
    pub(crate) fn is_pending(&self) -> bool {
        !self.closing && !self.hopeless && self.client.allocation().is_none()
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether nothing of it is left.
    pub(crate) fn is_over(&self) -> bool {
        self.client.is_over()
    }

    /// Whether it still sends and receives on this socket of the component.
    pub(crate) fn borrows(&self, socket: Id) -> bool {
        self.socket == socket && self.alias.is_some() && !self.is_over()
    }

    pub(crate) fn owns(&self, id: Id) -> bool {
        self.client.owns(id)
    }

    /// Whether what arrived on a socket of the component is for the client.
    ///
    //= RFC 7983 §7: a first byte of 64 to 79 is a TURN channel, here from the server alone; what is
    //= STUN is told apart by its method, since Binding is between others.
    pub(crate) fn claims(&self, socket: Id, from: Endpoint, bytes: &[u8]) -> bool {
        self.borrows(socket)
            && self.contacted.contains(&from)
            && match bytes.first() {
                Some(0..=3) => {
                    stun::Message::parse(bytes).is_ok_and(|m| m.method() != Method::BINDING)
                }
                Some(64..=79) => true,
                _ => false,
            }
    }

    /// A datagram for the client arrived on the component's socket.
    pub(crate) fn datagram(&mut self, context: &Context<'_>, remote: Endpoint, bytes: &[u8]) {
        if let Some(socket) = self.alias {
            let (local, ecn, segment_size) = (self.base, None, None);
            let input = Input::Datagram { socket, local, remote, ecn, segment_size, bytes };
            self.client.handle_input(context.now, input);
        }
    }

    /// The network says that the server does not hear the component's socket.
    pub(crate) fn unreachable(
        &mut self,
        context: &Context<'_>,
        socket: Id,
        remote: Endpoint,
        icmp: machine::Icmp,
    ) {
        if let Some(alias) = self.alias.filter(|_| self.borrows(socket))
            && self.contacted.contains(&remote)
        {
            let input = Input::Unreachable { socket: alias, remote, icmp };
            self.client.handle_input(context.now, input);
        }
    }

    /// The component's socket is gone.
    pub(crate) fn socket_failed(&mut self, context: &Context<'_>, kind: machine::FailKind) {
        if let Some(id) = self.alias.take() {
            self.client.handle_input(context.now, Input::Failed { id, kind });
        }
    }

    /// Something arrived for a name of the client's own.
    pub(crate) fn handle_input(&mut self, context: &Context<'_>, input: Input<'_, Infallible>) {
        if let Input::Failed { id, .. } | Input::Closed { conn: id, .. } = &input {
            self.own.remove(id);
        }
        self.client.handle_input(context.now, input);
    }

    pub(crate) fn handle_timeout(&mut self, context: &Context<'_>) {
        if self.client.poll_timeout().is_some_and(|at| at <= context.now.mono) {
            self.client.handle_timeout(context.now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    /// Carries out what the client wants, and returns what it tells, with its payload.
    pub(crate) fn drain(&mut self, context: &mut Context<'_>, told: &mut Vec<(Event, Vec<u8>)>) {
        let mut buf = Vec::new();
        loop {
            let mut lent = None;
            loop {
                buf.clear();
                let Some(output) = self.client.poll_output(&mut buf) else { break };
                match output.split() {
                    Ok(output) => lent = self.carry_out(context, output, &buf).or(lent),
                    Err(event) => {
                        self.note(&event);
                        told.push((event, std::mem::take(&mut buf)));
                    }
                }
            }
            if let Some(id) = lent {
                self.client.handle_input(context.now, Input::Bound { id, local: self.base });
            } else if !self.flush(context) {
                break;
            }
        }
    }

    /// Carries out one output; returns the name of the component's socket if the client has just been
    /// lent it.
    fn carry_out(
        &mut self,
        context: &mut Context<'_>,
        output: Output<crate::Event, Infallible>,
        payload: &[u8],
    ) -> Option<Id> {
        match output {
            Output::Bind { id, kind, .. } if kind.is_udp() && !self.lent => {
                (self.lent, self.alias) = (true, Some(id));
                return Some(id);
            }
            Output::Datagram { socket, remote, segment_size, dont_fragment, .. } => {
                let alias = self.alias == Some(socket);
                if alias {
                    self.contacted.insert(remote);
                }
                let socket = if alias { self.socket } else { socket };
                *context.requests |= is_request(payload);
                let source = None;
                let output =
                    Output::Datagram { socket, source, remote, segment_size, dont_fragment };
                context.outputs.push_with(output, payload);
            }
            Output::Close { id } if self.alias == Some(id) => self.alias = None,
            output => {
                match &output {
                    Output::Bind { id, .. } | Output::Connect { id, .. } => {
                        self.own.insert(*id);
                        context.routes.insert(*id, context.id);
                    }
                    Output::Close { id } => {
                        self.own.remove(id);
                        context.routes.remove(id);
                    }
                    _ => {}
                }
                context.outputs.push_with(output, payload);
            }
        }
        None
    }

    /// Remembers what an event says.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Allocated(allocation) => {
                self.hopeless = false;
                // Those that were asked before were given their time.
                let earlier = self.attempts.iter_mut();
                for (_, answer) in earlier.take_while(|(known, _)| *known != allocation.server) {
                    if *answer == ice::Answer::Pending {
                        *answer = ice::Answer::Silence;
                    }
                }
                let answer = allocation.relayed.first().copied().map(ice::Answer::Address);
                self.answered(&allocation.server, answer.unwrap_or(ice::Answer::Broken));
            }
            Event::Permitted { peer } => {
                self.permissions.insert(*peer, Permission::Granted);
            }
            Event::ChannelBound { peer } => {
                self.channels.insert(*peer, Permission::Granted);
                self.permissions.insert(peer.ip(), Permission::Granted);
            }
            Event::PeerRefused { peer, .. } if peer.port() == 0 => {
                self.permissions.insert(peer.ip(), Permission::Refused);
                self.held.retain(|(to, _)| to.ip() != peer.ip());
            }
            Event::PeerRefused { peer, .. } => {
                self.channels.insert(*peer, Permission::Refused);
            }
            Event::Attempt(failure) => self.failed(failure),
            Event::Waiting { failure, .. } | Event::Failed(failure) => {
                self.hopeless = true;
                self.failed(failure);
            }
            _ => {}
        }
    }

    fn failed(&mut self, failure: &Failure) {
        self.answered(&failure.server, answer_of(&failure.cause));
    }

    fn answered(&mut self, server: &Server, answer: ice::Answer) {
        let count = self.attempts.len();
        match self.attempts.iter_mut().find(|(known, _)| known == server) {
            Some((_, known)) => *known = answer,
            // An alternate server.
            None if count < crate::defaults::MAX_TURN_ENDPOINTS * 2 => {
                self.attempts.push((server.clone(), answer));
            }
            None => {}
        }
    }

    /// The other side may send from, and be sent to at, this address.
    pub(crate) fn want_peer(&mut self, peer: IpAddr) {
        if self.permissions.len() < MAX_RELAY_PEERS {
            self.permissions.entry(peer).or_insert(Permission::Wanted);
        }
    }

    /// Whether something waits for a slot.
    pub(crate) fn wants_slot(&self) -> bool {
        self.allocation().is_some()
            && (self.permissions.values().any(|state| *state == Permission::Wanted)
                || self.channels.values().any(|state| *state == Permission::Wanted))
    }

    /// Whether packets wait for what it wants, or data would be shorter.
    pub(crate) fn is_urgent(&self) -> bool {
        !self.held.is_empty() || self.channels.values().any(|state| *state == Permission::Wanted)
    }

    /// Uses a slot: asks for all permissions that are wanted, or else for one channel.
    pub(crate) fn take_slot(&mut self, context: &Context<'_>) {
        let wanted = self.permissions.iter_mut().filter(|(_, state)| **state == Permission::Wanted);
        let wanted: Vec<IpAddr> = wanted
            .map(|(peer, state)| {
                *state = Permission::Asked;
                *peer
            })
            .collect();
        if !wanted.is_empty() {
            // Its own limit of peers is larger than ours.
            let _ = self.client.permit_all(context.now, &wanted);
            return;
        }
        let wanted = self.channels.iter_mut().find(|(_, state)| **state == Permission::Wanted);
        if let Some((peer, state)) = wanted {
            *state = match self.client.bind_channel(context.now, *peer) {
                Ok(()) => Permission::Asked,
                Err(_) => Permission::Refused,
            };
        }
    }

    /// Sends to `peer`, now or as soon as the server lets it.
    pub(crate) fn send(&mut self, context: &mut Context<'_>, peer: Endpoint, bytes: &[u8]) {
        if self.allocation().is_none() {
            return;
        }
        self.want_peer(peer.ip());
        match self.permissions.get(&peer.ip()) {
            Some(Permission::Granted) => self.pass(context, peer, bytes),
            Some(Permission::Wanted | Permission::Asked) => {
                if self.held.len() >= MAX_HELD_PACKETS {
                    self.held.pop_front();
                }
                self.held.push_back((peer, bytes.to_vec()));
            }
            Some(Permission::Refused) | None => context.stats.dropped += 1,
        }
    }

    /// As [`send`](Self::send), for data: a path in use gets a channel.
    pub(crate) fn send_data(&mut self, context: &mut Context<'_>, peer: Endpoint, bytes: &[u8]) {
        if self.channels.len() < MAX_RELAY_PEERS {
            self.channels.entry(peer).or_insert(Permission::Wanted);
        }
        self.send(context, peer, bytes);
    }

    fn pass(&mut self, context: &mut Context<'_>, peer: Endpoint, bytes: &[u8]) {
        match self.client.send(context.now, peer, bytes) {
            Ok(()) => {}
            // Media that would come late is dropped by the client, as a full queue would on UDP.
            Err(SendError::Congested) => context.stats.congested += 1,
            Err(_) => context.stats.dropped += 1,
        }
    }

    /// Sends what waited for permissions that have come; says whether there was anything.
    fn flush(&mut self, context: &mut Context<'_>) -> bool {
        let granted =
            |peer: &Endpoint| self.permissions.get(&peer.ip()) == Some(&Permission::Granted);
        if !self.held.iter().any(|(peer, _)| granted(peer)) {
            return false;
        }
        let (ready, held) = std::mem::take(&mut self.held)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(peer, _)| granted(peer));
        self.held = held;
        for (peer, bytes) in ready {
            self.pass(context, peer, &bytes);
        }
        true
    }

    /// Lets permissions lapse that no path needs.
    pub(crate) fn keep_peers(&mut self, kept: &BTreeSet<IpAddr>) {
        let gone: Vec<IpAddr> =
            self.permissions.keys().filter(|peer| !kept.contains(peer)).copied().collect();
        for peer in gone {
            self.permissions.remove(&peer);
            self.channels.retain(|channel, _| channel.ip() != peer);
            self.client.release(peer);
        }
    }

    /// Gives the allocation back.
    pub(crate) fn close(&mut self, context: &Context<'_>) {
        if !std::mem::replace(&mut self.closing, true) {
            for (_, answer) in &mut self.attempts {
                if let ice::Answer::Address(relayed) = *answer {
                    *answer = ice::Answer::Released(relayed);
                }
            }
            self.held.clear();
            self.client.close(context.now);
        }
    }

    /// Waits for the server no longer: closes what the client still has open.
    pub(crate) fn abandon(&mut self, context: &mut Context<'_>) {
        for id in std::mem::take(&mut self.own) {
            context.routes.remove(&id);
            context.outputs.push(Output::Close { id });
        }
    }
}

/// Whether a payload is a STUN request: a transaction that counts for the pace.
fn is_request(payload: &[u8]) -> bool {
    stun::Message::parse(payload).is_ok_and(|message| message.class() == stun::Class::Request)
}

/// A failure in the words of an explanation.
fn answer_of(cause: &Cause) -> ice::Answer {
    match cause {
        Cause::NoServer => ice::Answer::NotFound,
        Cause::Unreachable(kind) => ice::Answer::NotConnected(kind.clone()),
        Cause::Icmp(icmp) => ice::Answer::Unreachable(*icmp),
        Cause::NoAnswer => ice::Answer::Silence,
        Cause::CredentialsMissing | Cause::Credentials(_) => ice::Answer::Credentials,
        Cause::Refused { code, .. } => ice::Answer::Refused { code: *code },
        Cause::BadAnswer | Cause::Loop | Cause::TooManyPeers => ice::Answer::Broken,
        Cause::Lost | Cause::ConnectionLost(_) | Cause::AddressLost => ice::Answer::Lost,
    }
}
