//! Everything that a router says of port mapping: read by every parser, or told to a client that has
//! asked for mappings.
//!
//! Whatever is said: a mapping that is told leads where packets can come in; nobody is connected to
//! outside the link; nothing is told of a mapping that is over; a client that is closed ends in time,
//! once, and leaves no socket behind.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use machine::{
    AddressClass, BindKind, Checked, CloseReason, Endpoint, Entropy, FailKind, Icmp, Id, Ids,
    Input, Interface, InterfaceAddress, InterfaceKind, Machine, Output, Transport,
};
use portmap::upnp::{description, soap, ssdp, xml};
use portmap::{Client, Config, Event, MappingId, Request, natpmp, pcp};

use super::ops::{Ops, at};

const HOST: [u8; 4] = [192, 168, 1, 2];
const ROUTER: [u8; 4] = [192, 168, 1, 1];

/// Takes `bytes` after the first as something to read, or as operations.
pub fn run(bytes: &[u8]) {
    match bytes.split_first() {
        Some((0, message)) => read(message),
        Some((_, ops)) => World::new().run(Ops(ops)),
        None => {}
    }
}

/// Whatever can be read and written is read back the same.
fn read(bytes: &[u8]) {
    let mut buf = Vec::new();
    if let Ok(request) = pcp::Request::parse(bytes) {
        request.write(&mut buf);
        assert_eq!(pcp::Request::parse(&buf), Ok(request));
    }
    if let Ok(Ok(response)) = pcp::Response::parse(bytes) {
        buf.clear();
        response.write(&mut buf);
        assert_eq!(pcp::Response::parse(&buf), Ok(Ok(response)));
    }
    buf.clear();
    if pcp::Response::refuse(bytes, pcp::ResultCode::NOT_AUTHORIZED, 30, 7, &mut buf) {
        assert!(pcp::Response::parse(&buf).is_ok(), "a refusal is read");
    }
    if let Ok(request) = natpmp::Request::parse(bytes) {
        buf.clear();
        request.write(&mut buf);
        assert_eq!(natpmp::Request::parse(&buf), Ok(request));
    }
    if let Ok(response) = natpmp::Response::parse(bytes) {
        buf.clear();
        response.write(&mut buf);
        assert_eq!(natpmp::Response::parse(&buf), Ok(response));
    }
    let _ = ssdp::Search::read(bytes);
    let _ = ssdp::Found::read(bytes);
    let _ = xml::read(bytes);
    let _ = description::Description::read(bytes);
    let _ = soap::Call::read(bytes);
    let _ = soap::Reply::read(bytes);
}

struct World {
    client: Checked<Client>,
    elapsed: Duration,
    sockets: BTreeMap<Id, Endpoint>,
    conns: BTreeSet<Id>,
    /// What is bound and connected, but not told yet.
    opening: Vec<(Id, Endpoint, bool)>,
    /// What the router was asked last, and on which socket.
    asked: Option<(Id, Vec<u8>)>,
    searched: Option<Id>,
    mappings: Vec<MappingId>,
    closed: bool,
}

impl World {
    fn new() -> Self {
        let client = || Client::new(Config::default(), Ids::new(5), &Entropy::seeded(1));
        let mut world = Self {
            client: Checked::with_twin(client(), client()),
            elapsed: Duration::from_secs(1),
            sockets: BTreeMap::new(),
            conns: BTreeSet::new(),
            opening: Vec::new(),
            asked: None,
            searched: None,
            mappings: Vec::new(),
            closed: false,
        };
        world.input(Input::Interfaces(vec![wire(HOST)]));
        world
    }

    fn run(mut self, mut ops: Ops<'_>) {
        while self.step(&mut ops).is_some() {}
        if !self.closed {
            self.verb(Client::close);
        }
        self.pass(Duration::from_secs(5));
        assert!(self.closed, "it ends in time");
        assert_eq!(self.client.poll_timeout(), None);
        assert!(self.sockets.is_empty() && self.conns.is_empty(), "and leaves nothing open");
    }

