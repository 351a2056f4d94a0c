//! Alice calls Bob: the course of the call, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use machine::{Endpoint, Instant, Now};
use netsim::{Happened, Happening, NatTable, World};
use phone::{
    Account, Address, CallId, Candidate, EndReason, Explanation, PairReport, Path, Phone, Relays,
    Secret, Source, Stats,
};

use server::Memory;

use crate::node::{Answer, Event, Node, Question, Who};
use crate::registry::accounts;
use crate::spec::{HangUp, Spec, Via};
use crate::topology::{DOMAIN, Topology};

/// Longer than any call of a scenario takes to be set up, or to be given up.
const SETUP_LIMIT: Duration = Duration::from_secs(120);

/// Time for the last words to arrive before the caller hangs up.
const LAST_WORDS: Duration = Duration::from_millis(600);

/// Something that happened, as it happens.
#[derive(Debug)]
pub struct Told<'a> {
    /// When.
    pub now: Now,
    /// To whom.
    pub who: Who,
    /// What.
    pub what: What<'a>,
}

/// What happened.
#[derive(Debug)]
pub enum What<'a> {
    /// A phone says so.
    Phone(&'a phone::Event),
    /// The core says so.
    Core(&'a server::Event),
}

/// When somebody heard what: samples and the time of the first.
#[derive(Clone, Debug, Default)]
pub struct Hearing {
    /// Everything that was played to this side, in order: mono, 8 kHz.
    pub samples: Vec<i16>,
    /// When the first of it was played.
    pub since: Option<Instant>,
}

/// What one side knows in the end.
#[derive(Clone, Debug, Default)]
pub struct Side {
    /// Candidates of its own.
    pub candidates: Vec<Candidate>,
    /// Pairs, as they were last.
    pub pairs: Vec<PairReport>,
    /// The path of its media, the last one.
    pub path: Option<Path>,
    /// When it was chosen.
    pub path_since: Option<Instant>,
    /// What ICE says about it.
    pub explanation: Option<Box<Explanation>>,
    /// What it heard.
    pub heard: Hearing,
    /// The quality of what it received, in the end.
    pub stats: Option<Box<Stats>>,
    /// The same over time, the last of it included.
    pub quality: Vec<(Instant, Stats)>,
    /// When the core could reach it.
    pub registered: Option<Instant>,
    /// When the other side rang.
    pub rang: Option<Instant>,
    /// When both descriptions were known to it.
    pub answered: Option<Instant>,
    /// When the first packet of media arrived.
    pub first_media: Option<Instant>,
    /// Why and when the call ended.
    pub ended: Option<(Instant, EndReason, phone::By)>,
}

impl Side {
    /// Time from knowing the answer to the first media.
    #[must_use]
    pub fn time_to_media(&self) -> Option<Duration> {
        Some(self.first_media?.saturating_since(self.answered?))
    }
}

/// How long signalling took, as the caller sees it; without the time that the callee let it ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signalling {
    /// From the start until the core could reach her.
    pub reachable: Option<Duration>,
    /// From dialling until it rang.
    pub ringing: Option<Duration>,
    /// From his taking the call until she knew his answer.
    pub answered: Option<Duration>,
}

/// What came of a call.
#[derive(Debug)]
pub struct Report {
    /// The network, for looking things up.
    pub topology: Topology,
    /// When Alice dialled.
    pub dialled: Option<Instant>,
    /// When Bob took the call.
    pub taken: Option<Instant>,
    /// Alice's side.
    pub alice: Side,
    /// Bob's side.
    pub bob: Side,
    /// The tables of Alice's NATs at the time of the conversation, the one next to her first.
    pub alice_nats: Vec<NatTable>,
    /// The same of Bob's.
    pub bob_nats: Vec<NatTable>,
    /// The world, with its captures.
    pub world: World<Node>,
}

impl Report {
    /// Whether there was a path both ways.
    #[must_use]
    pub const fn connected(&self) -> bool {
        self.alice.path.is_some() && self.bob.path.is_some()
    }

