//! A client, one router, and what goes wrong between them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use machine::{
    Checked, Endpoint, Entropy, FailKind, Icmp, Id, Ids, Input, Instant, Interface,
    InterfaceAddress, InterfaceKind, Machine as _, Now, Output, Transport,
};

use super::super::{Client, Config, Event};
use crate::natpmp::Answer;
use crate::pcp::{Map, Nonce, Operation};
use crate::{Mapping, MappingId, Protocol, Request, natpmp, pcp};

pub(super) const HOST: [u8; 4] = [192, 168, 1, 2];
pub(super) const ROUTER: [u8; 4] = [192, 168, 1, 1];
pub(super) const OUTSIDE: [u8; 4] = [203, 0, 113, 7];

/// What a router makes of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Speaks,
    /// It does not know it, and says so.
    Refuses,
    Silent,
    /// It is there, but answers no mapping.
    NoMapping,
    /// It refuses every mapping with this code.
    Fails(u16),
}

/// A router.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) pcp: Mode,
    pub(super) natpmp: Mode,
    pub(super) external: IpAddr,
    /// Adds this to the port that is wanted.
    pub(super) shift: u16,
    pub(super) lifetime: Option<u32>,
    pub(super) booted: Duration,
    /// Answers from this port or address instead of its own.
    pub(super) from: Endpoint,
    pub(super) mappings: BTreeMap<(bool, u16), (u16, Option<Nonce>)>,
    /// When mappings were asked for, and whether to remove one.
    pub(super) asked: Vec<(Duration, Protocol, bool)>,
}

impl Router {
    fn answer(&mut self, elapsed: Duration, bytes: &[u8]) -> Option<Vec<u8>> {
        let epoch = u32::try_from((elapsed - self.booted).as_secs()).expect("short");
        let mut answer = Vec::new();
        match bytes.first() {
            Some(0) => self.answer_natpmp(elapsed, epoch, bytes)?.write(&mut answer),
            _ => self.answer_pcp(elapsed, epoch, bytes, &mut answer)?,
        }
        Some(answer)
    }

    fn answer_natpmp(
        &mut self,
        elapsed: Duration,
        epoch_secs: u32,
        bytes: &[u8],
    ) -> Option<natpmp::Response> {
        use natpmp::ResultCode as Code;
        let request = natpmp::Request::parse(bytes).expect("what is sent is read");
        match (self.natpmp, request) {
            (Mode::Silent | Mode::Refuses, _) | (Mode::NoMapping, natpmp::Request::Map { .. }) => {
                None
            }
            (_, natpmp::Request::ExternalAddress) => {
                let IpAddr::V4(external) = self.external else { return None };
                let answer = Answer::ExternalAddress(external);
                Some(natpmp::Response { result: Code::SUCCESS, epoch_secs, answer })
            }
            (mode, natpmp::Request::Map { tcp, internal_port, external_port, lifetime_secs }) => {
                self.asked.push((elapsed, Protocol::NatPmp, lifetime_secs == 0));
                if let Mode::Fails(code) = mode {
                    return natpmp::Response::refusal(bytes, Code(code), epoch_secs);
                }
                let external_port =
                    self.map((tcp, internal_port), external_port, lifetime_secs, None);
                let lifetime_secs = self.granted(lifetime_secs);
                let answer = Answer::Map { tcp, internal_port, external_port, lifetime_secs };
                Some(natpmp::Response { result: Code::SUCCESS, epoch_secs, answer })
            }
        }
    }

    fn answer_pcp(
        &mut self,
        elapsed: Duration,
        epoch_secs: u32,
        bytes: &[u8],
        answer: &mut Vec<u8>,
    ) -> Option<()> {
        use pcp::ResultCode as Code;
        let request = pcp::Request::parse(bytes).expect("what is sent is read");
        assert_eq!(request.client, IpAddr::from(HOST));
        let map = match (self.pcp, &request.operation) {
            (Mode::Silent, _) | (Mode::NoMapping, Operation::Map(_) | Operation::Peer(_)) => {
                return None;
            }
            (Mode::Refuses, _) => {
                natpmp::Response::refusal(bytes, natpmp::ResultCode(1), epoch_secs)?.write(answer);
                return Some(());
            }
            (_, Operation::Announce) => None,
            (_, Operation::Map(map)) => Some(*map),
            (_, Operation::Peer(peer)) => Some(peer.map),
        };
        let Some(map) = map else {
            self.pcp_response(Code::SUCCESS, 0, epoch_secs, Operation::Announce).write(answer);
            return Some(());
        };
        self.asked.push((elapsed, Protocol::Pcp, request.lifetime_secs == 0));
        if let Mode::Fails(code) = self.pcp {
            let code = Code(u8::try_from(code).expect("a code"));
            assert!(pcp::Response::refuse(bytes, code, 30, epoch_secs, answer));
            return Some(());
        }
        let key = (map.protocol == pcp::TCP, map.internal_port);
        let lifetime = request.lifetime_secs;
        let port = self.map(key, map.external.port(), lifetime, Some(map.nonce));
        let map = Map { external: Endpoint::new(self.external, port), ..map };
        let operation = match request.operation {
            Operation::Peer(peer) => Operation::Peer(pcp::Peer { map, ..peer }),
            _ => Operation::Map(map),
        };
        let lifetime = self.granted(lifetime);
        self.pcp_response(Code::SUCCESS, lifetime, epoch_secs, operation).write(answer);
        Some(())
    }

