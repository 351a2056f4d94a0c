//! What the client is asked for and what it tells.

use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, Transport};

use crate::Mapping;
use crate::upnp::igd::{ConnectionStatus, FirewallStatus, PortMapping};
use crate::upnp::soap::Fault;
use crate::upnp::{description, http, igd, soap};

/// The name of one thing that was asked of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call(pub(super) u64);

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its address inside.
    pub address: IpAddr,
    /// Our address towards it.
    pub local: IpAddr,
    /// The version of its device type, 1 or 2.
    pub version: u8,
    /// What people call it.
    pub friendly_name: String,
    /// Who made it.
    pub manufacturer: String,
    /// What model it is.
    pub model: String,
    /// Its unique name.
    pub udn: String,
    /// The type of the service that maps ports, if it has one.
    pub connection: Option<String>,
    /// Whether it can open pinholes for IPv6, and what its firewall does.
    pub firewall: Option<FirewallStatus>,
    /// What its connection to the world does.
    pub status: Option<ConnectionStatus>,
    /// For how long it has been connected.
    pub uptime: Option<Duration>,
    /// Its address outside.
    pub external: Option<IpAddr>,
}

/// What is asked of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// UDP or TCP.
    pub transport: Transport,
    /// The address inside that packets are sent on to: one of ours. IPv6 asks for a pinhole.
    pub internal: Endpoint,
    /// The port outside that is wanted; the internal one if none.
    pub external_port: Option<u16>,
    /// For how long.
    pub lease: Duration,
    /// Rather no mapping than one of another port.
    pub prefer_failure: bool,
}

/// What a gateway granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The mapping; of a pinhole, both addresses are the same.
    pub mapping: Mapping,
    /// The name of the pinhole, if it is one.
    pub pinhole: Option<u16>,
    /// The lease that a renewal asks for; zero where the gateway has permanent ones alone.
    pub requested: Duration,
}

/// What the client tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A gateway was found, or looked at again.
    Found(Gateway),
    /// A search has ended.
    Searched,
    /// A gateway restarted: its mappings are gone.
    Restarted {
        /// Its address inside.
        gateway: IpAddr,
    },
    /// A gateway does not answer any more; it has been forgotten, and its calls have failed.
    Lost {
        /// Its address inside.
        gateway: IpAddr,
        /// Why.
        error: Error,
    },
    /// A mapping or pinhole is open.
    Mapped {
        /// What asked for it.
        call: Call,
        /// What was granted.
        granted: Granted,
    },
    /// A mapping or pinhole is gone.
    Unmapped {
        /// What asked for it.
        call: Call,
    },
    /// The mappings of a gateway.
    Listed {
        /// What asked for them.
        call: Call,
        /// Its address inside.
        gateway: IpAddr,
        /// The mappings.
        entries: Vec<PortMapping>,
    },
    /// What was asked was not done.
    Failed {
        /// What was asked.
        call: Call,
        /// The gateway's address inside.
        gateway: IpAddr,
        /// Why.
        error: Error,
    },
    /// Something that answered a search was not listened to.
    Refused {
        /// Its address.
        from: IpAddr,
        /// Why.
        why: Refusal,
    },
}

/// Why something that answered a search is not listened to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not on our link.
    #[error("it answered from outside the link")]
    OffLink,
    /// It names another host than itself.
    #[error("it names {0:?}, which is not its own address")]
    Elsewhere(String),
    /// Its address is not that of an HTTP server.
    #[error("{0:?} is no address of HTTP")]
    NotHttp(String),
    /// It sends us elsewhere.
    #[error("it redirects, to {0:?}")]
    Redirect(String),
    /// Its description could not be fetched or read.
    #[error("its description: {0}")]
    Description(Error),
    /// It names more descriptions than one device has.
    #[error("it names too many descriptions")]
    TooMany,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No gateway of this address is known, or it has no service for this.
    #[error("no such gateway, or it cannot do this")]
    NoGateway,
    /// Too many calls wait already.
    #[error("too many calls wait for this gateway")]
    TooManyCalls,
    /// It cannot be connected to.
    #[error("it cannot be connected to")]
    Unreachable,
    /// It does not answer in time.
    #[error("it does not answer in time")]
    TimedOut,
    /// What it sends is not HTTP, or too much.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// It answers with another status than 200.
    #[error("it answers with status {0}")]
    Status(u16),
    /// It redirects, which no gateway has to.
    #[error("it redirects, to {0:?}")]
    Redirect(String),
    /// Its description cannot be read.
    #[error(transparent)]
    Description(#[from] description::Error),
    /// Its answer is not SOAP.
    #[error(transparent)]
    Soap(#[from] soap::Error),
    /// Its answer lacks what it must say.
    #[error(transparent)]
    Igd(#[from] igd::Error),
    /// It refuses.
    #[error("it refuses: {0}")]
    Fault(#[from] Fault),
    /// It has no external address: it is not connected.
    #[error("it is not connected: it has no external address")]
    NotConnected,
    /// Its external address is none that anybody can send to.
    #[error("its external address {0} is none")]
    External(IpAddr),
    /// The mapping leads to another host than asked for.
    #[error("the mapping leads to {0:?}, not to us")]
    Elsewhere(String),
}
