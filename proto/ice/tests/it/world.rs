//! A small world for two agents: addresses, NATs, loss and latency, in virtual time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ice::agent::{Config, Error, Event};
use ice::{Agent, Candidate, LocalCandidate, Role};
use machine::{Endpoint, Entropy, Instant, Now, Transport};

pub(crate) const ALICE: usize = 0;
pub(crate) const BOB: usize = 1;

/// How a NAT maps and filters (RFC 4787).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Independent,
    Address,
    AddressAndPort,
}

/// A NAT, as simple as these tests need it.
#[derive(Debug)]
pub(crate) struct Nat {
    public: IpAddr,
    mapping: Behaviour,
    filtering: Behaviour,
    /// Inner endpoint and what of the destination counts, and the outer port.
    table: BTreeMap<(Endpoint, Option<Endpoint>), u16>,
    /// Where each outer port has sent to.
    sent: BTreeMap<u16, Vec<Endpoint>>,
    next_port: u16,
}

impl Nat {
    pub(crate) fn new(public: &str, mapping: Behaviour, filtering: Behaviour) -> Self {
        Self {
            public: public.parse().unwrap(),
            mapping,
            filtering,
            table: BTreeMap::new(),
            sent: BTreeMap::new(),
            next_port: 40_000,
        }
    }

    fn out(&mut self, src: Endpoint, dst: Endpoint) -> Endpoint {
        let counts = match self.mapping {
            Behaviour::Independent => None,
            Behaviour::Address => Some(dst.with_port(0)),
            Behaviour::AddressAndPort => Some(dst),
        };
        let next = &mut self.next_port;
        let port = *self.table.entry((src, counts)).or_insert_with(|| {
            *next += 1;
            *next
        });
        self.sent.entry(port).or_default().push(dst);
        Endpoint::new(self.public, port)
    }

    fn inward(&self, src: Endpoint, dst: Endpoint) -> Option<Endpoint> {
        let sent = self.sent.get(&dst.port())?;
        let passes = sent.iter().any(|to| match self.filtering {
            Behaviour::Independent => true,
            Behaviour::Address => to.ip() == src.ip(),
            Behaviour::AddressAndPort => *to == src,
        });
        let inner = self.table.iter().find(|(_, port)| **port == dst.port())?;
        passes.then_some(inner.0.0)
    }
}

struct Packet {
    to: usize,
    base: Endpoint,
    from: Endpoint,
    bytes: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) agents: [Agent; 2],
    pub(crate) events: [Vec<Event>; 2],
    pub(crate) addresses: [Vec<IpAddr>; 2],
    pub(crate) nats: [Option<Nat>; 2],
    pub(crate) latency: Duration,
    /// The address that each side's relay gives it, if it has one, and whom it has sent to from there.
    pub(crate) relays: [Option<IpAddr>; 2],
    pub(crate) permitted: [Vec<IpAddr>; 2],
    /// The share of packets that are lost.
    pub(crate) loss: f64,
    /// Destinations that packets never reach.
    pub(crate) dead: Vec<IpAddr>,
    /// Every packet that was sent: who, from, to, bytes.
    pub(crate) log: Vec<(usize, Endpoint, Endpoint, Vec<u8>)>,
    /// When each side started its checks.
    pub(crate) slots: [Vec<Instant>; 2],
    next_slot: [Instant; 2],
    flying: BTreeMap<(Instant, u64), Packet>,
    sequence: u64,
    chance: Entropy,
    pub(crate) ta: Duration,
}

/// A STUN server that every world has.
pub(crate) const SERVER: &str = "192.0.2.200:3478";

impl World {
    /// Alice, who controls, and Bob, with one stream of `components` each, at one address each.
    pub(crate) fn new(components: u16) -> Self {
        Self::with(components, Config::default(), [Role::Controlling, Role::Controlled], 1)
    }

    pub(crate) fn with(components: u16, config: Config, roles: [Role; 2], seed: u64) -> Self {
        let entropy = Entropy::seeded(seed);
        let ta = config.ta;
        let agent = |n: usize| {
            let mut agent = Agent::new(config.clone(), roles[n], entropy.fork(&format!("ice.{n}")));
            agent.add_stream(components);
            agent
        };
        Self {
            now: Now::default(),
            agents: [agent(ALICE), agent(BOB)],
            events: [Vec::new(), Vec::new()],
            addresses: [
                vec!["198.51.100.1".parse().unwrap()],
                vec!["203.0.113.1".parse().unwrap()],
            ],
            nats: [None, None],
            relays: [None, None],
            permitted: [Vec::new(), Vec::new()],
            latency: Duration::from_millis(20),
            loss: 0.0,
            dead: Vec::new(),
            log: Vec::new(),
            slots: [Vec::new(), Vec::new()],
            next_slot: [Instant::ORIGIN; 2],
            flying: BTreeMap::new(),
            sequence: 0,
            chance: entropy.fork("loss"),
            ta,
        }
    }

