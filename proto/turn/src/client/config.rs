//! Where a client asks for an allocation, and what it asks for.

use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Transport};
use stun::{Credentials, Timing};

use crate::attribute::{Family, RelayTransport};
use crate::client::defaults::STAGGER;

/// A server, reached over one transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its address.
    pub endpoint: Endpoint,
    /// How it is reached.
    pub transport: Transport,
    /// The name that its certificate must carry, for TLS.
    pub name: String,
}

impl Server {
    /// A server over UDP.
    #[must_use]
    pub const fn udp(endpoint: Endpoint) -> Self {
        Self { endpoint, transport: Transport::Udp, name: String::new() }
    }

    /// A server over TCP.
    #[must_use]
    pub const fn tcp(endpoint: Endpoint) -> Self {
        Self { endpoint, transport: Transport::Tcp, name: String::new() }
    }

    /// A server over TLS, whose certificate carries `name`.
    #[must_use]
    pub fn tls(endpoint: Endpoint, name: impl Into<String>) -> Self {
        Self { endpoint, transport: Transport::Tls, name: name.into() }
    }
}

impl std::fmt::Display for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let transport = match self.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        };
        write!(f, "{} over {transport}", self.endpoint)
    }
}

/// The families of the relayed addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// One, of IPv4.
    #[default]
    V4,
    /// One, of IPv6.
    V6,
    /// One of each; what the server has if it has but one (RFC 8656 §7.1).
    Both,
}

impl Families {
    /// The family that an allocation cannot do without.
    #[must_use]
    pub const fn first(self) -> Family {
        match self {
            Self::V4 | Self::Both => Family::V4,
            Self::V6 => Family::V6,
        }
    }
}

/// What a client asks for, and where.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers in order of preference. Each is tried when the one before failed, or after
    /// [`stagger`](Self::stagger).
    pub servers: Vec<Server>,
    /// User name and password; without them only a server that wants none will do.
    pub credentials: Option<Credentials>,
    /// The local address to use; every address if there is none.
    pub local: Option<IpAddr>,
    /// The interface to use (its index), as link-local addresses need it.
    pub interface: Option<u32>,
    /// The families of the relayed addresses.
    pub families: Families,
    /// What the relay speaks with peers: UDP, or TCP (RFC 6062), which takes a server that is reached
    /// over TCP or TLS.
    pub relay: RelayTransport,
    /// The lifetime to ask for; the server's own if there is none.
    pub lifetime: Option<Duration>,
    /// Whether the allocation shall survive a change of the client's address (RFC 8016), where the
    /// server grants it.
    pub mobility: bool,
    /// Whether what is sent to peers shall not be fragmented, where the server can do that.
    pub dont_fragment: bool,
    /// An even port, and whether to reserve the next one.
    pub even_port: Option<bool>,
    /// The token of a port that was reserved; it holds only on the server that gave it.
    pub reservation: Option<[u8; 8]>,
    /// The time between the start of one attempt and that of the next.
    pub stagger: Duration,
    /// Retransmission over UDP.
    pub timing: Timing,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            credentials: None,
            local: None,
            interface: None,
            families: Families::V4,
            relay: RelayTransport::Udp,
            lifetime: None,
            mobility: false,
            dont_fragment: false,
            even_port: None,
            reservation: None,
            stagger: STAGGER,
            timing: Timing::UDP,
        }
    }
}
