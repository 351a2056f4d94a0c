//! What stands at the ends of links: hosts, routers, NATs, firewalls.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use machine::{Checked, Endpoint, Entropy, Id, InterfaceAddress, InterfaceKind, Machine};

use crate::capture::TapId;
use crate::defaults::EPHEMERAL_PORTS;
use crate::firewall::FirewallSpec;
use crate::fragment::Reassembly;
use crate::nat::Nat;
use crate::prefix::{Prefix, Routes};
use crate::stream::Stream;
use crate::tls::Certificate;

/// The name of a host, router, NAT or firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(crate) u32);

/// One end of a link: an interface of a node.
///
/// A bare [`NodeId`] means: of a host, the first interface without a link; of a NAT, a new one on
/// the inside; of a router or firewall, a new one. A NAT's outside is `nat.port("outside")`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port<'a> {
    pub(crate) node: NodeId,
    pub(crate) name: Option<&'a str>,
}

impl NodeId {
    /// The node's interface of this name.
    #[must_use]
    pub const fn port(self, name: &str) -> Port<'_> {
        Port { node: self, name: Some(name) }
    }

    /// A NAT's interface towards the internet.
    #[must_use]
    pub const fn outside(self) -> Port<'static> {
        Port { node: self, name: Some(OUTSIDE) }
    }
}

impl From<NodeId> for Port<'_> {
    fn from(node: NodeId) -> Self {
        Self { node, name: None }
    }
}

/// A NAT's interface towards the internet is its first one.
pub(crate) const OUTSIDE_PORT: usize = 0;

/// The name of a NAT's first interface.
pub(crate) const OUTSIDE: &str = "outside";

/// A node of the simulated internet.
#[derive(Debug)]
pub(crate) struct Node<M: Machine> {
    pub(crate) name: String,
    pub(crate) interfaces: Vec<NodeInterface>,
    pub(crate) kind: Kind,
    /// What runs here: on every host something, on what passes packets on perhaps a gateway.
    pub(crate) resident: Option<Box<Host<M>>>,
    /// Routes that the owner gave.
    pub(crate) given_routes: Vec<(Prefix, usize)>,
    /// All routes: those given, and those found by looking at the links.
    pub(crate) routes: Routes,
    pub(crate) reassembly: Reassembly,
    pub(crate) ident: u32,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Kind {
    Host,
    Router,
    Nat(Box<Nat>),
    Firewall(FirewallSpec),
}

/// An interface of a node.
#[derive(Debug)]
pub(crate) struct NodeInterface {
    pub(crate) name: String,
    pub(crate) kind: InterfaceKind,
    pub(crate) addresses: Vec<InterfaceAddress>,
    pub(crate) link: Option<LinkEnd>,
    pub(crate) up: bool,
    pub(crate) tap: Option<TapId>,
}

/// Which end of which link an interface holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkEnd {
    pub(crate) link: usize,
    /// The second end: packets sent from here go backward.
    pub(crate) second: bool,
}

impl NodeInterface {
    pub(crate) fn new(name: &str, kind: InterfaceKind, addresses: Vec<InterfaceAddress>) -> Self {
        Self { name: name.to_owned(), kind, addresses, link: None, up: true, tap: None }
    }

    /// The address to send from towards `dst`.
    ///
    /// In the outline of RFC 6724: the same scope, not deprecated, temporary first, on the network
    /// of the destination. Towards a group the scope is a wish.
    pub(crate) fn source_for(&self, dst: IpAddr) -> Option<IpAddr> {
        let in_scope = |ip: IpAddr| is_link_local(ip) == is_link_local(dst);
        let usable = self.addresses.iter().filter(|address| {
            address.ip.is_ipv4() == dst.is_ipv4() && (in_scope(address.ip) || dst.is_multicast())
        });
        let best = usable.min_by_key(|address| {
            let network = Prefix { ip: address.ip, len: address.prefix_len };
            let far = !network.contains(dst);
            (!in_scope(address.ip), address.deprecated, !address.temporary, far)
        });
        best.map(|address| address.ip)
    }

    pub(crate) fn is_on_link(&self, ip: IpAddr) -> bool {
        self.addresses.iter().any(|a| Prefix { ip: a.ip, len: a.prefix_len }.contains(ip))
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        // ff02::/16 is as far as fe80::/10 goes (RFC 4291 §2.7).
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.segments()[0] & 0xff0f == 0xff02,
    }
}