    fn pcp_response(
        &self,
        result: pcp::ResultCode,
        lifetime_secs: u32,
        epoch_secs: u32,
        operation: Operation,
    ) -> pcp::Response {
        let options = pcp::Options::default();
        pcp::Response { result, lifetime_secs, epoch_secs, operation, options }
    }

    fn map(&mut self, key: (bool, u16), port: u16, lifetime: u32, nonce: Option<Nonce>) -> u16 {
        if let Some((_, owner)) = self.mappings.get(&key) {
            assert_eq!(*owner, nonce, "a mapping keeps its nonce, and has no rival");
        }
        if lifetime == 0 {
            self.mappings.remove(&key);
            return 0;
        }
        // A renewal keeps the port.
        let (port, _) = *self.mappings.entry(key).or_insert((port + self.shift, nonce));
        port
    }

    fn granted(&self, lifetime: u32) -> u32 {
        if lifetime == 0 { 0 } else { self.lifetime.unwrap_or(lifetime) }
    }

    /// Starts again without its mappings.
    pub(super) fn restart(&mut self, elapsed: Duration) {
        self.booted = elapsed;
        self.mappings.clear();
    }
}

/// A client behind a router.
pub(super) struct World {
    pub(super) client: Checked<Client>,
    pub(super) router: Router,
    pub(super) elapsed: Duration,
    pub(super) events: Vec<Event>,
    /// How many of the next datagrams are lost.
    pub(super) lose: usize,
    /// Whether the router is off, and the network says so.
    pub(super) off: bool,
    /// When something was sent to the router.
    pub(super) sent: Vec<Duration>,
    sockets: BTreeMap<Id, Endpoint>,
}

