//! The actions of an Internet Gateway Device, typed: WANIPConnection:1 and :2, WANPPPConnection:1 and
//! WANIPv6FirewallControl:1.

pub mod code;
#[cfg(test)]
mod tests;
mod wire;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use machine::Transport;

/// Device and service types.
pub mod kind {
    /// The root device, version 1.
    pub const GATEWAY_1: &str = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
    /// The root device, version 2.
    pub const GATEWAY_2: &str = "urn:schemas-upnp-org:device:InternetGatewayDevice:2";
    /// The device of the WAN side, version 1.
    pub const WAN_1: &str = "urn:schemas-upnp-org:device:WANDevice:1";
    /// The device of the WAN side, version 2.
    pub const WAN_2: &str = "urn:schemas-upnp-org:device:WANDevice:2";
    /// The device of one connection of it, version 1.
    pub const CONNECTION_1: &str = "urn:schemas-upnp-org:device:WANConnectionDevice:1";
    /// The device of one connection of it, version 2.
    pub const CONNECTION_2: &str = "urn:schemas-upnp-org:device:WANConnectionDevice:2";
    /// Port mappings over IP, version 1.
    pub const WAN_IP_1: &str = "urn:schemas-upnp-org:service:WANIPConnection:1";
    /// Port mappings over IP, version 2: AddAnyPortMapping.
    pub const WAN_IP_2: &str = "urn:schemas-upnp-org:service:WANIPConnection:2";
    /// Port mappings over PPP.
    pub const WAN_PPP_1: &str = "urn:schemas-upnp-org:service:WANPPPConnection:1";
    /// Pinholes in an IPv6 firewall.
    pub const FIREWALL_1: &str = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1";
}

/// A port mapping, as it is asked for and listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// Who may come in; `None`: everybody.
    pub remote_host: Option<IpAddr>,
    /// The port outside.
    pub external_port: u16,
    /// UDP or TCP.
    pub transport: Transport,
    /// The port inside.
    pub internal_port: u16,
    /// The host inside; text, since routers also list names.
    pub internal_client: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// Whose it is.
    pub description: String,
    /// For how long; zero: until it is removed.
    pub lease: Duration,
}

/// An action with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// What is the address outside?
    ExternalIpAddress,
    /// Is it connected, since when?
    StatusInfo,
    /// Open exactly this port.
    AddPortMapping(PortMapping),
    /// Open this port or another one (WANIPConnection:2).
    AddAnyPortMapping(PortMapping),
    /// Close a port.
    DeletePortMapping {
        /// Whom it was opened for.
        remote_host: Option<IpAddr>,
        /// The port outside.
        external_port: u16,
        /// UDP or TCP.
        transport: Transport,
    },
    /// What is the mapping of this place in the list?
    GenericPortMappingEntry {
        /// The place, from 0.
        index: u16,
    },
    /// What is the mapping of this port?
    SpecificPortMappingEntry {
        /// Whom it was opened for.
        remote_host: Option<IpAddr>,
        /// The port outside.
        external_port: u16,
        /// UDP or TCP.
        transport: Transport,
    },
    /// Is the IPv6 firewall on?
    FirewallStatus,
    /// Let packets to this address in.
    AddPinhole {
        /// The host inside.
        internal_client: Ipv6Addr,
        /// Its port.
        internal_port: u16,
        /// UDP or TCP.
        transport: Transport,
        /// For how long.
        lease: Duration,
    },
    /// Keep a pinhole open.
    UpdatePinhole {
        /// Its name.
        id: u16,
        /// For how long from now.
        lease: Duration,
    },
    /// Close a pinhole.
    DeletePinhole {
        /// Its name.
        id: u16,
    },
}

/// What an action gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The address outside; `None`: it has none.
    ExternalIpAddress(Option<IpAddr>),
    /// Whether it is connected.
    StatusInfo(StatusInfo),
    /// AddPortMapping, DeletePortMapping, UpdatePinhole, DeletePinhole: it is done.
    Done,
    /// AddAnyPortMapping: the port that was opened.
    Reserved(u16),
    /// The mapping that was asked about.
    Entry(PortMapping),
    /// Whether the IPv6 firewall is on.
    FirewallStatus(FirewallStatus),
    /// AddPinhole: the pinhole's name.
    Pinhole(u16),
}

/// The answer of GetStatusInfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusInfo {
    /// What the connection does.
    pub status: ConnectionStatus,
    /// Why it last failed, `ERROR_NONE` if it did not.
    pub last_error: String,
    /// For how long it has been connected.
    pub uptime: Duration,
}

/// What a connection does (WANIPConnection:2 §2.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// It is up.
    Connected,
    /// It comes up.
    Connecting,
    /// It is down.
    Disconnected,
    /// Something else: unconfigured, disconnecting, or a vendor's own.
    Other(String),
}

/// The answer of GetFirewallStatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirewallStatus {
    /// Whether the firewall is on.
    pub enabled: bool,
    /// Whether hosts inside may open pinholes.
    pub pinholes_allowed: bool,
}

/// Why a call or its answer was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not an action of these services.
    #[error("no such action: {0}")]
    NoSuchAction(String),
    /// An argument is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An argument is not what it must be.
    #[error("{name} cannot be {value:?}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// What stood there.
        value: String,
    },
}
