//! The agent: one ICE session, several streams, several components (RFC 8445).
//!
//! | file | what |
//! |---|---|
//! | `config.rs` | its pace and its patience |
//! | `stream.rs` | what is known of one stream: candidates, the chosen pairs |
//! | `pairing.rs` | forming pairs, pruning (§6.1.2) |
//! | `check.rs` | sending checks and reading their answers (§7.2) |
//! | `answer.rs` | answering the other side's checks, and learning from them (§7.3) |
//! | `role.rs` | who controls, and what happens when both do (§7.3.1.1) |
//! | `nominate.rs` | choosing, concluding, failing (§8.1) |
//! | `relay.rs` | what our relays say: refusals, allocations that ended |
//! | `keepalive.rs` | keeping the chosen way open (§11) |
//! | `report.rs` | what became of everything |
//! | `wire.rs` | the STUN messages of ICE (§7.1, §16.1) |

use std::collections::{BTreeMap, VecDeque};

use machine::{Endpoint, Entropy, Instant, Now, Timers};
use stun::TransactionId;

use crate::candidate::Foundations;
use crate::checklist::ChecklistSet;
use crate::explain::{Reason, Role};
use crate::pair::PairId;
use crate::{Candidate, Credentials, LocalCandidate, defaults};

mod answer;
mod check;
mod config;
mod keepalive;
mod nominate;
mod pairing;
mod relay;
mod report;
mod role;
mod stream;
mod wire;

use answer::Early;
use check::Check;
use stream::Stream;

pub use config::Config;
pub use report::Stats;
pub use stream::Way;

/// Why a candidate of ours was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such stream or component.
    #[error("no such stream or component")]
    NoComponent,
    /// The component has as many candidates as it may have.
    #[error("too many candidates")]
    TooMany,
}

/// What an agent tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A pair came to be or changed: see [`Agent::pair`].
    Pair(PairId),
    /// There is a way for data of this component: see [`Agent::way`].
    Writable {
        /// The stream.
        stream: usize,
        /// The component.
        component: u16,
    },
    /// The pair of this component was chosen, or another one was: see [`Agent::way`].
    Selected {
        /// The stream.
        stream: usize,
        /// The component.
        component: u16,
    },
    /// Every component has its pair.
    Completed,
    /// No way was found: see [`Agent::explain`].
    Failed(Reason),
}

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// What to send from: the base of a local candidate.
    pub base: Endpoint,
    /// Where to send to.
    pub remote: Endpoint,
    /// The STUN message.
    pub bytes: Vec<u8>,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Completed,
    Failed(Reason),
}

/// What is known of the other side.
#[derive(Clone, Debug)]
struct Remote {
    credentials: Credentials,
    lite: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Check(TransactionId),
    Nominate { stream: usize },
    Renominate { stream: usize, component: u16 },
    Keepalive { stream: usize, component: u16 },
    Patience,
    TricklePatience,
}

/// One ICE session.
///
/// After every verb its owner takes what [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event) give until both give nothing.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    entropy: Entropy,
    role: Role,
    tie_breaker: u64,
    role_switches: u32,
    credentials: Credentials,
    remote: Option<Remote>,
    streams: Vec<Stream>,
    foundations: Foundations,
    checklists: ChecklistSet,
    checks: BTreeMap<TransactionId, Check>,
    early: Vec<Early>,
    next_pair: PairId,
    timers: Timers<Timer>,
    local_complete: bool,
    remote_complete: bool,
    /// Whether the time is up that others have to turn up in (RFC 8863 §4).
    patience_over: bool,
    /// Whether the time is up that sides have to tell their candidates in.
    trickle_over: bool,
    phase: Phase,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    stats: Stats,
}

