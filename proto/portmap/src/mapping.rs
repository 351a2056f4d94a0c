//! What a mapping is, whatever asked for it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Transport};

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

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcp => "PCP",
            Self::NatPmp => "NAT-PMP",
            Self::Upnp => "UPnP",
        })
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
    /// The address outside that packets come in at.
    pub external: Endpoint,
    /// For how long it was granted; `None`: until somebody removes it.
    pub lease: Option<Duration>,
}
