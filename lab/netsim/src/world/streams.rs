//! The TCP connections of hosts.

use machine::{Endpoint, FailKind, Icmp, Id, Input, TlsRole};

use super::{Ends, Event, Inhabitant, TimerKey, World};
use crate::defaults::TCP_CONNECTION_LIMIT;
use crate::node::NodeInterface;
use crate::packet::{Body, Packet, Segment};
use crate::stream::{Delivery, Stream, TooMuch};
use crate::tcp::{self, Connection};
use crate::tls::Tls;

impl<M: Inhabitant> World<M> {
    pub(super) fn connect(&mut self, node: u32, id: Id, local: Option<Endpoint>, remote: Endpoint) {
        match self.try_connect(node, local, remote) {
            Ok(local) => {
                let mss = self.mss(node, local.ip(), remote.ip());
                let mut out = std::mem::take(&mut self.segments);
                let now = self.now.mono;
                let sockets = &mut self.host_mut(node).sockets;
                let iss = sockets.entropy.u32();
                let tcp = Connection::connect(now, local, remote, iss, mss, &mut out);
                sockets.streams_by_ends.insert((local, remote), id);
                sockets.streams.insert(id, Stream::new(tcp, None));
                self.segments = out;
                self.flush(node, id);
            }
            Err(kind) => self.tell_machine(node, Input::Failed { id, kind }),
        }
    }

    fn try_connect(
        &mut self,
        node: u32,
        local: Option<Endpoint>,
        remote: Endpoint,
    ) -> Result<Endpoint, FailKind> {
        self.refresh_routes();
        let wanted = local.map(|local| local.ip()).filter(|ip| !ip.is_unspecified());
        if wanted.is_some_and(|ip| !self.nodes[node as usize].owns(ip)) {
            return Err(FailKind::AddressNotAvailable);
        }
        let source = self.source(node, remote.ip(), wanted).map_err(|_| FailKind::Unreachable)?;
        let sockets = &mut self.host_mut(node).sockets;
        if sockets.streams.len() >= TCP_CONNECTION_LIMIT {
            return Err(FailKind::OutOfResources);
        }
        let free = |sockets: &crate::node::Sockets, port| {
            !sockets.streams_by_ends.contains_key(&(Endpoint::new(source, port), remote))
        };
        let port = match local.map_or(0, |local| local.port()) {
            0 => sockets.ephemeral(free).ok_or(FailKind::OutOfResources)?,
            // A port serves many connections, though one to each remote endpoint.
            port if !free(sockets, port) => return Err(FailKind::AddressNotAvailable),
            port => port,
        };
        Ok(Endpoint::new(source, port))
    }

    pub(super) fn write(&mut self, node: u32, conn: Id, payload: &[u8]) {
        let mut out = std::mem::take(&mut self.segments);
        let now = self.now.mono;
        let stream = self.host_mut(node).sockets.streams.get_mut(&conn);
        let secured = stream.as_ref().filter(|stream| stream.is_secured());
        let ends = secured.map(|stream| (stream.local(), stream.remote()));
        let written = stream.map(|stream| stream.write(now, payload, &mut out));
        if let Some(ends) = ends {
            self.overhear(node, ends, payload);
        }
        self.segments = out;
        if let Some(Err(TooMuch { len, room })) = written {
            let place = self.place(node);
            panic!(
                "a machine writes at most the room announced: {len} of {room} bytes to {conn:?} on {place}"
            );
        }
        self.flush(node, conn);
    }

    /// Keeps what is written under TLS where the sender's interface has a tap.
    fn overhear(&mut self, node: u32, ends: Ends, payload: &[u8]) {
        let interfaces = &self.nodes[node as usize].interfaces;
        let owns = |i: &&NodeInterface| i.addresses.iter().any(|a| a.ip == ends.0.ip());
        if let Some(tap) = interfaces.iter().find(owns).and_then(|interface| interface.tap) {
            self.capture.plaintext(tap, self.now.unix, ends, payload);
        }
    }

