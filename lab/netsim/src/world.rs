//! The world: its topology, its clock, and the machines that live in it.

mod build;
mod nats;
mod packets;
mod routing;
mod sockets;
mod streams;

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::time::Duration;

use machine::{Endpoint, Entropy, Id, Input, Instant, Machine, Now, Timers};

pub use build::{BadTap, Tap};

use crate::capture::{Capture, Captured, Overheard, TapId};
use crate::defaults::WALL_CLOCK_START;
use crate::digest::Digest;
use crate::dns::Dns;
use crate::link::{Direction, Link, LinkId, LinkStats, Pipe};
use crate::node::{Host, Node, NodeId};
use crate::packet::{Packet, Segment};
use crate::queue::Queue;

/// A simulated internet whose hosts each run a machine of type `M`, held to the laws by
/// [`machine::Checked`].
///
/// Hosts with different machines: let `M` be an enum of them. Same seed, same topology, same verbs
/// and answers: the same packets to the byte, which [`digest`](Self::digest) shows.
pub struct World<M: Machine> {
    seed: u64,
    now: Now,
    entropy: Entropy,
    nodes: Vec<Node<M>>,
    links: Vec<Cable>,
    dns: Dns,
    queue: Queue<Event<M::Answer>>,
    timers: Timers<TimerKey>,
    happenings: VecDeque<Happened<M>>,
    routes_stale: bool,
    capture: Capture,
    digest: Digest,
    stats: WorldStats,
    /// Buffers that are used again and again.
    payload: Vec<u8>,
    wire: Vec<u8>,
    segments: Vec<Segment>,
}

/// A machine that can live in a world: its outputs can be compared and printed.
///
/// Every [`Machine`] whose types allow it is one.
pub trait Inhabitant:
    Machine<Event: PartialEq + Debug, Question: PartialEq + Debug, Answer: Clone>
{
}

impl<M> Inhabitant for M where
    M: Machine<Event: PartialEq + Debug, Question: PartialEq + Debug, Answer: Clone>
{
}

/// Something that the owner of a world is told.
pub struct Happened<M: Machine> {
    /// When.
    pub now: Now,
    /// Whose machine says so.
    pub host: NodeId,
    /// What it says.
    pub what: Happening<M::Event, M::Question>,
}

/// What a machine says to the owner of its world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening<E, Q> {
    /// An event.
    Event(E),
    /// A question, to be answered with [`World::answer`].
    Question(Id, Q),
}

/// What the world has done, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorldStats {
    /// Packets that entered a link.
    pub packets: u64,
    /// Packets cut into fragments.
    pub fragmented: u64,
    /// Packets with no way to go, or nobody to take them.
    pub undeliverable: u64,
    /// Packets that a NAT or firewall did not let through.
    pub blocked: u64,
    /// Inputs and timeouts that machines handled.
    pub steps: u64,
}

/// A link at work: two pipes between two interfaces.
#[derive(Debug)]
struct Cable {
    name: String,
    ends: [(u32, usize); 2],
    pipes: [Pipe; 2],
    tap: Option<TapId>,
}

/// Something that is going to happen.
#[derive(Debug)]
enum Event<A> {
    /// A packet comes out of a link.
    Arrive { node: u32, interface: usize, packet: Packet },
    /// A packet of a host to itself arrives.
    Local { node: u32, packet: Packet },
    /// A machine is told something.
    Input { node: u32, input: Input<'static, A> },
    /// A machine that had stopped reading a connection goes on.
    Resume { node: u32, conn: Id },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TimerKey {
    Machine(u32),
    Stream(u32, Id),
}

impl<M: Inhabitant> World<M> {
    /// An empty world; all chance in it comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Now { mono: Instant::ORIGIN, unix: WALL_CLOCK_START },
            entropy: Entropy::seeded(seed).fork("netsim"),
            nodes: Vec::new(),
            links: Vec::new(),
            dns: Dns::default(),
            queue: Queue::default(),
            timers: Timers::new(),
            happenings: VecDeque::new(),
            routes_stale: false,
            capture: Capture::default(),
            digest: Digest::default(),
            stats: WorldStats::default(),
            payload: Vec::new(),
            wire: Vec::new(),
            segments: Vec::new(),
        }
    }

    /// The present.
    #[must_use]
    pub const fn now(&self) -> Now {
        self.now
    }