    fn step(&mut self, ops: &mut Ops<'_>) -> Option<()> {
        let (op, what) = (ops.byte()?, ops.byte()?);
        let router = Endpoint::new(ROUTER, pcp::SERVER_PORT);
        match op % 14 {
            0 => self.map(what),
            1 => {
                let nth = usize::from(what) % self.mappings.len().max(1);
                if let Some(id) = self.mappings.get(nth).copied() {
                    self.verb(|client, now| client.unmap(now, id));
                }
            }
            2 if what.is_multiple_of(2) => self.verb(Client::list),
            2 => self.verb(|client, now| {
                client.remove_at(now, Transport::Tcp, u16::from(what));
            }),
            3 => self.verb(Client::probe),
            4 => self.pass(Duration::from_millis(1 << (what % 24))),
            5 => {
                let bytes = ops.chunk()?;
                let from = if what < 200 { router } else { Endpoint::new([192, 168, 1, 66], 9) };
                if let Some(socket) = self.nth(what) {
                    self.datagram(socket, from, bytes);
                }
            }
            6 | 7 => self.answer(what, ops.byte()?),
            8 => {
                let host = if what.is_multiple_of(2) { HOST } else { [192, 168, 1, 3] };
                let interfaces = if what < 200 { vec![wire(host)] } else { Vec::new() };
                self.input(Input::Interfaces(interfaces));
            }
            9 => {
                let found = ops.chunk()?;
                if let Some(socket) = self.searched {
                    self.datagram(socket, Endpoint::new(ROUTER, ssdp::PORT), found);
                }
            }
            10 => {
                let bytes = ops.chunk()?;
                let nth = usize::from(what) % self.conns.len().max(1);
                if let Some(conn) = self.conns.iter().nth(nth).copied() {
                    self.input(Input::Data { conn, bytes });
                }
            }
            11 => {
                if let Some(conn) = self.conns.pop_first() {
                    self.input(Input::Closed { conn, reason: CloseReason::Peer });
                }
            }
            12 => {
                let icmp = Icmp::PortUnreachable;
                if let Some(socket) = self.nth(what) {
                    self.input(Input::Unreachable { socket, remote: router, icmp });
                }
            }
            _ => self.verb(Client::close),
        }
        Some(())
    }

    fn map(&mut self, what: u8) {
        let transport = if what.is_multiple_of(2) { Transport::Udp } else { Transport::Tcp };
        let mut request = Request::new(transport, Endpoint::new(HOST, 5060 + u16::from(what % 16)));
        request.prefer_failure = what & 16 != 0;
        request.peer = (what & 32 != 0).then(|| Endpoint::new([203, 0, 113, 9], 9));
        request.lifetime = Duration::from_secs(u64::from(what));
        let mut id = None;
        self.verb(|client, now| id = Some(client.map(now, request.clone())));
        self.mappings.extend(id);
    }

    /// Answers what was asked last, more or less.
    fn answer(&mut self, result: u8, what: u8) {
        let Some((socket, asked)) = self.asked.clone() else { return };
        let epoch_secs = u32::from(what) * 8;
        let ip = [[203, 0, 113, 7], HOST, [100, 64, 0, 1], [224, 0, 0, 1], [0; 4]];
        let external = ip[usize::from(what) % ip.len()];
        let result = if result < 128 { 0 } else { result % 16 };
        let mut bytes = Vec::new();
        if let Ok(request) = pcp::Request::parse(&asked) {
            let operation = match request.operation {
                pcp::Operation::Map(map) => pcp::Operation::Map(pcp::Map {
                    external: Endpoint::new(
                        external,
                        map.external.port().wrapping_add(what.into()),
                    ),
                    ..map
                }),
                other => other,
            };
            pcp::Response {
                result: pcp::ResultCode(result),
                lifetime_secs: request.lifetime_secs.min(u32::from(what) * 16),
                epoch_secs,
                operation,
                options: pcp::Options::default(),
            }
            .write(&mut bytes);
        } else if let Ok(request) = natpmp::Request::parse(&asked) {
            let answer = match request {
                natpmp::Request::ExternalAddress => {
                    natpmp::Answer::ExternalAddress(external.into())
                }
                natpmp::Request::Map { tcp, internal_port, external_port, lifetime_secs } => {
                    natpmp::Answer::Map { tcp, internal_port, external_port, lifetime_secs }
                }
            };
            let result = natpmp::ResultCode(result.into());
            natpmp::Response { result, epoch_secs, answer }.write(&mut bytes);
        }
        self.datagram(socket, Endpoint::new(ROUTER, pcp::SERVER_PORT), &bytes);
    }

