//! Packets on their way: links, routers, NATs, firewalls, and back as ICMP errors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use machine::Icmp;

use super::{Event, Inhabitant, World};
use crate::capture::Heading;
use crate::fragment;
use crate::node::{Kind, OUTSIDE_PORT};
use crate::packet::{Body, IcmpError, Packet};
use crate::wire;

/// What an error comes from when the node that sends it has no address: the IPv4 dummy address of
/// RFC 7600.
const NOBODY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8));
const NOBODY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8));

impl<M: Inhabitant> World<M> {
    /// Sends a packet out of an interface, cut into fragments where it must be and may be.
    pub(super) fn send_out(&mut self, node: u32, interface: usize, packet: Packet) {
        let port = &self.nodes[node as usize].interfaces[interface];
        let Some(end) = port.link.filter(|_| port.up) else {
            self.stats.undeliverable += 1;
            return;
        };
        let mtu = self.links[end.link].pipes[usize::from(end.second)].settings.mtu;
        if packet.len() <= usize::from(mtu) {
            self.transmit(node, interface, packet);
            return;
        }
        // IPv4 routers cut what they may; of IPv6 only the sender does (RFC 8200 §5).
        let may_cut = if packet.src.is_ipv4() {
            !packet.dont_fragment
        } else {
            !self.nodes[node as usize].forwards()
        };
        if may_cut && !matches!(packet.body, Body::Icmp(_)) {
            self.stats.fragmented += 1;
            for part in fragment::split(packet, usize::from(mtu)) {
                self.transmit(node, interface, part);
            }
        } else {
            self.send_error(node, &packet, Icmp::TooBig { mtu });
        }
    }

    /// Puts a packet on the wire.
    fn transmit(&mut self, node: u32, interface: usize, packet: Packet) {
        let port = &self.nodes[node as usize].interfaces[interface];
        let Some(end) = port.link else { return };
        let (tap, at) = (port.tap, self.now);
        let cable = &mut self.links[end.link];
        let backward = end.second;
        self.wire.clear();
        wire::write(&packet, &mut self.wire);
        self.stats.packets += 1;
        self.digest.packet(at.mono, end.link as u32, backward, &self.wire);
        let arrivals = cable.pipes[usize::from(backward)].send(at.mono, self.wire.len());
        let lost = arrivals[0].is_none();
        if let Some(tap) = tap {
            self.capture.record(tap, at.unix, &self.wire, Heading::Out, false);
        }
        if let Some(tap) = cable.tap {
            self.capture.record(tap, at.unix, &self.wire, Heading::Along, lost);
        }
        let (to, to_interface) = cable.ends[usize::from(!backward)];
        let arrive = |packet| Event::Arrive { node: to, interface: to_interface, packet };
        match arrivals {
            [Some(first), Some(second)] => {
                self.queue.push(first, arrive(packet.clone()));
                self.queue.push(second, arrive(packet));
            }
            [Some(first), None] => self.queue.push(first, arrive(packet)),
            [None, _] => {}
        }
    }

    /// A packet comes out of a link.
    pub(super) fn arrive(&mut self, node: u32, interface: usize, packet: Packet) {
        let at = &mut self.nodes[node as usize];
        if !at.interfaces[interface].up {
            self.stats.undeliverable += 1;
            return;
        }
        if let Some(tap) = at.interfaces[interface].tap {
            self.wire.clear();
            wire::write(&packet, &mut self.wire);
            self.capture.record(tap, self.now.unix, &self.wire, Heading::In, false);
        }
        let at = &mut self.nodes[node as usize];
        let served = at.resident.is_some() && !at.is_outside(interface);
        match &at.kind {
            // A group is those on the link who listen: nobody passes such packets on.
            _ if packet.dst.is_multicast() && served => self.take(node, interface, packet),
            _ if packet.dst.is_multicast() => self.stats.undeliverable += 1,
            _ if served && at.owns(packet.dst) && !at.is_translated(packet.dst) => {
                self.take(node, interface, packet);
            }
            Kind::Host => self.stats.undeliverable += 1,
            Kind::Router => self.forward(node, packet),
            Kind::Firewall(spec) if spec.blocks(&packet) => {
                self.stats.blocked += 1;
                if spec.rejects {
                    self.send_error(node, &packet, Icmp::Prohibited);
                }
            }
            Kind::Firewall(_) => self.forward(node, packet),
            Kind::Nat(_) if packet.src.is_ipv6() => self.pass_v6(node, interface, packet),
            Kind::Nat(_) => {
                // A NAT puts packets together before it looks at ports (RFC 4787 REQ-14).
                if let Some(packet) = at.reassembly.take(self.now.mono, packet) {
                    self.translate(node, interface, packet);
                }
            }
        }
    }

