//! Any sequence of verbs and inputs: no panic, no broken law, and a twin that does the same.

use std::collections::BTreeSet;
use std::time::Duration;

use connect::{
    Config, Connect, Event, IceMode, RemoteIce, RemoteParameters, RemoteStream, Role, SessionId,
    SessionSpec, StreamSpec, TurnServer,
};
use machine::{
    Checked, CloseReason, ConnectionBinding, Endpoint, Entropy, FailKind, Icmp, Id, Ids, Input,
    Interface, InterfaceAddress, InterfaceKind, Machine, Now, Output, Record, RecordData,
    ResolveError,
};
use proptest::prelude::*;
use turn::{TurnBuilder as _, TurnMessage as _};

#[derive(Clone, Debug)]
enum Operation {
    Interfaces(Vec<[u8; 4]>),
    Open {
        ice: bool,
        streams: usize,
        components: u16,
        servers: usize,
        turn: Option<Turn>,
    },
    Bound(usize),
    BindFailed(usize),
    SetRemote {
        session: usize,
        ice: bool,
        lite: bool,
        components: u16,
        ports: Vec<u16>,
    },
    SetRole(usize, bool),
    Restart(usize),
    Send(usize, u16),
    Close(usize),
    Datagram {
        socket: usize,
        port: u16,
        bytes: Vec<u8>,
    },
    Answer(usize),
    Unreachable(usize),
    Wait(u32),
    Resolved(usize, bool),
    Connected(usize),
    NotConnected(usize),
    Ended(usize),
    Writable(usize, usize),
    /// Something that the TURN server relays, over whatever was used last towards it.
    Relayed {
        n: usize,
        port: u16,
        bytes: Vec<u8>,
    },
    /// The TURN server refuses.
    Refuse(usize, u16),
    /// For some slots the world does all that it is asked.
    Serve(usize),
}

/// Which TURN servers a session gets.
#[derive(Clone, Copy, Debug)]
struct Turn {
    named: bool,
    only: bool,
    count: usize,
}

fn operation() -> impl Strategy<Value = Operation> {
    let n = || any::<usize>();
    prop_oneof![
        1 => proptest::collection::vec(any::<[u8; 4]>(), 0..4).prop_map(Operation::Interfaces),
        3 => (any::<bool>(), 0..3usize, 0..3u16, 0..3usize, turn()).prop_map(
            |(ice, streams, components, servers, turn)| Operation::Open {
                ice, streams, components, servers, turn,
            }
        ),
        4 => n().prop_map(Operation::Bound),
        1 => n().prop_map(Operation::BindFailed),
        3 => (n(), any::<bool>(), any::<bool>(), 0..3u16, proptest::collection::vec(any::<u16>(), 0..4))
            .prop_map(|(session, ice, lite, components, ports)| Operation::SetRemote {
                session, ice, lite, components, ports,
            }),
        1 => (n(), any::<bool>()).prop_map(|(s, c)| Operation::SetRole(s, c)),
        1 => n().prop_map(Operation::Restart),
        2 => (n(), 0..4u16).prop_map(|(s, c)| Operation::Send(s, c)),
        1 => n().prop_map(Operation::Close),
        2 => (n(), any::<u16>(), proptest::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(socket, port, bytes)| Operation::Datagram { socket, port, bytes }),
        4 => n().prop_map(Operation::Answer),
        1 => n().prop_map(Operation::Unreachable),
        2 => (0..100_000u32).prop_map(Operation::Wait),
        4 => (0..1_000u32).prop_map(Operation::Wait),
        2 => (n(), any::<bool>()).prop_map(|(n, found)| Operation::Resolved(n, found)),
        2 => n().prop_map(Operation::Connected),
        1 => n().prop_map(Operation::NotConnected),
        1 => n().prop_map(Operation::Ended),
        1 => (n(), 0..5000usize).prop_map(|(n, room)| Operation::Writable(n, room)),
        2 => (n(), any::<u16>(), proptest::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(n, port, bytes)| Operation::Relayed { n, port, bytes }),
        1 => (n(), prop_oneof![Just(300u16), Just(403), Just(437), Just(441), Just(486), Just(508)])
            .prop_map(|(n, code)| Operation::Refuse(n, code)),
        4 => (1..20usize).prop_map(Operation::Serve),
    ]
}

