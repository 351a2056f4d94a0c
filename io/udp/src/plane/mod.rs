//! The data plane: threads that receive, forward by a [`relay::Table`] and send, without asking
//! anyone; what they cannot decide goes to whoever controls the flows.
//!
//! Each thread, a *shard*, has a replica of the table and waits for its own sockets. A socket that
//! many clients send to ([`SharedUdp`](machine::BindKind::SharedUdp)) exists once in each shard, and the kernel spreads
//! the clients over them; the socket of a relayed address ([`RelayUdp`](machine::BindKind::RelayUdp)) belongs to one.
//! Any thread sends from any socket.
//!
//! It is for Linux alone; elsewhere [`Plane::start`] says `Unsupported`, and whoever asked forwards
//! without one.

#![cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "what only shards use"))]

mod incoming;

#[cfg(target_os = "linux")]
mod budget;
#[cfg(target_os = "linux")]
mod handle;
#[cfg(target_os = "linux")]
mod mailbox;
#[cfg(target_os = "linux")]
mod outgoing;
#[cfg(target_os = "linux")]
mod shard;
#[cfg(target_os = "linux")]
mod sock;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod sys;

#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod handle;

use machine::{Entropy, Instant};

pub use handle::Plane;
pub use incoming::{Arrival, Arrivals, Incoming};

/// How a plane is made.
#[derive(Clone, Debug)]
pub struct PlaneConfig {
    /// How many threads; 0 means one a core.
    pub shards: usize,
    /// The clock that the flows' ends are told by.
    pub clock: fn() -> Instant,
    /// Keys of the tables' hashes, and transaction ids.
    pub entropy: Entropy,
}

#[cfg(target_os = "linux")]
impl PlaneConfig {
    fn count(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        if self.shards == 0 { cores() } else { self.shards }
    }

    /// How many connected sockets a shard may have: most descriptors are for relayed addresses.
    fn connections(&self) -> usize {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        limit / crate::defaults::CONNECTED_SHARE / self.count()
    }
}

/// What a plane has done, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneCounters {
    /// What its tables have done.
    pub relay: relay::Counters,
    /// Binding requests answered.
    pub bindings: u64,
    /// Binding requests not answered, because their prefix had had its share.
    pub bindings_limited: u64,
    /// Datagrams handed to control.
    pub control: u64,
    /// Datagrams for control that found its queue full.
    pub control_dropped: u64,
    /// Datagrams that the kernel had no room for, or refused.
    pub send_failed: u64,
}

impl PlaneCounters {
    const LEN: usize = relay::Counters::LEN + 5;

    fn to_array(self) -> [u64; Self::LEN] {
        let own = [
            self.bindings,
            self.bindings_limited,
            self.control,
            self.control_dropped,
            self.send_failed,
        ];
        let mut numbers = own.into_iter().chain(self.relay.to_array());
        std::array::from_fn(|_| numbers.next().unwrap_or_default())
    }

    fn from_array(array: [u64; Self::LEN]) -> Self {
        let [bindings, bindings_limited, control, control_dropped, send_failed, relay @ ..] = array;
        let relay = relay::Counters::from_array(relay);
        Self { relay, bindings, bindings_limited, control, control_dropped, send_failed }
    }

    fn plus(self, other: Self) -> Self {
        let mut sum = self.to_array();
        sum.iter_mut().zip(other.to_array()).for_each(|(a, b)| *a = a.wrapping_add(b));
        Self::from_array(sum)
    }
}
