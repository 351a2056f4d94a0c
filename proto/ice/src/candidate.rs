//! Candidates: transport addresses that a side might be reached at (RFC 8445 §5.1).
//!
//! Neutral: the text forms of SDP and Jingle live with the renderings of a call.

use std::fmt;
use std::net::IpAddr;

use machine::{Endpoint, Transport};

/// One transport address that a side might be reached at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What kind of candidate it is.
    pub kind: CandidateKind,
    /// The component: 1 is RTP, 2 is RTCP.
    pub component: u16,
    /// Candidates with one foundation share their fate: 1 to 32 ICE characters (§5.1.1.3).
    pub foundation: String,
    /// Higher is tried first (§5.1.2).
    pub priority: u32,
    /// The transport; only UDP is checked, others are kept and explained.
    pub transport: Transport,
    /// The address itself.
    pub endpoint: Endpoint,
    /// What we send from to use it: the host's own address for a host, server- or peer-reflexive
    /// candidate, the relayed address itself for a relayed one. Of a remote candidate: `endpoint`.
    pub base: Endpoint,
    /// The related address (RFC 8839 §5.1): the base of a reflexive candidate, the mapped address of
    /// a relayed one. For diagnosis only.
    pub related: Option<Endpoint>,
    /// How it became known.
    pub origin: Origin,
}

/// The four kinds of candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CandidateKind {
    /// An address of an interface.
    Host,
    /// What a server saw, or a gateway said: the address on the outside of a NAT.
    ServerReflexive,
    /// What the peer saw in a check.
    PeerReflexive,
    /// An address on a relay.
    Relayed,
}

/// How a candidate became known.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// It is an address of the named interface.
    Interface(String),
    /// A STUN server told it.
    StunServer(Endpoint),
    /// It is an address on a TURN server.
    TurnServer {
        /// The server.
        server: Endpoint,
        /// Over what the server is reached.
        transport: Transport,
    },
    /// A gateway (home router) opened it for us.
    Gateway {
        /// The gateway's address inside.
        gateway: IpAddr,
        /// What it was asked by: `PCP`, `NAT-PMP`, `UPnP`.
        protocol: &'static str,
    },
    /// A connectivity check revealed it.
    Check,
    /// The remote named it in its description.
    Signalled,
}

/// A candidate of ours, as whoever gathers finds it. The agent adds foundation and priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalCandidate {
    /// What kind of candidate it is.
    pub kind: CandidateKind,
    /// The component, from 1.
    pub component: u16,
    /// The transport.
    pub transport: Transport,
    /// The address itself.
    pub endpoint: Endpoint,
    /// What we send from to use it.
    pub base: Endpoint,
    /// The related address to tell.
    pub related: Option<Endpoint>,
    /// The server that it was learned from; part of the foundation.
    pub server: Option<IpAddr>,
    /// Among our addresses of this kind: higher is better, unique per address (§5.1.2.1).
    pub local_preference: u16,
    /// How it became known.
    pub origin: Origin,
}

impl LocalCandidate {
    /// A host candidate of the interface `name`.
    #[must_use]
    pub fn host(component: u16, endpoint: Endpoint, local_preference: u16, name: &str) -> Self {
        Self {
            kind: CandidateKind::Host,
            component,
            transport: Transport::Udp,
            endpoint,
            base: endpoint,
            related: None,
            server: None,
            local_preference,
            origin: Origin::Interface(name.to_owned()),
        }
    }

    /// A server-reflexive candidate: `server` saw `endpoint` when `base` asked it.
    #[must_use]
    pub fn server_reflexive(
        component: u16,
        endpoint: Endpoint,
        base: Endpoint,
        local_preference: u16,
        server: Endpoint,
    ) -> Self {
        Self {
            kind: CandidateKind::ServerReflexive,
            component,
            transport: Transport::Udp,
            endpoint,
            base,
            related: Some(base),
            server: Some(server.ip()),
            local_preference,
            origin: Origin::StunServer(server),
        }
    }
}

