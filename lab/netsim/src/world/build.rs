//! Building and changing the topology.

use std::net::IpAddr;

use machine::{Checked, Input, Interface, InterfaceAddress, InterfaceKind};

use super::{Cable, Inhabitant, World};
use crate::capture::TapId;
use crate::firewall::FirewallSpec;
use crate::link::{Link, LinkId, Pipe};
use crate::nat::{Nat, NatSpec};
use crate::node::{Host, Kind, LinkEnd, Node, NodeId, NodeInterface, OUTSIDE, Port};
use crate::prefix::Prefix;
use crate::tls::Certificate;

/// What to capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tap<'a> {
    /// What enters a link, from either end, with a comment on what is lost there.
    Link(LinkId),
    /// What a node's interface sends and receives.
    Interface(NodeId, &'a str),
}

/// There is no such interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{node} has no interface {interface}")]
pub struct BadTap {
    /// The node's name.
    pub node: String,
    /// The interface's name.
    pub interface: String,
}

impl<M: Inhabitant> World<M> {
    /// Adds a host that runs `machine`, with a loopback interface and, unless `addresses` is
    /// empty, an interface `eth0` with these (`"192.168.0.12/24"`).
    ///
    /// # Panics
    /// If an address is none.
    pub fn host(&mut self, name: &str, machine: M, addresses: &[&str]) -> NodeId {
        self.add_host(name, Checked::new(machine), addresses)
    }

    /// Adds a host with a twin of its machine: both must behave the same to the byte.
    ///
    /// # Panics
    /// If an address is none.
    pub fn host_with_twin(
        &mut self,
        name: &str,
        machine: M,
        twin: M,
        addresses: &[&str],
    ) -> NodeId {
        self.add_host(name, Checked::with_twin(machine, twin), addresses)
    }

    fn add_host(&mut self, name: &str, machine: Checked<M>, addresses: &[&str]) -> NodeId {
        let entropy = self.entropy.fork(&format!("host.{name}"));
        let lo = parse(&["127.0.0.1/8", "::1"]);
        let lo = NodeInterface::new("lo", InterfaceKind::Loopback, lo);
        let mut node = Node::new(name, Kind::Host, vec![lo]);
        node.resident = Some(Box::new(Host::new(machine, entropy)));
        let id = self.add_node(node);
        if !addresses.is_empty() {
            self.interface(id, "eth0", InterfaceKind::Physical, addresses);
        }
        id
    }

    /// Adds an interface to a node.
    ///
    /// # Panics
    /// If an address is none.
    pub fn interface(&mut self, node: NodeId, name: &str, kind: InterfaceKind, addresses: &[&str]) {
        let interface = NodeInterface::new(name, kind, parse(addresses));
        self.nodes[node.0 as usize].interfaces.push(interface);
        self.changed(node);
    }

    /// Adds a router.
    pub fn router(&mut self, name: &str) -> NodeId {
        self.add_node(Node::new(name, Kind::Router, Vec::new()))
    }

    /// Adds a firewall: a router that lets only some packets through.
    pub fn firewall(&mut self, name: &str, spec: FirewallSpec) -> NodeId {
        self.add_node(Node::new(name, Kind::Firewall(spec), Vec::new()))
    }

    /// Adds a NAT with its addresses on the inside and on the outside; the first of the outside
    /// ones is what it translates to. IPv6 is routed through it as it is.
    ///
    /// # Panics
    /// If an address is none, or there is no IPv4 address outside.
    pub fn nat(&mut self, name: &str, spec: NatSpec, inside: &[&str], outside: &[&str]) -> NodeId {
        let outside = parse(outside);
        let translated = outside.iter().map(|a| a.ip).find(IpAddr::is_ipv4);
        let translated = translated.expect("a NAT has an IPv4 address outside");
        let nat = Nat::new(spec, translated, self.entropy.fork(&format!("nat.{name}")));
        let interfaces = vec![
            NodeInterface::new(OUTSIDE, InterfaceKind::Physical, outside),
            NodeInterface::new("inside", InterfaceKind::Physical, parse(inside)),
        ];
        self.add_node(Node::new(name, Kind::Nat(Box::new(nat)), interfaces))
    }

