//! Transport and transactions as one part (RFC 3261 §17, §18), in one namespace of ids.
//!
//! The owner hands a [`Stack`] the inputs of its namespace and its timeouts, forwards its outputs,
//! and drains [`poll_event`](Stack::poll_event) after each. Everything that a user agent or a
//! proxy does goes through the verbs here.

mod event;

pub use event::{Event, Failure, Target, TransactionId};
