//! `wayleave call` and `wayleave answer`: the phone on real sockets.

pub mod answer;
mod args;
pub mod call;
mod line;
mod record;
