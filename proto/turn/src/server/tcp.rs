//! TCP relaying (RFC 6062): connections to peers and from peers, each joined to one more connection
//! of the client's.
//!
//! Neither side is read faster than the other takes it: what waits has a limit, beyond which reading
//! stops ([`Output::Pause`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use machine::{Endpoint, Id, Now, Outbox, Output};
use relay::{Client, FlowId, Reach};
use stun::{Builder, Class, ErrorCode, Method, TransactionId};

use super::allocation::{Allocation, Held};
use super::control::Timer;
use super::defaults::{
    CONNECT_TIMEOUT, LINGER, PEER_CONNECTIONS, SPLICE_MAX_BYTES, SPLICE_PAUSE_BYTES,
    UNBOUND_LIFETIME,
};
use super::gate::{Gate, Meter};
use super::proof::{Identity, Pending, Request};
use super::stream::Role;
use super::{Refusal, Server};
use crate::{Family, TurnBuilder, TurnMessage};

/// The peers' connections of one TCP allocation.
#[derive(Debug, Default)]
pub(super) struct PeerConns {
    by_address: BTreeMap<Endpoint, Id>,
    /// What goes to peers, and what comes from them.
    meters: [Meter; 2],
}

impl PeerConns {
    /// Those to and from peers of a family.
    pub(super) fn of(&self, family: Family) -> Vec<Id> {
        let is_it = |(remote, _): &(&Endpoint, &Id)| Family::of(remote.ip()) == family;
        self.by_address.iter().filter(is_it).map(|(_, &id)| id).collect()
    }
}

/// A connection to or from a peer.
#[derive(Debug)]
pub(super) struct Peer {
    allocation: FlowId,
    /// Whose allocation it is: what quotas count by, once it is gone too.
    identity: Arc<Identity>,
    remote: Endpoint,
    /// Its CONNECTION-ID.
    number: u32,
    state: State,
    outbox: Outbox,
    /// What it sent before a connection of the client's was bound to it.
    early: Vec<u8>,
    gate: Gate,
}

#[derive(Debug)]
enum State {
    /// The client's Connect waits for it.
    Connecting(Box<Pending>),
    /// It waits for the client's ConnectionBind.
    Unbound,
    /// It is joined to this connection of the client's.
    Bound(Id),
    /// What waits is written; then it is closed.
    Closing,
}

impl Server {
    /// Notes the relayed addresses of a TCP allocation, for Connects of other clients of ours.
    pub(super) fn name_tcp(&mut self, id: FlowId) {
        let Some(allocation) = self.allocations.get(&id) else { return };
        for held in allocation.held() {
            self.tcp_relayed.insert(held.external, held.local);
            self.tcp_locals.insert(held.local, held.external);
        }
    }

    /// Forgets a relayed address that ends: nothing of ours is there to connect to.
    pub(super) fn unname_tcp(&mut self, held: &Held) {
        self.tcp_relayed.remove(&held.external);
        self.tcp_locals.remove(&held.local);
    }

    pub(super) fn connect(&mut self, now: Now, request: &Request<'_>) {
        match self.connectable(request) {
            Ok((id, local, peer)) => self.open(now, request, id, local, peer),
            Err(refusal) => self.refuse(request, refusal),
        }
    }

    /// The allocation of a Connect, from where it connects, and to which peer.
    fn connectable(&self, request: &Request<'_>) -> Result<(FlowId, Endpoint, Endpoint), Refusal> {
        let allocation = self.allocation_of(request)?;
        let peers = allocation.tcp.as_deref().ok_or(Refusal::BadRequest)?;
        //= RFC 6062 §5.2: without a peer it is a bad request; a forbidden one gets 403.
        let peer = request.message.peer_address().ok_or(Refusal::BadRequest)?;
        let reach = self.reach(allocation, peer.ip())?;
        if reach == Reach::Relayed && !self.tcp_relayed.contains_key(&peer) {
            return Err(Refusal::PeerForbidden);
        }
        //= RFC 6062 §5.2: one connection to a peer at a time: 446.
        if peers.by_address.contains_key(&peer) {
            return Err(Refusal::ConnectionExists);
        }
        self.has_room(allocation, peers)?;
        let held = allocation.held_of(Family::of(peer.ip())).ok_or(Refusal::PeerFamily)?;
        Ok((allocation.id, held.local, peer))
    }

    /// Whether there may be another connection of a peer's.
    fn has_room(&self, allocation: &Allocation, peers: &PeerConns) -> Result<(), Refusal> {
        let limits = &self.config.limits;
        let account = allocation.identity.keys.account();
        if self.peers_by_account.of(account) >= limits.peer_connections_per_user {
            return Err(Refusal::Quota);
        }
        if peers.by_address.len() >= PEER_CONNECTIONS
            || self.peer_conns.len() >= limits.peer_connections
        {
            return Err(Refusal::Capacity);
        }
        Ok(())
    }

