//! `Connect` on hosts of the simulated internet.

#![expect(clippy::unwrap_used, reason = "the worlds of these tests are made of literals")]

mod data;
mod gathering;
mod limits;
mod matrix;
mod operations;
mod paths;
mod plain;
mod relayed;
mod town;