fn turn() -> impl Strategy<Value = Option<Turn>> {
    let some = (any::<bool>(), any::<bool>(), 1..4usize).prop_map(|(named, only, count)| Turn {
        named,
        only,
        count,
    });
    proptest::option::of(some)
}

/// A machine with a twin, and what the test knows of its sockets.
struct Bench {
    connect: Checked<Connect>,
    now: Now,
    /// What was asked to be bound, and not answered.
    binding: Vec<(Id, Endpoint)>,
    bound: Vec<(Id, Endpoint)>,
    sessions: Vec<SessionId>,
    lookups: Vec<Id>,
    connecting: Vec<(Id, Endpoint)>,
    conns: Vec<(Id, Endpoint)>,
    /// What it sent: socket or connection, destination, bytes.
    sent: Vec<(Id, Endpoint, Vec<u8>)>,
    port: u16,
}

impl Bench {
    fn new() -> Self {
        let connect = || Connect::new(Config::default(), Ids::new(5), Entropy::seeded(3));
        Self {
            connect: Checked::with_twin(connect(), connect()),
            now: Now::default(),
            binding: Vec::new(),
            bound: Vec::new(),
            sessions: Vec::new(),
            lookups: Vec::new(),
            connecting: Vec::new(),
            conns: Vec::new(),
            sent: Vec::new(),
            port: 10_000,
        }
    }

    fn drain(&mut self) {
        let mut buf = Vec::new();
        while let Some(output) = self.connect.poll_output(&mut buf) {
            match output {
                Output::Bind { id, local, .. } => self.binding.push((id, local)),
                Output::Resolve { id, .. } => self.lookups.push(id),
                Output::Connect { id, remote, .. } => self.connecting.push((id, remote)),
                Output::Write { conn } => {
                    let to = self.conns.iter().find(|(id, _)| *id == conn);
                    let (_, to) = *to.expect("connections are open");
                    self.sent.push((conn, to, buf.clone()));
                }
                Output::StartTls { conn, .. } => {
                    assert!(self.conns.iter().any(|(id, _)| *id == conn), "connections are open");
                }
                Output::Close { id } => {
                    let open = self.open();
                    self.lookups.retain(|lookup| *lookup != id);
                    for list in
                        [&mut self.bound, &mut self.binding, &mut self.connecting, &mut self.conns]
                    {
                        list.retain(|(known, _)| *known != id);
                    }
                    assert_eq!(self.open() + 1, open, "closed once");
                }
                Output::Datagram { socket, remote, .. } => {
                    assert!(self.bound.iter().any(|(id, _)| *id == socket), "sockets are open");
                    self.sent.push((socket, remote, buf.clone()));
                }
                Output::Event(Event::Closed { session }) => {
                    self.sessions.retain(|open| *open != session);
                }
                _ => {}
            }
            buf.clear();
        }
        if self.sent.len() > 1000 {
            self.sent.drain(..900);
        }
    }

    /// How much is open or under way.
    fn open(&self) -> usize {
        [&self.bound, &self.binding, &self.connecting, &self.conns]
            .map(Vec::len)
            .iter()
            .sum::<usize>()
            + self.lookups.len()
    }

    fn input(&mut self, input: Input<'_, ()>) {
        self.connect.handle_input(self.now, input);
        self.drain();
    }

    fn verb<R>(&mut self, verb: impl FnMut(&mut Connect, Now) -> R) -> R {
        let result = self.connect.verb(self.now, verb);
        self.drain();
        result
    }

    fn session(&self, n: usize) -> Option<SessionId> {
        self.sessions.get(n % self.sessions.len().max(1)).copied()
    }

