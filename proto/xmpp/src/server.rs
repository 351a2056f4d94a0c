//! A whole XMPP server of one domain, as a value (RFC 6120 §10, RFC 6121).
//!
//! [`Server`] is a [`machine::Machine`]. It owns the listeners and the clients' connections, logs
//! clients in, binds their resources, keeps who is available and to whom that is told, and routes
//! stanzas inside the domain. Keys and rosters are the world's: it asks for them ([`Question`]), and
//! acknowledges no change of a roster before the world says that it is kept.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`], [`Listener`], [`Limits`] |
//! | [`defaults`] | limits and timeouts, each with its reason |
//! | [`event`] | [`Event`], [`Question`], [`Answer`], [`ScramKeys`], [`RosterItem`] |
//! | [`stats`] | [`Stats`], [`Refusal`]: what was counted |
//! | [`subscription`] | the states of a subscription, and what changes them |
//!
//! Other domains are no part of it yet: what is meant for them is refused with
//! `remote-server-not-found` in one place, where federation comes in.

pub mod config;
pub mod defaults;
pub mod event;
pub mod stats;
pub mod subscription;

mod account;
mod attempts;
mod bind;
mod broadcast;
mod change;
mod connection;
mod control;
mod copies;
mod login;
mod presence;
mod roster;
mod route;
mod service;
mod strangers;
mod subscribe;
mod task;

pub use config::{Config, Limits, Listener};
pub use control::Server;
pub use event::{Answer, Cause, Event, Question, RosterItem, ScramKey, ScramKeys, Subscription};
pub use stats::{Refusal, Stats};
