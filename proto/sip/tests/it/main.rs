//! Tests of the crate from outside.

#![expect(clippy::unwrap_used, reason = "tests panic by unwrapping, their helpers too")]

mod properties;
mod torture;