    fn wait(&mut self, millis: u32) {
        let end = self.now.mono + Duration::from_millis(millis.into());
        while let Some(at) = self.connect.poll_timeout().filter(|at| *at <= end) {
            self.now.mono = self.now.mono.max(at);
            self.connect.handle_timeout(self.now);
            self.drain();
        }
        self.now.mono = end;
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Interfaces(addresses) => {
                self.input(Input::Interfaces(interfaces(&addresses)))
            }
            Operation::Open { ice, streams, components, servers, turn } => {
                let spec = spec(ice, streams, components, servers, turn);
                if let Ok(session) = self.verb(|connect, now| connect.open(now, spec.clone())) {
                    self.sessions.push(session);
                }
            }
            Operation::Bound(n) if !self.binding.is_empty() => {
                let (id, local) = self.binding.remove(n % self.binding.len());
                self.port += 1;
                self.bound.push((id, local.with_port(self.port)));
                self.input(Input::Bound { id, local: local.with_port(self.port) });
            }
            Operation::BindFailed(n) if !self.binding.is_empty() => {
                let (id, _) = self.binding.remove(n % self.binding.len());
                self.input(Input::Failed { id, kind: FailKind::AddressInUse });
            }
            Operation::SetRemote { session, ice, lite, components, ports } => {
                let remote = remote(ice, lite, components, &ports);
                if let Some(session) = self.session(session) {
                    let set = self.verb(|connect, now| connect.set_remote(now, session, &remote));
                    assert_eq!(set, Ok(()));
                }
            }
            Operation::SetRole(n, controlling) => {
                let role = if controlling { Role::Controlling } else { Role::Controlled };
                if let Some(session) = self.session(n) {
                    self.verb(|connect, now| connect.set_role(now, session, role));
                }
            }
            Operation::Restart(n) => {
                if let Some(session) = self.session(n) {
                    self.verb(|connect, now| connect.restart(now, session));
                }
            }
            Operation::Send(n, component) => {
                if let Some(session) = self.session(n) {
                    let _ =
                        self.verb(|connect, now| connect.send(now, session, 0, component, b"\x80"));
                }
            }
            Operation::Close(n) => {
                if let Some(session) = self.session(n) {
                    self.verb(|connect, now| connect.close(now, session));
                }
            }
            Operation::Datagram { socket, port, bytes } => self.datagram(socket, port, &bytes),
            Operation::Answer(n) => self.answer(n),
            Operation::Unreachable(n) if !self.sent.is_empty() => {
                let (socket, remote, _) = self.sent[n % self.sent.len()].clone();
                self.input(Input::Unreachable { socket, remote, icmp: Icmp::HostUnreachable });
            }
            Operation::Wait(millis) => self.wait(millis),
            Operation::Relayed { n, port, bytes } => self.relayed(n, port, &bytes),
            Operation::Refuse(n, code) => self.refuse(n, code),
            Operation::Serve(slots) => (0..slots).for_each(|_| self.serve()),
            other => self.apply_to_stream(other),
        }
        let names: BTreeSet<_> = self.bound.iter().map(|(id, _)| *id).collect();
        assert_eq!(names.len(), self.bound.len());
    }

    fn serve(&mut self) {
        while !self.binding.is_empty() {
            self.apply(Operation::Bound(0));
        }
        while !self.connecting.is_empty() {
            self.apply(Operation::Connected(0));
        }
        while !self.lookups.is_empty() {
            self.apply(Operation::Resolved(0, true));
        }
        let before = self.sent.len();
        self.wait(50);
        for n in before.min(self.sent.len())..self.sent.len() {
            self.answer(n);
        }
    }

    fn apply_to_stream(&mut self, operation: Operation) {
        match operation {
            Operation::Resolved(n, found) if !self.lookups.is_empty() => {
                let id = self.lookups.remove(n % self.lookups.len());
                let record = |data| Record { name: "x".to_owned(), ttl_secs: 1, data };
                let target = "host.example.org".to_owned();
                let records = found.then(|| {
                    let service = RecordData::Srv { priority: 1, weight: 1, port: 3479, target };
                    vec![record(service), record(RecordData::Address([198, 51, 100, 20].into()))]
                });
                let records = records.ok_or(ResolveError::NoSuchName);
                self.input(Input::Resolved { id, records });
            }
            Operation::Connected(n) if !self.connecting.is_empty() => {
                let (conn, remote) = self.connecting.remove(n % self.connecting.len());
                self.conns.push((conn, remote));
                let local = Endpoint::new([10, 0, 0, 1], 9);
                self.input(Input::Connected { conn, local, remote, room: 3000 });
                if remote.port() == 443 && self.conns.iter().any(|(id, _)| *id == conn) {
                    let (peer_certs, alpn) = (Vec::new(), None);
                    let binding = ConnectionBinding::default();
                    self.input(Input::Secured { conn, peer_certs, alpn, binding, room: 3000 });
                }
            }
            Operation::NotConnected(n) if !self.connecting.is_empty() => {
                let (id, _) = self.connecting.remove(n % self.connecting.len());
                self.input(Input::Failed { id, kind: FailKind::Refused });
            }
            Operation::Ended(n) if !self.conns.is_empty() => {
                let (conn, _) = self.conns.remove(n % self.conns.len());
                self.input(Input::Closed { conn, reason: CloseReason::Reset });
            }
            Operation::Writable(n, room) if !self.conns.is_empty() => {
                let (conn, _) = self.conns[n % self.conns.len()];
                self.input(Input::Writable { conn, room });
            }
            _ => {}
        }
    }

    /// Something comes back from where something was sent to, the same way.
    fn reply(&mut self, socket: Id, from: Endpoint, bytes: &[u8]) {
        if let Some((_, local)) = self.bound.iter().find(|(id, _)| *id == socket).copied() {
            let (remote, ecn, segment_size) = (from, None, None);
            self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
        } else if self.conns.iter().any(|(id, _)| *id == socket) {
            self.input(Input::Data { conn: socket, bytes });
        }
    }

    fn relayed(&mut self, n: usize, port: u16, data: &[u8]) {
        let Some((socket, from, _)) = self.sent.get(n % self.sent.len().max(1)).cloned() else {
            return;
        };
        let id = stun::TransactionId([7; 12]);
        let mut builder = stun::Builder::indication(stun::Method::DATA, id);
        builder.peer_address(Endpoint::new([192, 0, 2, 1], port)).data(data);
        self.reply(socket, from, &builder.finish());
        let mut channel = vec![0x40, 0, 0, data.len() as u8];
        channel.extend_from_slice(data);
        channel.resize(channel.len().next_multiple_of(4), 0);
        self.reply(socket, from, &channel);
    }

    fn refuse(&mut self, n: usize, code: u16) {
        let Some((socket, from, bytes)) = self.sent.get(n % self.sent.len().max(1)).cloned() else {
            return;
        };
        let Ok(request) = stun::Message::parse(&bytes) else { return };
        if request.class() == stun::Class::Request && request.method() != stun::Method::BINDING {
            let mut builder = stun::Builder::error(&request, code);
            if code == 300 {
                let alternate = stun::AttributeType::ALTERNATE_SERVER;
                builder.attribute(alternate, &[0, 1, 0x0d, 0x96, 198, 51, 100, 21]);
            }
            self.reply(socket, from, &builder.finish());
        }
    }

    fn datagram(&mut self, socket: usize, port: u16, bytes: &[u8]) {
        if let Some((socket, local)) = self.bound.get(socket % self.bound.len().max(1)).copied() {
            let remote = Endpoint::new([192, 0, 2, 1], port);
            let (ecn, segment_size) = (None, None);
            self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
        }
    }

    /// Answers a request that it sent, as a STUN or TURN server without a lock or a peer with the right
    /// password would.
    fn answer(&mut self, n: usize) {
        let Some((socket, from, bytes)) = self.sent.get(n % self.sent.len().max(1)).cloned() else {
            return;
        };
        let Ok(message) = stun::Message::parse(&bytes) else { return };
        if let (stun::Method::SEND, Some(peer), Some(data)) =
            (message.method(), message.peer_address(), message.data())
        {
            let Some(answer) = self.answer_to(data) else { return };
            let id = stun::TransactionId([9; 12]);
            let mut relayed = stun::Builder::indication(stun::Method::DATA, id);
            relayed.peer_address(peer).data(&answer);
            self.reply(socket, from, &relayed.finish());
        } else if let Some(answer) = self.answer_to(&bytes) {
            self.reply(socket, from, &answer);
        }
    }

    fn answer_to(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let request = stun::Message::parse(bytes).ok()?;
        if request.class() != stun::Class::Request {
            return None;
        }
        let mut builder = stun::Builder::success(&request);
        builder.xor_mapped_address("203.0.113.5:777".parse().unwrap());
        if request.method() == stun::Method::ALLOCATE {
            self.port += 1;
            builder.relayed_address(Endpoint::new([198, 51, 100, 20], self.port));
            builder.lifetime(Duration::from_secs(600));
        }
        if request.integrity().is_some() {
            builder.integrity(&stun::Key::short_term(PWD));
        }
        Some(builder.fingerprint().finish())
    }
}