    pub(super) fn start_tls(&mut self, node: u32, conn: Id, role: TlsRole, alpn: Vec<Vec<u8>>) {
        let now = self.now.mono;
        let mut out = std::mem::take(&mut self.segments);
        let sockets = &mut self.host_mut(node).sockets;
        if let Some(stream) = sockets.streams.get_mut(&conn) {
            let mut hello = Vec::new();
            let random = sockets.entropy.bytes();
            let certificate = sockets.certificate.clone();
            let tls = Tls::start(role, alpn, certificate, random, &mut hello);
            let was_paused = stream.is_paused();
            stream.start_tls(now, tls, &hello, &mut out);
            if was_paused {
                // What waited is the handshake's.
                self.queue.push(now, Event::Resume { node, conn });
            }
        }
        self.segments = out;
        self.flush(node, conn);
    }

    /// Stops handing a connection's bytes to its machine, or goes on.
    pub(super) fn pause(&mut self, node: u32, conn: Id, paused: bool) {
        let mut out = std::mem::take(&mut self.segments);
        if let Some(stream) = self.host_mut(node).sockets.streams.get_mut(&conn) {
            stream.pause(paused, &mut out);
            if !paused {
                // What waited comes in its turn: the machine is being drained now.
                self.queue.push(self.now.mono, Event::Resume { node, conn });
            }
        }
        self.segments = out;
        self.flush(node, conn);
    }

    /// Tells the machine what waited while it read nothing.
    pub(super) fn resume(&mut self, node: u32, conn: Id) {
        let stream = self.host_mut(node).sockets.streams.get(&conn);
        if let Some(ends) = stream.map(|stream| (stream.local(), stream.remote())) {
            self.settle(node, conn, ends);
        }
    }

    pub(super) fn close_stream(&mut self, node: u32, conn: Id) {
        let mut out = std::mem::take(&mut self.segments);
        let now = self.now.mono;
        if let Some(stream) = self.host_mut(node).sockets.streams.get_mut(&conn) {
            stream.close(now, &mut out);
        }
        self.segments = out;
        self.flush(node, conn);
    }

    pub(super) fn stream_timeout(&mut self, node: u32, id: Id) {
        let mut out = std::mem::take(&mut self.segments);
        let now = self.now.mono;
        let stream = self.host_mut(node).sockets.streams.get_mut(&id);
        let ends = stream.map(|stream| {
            stream.tcp.on_timeout(now, &mut out);
            (stream.local(), stream.remote())
        });
        self.segments = out;
        if let Some(ends) = ends {
            self.settle(node, id, ends);
        }
    }

    pub(super) fn stream_error(&mut self, node: u32, ends: Ends, icmp: Icmp) {
        let (now, mss) = (self.now.mono, self.mss(node, ends.0.ip(), ends.1.ip()));
        let mut out = std::mem::take(&mut self.segments);
        let sockets = &mut self.host_mut(node).sockets;
        let id = sockets.streams_by_ends.get(&ends).copied();
        if let Some(stream) = id.and_then(|id| sockets.streams.get_mut(&id)) {
            match icmp {
                Icmp::TooBig { .. } => stream.tcp.on_too_big(now, mss, &mut out),
                _ => stream.tcp.on_unreachable(),
            }
        }
        self.segments = out;
        if let Some(id) = id {
            self.settle(node, id, ends);
        }
    }

    /// A TCP segment has reached its host.
    pub(super) fn take_segment(&mut self, node: u32, packet: Packet) {
        let Some((remote, local)) = packet.endpoints() else { return };
        let Body::Tcp(segment) = packet.body else { return };
        let now = self.now.mono;
        let ends = (local, remote);
        let is_syn = segment.has(Segment::SYN) && !segment.has(Segment::ACK);
        let sockets = &mut self.host_mut(node).sockets;
        let known = sockets.streams_by_ends.get(&ends).copied().filter(|id| {
            let stream = sockets.streams.get(id);
            stream.is_some_and(|stream| !(is_syn && stream.tcp.is_finished()))
        });
        let mut out = std::mem::take(&mut self.segments);
        let id = match known {
            Some(id) => {
                let sockets = &mut self.host_mut(node).sockets;
                if let Some(stream) = sockets.streams.get_mut(&id) {
                    stream.tcp.receive(now, &segment, &mut out);
                }
                Some(id)
            }
            None if is_syn => self.accept(node, ends, &segment, &mut out),
            None => None,
        };
        if id.is_none() {
            out.extend(tcp::refuse(&segment));
        }
        self.segments = out;
        match id {
            Some(id) => self.settle(node, id, ends),
            None => self.send_segments(node, ends),
        }
    }

