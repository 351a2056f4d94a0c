//! A network of virtual time for the tests of this crate: one latency, names, UDP and TCP, loss by
//! decree, and a log of every message.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{
    BindKind, CloseReason, Endpoint, FailKind, Icmp, Id, Input, Instant, Interface,
    InterfaceAddress, InterfaceKind, Now, Output, Record, RecordData, ResolveError,
};

/// What runs on a host.
pub(crate) trait Part {
    fn input(&mut self, now: Now, input: &Input<'_, ()>);
    fn timeout(&mut self, now: Now);
    fn output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Infallible, Infallible>>;
    fn due(&self) -> Option<Instant>;
}

macro_rules! part {
    ($type:ty) => {
        impl Part for $type {
            fn input(&mut self, now: Now, input: &Input<'_, ()>) {
                self.handle_input(now, input);
            }
            fn timeout(&mut self, now: Now) {
                self.handle_timeout(now);
            }
            fn output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Infallible, Infallible>> {
                self.poll_output(buf)
            }
            fn due(&self) -> Option<Instant> {
                self.poll_timeout()
            }
        }
    };
}

part!(crate::Stack);
part!(crate::ua::UserAgent);

#[derive(Debug)]
enum Packet {
    Datagram { socket: Id, local: Endpoint, remote: Endpoint, bytes: Vec<u8> },
    Unreachable { socket: Id, remote: Endpoint },
    Accepted { listener: Id, conn: Id, local: Endpoint, remote: Endpoint },
    Connected { conn: Id, local: Endpoint, remote: Endpoint },
    Refused { conn: Id },
    Data { conn: Id, bytes: Vec<u8> },
    Closed { conn: Id },
    Resolved { id: Id, records: Result<Vec<Record>, ResolveError> },
}

pub(crate) struct Node<P> {
    pub(crate) part: P,
    ip: IpAddr,
    next_port: u16,
    accepted: u64,
}

/// Hosts and what is under way between them.
pub(crate) struct Net<P> {
    pub(crate) now: Now,
    pub(crate) nodes: Vec<Node<P>>,
    pub(crate) zone: BTreeMap<String, Vec<RecordData>>,
    /// Every message sent: `from > to first-line`, with the transport in front.
    pub(crate) log: Vec<String>,
    /// Decides by the log line which datagrams are lost.
    pub(crate) lose: Box<dyn FnMut(&str) -> bool>,
    /// Whether TCP connections are refused.
    pub(crate) no_tcp: bool,
    pub(crate) delay: Duration,
    queue: BTreeMap<(Instant, u64), (usize, Packet)>,
    sequence: u64,
    udp: BTreeMap<Endpoint, (usize, Id)>,
    sockets: BTreeMap<(usize, Id), Endpoint>,
    listeners: BTreeMap<Endpoint, (usize, Id)>,
    conns: BTreeMap<(usize, Id), (usize, Id)>,
    opening: BTreeSet<(usize, Id)>,
}

impl<P: Part> Net<P> {
    /// A network of hosts with these addresses.
    pub(crate) fn new(parts: impl IntoIterator<Item = (&'static str, P)>) -> Self {
        let node = |(ip, part): (&str, P)| Node {
            part,
            ip: ip.parse().unwrap(),
            next_port: 40_000,
            accepted: 0,
        };
        let unix = Duration::from_secs(1_700_000_000);
        let mut net = Self {
            now: Now { mono: Instant::ORIGIN, unix },
            nodes: parts.into_iter().map(node).collect(),
            zone: BTreeMap::new(),
            log: Vec::new(),
            lose: Box::new(|_| false),
            no_tcp: false,
            delay: Duration::from_millis(20),
            queue: BTreeMap::new(),
            sequence: 0,
            udp: BTreeMap::new(),
            sockets: BTreeMap::new(),
            listeners: BTreeMap::new(),
            conns: BTreeMap::new(),
            opening: BTreeSet::new(),
        };
        for index in 0..net.nodes.len() {
            let ip = net.nodes[index].ip;
            let address =
                InterfaceAddress { ip, prefix_len: 24, temporary: false, deprecated: false };
            let interface = Interface {
                index: 1,
                name: "eth0".to_owned(),
                kind: InterfaceKind::Physical,
                addresses: vec![address],
                routers: Vec::new(),
            };
            let input = Input::Interfaces(vec![interface]);
            net.nodes[index].part.input(net.now, &input);
            net.drain(index);
        }
        net
    }

    /// Calls a verb on a host and drains it.
    pub(crate) fn on<R>(&mut self, index: usize, verb: impl FnOnce(&mut P, Now) -> R) -> R {
        let result = verb(&mut self.nodes[index].part, self.now);
        self.drain(index);
        result
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.advance(at);
            self.step();
        }
        self.advance(end);
    }