    fn nth(&self, n: u8) -> Option<Id> {
        self.sockets.keys().nth(usize::from(n) % self.sockets.len().max(1)).copied()
    }

    fn datagram(&mut self, socket: Id, remote: Endpoint, bytes: &[u8]) {
        let Some(local) = self.sockets.get(&socket).copied() else { return };
        let (ecn, segment_size) = (None, None);
        self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
    }

    fn input(&mut self, input: Input<'_, Infallible>) {
        self.client.handle_input(at(self.elapsed), input);
        self.drain();
    }

    fn verb(&mut self, verb: impl FnMut(&mut Client, machine::Now)) {
        self.client.verb(at(self.elapsed), verb);
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(next) = self.client.poll_timeout() {
            let next = Duration::from_nanos(next.as_nanos()).max(self.elapsed);
            if next > end {
                break;
            }
            self.elapsed = next;
            self.client.handle_timeout(at(self.elapsed));
            self.drain();
        }
        self.elapsed = end;
    }

    fn drain(&mut self) {
        let mut buf = Vec::new();
        while let Some(output) = self.client.poll_output(&mut buf) {
            match output {
                Output::Bind { id, kind, local, .. } => {
                    assert_eq!(kind, BindKind::Udp);
                    self.opening.push((id, local.with_port(local.port().max(40_000)), false));
                    self.sockets.insert(id, local);
                    assert!(self.sockets.len() < 32, "few sockets");
                }
                Output::Connect { id, remote, .. } => {
                    let IpAddr::V4(ip) = remote.ip() else { panic!("{remote} is not on the link") };
                    assert_eq!(ip.octets()[..3], ROUTER[..3], "{ip} is not on the link");
                    self.conns.insert(id);
                    self.opening.push((id, remote, true));
                }
                Output::Datagram { socket, remote, .. } if remote.port() == pcp::SERVER_PORT => {
                    self.asked = Some((socket, buf.clone()));
                }
                Output::Datagram { socket, .. } => self.searched = Some(socket),
                Output::Close { id } => {
                    let open = self.sockets.remove(&id).is_some() | self.conns.remove(&id);
                    assert!(open, "only what is open is closed");
                }
                Output::Event(event) => self.told(event),
                _ => {}
            }
            buf.clear();
        }
        self.open();
    }

    fn open(&mut self) {
        for (id, place, is_conn) in std::mem::take(&mut self.opening) {
            let local = Endpoint::new(HOST, 40_001);
            if is_conn && self.conns.contains(&id) {
                if place.port() == 1 {
                    self.conns.remove(&id);
                    self.input(Input::Failed { id, kind: FailKind::Refused });
                } else {
                    self.input(Input::Connected { conn: id, local, remote: place, room: 65_536 });
                }
            } else if self.sockets.contains_key(&id) {
                self.input(Input::Bound { id, local: place });
            }
        }
    }

    fn told(&mut self, event: Event) {
        match event {
            Event::Mapped { id, mapping } | Event::Changed { id, mapping } => {
                assert!(!self.closed, "nothing after the end");
                let class = AddressClass::of(mapping.external.ip());
                let nowhere = [
                    AddressClass::Unspecified,
                    AddressClass::Multicast,
                    AddressClass::Loopback,
                    AddressClass::Broadcast,
                ];
                assert!(!nowhere.contains(&class), "{id:?}: {mapping:?}");
                assert_ne!(mapping.external.port(), 0);
                assert_ne!(mapping.external.ip(), mapping.internal.ip());
            }
            Event::Failed { id, .. } | Event::Lost { id, .. } | Event::Unmapped { id } => {
                self.mappings.retain(|known| *known != id);
            }
            Event::Closed => {
                assert!(!self.closed, "it ends once");
                self.closed = true;
            }
            _ => {}
        }
    }
}

fn wire(host: [u8; 4]) -> Interface {
    Interface {
        index: 2,
        name: "eth0".to_owned(),
        kind: InterfaceKind::Physical,
        addresses: vec![InterfaceAddress {
            ip: host.into(),
            prefix_len: 24,
            temporary: false,
            deprecated: false,
        }],
        routers: vec![ROUTER.into()],
    }
}