    //= RFC 6062 §5.2: the connection goes out from the relayed address.
    fn open(
        &mut self,
        now: Now,
        request: &Request<'_>,
        id: FlowId,
        local: Endpoint,
        peer: Endpoint,
    ) {
        let state = State::Connecting(Box::new(request.pending()));
        let conn = self.ids.next_id();
        self.add_peer(conn, id, peer, state, 0);
        self.timers.set(Timer::Peer(conn), now.mono + CONNECT_TIMEOUT);
        // A relayed address of ours is reached where it is bound, whatever a NAT before us shows.
        let remote = self.tcp_relayed.get(&peer).copied().unwrap_or(peer);
        self.outputs.push(Output::Connect { id: conn, local: Some(local), remote });
    }

    fn add_peer(&mut self, conn: Id, id: FlowId, remote: Endpoint, state: State, room: usize) {
        let Some(allocation) = self.allocations.get_mut(&id) else { return };
        let identity = Arc::clone(&allocation.identity);
        if let Some(peers) = allocation.tcp.as_mut() {
            peers.by_address.insert(remote, conn);
        }
        self.peers_by_account.add(identity.keys.account().to_owned());
        let mut number = self.entropy.u32();
        while self.peer_numbers.contains_key(&number) {
            number = self.entropy.u32();
        }
        self.peer_numbers.insert(number, conn);
        let outbox = Outbox::new(conn, room, SPLICE_MAX_BYTES);
        let (early, gate) = (Vec::new(), Gate::default());
        let allocation = id;
        let peer = Peer { allocation, identity, remote, number, state, outbox, early, gate };
        self.peer_conns.insert(conn, peer);
    }

    /// A peer took our connection: the client learns its number.
    pub(super) fn peer_connected(&mut self, now: Now, conn: Id, room: usize) {
        let Some(peer) = self.peer_conns.get_mut(&conn) else {
            return self.outputs.push(Output::Close { id: conn });
        };
        let State::Connecting(request) = std::mem::replace(&mut peer.state, State::Unbound) else {
            return;
        };
        peer.outbox.writable(room, &mut self.outputs);
        let number = peer.number;
        self.hold_back(now, conn);
        let mut answer = Builder::new(Class::Success, request.method, request.id);
        let answer = request.proof.sign(answer.connection_id(number));
        self.send(request.origin.client, &answer);
    }

    /// Reads no more from a peer until a connection is bound to it, and not for ever.
    //= RFC 6062 §5.2, §5.3: 30 seconds for the ConnectionBind; then the connection is closed.
    fn hold_back(&mut self, now: Now, conn: Id) {
        if let Some(peer) = self.peer_conns.get_mut(&conn) {
            peer.gate = Gate::SHUT;
        }
        self.outputs.push(Output::Pause { conn, paused: true });
        self.timers.set(Timer::Peer(conn), now.mono + UNBOUND_LIFETIME);
    }

    /// A peer did not take our connection; says whether it was one.
    //= RFC 6062 §5.2: then the Connect is answered by 447.
    pub(super) fn connect_failed(&mut self, now: Now, conn: Id) -> bool {
        let Some(peer) = self.peer_conns.get(&conn) else { return false };
        if let State::Connecting(request) = &peer.state {
            let request = request.clone();
            self.stats.refuse(Refusal::ConnectionFailed);
            let mut answer = Builder::new(Class::Error, request.method, request.id);
            answer.error_code(ErrorCode::new(Refusal::ConnectionFailed.code()));
            let answer = request.proof.sign(&mut answer);
            self.send(request.origin.client, &answer);
        }
        self.peer_closed(now, conn);
        true
    }

    /// A peer connected to a relayed address.
    //= RFC 6062 §5.3: without a permission it is closed at once; else the client is told.
    pub(super) fn peer_accepted(
        &mut self,
        now: Now,
        id: FlowId,
        conn: Id,
        remote: Endpoint,
        room: usize,
    ) {
        let remote = self.tcp_locals.get(&remote).copied().unwrap_or(remote);
        let client = match self.acceptable(now, id, remote) {
            Ok(client) => client,
            Err(refusal) => {
                self.stats.refuse(refusal);
                return self.outputs.push(Output::Close { id: conn });
            }
        };
        self.add_peer(conn, id, remote, State::Unbound, room);
        self.hold_back(now, conn);
        let Some(number) = self.peer_conns.get(&conn).map(|peer| peer.number) else { return };
        let transaction = TransactionId::random(&mut self.entropy);
        let mut attempt = Builder::indication(Method::CONNECTION_ATTEMPT, transaction);
        let attempt = attempt.connection_id(number).peer_address(remote).finish();
        self.send(client, &attempt);
    }

