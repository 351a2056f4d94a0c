//! What was found out.

use std::net::IpAddr;

use machine::AddressClass;
use portmap::Gateway;
use stun::behaviour::{Filtering, Mapping, Report as Behaviour};

use crate::alg::{self, Alg};
use crate::nat64;

/// All that was found out about what stands between this host and the world.
///
/// `None` and `Err`: unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The server, as it was named; `None`: nobody outside was asked.
    pub server: Option<String>,
    /// Why the server could not be asked.
    pub trouble: Option<String>,
    /// The host's own IPv4 address towards the internet.
    pub address: Option<IpAddr>,
    /// What the server saw over IPv4.
    pub ipv4: Option<Behaviour>,
    /// What the server saw over IPv6.
    pub ipv6: Option<Behaviour>,
    /// Whether the host has an IPv6 address for the world.
    pub has_ipv6: bool,
    /// The prefix of a NAT64; `Some(None)`: there is none.
    pub nat64: Option<Option<nat64::Prefix>>,
    /// Whether TCP to port 443 gets out.
    pub tcp443: Option<bool>,
    /// What becomes of SIP on the way.
    pub alg: Option<Result<Alg, alg::Error>>,
    /// The gateways that speak a protocol of port mapping.
    pub gateways: Vec<Gateway>,
}

/// What IPv6 is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipv6 {
    /// There is no address for the world.
    None,
    /// There is one, and the server, which has IPv6, does not answer.
    Unreachable,
    /// It works; a firewall lets in what was asked for, or nobody knows.
    Works,
    /// It works, and everybody gets in.
    Open,
}

impl Ipv6 {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unreachable => "unreachable",
            Self::Works => "works",
            Self::Open => "open",
        }
    }
}

impl Report {
    /// What IPv6 is good for; `None`: there is an address, and no server to ask.
    #[must_use]
    pub fn ipv6(&self) -> Option<Ipv6> {
        match &self.ipv6 {
            _ if !self.has_ipv6 => Some(Ipv6::None),
            None => None,
            Some(seen) if seen.mapped.is_none() => Some(Ipv6::Unreachable),
            Some(seen) if seen.filtering == Ok(Filtering::EndpointIndependent) => Some(Ipv6::Open),
            Some(_) => Some(Ipv6::Works),
        }
    }

    /// Whether UDP gets out and back, over either family.
    #[must_use]
    pub fn udp(&self) -> Option<bool> {
        let seen = [&self.ipv4, &self.ipv6];
        let mut answered = seen.into_iter().flatten().map(|seen| seen.mapped.is_some()).peekable();
        answered.peek()?;
        Some(answered.any(|answered| answered))
    }

    /// What mappings depend on, over IPv4.
    #[must_use]
    pub fn mapping(&self) -> Option<Mapping> {
        self.ipv4.as_ref()?.mapping.clone().ok()
    }

    /// Whose packets come in, over IPv4.
    #[must_use]
    pub fn filtering(&self) -> Option<Filtering> {
        self.ipv4.as_ref()?.filtering.clone().ok()
    }

    /// The address that the server sees over IPv4.
    #[must_use]
    pub fn outside(&self) -> Option<IpAddr> {
        self.ipv4.as_ref()?.mapped.map(|mapped| mapped.ip())
    }

    /// Whether there is more than one NAT in a row: a gateway's address outside is none that the
    /// world knows, or another one than the server sees.
    #[must_use]
    pub fn layers(&self) -> Layers {
        let external = self.gateways.iter().find_map(|gateway| gateway.external);
        let Some(external) = external.filter(|ip| !ip.is_unspecified()) else {
            let shared = self.address.filter(|ip| AddressClass::of(*ip) == AddressClass::SharedCgn);
            return if shared.is_some() { Layers::Carrier } else { Layers::Unknown };
        };
        match AddressClass::of(external) {
            AddressClass::SharedCgn => Layers::Carrier,
            class if !class.is_public() => Layers::Double,
            _ if self.outside().is_some_and(|seen| seen != external) => Layers::Double,
            _ if self.outside().is_some() => Layers::Single,
            _ => Layers::Unknown,
        }
    }

    /// A gateway that can open a way in from the world.
    #[must_use]
    pub fn door(&self) -> Option<&Gateway> {
        let opens = |gateway: &&Gateway| {
            let external = gateway.external.filter(|ip| AddressClass::of(*ip).is_public());
            external.is_some_and(|ip| self.outside().is_none_or(|seen| seen == ip))
        };
        self.gateways.iter().find(opens)
    }
}

/// How many NATs stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// One: the gateway's address outside is what the server sees.
    Single,
    /// Two or more, the outer one at the provider's (RFC 6598).
    Carrier,
    /// Two or more.
    Double,
    /// Nobody told.
    Unknown,
}

impl Layers {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Single => Some("single"),
            Self::Carrier => Some("carrier"),
            Self::Double => Some("double"),
            Self::Unknown => None,
        }
    }
}
