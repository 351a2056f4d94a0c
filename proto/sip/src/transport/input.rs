//! What the driver tells: listeners, connections and their bytes, datagrams.

use std::net::IpAddr;

use machine::{Endpoint, FailKind, Icmp, Id, Input, Now, Output, Transport};

use super::conn::Conn;
use super::{Flow, Listener, Signal, Timer, Transports};
use crate::framing::Frame;

impl Transports {
    pub(crate) fn handle_input<A>(&mut self, now: Now, input: &Input<'_, A>) {
        match input {
            Input::Bound { id, local } => self.bound(*id, *local),
            Input::Failed { id, kind } => self.failed(*id, kind),
            Input::Accepted { listener, conn, local, remote, room } => {
                self.accepted(now, *listener, *conn, (*local, *remote), *room);
            }
            Input::Connected { conn, local, remote: _, room } => {
                self.connected(*conn, *local, *room);
            }
            Input::Data { conn, bytes } => self.data(now, *conn, bytes),
            Input::Writable { conn, room } => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.outbox.writable(*room, &mut self.outputs);
                }
            }
            Input::Closed { conn, .. } => self.drop_conn(*conn, false),
            Input::Datagram { socket, local, remote, segment_size, bytes, .. } => {
                let flow =
                    Flow { transport: Transport::Udp, id: *socket, local: *local, remote: *remote };
                self.datagrams(flow, *segment_size, bytes);
            }
            Input::Unreachable { socket, remote, icmp } => {
                if !matches!(icmp, Icmp::TooBig { .. } | Icmp::TimeExceeded) {
                    let (socket, remote) = (*socket, *remote);
                    self.signals.push_back(Signal::Unreachable { socket, remote });
                }
            }
            Input::Interfaces(interfaces) => self.interfaces.clone_from(interfaces),
            Input::Secured { .. } | Input::Resolved { .. } | Input::Answer { .. } => {}
        }
    }

    fn bound(&mut self, id: Id, local: Endpoint) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.local = Some(local);
            let transport = listener.transport;
            self.signals.push_back(Signal::Listening { id, transport, local });
        }
    }

    fn failed(&mut self, id: Id, kind: &FailKind) {
        if let Some(Listener { transport, asked, .. }) = self.listeners.remove(&id) {
            let kind = kind.clone();
            self.signals.push_back(Signal::ListenFailed { id, transport, local: asked, kind });
        } else {
            self.drop_conn(id, false);
        }
    }

    fn accepted(
        &mut self,
        now: Now,
        listener: Id,
        conn: Id,
        (local, remote): (Endpoint, Endpoint),
        room: usize,
    ) {
        let at_address = self.per_address.get(&block(remote.ip())).copied().unwrap_or(0);
        let full =
            self.conns.len() >= self.limits.conns || at_address >= self.limits.conns_per_address;
        let Some(listener) = self.listeners.get(&listener).filter(|_| !full) else {
            self.refused_conns += 1;
            self.outputs.push(Output::Close { id: conn });
            return;
        };
        self.add(now, Conn::accepted(conn, listener.transport, local, remote, room));
    }

    pub(super) fn add(&mut self, now: Now, conn: Conn) {
        *self.per_address.entry(block(conn.remote.ip())).or_default() += 1;
        self.by_remote.insert((conn.transport, conn.remote, Some(conn.id)));
        self.used.insert(conn.id, now.mono);
        self.timers.set(Timer::Idle(conn.id), now.mono + conn.patience());
        self.conns.insert(conn.id, conn);
    }

    fn connected(&mut self, id: Id, local: Endpoint, room: usize) {
        self.timers.cancel(&Timer::Connect(id));
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.local = Some(local);
            conn.outbox.writable(room, &mut self.outputs);
            self.signals.extend(conn.flow().map(|flow| Signal::Opened { flow }));
        }
    }

    pub(super) fn drop_conn(&mut self, id: Id, close: bool) {
        let Some(conn) = self.conns.remove(&id) else { return };
        self.timers.cancel(&Timer::Connect(id));
        self.timers.cancel(&Timer::Idle(id));
        self.used.remove(&id);
        self.by_remote.remove(&(conn.transport, conn.remote, Some(id)));
        let block = block(conn.remote.ip());
        if let Some(count) = self.per_address.get_mut(&block) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&block);
            }
        }
        if close {
            self.outputs.push(Output::Close { id });
        }
        match conn.flow() {
            Some(flow) => {
                self.keepalives.forget(&flow);
                self.signals.push_back(Signal::Lost { flow });
            }
            None => self.signals.push_back(Signal::OpenFailed { conn: id }),
        }
    }

    fn datagrams(&mut self, flow: Flow, segment_size: Option<usize>, bytes: &[u8]) {
        let size = segment_size.unwrap_or(bytes.len()).max(1);
        for bytes in bytes.chunks(size) {
            //= RFC 3261 §7.5: line ends before the start line are ignored; alone they keep a NAT open.
            if bytes.iter().any(|b| !matches!(b, b'\r' | b'\n' | 0)) {
                self.signals.push_back(Signal::Message { flow, bytes: bytes.to_vec() });
            }
        }
    }

    fn data(&mut self, now: Now, id: Id, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let Some(flow) = conn.flow() else { return };
        conn.framer.push(bytes);
        let mut broken = false;
        while let Some(frame) = conn.framer.next_frame() {
            self.used.insert(id, now.mono);
            conn.heard |= frame.is_ok();
            match frame {
                Ok(Frame::Message(bytes)) => {
                    self.signals.push_back(Signal::Message { flow, bytes });
                }
                Ok(Frame::Ping) => {
                    //= RFC 5626 §5.4: a double CRLF is answered with a single one.
                    broken = conn.send(b"\r\n", &mut self.outputs).is_err();
                }
                Ok(Frame::Pong) => self.keepalives.pong(now, &flow),
                Err(error) => {
                    let owed = error.owed().map(|(head, status)| (head.to_vec(), status));
                    self.signals.push_back(Signal::Broken { flow, owed });
                }
            }
        }
        if broken {
            self.drop_conn(id, true);
        }
    }
}

/// What counts as one address: with IPv6 the /64 that a network has at least (RFC 6177).
fn block(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
    }
}
