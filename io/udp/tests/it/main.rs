//! The data plane on loopback.

mod allocations;
mod plane;
mod world;
