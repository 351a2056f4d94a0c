//! What machines want done, and what comes in for their sockets.

use std::net::IpAddr;

use machine::{BindKind, Endpoint, FailKind, Icmp, Id, Input, Output, RecordKind};

use super::{Event, Happening, Inhabitant, World};
use crate::defaults::LOOPBACK_LATENCY;
use crate::fragment;
use crate::node::{Node, UdpSocket};
use crate::packet::{Body, IcmpError, Packet, TCP, UDP};

impl<M: Inhabitant> World<M> {
    /// Does what a machine wants done.
    pub(super) fn perform(
        &mut self,
        node: u32,
        output: Output<M::Event, M::Question>,
        payload: &[u8],
    ) {
        match output {
            Output::Bind { id, kind, local, interface } => {
                let input = match self.bind(node, id, kind, local, interface) {
                    Ok(local) => Input::Bound { id, local },
                    Err(kind) => Input::Failed { id, kind },
                };
                self.tell_machine(node, input);
            }
            Output::Datagram { socket, source, remote, segment_size, dont_fragment } => {
                let size = segment_size.unwrap_or(usize::MAX).max(1);
                let from = (socket, source, dont_fragment);
                if payload.is_empty() {
                    self.send_datagram(node, from, remote, payload);
                }
                for part in payload.chunks(size) {
                    self.send_datagram(node, from, remote, part);
                }
            }
            Output::Connect { id, local, remote } => self.connect(node, id, local, remote),
            Output::Write { conn } => self.write(node, conn, payload),
            Output::Pause { conn, paused } => self.pause(node, conn, paused),
            Output::StartTls { conn, role, alpn } => self.start_tls(node, conn, role, alpn),
            Output::Resolve { id, name, kinds } => self.resolve(node, id, &name, &kinds),
            Output::Ask { id, question } => {
                self.host_mut(node).sockets.questions.insert(id);
                self.tell(node, Happening::Question(id, question));
            }
            Output::Close { id } => self.close(node, id),
            Output::Event(event) => self.tell(node, Happening::Event(event)),
        }
    }

    fn bind(
        &mut self,
        node: u32,
        id: Id,
        kind: BindKind,
        local: Endpoint,
        interface: Option<u32>,
    ) -> Result<Endpoint, FailKind> {
        let at = &self.nodes[node as usize];
        if !local.ip().is_unspecified() && !at.owns(local.ip()) {
            return Err(FailKind::AddressNotAvailable);
        }
        let sockets = &mut self.host_mut(node).sockets;
        let taken = |sockets: &crate::node::Sockets, port| match kind {
            BindKind::Udp | BindKind::SharedUdp | BindKind::RelayUdp => {
                sockets.udp_taken(local.with_port(port))
            }
            BindKind::TcpListener => sockets.listener_taken(local.with_port(port)),
        };
        let port = match local.port() {
            0 => sockets.ephemeral(|s, port| !taken(s, port)).ok_or(FailKind::OutOfResources)?,
            port if taken(sockets, port) => return Err(FailKind::AddressInUse),
            port => port,
        };
        let local = local.with_port(port);
        match kind {
            BindKind::Udp | BindKind::SharedUdp | BindKind::RelayUdp => {
                sockets.insert_udp(id, UdpSocket { local, interface })
            }
            BindKind::TcpListener => _ = sockets.listeners.insert(id, local),
        }
        Ok(local)
    }

    fn resolve(&mut self, node: u32, id: Id, name: &str, kinds: &[RecordKind]) {
        self.host_mut(node).sockets.lookups.insert(id);
        let records = self.dns.resolve(name, kinds);
        let at = self.now.mono + self.dns.latency;
        self.queue.push(at, Event::Input { node, input: Input::Resolved { id, records } });
    }

    fn close(&mut self, node: u32, id: Id) {
        let sockets = &mut self.host_mut(node).sockets;
        let simple = sockets.remove_udp(id)
            || sockets.listeners.remove(&id).is_some()
            || sockets.lookups.remove(&id)
            || sockets.questions.remove(&id);
        if !simple {
            self.close_stream(node, id);
        }
    }

    fn send_datagram(
        &mut self,
        node: u32,
        (socket, source, dont_fragment): (Id, Option<IpAddr>, bool),
        remote: Endpoint,
        payload: &[u8],
    ) {
        let Some(UdpSocket { local, interface }) =
            self.host_mut(node).sockets.udp.get(&socket).copied()
        else {
            return;
        };
        self.refresh_routes();
        let bound = Some(local.ip()).filter(|ip| !ip.is_unspecified()).or(source);
        let dont_fragment = dont_fragment || self.host_mut(node).sockets.dont_fragment;
        let packet = |source| {
            let src = Endpoint::new(source, local.port());
            Packet { dont_fragment, ..Packet::udp(src, remote, payload.to_vec()) }
        };
        let sent = if remote.ip().is_multicast() {
            let ways = self.nodes[node as usize].ways_to_group(remote.ip(), bound, interface);
            let none = ways.is_empty();
            for (way, source) in ways {
                let packet = Packet { hop_limit: 1, ..packet(source) };
                self.send_out(node, way, packet);
            }
            if none { Err(Icmp::NetworkUnreachable) } else { Ok(()) }
        } else {
            self.source(node, remote.ip(), bound)
                .and_then(|source| self.originate(node, packet(source)))
        };
        if let Err(icmp) = sent {
            self.tell_machine(node, Input::Unreachable { socket, remote, icmp });
        }
    }

