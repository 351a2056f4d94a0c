//! Flows: where messages come from and go to (RFC 5626 §2).

use machine::{Endpoint, Id, Transport};
use serde::{Deserialize, Serialize};

use crate::header::Protocol;

/// A bidirectional stream of messages between two transport addresses: a UDP address pair on one
/// of our sockets, or one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// The UDP socket, or the connection.
    pub id: Id,
    /// Our side's address.
    pub local: Endpoint,
    /// The peer's address, as we see it.
    pub remote: Endpoint,
}

impl Flow {
    /// Whether the transport delivers in order and without loss, so that transactions over it need
    /// no retransmission (RFC 3261 §17.1.1.2).
    #[must_use]
    pub const fn is_reliable(&self) -> bool {
        is_reliable(self.transport)
    }
}

/// Whether `transport` is a stream.
#[must_use]
pub const fn is_reliable(transport: Transport) -> bool {
    !matches!(transport, Transport::Udp)
}

/// The name of `transport` in a Via header.
#[must_use]
pub const fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Udp => Protocol::Udp,
        Transport::Tcp => Protocol::Tcp,
        Transport::Tls => Protocol::Tls,
    }
}

/// The name of `transport` in a URI's `transport` parameter.
#[must_use]
pub const fn uri_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
    }
}
