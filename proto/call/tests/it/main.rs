//! What the crate promises as a whole: calls between two hosts on a small network of virtual time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod calls;
mod network;
