//! The data plane: threads that receive, forward by a [`relay::Table`] and send, without asking
//! anyone; what they cannot decide goes to whoever controls the flows.
//!
//! Each thread, a *shard*, has a replica of the table and waits for its own sockets. A socket that
//! many clients send to ([`BindKind::SharedUdp`]) exists once in each shard, and the kernel spreads
//! the clients over them; the socket of a relayed address ([`BindKind::RelayUdp`]) belongs to one.
//! Any thread sends from any socket.

mod incoming;

use std::io;
use std::net::UdpSocket;

use machine::{BindKind, Endpoint, Entropy, Id, Instant};

pub use incoming::{Arrival, Arrivals, Incoming};

use crate::Transmit;

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

/// What a plane has done, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneCounters {
    /// What its tables have done.
    pub relay: relay::Counters,
    /// Binding requests answered.
    pub bindings: u64,
    /// Datagrams handed to control.
    pub control: u64,
    /// Datagrams for control that found its queue full.
    pub control_dropped: u64,
    /// Datagrams that the kernel had no room for, or refused.
    pub send_failed: u64,
}

/// The data plane. Clones are handles of the same one; its threads end with the last of them.
#[derive(Clone, Debug)]
pub struct Plane {}

impl Plane {
    /// Starts the threads; what they cannot decide comes out of the [`Incoming`].
    ///
    /// # Errors
    /// What the operating system says; `Unsupported` where there is no data plane for it.
    pub fn start(_config: PlaneConfig) -> io::Result<(Self, Incoming)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Binds a socket of kind [`BindKind::SharedUdp`] or [`BindKind::RelayUdp`] to `local`, only on
    /// `interface` (its index) if one is given; says the address that was bound.
    ///
    /// # Errors
    /// What the operating system says; `InvalidInput` for any other kind.
    pub fn bind(
        &self,
        _id: Id,
        _kind: BindKind,
        _local: Endpoint,
        _interface: Option<u32>,
    ) -> io::Result<Endpoint> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes over a socket that is bound already, an inherited one for example. It belongs to one
    /// shard, whatever its kind.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn adopt(&self, _id: Id, _kind: BindKind, _socket: UdpSocket) -> io::Result<Endpoint> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Closes a socket. Its port is free once every shard has let go of it, a moment later.
    pub fn close(&self, _id: Id) {}

    /// Sends a datagram or a train from the socket `id`, at once. With `dont_fragment`, one that is
    /// too large for a path comes back as an [`Arrival::Unreachable`].
    ///
    /// # Errors
    /// What [`Socket::send`](crate::Socket::send) says, and `NotFound` for a socket that is closed.
    pub fn send(
        &self,
        _id: Id,
        _transmit: Transmit<'_>,
        _dont_fragment: bool,
    ) -> io::Result<usize> {
        Err(io::ErrorKind::NotFound.into())
    }

    /// Tells every shard of a change. No packet that arrives after this returns is forwarded by what
    /// was before.
    pub fn apply(&self, _change: relay::Change) {}

    /// What it has done, ever.
    #[must_use]
    pub fn counters(&self) -> PlaneCounters {
        PlaneCounters::default()
    }
}
