//! Published vectors, and behaviour discovery in the simulated internet, through the public interface.

#![expect(clippy::unwrap_used, reason = "a test fails by panic")]

mod discovery;
mod lab;
mod rfc_5769;
mod rfc_8489;