impl<M: Machine> Node<M> {
    pub(crate) fn new(name: &str, kind: Kind, interfaces: Vec<NodeInterface>) -> Self {
        Self {
            name: name.to_owned(),
            interfaces,
            kind,
            resident: None,
            given_routes: Vec::new(),
            routes: Routes::default(),
            reassembly: Reassembly::default(),
            ident: 0,
        }
    }

    /// Whether the node passes packets on.
    pub(crate) const fn forwards(&self) -> bool {
        !matches!(self.kind, Kind::Host)
    }

    pub(crate) fn owns(&self, ip: IpAddr) -> bool {
        self.interfaces.iter().any(|i| i.up && i.addresses.iter().any(|a| a.ip == ip))
    }

    pub(crate) const fn next_ident(&mut self) -> u32 {
        self.ident = self.ident.wrapping_add(1);
        self.ident
    }

    /// The interface that a packet of our own leaves by, and its source address.
    ///
    /// A source that was asked for decides the interface. Otherwise a given route does, then the
    /// network of the destination, then the first interface, tunnels last.
    pub(crate) fn way_out(&self, dst: IpAddr, source: Option<IpAddr>) -> Option<(usize, IpAddr)> {
        if self.forwards() {
            // All interfaces inside have the same addresses: the route decides.
            let at = self.routes.find(dst)?;
            let source = source.or_else(|| self.interfaces[at].source_for(dst))?;
            return (source.is_ipv4() == dst.is_ipv4() && self.owns(source))
                .then_some((at, source));
        }
        if let Some(source) = source {
            let owner = |i: &NodeInterface| i.up && i.addresses.iter().any(|a| a.ip == source);
            let at = self.interfaces.iter().position(owner)?;
            return (source.is_ipv4() == dst.is_ipv4()).then_some((at, source));
        }
        let usable = |at: usize| {
            let interface = self.interfaces.get(at).filter(|i| i.up && i.link.is_some())?;
            interface.source_for(dst).map(|source| (at, source))
        };
        if let Some(way) = self.routes.find(dst).and_then(usable) {
            return Some(way);
        }
        let ways = (0..self.interfaces.len()).filter_map(usable);
        ways.min_by_key(|&(at, _)| {
            let interface = &self.interfaces[at];
            (!interface.is_on_link(dst), interface.kind == InterfaceKind::Tunnel, at)
        })
    }
}

impl<M: Machine> Node<M> {
    /// Whether an interface leads out of the network that a NAT serves.
    pub(crate) const fn is_outside(&self, interface: usize) -> bool {
        matches!(self.kind, Kind::Nat(_)) && interface == OUTSIDE_PORT
    }

    /// Whether a NAT shows this address for all behind it, so that it serves nothing itself there.
    pub(crate) fn is_translated(&self, ip: IpAddr) -> bool {
        matches!(&self.kind, Kind::Nat(nat) if nat.outside == ip)
    }

    /// The interfaces that a datagram to a group leaves by, and its source addresses: of a host one,
    /// of what passes packets on every one inside.
    pub(crate) fn ways_to_group(
        &self,
        group: IpAddr,
        source: Option<IpAddr>,
        index: Option<u32>,
    ) -> Vec<(usize, IpAddr)> {
        let way = |(at, interface): (usize, &NodeInterface)| {
            let excluded = index.is_some_and(|index| index as usize != at + 1);
            if excluded || !interface.up || interface.link.is_none() || self.is_outside(at) {
                return None;
            }
            let has = |source: IpAddr| interface.addresses.iter().any(|a| a.ip == source);
            let source = match source {
                Some(source) => Some(source).filter(|s| has(*s) && s.is_ipv4() == group.is_ipv4()),
                None => interface.source_for(group),
            };
            source.map(|source| (at, source))
        };
        let mut ways: Vec<_> = self.interfaces.iter().enumerate().filter_map(way).collect();
        if !self.forwards() {
            ways.sort_by_key(|&(at, _)| self.interfaces[at].kind == InterfaceKind::Tunnel);
            ways.truncate(1);
        }
        ways
    }
}

/// A host: a machine and its sockets.
#[derive(Debug)]
pub(crate) struct Host<M: Machine> {
    pub(crate) machine: Checked<M>,
    pub(crate) started: bool,
    pub(crate) sockets: Sockets,
}

impl<M: Machine> Host<M> {
    pub(crate) const fn new(machine: Checked<M>, entropy: Entropy) -> Self {
        Self { machine, started: false, sockets: Sockets::new(entropy) }
    }
}