    fn accept(
        &mut self,
        node: u32,
        ends: Ends,
        syn: &Segment,
        out: &mut Vec<Segment>,
    ) -> Option<Id> {
        let (local, remote) = ends;
        let (now, mss) = (self.now.mono, self.mss(node, local.ip(), remote.ip()));
        let sockets = &mut self.host_mut(node).sockets;
        let listener = sockets.listener_at(local)?;
        if sockets.streams.len() >= TCP_CONNECTION_LIMIT {
            return None;
        }
        let id = Id::accepted(listener, sockets.accepted);
        sockets.accepted += 1;
        let iss = sockets.entropy.u32();
        let tcp = Connection::accept(now, local, remote, iss, mss, syn, out);
        sockets.streams.insert(id, Stream::new(tcp, Some(listener)));
        if let Some(old) = sockets.streams_by_ends.insert(ends, id) {
            sockets.streams.remove(&old);
            self.timers.cancel(&TimerKey::Stream(node, old));
        }
        Some(id)
    }

    /// Tells the machine all that a change of the connection brought, one input at a time.
    fn settle(&mut self, node: u32, id: Id, ends: Ends) {
        loop {
            let now = self.now.mono;
            let mut out = std::mem::take(&mut self.segments);
            let stream = self.host_mut(node).sockets.streams.get_mut(&id);
            let delivery = stream.and_then(|stream| stream.next_delivery(now, &mut out));
            self.segments = out;
            self.send_segments(node, ends);
            let Some(delivery) = delivery else { break };
            self.deliver_stream(node, id, ends, delivery);
        }
        self.flush(node, id);
    }

    fn deliver_stream(&mut self, node: u32, conn: Id, ends: Ends, delivery: Delivery) {
        let (local, remote) = ends;
        let input = match delivery {
            Delivery::Accepted { listener, room } => {
                Input::Accepted { listener, conn, local, remote, room }
            }
            Delivery::Connected { room } => Input::Connected { conn, local, remote, room },
            Delivery::Secured { secured, room } => Input::Secured {
                conn,
                peer_certs: secured.peer_certs,
                alpn: secured.alpn,
                binding: secured.binding,
                room,
            },
            Delivery::Data(bytes) => {
                self.deliver(node, Input::Data { conn, bytes: &bytes });
                return;
            }
            Delivery::Writable { room } => Input::Writable { conn, room },
            Delivery::Failed(kind) => Input::Failed { id: conn, kind },
            Delivery::Closed(reason) => Input::Closed { conn, reason },
        };
        self.deliver(node, input);
    }

    /// Sends what a connection has to send, moves its timer, and buries it when it is gone.
    fn flush(&mut self, node: u32, id: Id) {
        let sockets = &mut self.host_mut(node).sockets;
        let Some(stream) = sockets.streams.get(&id) else { return };
        let ends = (stream.local(), stream.remote());
        let key = TimerKey::Stream(node, id);
        let deadline = stream.tcp.deadline();
        if stream.tcp.is_gone() {
            sockets.streams.remove(&id);
            if sockets.streams_by_ends.get(&ends) == Some(&id) {
                sockets.streams_by_ends.remove(&ends);
            }
            self.timers.cancel(&key);
        } else if deadline != self.timers.at(&key) {
            match deadline {
                Some(at) => self.timers.set(key, at),
                None => _ = self.timers.cancel(&key),
            }
        }
        self.send_segments(node, ends);
    }

    fn send_segments(&mut self, node: u32, (local, remote): Ends) {
        let mut out = std::mem::take(&mut self.segments);
        for segment in out.drain(..) {
            let packet = Packet::new(local.ip(), remote.ip(), Body::Tcp(segment));
            // A connection whose address is gone times out, as its segments go nowhere.
            _ = self.originate(node, packet);
        }
        self.segments = out;
    }
}