    /// Puts a NAT before a side, whose own address becomes private.
    pub(crate) fn behind(mut self, side: usize, mapping: Behaviour, filtering: Behaviour) -> Self {
        let public = if side == ALICE { "198.51.100.10" } else { "203.0.113.10" };
        let private = if side == ALICE { "10.1.0.2" } else { "10.2.0.2" };
        self.nats[side] = Some(Nat::new(public, mapping, filtering));
        self.addresses[side] = vec![private.parse().unwrap()];
        self
    }

    /// Gives a side a relay.
    pub(crate) fn relayed(mut self, side: usize) -> Self {
        self.give_relay(side);
        self
    }

    pub(crate) fn give_relay(&mut self, side: usize) {
        self.relays[side] = Some(["192.0.2.101", "192.0.2.102"][side].parse().unwrap());
    }

    /// The relayed address of a component of stream 0.
    pub(crate) fn relayed_base(&self, side: usize, component: u16) -> Endpoint {
        Endpoint::new(self.relays[side].unwrap(), 50_000 + component)
    }

    /// The socket of a component at the `n`th address of a side.
    pub(crate) fn base(&self, side: usize, n: usize, stream: usize, component: u16) -> Endpoint {
        let port = 5000 + 10 * u16::try_from(stream).unwrap() + component;
        Endpoint::new(self.addresses[side][n], port)
    }

    /// Gives a side its candidates: host, and server-reflexive if it has a NAT.
    pub(crate) fn gather(&mut self, side: usize, streams: usize, components: u16) {
        let server: Endpoint = SERVER.parse().unwrap();
        for (stream, component) in (0..streams).flat_map(|s| (1..=components).map(move |c| (s, c)))
        {
            for n in 0..self.addresses[side].len() {
                let base = self.base(side, n, stream, component);
                let preference = 65_535 - u16::try_from(n).unwrap();
                let host = LocalCandidate::host(component, base, preference, "eth0");
                let taken = self.agents[side].add_local(stream, host);
                assert!(matches!(taken, Ok(_) | Err(Error::NoComponent)));
                if let Some(nat) = &mut self.nats[side] {
                    let mapped = nat.out(base, server);
                    let found = LocalCandidate::server_reflexive(
                        component, mapped, base, preference, server,
                    );
                    let taken = self.agents[side].add_local(stream, found);
                    assert!(matches!(taken, Ok(_) | Err(Error::NoComponent)));
                }
            }
            if self.relays[side].is_some() {
                let (relayed, via) = (self.relayed_base(side, component), (server, Transport::Udp));
                let mapped = self.base(side, 0, stream, component);
                let found = LocalCandidate::relayed(component, relayed, mapped, 65_535, via);
                let taken = self.agents[side].add_local(stream, found);
                assert!(matches!(taken, Ok(_) | Err(Error::NoComponent)));
            }
        }
        self.agents[side].local_complete(self.now);
        self.drain(side);
    }

    /// Carries one side's description to the other.
    pub(crate) fn tell(&mut self, from: usize) {
        let candidates = self.candidates(from);
        let credentials = self.agents[from].credentials().clone();
        let to = 1 - from;
        self.agents[to].set_remote(self.now, credentials, false);
        for (stream, candidate) in candidates {
            self.agents[to].add_remote(stream, candidate);
        }
        self.agents[to].remote_ready(self.now, true);
        self.drain(to);
    }

    /// What a side tells of its candidates, as the other reads it.
    pub(crate) fn candidates(&self, side: usize) -> Vec<(usize, Candidate)> {
        let told = |stream: usize| {
            self.agents[side].local_candidates(stream).into_iter().map(move |c| {
                let read = Candidate::signalled(
                    c.kind,
                    c.component,
                    &c.foundation,
                    c.priority,
                    c.endpoint,
                );
                (stream, Candidate { related: c.related, ..read })
            })
        };
        (0..ice::defaults::MAX_STREAMS).flat_map(told).collect()
    }

    /// Gathers and tells both ways.
    pub(crate) fn start(&mut self, components: u16) {
        for side in [ALICE, BOB] {
            self.gather(side, 1, components);
        }
        self.tell(ALICE);
        self.tell(BOB);
    }

