//! What the owner of a world does to its NATs.

use super::{Inhabitant, World};
use crate::nat::{Forward, Nat, NatTable, PortTaken};
use crate::node::{Kind, NodeId};

impl<M: Inhabitant> World<M> {
    /// A NAT's mappings and counters.
    ///
    /// # Panics
    /// If the node is no NAT.
    #[must_use]
    pub fn nat_table(&self, nat: NodeId) -> NatTable {
        self.nat_ref(nat).look(self.now.mono)
    }

    /// Makes a NAT forget its mappings and forwarded ports, as switching it off and on does.
    ///
    /// # Panics
    /// If the node is no NAT.
    pub fn restart_nat(&mut self, nat: NodeId) {
        self.nat_mut(nat).forget();
    }

    /// Forwards a port of a NAT: all that comes in for it goes to one host inside, whoever it is
    /// from, and what that endpoint sends leaves by it; over IPv6 it opens a pinhole. Of the same host
    /// and port again, it takes the place of what was.
    ///
    /// # Errors
    /// [`PortTaken`] if somebody else inside has the port.
    ///
    /// # Panics
    /// If the node is no NAT.
    pub fn forward_port(&mut self, nat: NodeId, forward: Forward) -> Result<(), PortTaken> {
        let now = self.now.mono;
        self.nat_mut(nat).forward(now, forward)
    }

    /// Forwards a port no longer: the one of this protocol and number, or over IPv6 the pinhole of this
    /// inside endpoint. What it forwarded to.
    ///
    /// # Panics
    /// If the node is no NAT.
    pub fn unforward_port(&mut self, nat: NodeId, forward: &Forward) -> Option<Forward> {
        self.nat_mut(nat).unforward(forward)
    }

    /// The ports that a NAT forwards, in order.
    ///
    /// # Panics
    /// If the node is no NAT.
    #[must_use]
    pub fn forwarded_ports(&self, nat: NodeId) -> Vec<Forward> {
        self.nat_ref(nat).forwards(self.now.mono)
    }

    fn nat_ref(&self, nat: NodeId) -> &Nat {
        match &self.nodes[nat.0 as usize].kind {
            Kind::Nat(nat) => nat,
            _ => panic!("{} is no NAT", self.name(nat)),
        }
    }

    fn nat_mut(&mut self, nat: NodeId) -> &mut Nat {
        let node = &mut self.nodes[nat.0 as usize];
        match &mut node.kind {
            Kind::Nat(nat) => nat,
            _ => panic!("{} is no NAT", node.name),
        }
    }
}
