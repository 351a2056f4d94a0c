//! What a survey finds out behind every kind of NAT that the simulator has.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod ground;
mod kinds;