    fn advance(&mut self, at: Instant) {
        let at = at.max(self.now.mono);
        self.now.unix += at - self.now.mono;
        self.now.mono = at;
    }

    fn next(&self) -> Option<Instant> {
        let packet = self.queue.keys().next().map(|(at, _)| *at);
        let timers = self.nodes.iter().filter_map(|node| node.part.due());
        packet.into_iter().chain(timers).min()
    }

    fn step(&mut self) {
        while let Some((&key, _)) =
            self.queue.first_key_value().filter(|((at, _), _)| *at <= self.now.mono)
        {
            let (index, packet) = self.queue.remove(&key).unwrap();
            self.deliver(index, packet);
        }
        for index in 0..self.nodes.len() {
            if self.nodes[index].part.due().is_some_and(|at| at <= self.now.mono) {
                self.nodes[index].part.timeout(self.now);
                self.drain(index);
                let next = self.nodes[index].part.due();
                assert!(next.is_none_or(|at| at > self.now.mono), "timers fire for good");
            }
        }
    }

    fn later(&mut self, index: usize, packet: Packet) {
        self.sequence += 1;
        self.queue.insert((self.now.mono + self.delay, self.sequence), (index, packet));
    }

    fn deliver(&mut self, index: usize, packet: Packet) {
        let (ecn, segment_size, room) = (None, None, 65_536);
        let input = match &packet {
            Packet::Datagram { socket, local, remote, bytes } => Input::Datagram {
                socket: *socket,
                local: *local,
                remote: *remote,
                ecn,
                segment_size,
                bytes,
            },
            Packet::Unreachable { socket, remote } => {
                Input::Unreachable { socket: *socket, remote: *remote, icmp: Icmp::PortUnreachable }
            }
            Packet::Accepted { listener, conn, local, remote } => Input::Accepted {
                listener: *listener,
                conn: *conn,
                local: *local,
                remote: *remote,
                room,
            },
            Packet::Connected { conn, local, remote } => {
                if !self.opening.remove(&(index, *conn)) {
                    return;
                }
                Input::Connected { conn: *conn, local: *local, remote: *remote, room }
            }
            Packet::Refused { conn } => Input::Failed { id: *conn, kind: FailKind::Refused },
            Packet::Data { conn, bytes } => {
                if !self.conns.contains_key(&(index, *conn)) {
                    return;
                }
                Input::Data { conn: *conn, bytes }
            }
            Packet::Closed { conn } => {
                self.conns.remove(&(index, *conn));
                Input::Closed { conn: *conn, reason: CloseReason::Peer }
            }
            Packet::Resolved { id, records } => {
                Input::Resolved { id: *id, records: records.clone() }
            }
        };
        self.nodes[index].part.input(self.now, &input);
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        let mut buf = Vec::new();
        while let Some(output) = self.nodes[index].part.output(&mut buf) {
            self.output(index, output, &buf);
            buf.clear();
        }
    }