    /// Lets a NAT, router or firewall run a machine as well: it has the sockets of a host at the
    /// addresses inside. What it sends to a group leaves by every interface inside.
    ///
    /// # Panics
    /// If the node runs a machine already.
    pub fn gateway(&mut self, node: NodeId, machine: M) {
        self.add_resident(node, Checked::new(machine));
    }

    /// The same with a twin of the machine: both must behave the same to the byte.
    ///
    /// # Panics
    /// If the node runs a machine already.
    pub fn gateway_with_twin(&mut self, node: NodeId, machine: M, twin: M) {
        self.add_resident(node, Checked::with_twin(machine, twin));
    }

    fn add_resident(&mut self, node: NodeId, machine: Checked<M>) {
        let entropy = self.entropy.fork(&format!("gateway.{}", self.name(node)));
        let node = &mut self.nodes[node.0 as usize];
        assert!(node.resident.is_none(), "{} runs a machine already", node.name);
        node.resident = Some(Box::new(Host::new(machine, entropy)));
    }

    fn add_node(&mut self, node: Node<M>) -> NodeId {
        self.nodes.push(node);
        self.routes_stale = true;
        NodeId(u32::try_from(self.nodes.len() - 1).expect("a world is smaller than that"))
    }

    /// Connects two interfaces with a link that treats both directions alike.
    ///
    /// # Panics
    /// If there is no such interface, or it has a link.
    pub fn link<'a>(
        &mut self,
        a: impl Into<Port<'a>>,
        b: impl Into<Port<'a>>,
        settings: Link,
    ) -> LinkId {
        let (a, b) = (self.plug(a.into()), self.plug(b.into()));
        let at = self.links.len();
        let end = |(node, interface): (u32, usize)| {
            let node = &self.nodes[node as usize];
            format!("{}.{}", node.name, node.interfaces[interface].name)
        };
        let name = format!("{}-{}", end(a), end(b));
        for ((node, interface), second) in [(a, false), (b, true)] {
            let end = LinkEnd { link: at, second };
            self.nodes[node as usize].interfaces[interface].link = Some(end);
        }
        let pipe = |label| Pipe::new(settings.clone(), self.entropy.fork(&format!("{label}.{at}")));
        let pipes = [pipe("link.forward"), pipe("link.backward")];
        self.links.push(Cable { name, ends: [a, b], pipes, tap: None });
        self.routes_stale = true;
        LinkId(at as u32)
    }

    /// Finds the interface that a port means, or makes it.
    fn plug(&mut self, port: Port<'_>) -> (u32, usize) {
        let node = &mut self.nodes[port.node.0 as usize];
        let free = match port.name {
            Some(name) => node.interfaces.iter().position(|i| i.name == name),
            None => node.interfaces.iter().position(|i| {
                i.link.is_none() && i.kind != InterfaceKind::Loopback && i.name != OUTSIDE
            }),
        };
        if let Some(at) = free {
            assert!(
                node.interfaces[at].link.is_none(),
                "{} has a link at {}",
                node.name,
                node.interfaces[at].name
            );
            return (port.node.0, at);
        }
        assert!(node.forwards(), "{} has no interface for one more link", node.name);
        let at = node.interfaces.len();
        let (name, addresses) = match &node.kind {
            Kind::Nat(_) => (format!("inside{at}"), node.interfaces[1].addresses.clone()),
            _ => (format!("port{at}"), Vec::new()),
        };
        let name = port.name.unwrap_or(&name);
        node.interfaces.push(NodeInterface::new(name, InterfaceKind::Physical, addresses));
        (port.node.0, at)
    }

    /// Adds a route: packets to `prefix` leave by `port`. Given routes come before those that
    /// follow from the links, at the same length of prefix.
    ///
    /// # Panics
    /// If the prefix is none, or there is no such interface.
    pub fn route(&mut self, prefix: &str, port: Port<'_>) {
        let node = &mut self.nodes[port.node.0 as usize];
        let prefix: Prefix = prefix.parse().expect("an address prefix");
        let named = |i: &NodeInterface| Some(i.name.as_str()) == port.name;
        let at = node.interfaces.iter().position(named).expect("an interface of this name");
        node.given_routes.push((prefix, at));
        self.routes_stale = true;
    }

    /// Gives an interface other addresses, now; a host's machine is told.
    ///
    /// # Panics
    /// If an address is none, or there is no such interface.
    pub fn set_addresses(&mut self, port: Port<'_>, addresses: &[&str]) {
        self.set_interface_addresses(port, parse(addresses));
    }

    /// The same with temporary and deprecated addresses.
    ///
    /// # Panics
    /// If there is no such interface.
    pub fn set_interface_addresses(&mut self, port: Port<'_>, addresses: Vec<InterfaceAddress>) {
        self.interface_mut(port).addresses = addresses;
        self.changed(port.node);
    }

    /// Switches an interface on or off, now; a host's machine is told.
    ///
    /// # Panics
    /// If there is no such interface.
    pub fn set_up(&mut self, port: Port<'_>, up: bool) {
        self.interface_mut(port).up = up;
        self.changed(port.node);
    }

    fn interface_mut(&mut self, port: Port<'_>) -> &mut NodeInterface {
        let node = &mut self.nodes[port.node.0 as usize];
        let named = node.interfaces.iter_mut().find(|i| Some(i.name.as_str()) == port.name);
        named.unwrap_or_else(|| panic!("{} has no interface {:?}", node.name, port.name))
    }

    fn changed(&mut self, node: NodeId) {
        self.routes_stale = true;
        let interfaces = self.interfaces_of(node.0 as usize);
        if let Some(host) = &self.nodes[node.0 as usize].resident
            && host.started
        {
            self.tell_machine(node.0, Input::Interfaces(interfaces));
        }
    }

    /// A node's interfaces that are up, as a machine is told of them.
    pub(super) fn interfaces_of(&self, node: usize) -> Vec<Interface> {
        let up = self.nodes[node].interfaces.iter().zip(1..).filter(|(i, _)| i.up);
        up.map(|(interface, index)| Interface {
            index,
            name: interface.name.clone(),
            kind: interface.kind,
            addresses: interface.addresses.clone(),
            routers: self.routers_at(node, interface),
        })
        .collect()
    }

    /// The default routers of a host's interface: the addresses of what passes packets on at the
    /// other end of its link.
    fn routers_at(&self, node: usize, interface: &NodeInterface) -> Vec<IpAddr> {
        let far = self.across(interface).filter(|(far, _)| self.nodes[*far].forwards());
        let Some((far, at)) = far.filter(|_| !self.nodes[node].forwards()) else {
            return Vec::new();
        };
        let addresses = self.nodes[far].interfaces[at].addresses.iter().map(|address| address.ip);
        addresses.filter(|ip| interface.is_on_link(*ip)).collect()
    }

    /// The certificate that a host shows when it is the server of a TLS handshake.
    ///
    /// # Panics
    /// If the node is no host.
    pub fn set_certificate(&mut self, host: NodeId, certificate: Certificate) {
        self.host_mut(host.0).sockets.certificate = Some(certificate);
    }

    /// Whether a host forbids routers to cut its datagrams (off at first).
    ///
    /// # Panics
    /// If the node is no host.
    pub fn set_dont_fragment(&mut self, host: NodeId, dont_fragment: bool) {
        self.host_mut(host.0).sockets.dont_fragment = dont_fragment;
    }

    /// Starts to keep what passes a link or an interface, for [`World::pcapng`].
    ///
    /// # Errors
    /// [`BadTap`] if there is no such interface.
    pub fn tap(&mut self, tap: Tap<'_>) -> Result<TapId, BadTap> {
        match tap {
            Tap::Link(link) => {
                let cable = &mut self.links[link.0 as usize];
                let capture = &mut self.capture;
                Ok(*cable.tap.get_or_insert_with(|| capture.tap(cable.name.clone())))
            }
            Tap::Interface(node, name) => {
                let node = &mut self.nodes[node.0 as usize];
                let full = format!("{}.{name}", node.name);
                match node.interfaces.iter_mut().find(|i| i.name == name) {
                    Some(interface) => {
                        let capture = &mut self.capture;
                        Ok(*interface.tap.get_or_insert_with(|| capture.tap(full)))
                    }
                    None => Err(BadTap { node: node.name.clone(), interface: name.to_owned() }),
                }
            }
        }
    }
}

fn parse(addresses: &[&str]) -> Vec<InterfaceAddress> {
    let parse = |address: &&str| {
        let prefix: Prefix = address.parse().unwrap_or_else(|e| panic!("{e}"));
        prefix.address()
    };
    addresses.iter().map(parse).collect()
}