const PWD: &str = "0123456789012345678901";

fn interfaces(addresses: &[[u8; 4]]) -> Vec<Interface> {
    let addresses = addresses.iter().map(|ip| InterfaceAddress {
        ip: (*ip).into(),
        prefix_len: 24,
        temporary: false,
        deprecated: false,
    });
    vec![Interface {
        index: 1,
        name: "eth0".to_owned(),
        kind: InterfaceKind::Physical,
        addresses: addresses.collect(),
        routers: Vec::new(),
    }]
}

fn spec(
    ice: bool,
    streams: usize,
    components: u16,
    servers: usize,
    turn: Option<Turn>,
) -> SessionSpec {
    let only = turn.is_some_and(|turn| turn.only);
    let named = turn.is_some_and(|turn| turn.named);
    let server = TurnServer {
        host: if named { "example.org".to_owned() } else { "198.51.100.20".to_owned() },
        port: None,
        transport: None,
        fallback: Vec::new(),
        username: "alice".to_owned(),
        password: "secret".into(),
    };
    SessionSpec {
        streams: vec![StreamSpec { components }; streams],
        ice: match (ice, only) {
            (true, true) => IceMode::RelayOnly,
            (true, false) => IceMode::On,
            (false, _) => IceMode::Off,
        },
        turn_servers: vec![server; turn.map_or(0, |turn| turn.count)],
        role: Role::Controlling,
        trickle: false,
        stun_servers: vec!["198.51.100.10:3478".parse().unwrap(); servers],
        include_loopback: false,
        preferred: None,
    }
}

