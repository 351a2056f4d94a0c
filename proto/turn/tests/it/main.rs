//! The server and the client in the simulated internet.

mod client_life;
mod client_recovery;
mod client_script;
