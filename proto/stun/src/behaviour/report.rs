//! What is found out about a NAT, in the words of RFC 4787.

use std::fmt;
use std::time::Duration;

use machine::{Endpoint, FailKind};

/// One property: what it is, or why it cannot be said.
pub type Finding<T> = Result<T, Unknown>;

/// Why a property is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// It was not asked for, or the measurement is not there yet.
    #[error("it was not measured")]
    NotMeasured,
    /// No socket could be opened.
    #[error("no socket could be opened: {0:?}")]
    NoSocket(FailKind),
    /// The server answers nothing over UDP.
    #[error("the server does not answer over UDP")]
    NoAnswer,
    /// The server names no other address: it has one only (RFC 5780 §7.4).
    #[error("the server has no second address")]
    NoOtherAddress,
    /// The server's other address differs from the first in its port alone.
    #[error("the server's second address is the first with another port")]
    OtherPortOnly,
    /// The server names another address, which does not answer even when it is asked itself.
    #[error("the server's second address does not answer")]
    OtherAddressSilent,
    /// The server does not do what this takes: it refused, or took no notice.
    #[error("the server does not support it")]
    Unsupported,
    /// There is no NAT that could have the property.
    #[error("there is no NAT")]
    NoNat,
    /// What the NAT does otherwise hides it: it shows in no packet.
    #[error("the other properties of the NAT hide it")]
    Hidden,
    /// Too few answers came through.
    #[error("too few answers came")]
    TooFewAnswers,
}

/// What a mapping's outside endpoint depends on besides the inside endpoint (RFC 4787 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mapping {
    /// There is no NAT: the server sees the host's own address and port.
    None,
    /// Nothing: `ei`.
    EndpointIndependent,
    /// The remote address: `ad`.
    AddressDependent,
    /// The remote address and port: `apd`.
    AddressAndPortDependent,
}

/// Whose packets come in (RFC 4787 §5); without a NAT it is a firewall that filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filtering {
    /// Everybody's: `ei`.
    EndpointIndependent,
    /// Those of addresses that were sent to: `ad`.
    AddressDependent,
    /// Those of addresses and ports that were sent to: `apd`.
    AddressAndPortDependent,
}

/// How outside ports are chosen (RFC 4787 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Which comes after which.
    pub pattern: Pattern,
    /// Whether even ports became even and odd ones odd (RFC 4787 §4.2.2). One of 256 NATs that choose
    /// at random looks so by chance.
    pub parity: bool,
}

/// Which outside port comes after which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// The inside port, unless it was taken: `preserve`.
    Preserved,
    /// One after the other: `sequential`.
    Sequential {
        /// From one to the next, as most often seen.
        step: i32,
    },
    /// No order is to be seen: `random`.
    Random,
}

/// How long a mapping, or a firewall's state, lives without traffic (RFC 4787 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// It was still there after this time.
    pub at_least: Duration,
    /// It was gone after this time; nothing if it outlived the longest time that was tried.
    pub below: Option<Duration>,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The server.
    pub server: Endpoint,
    /// The server's other address and port, if it named them.
    pub other: Option<Endpoint>,
    /// The server's name for its software, if it told it.
    pub software: Option<String>,
    /// The address of this host that packets left from, with the port of one socket.
    pub local: Option<Endpoint>,
    /// Where the server saw that socket; nothing if it did not answer over UDP.
    pub mapped: Option<Endpoint>,
    /// About how long an answer took.
    pub round_trip: Option<Duration>,
    /// What mappings depend on.
    pub mapping: Finding<Mapping>,
    /// Whose packets come in.
    pub filtering: Finding<Filtering>,
    /// Whether hosts behind the NAT reach each other by their outside endpoints (RFC 4787 §6).
    pub hairpin: Finding<bool>,
    /// How outside ports are chosen.
    pub ports: Finding<Ports>,
    /// Whether fragmented datagrams pass, there and back (RFC 5780 §4.7).
    pub fragments: Finding<bool>,
    /// How long mappings live.
    pub lifetime: Finding<Lifetime>,
}

/// One thing that was found out: progress, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    /// The server answered for the first time.
    Reached {
        /// Where the server saw a socket of ours.
        mapped: Endpoint,
        /// About how long the answer took.
        round_trip: Duration,
    },
    /// See [`Report::mapping`].
    Mapping(Finding<Mapping>),
    /// See [`Report::filtering`].
    Filtering(Finding<Filtering>),
    /// See [`Report::hairpin`].
    Hairpin(Finding<bool>),
    /// See [`Report::ports`].
    Ports(Finding<Ports>),
    /// See [`Report::fragments`].
    Fragments(Finding<bool>),
    /// Mappings were still there after this time.
    Lives(Duration),
    /// See [`Report::lifetime`].
    Lifetime(Finding<Lifetime>),
}

impl Report {
    /// Of what was not measured yet.
    pub(super) fn new(server: Endpoint) -> Self {
        Self {
            server,
            other: None,
            software: None,
            local: None,
            mapped: None,
            round_trip: None,
            mapping: Err(Unknown::NotMeasured),
            filtering: Err(Unknown::NotMeasured),
            hairpin: Err(Unknown::NotMeasured),
            ports: Err(Unknown::NotMeasured),
            fragments: Err(Unknown::NotMeasured),
            lifetime: Err(Unknown::NotMeasured),
        }
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::EndpointIndependent => "ei",
            Self::AddressDependent => "ad",
            Self::AddressAndPortDependent => "apd",
        })
    }
}

impl fmt::Display for Filtering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::EndpointIndependent => "ei",
            Self::AddressDependent => "ad",
            Self::AddressAndPortDependent => "apd",
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Preserved => "preserve",
            Self::Sequential { .. } => "sequential",
            Self::Random => "random",
        })
    }
}
