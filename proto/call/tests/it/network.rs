//! Two hosts on one network, each with a call: 20 ms from one to the other, for packets and for
//! what signalling carries.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use call::map::sdp;
use call::media::Stats;
use call::{Call, Config, Description, Event, State};
use connect::{Candidate, Connect, Path};
use machine::{
    Endpoint, Entropy, Id, Ids, Input, Instant, Interface, InterfaceAddress, InterfaceKind,
    Machine, Now, Output,
};

const DELAY: Duration = Duration::from_millis(20);

/// What signalling carries.
#[derive(Debug)]
pub(crate) enum Signal {
    Offer(Vec<u8>),
    Answer(Vec<u8>),
    Candidates(usize, Vec<Candidate>, bool),
}

/// One host and its side of the call.
pub(crate) struct Side {
    pub(crate) connect: Connect,
    pub(crate) call: Option<Call>,
    pub(crate) config: Config,
    sdp: sdp::Session,
    ip: IpAddr,
    sockets: BTreeMap<Id, Endpoint>,
    next_port: u16,
    entropy: Entropy,
    pub(crate) heard: Vec<i16>,
    pub(crate) states: Vec<State>,
    pub(crate) paths: BTreeMap<u16, Path>,
    pub(crate) told_paths: usize,
    pub(crate) no_path: bool,
    /// How often more candidates were told.
    pub(crate) trickled: usize,
    pub(crate) stats: Option<Stats>,
    pub(crate) source_ended: usize,
    pub(crate) errors: Vec<call::call::Error>,
    /// Answers a call that comes, after so long.
    pub(crate) answer_after: Duration,
    answer_at: Option<Instant>,
}

pub(crate) struct Network {
    pub(crate) now: Now,
    pub(crate) sides: [Side; 2],
    packets: Vec<(Instant, Endpoint, Endpoint, Vec<u8>)>,
    signals: Vec<(Instant, usize, Signal)>,
    /// How long signalling takes.
    pub(crate) signal_delay: Duration,
    /// No packet arrives.
    pub(crate) cut: bool,
}

impl Network {
    pub(crate) fn new(configs: [Config; 2]) -> Self {
        let mut n = 0_u8;
        let sides = configs.map(|config| {
            n += 1;
            Side::new(n, config)
        });
        let unix = Duration::from_secs(1_700_000_000);
        let now = Now { mono: Instant::ORIGIN + Duration::from_secs(1), unix };
        let (packets, signals) = (Vec::new(), Vec::new());
        let (signal_delay, cut) = (DELAY, false);
        let mut network = Self { now, sides, packets, signals, signal_delay, cut };
        for side in 0..2 {
            let interface = network.sides[side].interface();
            network.sides[side].connect.handle_input(now, Input::Interfaces(vec![interface]));
            network.drain(side);
        }
        network
    }

    /// The first side calls.
    pub(crate) fn dial(&mut self) {
        let now = self.now;
        let side = &mut self.sides[0];
        let (config, entropy) = (side.config.clone(), side.entropy.clone());
        side.call = Some(Call::dial(now, config, &mut side.connect, entropy).unwrap());
        self.drain(0);
    }

    /// Calls a verb of a side's call.
    pub(crate) fn verb<R>(
        &mut self,
        side: usize,
        verb: impl FnOnce(&mut Call, Now, &mut Connect) -> R,
    ) -> R {
        let Side { call, connect, .. } = &mut self.sides[side];
        let result = verb(call.as_mut().unwrap(), self.now, connect);
        self.drain(side);
        result
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let end = self.now.mono + duration;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.advance(at);
            self.step();
        }
        self.advance(end);
    }

    fn advance(&mut self, at: Instant) {
        self.now.unix += at - self.now.mono;
        self.now.mono = self.now.mono.max(at);
    }

    fn next(&self) -> Option<Instant> {
        let packets = self.packets.iter().map(|(at, ..)| *at);
        let signals = self.signals.iter().map(|(at, ..)| *at);
        let timers = self.sides.iter().flat_map(Side::timers);
        packets.chain(signals).chain(timers).min()
    }

    fn step(&mut self) {
        let now = self.now;
        let signals: Vec<_> = self.signals.extract_if(.., |(at, ..)| *at <= now.mono).collect();
        for (_, to, signal) in signals {
            self.sides[to].hear(now, signal).into_iter().for_each(|answer| {
                self.signals.push((now.mono + self.signal_delay, 1 - to, answer));
            });
            self.drain(to);
        }
        let packets: Vec<_> = self.packets.extract_if(.., |(at, ..)| *at <= now.mono).collect();
        for (_, from, to, bytes) in packets {
            self.deliver(from, to, &bytes);
        }
        for side in 0..2 {
            self.sides[side].fire(now);
            self.drain(side);
        }
    }

    fn deliver(&mut self, from: Endpoint, to: Endpoint, bytes: &[u8]) {
        for side in 0..2 {
            let socket = self.sides[side].sockets.iter().find(|(_, at)| **at == to);
            let Some((&socket, &local)) = socket else { continue };
            let input = Input::Datagram {
                socket,
                local,
                remote: from,
                ecn: None,
                segment_size: None,
                bytes,
            };
            self.sides[side].connect.handle_input(self.now, input);
            self.drain(side);
        }
    }

    fn drain(&mut self, side: usize) {
        let now = self.now;
        let at = now.mono + DELAY;
        let this = &mut self.sides[side];
        loop {
            let mut buf = Vec::new();
            if let Some(output) = this.connect.poll_output(&mut buf) {
                match output {
                    Output::Bind { id, local, .. } => this.bind(now, id, local),
                    Output::Datagram { socket, remote, .. } => {
                        if let Some(from) = this.sockets.get(&socket).filter(|_| !self.cut) {
                            self.packets.push((at, *from, remote, buf));
                        }
                    }
                    Output::Close { id } => drop(this.sockets.remove(&id)),
                    Output::Event(event) => {
                        if let Some(call) = &mut this.call {
                            call.handle_connect(now, &mut this.connect, event);
                        }
                    }
                    other => panic!("unexpected {other:?}"),
                }
            } else if let Some(event) = this.call.as_mut().and_then(Call::poll_event) {
                let signal = this.note(event);
                let at = now.mono + self.signal_delay;
                self.signals.extend(signal.map(|signal| (at, 1 - side, signal)));
            } else {
                break;
            }
        }
    }
}

