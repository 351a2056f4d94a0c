//! One stream (RFC 6120 §4 to §7), from either end.
//!
//! Both ends are parts that return values: bytes, answers and the time in; [`server::Action`]s or
//! [`client::Action`]s out, in order. Each is an enum of states that carry what is true in them: the
//! user is known from authentication on, the full JID from binding on, so a stanza cannot come out
//! of a stream that has none. A restart (after STARTTLS and after SASL) makes a new parser.

pub mod client;
mod error;
mod features;
pub mod server;

pub use error::{Condition, StreamError};
pub use features::Features;