    /// The client that is told of a peer's connection, if it is one that it permitted.
    fn acceptable(&self, now: Now, id: FlowId, remote: Endpoint) -> Result<Client, Refusal> {
        let allocation = self.allocations.get(&id).ok_or(Refusal::PeerUnpermitted)?;
        let flow = allocation.flow.as_deref().ok_or(Refusal::PeerUnpermitted)?;
        let peers = allocation.tcp.as_deref().ok_or(Refusal::PeerUnpermitted)?;
        let permission = flow.permission(remote.ip()).ok_or(Refusal::PeerUnpermitted)?;
        if permission.until <= now.mono {
            return Err(Refusal::PeerUnpermitted);
        }
        if peers.by_address.contains_key(&remote) {
            return Err(Refusal::ConnectionExists);
        }
        self.has_room(allocation, peers)?;
        Ok(allocation.origin.client)
    }

    pub(super) fn connection_bind(&mut self, now: Now, request: &Request<'_>) {
        match self.bindable(request) {
            Ok((conn, peer)) => {
                self.answer(request, &mut Builder::success(&request.message));
                self.join(now, conn, peer);
            }
            Err(refusal) => self.refuse(request, refusal),
        }
    }

    /// The connections that a ConnectionBind joins.
    //= RFC 6062 §5.4: it comes on a connection of its own, over TCP or TLS, and names a peer's
    // connection that waits; else it is a bad request.
    fn bindable(&self, request: &Request<'_>) -> Result<(Id, Id), Refusal> {
        let Client::Stream { conn } = request.origin.client else {
            return Err(Refusal::BadRequest);
        };
        if self.clients.contains_key(&request.origin.client) {
            return Err(Refusal::BadRequest);
        }
        let number = request.message.connection_id().ok_or(Refusal::BadRequest)?;
        let id = *self.peer_numbers.get(&number).ok_or(Refusal::BadRequest)?;
        let peer = self.peer_conns.get(&id).ok_or(Refusal::BadRequest)?;
        self.live(peer.allocation, request)?;
        match peer.state {
            State::Unbound => Ok((conn, id)),
            _ => Err(Refusal::BadRequest),
        }
    }

    /// Joins a client's connection with a peer's.
    fn join(&mut self, now: Now, conn: Id, peer_id: Id) {
        let Some(client) = self.conns.get_mut(&conn) else { return };
        let Some(peer) = self.peer_conns.get_mut(&peer_id) else { return };
        client.role = Role::Data(peer_id);
        peer.state = State::Bound(conn);
        let early = std::mem::take(&mut peer.early);
        self.timers.cancel(&Timer::Peer(peer_id));
        self.timers.cancel(&Timer::Conn(conn));
        self.pour_to_client(now, peer_id, conn, &early);
        let waiting = self.conns.get(&conn).map_or(0, |conn| conn.outbox.waiting());
        self.resume_peer(peer_id, waiting);
    }

    /// Takes bytes of a peer's.
    pub(super) fn peer_data(&mut self, now: Now, id: Id, bytes: &[u8]) {
        let Some(peer) = self.peer_conns.get_mut(&id) else { return };
        match peer.state {
            State::Bound(conn) => self.pour_to_client(now, id, conn, bytes),
            State::Closing => {}
            State::Connecting(_) | State::Unbound => {
                peer.early.extend_from_slice(bytes);
                if peer.early.len() > SPLICE_MAX_BYTES {
                    self.cut_peer_off(now, id);
                }
            }
        }
    }

    fn pour_to_client(&mut self, now: Now, peer_id: Id, conn: Id, bytes: &[u8]) {
        let Some(client) = self.conns.get_mut(&conn) else { return };
        let Some(peer) = self.peer_conns.get_mut(&peer_id) else { return };
        self.stats.spliced_bytes += bytes.len() as u64;
        if client.outbox.send(bytes, &mut self.outputs).is_err() {
            return self.cut_off(now, conn);
        }
        if client.outbox.waiting() > SPLICE_PAUSE_BYTES {
            let told = peer.gate.set_full(true);
            self.tell(peer_id, told);
        }
        self.pace(now, peer_id, peer_id, 1, bytes.len());
    }

    pub(super) fn pour_to_peer(&mut self, now: Now, conn: Id, peer_id: Id, bytes: &[u8]) {
        let Some(client) = self.conns.get_mut(&conn) else { return };
        let Some(peer) = self.peer_conns.get_mut(&peer_id) else { return };
        self.stats.spliced_bytes += bytes.len() as u64;
        if peer.outbox.send(bytes, &mut self.outputs).is_err() {
            return self.cut_peer_off(now, peer_id);
        }
        if peer.outbox.waiting() > SPLICE_PAUSE_BYTES {
            let told = client.gate.set_full(true);
            self.tell(conn, told);
        }
        self.pace(now, peer_id, conn, 0, bytes.len());
    }

