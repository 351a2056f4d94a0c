//! What a client tells its owner.

use std::net::IpAddr;
use std::time::Duration;

use machine::{CloseReason, Endpoint, FailKind, Icmp, Id, Instant};
use stun::attribute::error_code as code;
use stun::long_term::Refusal;

use crate::attribute::{Family, IcmpError};
use crate::client::config::Server;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The allocation is there.
    Allocated(Box<Allocation>),
    /// The server lets what comes from `peer` pass, and what is sent to it.
    Permitted {
        /// The peer's address.
        peer: IpAddr,
    },
    /// What goes to and comes from `peer` has four bytes of header from now on.
    ChannelBound {
        /// The peer.
        peer: Endpoint,
    },
    /// There will be no permission, channel or connection for `peer`.
    PeerRefused {
        /// The peer; port 0 if it was about a permission.
        peer: Endpoint,
        /// Why.
        cause: Cause,
    },
    /// A datagram came from `peer`: its bytes are the output's payload.
    Received {
        /// Who sent it.
        peer: Endpoint,
        /// Whether it came on a channel.
        channel: bool,
    },
    /// The network answered something that was relayed to `peer` with an error.
    Icmp {
        /// Whom it was sent to.
        peer: Endpoint,
        /// What the network said.
        error: IcmpError,
    },
    /// A peer wants to connect: [`Client::accept_peer`](super::Client::accept_peer) lets it
    /// (RFC 6062 §4.4).
    PeerConnecting {
        /// What to call the connection.
        conn: Id,
        /// The peer.
        peer: Endpoint,
    },
    /// A connection with a peer stands (RFC 6062).
    PeerConnected {
        /// The connection.
        conn: Id,
        /// The peer.
        peer: Endpoint,
        /// Bytes that may be written now.
        room: usize,
    },
    /// Bytes came on a connection with a peer: they are the output's payload.
    PeerData {
        /// The connection.
        conn: Id,
    },
    /// Room grew on a connection with a peer.
    PeerWritable {
        /// The connection.
        conn: Id,
        /// Bytes that may be written now.
        room: usize,
    },
    /// A connection with a peer ended.
    PeerClosed {
        /// The connection.
        conn: Id,
    },
    /// The client's address changed and the allocation came along (RFC 8016).
    Moved {
        /// Where the server sees the client now, if it said so.
        reflexive: Option<Endpoint>,
    },
    /// An attempt failed; others go on or follow.
    Attempt(Box<Failure>),
    /// Every server refused for now; the client tries again by itself.
    Waiting {
        /// When.
        until: Instant,
        /// What the last of them said.
        failure: Box<Failure>,
    },
    /// There is no allocation, or no longer. The client is over.
    Failed(Box<Failure>),
    /// The client was closed and its allocation released. It is over.
    Ended,
}

/// What a server gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The server that it is on.
    pub server: Server,
    /// The relayed address, or one of each family.
    pub relayed: Vec<Endpoint>,
    /// Where the server sees the client.
    pub reflexive: Endpoint,
    /// Our own address, as far as it is known.
    pub local: Endpoint,
    /// How long it lives unless it is refreshed, which the client sees to.
    pub lifetime: Duration,
    /// The token for the next port, if it was asked for.
    pub reservation: Option<[u8; 8]>,
    /// The family that was asked for and is missing, with the server's code for why.
    pub missing: Option<(Family, u16)>,
    /// Whether it survives a change of the client's address.
    pub mobile: bool,
}

impl Allocation {
    /// The relayed address of `family`.
    #[must_use]
    pub fn relayed(&self, family: Family) -> Option<Endpoint> {
        self.relayed.iter().copied().find(|relayed| Family::of(relayed.ip()) == family)
    }
}

/// Why there is no allocation on a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{server}: {cause}")]
pub struct Failure {
    /// The server.
    pub server: Server,
    /// Why.
    pub cause: Cause,
    /// How long to leave the server alone, if it may do better later.
    pub retry_after: Option<Duration>,
}

