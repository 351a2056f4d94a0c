//! Network address translation (RFC 4787, RFC 5382, RFC 5508) for IPv4.

mod alg;
mod forward;
mod gate;
mod preset;
mod spec;
mod table;

use std::fmt;
use std::net::IpAddr;

use machine::{Endpoint, Entropy, Instant, Transport};

pub use forward::{Forward, PortTaken};
pub use preset::{Access, BadAccess, Preset};
pub use spec::{BadSpec, Dependence, NatSpec, Ports};

use crate::packet::{Body, Packet, TCP};
use gate::Gate;
use table::Table;

/// A NAT at work: one outside address, any number of inside hosts.
#[derive(Debug)]
pub(crate) struct Nat {
    pub(crate) outside: IpAddr,
    table: Table,
    gate: Gate,
    stats: NatStats,
    ident: u32,
}

/// Why a NAT drops a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// Neither UDP nor TCP nor an error about them.
    NotTranslatable,
    /// No mapping has this outside port.
    NoMapping,
    /// The mapping's filter knows no such sender.
    Filtered,
    /// No outside port is left.
    PortsExhausted,
    /// Inside hosts may not talk to outside endpoints of this NAT.
    NoHairpin,
}

/// What a NAT has done with packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatStats {
    /// Translated on the way out.
    pub outbound: u64,
    /// Translated on the way in.
    pub inbound: u64,
    /// Turned around, from inside to inside.
    pub hairpinned: u64,
    /// From outside, to a mapping that does not take the sender.
    pub filtered: u64,
    /// From outside, to no mapping.
    pub unmapped: u64,
    /// From inside, with no outside port left.
    pub exhausted: u64,
    /// From inside to inside through the outside address, which this NAT does not do.
    pub not_hairpinned: u64,
    /// Neither UDP nor TCP nor ICMP errors.
    pub untranslatable: u64,
}

/// One mapping, a row of the talk's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// UDP or TCP.
    pub protocol: Transport,
    /// The inside host and port.
    pub inside: Endpoint,
    /// The NAT's address and port.
    pub outside: Endpoint,
    /// Active connections: whom the inside host has talked to lately.
    pub remotes: Vec<Endpoint>,
    /// When the mapping goes unless it is refreshed.
    pub expires: Instant,
}

/// A NAT's mappings and counters at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatTable {
    /// What the NAT is.
    pub spec: NatSpec,
    /// Its mappings, by protocol and outside port.
    pub mappings: Vec<Mapping>,
    /// What it has done.
    pub stats: NatStats,
}

impl Nat {
    pub(crate) fn new(spec: NatSpec, outside: IpAddr, entropy: Entropy) -> Self {
        let table = Table::new(spec, entropy);
        Self { outside, table, gate: Gate::default(), stats: NatStats::default(), ident: 0 }
    }

    /// What the NAT looks like at `now`.
    pub(crate) fn look(&self, now: Instant) -> NatTable {
        let mappings = self.table.mappings(now, self.outside);
        NatTable { spec: self.table.spec.clone(), mappings, stats: self.stats }
    }

    /// Forgets all mappings, as a restart does.
    pub(crate) fn forget(&mut self) {
        self.table.clear();
        self.gate.clear();
    }

    /// Forwards a port.
    pub(crate) fn forward(&mut self, now: Instant, forward: Forward) -> Result<(), PortTaken> {
        self.table.forward(now, forward)
    }

    /// Forwards a port no longer.
    pub(crate) fn unforward(&mut self, forward: &Forward) -> Option<Forward> {
        self.table.forwards.remove(forward)
    }

    /// The ports that are forwarded.
    pub(crate) fn forwards(&self, now: Instant) -> Vec<Forward> {
        self.table.forwards.live(now).copied().collect()
    }

    /// An IPv6 packet goes out as it is.
    pub(crate) fn outbound_v6(&mut self, now: Instant, packet: &Packet) {
        if let Some((src, dst)) = packet.endpoints().filter(|_| self.table.spec.closed_v6) {
            let protocol = packet.protocol();
            let spec = &self.table.spec;
            let lifetime = if protocol == TCP { spec.tcp_lifetime } else { spec.lifetime };
            self.gate.passed(now, (protocol, src, dst), lifetime);
        }
    }

    /// Whether an IPv6 packet comes in as it is: an answer, or through a pinhole. Errors do, and
    /// fragments, which show no port but the first.
    pub(crate) fn admits_v6(&self, now: Instant, packet: &Packet) -> bool {
        let ends = packet.endpoints().filter(|_| self.table.spec.closed_v6);
        ends.is_none_or(|(src, dst)| {
            let protocol = packet.protocol();
            self.gate.is_answer(now, (protocol, dst, src))
                || self.table.forwards.has_pinhole(now, protocol, dst)
        })
    }

    /// Translates a packet from inside to outside.
    pub(crate) fn outbound(&mut self, now: Instant, packet: Packet) -> Result<Packet, Refusal> {
        let result = self.translate_out(now, packet);
        match &result {
            Ok(_) => self.stats.outbound += 1,
            Err(refusal) => self.count(*refusal),
        }
        result
    }