/// What a host holds for its machine.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) udp: BTreeMap<Id, UdpSocket>,
    pub(crate) udp_by_port: BTreeMap<u16, Vec<Id>>,
    pub(crate) listeners: BTreeMap<Id, Endpoint>,
    pub(crate) streams: BTreeMap<Id, Stream>,
    pub(crate) streams_by_ends: BTreeMap<(Endpoint, Endpoint), Id>,
    pub(crate) accepted: u64,
    pub(crate) lookups: BTreeSet<Id>,
    pub(crate) questions: BTreeSet<Id>,
    pub(crate) path_mtu: BTreeMap<IpAddr, u16>,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) dont_fragment: bool,
    pub(crate) entropy: Entropy,
}

/// A UDP socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UdpSocket {
    pub(crate) local: Endpoint,
    /// The only interface it uses, by index.
    pub(crate) interface: Option<u32>,
}

impl Sockets {
    pub(crate) const fn new(entropy: Entropy) -> Self {
        Self {
            udp: BTreeMap::new(),
            udp_by_port: BTreeMap::new(),
            listeners: BTreeMap::new(),
            streams: BTreeMap::new(),
            streams_by_ends: BTreeMap::new(),
            accepted: 0,
            lookups: BTreeSet::new(),
            questions: BTreeSet::new(),
            path_mtu: BTreeMap::new(),
            certificate: None,
            dont_fragment: false,
            entropy,
        }
    }

    /// Whether a UDP socket at `local` would stand in another one's way.
    pub(crate) fn udp_taken(&self, local: Endpoint) -> bool {
        self.udp_by_port.get(&local.port()).is_some_and(|ids| {
            ids.iter().any(|id| self.udp.get(id).is_some_and(|s| clash(s.local, local)))
        })
    }

    pub(crate) fn listener_taken(&self, local: Endpoint) -> bool {
        self.listeners.values().any(|other| other.port() == local.port() && clash(*other, local))
    }

    /// The UDP socket that takes a datagram to `local` which came in by interface `index`: the one
    /// bound to the very address, else the one bound to all.
    pub(crate) fn udp_at(&self, local: Endpoint, index: u32) -> Option<Id> {
        let ids = self.udp_by_port.get(&local.port())?;
        let matching =
            ids.iter().filter_map(|id| Some((*id, self.udp.get(id)?))).filter(|(_, s)| {
                s.interface.is_none_or(|only| only == index) && covers(s.local.ip(), local.ip())
            });
        matching.max_by_key(|(_, s)| !s.local.ip().is_unspecified()).map(|(id, _)| id)
    }

    /// The listener that takes a connection to `local`.
    pub(crate) fn listener_at(&self, local: Endpoint) -> Option<Id> {
        let matching = self
            .listeners
            .iter()
            .filter(|(_, bound)| bound.port() == local.port() && covers(bound.ip(), local.ip()));
        matching.max_by_key(|(_, bound)| !bound.ip().is_unspecified()).map(|(id, _)| *id)
    }

    /// An ephemeral port that `is_free` agrees to.
    pub(crate) fn ephemeral(&mut self, is_free: impl Fn(&Self, u16) -> bool) -> Option<u16> {
        let (first, last) = (*EPHEMERAL_PORTS.start(), *EPHEMERAL_PORTS.end());
        let count = u64::from(last - first) + 1;
        let start = self.entropy.below(count);
        (0..count).map(|n| first + ((start + n) % count) as u16).find(|&port| is_free(self, port))
    }

    pub(crate) fn insert_udp(&mut self, id: Id, socket: UdpSocket) {
        self.udp_by_port.entry(socket.local.port()).or_default().push(id);
        self.udp.insert(id, socket);
    }

    pub(crate) fn remove_udp(&mut self, id: Id) -> bool {
        let Some(socket) = self.udp.remove(&id) else { return false };
        if let Some(ids) = self.udp_by_port.get_mut(&socket.local.port()) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.udp_by_port.remove(&socket.local.port());
            }
        }
        true
    }
}

/// Whether two sockets cannot both have these addresses. IPv6 sockets are IPv6 only.
fn clash(a: Endpoint, b: Endpoint) -> bool {
    covers(a.ip(), b.ip()) || covers(b.ip(), a.ip())
}

/// Whether a socket bound to `bound` takes what is sent to `ip`.
fn covers(bound: IpAddr, ip: IpAddr) -> bool {
    bound == ip || (bound.is_unspecified() && bound.is_ipv4() == ip.is_ipv4())
}
