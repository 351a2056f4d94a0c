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
//! | [`address`] | [`Address`], [`Target`]: who we are, whom we call, in either protocol |
//! | [`event`] | [`Event`] |
//! | `reason` | [`EndReason`], [`RegistrationError`]: why calls end and registrations fail |
//! | `phone` | [`Phone`]: the verbs, and the joining of the parts |
//! | `signalling` | what the user agent's events mean for calls |
//! | `session` | one call: its signalling, its description, its media |
//! | `keepalive` | STUN on the signalling flow |
//! | [`defaults`] | limits and timeouts |

mod account;
pub mod address;
mod client;
pub mod config;
pub mod defaults;
pub mod event;
mod invitations;
mod jingle;
mod keepalive;
mod phone;
mod reason;
mod session;
mod settings;
mod signalling;
mod user_agent;

pub use address::{Address, Protocol, Target};
pub use call::media::Source;
pub use client::MessageError;
pub use config::{
    Account, BareJid, Config, FullJid, IceMode, Jid, Relays, Server, SipUri, TurnServer, Uri,
};
pub use crypto::Secret;
pub use event::{
    By, CallId, Candidate, CandidateKind, EndKind, EndReason, Event, Explanation, Fate, JingleEnd,
    MessageId, PairReport, PairState, Path, Reason, RegistrationError, RegistrationErrorKind,
    Stats,
};
pub use phone::{CallError, Phone};
