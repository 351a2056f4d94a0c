//! What to open, and how.

use std::net::IpAddr;
use std::time::Duration;

use crypto::Secret;
use ice::Role;
use machine::{Endpoint, Transport};

use crate::defaults;

/// How a [`Connect`](crate::Connect) behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Time between two new STUN transactions, over all sessions (Ta, RFC 8445 §14.2).
    pub ta: Duration,
    /// When gathering stops waiting for sources that do not answer.
    pub gather_limit: Duration,
    /// How long a session looks for a path before it fails.
    pub patience: Duration,
    /// The longest silence on a path, and between refreshes of a NAT binding.
    pub keepalive: Duration,
    /// Sessions at a time.
    pub max_sessions: usize,
    /// How gateways are asked to let others in (PCP, NAT-PMP, UPnP); `None`: not at all.
    pub port_mapping: Option<portmap::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ta: ice::defaults::TA,
            gather_limit: defaults::GATHER_LIMIT,
            patience: ice::defaults::PATIENCE,
            keepalive: ice::defaults::KEEPALIVE,
            max_sessions: defaults::MAX_SESSIONS,
            port_mapping: None,
        }
    }
}

/// One session to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSpec {
    /// Its streams.
    pub streams: Vec<StreamSpec>,
    /// How paths are found.
    pub ice: IceMode,
    /// Whether the other side is told candidates as they are found (RFC 8838), so that nobody waits
    /// for the last one: slow sources get their time.
    pub trickle: bool,
    /// Our role at the start: whoever offers controls (RFC 8445 §6.1.1).
    pub role: Role,
    /// STUN servers to ask, IPv4 and IPv6 as they come.
    pub stun_servers: Vec<Endpoint>,
    /// TURN servers, the first to be used before the second: relayed candidates come from the first
    /// that gives any.
    pub turn_servers: Vec<TurnServer>,
    /// Offer loopback addresses too. They are always offered when the host has nothing else.
    pub include_loopback: bool,
    /// Our address towards the signalling server, if known: the default destination is chosen from
    /// the same interface where possible, for peers without ICE.
    pub preferred: Option<IpAddr>,
}

impl Default for SessionSpec {
    /// One stream of one component, by ICE, without servers, on the controlling side.
    fn default() -> Self {
        Self {
            streams: vec![StreamSpec { components: 1 }],
            ice: IceMode::On,
            trickle: false,
            role: Role::Controlling,
            stun_servers: Vec::new(),
            turn_servers: Vec::new(),
            include_loopback: false,
            preferred: None,
        }
    }
}

/// A TURN server, as a configuration or an account names it (RFC 7065).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnServer {
    /// A domain, a host name, or an address without brackets. Over TLS the certificate must be good
    /// for it.
    pub host: String,
    /// The port. `None`: a domain's SRV records tell it (RFC 5928), else the usual one (3478; 5349
    /// and then 443 over TLS).
    pub port: Option<u16>,
    /// Over what it is reached. `None`: UDP, else TCP, else TLS.
    pub transport: Option<Transport>,
    /// Where it is if the name has no SRV records, or no address: on the host of the registrar, for
    /// one. Without these it is at the name's own addresses.
    pub fallback: Vec<IpAddr>,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// One stream to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// 1, or 2 for RTP with RTCP on a port of its own.
    pub components: u16,
}

/// How paths are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IceMode {
    /// By ICE; with a peer that knows none, as if off.
    #[default]
    On,
    /// Send to the address that the other side's description gives, from the one that ours gives.
    Off,
    /// By ICE, on relayed candidates of ours only: the other side learns no address of this host.
    RelayOnly,
}
