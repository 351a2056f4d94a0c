//! The simulated internet, seen through a machine that does what it is told.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod capture;
mod faults;
mod gateways;
mod links;
mod nats;
mod paused;
mod properties;
mod slides;
mod streams;
mod talker;
