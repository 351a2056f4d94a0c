//! `wayleave call` and `wayleave answer`: the phone on real sockets.

pub mod answer;
pub mod args;
pub mod call;
mod line;
mod pins;
mod record;
