//! The whole user agent as one machine: accounts and their registrations, calls, media.
//!
//! A [`Phone`] joins parts that are told apart by the namespace of their ids: signalling (`sip::ua`
//! for all accounts of SIP, an `xmpp::client` for each account of XMPP), paths (`connect`), and a
//! `call::Call` for each call. Media are part of it: sound goes in as samples with [`Phone::call`] and
//! [`Phone::answer`], and comes out as [`Event::Heard`].
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`], [`Account`] |
//! | [`address`] | [`Address`], [`Target`]: who we are, whom we call, in either protocol |
//! | [`event`] | [`Event`] |
//! | `reason` | [`EndReason`], [`RegistrationError`]: why calls end and registrations fail |
//! | `phone` | [`Phone`]: the verbs, and the joining of the parts |
//! | `account` | one account at work |
//! | `settings` | what an account's calls need to know |
//! | `session` | one call: its signalling, its description, its media |
//! | `signalling` | a call's signalling: by SIP, by Jingle |
//! | `user_agent` | what the events of SIP's user agent mean |
//! | `client` | what the events of XMPP's clients mean; messages, presence |
//! | `steps` | what the steps of Jingle's sessions mean for calls |
//! | `proposals` | calls of ours before there is a session |
//! | `invitations` | calls that are proposed to us by message |
//! | `endings` | how calls over Jingle end |
//! | `capacity` | how many calls there may be |
//! | `routing` | what comes in goes to the part that it is for |
//! | `stop` | the end of a phone |
//! | `keepalive` | STUN on the signalling flow |
//! | [`defaults`] | limits and timeouts |

mod account;
pub mod address;
mod capacity;
mod client;
pub mod config;
pub mod defaults;
mod endings;
pub mod event;
mod invitations;
mod keepalive;
mod phone;
mod proposals;
mod reason;
mod routing;
mod session;
mod settings;
mod signalling;
mod steps;
mod stop;
mod user_agent;

pub use address::{Address, Protocol, Target};
pub use call::media::Source;
pub use client::MessageError;
pub use config::{
    Account, BareJid, Config, FullJid, IceMode, Jid, Relays, Server, SipUri, TurnServer, Uri,
};
pub use crypto::Secret;
pub use event::{
    By, CallId, Candidate, CandidateKind, Condition, EndKind, EndReason, Event, Explanation, Fate,
    JingleEnd, MessageId, PairReport, PairState, Path, Reason, RegistrationError,
    RegistrationErrorKind, Stats,
};
pub use phone::{CallError, Phone};
