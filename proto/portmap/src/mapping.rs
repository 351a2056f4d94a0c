//! What a mapping is, whatever asked for it, and what is asked for.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Transport};

use crate::defaults::LIFETIME;

/// What a gateway is asked by, the preferred first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// The Port Control Protocol (RFC 6887).
    Pcp,
    /// NAT-PMP (RFC 6886).
    NatPmp,
    /// UPnP Internet Gateway Device.
    Upnp,
}

impl Protocol {
    /// All of them, the preferred first.
    pub const ALL: [Self; 3] = [Self::Pcp, Self::NatPmp, Self::Upnp];

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A way in that a gateway holds open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What it was asked by.
    pub protocol: Protocol,
    /// The gateway's address inside.
    pub gateway: IpAddr,
    /// UDP or TCP.
    pub transport: Transport,
    /// The address inside that packets are sent on to.
    pub internal: Endpoint,
    /// The address outside that packets come in at. Through a firewall without translation, as IPv6
    /// has them, it is the one inside.
    pub external: Endpoint,
    /// For how long it was granted; `None`: until somebody removes it.
    pub lease: Option<Duration>,
}

/// The name of a mapping that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MappingId(pub(crate) u64);

/// A mapping that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// UDP or TCP; TLS is TCP.
    pub transport: Transport,
    /// The address inside that packets shall be sent on to: one of ours. An unspecified address
    /// stands for ours towards the gateway.
    pub internal: Endpoint,
    /// The port outside that is wanted; the one inside if none is named.
    pub external_port: Option<u16>,
    /// The address outside that is wanted, where the gateway has several.
    pub external_ip: Option<IpAddr>,
    /// For how long at a time; renewed until it is not wanted any more.
    pub lifetime: Duration,
    /// Rather no mapping than one with another port or address outside (RFC 6887 §13.2).
    pub prefer_failure: bool,
    /// A mapping towards this peer alone (RFC 6887 §12), which only PCP has.
    pub peer: Option<Endpoint>,
    /// What to ask by; the best that answers if none is named.
    pub protocol: Option<Protocol>,
}

impl Request {
    /// A way in to `internal`, at the same port outside if that is to be had.
    #[must_use]
    pub const fn new(transport: Transport, internal: Endpoint) -> Self {
        Self {
            transport,
            internal,
            external_port: None,
            external_ip: None,
            lifetime: LIFETIME,
            prefer_failure: false,
            peer: None,
            protocol: None,
        }
    }
}
