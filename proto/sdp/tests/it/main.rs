//! What the crate promises as a whole.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod edits;
mod offers;
mod properties;
