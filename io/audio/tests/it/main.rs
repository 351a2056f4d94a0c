//! What the crate promises as a whole.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compare;
mod files;
