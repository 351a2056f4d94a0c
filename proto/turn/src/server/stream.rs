//! Clients' connections over TCP and TLS (RFC 8656 §2.1, §12.5): frames, backpressure, how many
//! and for how long.

use machine::{Endpoint, Id, Now, Outbox, Output, TlsRole, Transport};
use relay::Client;

use super::bind::Socket;
use super::control::Timer;
use super::count::holder;
use super::defaults::{IDLE_CONNECTION, SPLICE_MAX_BYTES, UNPROVEN_FRAME_BYTES};
use super::gate::Gate;
use super::origin::Origin;
use super::{Refusal, Release, Server};
use crate::defaults::MAX_FRAME_BYTES;
use crate::framing::{Frame, Framer};

/// The application protocol of TURN over TLS (RFC 7443 §3).
const ALPN: &[u8] = b"stun.turn";

/// A client's connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) transport: Transport,
    pub(super) remote: Endpoint,
    pub(super) outbox: Outbox,
    pub(super) role: Role,
    /// Whether it is read, once it carries a peer's bytes.
    pub(super) gate: Gate,
    framer: Framer,
}

/// What a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Messages and ChannelData.
    Control,
    /// The bytes of a peer's connection (RFC 6062 §4.4).
    Data(Id),
    /// What waits to be written; then it is closed.
    Closing,
}

impl Server {
    /// Whether a client can still be answered.
    pub(super) fn is_there(&self, client: Client) -> bool {
        match client {
            Client::Datagram { .. } => true,
            Client::Stream { conn } => {
                self.conns.get(&conn).is_some_and(|conn| conn.role == Role::Control)
            }
        }
    }

    /// Somebody connected: a client to a listener, or a peer to a relayed address.
    pub(super) fn accepted(
        &mut self,
        now: Now,
        listener: Id,
        conn: Id,
        (local, remote): (Endpoint, Endpoint),
        room: usize,
    ) {
        if let Some(Socket::Relayed(id)) = self.sockets.get(&listener).copied() {
            return self.peer_accepted(now, id, conn, remote, room);
        }
        let Some(transport) = self.listeners.get(&listener).map(|bound| bound.transport) else {
            return self.outputs.push(Output::Close { id: conn });
        };
        self.peers.add_own(local.ip());
        let address = holder(remote.ip());
        let limits = &self.config.limits;
        if self.conns.len() >= limits.connections
            || self.conns_by_address.of(&address) >= limits.connections_per_address
        {
            self.stats.refuse(Refusal::ConnectionLimit);
            return self.outputs.push(Output::Close { id: conn });
        }
        self.conns_by_address.add(address);
        let room = if transport == Transport::Tls { 0 } else { room };
        let outbox = Outbox::new(conn, room, SPLICE_MAX_BYTES);
        let framer = Framer::new(MAX_FRAME_BYTES);
        let role = Role::Control;
        self.conns
            .insert(conn, Conn { transport, remote, outbox, role, gate: Gate::default(), framer });
        if transport == Transport::Tls {
            let alpn = vec![ALPN.to_vec()];
            self.outputs.push(Output::StartTls { conn, role: TlsRole::Server, alpn });
        }
        self.timers.set(Timer::Conn(conn), now.mono + IDLE_CONNECTION);
    }

