//! The server and the client in the simulated internet.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate wayleave_turn as turn;

mod client_life;
mod client_recovery;
mod client_script;
mod client_server;
mod client_world;
mod server_allocation;
mod server_auth;
mod server_errors;
mod server_interleavings;
mod server_limits;
mod server_mobility;
#[path = "../../../../fuzz/src/turn.rs"]
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
mod server_model;
mod server_rig;
mod server_safety;
mod server_streams;
mod server_tcp;
