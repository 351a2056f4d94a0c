//! Two phones, a STUN server, a TURN server, and what stands between them.

use std::convert::Infallible;
use std::time::Duration;

use connect::{
    Config, Connect, Event, IceMode, Path, RemoteIce, RemoteParameters, RemoteStream, Role,
    SessionId, SessionSpec, StreamSpec, TurnServer,
};
use machine::{
    BindKind, Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs, Transport,
};
use netsim::{Access, Certificate, Happening, Link, NodeId, Tap, TapId, World};
use turn::server::{Answer, Config as TurnConfig, Keys, Listener, Question, Server, Stats, User};

pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;
pub(crate) const STUN: &str = "198.51.100.10:3478";
pub(crate) const STUN_V6: &str = "[2001:db8:c::10]:3478";
/// The TURN server's address, name, and the password of everybody there.
pub(crate) const TURN: &str = "198.51.100.20";
pub(crate) const TURN_NAME: &str = "turn.example.org";
pub(crate) const PASSWORD: &str = "swordfish";
/// From anybody to the internet, one way: 40 ms from phone to phone and back.
const LATENCY: Duration = Duration::from_millis(10);

/// Whoever lives on a host.
pub(crate) enum Resident {
    Phone(Box<Connect>),
    Server(StunServer),
    Turn(Box<Server>),
}

/// A STUN server.
pub(crate) struct StunServer {
    ids: Ids,
    outputs: Outputs<Event, Infallible>,
    pub(crate) asked: u64,
    silent: bool,
}

impl StunServer {
    pub(crate) fn new(silent: bool) -> Self {
        Self { ids: Ids::new(0), outputs: Outputs::new(), asked: 0, silent }
    }

    fn handle_input(&mut self, input: Input<'_, ()>) {
        match input {
            Input::Interfaces(_) => {
                for local in [Endpoint::UNSPECIFIED_V4, Endpoint::UNSPECIFIED_V6] {
                    let (id, local) = (self.ids.next_id(), local.with_port(3478));
                    self.outputs.push(Output::Bind {
                        id,
                        kind: BindKind::Udp,
                        local,
                        interface: None,
                    });
                }
            }
            Input::Datagram { socket, local, remote, bytes, .. } => {
                self.asked += 1;
                let mut answer = Vec::new();
                if !self.silent && stun::binding::answer(bytes, remote, &mut answer) {
                    let source = Some(local.ip());
                    let output = Output::Datagram {
                        socket,
                        source,
                        remote,
                        segment_size: None,
                        dont_fragment: false,
                    };
                    self.outputs.push_with(output, &answer);
                }
            }
            _ => {}
        }
    }
}