impl World {
    /// A client that speaks PCP and NAT-PMP behind a router that does.
    pub(super) fn new(pcp: Mode, natpmp: Mode) -> Self {
        let protocols = vec![Protocol::Pcp, Protocol::NatPmp];
        let config = Config { protocols, ..Config::default() };
        let client = || Client::new(config.clone(), Ids::new(4), &Entropy::seeded(1));
        let router = Router {
            pcp,
            natpmp,
            external: OUTSIDE.into(),
            shift: 0,
            lifetime: None,
            booted: Duration::ZERO,
            from: Endpoint::new(ROUTER, pcp::SERVER_PORT),
            mappings: BTreeMap::new(),
            asked: Vec::new(),
        };
        let mut world = Self {
            client: Checked::with_twin(client(), client()),
            router,
            elapsed: Duration::from_secs(10),
            events: Vec::new(),
            lose: 0,
            off: false,
            sent: Vec::new(),
            sockets: BTreeMap::new(),
        };
        world.input(Input::Interfaces(vec![wire(HOST, ROUTER)]));
        world
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: Instant::ORIGIN + self.elapsed, unix: self.elapsed }
    }

    pub(super) fn input(&mut self, input: Input<'_, Infallible>) {
        self.client.handle_input(self.now(), input);
        self.drain();
    }

    pub(super) fn verb<R>(&mut self, verb: impl FnMut(&mut Client, Now) -> R) -> R {
        let result = self.client.verb(self.now(), verb);
        self.drain();
        result
    }

    /// Asks for a mapping of UDP.
    pub(super) fn map(&mut self, port: u16) -> MappingId {
        let request = Request::new(Transport::Udp, Endpoint::new(HOST, port));
        self.verb(|client, now| client.map(now, request.clone()))
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(next) = self.client.poll_timeout() {
            let next = (next - Instant::ORIGIN).max(self.elapsed);
            if next > end {
                break;
            }
            self.elapsed = next;
            self.client.handle_timeout(self.now());
            self.drain();
        }
        self.elapsed = end;
    }

    fn drain(&mut self) {
        let (mut buf, mut back) = (Vec::new(), Vec::new());
        while let Some(output) = self.client.poll_output(&mut buf) {
            match output {
                Output::Bind { id, local, .. } => {
                    self.sockets.insert(id, local);
                    back.push((id, None));
                }
                Output::Datagram { socket, remote, .. } => {
                    assert_eq!(remote, Endpoint::new(ROUTER, pcp::SERVER_PORT));
                    self.sent.push(self.elapsed);
                    if self.lose > 0 {
                        self.lose -= 1;
                    } else if self.off {
                        back.push((socket, Some(Vec::new())));
                    } else if let Some(answer) = self.router.answer(self.elapsed, &buf) {
                        back.push((socket, Some(answer)));
                    }
                }
                Output::Close { id } => {
                    self.sockets.remove(&id).expect("only what is open is closed");
                }
                Output::Event(event) => self.events.push(event),
                other => panic!("{other:?}"),
            }
            buf.clear();
        }
        for (id, answer) in back {
            let Some(local) = self.sockets.get(&id).copied() else { continue };
            let remote = self.router.from;
            match answer {
                None => self.input(Input::Bound { id, local: local.with_port(40_000) }),
                Some(bytes) if bytes.is_empty() => {
                    let icmp = Icmp::PortUnreachable;
                    self.input(Input::Unreachable { socket: id, remote, icmp });
                }
                Some(bytes) => self.datagram(id, remote, &bytes),
            }
        }
    }

    /// The socket bound to this port, or the one to the router.
    pub(super) fn socket(&self, port: u16) -> Id {
        let is_it = |(_, local): &(&Id, &Endpoint)| local.port() == port;
        *self.sockets.iter().find(is_it).expect("a socket").0
    }

    pub(super) fn has_sockets(&self) -> bool {
        !self.sockets.is_empty()
    }

    pub(super) fn datagram(&mut self, socket: Id, remote: Endpoint, bytes: &[u8]) {
        let local = self.sockets[&socket];
        let (ecn, segment_size) = (None, None);
        self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
    }

    /// The router tells all hosts that it is there, by PCP.
    pub(super) fn announce_pcp(&mut self, from: Endpoint) {
        let epoch = (self.elapsed - self.router.booted).as_secs() as u32;
        let response =
            self.router.pcp_response(pcp::ResultCode::SUCCESS, 0, epoch, Operation::Announce);
        let mut bytes = Vec::new();
        response.write(&mut bytes);
        self.datagram(self.socket(pcp::CLIENT_PORT), from, &bytes);
    }

    /// The router tells all hosts its address outside, by NAT-PMP.
    pub(super) fn announce_natpmp(&mut self, external: Ipv4Addr) {
        let epoch_secs = (self.elapsed - self.router.booted).as_secs() as u32;
        let result = natpmp::ResultCode::SUCCESS;
        let answer = Answer::ExternalAddress(external);
        let mut bytes = Vec::new();
        natpmp::Response { result, epoch_secs, answer }.write(&mut bytes);
        self.datagram(self.socket(pcp::CLIENT_PORT), self.router.from, &bytes);
    }

    /// A bind that fails.
    pub(super) fn fail(&mut self, id: Id) {
        self.sockets.remove(&id);
        self.input(Input::Failed { id, kind: FailKind::AddressInUse });
    }

    pub(super) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The events that are about mappings.
    pub(super) fn take_mappings(&mut self) -> Vec<Event> {
        let mut events = self.take();
        events.retain(|event| {
            !matches!(event, Event::Gateway(_) | Event::Searched | Event::Refused { .. })
        });
        events
    }
}

/// An interface with one address in a network of 24 bits.
pub(super) fn wire(address: [u8; 4], router: [u8; 4]) -> Interface {
    Interface {
        index: 2,
        name: "eth0".to_owned(),
        kind: InterfaceKind::Physical,
        addresses: vec![InterfaceAddress {
            ip: address.into(),
            prefix_len: 24,
            temporary: false,
            deprecated: false,
        }],
        routers: vec![router.into()],
    }
}

/// A mapping of UDP as the router grants it.
pub(super) fn granted(protocol: Protocol, port: u16, external_port: u16) -> Mapping {
    Mapping {
        protocol,
        gateway: ROUTER.into(),
        transport: Transport::Udp,
        internal: Endpoint::new(HOST, port),
        external: Endpoint::new(OUTSIDE, external_port),
        lease: Some(Duration::from_secs(7200)),
    }
}