/// Why something was not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// There was no server to ask.
    #[error("no server was given")]
    NoServer,
    /// No socket, no connection, or no TLS.
    #[error("cannot be reached: {0:?}")]
    Unreachable(FailKind),
    /// The network says that the server cannot be reached.
    #[error("cannot be reached: {0:?}")]
    Icmp(Icmp),
    /// Nothing came back.
    #[error("no answer")]
    NoAnswer,
    /// It wants user name and password, and there are none.
    #[error("wants user name and password")]
    CredentialsMissing,
    /// It does not accept them, or cannot be trusted with them.
    #[error("{0}")]
    Credentials(#[from] Refusal),
    /// It said no.
    #[error("refused: {code} {reason}")]
    Refused {
        /// Its code.
        code: u16,
        /// Its words.
        reason: String,
    },
    /// Its answer cannot be used.
    #[error("gave an answer that cannot be used")]
    BadAnswer,
    /// It sent us from server to server, in circles or too far.
    #[error("sends from server to server without end")]
    Loop,
    /// It forgot the allocation.
    #[error("the allocation is gone")]
    Lost,
    /// The connection to it ended.
    #[error("the connection ended: {0:?}")]
    ConnectionLost(CloseReason),
    /// Our address changed, and the allocation could not come along.
    #[error("our address changed")]
    AddressLost,
    /// A limit of the client's own.
    #[error("too many peers")]
    TooManyPeers,
}

impl Cause {
    /// The error code of the server, if it said one.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// What somebody can do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NoServer => "name a TURN server",
            Self::Unreachable(FailKind::Certificate(_)) => {
                "the server needs a certificate for the name that it is called by, from an authority \
                 that is trusted here"
            }
            Self::Unreachable(_) | Self::Icmp(_) | Self::NoAnswer => {
                "a firewall may be in the way, or the server is down: check its address and port, and \
                 offer it over TCP and over TLS on port 443 as well"
            }
            Self::CredentialsMissing => "give the user name and the password",
            Self::Credentials(Refusal::Credentials) => {
                "check the user name and the password, and the clock if they are good for a time only"
            }
            Self::Credentials(_) => "the server's challenge is at fault: tell its operator",
            Self::Refused { code, .. } => remedy_of(*code),
            Self::BadAnswer => "the server's answer is at fault: tell its operator",
            Self::Loop => "the servers' alternate servers are at fault: tell their operator",
            Self::Lost => {
                "the server was restarted, or has not heard from us in time: allocate again"
            }
            Self::ConnectionLost(_) | Self::AddressLost => "allocate again",
            Self::TooManyPeers => "release peers that are no longer needed",
        }
    }
}

const fn remedy_of(error: u16) -> &'static str {
    match error {
        code::FORBIDDEN => {
            "the server does not relay to such addresses: its operator can allow them (allow_peers)"
        }
        code::UNKNOWN_ATTRIBUTE => "the server lacks a feature that was asked for",
        code::ALLOCATION_MISMATCH | code::WRONG_CREDENTIALS => "try again from another port",
        code::ADDRESS_FAMILY_NOT_SUPPORTED => "the server has no relayed addresses of this family",
        code::UNSUPPORTED_TRANSPORT_PROTOCOL => "the server does not relay TCP",
        code::PEER_ADDRESS_FAMILY_MISMATCH => {
            "ask for a relayed address of the peer's family as well"
        }
        code::ALLOCATION_QUOTA_REACHED => {
            "the user has as many allocations as the server allows: end some, or wait"
        }
        code::INSUFFICIENT_CAPACITY => "the server is full: wait, or use another one",
        code::CONNECTION_TIMEOUT_OR_FAILURE => "the peer does not accept connections",
        _ => "the server's log says more",
    }
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no allocation yet, or no longer.
    #[error("no allocation")]
    NotAllocated,
    /// The server would not let it pass.
    #[error("no permission for this peer")]
    NotPermitted,
    /// The connection to the server has no room; media would come late and is dropped instead.
    #[error("the connection to the server is congested")]
    Congested,
    /// It is longer than one packet can be.
    #[error("too long")]
    TooLong,
    /// There is no such connection with a peer.
    #[error("no such connection")]
    NoConnection,
    /// The allocation cannot do that: it relays UDP where TCP is needed, or is not mobile.
    #[error("the allocation cannot do that")]
    Unsupported,
    /// The client's own limit of peers is reached.
    #[error("too many peers")]
    TooManyPeers,
}