impl Side {
    fn new(n: u8, config: Config) -> Self {
        let entropy = Entropy::seeded(u64::from(n));
        let ids = Ids::new(u16::from(n));
        Self {
            connect: Connect::new(connect::Config::default(), ids, entropy.fork("connect")),
            call: None,
            config,
            sdp: sdp::Session::new(&mut entropy.fork("sdp")),
            ip: [192, 0, 2, n].into(),
            sockets: BTreeMap::new(),
            next_port: 40_000,
            entropy,
            heard: Vec::new(),
            states: Vec::new(),
            paths: BTreeMap::new(),
            told_paths: 0,
            no_path: false,
            trickled: 0,
            stats: None,
            source_ended: 0,
            errors: Vec::new(),
            answer_after: Duration::ZERO,
            answer_at: None,
        }
    }

    fn interface(&self) -> Interface {
        let address =
            InterfaceAddress { ip: self.ip, prefix_len: 24, temporary: false, deprecated: false };
        Interface {
            index: 1,
            name: "eth0".to_owned(),
            kind: InterfaceKind::Physical,
            addresses: vec![address],
            routers: Vec::new(),
        }
    }

    fn bind(&mut self, now: Now, id: Id, local: Endpoint) {
        let port = if local.port() == 0 { self.next_port } else { local.port() };
        self.next_port += 1;
        let local = Endpoint::new(self.ip, port);
        self.sockets.insert(id, local);
        self.connect.handle_input(now, Input::Bound { id, local });
    }

    fn timers(&self) -> impl Iterator<Item = Instant> {
        let call = self.call.as_ref().and_then(Call::poll_timeout);
        [self.connect.poll_timeout(), call, self.answer_at].into_iter().flatten()
    }

    fn fire(&mut self, now: Now) {
        if self.connect.poll_timeout().is_some_and(|at| at <= now.mono) {
            self.connect.handle_timeout(now);
        }
        let Some(call) = &mut self.call else { return };
        if call.poll_timeout().is_some_and(|at| at <= now.mono) {
            call.handle_timeout(now, &mut self.connect);
            assert!(call.poll_timeout().is_none_or(|at| at > now.mono), "law 3");
        }
        if self.answer_at.is_some_and(|at| at <= now.mono) {
            self.answer_at = None;
            call.answer(now, &mut self.connect).unwrap();
        }
    }

    /// Takes what signalling brought; what it returns is to be sent back at once.
    fn hear(&mut self, now: Now, signal: Signal) -> Option<Signal> {
        let read = |sdp: &mut sdp::Session, body: &[u8]| -> Description {
            let (description, losses) = sdp.read(body).unwrap();
            assert_eq!(losses, []);
            description
        };
        match (signal, &mut self.call) {
            (Signal::Offer(body), None) => {
                let offer = read(&mut self.sdp, &body);
                let (config, entropy) = (self.config.clone(), self.entropy.clone());
                match Call::incoming(now, config, offer, &mut self.connect, entropy) {
                    Ok(call) => {
                        self.call = Some(call);
                        self.answer_at = Some(now.mono + self.answer_after);
                    }
                    Err(error) => self.errors.push(error),
                }
                None
            }
            (Signal::Offer(body), Some(call)) => {
                let offer = read(&mut self.sdp, &body);
                let answer = call.handle_offer(now, &mut self.connect, offer);
                let (text, _) = self.sdp.write(&answer.unwrap());
                Some(Signal::Answer(text))
            }
            (Signal::Answer(body), call) => {
                let answer = read(&mut self.sdp, &body);
                let result = call.as_mut().unwrap().handle_answer(now, &mut self.connect, answer);
                self.errors.extend(result.err());
                None
            }
            (Signal::Candidates(index, candidates, complete), call) => {
                let (call, connect) = (call.as_mut().unwrap(), &mut self.connect);
                call.add_candidates(now, connect, index, &candidates, complete);
                None
            }
        }
    }

    fn note(&mut self, event: Event) -> Option<Signal> {
        match event {
            Event::Offer(description) => return Some(Signal::Offer(self.say(&description))),
            Event::Answer(description) => return Some(Signal::Answer(self.say(&description))),
            Event::Candidates { index, candidates, complete } => {
                self.trickled += 1;
                return Some(Signal::Candidates(index, candidates, complete));
            }
            Event::State(state) => self.states.push(state),
            Event::Path { component, path } => {
                self.told_paths += 1;
                self.paths.insert(component, path);
            }
            Event::NoPath(_) => self.no_path = true,
            Event::Heard(frame) => self.heard.extend(*frame),
            Event::SourceEnded => self.source_ended += 1,
            Event::Media(stats) => self.stats = Some(*stats),
        }
        None
    }

    fn say(&mut self, description: &Description) -> Vec<u8> {
        let (text, losses) = self.sdp.write(description);
        assert_eq!(losses, []);
        text
    }
}