impl LocalCandidate {
    /// A server-reflexive candidate that nobody saw: `gateway` was asked by `protocol`, and says that
    /// it forwards what arrives at `endpoint` to `base`.
    //= RFC 8445 §2.1: a mapping at a gateway is one more way to learn a server-reflexive candidate.
    #[must_use]
    pub const fn mapped(
        component: u16,
        endpoint: Endpoint,
        base: Endpoint,
        local_preference: u16,
        (gateway, protocol): (IpAddr, &'static str),
    ) -> Self {
        Self {
            kind: CandidateKind::ServerReflexive,
            component,
            transport: Transport::Udp,
            endpoint,
            base,
            related: Some(base),
            server: Some(gateway),
            local_preference,
            origin: Origin::Gateway { gateway, protocol },
        }
    }

    /// A relayed candidate: `server`, reached over `transport`, forwards what arrives at `endpoint`.
    /// It sees us as `mapped`.
    //= RFC 8445 §5.1.1.2: the base of a relayed candidate is the relayed address itself.
    //= RFC 8839 §5.1: its related address is the mapped one of the Allocate response.
    #[must_use]
    pub fn relayed(
        component: u16,
        endpoint: Endpoint,
        mapped: Endpoint,
        local_preference: u16,
        (server, transport): (Endpoint, Transport),
    ) -> Self {
        Self {
            kind: CandidateKind::Relayed,
            component,
            transport: Transport::Udp,
            endpoint,
            base: endpoint,
            related: Some(mapped),
            server: Some(server.ip()),
            local_preference,
            origin: Origin::TurnServer { server, transport },
        }
    }
}

impl Candidate {
    /// A candidate that the remote named. Whoever reads the description fills in what it says.
    #[must_use]
    pub fn signalled(
        kind: CandidateKind,
        component: u16,
        foundation: &str,
        priority: u32,
        endpoint: Endpoint,
    ) -> Self {
        Self {
            kind,
            component,
            foundation: foundation.to_owned(),
            priority,
            transport: Transport::Udp,
            endpoint,
            base: endpoint,
            related: None,
            origin: Origin::Signalled,
        }
    }
}

impl CandidateKind {
    /// The type preference (§5.1.2.2): 126 for host, 110 for peer-reflexive, 100 for
    /// server-reflexive, 0 for relayed candidates.
    #[must_use]
    pub const fn preference(self) -> u8 {
        match self {
            Self::Host => 126,
            Self::PeerReflexive => 110,
            Self::ServerReflexive => 100,
            Self::Relayed => 0,
        }
    }

    /// The short name that SDP and Jingle share: `host`, `srflx`, `prflx`, `relay`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }

    /// The kind with this short name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Host, Self::ServerReflexive, Self::PeerReflexive, Self::Relayed]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// The priority of a candidate.
///
//= RFC 8445 §5.1.2.1: 2^24 × type preference + 2^8 × local preference + (256 − component).
#[must_use]
pub fn priority(kind: CandidateKind, local_preference: u16, component: u16) -> u32 {
    let component = u32::from(component.clamp(1, 256));
    (u32::from(kind.preference()) << 24) + (u32::from(local_preference) << 8) + (256 - component)
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Candidate {
    /// `srflx 198.51.100.10:40000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.endpoint)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "interface {name}"),
            Self::StunServer(server) => write!(f, "STUN server {server}"),
            Self::TurnServer { server, transport } => {
                write!(f, "TURN server {server} over {}", transport_name(*transport))
            }
            Self::Gateway { gateway, protocol } => {
                write!(f, "mapping at the gateway {gateway} by {protocol}")
            }
            Self::Check => f.write_str("seen in a check"),
            Self::Signalled => f.write_str("told by the other side"),
        }
    }
}

/// `UDP`, `TCP` or `TLS`, for people.
pub(crate) const fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
        Transport::Tls => "TLS",
    }
}

/// Numbers the foundations of our candidates.
///
//= RFC 8445 §5.1.1.3: the same foundation exactly if kind, base address, server and transport agree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Foundations {
    known: Vec<(CandidateKind, IpAddr, Option<IpAddr>, Transport)>,
}

impl Foundations {
    /// The foundation of such a candidate.
    pub(crate) fn of(
        &mut self,
        kind: CandidateKind,
        base: IpAddr,
        server: Option<IpAddr>,
        transport: Transport,
    ) -> String {
        let key = (kind, base, server, transport);
        let n = self.known.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.known.push(key);
            self.known.len() - 1
        });
        (n + 1).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{CandidateKind as K, Foundations, priority};
    use machine::Transport;

    #[test]
    fn priorities_of_the_rfc() {
        // The example in RFC 8839 §5.1: a host candidate with local preference 65535, component 1.
        assert_eq!(priority(K::Host, 65535, 1), 2_130_706_431);
        assert_eq!(priority(K::ServerReflexive, 65535, 1), 1_694_498_815);
        assert_eq!(priority(K::Relayed, 65535, 2), 16_777_214);
    }

    #[test]
    fn a_foundation_is_kind_base_server_and_transport() {
        let mut foundations = Foundations::default();
        let (a, b) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut of = |kind, base, server| foundations.of(kind, base, server, Transport::Udp);
        let host = of(K::Host, a, None);
        assert_eq!(host, of(K::Host, a, None));
        assert_ne!(host, of(K::Host, b, None));
        assert_ne!(host, of(K::ServerReflexive, a, Some(b)));
        assert_ne!(of(K::ServerReflexive, a, Some(a)), of(K::ServerReflexive, a, Some(b)));
    }

    #[test]
    fn names() {
        for kind in [K::Host, K::ServerReflexive, K::PeerReflexive, K::Relayed] {
            assert_eq!(K::named(kind.name()), Some(kind));
        }
        assert_eq!(K::named("SRFLX"), Some(K::ServerReflexive));
        assert_eq!(K::named("tcp"), None);
    }
}
