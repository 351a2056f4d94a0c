//! The client of port mapping against gateways that behave well and badly.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod home;
mod honest;
mod hostile;
mod partial;