fn remote(ice: bool, lite: bool, components: u16, ports: &[u16]) -> RemoteParameters {
    let credentials = connect::Credentials { ufrag: "them".to_owned(), pwd: PWD.to_owned() };
    let at = |port: u16| Endpoint::new([192, 0, 2, 1], port);
    let candidates = ports.iter().map(|port| {
        connect::Candidate::signalled(
            connect::CandidateKind::Host,
            1 + port % 2,
            "1",
            u32::from(*port),
            at(*port),
        )
    });
    let stream = RemoteStream {
        components,
        candidates: candidates.collect(),
        defaults: ports.iter().map(|port| Some(at(*port))).collect(),
    };
    RemoteParameters {
        ice: ice.then_some(RemoteIce { credentials, lite, complete: true }),
        streams: vec![(components > 0).then_some(stream)],
    }
}

proptest! {
    #[test]
    fn any_sequence(
        operations in proptest::collection::vec(operation(), 1..60), at_home in any::<bool>(),
    ) {
        let mut bench = Bench::new();
        if at_home {
            bench.apply(Operation::Interfaces(vec![[10, 0, 0, 1]]));
            let turn = Some(Turn { named: false, only: false, count: 1 });
            let open = Operation::Open { ice: true, streams: 1, components: 1, servers: 1, turn };
            bench.apply(open);
            bench.apply(Operation::Serve(5));
        }
        for operation in operations {
            bench.apply(operation);
        }
        while let Some(session) = bench.session(0) {
            bench.verb(|connect, now| connect.close(now, session));
        }
        // Relays are told, and a lost goodbye is not waited for long.
        bench.wait(4_000);
        prop_assert_eq!(bench.open(), 0, "everything is closed");
        prop_assert_eq!(bench.connect.poll_timeout(), None);
    }
}
