//! ICE: the full agent of RFC 8445, candidates in, checks out.
//!
//! An [`Agent`] runs one session: several streams of one or more components each. It gathers
//! nothing and owns no socket: it is told its own candidates and the remote's, gets the STUN packets
//! that arrive, and hands out packets to send. Pacing comes from outside: whoever owns the sockets
//! gives it a slot ([`Agent::take_slot`]) every Ta, and shares the slots among agents.
//!
//! | module | what |
//! |---|---|
//! | [`candidate`] | [`Candidate`], where it came from, priority (§5.1.2) and foundation (§5.1.1.3) |
//! | [`credentials`] | user fragment and password (§5.3) |
//! | `pair` | candidate pairs, their priority (§6.1.2.3) and state (§6.1.2.6) |
//! | `checklist` | every stream's pairs: unfreezing, triggered checks, whose turn it is (§6.1) |
//! | [`agent`] | [`Agent`]: checks, answers, roles, nomination, keepalives |
//! | [`explain`] | [`Explanation`]: every pair's fate, as data and as words |
//! | `words` | the words |
//! | [`defaults`] | every limit and timeout |
//!
//! Where the RFC leaves a choice, or practice asks for more than it:
//!
//! - **Nomination** (§8.1.1) waits until no better pair can be hoped for, at most 200 ms after the
//!   first that works. Data need not wait for it (§12.1).
//! - **Relays** are the last resort: a relayed pair is nominated only if no direct one has worked two
//!   seconds after it did, relayed pairs are not checked while a direct one works, and those from a
//!   public relay to a private address are checked when nothing else is left.
//! - **A nomination that is lost** is repeated by new checks; one that fails for good takes its pair off
//!   the list, and the next best is nominated. The session fails when none is left.
//! - **Several nominations**, as peers of RFC 5245 make: the best counts.
//! - **The valid list** (§7.2.5.3.2) has no list of its own: since reflexive candidates of ours are
//!   paired as their base, a valid pair takes the way of the pair that was checked, and stands there.
//! - **ICMP errors** do not fail a pair; NATs send them of addresses that open a moment later. They
//!   are named if the pair fails.
//! - **Checks before the remote is known** are answered, and learned from once its credentials show
//!   whose they are: of several forks of a call one will be it.
//!
//! Not done: consent (RFC 7675), TCP candidates (RFC 6544), a lite agent of our own.

pub mod agent;
pub mod candidate;
mod checklist;
pub mod credentials;
pub mod defaults;
pub mod explain;
mod pair;
mod words;

pub use agent::{Agent, Event, Stats, Transmit, Way};

pub use candidate::{Candidate, CandidateKind, LocalCandidate, Origin};
pub use credentials::Credentials;
pub use explain::{
    Answer, Explanation, Fate, Ignored, PairReport, PairState, Pruned, Reason, Relay, Role, Source,
};
