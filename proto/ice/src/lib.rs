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
    Answer, Explanation, Fate, Ignored, PairReport, PairState, Pruned, Reason, Role, Source,
};