    /// The seed that the world was made with.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// An entropy for a machine of this world, named by `label`.
    #[must_use]
    pub fn entropy(&self, label: &str) -> Entropy {
        Entropy::seeded(self.seed).fork(label)
    }

    /// What the world has done.
    #[must_use]
    pub const fn stats(&self) -> WorldStats {
        self.stats
    }

    /// A digest of every packet that entered a link: when, where, and its bytes.
    #[must_use]
    pub const fn digest(&self) -> u64 {
        self.digest.0
    }

    /// The names of the world.
    pub const fn dns(&mut self) -> &mut Dns {
        &mut self.dns
    }

    /// The name of a node.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &str {
        &self.nodes[node.0 as usize].name
    }

    /// A host's or gateway's machine, to look at.
    ///
    /// # Panics
    /// If the node runs none.
    #[must_use]
    pub fn machine(&self, host: NodeId) -> &M {
        match &self.nodes[host.0 as usize].resident {
            Some(host) => host.machine.get(),
            None => panic!("{} runs no machine", self.name(host)),
        }
    }

    /// Moves the wall clock of all hosts; timers do not notice.
    pub const fn set_wall_clock(&mut self, unix: Duration) {
        self.now.unix = unix;
    }

    /// Changes what a link does to packets in one direction, from now on.
    pub fn set_link(&mut self, link: LinkId, direction: Direction, settings: Link) {
        self.links[link.0 as usize].pipes[direction as usize].settings = settings;
    }

    /// What a link does to packets in one direction.
    #[must_use]
    pub fn link_settings(&self, link: LinkId, direction: Direction) -> &Link {
        &self.links[link.0 as usize].pipes[direction as usize].settings
    }

    /// What one direction of a link has done.
    #[must_use]
    pub fn link_stats(&self, link: LinkId, direction: Direction) -> LinkStats {
        self.links[link.0 as usize].pipes[direction as usize].stats
    }

    /// What passed the taps so far, in order.
    pub fn captured(&self) -> impl Iterator<Item = Captured<'_>> {
        self.overheard().filter_map(|overheard| match overheard {
            Overheard::Packet(packet) => Some(packet),
            Overheard::Plaintext(_) => None,
        })
    }

    /// What passed the taps so far, and among it what tapped hosts wrote under TLS, in order: what
    /// somebody sees who has their keys.
    pub fn overheard(&self) -> impl Iterator<Item = Overheard<'_>> {
        self.capture.overheard()
    }

    /// What passed the taps so far, as a pcapng file.
    #[must_use]
    pub fn pcapng(&self, taps: &[TapId]) -> Vec<u8> {
        self.capture.pcapng(taps)
    }

    /// Starts the machines that have not been started: each gets its interfaces.
    pub fn start(&mut self) {
        for node in 0..self.nodes.len() {
            if let Some(host) = &mut self.nodes[node].resident
                && !std::mem::replace(&mut host.started, true)
            {
                let interfaces = self.interfaces_of(node);
                self.deliver(node as u32, Input::Interfaces(interfaces));
            }
        }
    }

    /// Calls a verb of a host's machine. It is called on the twin as well.
    ///
    /// # Panics
    /// If the node is no host.
    pub fn verb<R>(&mut self, host: NodeId, verb: impl FnMut(&mut M, Now) -> R) -> R {
        let now = self.now;
        let result = self.host_mut(host.0).machine.verb(now, verb);
        self.drain(host.0);
        result
    }

    /// Answers a question of a host's machine. An answer to a question that it has closed, or that
    /// was answered before, is dropped.
    ///
    /// # Panics
    /// If the node is no host.
    pub fn answer(&mut self, host: NodeId, id: Id, answer: M::Answer) {
        if self.host_mut(host.0).sockets.questions.remove(&id) {
            self.deliver(host.0, Input::Answer { id, answer });
        }
    }

    /// Goes on until something happens that the owner is told, or until `deadline`.
    pub fn next_before(&mut self, deadline: Instant) -> Option<Happened<M>> {
        loop {
            if let Some(happened) = self.happenings.pop_front() {
                return Some(happened);
            }
            let due = self.next_due().filter(|due| *due <= deadline);
            let Some(due) = due else {
                self.advance(deadline);
                return None;
            };
            self.advance(due);
            self.step();
        }
    }

    /// Goes on until `deadline`; all that the owner is told on the way.
    pub fn run_until(&mut self, deadline: Instant) -> Vec<Happened<M>> {
        std::iter::from_fn(|| self.next_before(deadline)).collect()
    }

    /// Goes on for a while; all that the owner is told on the way.
    pub fn run_for(&mut self, duration: Duration) -> Vec<Happened<M>> {
        self.run_until(self.now.mono + duration)
    }

    /// When something is going to happen next.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.next().into_iter().chain(self.timers.next()).min()
    }

    fn advance(&mut self, to: Instant) {
        self.now.unix += to - self.now.mono;
        self.now.mono = self.now.mono.max(to);
    }

    /// Does the next thing that is due now: packets before timers.
    fn step(&mut self) {
        self.refresh_routes();
        if self.queue.next().is_some_and(|at| at <= self.now.mono) {
            match self.queue.pop() {
                Some(Event::Arrive { node, interface, packet }) => {
                    self.arrive(node, interface, packet);
                }
                Some(Event::Local { node, packet }) => self.take(node, 0, packet),
                Some(Event::Input { node, input }) => self.deliver_if_wanted(node, input),
                Some(Event::Resume { node, conn }) => self.resume(node, conn),
                None => {}
            }
            return;
        }
        match self.timers.expire(self.now.mono) {
            Some(TimerKey::Machine(node)) => {
                self.stats.steps += 1;
                let now = self.now;
                self.host_mut(node).machine.handle_timeout(now);
                self.drain(node);
            }
            Some(TimerKey::Stream(node, id)) => self.stream_timeout(node, id),
            None => {}
        }
    }

    /// Gives a machine an input and does all that it wants done for it.
    fn deliver(&mut self, node: u32, input: Input<'_, M::Answer>) {
        self.stats.steps += 1;
        let now = self.now;
        self.host_mut(node).machine.handle_input(now, input);
        self.drain(node);
    }

    /// Drops what a machine has closed in the meantime.
    fn deliver_if_wanted(&mut self, node: u32, input: Input<'static, M::Answer>) {
        let sockets = &mut self.host_mut(node).sockets;
        let wanted = match &input {
            Input::Resolved { id, .. } => sockets.lookups.remove(id),
            Input::Bound { id, .. } => {
                sockets.udp.contains_key(id) || sockets.listeners.contains_key(id)
            }
            Input::Unreachable { socket, .. } => sockets.udp.contains_key(socket),
            _ => true,
        };
        if wanted {
            self.deliver(node, input);
        }
    }

    fn drain(&mut self, node: u32) {
        let mut payload = std::mem::take(&mut self.payload);
        loop {
            payload.clear();
            let Some(output) = self.host_mut(node).machine.poll_output(&mut payload) else { break };
            self.perform(node, output, &payload);
        }
        self.payload = payload;
        let next = self.host_mut(node).machine.poll_timeout();
        let key = TimerKey::Machine(node);
        if next != self.timers.at(&key) {
            match next {
                Some(at) => self.timers.set(key, at.max(self.now.mono)),
                None => _ = self.timers.cancel(&key),
            }
        }
    }

    fn tell(&mut self, node: u32, what: Happening<M::Event, M::Question>) {
        self.happenings.push_back(Happened { now: self.now, host: NodeId(node), what });
    }

    fn host_mut(&mut self, node: u32) -> &mut Host<M> {
        let node = &mut self.nodes[node as usize];
        match &mut node.resident {
            Some(host) => host,
            None => panic!("{} runs no machine", node.name),
        }
    }

    /// An input that comes after all that is due now.
    fn tell_machine(&mut self, node: u32, input: Input<'static, M::Answer>) {
        self.queue.push(self.now.mono, Event::Input { node, input });
    }

    /// The state of the world for the message of a broken assumption.
    fn place(&self, node: u32) -> String {
        format!("{} at {:?}, seed {}", self.nodes[node as usize].name, self.now.mono, self.seed)
    }
}

impl<M: Inhabitant> Debug for Happened<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.now.mono, self.host, self.what)
    }
}

impl<M: Machine> Debug for World<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World(seed {}, {:?}, {} nodes)", self.seed, self.now.mono, self.nodes.len())
    }
}

impl<M: Machine> Drop for World<M> {
    /// A failure in a world names the seed that repeats it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the world of seed {} ended at {:?}", self.seed, self.now.mono);
        }
    }
}

/// The two ends of a connection, as its host sees them.
type Ends = (Endpoint, Endpoint);
