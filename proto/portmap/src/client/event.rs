//! What a client tells its owner.

use std::net::IpAddr;

use machine::{Endpoint, Transport};

use crate::upnp;
use crate::upnp::igd::PortMapping;
use crate::{Gateway, Mapping, MappingId, Protocol, Trouble};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A gateway was found, or more or something else is known of it.
    Gateway(Box<Gateway>),
    /// The search is over: what had not answered by now is not waited for. Stragglers may follow.
    Searched,
    /// A mapping stands.
    Mapped {
        /// Which.
        id: MappingId,
        /// What was granted.
        mapping: Mapping,
    },
    /// A mapping stands that is another one now: the gateway restarted, or granted another address.
    Changed {
        /// Which.
        id: MappingId,
        /// What was granted.
        mapping: Mapping,
    },
    /// A mapping was not to be had. It is over.
    Failed {
        /// Which.
        id: MappingId,
        /// Why.
        error: Error,
    },
    /// A mapping that stood was lost and not to be had again. It is over.
    Lost {
        /// Which.
        id: MappingId,
        /// Why.
        error: Error,
    },
    /// A mapping was removed, or nobody confirmed it in time.
    Unmapped {
        /// Which.
        id: MappingId,
    },
    /// What [`list`](super::Client::list) asked for.
    Listed(Result<Vec<PortMapping>, Error>),
    /// What [`remove_at`](super::Client::remove_at) asked for.
    Removed {
        /// UDP or TCP.
        transport: Transport,
        /// The port outside.
        external_port: u16,
        /// Whether it is gone.
        result: Result<(), Error>,
    },
    /// A gateway forgot its mappings; ours are made again.
    Restarted {
        /// The gateway's address inside.
        gateway: IpAddr,
        /// What told it.
        protocol: Protocol,
    },
    /// Something was not listened to.
    Refused {
        /// Who sent it.
        from: Endpoint,
        /// What is wrong with it.
        why: Refusal,
    },
    /// The client was closed and its mappings removed. It is over.
    Closed,
}

/// Why something is not listened to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not who was asked.
    #[error("it is not the gateway that was asked")]
    Stranger,
    /// It cannot be read.
    #[error("it cannot be read")]
    Malformed,
    /// It answers something else than was asked.
    #[error("it answers what was not asked")]
    Unasked,
    /// It promises packets at an address that is none for that.
    #[error("it maps to {0}, where nothing comes in")]
    Elsewhere(Endpoint),
    /// What UPnP found.
    #[error(transparent)]
    Upnp(#[from] upnp::Refusal),
}

/// Why there is no mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing that maps ports answered.
    #[error("no router that maps ports answers")]
    NoGateway,
    /// The gateway does not answer any more.
    #[error("the router does not answer by {0}")]
    NoAnswer(Protocol),
    /// The gateway refused.
    #[error("the router refuses by {protocol}: {reason} ({code})")]
    Refused {
        /// What it was asked by.
        protocol: Protocol,
        /// Its code.
        code: u16,
        /// What that means.
        reason: String,
    },
    /// It would have another port or address outside than the one that was insisted on.
    #[error("the address outside that was asked for is not to be had")]
    NotThatOne,
    /// It promised packets at an address that is none for that.
    #[error("the router maps to {0}, where nothing comes in")]
    Elsewhere(Endpoint),
    /// The gateway cannot let anybody in.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// The address inside is not ours, or not any more.
    #[error("{0} is not an address of ours towards a router")]
    NotOurs(IpAddr),
    /// It asks for what no gateway could grant.
    #[error("such a mapping cannot be asked for")]
    Unusable,
    /// It has been asked for already.
    #[error("this mapping is asked for already")]
    Twice,
    /// There are too many already.
    #[error("too many mappings")]
    TooMany,
    /// The client has been closed.
    #[error("closed")]
    Closed,
    /// What UPnP says.
    #[error("UPnP: {0}")]
    Upnp(#[from] upnp::Error),
}
