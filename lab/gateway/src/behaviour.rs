//! What a gateway does, rightly or wrongly.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::time::Duration;

use machine::Endpoint;

/// What a gateway does. The default speaks all three protocols as they are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Whether it speaks PCP.
    pub pcp: Service,
    /// Whether it speaks NAT-PMP.
    pub nat_pmp: Service,
    /// Whether it speaks UPnP, and how.
    pub upnp: Option<Upnp>,
    /// What it says its address outside is; its own if nothing.
    pub external: Option<IpAddr>,
    /// Which ports outside it gives.
    pub ports: Ports,
    /// The longest lifetime it grants.
    pub lifetime_limit: Option<Duration>,
    /// Where it says that mappings are, instead of where they are.
    pub leads_to: Option<Endpoint>,
    /// Where its datagrams come from, instead of the address that was asked.
    pub answers_from: Option<IpAddr>,
    /// Whether it tells everybody inside when it has restarted.
    pub announces: bool,
}

/// Whether a gateway speaks PCP or NAT-PMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// As it is meant.
    Full,
    /// Requests get no answer.
    Silent,
    /// It knows the port, and answers in the other protocol that it does not know this version.
    Unsupported,
    /// It speaks the protocol, but maps no port: the opcode is unknown to it.
    NoMap,
    /// It speaks the protocol, but maps no port: nobody is allowed to.
    Forbidden,
}

/// How a gateway speaks UPnP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upnp {
    /// The version of its device, 1 or 2.
    pub version: u8,
    /// Whether it takes no leases (error 725).
    pub permanent_only: bool,
    /// The error that every request for a mapping gets.
    pub refuses: Option<u16>,
    /// What its description is like.
    pub description: Page,
    /// What the answers to actions are like.
    pub control: Page,
    /// Where it says its description is, instead of where it is.
    pub location: Option<String>,
    /// Where it says actions are called, instead of where they are.
    pub control_url: Option<String>,
}

/// What an answer over HTTP is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// As it should be.
    #[default]
    Honest,
    /// As it should be, in chunks.
    Chunked,
    /// As it should be; it ends with the connection.
    Unmeasured,
    /// Its body is empty.
    Empty,
    /// Its body is a megabyte long.
    Huge,
    /// `Content-Length` announces more than there is.
    Short,
    /// `Content-Length` announces less than there is.
    Long,
    /// It never ends.
    Endless,
    /// It never ends, and comes a byte a second.
    Drip,
    /// Nothing comes.
    Silent,
    /// Entities within entities.
    Bomb,
    /// Elements within elements.
    Deep,
    /// Not HTTP.
    Garbage,
    /// It is said to be elsewhere.
    Redirect(String),
}

/// Which ports outside a gateway gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Those that are asked for, where they are free.
    AsAsked,
    /// Others.
    Others,
    /// Those that are asked for, but that so many are taken first.
    Taken(u16),
    /// Only the same one as inside (error 724).
    Same,
}

impl Behaviour {
    /// All three protocols as they are meant.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            pcp: Service::Full,
            nat_pmp: Service::Full,
            upnp: Some(Upnp::version(2)),
            external: None,
            ports: Ports::AsAsked,
            lifetime_limit: None,
            leads_to: None,
            answers_from: None,
            announces: true,
        }
    }

    /// No protocol at all.
    #[must_use]
    pub fn none() -> Self {
        Self { pcp: Service::Silent, nat_pmp: Service::Silent, upnp: None, ..Self::all() }
    }

    /// PCP alone, as it is meant.
    #[must_use]
    pub fn pcp() -> Self {
        Self { nat_pmp: Service::Unsupported, upnp: None, ..Self::all() }
    }

    /// NAT-PMP alone, as it is meant.
    #[must_use]
    pub fn nat_pmp() -> Self {
        Self { pcp: Service::Unsupported, upnp: None, ..Self::all() }
    }

    /// UPnP alone, as it is meant, of version 1 or 2.
    #[must_use]
    pub fn upnp(version: u8) -> Self {
        Self { upnp: Some(Upnp::version(version)), ..Self::none() }
    }

    /// UPnP alone, like this.
    #[must_use]
    pub fn only(upnp: Upnp) -> Self {
        Self { upnp: Some(upnp), ..Self::none() }
    }

    /// Not connected: its address outside is 0.0.0.0.
    #[must_use]
    pub fn unconnected(self) -> Self {
        self.external(Ipv4Addr::UNSPECIFIED)
    }

    /// The same with another address outside.
    #[must_use]
    pub fn external(self, external: impl Into<IpAddr>) -> Self {
        Self { external: Some(external.into()), ..self }
    }

    /// The same with another choice of ports.
    #[must_use]
    pub fn ports(self, ports: Ports) -> Self {
        Self { ports, ..self }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::all()
    }
}

impl Upnp {
    /// Version 1 or 2, as it is meant.
    #[must_use]
    pub const fn version(version: u8) -> Self {
        Self {
            version,
            permanent_only: false,
            refuses: None,
            description: Page::Honest,
            control: Page::Honest,
            location: None,
            control_url: None,
        }
    }
}

/// No gateway has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no gateway `{0}` (all, pcp, natpmp, upnp1, upnp2, none)")]
pub struct BadBehaviour(String);

impl FromStr for Behaviour {
    type Err = BadBehaviour;

    fn from_str(s: &str) -> Result<Self, BadBehaviour> {
        Ok(match s {
            "all" => Self::all(),
            "pcp" => Self::pcp(),
            "natpmp" => Self::nat_pmp(),
            "upnp1" => Self::upnp(1),
            "upnp2" => Self::upnp(2),
            "none" => Self::none(),
            _ => return Err(BadBehaviour(s.to_owned())),
        })
    }
}
