//! Any sequence of verbs and inputs: no panic, no broken law, and a twin that does the same.

use std::collections::BTreeSet;
use std::time::Duration;

use connect::{
    Config, Connect, Event, IceMode, RemoteIce, RemoteParameters, RemoteStream, Role, SessionId,
    SessionSpec, StreamSpec,
};
use machine::{
    Checked, Endpoint, Entropy, FailKind, Icmp, Id, Ids, Input, Interface, InterfaceAddress,
    InterfaceKind, Machine, Now, Output,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Operation {
    Interfaces(Vec<[u8; 4]>),
    Open { ice: bool, streams: usize, components: u16, servers: usize },
    Bound(usize),
    BindFailed(usize),
    SetRemote { session: usize, ice: bool, lite: bool, components: u16, ports: Vec<u16> },
    SetRole(usize, bool),
    Restart(usize),
    Send(usize, u16),
    Close(usize),
    Datagram { socket: usize, port: u16, bytes: Vec<u8> },
    Answer(usize),
    Unreachable(usize),
    Wait(u32),
}

fn operation() -> impl Strategy<Value = Operation> {
    let n = || any::<usize>();
    prop_oneof![
        1 => proptest::collection::vec(any::<[u8; 4]>(), 0..4).prop_map(Operation::Interfaces),
        3 => (any::<bool>(), 0..3usize, 0..4u16, 0..3usize).prop_map(
            |(ice, streams, components, servers)| Operation::Open {
                ice, streams, components, servers,
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
        4 => (0..100_000u32).prop_map(Operation::Wait),
    ]
}

/// A machine with a twin, and what the test knows of its sockets.
struct Bench {
    connect: Checked<Connect>,
    now: Now,
    /// What was asked to be bound, and not answered.
    binding: Vec<(Id, Endpoint)>,
    bound: Vec<(Id, Endpoint)>,
    sessions: Vec<SessionId>,
    /// Requests that it sent: socket, destination, bytes.
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
            sent: Vec::new(),
            port: 10_000,
        }
    }

    fn drain(&mut self) {
        let mut buf = Vec::new();
        while let Some(output) = self.connect.poll_output(&mut buf) {
            match output {
                Output::Bind { id, local, .. } => self.binding.push((id, local)),
                Output::Close { id } => {
                    let open = self.bound.len() + self.binding.len();
                    self.bound.retain(|(bound, _)| *bound != id);
                    self.binding.retain(|(bound, _)| *bound != id);
                    assert_eq!(self.bound.len() + self.binding.len() + 1, open, "closed once");
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
        self.sent.drain(..self.sent.len().saturating_sub(100));
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
            Operation::Open { ice, streams, components, servers } => {
                let spec = spec(ice, streams, components, servers);
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
            Operation::Bound(_) | Operation::BindFailed(_) | Operation::Unreachable(_) => {}
        }
        let names: BTreeSet<_> = self.bound.iter().map(|(id, _)| *id).collect();
        assert_eq!(names.len(), self.bound.len());
    }

    fn datagram(&mut self, socket: usize, port: u16, bytes: &[u8]) {
        if let Some((socket, local)) = self.bound.get(socket % self.bound.len().max(1)).copied() {
            let remote = Endpoint::new([192, 0, 2, 1], port);
            let (ecn, segment_size) = (None, None);
            self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
        }
    }

    /// Answers a request that it sent, as a STUN server or a peer with the right password would.
    fn answer(&mut self, n: usize) {
        let Some((socket, from, bytes)) = self.sent.get(n % self.sent.len().max(1)).cloned() else {
            return;
        };
        let Ok(request) = stun::Message::parse(&bytes) else { return };
        if request.class() != stun::Class::Request {
            return;
        }
        let Some((_, local)) = self.bound.iter().find(|(id, _)| *id == socket).copied() else {
            return;
        };
        let mut builder = stun::Builder::success(&request);
        builder.xor_mapped_address("203.0.113.5:777".parse().unwrap());
        if request.integrity().is_some() {
            builder.integrity(&stun::Key::short_term(PWD));
        }
        let bytes = builder.fingerprint().finish();
        let (ecn, segment_size) = (None, None);
        self.input(Input::Datagram {
            socket,
            local,
            remote: from,
            ecn,
            segment_size,
            bytes: &bytes,
        });
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
    }]
}

fn spec(ice: bool, streams: usize, components: u16, servers: usize) -> SessionSpec {
    SessionSpec {
        streams: vec![StreamSpec { components }; streams],
        ice: if ice { IceMode::On } else { IceMode::Off },
        role: Role::Controlling,
        stun_servers: vec!["198.51.100.10:3478".parse().unwrap(); servers],
        include_loopback: false,
        preferred: None,
        ..SessionSpec::default()
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
    fn any_sequence(operations in proptest::collection::vec(operation(), 1..60)) {
        let mut bench = Bench::new();
        for operation in operations {
            bench.apply(operation);
        }
        while let Some(session) = bench.session(0) {
            bench.verb(|connect, now| connect.close(now, session));
        }
        prop_assert!(bench.bound.is_empty() && bench.binding.is_empty(), "every socket is closed");
        prop_assert_eq!(bench.connect.poll_timeout(), None);
    }
}