    /// Translates a packet from outside to inside.
    pub(crate) fn inbound(&mut self, now: Instant, packet: Packet) -> Result<Packet, Refusal> {
        let result = self.translate_in(now, packet);
        match &result {
            Ok(_) => self.stats.inbound += 1,
            Err(refusal) => self.count(*refusal),
        }
        result
    }

    /// Turns around a packet from inside to the outside address.
    ///
    //= RFC 4787 §6 REQ-9a: the sender is seen with its outside address and port.
    pub(crate) fn hairpin(&mut self, now: Instant, packet: Packet) -> Result<Packet, Refusal> {
        let result = if self.table.spec.hairpin {
            self.translate_out(now, packet).and_then(|packet| self.translate_in(now, packet))
        } else {
            Err(Refusal::NoHairpin)
        };
        match &result {
            Ok(_) => self.stats.hairpinned += 1,
            Err(refusal) => self.count(*refusal),
        }
        result
    }

    fn translate_out(&mut self, now: Instant, mut packet: Packet) -> Result<Packet, Refusal> {
        if let Body::Icmp(error) = &mut packet.body {
            // An inside host says that what came to it was not welcome.
            //= RFC 5508 §4.2: the quoted packet and the sender are translated as the packet was.
            let inside = error.quote.dst;
            let protocol = error.quote.protocol;
            let port = self.table.existing(now, protocol, inside, error.quote.src);
            error.quote.dst = Endpoint::new(self.outside, port.ok_or(Refusal::NoMapping)?);
            packet.src = self.outside;
            return Ok(packet);
        }
        let (src, dst) = packet.endpoints().ok_or(Refusal::NotTranslatable)?;
        let port = self.table.map(now, packet.protocol(), src, dst)?;
        if let Body::Tcp(segment) = &packet.body {
            self.table.track_tcp(now, port, dst, segment.flags, true);
        }
        let outside = Endpoint::new(self.outside, port);
        if self.table.spec.alg {
            alg::outbound(&mut packet, src, outside);
        }
        packet.set_source(outside);
        //= RFC 4787 §12 REQ-14: what arrived in fragments leaves whole or in fragments of its own.
        self.ident = self.ident.wrapping_add(1);
        packet.ident = self.ident;
        Ok(packet)
    }

    fn translate_in(&mut self, now: Instant, mut packet: Packet) -> Result<Packet, Refusal> {
        if let Body::Icmp(error) = &mut packet.body {
            //= RFC 5508 §4.2: an error about a packet that left through a mapping goes back
            //= through it, whoever it comes from.
            let (protocol, port) = (error.quote.protocol, error.quote.src.port());
            let inside = self.table.inside(now, protocol, port).ok_or(Refusal::NoMapping)?;
            error.quote.src = inside;
            packet.dst = inside.ip();
            return Ok(packet);
        }
        let (src, dst) = packet.endpoints().ok_or(Refusal::NotTranslatable)?;
        let inside = self.table.admit(now, packet.protocol(), dst.port(), src)?;
        if let Body::Tcp(segment) = &packet.body {
            self.table.track_tcp(now, dst.port(), src, segment.flags, false);
        }
        if self.table.spec.alg {
            alg::inbound(&mut packet, dst, inside);
        }
        packet.set_destination(inside);
        Ok(packet)
    }

    fn count(&mut self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::NotTranslatable => &mut self.stats.untranslatable,
            Refusal::NoMapping => &mut self.stats.unmapped,
            Refusal::Filtered => &mut self.stats.filtered,
            Refusal::PortsExhausted => &mut self.stats.exhausted,
            Refusal::NoHairpin => &mut self.stats.not_hairpinned,
        };
        *counter += 1;
    }
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = if self.protocol == Transport::Udp { "udp" } else { "tcp" };
        write!(f, "{protocol} {:<21} {:<21}", self.inside.to_string(), self.outside.to_string())?;
        self.remotes.iter().try_for_each(|remote| write!(f, " {remote}"))
    }
}

impl fmt::Display for NatTable {
    /// The table of the talk: internal host and port, NAT port, active connections.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.spec)?;
        writeln!(f, "    {:<21} {:<21} active connections", "inside", "outside")?;
        self.mappings.iter().try_for_each(|mapping| writeln!(f, "{mapping}"))?;
        let s = &self.stats;
        write!(f, "out {} in {} hairpinned {}", s.outbound, s.inbound, s.hairpinned)?;
        write!(f, " filtered {} unmapped {}", s.filtered, s.unmapped)?;
        writeln!(f, " exhausted {} not hairpinned {}", s.exhausted, s.not_hairpinned)
    }
}

/// The transport that a protocol number names, as far as NATs care.
const fn transport(protocol: u8) -> Transport {
    if protocol == TCP { Transport::Tcp } else { Transport::Udp }
}