    /// The address that a host sends from.
    pub(super) fn source(
        &self,
        node: u32,
        dst: IpAddr,
        wanted: Option<IpAddr>,
    ) -> Result<IpAddr, Icmp> {
        let at = &self.nodes[node as usize];
        if at.owns(dst) {
            let wanted = wanted.filter(|ip| ip.is_ipv4() == dst.is_ipv4() && at.owns(*ip));
            return Ok(wanted.unwrap_or(dst));
        }
        at.way_out(dst, wanted).map(|(_, source)| source).ok_or(Icmp::NetworkUnreachable)
    }

    /// Sends a packet of a host; its source address decides the interface.
    pub(super) fn originate(&mut self, node: u32, mut packet: Packet) -> Result<(), Icmp> {
        self.refresh_routes();
        let at = &mut self.nodes[node as usize];
        packet.ident = at.next_ident();
        if at.owns(packet.dst) {
            let at = self.now.mono + LOOPBACK_LATENCY;
            self.queue.push(at, Event::Local { node, packet });
            return Ok(());
        }
        let (interface, _) =
            at.way_out(packet.dst, Some(packet.src)).ok_or(Icmp::NetworkUnreachable)?;
        let Some(host) = &at.resident else { return Ok(()) };
        match host.sockets.path_mtu.get(&packet.dst) {
            Some(&mtu) if packet.len() > usize::from(mtu) => {
                if packet.dont_fragment {
                    return Err(Icmp::TooBig { mtu });
                }
                for part in fragment::split(packet, usize::from(mtu)) {
                    self.send_out(node, interface, part);
                }
            }
            _ => self.send_out(node, interface, packet),
        }
        Ok(())
    }

    /// A packet has reached the host that it was sent to.
    pub(super) fn take(&mut self, node: u32, interface: usize, packet: Packet) {
        let at = &mut self.nodes[node as usize];
        let Some(packet) = at.reassembly.take(self.now.mono, packet) else { return };
        match &packet.body {
            Body::Udp { .. } => self.take_datagram(node, interface, packet),
            Body::Tcp(_) => self.take_segment(node, packet),
            Body::Icmp(error) => self.take_error(node, error),
            Body::Fragment(_) => {}
        }
    }

    fn take_datagram(&mut self, node: u32, interface: usize, packet: Packet) {
        let Some((remote, local)) = packet.endpoints() else { return };
        let index = interface as u32 + 1;
        let Some(socket) = self.host_mut(node).sockets.udp_at(local, index) else {
            self.stats.undeliverable += 1;
            self.send_error(node, &packet, Icmp::PortUnreachable);
            return;
        };
        if let Body::Udp { payload, .. } = packet.body {
            let (ecn, segment_size) = (None, None);
            let bytes = &payload;
            self.deliver(node, Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
        }
    }

    /// An ICMP error about something that this host is said to have sent.
    fn take_error(&mut self, node: u32, error: &IcmpError) {
        let IcmpError { icmp, ref quote } = *error;
        let sockets = &mut self.host_mut(node).sockets;
        if let Icmp::TooBig { mtu } = icmp {
            let known = sockets.path_mtu.entry(quote.dst.ip()).or_insert(mtu);
            *known = mtu.min(*known);
        }
        match quote.protocol {
            UDP => {
                let socket = sockets.udp.iter().find(|(_, s)| is_sender(s, quote.src));
                if let Some((&socket, _)) = socket {
                    let remote = quote.dst;
                    self.deliver(node, Input::Unreachable { socket, remote, icmp });
                }
            }
            TCP => self.stream_error(node, (quote.src, quote.dst), icmp),
            _ => {}
        }
    }

    /// The largest TCP segment towards `dst`.
    pub(super) fn mss(&self, node: u32, src: IpAddr, dst: IpAddr) -> u16 {
        let at: &Node<M> = &self.nodes[node as usize];
        let link = at.way_out(dst, Some(src)).and_then(|(way, _)| at.interfaces[way].link);
        let mtu = link.map_or(crate::defaults::MTU, |end| {
            self.links[end.link].pipes[usize::from(end.second)].settings.mtu
        });
        let learnt = at.resident.as_ref().and_then(|h| h.sockets.path_mtu.get(&dst).copied());
        let headers = if dst.is_ipv4() { 40 } else { 60 };
        learnt.map_or(mtu, |learnt| learnt.min(mtu)).saturating_sub(headers).max(64)
    }
}

fn is_sender(socket: &UdpSocket, src: Endpoint) -> bool {
    let ip = socket.local.ip();
    socket.local.port() == src.port()
        && (ip == src.ip() || (ip.is_unspecified() && ip.is_ipv4() == src.is_ipv4()))
}
