//! The topologies of the talk as values, and calls across them.
//!
//! A scenario puts the network core ([`server::Server`]) and two phones ([`phone::Phone`]) into a
//! simulated internet ([`netsim::World`]), lets Alice call Bob, and reports what happened. It knows
//! no protocol: what it sees are the events of the machines and the packets on the wires.
//!
//! | module | what |
//! |---|---|
//! | [`spec`] | [`Spec`]: who is behind what, how far away, with how much loss |
//! | [`topology`] | [`Topology`]: the hosts and NATs with the addresses of the talk |
//! | [`call`](mod@call) | [`run`]: the call, told as it happens; [`Report`]: what came of it |
//! | [`node`] | [`Node`]: the machines that live in such a world, as one type |

pub mod call;
pub mod node;
mod registry;
pub mod spec;
pub mod topology;

pub use call::{Hearing, Report, Side, Signalling, Told, What, run};
pub use gateway::Behaviour;
pub use netsim::{Access, Preset};
pub use node::{Node, Who};
pub use spec::{HangUp, Spec, Via};
pub use topology::Topology;
