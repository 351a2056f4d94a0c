//! Whole servers and clients, each without a world, and with each other in one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod client_chaos;
mod client_login;
mod client_rig;
mod client_session;
mod client_world;
mod server_abuse;
mod server_life;
mod server_login;
mod server_model;
mod server_presence;
mod server_rig;
mod server_roster;
mod server_routing;
mod server_subscription;
