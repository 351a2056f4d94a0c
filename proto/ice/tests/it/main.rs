//! Two agents back to back, in virtual time.

#![expect(clippy::unwrap_used, reason = "the world of these tests is made of literals")]

mod basics;
mod failure;
mod limits;
mod nat;
mod operations;
mod peers;
mod refusals;
mod relay;
mod restart;
mod roles;
mod trickle;
mod world;
