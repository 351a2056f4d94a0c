//! Two phones, a STUN server, and what stands between them.

use std::convert::Infallible;
use std::time::Duration;

use connect::{
    Config, Connect, Event, IceMode, Path, RemoteIce, RemoteParameters, RemoteStream, Role,
    SessionId, SessionSpec, StreamSpec,
};
use machine::{
    BindKind, Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs,
};
use netsim::{Access, Happening, Link, NodeId, World};

pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;
pub(crate) const STUN: &str = "198.51.100.10:3478";
pub(crate) const STUN_V6: &str = "[2001:db8:c::10]:3478";
/// From anybody to the internet, one way: 40 ms from phone to phone and back.
const LATENCY: Duration = Duration::from_millis(10);

/// Whoever lives on a host.
pub(crate) enum Resident {
    Phone(Box<Connect>),
    Server(StunServer),
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
    type Question = Infallible;
    type Answer = ();

    fn handle_input(&mut self, now: Now, input: Input<'_, ()>) {
        match self {
            Self::Phone(connect) => connect.handle_input(now, input),
            Self::Server(server) => server.handle_input(input),
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        if let Self::Phone(connect) = self {
            connect.handle_timeout(now);
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        match self {
            Self::Phone(connect) => connect.poll_output(buf),
            Self::Server(server) => server.outputs.poll(buf),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Phone(connect) => connect.poll_timeout(),
            Self::Server(_) => None,
        }
    }
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
        }
    }
}

/// The world of a test.
pub(crate) struct Town {
    pub(crate) world: World<Resident>,
    pub(crate) phones: [NodeId; 2],
    pub(crate) server: NodeId,
    pub(crate) events: [Vec<(Instant, Event)>; 2],
    pub(crate) spec: SessionSpec,
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
        let phones = [ALICE, BOB].map(|side| {
            let nats = plan.access[side].parse::<Access>().unwrap().nats();
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
        Self { world, phones, server, events: [Vec::new(), Vec::new()], spec }
    }

    /// Calls a verb of a phone.
    pub(crate) fn verb<R>(
        &mut self,
        side: usize,
        mut verb: impl FnMut(&mut Connect, Now) -> R,
    ) -> R {
        self.world.verb(self.phones[side], |resident, now| match resident {
            Resident::Phone(connect) => verb(connect, now),
            Resident::Server(_) => unreachable!("phones are phones"),
        })
    }

    pub(crate) fn connect(&self, side: usize) -> &Connect {
        match self.world.machine(self.phones[side]) {
            Resident::Phone(connect) => connect,
            Resident::Server(_) => unreachable!("phones are phones"),
        }
    }

    pub(crate) fn asked(&self) -> u64 {
        match self.world.machine(self.server) {
            Resident::Server(server) => server.asked,
            Resident::Phone(_) => unreachable!("the server is one"),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.world.now().mono
    }

    pub(crate) fn open(&mut self, side: usize) -> SessionId {
        let role = if side == ALICE { Role::Controlling } else { Role::Controlled };
        let spec = SessionSpec { role, ..self.spec.clone() };
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
            let Happening::Event(event) = happened.what;
            self.events[side].push((happened.now.mono, event));
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

/// The sockets that a resident has bound, for injecting.
pub(crate) fn first_socket() -> Id {
    Ids::new(3).next_id()
}
