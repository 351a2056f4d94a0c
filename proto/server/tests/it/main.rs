//! The core in the simulated internet: phones behind NATs, strangers, restarts.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod calls;
mod discovery;
mod lab;
mod messaging;
mod refusals;
mod registrations;
mod relay_client;
mod relaying;
mod starting;
