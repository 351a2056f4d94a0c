//! What is known of a gateway, and what is wrong with it.

use std::net::IpAddr;
use std::time::Duration;

use machine::AddressClass;

use crate::Protocol;
use crate::upnp::igd::ConnectionStatus;

/// A gateway, as one protocol shows it. A router that speaks several shows several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address inside.
    pub address: IpAddr,
    /// Our address towards it.
    pub local: IpAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its address outside, as far as it has told: PCP tells with a mapping only.
    pub external: Option<IpAddr>,
    /// For how long it has held its mappings, as it said last: the epoch of PCP and NAT-PMP, the
    /// uptime of UPnP's connection.
    pub epoch: Option<Duration>,
    /// What else it tells.
    pub details: Option<Details>,
    /// What is wrong with it.
    pub trouble: Option<Trouble>,
}

/// What a gateway tells of itself by UPnP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// The version of InternetGatewayDevice, 1 or 2.
    pub version: u8,
    /// What people call it.
    pub friendly_name: String,
    /// Who made it.
    pub manufacturer: String,
    /// What model it is.
    pub model: String,
    /// The type of the service that maps ports, if it has one.
    pub service: Option<String>,
    /// Whether its connection stands.
    pub status: Option<ConnectionStatus>,
    /// Whether it opens pinholes for IPv6; `None` where it has no such service.
    pub pinholes: Option<bool>,
}

/// Why a mapping at a gateway does not let the world in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It has no address outside.
    #[error("the router is not connected: it has no address outside")]
    NotConnected,
    /// Its address outside is private: there is another NAT before it.
    #[error("the router's address outside, {0}, is private: there is another NAT behind it")]
    PrivateExternal(IpAddr),
    /// Its address outside is one of those between providers and their customers (RFC 6598).
    #[error("the router's address outside, {0}, is shared: the provider has a NAT of its own")]
    CarrierNat(IpAddr),
    /// The world sees us at another address than its own: there is another NAT before it.
    #[error("the router's address outside is {external}, but the world sees {reflexive}")]
    OtherExternal {
        /// The gateway's address outside.
        external: IpAddr,
        /// What a STUN server sees.
        reflexive: IpAddr,
    },
}

impl Trouble {
    /// What is wrong with a gateway whose address outside is `external`.
    #[must_use]
    pub fn of(external: IpAddr) -> Option<Self> {
        match AddressClass::of(external) {
            AddressClass::Unspecified => Some(Self::NotConnected),
            AddressClass::SharedCgn => Some(Self::CarrierNat(external)),
            class if class.is_public() => None,
            _ => Some(Self::PrivateExternal(external)),
        }
    }
}

impl Gateway {
    /// What is wrong with it, as somebody sees it whom a STUN server sees at `reflexive`.
    #[must_use]
    pub fn trouble_against(&self, reflexive: IpAddr) -> Option<Trouble> {
        self.trouble.or_else(|| {
            let external = self.external?;
            let comparable = external.is_ipv4() == reflexive.is_ipv4();
            (comparable && external != reflexive)
                .then_some(Trouble::OtherExternal { external, reflexive })
        })
    }
}
