//! A firewall: a router that lets only some packets through.

use crate::packet::{Packet, UDP};

/// What a firewall blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirewallSpec {
    /// No UDP goes through, in either direction.
    pub blocks_udp: bool,
    /// Say so with an ICMP error, instead of dropping in silence.
    pub rejects: bool,
}

impl FirewallSpec {
    /// A firewall that drops UDP in silence, as many do.
    #[must_use]
    pub const fn without_udp() -> Self {
        Self { blocks_udp: true, rejects: false }
    }

    pub(crate) fn blocks(&self, packet: &Packet) -> bool {
        self.blocks_udp && packet.protocol() == UDP
    }
}
