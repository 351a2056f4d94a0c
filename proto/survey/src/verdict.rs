//! What a report means: who reaches whom directly, and what to change.

use std::fmt;
use std::time::Duration;

use stun::behaviour::{Filtering, Mapping};

use crate::alg::Alg;
use crate::report::{Ipv6, Layers, Report};

/// A report in plain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What stands between this host and the world, in one sentence.
    pub summary: String,
    /// How calls with whom are, by what the other side is behind.
    pub peers: Vec<(Kind, Way)>,
    /// What to change, the most useful first.
    pub advice: Vec<String>,
}

/// What somebody is behind, in the names that people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing: a public address, nothing filtered.
    Open,
    /// A public address behind a firewall that lets answers in.
    Firewall,
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering.
    AddressRestricted,
    /// Endpoint-independent mapping, address- and port-dependent filtering.
    PortRestricted,
    /// A mapping that depends on the destination.
    Symmetric,
    /// Something that lets no UDP through.
    UdpBlocked,
}

/// How media between two sides go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Directly.
    Direct,
    /// Through a relay (TURN).
    Relay,
    /// It depends on what was not found out.
    Unknown,
}

impl Kind {
    /// Those that a peer is compared with.
    const PEERS: [Self; 6] = [
        Self::Open,
        Self::FullCone,
        Self::AddressRestricted,
        Self::PortRestricted,
        Self::Symmetric,
        Self::UdpBlocked,
    ];

    /// Its two properties that matter for others.
    const fn side(self) -> Side {
        Side {
            moves: Some(matches!(self, Self::Symmetric)),
            by_port: Some(matches!(self, Self::PortRestricted | Self::Symmetric | Self::Firewall)),
        }
    }
}

/// What decides whether holes can be punched; `None`: unknown.
#[derive(Clone, Copy)]
struct Side {
    /// Every destination sees another outside address.
    moves: Option<bool>,
    /// Only those addresses and ports get in that were sent to.
    by_port: Option<bool>,
}

impl Side {
    /// How media with somebody like `other` go.
    //= RFC 5128 §3.3: holes are punched unless one side moves and the other minds its port.
    fn meets(self, other: Self) -> Way {
        let both = |a: Option<bool>, b: Option<bool>| match (a, b) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        match (both(self.moves, other.by_port), both(other.moves, self.by_port)) {
            (Some(true), _) | (_, Some(true)) => Way::Relay,
            (Some(false), Some(false)) => Way::Direct,
            _ => Way::Unknown,
        }
    }
}

