//! The TURN client as a value (RFC 8656, RFC 6062, RFC 8016).
//!
//! A [`Client`] gets one allocation. It is given the servers that could have it, tries them in order
//! and a little staggered, UDP before TCP before TLS as its owner lists them, keeps the first that
//! answers and releases the others. It keeps the allocation, its permissions and its channels alive
//! until it is closed.
//!
//! It is a [`machine::Machine`], for a driver of its own or as a part of another machine: its names
//! come out of the [`Ids`] that it is given, and [`Client::owns`] tells which inputs are its own.
//!
//! The payload of [`Event::Received`] and [`Event::PeerData`] comes in the buffer of
//! [`poll_output`](machine::Machine::poll_output), as that of a datagram does: nothing is allocated
//! for a packet.
//!
//! [`Ids`]: machine::Ids
//!
//! | module | what |
//! |---|---|
//! | [`config`] | [`Config`], [`Server`]: where to ask for what |
//! | [`event`] | [`Event`], [`Allocation`], [`Failure`] |
//! | [`defaults`] | limits and timeouts, each with its reason |
//! | `finder` | [`Client`]: servers in order, the first that answers wins |
//! | `session` | one server over one transport |

pub mod config;
pub mod defaults;
pub mod event;

mod finder;
mod session;

pub use config::{Config, Families, Server};
pub use event::{Allocation, Cause, Event, Failure, SendError};
pub use finder::Client;