impl Agent {
    /// A session without streams.
    #[must_use]
    pub fn new(config: Config, role: Role, mut entropy: Entropy) -> Self {
        let credentials = Credentials::generate(&mut entropy);
        let tie_breaker = entropy.u64();
        let checklists = ChecklistSet::new(config.max_pairs);
        Self {
            config: config.sane(),
            entropy,
            role,
            tie_breaker,
            role_switches: 0,
            credentials,
            remote: None,
            streams: Vec::new(),
            foundations: Foundations::default(),
            checklists,
            checks: BTreeMap::new(),
            early: Vec::new(),
            next_pair: 0,
            timers: Timers::new(),
            local_complete: false,
            remote_complete: false,
            patience_over: false,
            trickle_over: false,
            phase: Phase::Running,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Adds a stream; returns its number, which counts from 0.
    ///
    /// # Panics
    /// If there are [`defaults::MAX_STREAMS`] already, or `components` is not 1 to
    /// [`defaults::MAX_COMPONENTS`]: both are the owner's to choose.
    pub fn add_stream(&mut self, components: u16) -> usize {
        assert!(self.streams.len() < defaults::MAX_STREAMS, "too many streams");
        assert!((1..=defaults::MAX_COMPONENTS).contains(&components), "1 or 2 components");
        self.streams.push(Stream::new(components));
        self.checklists.add_stream();
        self.streams.len() - 1
    }

    /// Our credentials.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Our role at present.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Our candidates of a stream, to tell the other side: without those that only checks revealed.
    #[must_use]
    pub fn local_candidates(&self, stream: usize) -> Vec<&Candidate> {
        let mut candidates: Vec<_> =
            self.streams.get(stream).map(|stream| stream.told().collect()).unwrap_or_default();
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.priority));
        candidates
    }

    /// Adds a candidate of ours. Returns it if it is new; the same endpoint from the same base is
    /// not (§5.1.3).
    ///
    /// # Errors
    /// If the component does not exist or has too many candidates.
    pub fn add_local(
        &mut self,
        stream: usize,
        candidate: LocalCandidate,
    ) -> Result<Option<&Candidate>, Error> {
        let index = self.take_local(stream, candidate)?;
        let Some(index) = index else { return Ok(None) };
        self.pair_local(stream, index);
        Ok(self.streams.get(stream).and_then(|stream| stream.local.get(index)))
    }

    /// No more candidates of ours will come.
    pub fn local_complete(&mut self, now: Now) {
        self.local_complete = true;
        self.consider(now.mono);
    }

    /// Whether the other side's credentials are known, so that checks can be sent.
    #[must_use]
    pub const fn has_remote(&self) -> bool {
        self.remote.is_some()
    }

    /// Takes the other side's credentials. Other ones than before mean that it restarted: what it
    /// told before is forgotten.
    ///
    /// Its candidates follow by [`add_remote`](Self::add_remote), then
    /// [`remote_ready`](Self::remote_ready).
    pub fn set_remote(&mut self, now: Now, credentials: Credentials, lite: bool) {
        match &self.remote {
            Some(remote) if remote.credentials == credentials => return,
            Some(_) => self.forget_remote(),
            None => {}
        }
        self.remote = Some(Remote { credentials, lite });
        //= RFC 8863 §4: the time to wait for peers starts when checks can start.
        (self.patience_over, self.trickle_over) = (false, false);
        self.timers.set(Timer::Patience, now.mono + self.config.patience);
        let trickle = self.config.trickle_patience.max(self.config.patience);
        self.timers.set(Timer::TricklePatience, now.mono + trickle);
        if lite {
            //= RFC 8445 §6.1.1: a full agent facing a lite one controls.
            self.switch_role(Role::Controlling);
        }
    }

    /// Adds a candidate of the other side's, at any time after [`set_remote`](Self::set_remote).
    pub fn add_remote(&mut self, stream: usize, candidate: Candidate) {
        if let Some(index) = self.take_remote(stream, candidate) {
            self.pair_remote(stream, index);
        }
    }

    /// All of the other side's candidates that are known by now were added; `complete` says that no
    /// others will come. Checks that arrived too early are looked at now.
    pub fn remote_ready(&mut self, now: Now, complete: bool) {
        self.remote_complete |= complete;
        self.learn_early(now);
        self.consider(now.mono);
    }

    /// Keeps the first `components` components of a stream: the other side multiplexes RTP and
    /// RTCP (1), or refused the stream (0).
    pub fn keep_components(&mut self, now: Now, stream: usize, components: u16) {
        let Some(kept) = self.streams.get_mut(stream) else { return };
        if components < kept.components {
            kept.keep(components);
            self.checklists.remove(|pair| pair.stream == stream && pair.component > components);
            self.early.retain(|early| early.stream != stream || early.component <= components);
            self.consider(now.mono);
        }
    }

    /// Starts over with new credentials (§9): the other side must be told, and will tell its own.
    /// Data goes on along the present way until there is a new one.
    pub fn restart(&mut self) {
        self.credentials = Credentials::generate(&mut self.entropy);
        //= RFC 8445 §9: the tie-breaker may be chosen anew.
        self.tie_breaker = self.entropy.u64();
        self.remote = None;
        self.early.clear();
        self.forget_remote();
    }