    /// Tells the driver whether to read from a connection, if that has changed.
    fn tell(&mut self, conn: Id, told: Option<bool>) {
        if let Some(paused) = told {
            self.outputs.push(Output::Pause { conn, paused });
        }
    }

    /// Counts what `source` sent one way; it is not read while its allocation has had too much.
    fn pace(&mut self, now: Now, peer: Id, source: Id, way: usize, bytes: usize) {
        let Some(rate) = self.config.limits.bytes_per_second else { return };
        let id = self.peer_conns.get(&peer).map(|peer| peer.allocation);
        let allocation = id.and_then(|id| self.allocations.get_mut(&id));
        let Some(peers) = allocation.and_then(|found| found.tcp.as_mut()) else { return };
        let meter = peers.meters.get_mut(way);
        let Some(until) = meter.and_then(|meter| meter.count(now.mono, bytes, rate)) else {
            return;
        };
        self.set_fast(source, true);
        self.timers.set(Timer::Pace(source), until);
    }

    fn set_fast(&mut self, conn: Id, fast: bool) {
        let client = self.conns.get_mut(&conn).map(|client| &mut client.gate);
        let gate = client.or(self.peer_conns.get_mut(&conn).map(|peer| &mut peer.gate));
        let told = gate.and_then(|gate| gate.set_fast(fast));
        self.tell(conn, told);
    }

    /// A connection may carry more.
    pub(super) fn pace_due(&mut self, conn: Id) {
        self.set_fast(conn, false);
    }

    /// Reads from a peer again, if no more than this waits for its client.
    pub(super) fn resume_peer(&mut self, id: Id, waiting: usize) {
        if let Some(peer) = self.peer_conns.get_mut(&id)
            && waiting <= SPLICE_PAUSE_BYTES / 2
        {
            let told = peer.gate.set_full(false);
            self.tell(id, told);
        }
    }

    /// There is room on a peer's connection again.
    pub(super) fn peer_writable(&mut self, now: Now, id: Id, room: usize) {
        let Some(peer) = self.peer_conns.get_mut(&id) else { return };
        peer.outbox.writable(room, &mut self.outputs);
        let waiting = peer.outbox.waiting();
        match peer.state {
            State::Bound(conn) => {
                if let Some(client) = self.conns.get_mut(&conn)
                    && waiting <= SPLICE_PAUSE_BYTES / 2
                {
                    let told = client.gate.set_full(false);
                    self.tell(conn, told);
                }
            }
            State::Closing if waiting == 0 => self.cut_peer_off(now, id),
            State::Closing | State::Connecting(_) | State::Unbound => {}
        }
    }

    /// The client's side is gone: what waits for the peer is written, then it is closed.
    pub(super) fn let_peer_go(&mut self, now: Now, id: Id) {
        let Some(peer) = self.peer_conns.get_mut(&id) else { return };
        peer.state = State::Closing;
        if peer.outbox.waiting() == 0 {
            self.cut_peer_off(now, id);
        } else {
            self.timers.set(Timer::Peer(id), now.mono + LINGER);
        }
    }

    fn cut_peer_off(&mut self, now: Now, id: Id) {
        self.outputs.push(Output::Close { id });
        self.peer_closed(now, id);
    }

    /// A peer's connection is gone.
    pub(super) fn peer_closed(&mut self, now: Now, id: Id) {
        let Some(peer) = self.peer_conns.remove(&id) else { return };
        self.timers.cancel(&Timer::Peer(id));
        self.timers.cancel(&Timer::Pace(id));
        self.peer_numbers.remove(&peer.number);
        self.peers_by_account.remove(peer.identity.keys.account());
        let allocation = self.allocations.get_mut(&peer.allocation);
        if let Some(peers) = allocation.and_then(|allocation| allocation.tcp.as_mut())
            && peers.by_address.get(&peer.remote) == Some(&id)
        {
            peers.by_address.remove(&peer.remote);
        }
        if let State::Bound(conn) = peer.state {
            self.close_when_written(now, conn);
        }
    }

    /// A peer did not take our connection in time, or its connection was not bound in time.
    pub(super) fn peer_due(&mut self, now: Now, id: Id) {
        let Some(peer) = self.peer_conns.get(&id) else { return };
        let connecting = matches!(peer.state, State::Connecting(_));
        self.outputs.push(Output::Close { id });
        if connecting {
            self.connect_failed(now, id);
        } else {
            self.peer_closed(now, id);
        }
    }

    /// Closes peers' connections whose relayed address ends.
    pub(super) fn close_peers(&mut self, now: Now, peers: &[Id]) {
        for &id in peers {
            self.cut_peer_off(now, id);
        }
    }
}
