//! The lifetime of mappings (RFC 5780 §4.6): many are begun at once, each is left alone for a time of
//! its own, and then the server is asked, from another socket, to send to it.

use std::time::Duration;

use machine::Instant;

use super::report::{Finding, Lifetime, Unknown};
use crate::defaults::{FIRST_LIFETIME, LIFETIME_PARTS, LIFETIME_ROUNDS, LIFETIMES_AT_ONCE};

/// The search.
#[derive(Debug)]
pub(super) struct Search {
    /// The longest time that is tried.
    most: Duration,
    /// The number of the socket that has the server send.
    waker: usize,
    round: u32,
    /// The longest time that a mapping has outlived, the shortest that one has not.
    low: Option<Duration>,
    high: Option<Duration>,
    told: Option<Duration>,
    /// By the times that they wait.
    probes: Vec<Probe>,
    /// Whether the server does not send where it is asked to.
    refused: bool,
}

/// A mapping that is left alone.
#[derive(Debug)]
struct Probe {
    /// The number of its socket.
    socket: usize,
    wait: Duration,
    /// When something was last sent from it.
    began: Option<Instant>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The server has not said yet where it sees it.
    Beginning,
    /// It is left alone; this is its outside port.
    Waiting { port: u16 },
    /// The server was asked to send to this port.
    Waking { port: u16 },
    /// What the server sent came in, or did not.
    Over { alive: bool },
    /// It has come to nothing.
    Lost,
}

impl Search {
    pub(super) const fn new(most: Duration, waker: usize) -> Self {
        let (low, high, told) = (None, None, None);
        Self { most, waker, round: 0, low, high, told, probes: Vec::new(), refused: false }
    }

    pub(super) const fn waker(&self) -> usize {
        self.waker
    }

    /// The times to try in the next round, the shortest first. That of the first round is no time at
    /// all: it shows whether the server can wake anybody.
    pub(super) fn waits(&mut self) -> Vec<Duration> {
        self.round += 1;
        let Some(high) = self.high else {
            let longer = |wait: &Duration| Some(*wait * 17 / 12).filter(|wait| *wait < self.most);
            let first = FIRST_LIFETIME.min(self.most);
            let waits = std::iter::successors(Some(first), longer);
            let waits = waits.take(LIFETIMES_AT_ONCE as usize - 1).filter(|wait| *wait < self.most);
            return std::iter::once(Duration::ZERO).chain(waits).chain([self.most]).collect();
        };
        let low = self.low.unwrap_or_default();
        let part = high.saturating_sub(low) / (LIFETIMES_AT_ONCE + 1);
        (1..=LIFETIMES_AT_ONCE).map(|n| low + part * n).collect()
    }

    pub(super) fn add(&mut self, socket: usize, wait: Duration) {
        self.probes.push(Probe { socket, wait, began: None, state: State::Beginning });
    }

    fn probe(&mut self, socket: usize) -> Option<&mut Probe> {
        self.probes.iter_mut().find(|probe| probe.socket == socket)
    }

    /// Something was sent from `socket`.
    pub(super) fn began(&mut self, socket: usize, now: Instant) {
        if let Some(probe) = self.probe(socket) {
            probe.began = Some(now);
        }
    }

    /// The mapping of `socket` has this outside port.
    pub(super) fn begun(&mut self, socket: usize, port: u16) {
        if let Some(probe) = self.probe(socket)
            && probe.state == State::Beginning
        {
            probe.state = State::Waiting { port };
        }
    }

    /// The mapping of `socket` has not come about.
    pub(super) fn not_begun(&mut self, socket: usize) {
        if let Some(probe) = self.probe(socket) {
            probe.state = State::Lost;
        }
    }

    /// What the server was to send to the outside port `port` came in, or did not.
    pub(super) fn woken(&mut self, port: u16, alive: bool) {
        let waking = |probe: &&mut Probe| probe.state == State::Waking { port };
        if let Some(probe) = self.probes.iter_mut().find(waking) {
            probe.state = State::Over { alive };
        }
    }

    /// The server does not send where it is asked to.
    pub(super) const fn refused(&mut self) {
        self.refused = true;
    }

    /// The outside ports that the server is to send to now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<u16> {
        let mut due = Vec::new();
        for probe in &mut self.probes {
            if let (State::Waiting { port }, Some(at)) = (probe.state, probe.due())
                && at <= now
            {
                probe.state = State::Waking { port };
                due.push(port);
            }
        }
        due
    }

    /// The longest time that mappings have outlived, when it has grown.
    pub(super) fn news(&mut self) -> Option<Duration> {
        let alive = |probe: &&Probe| probe.state == State::Over { alive: true };
        let lives = self.probes.iter().filter(alive).map(|probe| probe.wait).max()?;
        if self.told >= Some(lives) || lives.is_zero() {
            return None;
        }
        self.told = Some(lives);
        self.told
    }

    /// Whether the round is over, and then what was found; nothing if another has to follow.
    pub(super) fn round_over(&mut self) -> Option<Option<Finding<Lifetime>>> {
        if self.refused {
            return Some(Some(Err(Unknown::Unsupported)));
        }
        for probe in &self.probes {
            match probe.state {
                State::Over { alive: true } => self.low = self.low.max(Some(probe.wait)),
                State::Over { alive: false } if probe.wait.is_zero() => {
                    return Some(Some(Err(Unknown::Hidden)));
                }
                State::Over { alive: false } => {
                    self.high = Some(probe.wait);
                    break;
                }
                State::Lost => {}
                State::Beginning | State::Waiting { .. } | State::Waking { .. } => return None,
            }
        }
        let (Some(at_least), below) = (self.low, self.high) else {
            return Some(Some(Err(Unknown::TooFewAnswers)));
        };
        let exact = below.is_none_or(|below| {
            below.saturating_sub(at_least) <= (below / LIFETIME_PARTS).max(Duration::from_secs(1))
        });
        let over = exact || self.round >= LIFETIME_ROUNDS;
        Some(over.then_some(Ok(Lifetime { at_least, below })))
    }

    /// Forgets the mappings of this round; the numbers of their sockets.
    pub(super) fn clear(&mut self) -> Vec<usize> {
        self.probes.drain(..).map(|probe| probe.socket).collect()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let waiting =
            self.probes.iter().filter(|probe| matches!(probe.state, State::Waiting { .. }));
        waiting.filter_map(Probe::due).min()
    }
}

impl Probe {
    /// When it has waited long enough.
    fn due(&self) -> Option<Instant> {
        Some(self.began? + self.wait)
    }
}