    /// How long signalling took.
    #[must_use]
    pub fn signalling(&self) -> Signalling {
        let between =
            |from: Option<Instant>, to: Option<Instant>| Some(to?.saturating_since(from?));
        Signalling {
            reachable: between(Some(Instant::ORIGIN), self.alice.registered),
            ringing: between(self.dialled, self.alice.rang),
            answered: between(self.taken, self.alice.answered),
        }
    }

    /// The capture of all taps as pcapng.
    #[must_use]
    pub fn pcapng(&self) -> Vec<u8> {
        let taps: Vec<_> = self.topology.taps.iter().map(|(_, tap)| *tap).collect();
        self.world.pcapng(&taps)
    }

    /// The side of somebody who is not the core.
    #[must_use]
    pub const fn side(&self, who: Who) -> &Side {
        match who {
            Who::Bob => &self.bob,
            _ => &self.alice,
        }
    }
}

/// Lets Alice call Bob, tells `watch` what happens, and reports.
pub fn run(spec: &Spec, watch: impl FnMut(&Told<'_>)) -> Report {
    let mut world = World::new(spec.seed);
    let entropies = [Who::Alice, Who::Core, Who::Bob].map(|who| (who, world.entropy(who.name())));
    let topology = Topology::build(&mut world, spec, |who| {
        let entropy = entropies.iter().find(|(name, _)| *name == who).map(|(_, e)| e.clone());
        let entropy = entropy.expect("everybody has one");
        match who {
            Who::Core => Node::Core(Box::new(crate::registry::server(&entropy))),
            _ => Node::Phone(Box::new(Phone::new(phone_config(spec, who), entropy))),
        }
    });
    let call = Course {
        spec,
        topology,
        accounts: accounts(),
        watch,
        dialled: None,
        taken: None,
        alice: Side::default(),
        bob: Side::default(),
        alice_nats: Vec::new(),
        bob_nats: Vec::new(),
        calls: [None, None],
        alice_sees_bob: spec.via == Via::Sip,
        said: [false, false],
        todo: Vec::new(),
    };
    call.run(world)
}

/// Somebody's address: `sip:alice@example.org`, `xmpp:alice@example.org`.
fn address(via: Via, who: Who) -> Address {
    let text = format!("{}:{}@{DOMAIN}", via.name(), who.name());
    text.parse().expect("an address")
}

fn phone_config(spec: &Spec, who: Who) -> phone::Config {
    let account = Account {
        display_name: match who {
            Who::Alice => "Alice".to_owned(),
            _ => "Bob".to_owned(),
        },
        resource: (spec.via == Via::Xmpp).then(|| device(who).to_owned()),
        ..Account::new(address(spec.via, who), Secret::from(crate::registry::password(who)))
    };
    let relays = if spec.turn { Relays::OfCore } else { Relays::Off };
    let mut config = phone::Config {
        accounts: vec![account],
        ice: spec.ice,
        relays,
        ..phone::Config::default()
    };
    let gateway = match who {
        Who::Bob => &spec.bob_gateway,
        _ => &spec.alice_gateway,
    };
    // Where none is, none is looked for: the packets of the other scenarios stay what they are.
    config.connect.port_mapping = gateway.as_ref().map(|_| Default::default());
    config
}

/// What somebody's device calls itself over XMPP: where Romeo and Juliet are in the talk's example.
const fn device(who: Who) -> &'static str {
    match who {
        Who::Bob => "balcony",
        _ => "orchard",
    }
}

/// What somebody does at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// Bob takes the call.
    Answer(CallId),
    /// Somebody hangs up.
    HangUp(Who),
}

