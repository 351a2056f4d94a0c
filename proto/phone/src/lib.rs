//! The whole user agent as one machine: accounts and their registrations, calls, media.
//!
//! A [`Phone`] joins three parts, told apart by the namespace of their ids: signalling
//! (`sip::ua`), paths (`connect`), and a `call::Call` for each call. Media are part of it: sound
//! goes in as samples with [`Phone::call`] and [`Phone::answer`], and comes out as
//! [`Event::Heard`].
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`], [`Account`] |
//! | [`event`] | [`Event`], [`EndReason`] |
//! | `phone` | [`Phone`]: the verbs, and the joining of the parts |
//! | `signalling` | what the user agent's events mean for calls |
//! | `session` | one call: its signalling, its description, its media |
//! | `keepalive` | STUN on the signalling flow |
//! | [`defaults`] | limits and timeouts |

pub mod config;
pub mod defaults;
pub mod event;
mod keepalive;
mod phone;
mod session;
mod signalling;

pub use call::media::Source;
pub use config::{Account, Config, IceMode, Relays, Server, SipUri, TurnServer, Uri};
pub use crypto::Secret;
pub use event::{
    By, CallId, Candidate, CandidateKind, EndReason, Event, Explanation, Fate, PairReport,
    PairState, Path, Reason, Stats,
};
pub use phone::{CallError, Phone};
