//! The shape holds: one machine that uses every kind of input and output runs unchanged in the
//! simulator and on tokio.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod exerciser;
mod on_tokio;
mod simulated;