struct Course<'a, W> {
    spec: &'a Spec,
    topology: Topology,
    accounts: Memory,
    watch: W,
    dialled: Option<Instant>,
    taken: Option<Instant>,
    alice: Side,
    bob: Side,
    alice_nats: Vec<NatTable>,
    bob_nats: Vec<NatTable>,
    calls: [Option<CallId>; 2],
    /// Over XMPP she calls when she sees that he is there; SIP shows her nothing of the kind.
    alice_sees_bob: bool,
    said: [bool; 2],
    todo: Vec<(Instant, Deed)>,
}

impl<W: FnMut(&Told<'_>)> Course<'_, W> {
    fn run(mut self, mut world: World<Node>) -> Report {
        world.start();
        for who in [Who::Alice, Who::Bob] {
            let host = self.topology.host(who);
            world.verb(host, |node, now| node.phone().register(now));
        }
        let limit = world.now().mono + SETUP_LIMIT + self.conversation();
        while !self.over() && world.now().mono < limit {
            self.todo.sort_by_key(|(at, _)| *at);
            let next = self.todo.first().map_or(limit, |(at, _)| (*at).min(limit));
            match world.next_before(next) {
                Some(happened) => self.handle(&mut world, happened),
                None if self.todo.is_empty() => break,
                None => {
                    let (_, deed) = self.todo.remove(0);
                    self.act(&mut world, deed);
                }
            }
        }
        // What is on the wires arrives, responses to BYE among it.
        let rest = world.run_for(Duration::from_secs(1));
        rest.into_iter().for_each(|happened| self.handle(&mut world, happened));
        Report {
            topology: self.topology,
            dialled: self.dialled,
            taken: self.taken,
            alice: self.alice,
            bob: self.bob,
            alice_nats: self.alice_nats,
            bob_nats: self.bob_nats,
            world,
        }
    }

    /// How long they speak at most.
    fn conversation(&self) -> Duration {
        match self.spec.hang_up {
            HangUp::After(_, duration) => duration,
            HangUp::WhenSaid => {
                let samples = self.spec.alice_says.len().max(self.spec.bob_says.len());
                Duration::from_millis(samples as u64 / 8)
            }
        }
    }

    const fn over(&self) -> bool {
        self.alice.ended.is_some() && (self.bob.ended.is_some() || self.calls[1].is_none())
    }

    fn act(&mut self, world: &mut World<Node>, deed: Deed) {
        match deed {
            Deed::Answer(call) => {
                self.taken = Some(world.now().mono);
                let source = Source::once(Arc::clone(&self.spec.bob_says));
                let host = self.topology.bob.host;
                world.verb(host, |node, now| node.phone().answer(now, call, source.clone()));
            }
            Deed::HangUp(who) => {
                if let Some(call) = self.calls[usize::from(who == Who::Bob)] {
                    let host = self.topology.host(who);
                    world.verb(host, |node, now| node.phone().hang_up(now, call));
                }
            }
        }
    }

    fn handle(&mut self, world: &mut World<Node>, happened: Happened<Node>) {
        let Happened { now, host, what } = happened;
        let who = self.topology.who(host);
        match what {
            Happening::Question(id, Question::Core(question)) => {
                let answer = self.accounts.answer(&question);
                world.answer(host, id, Answer::Core(answer));
            }
            Happening::Question(id, Question::Gateway(question)) => {
                gateway::serve(world, host, id, &question);
            }
            Happening::Event(Event::Gateway(_)) => {}
            Happening::Event(Event::Core(event)) => {
                (self.watch)(&Told { now, who, what: What::Core(&event) });
            }
            Happening::Event(Event::Phone(event)) => {
                (self.watch)(&Told { now, who, what: What::Phone(&event) });
                self.handle_phone(world, now, who, event);
            }
        }
    }

    fn handle_phone(&mut self, world: &mut World<Node>, now: Now, who: Who, event: phone::Event) {
        let at = usize::from(who == Who::Bob);
        let side = if who == Who::Bob { &mut self.bob } else { &mut self.alice };
        match event {
            phone::Event::Registered { .. } => {
                side.registered.get_or_insert(now.mono);
                self.dial_when_ready(world);
            }
            phone::Event::PresenceChanged { available: true, who: seen, .. } => {
                let bob = address(self.spec.via, Who::Bob).to_string();
                if who == Who::Alice && seen.starts_with(&bob) {
                    self.alice_sees_bob = true;
                    self.dial_when_ready(world);
                }
            }
            phone::Event::Ringing { .. } => _ = side.rang.get_or_insert(now.mono),
            phone::Event::Incoming { call, .. } => {
                self.calls[at] = Some(call);
                self.todo.push((now.mono + self.spec.ring, Deed::Answer(call)));
            }
            phone::Event::Answered { .. } => {
                side.answered = Some(now.mono);
                if let HangUp::After(hanger, after) = self.spec.hang_up
                    && hanger == who
                {
                    self.todo.push((now.mono + after, Deed::HangUp(who)));
                }
            }
            phone::Event::Candidate { candidate, .. } => side.candidates.push(candidate),
            phone::Event::Pair { pair, .. } => {
                side.pairs.retain(|known| known.id != pair.id);
                side.pairs.push(*pair);
            }
            phone::Event::Path { path, explanation, .. } => {
                side.path = Some(path);
                side.path_since = Some(now.mono);
                side.explanation = explanation;
            }
            phone::Event::FirstMedia { .. } => {
                side.first_media.get_or_insert(now.mono);
                self.look_at_nats(world);
            }
            phone::Event::Heard { samples, .. } => {
                side.heard.since.get_or_insert(now.mono);
                side.heard.samples.extend(samples);
            }
            phone::Event::Played { .. } => {
                self.said[at] = true;
                if self.said == [true, true] && self.spec.hang_up == HangUp::WhenSaid {
                    self.todo.push((now.mono + LAST_WORDS, Deed::HangUp(Who::Alice)));
                }
            }
            phone::Event::Media { stats, .. } => {
                side.quality.push((now.mono, *stats));
                side.stats = Some(stats);
            }
            phone::Event::NoPath { explanation, .. } => {
                side.explanation = Some(explanation);
                // Nobody will hear anything: their tables are those of the attempt.
                if self.alice_nats.is_empty() && self.bob_nats.is_empty() {
                    self.look_at_nats(world);
                }
            }
            phone::Event::Ended { reason, by, .. } => side.ended = Some((now.mono, reason, by)),
            _ => {}
        }
    }

    /// Alice calls once both can be reached.
    fn dial_when_ready(&mut self, world: &mut World<Node>) {
        let reachable = self.alice.registered.is_some() && self.bob.registered.is_some();
        if !reachable || !self.alice_sees_bob || self.dialled.is_some() {
            return;
        }
        self.dialled = Some(world.now().mono);
        let to = address(self.spec.via, Who::Bob).into();
        let source = Source::once(Arc::clone(&self.spec.alice_says));
        let host = self.topology.alice.host;
        let call = world.verb(host, |node, now| node.phone().call(now, 0, &to, source.clone()));
        self.calls[0] = Some(call.expect("a phone without calls can make one"));
    }

    fn look_at_nats(&mut self, world: &World<Node>) {
        let look = |place: &crate::topology::Place| {
            place.nats.iter().map(|(nat, _)| world.nat_table(*nat)).collect()
        };
        self.alice_nats = look(&self.topology.alice);
        self.bob_nats = look(&self.topology.bob);
    }
}

/// The endpoint in words of who owns it, for ladders and explanations.
#[must_use]
pub fn owner(topology: &Topology, endpoint: Endpoint) -> Option<Who> {
    let ip = endpoint.ip().to_string();
    let owns = |who: Who| {
        let place = topology.place_of(who);
        place.address == ip || place.nats.iter().any(|(_, outside)| *outside == ip)
    };
    if ip == crate::topology::CORE {
        return Some(Who::Core);
    }
    [Who::Alice, Who::Bob].into_iter().find(|who| owns(*who))
}