impl Machine for Resident {
    type Event = Event;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match self {
            Self::Turn(server) => server.handle_input(now, input),
            Self::Phone(connect) => {
                if let Some(input) = input.map_answer(|_| None) {
                    connect.handle_input(now, input);
                }
            }
            Self::Server(server) => {
                if let Some(input) = input.map_answer(|_| None) {
                    server.handle_input(input);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Phone(connect) => connect.handle_timeout(now),
            Self::Turn(server) => server.handle_timeout(now),
            Self::Server(_) => {}
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Question>> {
        match self {
            Self::Phone(connect) => {
                Some(connect.poll_output(buf)?.map(|event| event, |never| match never {}))
            }
            Self::Server(server) => {
                Some(server.outputs.poll(buf)?.map(|event| event, |never| match never {}))
            }
            Self::Turn(server) => loop {
                match server.poll_output(buf)? {
                    Output::Event(_) => buf.clear(),
                    other => return Some(other.map(|_| unreachable!(), |question| question)),
                }
            },
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Phone(connect) => connect.poll_timeout(),
            Self::Turn(server) => server.poll_timeout(),
            Self::Server(_) => None,
        }
    }
}

/// A TURN server over UDP, TCP and TLS, which refuses private peers.
fn turn_server(plan: &Plan) -> Resident {
    let relays = [TURN.parse().unwrap(), "2001:db8:c::20".parse().unwrap()];
    let mut config = TurnConfig::new("example.org", relays);
    config.limits.allocations_per_user = plan.turn_quota;
    let local = |v4: bool, port| {
        let any = if v4 { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
        any.with_port(port)
    };
    for (transport, port) in [(Transport::Udp, 3478), (Transport::Tcp, 3478), (Transport::Tls, 443)]
    {
        if plan.turn.contains(&transport) {
            let both = [true, false].map(|v4| Listener { transport, local: local(v4, port) });
            config.listeners.extend(both);
        }
    }
    let entropy = Entropy::seeded(plan.seed).fork("turn");
    Resident::Turn(Box::new(Server::new(config, Ids::new(0), &entropy)))
}

/// What a test wants of the world.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// What stands before each phone: a preset or axes.
    pub(crate) access: [&'static str; 2],
    /// Extra addresses of each phone.
    pub(crate) more: [Vec<&'static str>; 2],
    /// Whether the phones have IPv4 addresses.
    pub(crate) v4: bool,
    pub(crate) loss: f64,
    pub(crate) config: Config,
    pub(crate) silent_server: bool,
    /// Over what the TURN server listens; nowhere, for the most tests.
    pub(crate) turn: Vec<Transport>,
    /// Allocations of one user there.
    pub(crate) turn_quota: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            access: ["open", "open"],
            more: [Vec::new(), Vec::new()],
            v4: true,
            loss: 0.0,
            config: Config::default(),
            silent_server: false,
            turn: Vec::new(),
            turn_quota: 100,
        }
    }
}

/// The world of a test.
pub(crate) struct Town {
    pub(crate) world: World<Resident>,
    pub(crate) phones: [NodeId; 2],
    pub(crate) server: NodeId,
    pub(crate) turn: NodeId,
    pub(crate) events: [Vec<(Instant, Event)>; 2],
    pub(crate) spec: SessionSpec,
    /// Who the phones are at the TURN server, if they know it.
    pub(crate) turn_users: [Option<&'static str>; 2],
}

fn phone(plan: &Plan, side: usize) -> Resident {
    let entropy = Entropy::seeded(plan.seed).fork(&format!("phone.{side}"));
    Resident::Phone(Box::new(Connect::new(plan.config.clone(), Ids::new(3), entropy)))
}

impl Town {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut world = World::new(plan.seed);
        let internet = world.router("internet");
        let server = Resident::Server(StunServer::new(plan.silent_server));
        let server = world.host("server", server, &["198.51.100.10/24", "2001:db8:c::10/64"]);
        let link = || Link::with_latency(LATENCY).loss(plan.loss);
        world.link(server, internet, Link::with_latency(LATENCY));
        let addresses = ["198.51.100.20/24", "2001:db8:c::20/64"];
        let turn = world.host("turn", turn_server(plan), &addresses);
        world.set_certificate(turn, Certificate::new(&[TURN_NAME]));
        world.link(turn, internet, Link::with_latency(LATENCY));
        world.dns().address(TURN_NAME, TURN.parse::<std::net::IpAddr>().unwrap());
        let phones = [ALICE, BOB].map(|side| {
            let access = plan.access[side].parse::<Access>().unwrap();
            let nats = access.nats();
            let net = side + 1;
            let own = match nats.len() {
                0 => format!("203.0.113.{net}/24"),
                1 => format!("192.168.{net}.2/24"),
                _ => format!("10.{net}.0.2/24"),
            };
            let mut addresses = plan.more[side].clone();
            if plan.v4 {
                addresses.push(&own);
            }
            let (machine, twin) = (phone(plan, side), phone(plan, side));
            let name = ["alice", "bob"][side];
            let host = world.host_with_twin(name, machine, twin, &addresses);
            let outer = format!("203.0.113.{}/24", 10 + net);
            let between = format!("192.168.{net}.2/24");
            let mut inward = host;
            let last = nats.len().wrapping_sub(1);
            for (n, nat) in nats.into_iter().enumerate() {
                let outside = if n == last { &outer } else { &between };
                let gateway = match (last, n) {
                    (0, _) | (1, 1) => format!("192.168.{net}.1/24"),
                    _ => format!("10.{net}.0.1/24"),
                };
                let nat = world.nat(&format!("nat.{name}.{n}"), nat, &[&gateway], &[outside]);
                if n == 0 {
                    world.link(inward, nat, Link::default());
                } else {
                    world.link(inward.outside(), nat, Link::default());
                }
                inward = nat;
            }
            if addresses.is_empty() {
                // Without any address there is nothing to link.
            } else if let Some(firewall) = access.firewall() {
                let firewall = world.firewall(&format!("firewall.{name}"), firewall);
                world.link(inward.outside(), firewall, Link::default());
                world.link(firewall, internet, link());
            } else if inward == host {
                world.link(host, internet, link());
            } else {
                world.link(inward.outside(), internet, link());
            }
            host
        });
        world.start();
        let spec = SessionSpec {
            streams: vec![StreamSpec { components: 1 }],
            ice: IceMode::On,
            role: Role::Controlling,
            stun_servers: vec![STUN.parse().unwrap(), STUN_V6.parse().unwrap()],
            include_loopback: false,
            preferred: None,
            ..SessionSpec::default()
        };
        let events = [Vec::new(), Vec::new()];
        Self { world, phones, server, turn, events, spec, turn_users: [None; 2] }
    }

    /// Calls a verb of a phone.
    pub(crate) fn verb<R>(
        &mut self,
        side: usize,
        mut verb: impl FnMut(&mut Connect, Now) -> R,
    ) -> R {
        self.world.verb(self.phones[side], |resident, now| match resident {
            Resident::Phone(connect) => verb(connect, now),
            Resident::Server(_) | Resident::Turn(_) => unreachable!("phones are phones"),
        })
    }

    pub(crate) fn connect(&self, side: usize) -> &Connect {
        match self.world.machine(self.phones[side]) {
            Resident::Phone(connect) => connect,
            Resident::Server(_) | Resident::Turn(_) => unreachable!("phones are phones"),
        }
    }

    pub(crate) fn asked(&self) -> u64 {
        match self.world.machine(self.server) {
            Resident::Server(server) => server.asked,
            Resident::Phone(_) | Resident::Turn(_) => unreachable!("the server is one"),
        }
    }

    /// Keeps what a phone sends and receives from now on.
    pub(crate) fn tap(&mut self, side: usize) -> TapId {
        self.world.tap(Tap::Interface(self.phones[side], "eth0")).unwrap()
    }

    /// The datagrams over IPv4 that a tapped phone sent: when, from where, where to, what.
    pub(crate) fn sent(&self, tap: TapId) -> Vec<(Duration, Endpoint, Endpoint, Vec<u8>)> {
        let sent = |packet: netsim::Captured<'_>| {
            let ours = packet.tap == tap && packet.inbound == Some(false);
            let header = usize::from(packet.bytes[0] & 15) * 4;
            let udp = packet.bytes[0] >> 4 == 4 && packet.bytes[9] == 17;
            let end = |ip: usize, port: usize| {
                let ip: [u8; 4] = packet.bytes[ip..ip + 4].try_into().unwrap();
                let port = [packet.bytes[header + port], packet.bytes[header + port + 1]];
                Endpoint::new(ip, u16::from_be_bytes(port))
            };
            let payload = || packet.bytes[header + 8..].to_vec();
            (ours && udp).then(|| (packet.at, end(12, 0), end(16, 2), payload()))
        };
        self.world.captured().filter_map(sent).collect()
    }

    /// What the TURN server counted.
    pub(crate) fn turn_stats(&self) -> Stats {
        match self.world.machine(self.turn) {
            Resident::Turn(server) => server.stats(),
            Resident::Phone(_) | Resident::Server(_) => unreachable!("the relay is one"),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.world.now().mono
    }

    pub(crate) fn open(&mut self, side: usize) -> SessionId {
        let role = if side == ALICE { Role::Controlling } else { Role::Controlled };
        let mut spec = SessionSpec { role, ..self.spec.clone() };
        spec.turn_servers.extend(self.turn_users[side].map(turn));
        self.verb(side, |connect, now| connect.open(now, spec.clone())).unwrap()
    }

    /// Goes on until `done` or for `limit`; says whether it was done.
    pub(crate) fn until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now() + limit;
        loop {
            if done(self) {
                return true;
            }
            let Some(happened) = self.world.next_before(end) else { return done(self) };
            let side = usize::from(happened.host == self.phones[BOB]);
            match happened.what {
                Happening::Event(event) => self.events[side].push((happened.now.mono, event)),
                Happening::Question(id, Question::Credentials { user, realm }) => {
                    self.world.answer(happened.host, id, keys(&user, &realm));
                }
            }
        }
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        self.until(duration, |_| false);
    }

    /// Waits for the end of gathering on both sides.
    pub(crate) fn gather(&mut self) -> [SessionId; 2] {
        let sessions = [ALICE, BOB].map(|side| self.open(side));
        let gathered = |town: &Self| {
            [ALICE, BOB].into_iter().all(|side| {
                town.connect(side).local(sessions[side]).is_some_and(|local| local.gathered)
            })
        };
        assert!(self.until(Duration::from_secs(10), gathered), "gathering ends");
        sessions
    }

    /// What a side's description says, as the other reads it.
    pub(crate) fn described(&self, side: usize, session: SessionId) -> RemoteParameters {
        let local = self.connect(side).local(session).unwrap();
        let ice = local.credentials.map(|credentials| RemoteIce {
            credentials,
            lite: false,
            complete: local.gathered,
        });
        let streams = local.streams.into_iter().map(|stream| {
            Some(RemoteStream {
                components: u16::try_from(stream.defaults.len()).unwrap(),
                candidates: stream.candidates,
                defaults: stream.defaults,
            })
        });
        RemoteParameters { ice, streams: streams.collect() }
    }

    pub(crate) fn tell(&mut self, to: usize, session: SessionId, remote: &RemoteParameters) {
        self.verb(to, |connect, now| connect.set_remote(now, session, remote)).unwrap();
    }

    /// An offer and an answer, which take `delay` to arrive each.
    pub(crate) fn exchange(&mut self, sessions: [SessionId; 2], delay: Duration) {
        let offer = self.described(ALICE, sessions[ALICE]);
        self.run(delay);
        self.tell(BOB, sessions[BOB], &offer);
        let answer = self.described(BOB, sessions[BOB]);
        self.run(delay);
        self.tell(ALICE, sessions[ALICE], &answer);
    }

    /// Gathers, exchanges, and waits for the outcome; says whether both have a path.
    pub(crate) fn call(&mut self) -> ([SessionId; 2], bool) {
        let sessions = self.gather();
        self.exchange(sessions, Duration::from_millis(20));
        let connected = self.settle();
        (sessions, connected)
    }

    /// Waits for a path or a failure on both sides; says whether both have a path.
    pub(crate) fn settle(&mut self) -> bool {
        let decided = |town: &Self| {
            [ALICE, BOB]
                .into_iter()
                .all(|side| town.path(side).is_some() || town.failure(side).is_some())
        };
        self.until(Duration::from_secs(120), decided);
        [ALICE, BOB].into_iter().all(|side| self.path(side).is_some())
    }

    /// The last path of a side's first component.
    pub(crate) fn path(&self, side: usize) -> Option<&Path> {
        self.path_of(side, 1)
    }

    pub(crate) fn path_of(&self, side: usize, of: u16) -> Option<&Path> {
        self.events[side].iter().rev().find_map(|(_, event)| match event {
            Event::Path { component, path, .. } if *component == of => Some(path),
            _ => None,
        })
    }

    pub(crate) fn failure(&self, side: usize) -> Option<&connect::Explanation> {
        self.events[side].iter().find_map(|(_, event)| match event {
            Event::Failed { explanation, .. } => Some(&**explanation),
            _ => None,
        })
    }

    /// Everything that a side received so far on a component.
    pub(crate) fn received(&self, side: usize, of: u16) -> Vec<Vec<u8>> {
        let event = |(_, event): &(Instant, Event)| match event {
            Event::Received { component, bytes, .. } if *component == of => Some(bytes.clone()),
            _ => None,
        };
        self.events[side].iter().filter_map(event).collect()
    }

    pub(crate) fn send(
        &mut self,
        side: usize,
        session: SessionId,
        component: u16,
        bytes: &[u8],
    ) -> Result<(), connect::SendError> {
        self.verb(side, |connect, now| connect.send(now, session, 0, component, bytes))
    }
}

/// The keys of Alice and Bob.
fn keys(user: &User, realm: &str) -> Answer {
    let name = ["alice", "bob"].into_iter().find(|name| match user {
        User::Name(given) => given == name,
        User::Hash(hash) => *hash == stun::integrity::userhash(name, realm),
    });
    Answer::Credentials(name.map(|name| Keys::derive(name, realm, PASSWORD.as_bytes())))
}

/// The TURN server, as a phone's configuration names it.
pub(crate) fn turn(user: &str) -> TurnServer {
    TurnServer {
        host: TURN_NAME.to_owned(),
        port: None,
        transport: None,
        fallback: Vec::new(),
        username: user.to_owned(),
        password: PASSWORD.into(),
    }
}

/// All that a TURN server can listen to.
pub(crate) fn all_transports() -> Vec<Transport> {
    vec![Transport::Udp, Transport::Tcp, Transport::Tls]
}

/// The sockets that a resident has bound, for injecting.
pub(crate) fn first_socket() -> Id {
    Ids::new(3).next_id()
}