    /// A NAT passes IPv6 on as it is, if it does.
    fn pass_v6(&mut self, node: u32, interface: usize, packet: Packet) {
        let now = self.now.mono;
        let Kind::Nat(nat) = &mut self.nodes[node as usize].kind else { return };
        if interface != OUTSIDE_PORT {
            nat.outbound_v6(now, &packet);
        } else if !nat.admits_v6(now, &packet) {
            self.stats.blocked += 1;
            return;
        }
        self.forward(node, packet);
    }

    fn translate(&mut self, node: u32, interface: usize, packet: Packet) {
        let now = self.now.mono;
        let at = &mut self.nodes[node as usize];
        let owned = at.owns(packet.dst);
        let way = at.routes.find(packet.dst);
        let Kind::Nat(nat) = &mut at.kind else { return };
        let translated = if packet.dst == nat.outside {
            if interface == OUTSIDE_PORT {
                nat.inbound(now, packet)
            } else {
                nat.hairpin(now, packet)
            }
        } else if owned || interface == OUTSIDE_PORT {
            self.stats.undeliverable += 1;
            return;
        } else if way.is_some_and(|way| way != OUTSIDE_PORT) {
            // From one inside host to another.
            Ok(packet)
        } else if packet.hop_limit <= 1 {
            // The error is about the packet as the inside host knows it.
            self.send_error(node, &packet, Icmp::TimeExceeded);
            return;
        } else {
            nat.outbound(now, packet)
        };
        match translated {
            Ok(packet) => self.forward(node, packet),
            Err(_) => self.stats.blocked += 1,
        }
    }

    /// Passes a packet on.
    pub(super) fn forward(&mut self, node: u32, mut packet: Packet) {
        let at = &self.nodes[node as usize];
        if at.owns(packet.dst) {
            self.stats.undeliverable += 1;
            return;
        }
        if packet.hop_limit <= 1 {
            self.send_error(node, &packet, Icmp::TimeExceeded);
            return;
        }
        let Some(interface) = at.routes.find(packet.dst) else {
            self.stats.undeliverable += 1;
            self.send_error(node, &packet, Icmp::NetworkUnreachable);
            return;
        };
        packet.hop_limit -= 1;
        self.send_out(node, interface, packet);
    }

    /// Tells a packet's sender what became of it.
    pub(super) fn send_error(&mut self, node: u32, about: &Packet, icmp: Icmp) {
        let quote = about.quote(wire::quoted_transport(about));
        //= RFC 1122 §3.2.2: no error about what was sent to a group.
        let Some(quote) = quote.filter(|_| !about.dst.is_multicast()) else { return };
        let v4 = about.src.is_ipv4();
        let at = &mut self.nodes[node as usize];
        let body = Body::Icmp(IcmpError { icmp, quote });
        if at.resident.is_some() && (!at.forwards() || at.owns(about.dst)) {
            // What comes back shows the address that was asked.
            let packet = Packet::new(about.dst, about.src, body);
            self.originate(node, packet).unwrap_or_default();
            return;
        }
        let own = at.interfaces.iter().flat_map(|i| &i.addresses).map(|address| address.ip);
        let nobody = if v4 { NOBODY_V4 } else { NOBODY_V6 };
        let src = { own }.find(|ip| ip.is_ipv4() == v4).unwrap_or(nobody);
        let mut packet = Packet::new(src, about.src, body);
        packet.ident = at.next_ident();
        if let Kind::Nat(nat) = &mut at.kind
            && packet.dst == nat.outside
        {
            match nat.inbound(self.now.mono, packet) {
                Ok(translated) => packet = translated,
                Err(_) => return,
            }
        }
        if let Some(interface) = self.nodes[node as usize].routes.find(packet.dst) {
            self.send_out(node, interface, packet);
        }
    }
}
