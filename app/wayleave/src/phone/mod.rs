//! `wayleave call`, `wayleave answer` and `wayleave chat`: the phone on real sockets.

mod absent;
pub mod account;
pub mod answer;
pub mod args;
pub mod call;
pub mod chat;
mod line;
mod pins;
mod record;