    fn output(&mut self, index: usize, output: Output<Infallible, Infallible>, bytes: &[u8]) {
        match output {
            Output::Bind { id, kind, local, .. } => self.bind(index, id, kind, local),
            Output::Datagram { socket, remote, .. } => self.datagram(index, socket, remote, bytes),
            Output::Connect { id, remote, .. } => self.connect(index, id, remote),
            Output::Write { conn } => {
                let Some(&(peer, peer_conn)) = self.conns.get(&(index, conn)) else { return };
                self.note("TCP", self.nodes[index].ip, self.nodes[peer].ip, bytes);
                self.later(peer, Packet::Data { conn: peer_conn, bytes: bytes.to_vec() });
                let input = Input::Writable { conn, room: 65_536 };
                self.nodes[index].part.input(self.now, &input);
            }
            Output::Resolve { id, name, .. } => {
                let data = self.zone.get(&name).cloned().ok_or(ResolveError::NoSuchName);
                let record = |data| Record { name: name.clone(), ttl_secs: 60, data };
                let records = data.map(|data| data.into_iter().map(record).collect());
                self.later(index, Packet::Resolved { id, records });
            }
            Output::Close { id } => {
                if let Some((peer, conn)) = self.conns.remove(&(index, id)) {
                    self.later(peer, Packet::Closed { conn });
                }
                if let Some(at) = self.sockets.remove(&(index, id)) {
                    self.udp.remove(&at);
                    self.listeners.remove(&at);
                }
                self.opening.remove(&(index, id));
            }
            Output::Pause { .. }
            | Output::StartTls { .. }
            | Output::Ask { .. }
            | Output::Event(_) => {}
        }
    }

    fn bind(&mut self, index: usize, id: Id, kind: BindKind, local: Endpoint) {
        let node = &mut self.nodes[index];
        let port = if local.port() == 0 {
            node.next_port += 1;
            node.next_port
        } else {
            local.port()
        };
        let at = Endpoint::new(node.ip, port);
        let table = match kind {
            BindKind::Udp | BindKind::SharedUdp | BindKind::RelayUdp => &mut self.udp,
            BindKind::TcpListener => &mut self.listeners,
        };
        let free = *table.entry(at).or_insert((index, id)) == (index, id);
        let input = if free {
            self.sockets.insert((index, id), at);
            Input::Bound { id, local: local.with_port(port) }
        } else {
            Input::Failed { id, kind: FailKind::AddressInUse }
        };
        self.nodes[index].part.input(self.now, &input);
    }

    fn datagram(&mut self, index: usize, socket: Id, remote: Endpoint, bytes: &[u8]) {
        let from = self.sockets[&(index, socket)];
        let line = self.note("UDP", from.ip(), remote.ip(), bytes);
        if (self.lose)(&line) {
            return;
        }
        match self.udp.get(&remote) {
            Some(&(peer, socket)) => {
                let (local, remote, bytes) = (remote, from, bytes.to_vec());
                self.later(peer, Packet::Datagram { socket, local, remote, bytes });
            }
            None => self.later(index, Packet::Unreachable { socket, remote }),
        }
    }

    fn connect(&mut self, index: usize, id: Id, remote: Endpoint) {
        let node = &mut self.nodes[index];
        node.next_port += 1;
        let local = Endpoint::new(node.ip, node.next_port);
        match self.listeners.get(&remote).copied().filter(|_| !self.no_tcp) {
            Some((peer, listener)) => {
                let peer_node = &mut self.nodes[peer];
                peer_node.accepted += 1;
                let conn = Id::accepted(listener, peer_node.accepted);
                self.conns.insert((index, id), (peer, conn));
                self.conns.insert((peer, conn), (index, id));
                self.opening.insert((index, id));
                self.later(peer, Packet::Accepted { listener, conn, local: remote, remote: local });
                self.later(index, Packet::Connected { conn: id, local, remote });
            }
            None => self.later(index, Packet::Refused { conn: id }),
        }
    }

    fn note(&mut self, transport: &str, from: IpAddr, to: IpAddr, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let first = text.lines().next().unwrap_or("");
        let line = format!("{transport} {from} > {to} {first}");
        self.log.push(line.clone());
        line
    }

    /// How many logged lines hold `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.log.iter().filter(|line| line.contains(text)).count()
    }
}