impl Report {
    /// What this host is behind over IPv4, as far as it is known.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        use {Filtering as F, Mapping as M};
        if self.udp() == Some(false) {
            return Some(Kind::UdpBlocked);
        }
        Some(match (self.mapping()?, self.filtering()) {
            (M::None, Some(F::EndpointIndependent)) => Kind::Open,
            (M::None, _) => Kind::Firewall,
            (M::EndpointIndependent, Some(F::EndpointIndependent)) => Kind::FullCone,
            (M::EndpointIndependent, Some(F::AddressDependent)) => Kind::AddressRestricted,
            (M::EndpointIndependent, Some(F::AddressAndPortDependent)) => Kind::PortRestricted,
            (M::EndpointIndependent, None) => return None,
            (M::AddressDependent | M::AddressAndPortDependent, _) => Kind::Symmetric,
        })
    }

    /// What all of it means.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let way = |peer: Kind| match self.side() {
            _ if peer == Kind::UdpBlocked => Way::Relay,
            Some(ours) => ours.meets(peer.side()),
            None => Way::Relay,
        };
        Verdict {
            summary: self.summary(),
            peers: Kind::PEERS.into_iter().map(|peer| (peer, way(peer))).collect(),
            advice: self.advice(),
        }
    }

    /// What others meet here; `None`: no UDP.
    fn side(&self) -> Option<Side> {
        if self.udp() == Some(false) {
            return None;
        }
        // A port that a gateway holds open takes everybody in, whatever the NAT does otherwise.
        if self.door().is_some() {
            return Some(Side { moves: Some(false), by_port: Some(false) });
        }
        let moves = self
            .mapping()
            .map(|mapping| !matches!(mapping, Mapping::None | Mapping::EndpointIndependent));
        let by_port =
            self.filtering().map(|filtering| filtering == Filtering::AddressAndPortDependent);
        Some(Side { moves, by_port })
    }

    fn summary(&self) -> String {
        let nats = match self.layers() {
            Layers::Carrier => ", behind another one at your provider's (CGN)",
            Layers::Double => ", and there are two or more NATs in a row",
            Layers::Single | Layers::Unknown => "",
        };
        match (self.kind(), self.udp()) {
            (Some(kind @ (Kind::Open | Kind::Firewall | Kind::UdpBlocked)), _) => {
                format!("You are {}.", kind.words())
            }
            (Some(kind), _) => format!("You are {}{nats}.", kind.words()),
            (None, None) => format!("Nobody outside was asked{nats}."),
            (None, Some(_)) => match self.mapping() {
                Some(_) => format!(
                    "You are behind a NAT that keeps one outside address for all destinations; whom it \
                     lets in is not known{nats}."
                ),
                None => format!("UDP gets through; what the NAT does is not known{nats}."),
            },
        }
    }

    fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let mut say = |text: &str| advice.push(text.to_owned());
        if self.udp() == Some(false) {
            say("let UDP out: without it every call goes through a relay");
            if self.tcp443 == Some(true) {
                say("until then: a TURN server over TCP or TLS on port 443 is reached from here");
            }
        }
        if let Some(Ok(Alg::Altered(_))) = &self.alg {
            say("switch off the SIP ALG (\"SIP helper\") in the router, or register over TLS: it \
                 rewrites calls, and often breaks them");
        }
        match self.layers() {
            Layers::Carrier => say(
                "your provider shares its address among customers: ask for a public IPv4 address, or \
                 use IPv6",
            ),
            Layers::Double => say(
                "two routers translate addresses: set one of them to bridge mode, or open ports on both",
            ),
            Layers::Single | Layers::Unknown => {}
        }
        let needs_help = matches!(self.kind(), Some(Kind::Symmetric | Kind::PortRestricted));
        if needs_help && self.door().is_none() && self.layers() != Layers::Carrier {
            say(
                "switch on port mapping (UPnP, NAT-PMP or PCP) in the router: then everybody whose UDP \
                 works reaches you directly",
            );
        }
        if needs_help && self.ipv6() == Some(Ipv6::None) {
            say("IPv6 would spare the NAT: ask the provider for it");
        }
        if self.kind() == Some(Kind::Symmetric) && self.door().is_none() {
            say("until then, calls with others behind such NATs need a relay (TURN)");
        }
        let lifetime = self.ipv4.as_ref().and_then(|seen| seen.lifetime.as_ref().ok());
        if lifetime.and_then(|lifetime| lifetime.below).is_some_and(|below| below < SHORT) {
            say("the NAT forgets quickly: keepalives must come more often than every half minute");
        }
        advice
    }
}

/// A lifetime that the usual keepalives do not keep up with (RFC 4787 §4.3 asks for two minutes).
const SHORT: Duration = Duration::from_secs(30);

impl Kind {
    /// After "You are".
    const fn words(self) -> &'static str {
        match self {
            Self::Open => "on the internet itself, and everybody reaches you",
            Self::Firewall => "on the internet itself, behind a firewall that lets answers in",
            Self::FullCone => {
                "behind a NAT that everybody can send through once you have sent anything (full cone)"
            }
            Self::AddressRestricted => {
                "behind a NAT that lets in whom you have sent something to (address-restricted cone)"
            }
            Self::PortRestricted => {
                "behind a NAT that lets in answers only (port-restricted cone), as most home routers do"
            }
            Self::Symmetric => {
                "behind a NAT that shows every destination another address (symmetric), the hardest kind"
            }
            Self::UdpBlocked => "behind a firewall that lets no UDP through",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "public address",
            Self::Firewall => "firewall",
            Self::FullCone => "full cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
            Self::UdpBlocked => "UDP blocked",
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Direct => "direct",
            Self::Relay => "relay",
            Self::Unknown => "unknown",
        })
    }
}
