//! What became of every candidate and every pair, as data and as words.

use std::fmt;
use std::time::Duration;

use machine::{Endpoint, FailKind, Icmp, Transport};

use crate::Candidate;

/// Which side decides (RFC 8445 §6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// We nominate the pair.
    Controlling,
    /// The other side nominates.
    Controlled,
}

/// The state of a pair (RFC 8445 §6.1.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PairState {
    /// Waits for a pair of the same foundation to be decided.
    Frozen,
    /// Will be checked when its turn comes.
    Waiting,
    /// A check is on its way.
    InProgress,
    /// A check was answered.
    Succeeded,
    /// A check failed.
    Failed,
}

/// All that an agent can say about how its session went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Why the session failed; `None` while it has not.
    pub reason: Option<Reason>,
    /// Our role at the end.
    pub role: Role,
    /// How often the role changed because both sides claimed the same one.
    pub role_switches: u32,
    /// Our candidates: stream, candidate.
    pub local: Vec<(usize, Candidate)>,
    /// The remote's candidates: stream, candidate.
    pub remote: Vec<(usize, Candidate)>,
    /// Remote candidates that were not used: stream, candidate, why.
    pub ignored: Vec<(usize, Candidate, Ignored)>,
    /// Every pair, the best first.
    pub pairs: Vec<PairReport>,
    /// Checks sent, retransmissions not counted.
    pub checks_sent: u64,
    /// Checks received with good credentials.
    pub checks_received: u64,
    /// Checks received and refused: wrong user name or password, or malformed.
    pub checks_refused: u64,
    /// What was asked for candidates of ours. The agent gathers nothing and leaves it empty; whoever
    /// gathers fills it.
    pub sources: Vec<Source>,
}

/// Something that might have given a candidate of ours, and what it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The stream.
    pub stream: usize,
    /// The component.
    pub component: u16,
    /// The address on this host that asked, or that was to be bound.
    pub base: Endpoint,
    /// The STUN or TURN server that was asked; `None` for the address itself, or while the server's
    /// address is not known.
    pub server: Option<Endpoint>,
    /// The TURN server that was asked for a relayed address, if it was.
    pub relay: Option<Relay>,
    /// What it said.
    pub answer: Answer,
}

/// A TURN server that was asked for a relayed address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Its name, as it was given.
    pub name: String,
    /// Over what it was asked.
    pub transport: Transport,
}

/// What a [`Source`] said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing yet.
    Pending,
    /// This address.
    Address(Endpoint),
    /// Nothing, until it was given up.
    Silence,
    /// A refusal with this STUN error code.
    Refused {
        /// The code.
        code: u16,
    },
    /// The network said that it cannot be reached.
    Unreachable(Icmp),
    /// The address could not be bound.
    NotBound(FailKind),
    /// The connection to the server failed.
    NotConnected(FailKind),
    /// The server's name could not be resolved.
    NotFound,
    /// The relayed address was given back: no path goes through it.
    Released(Endpoint),
    /// The server does not accept user name or password.
    Credentials,
    /// The server's answer made no sense.
    Broken,
    /// The gateway maps no port to the address; why, in words.
    NotMapped(String),
    /// The relayed address was given, and ended: the server was restarted, or the connection to it.
    Lost,
}

/// Why a session failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// We have no candidate.
    NoLocalCandidates,
    /// The remote never sent its candidates, or none that can be used, and no check came from it.
    NoRemoteCandidates,
    /// There are candidates on both sides, but no two that fit (address families).
    NoPairs,
    /// No check of some component was answered in time.
    NoPairWorked {
        /// The stream without a working pair.
        stream: usize,
        /// The component without a working pair.
        component: u16,
    },
}

/// One pair and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairReport {
    /// A number that is the pair's own in its session.
    pub id: u32,
    /// The stream.
    pub stream: usize,
    /// The component.
    pub component: u16,
    /// Our side.
    pub local: Candidate,
    /// Their side.
    pub remote: Candidate,
    /// The pair's priority (§6.1.2.3).
    pub priority: u64,
    /// Its state; a pruned pair stays Frozen.
    pub state: PairState,
    /// What became of it.
    pub fate: Fate,
    /// Checks sent on it.
    pub checks_sent: u32,
    /// Checks received on it.
    pub checks_received: u32,
    /// Round-trip time of the answered check.
    pub rtt: Option<Duration>,
    /// Our candidate as the other side saw it, once a check was answered: behind a NAT another one
    /// than `local`.
    pub seen_as: Option<Candidate>,
}

/// What became of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Not checked: it would repeat another pair, or there were too many.
    Pruned(Pruned),
    /// Never checked: its turn did not come.
    NotTried,
    /// Its check is on the way.
    Trying,
    /// It works, and the session uses it.
    Selected,
    /// It works; another one was chosen.
    Works,
    /// It was given up because a better pair of its component was chosen.
    Superseded,
    /// No answer came. `heard` says whether the other side's checks came in on it: then only one
    /// direction works.
    NoAnswer {
        /// Whether the other side's checks arrived.
        heard: bool,
    },
    /// The network said that it cannot be reached.
    Unreachable(Icmp),
    /// The answer came from another address than was asked.
    WrongAddress {
        /// Where it came from.
        from: Endpoint,
        /// Where it arrived.
        to: Endpoint,
    },
    /// The other side refused the check.
    Refused {
        /// The STUN error code.
        code: u16,
    },
    /// Our relay does not send to this address.
    NotPermitted {
        /// The STUN error code of its refusal.
        code: u16,
    },
    /// Our relayed address ended.
    Withdrawn,
}

/// Why a pair was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruned {
    /// It sends the same packets as the pair with this number (RFC 8445 §6.1.2.4).
    Redundant {
        /// The pair that is kept.
        with: u32,
    },
    /// Over the limit of pairs (RFC 8445 §6.1.2.5).
    Limit,
}

/// Why a remote candidate was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Only UDP is checked.
    Transport(Transport),
    /// The stream or component does not exist.
    Component,
    /// Port 0, an unspecified or a multicast address.
    Address,
    /// Its foundation is empty or too long.
    Foundation,
    /// Too many candidates.
    Limit,
}

impl Explanation {
    /// Nothing happened yet.
    #[must_use]
    pub const fn empty(role: Role) -> Self {
        Self {
            reason: None,
            role,
            role_switches: 0,
            local: Vec::new(),
            remote: Vec::new(),
            ignored: Vec::new(),
            pairs: Vec::new(),
            checks_sent: 0,
            checks_received: 0,
            checks_refused: 0,
            sources: Vec::new(),
        }
    }

    /// The pairs that were checked.
    #[must_use]
    pub fn pairs_tried(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.checks_sent > 0).count()
    }

    /// One sentence a line, for people: what happened, what would have helped, then each pair.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        crate::words::of(self)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join("\n"))
    }
}