    /// Takes what an agent has to send and to say.
    pub(crate) fn drain(&mut self, side: usize) {
        while let Some(transmit) = self.agents[side].poll_transmit() {
            self.send(side, transmit.base, transmit.remote, transmit.bytes);
        }
        while let Some(event) = self.agents[side].poll_event() {
            self.events[side].push(event);
        }
    }

    fn send(&mut self, side: usize, base: Endpoint, remote: Endpoint, bytes: Vec<u8>) {
        self.log.push((side, base, remote, bytes.clone()));
        if let Some((to, base, from)) = self.carry(side, base, remote) {
            let at = self.now.mono + self.latency;
            self.sequence += 1;
            self.flying.insert((at, self.sequence), Packet { to, base, from, bytes });
        }
    }

    /// Where a packet arrives, and from where it seems to come.
    fn carry(
        &mut self,
        side: usize,
        src: Endpoint,
        dst: Endpoint,
    ) -> Option<(usize, Endpoint, Endpoint)> {
        if self.dead.contains(&dst.ip()) || self.chance.chance(self.loss) {
            return None;
        }
        let src = match &mut self.nats[side] {
            _ if self.relays[side] == Some(src.ip()) => {
                self.permitted[side].push(dst.ip());
                src
            }
            Some(nat) => nat.out(src, dst),
            None => src,
        };
        let to = 1 - side;
        if self.relays[to] == Some(dst.ip()) {
            return self.permitted[to].contains(&src.ip()).then_some((to, dst, src));
        }
        match &self.nats[to] {
            Some(nat) if nat.public == dst.ip() => Some((to, nat.inward(src, dst)?, src)),
            None if self.addresses[to].contains(&dst.ip()) => Some((to, dst, src)),
            _ => None,
        }
    }

    /// Delivers a packet out of nowhere.
    pub(crate) fn inject(&mut self, to: usize, base: Endpoint, from: Endpoint, bytes: &[u8]) {
        self.agents[to].handle_stun(self.now, base, from, bytes);
        self.drain(to);
    }

    /// The next thing that happens; says whether anything does before `end`.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        let slot = |side: usize| {
            self.agents[side].wants_slot().then_some(self.next_slot[side].max(self.now.mono))
        };
        let next = [
            self.flying.keys().next().map(|(at, _)| *at),
            self.agents[ALICE].poll_timeout(),
            self.agents[BOB].poll_timeout(),
            slot(ALICE),
            slot(BOB),
        ];
        let Some(at) = next.into_iter().flatten().min().filter(|at| *at <= end) else {
            return false;
        };
        self.now.mono = self.now.mono.max(at);
        while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now.mono) {
            let Packet { to, base, from, bytes } = entry.remove();
            self.agents[to].handle_stun(self.now, base, from, &bytes);
            self.drain(to);
        }
        for side in [ALICE, BOB] {
            if self.agents[side].poll_timeout().is_some_and(|at| at <= self.now.mono) {
                self.agents[side].handle_timeout(self.now);
                self.drain(side);
                let next = self.agents[side].poll_timeout();
                assert!(next.is_none_or(|at| at > self.now.mono), "timers must move on");
            }
            let wants = self.agents[side].wants_slot();
            if wants && self.next_slot[side] <= self.now.mono {
                assert!(self.agents[side].take_slot(self.now), "it wanted the slot");
                self.slots[side].push(self.now.mono);
                self.next_slot[side] = self.now.mono + self.ta;
                self.drain(side);
            }
        }
        true
    }

    /// Lets `duration` pass.
    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now.mono + duration;
        while self.step(end) {}
        self.now.mono = end;
    }

    /// Runs until both are completed or failed, for `limit` at most; returns how long it took.
    pub(crate) fn settle(&mut self, limit: Duration) -> Duration {
        let start = self.now.mono;
        let end = start + limit;
        let settled = |world: &Self| {
            world.agents.iter().all(|agent| agent.is_completed() || agent.is_failed())
        };
        while !settled(self) && self.step(end) {}
        self.now.mono - start
    }

    /// Asserts that both chose the same pair in every component of stream 0.
    pub(crate) fn agreed(&self, components: u16) {
        for component in 1..=components {
            let [alice, bob] = [ALICE, BOB].map(|side| {
                self.agents[side].way(0, component).unwrap_or_else(|| {
                    panic!("side {side} has no way: {}", self.agents[side].explain())
                })
            });
            assert!(alice.selected && bob.selected);
            assert_eq!(alice.local.endpoint, bob.remote.endpoint, "component {component}");
            assert_eq!(alice.remote.endpoint, bob.local.endpoint, "component {component}");
        }
    }
}
