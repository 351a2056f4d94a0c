//! UDP sockets as machines want them: the address that a datagram was sent to is known (RFC 3542,
//! `IP_PKTINFO`), the address that it is sent from can be chosen, several travel in one system
//! call, and trains of equal datagrams travel as one (GSO and GRO) where the kernel can.
//!
//! [`Plane`] is the data plane of relays: threads that forward packets by a [`relay::Table`] without
//! asking anyone.
//!
//! No async runtime here: a [`Socket`] never blocks, and whoever owns it waits for its descriptor.

mod batch;
pub mod defaults;
mod icmp;
mod plane;
mod socket;

pub use batch::{Batch, Received};
pub use icmp::Unreachable;
pub use plane::{Arrival, Arrivals, Incoming, Plane, PlaneConfig, PlaneCounters};
pub use socket::{Socket, Transmit};
