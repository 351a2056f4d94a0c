//! The TURN server as a value (RFC 8656 with RFC 5766 clients, RFC 6062, RFC 8016).
//!
//! [`Server`] is a [`machine::Machine`]. It owns the listeners, the allocations with their relayed
//! addresses, permissions and channels, and forwards what no data plane took off its hands. Every
//! change of who may send what to whom leaves as an [`Event::Relay`], before the response that makes
//! it known.
//!
//! It asks the world one thing, the keys of a user ([`Question`]), and only for a client that has
//! proven its address by echoing a nonce. For whoever has not it keeps nothing and answers little.
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`]: realms, listeners, relayed addresses, whom to refuse, limits |
//! | [`event`] | [`Event`], [`Question`], [`Answer`], [`Keys`] |
//! | [`stats`] | [`Stats`], [`Refusal`]: what was counted |
//! | [`defaults`] | limits and timeouts, each with its reason |

pub mod config;
pub mod defaults;
pub mod event;
pub mod stats;

mod admit;
mod allocate;
mod allocation;
mod answers;
mod base64;
mod bind;
mod control;
mod count;
mod data;
mod gate;
mod keyring;
mod listen;
mod mobility;
mod nonce;
mod origin;
mod peers;
mod permission;
mod ports;
mod proof;
mod refresh;
mod rest;
mod stream;
mod tcp;
mod unproven;

pub use config::{Config, Limits, Listener, Prefix, RelayAddress};
pub use control::Server;
pub use event::{Answer, Event, Keys, Question, Release, User};
pub use stats::{Refusal, Stats};
