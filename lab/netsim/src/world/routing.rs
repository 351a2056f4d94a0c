//! Routes that follow from the links.
//!
//! Every address is made known to the routers, NATs and firewalls that can carry packets to it,
//! nearest first. An IPv4 address behind a NAT is known on its inside only, and towards the outside
//! every NAT is the default. IPv6 passes NATs as it is.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use super::{Inhabitant, World};
use crate::node::{Kind, NodeInterface, OUTSIDE_PORT};
use crate::prefix::{Prefix, Routes};

impl<M: Inhabitant> World<M> {
    /// Finds the routes anew after a change of the topology.
    pub(super) fn refresh_routes(&mut self) {
        if !std::mem::take(&mut self.routes_stale) {
            return;
        }
        for node in &mut self.nodes {
            node.routes = Routes::default();
            for &(prefix, interface) in &node.given_routes {
                node.routes.add(prefix, interface);
            }
            if matches!(node.kind, Kind::Nat(_)) {
                node.routes.add(Prefix::DEFAULT_V4, OUTSIDE_PORT);
            }
        }
        let inner = self.links_between_forwarders();
        for node in 0..self.nodes.len() {
            for interface in 0..self.nodes[node].interfaces.len() {
                for prefix in self.announced(node, interface) {
                    self.flood(prefix, node, interface, &inner);
                }
            }
        }
    }

    /// What an interface makes known to its neighbours.
    fn announced(&self, node: usize, interface: usize) -> Vec<Prefix> {
        let at = &self.nodes[node];
        let port = &at.interfaces[interface];
        let host = |ip: IpAddr| Prefix { ip, len: if ip.is_ipv4() { 32 } else { 128 } };
        let mut known: Vec<Prefix> = port.addresses.iter().map(|a| host(a.ip)).collect();
        if matches!(at.kind, Kind::Nat(_)) && interface != OUTSIDE_PORT {
            known.push(Prefix::DEFAULT_V4);
        }
        known
    }

    /// For each node, its interfaces that lead to a node which passes packets on.
    fn links_between_forwarders(&self) -> Vec<Vec<usize>> {
        let leads_on = |interface: &NodeInterface| {
            self.across(interface).is_some_and(|(to, _)| self.nodes[to].forwards())
        };
        let of = |interfaces: &[NodeInterface]| {
            (0..interfaces.len()).filter(|&at| leads_on(&interfaces[at])).collect()
        };
        self.nodes.iter().map(|node| of(&node.interfaces)).collect()
    }

    /// The node and interface at the other end of an interface's link.
    pub(super) fn across(&self, interface: &NodeInterface) -> Option<(usize, usize)> {
        let end = interface.link.filter(|_| interface.up)?;
        let (node, at) = self.links[end.link].ends[usize::from(!end.second)];
        self.nodes[node as usize].interfaces[at].up.then_some((node as usize, at))
    }

    fn flood(&mut self, prefix: Prefix, from: usize, interface: usize, inner: &[Vec<usize>]) {
        let mut seen = BTreeSet::from([from]);
        let mut next: VecDeque<(usize, usize)> =
            self.across(&self.nodes[from].interfaces[interface]).into_iter().collect();
        while let Some((node, at)) = next.pop_front() {
            if !self.nodes[node].forwards() || !seen.insert(node) {
                continue;
            }
            let is_nat = matches!(self.nodes[node].kind, Kind::Nat(_)) && prefix.ip.is_ipv4();
            if is_nat && at == OUTSIDE_PORT {
                continue;
            }
            if prefix.len > 0 || !is_nat {
                self.nodes[node].routes.add(prefix, at);
            }
            for &onward in &inner[node] {
                if onward != at && !(is_nat && onward == OUTSIDE_PORT) {
                    next.extend(self.across(&self.nodes[node].interfaces[onward]));
                }
            }
        }
    }
}
