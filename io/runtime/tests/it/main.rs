//! The driver on loopback, with a machine that does as it is told and tells what it sees.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate wayleave_runtime as runtime;

mod clock;
mod dns;
#[cfg(target_os = "linux")]
mod elsewhere;
#[cfg(target_os = "linux")]
mod exhausted;
#[cfg(unix)]
mod inherited;
#[cfg(target_os = "linux")]
mod narrow;
mod paused;
mod plane;
mod probe;
mod relaying;
mod stop;
mod tcp;
mod tls;
mod udp;
mod world;