    pub(super) fn secured(&mut self, conn: Id, room: usize) {
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.outbox.writable(room, &mut self.outputs);
        }
    }

    /// Takes bytes of a client's or a peer's.
    pub(super) fn stream_data(&mut self, now: Now, id: Id, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return self.peer_data(now, id, bytes);
        };
        match conn.role {
            Role::Control => {}
            Role::Data(peer) => return self.pour_to_peer(now, id, peer, bytes),
            Role::Closing => return,
        }
        let (transport, remote) = (conn.transport, conn.remote);
        let origin = Origin { client: Client::Stream { conn: id }, remote, transport };
        let mut framer = std::mem::replace(&mut conn.framer, Framer::new(MAX_FRAME_BYTES));
        framer.push(bytes);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::Stun(message))) => self.take_from_client(now, origin, message),
                Ok(Some(Frame::ChannelData(data))) => self.take_channel_data(now, origin, &data),
                Ok(None) => break,
                Err(_) => {
                    self.stats.refuse(Refusal::Frame);
                    return self.cut_off(now, id);
                }
            }
            match self.conns.get(&id).map(|conn| conn.role) {
                Some(Role::Control) => {}
                // What follows a ConnectionBind is the peer's.
                Some(Role::Data(peer)) => {
                    let rest = framer.into_rest();
                    return self.pour_to_peer(now, id, peer, &rest);
                }
                Some(Role::Closing) | None => return,
            }
        }
        // Nobody fills our memory with a long frame before having an allocation.
        if framer.waiting() > UNPROVEN_FRAME_BYTES && !self.clients.contains_key(&origin.client) {
            self.stats.refuse(Refusal::Frame);
            return self.cut_off(now, id);
        }
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.framer = framer;
        }
    }

    /// There is room on a connection again.
    pub(super) fn writable(&mut self, now: Now, id: Id, room: usize) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return self.peer_writable(now, id, room);
        };
        conn.outbox.writable(room, &mut self.outputs);
        let (role, waiting) = (conn.role, conn.outbox.waiting());
        match role {
            Role::Control => {}
            Role::Data(peer) => self.resume_peer(peer, waiting),
            Role::Closing if waiting == 0 => self.cut_off(now, id),
            Role::Closing => {}
        }
    }

    /// Closes a client's connection.
    pub(super) fn cut_off(&mut self, now: Now, conn: Id) {
        self.outputs.push(Output::Close { id: conn });
        self.closed(now, conn);
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, now: Now, id: Id) {
        let Some(conn) = self.conns.remove(&id) else { return self.peer_closed(now, id) };
        self.conns_by_address.remove(&holder(conn.remote.ip()));
        self.timers.cancel(&Timer::Conn(id));
        self.timers.cancel(&Timer::Pace(id));
        match conn.role {
            Role::Control => self.client_gone(now, Client::Stream { conn: id }),
            Role::Data(peer) => self.let_peer_go(now, peer),
            Role::Closing => {}
        }
    }

    /// A client's connection closed, and with it what it had.
    fn client_gone(&mut self, now: Now, client: Client) {
        let Some(&id) = self.clients.get(&client) else { return };
        let Some(allocation) = self.allocations.get(&id) else { return };
        let next = allocation.mobility.as_ref().and_then(|mobility| mobility.next);
        match next {
            // It had not confirmed that it moves here.
            _ if allocation.origin.client != client => self.move_due(now, id),
            // It moves elsewhere, and here is nobody to serve any more.
            Some(next) => {
                self.confirm_move(now, next.client);
            }
            None if self.set_adrift(id) => {}
            None => self.release(now, id, Release::Disconnected),
        }
    }

    /// Writes what waits for a connection, then closes it.
    pub(super) fn close_when_written(&mut self, now: Now, id: Id) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.role = Role::Closing;
        if conn.outbox.waiting() == 0 {
            self.cut_off(now, id);
        } else {
            self.timers.set(Timer::Conn(id), now.mono + super::defaults::LINGER);
        }
    }

    /// A connection has an allocation or a peer's connection: it may be idle.
    pub(super) fn conn_in_use(&mut self, conn: Id) {
        self.timers.cancel(&Timer::Conn(conn));
    }

    /// A connection has neither any longer.
    pub(super) fn conn_idle(&mut self, now: Now, conn: Id) {
        if self.conns.contains_key(&conn) {
            self.timers.set(Timer::Conn(conn), now.mono + IDLE_CONNECTION);
        }
    }

    pub(super) fn conn_due(&mut self, now: Now, conn: Id) {
        if self.conns.contains_key(&conn) {
            self.cut_off(now, conn);
        }
    }
}