    /// Forgets what belongs to the credentials of before, but the ways that data takes.
    fn forget_remote(&mut self) {
        for (stream, component) in self.components() {
            self.timers.cancel(&Timer::Renominate { stream, component });
            let way = self.current_way(stream, component);
            if let Some(state) =
                self.streams.get_mut(stream).and_then(|s| s.component_mut(component))
            {
                state.previous = way.map(|way| Way { selected: false, ..way });
            }
        }
        self.streams.iter_mut().for_each(Stream::forget_remote);
        for stream in 0..self.streams.len() {
            self.timers.cancel(&Timer::Nominate { stream });
        }
        for id in std::mem::take(&mut self.checks).into_keys() {
            self.timers.cancel(&Timer::Check(id));
        }
        self.timers.cancel(&Timer::Patience);
        self.timers.cancel(&Timer::TricklePatience);
        self.checklists.clear();
        self.remote_complete = false;
        self.phase = Phase::Running;
    }

    /// A STUN packet arrived at `base` from `remote`. Packets that are not for this agent, or are
    /// no good, change nothing.
    pub fn handle_stun(&mut self, now: Now, base: Endpoint, remote: Endpoint, bytes: &[u8]) {
        let Ok(message) = stun::Message::parse(bytes) else { return };
        if message.method() != stun::Method::BINDING {
            return;
        }
        match message.class() {
            stun::Class::Request => self.handle_request(now, base, remote, &message),
            stun::Class::Success | stun::Class::Error => {
                self.handle_response(now, base, remote, &message);
            }
            // A keepalive (§11): it has done its work on the way here.
            stun::Class::Indication => {}
        }
    }

    /// Something is due.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Check(id) => self.check_timed_out(now.mono, id),
                Timer::Nominate { stream } => self.nomination_due(now.mono, stream),
                Timer::Renominate { stream, component } => {
                    self.renomination_due(now.mono, stream, component);
                }
                Timer::Keepalive { stream, component } => {
                    self.keep_alive(now.mono, stream, component);
                }
                Timer::Patience => {
                    self.patience_over = true;
                    self.consider(now.mono);
                }
                Timer::TricklePatience => {
                    self.trickle_over = true;
                    self.consider(now.mono);
                }
            }
        }
    }

    /// When something is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.events.pop_front()? {
                Event::Pair(id) if !self.is_news(id) => {}
                event => return Some(event),
            }
        }
    }

    /// Whether a check waits for a slot.
    #[must_use]
    pub fn wants_slot(&self) -> bool {
        self.remote.is_some()
            && !matches!(self.phase, Phase::Failed(_))
            && self.checklists.is_hungry()
    }

    /// Whether a check waits that is worth more than those through relays: of a direct pair, or a
    /// triggered one (§6.1.4.1), since the other side has just sent one.
    #[must_use]
    pub fn is_urgent(&self) -> bool {
        self.wants_slot() && self.checklists.is_direct_waiting()
    }

    /// Whether a component has a pair that works without a relay.
    #[must_use]
    pub fn has_direct(&self, stream: usize, component: u16) -> bool {
        self.checklists.has_direct(stream, component)
    }

    /// Whether every component has its chosen pair.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.phase == Phase::Completed
    }

    /// Whether no way was found.
    #[must_use]
    pub const fn is_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed(_))
    }

    /// The best way known for data of a component: the chosen pair, before that the best pair that
    /// works (§12.1), after a restart the one from before.
    #[must_use]
    pub fn way(&self, stream: usize, component: u16) -> Option<Way> {
        self.current_way(stream, component)
    }

    /// Where data of a component goes: from which base, to which address. As [`way`](Self::way),
    /// without its names.
    #[must_use]
    pub fn destination(&self, stream: usize, component: u16) -> Option<(Endpoint, Endpoint)> {
        self.current_destination(stream, component)
    }

    /// Whether data from `remote` may belong to this component: it is a candidate of the other
    /// side's, told or seen in a check with good credentials.
    #[must_use]
    pub fn knows_remote(&self, stream: usize, component: u16, remote: Endpoint) -> bool {
        let early = |early: &Early| {
            (early.stream, early.component, early.remote) == (stream, component, remote)
        };
        self.early.iter().any(early)
            || self.streams.get(stream).is_some_and(|s| {
                s.remote.iter().any(|c| c.component == component && c.endpoint == remote)
                    || s.component(component)
                        .and_then(|c| c.previous.as_ref())
                        .is_some_and(|way| way.remote.endpoint == remote)
            })
    }

    /// What happened so far, as numbers.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    fn event(&mut self, event: Event) {
        if !(matches!(event, Event::Pair(_)) && self.events.contains(&event)) {
            self.events.push_back(event);
        }
    }
}
