//! What comes of asking: relayed addresses as candidates and as ways, refusals, the end.

use std::net::IpAddr;

use ice::LocalCandidate;
use machine::{Endpoint, Transport};
use turn::attribute::Family;
use turn::client::{Allocation, Event as Told};

use super::super::{Base, Context, Session, add_local};
use super::{Timer, want_peers};
use crate::IceMode;
use crate::relay::{Relay, RelayId};

impl Session {
    /// Carries out what the relays want, and takes what they tell; says whether there was anything.
    pub(in crate::session) fn settle_relays(&mut self, context: &mut Context<'_>) -> bool {
        let mut all = Vec::new();
        for (id, relay) in &mut self.relays.relays {
            let mut told = Vec::new();
            relay.drain(context, &mut told);
            all.extend(told.into_iter().map(|(event, payload)| (*id, event, payload)));
        }
        let mut any = !all.is_empty();
        for (id, event, payload) in all {
            self.relay_told(context, id, event, &payload);
        }
        //= RFC 8445 §14.2: the pace is that of UDP; what a connection carries, TCP paces.
        let eager = |relay: &&mut Relay| relay.is_stream() && relay.wants_slot();
        for relay in self.relays.relays.values_mut().filter(eager) {
            relay.take_slot(context);
            any = true;
        }
        any
    }

    fn relay_told(&mut self, context: &mut Context<'_>, id: RelayId, event: Told, payload: &[u8]) {
        let Some(relay) = self.relays.get(id) else { return };
        let (stream, component) = (relay.stream, relay.component);
        let towards = |peer: IpAddr| relay.allocation()?.relayed(Family::of(peer));
        match event {
            Told::Allocated(allocation) => self.relay_allocated(context, id, &allocation),
            Told::Received { peer, .. } => {
                if let Some(base) = towards(peer.ip()) {
                    self.arrived(context, base, (stream, component), peer, payload);
                }
            }
            Told::PeerRefused { peer, cause } if peer.port() == 0 => {
                // Without a code the server was silent, as the checks will be.
                let (base, code) = (towards(peer.ip()), cause.code());
                if let (Some(agent), Some(base), Some(code)) = (&mut self.agent, base, code) {
                    agent.refuse_peer(context.now, base, peer.ip(), code);
                }
            }
            Told::Icmp { peer, error } => {
                let (base, icmp) = (towards(peer.ip()), error.icmp(Family::of(peer.ip())));
                if let (Some(agent), Some(base), Some(icmp)) = (&mut self.agent, base, icmp) {
                    agent.handle_unreachable(base, peer, icmp);
                }
            }
            Told::Waiting { .. } => {
                self.relays.timers.cancel(&Timer::Slow { stream, component });
            }
            Told::Failed(_) | Told::Ended => {
                self.relays.timers.cancel(&Timer::Slow { stream, component });
                self.forget_relay(context, id);
            }
            _ => {}
        }
    }

    /// A relayed address is there: it is a candidate, and how the server sees us is another.
    fn relay_allocated(&mut self, context: &mut Context<'_>, id: RelayId, allocation: &Allocation) {
        let Some(relay) = self.relays.get(id).filter(|relay| !relay.is_closing()) else { return };
        let (stream, component, socket) = (relay.stream, relay.component, relay.socket);
        self.gatherer.answered(context.now.mono);
        self.relays.timers.cancel(&Timer::Slow { stream, component });
        for (other, relay) in &mut self.relays.relays {
            if *other != id && (relay.stream, relay.component) == (stream, component) {
                relay.close(context);
            }
        }
        let preference = self.sockets.get(&socket).map_or(0, |socket| socket.address.preference);
        let Allocation { server, reflexive, relayed, .. } = allocation;
        let only = self.spec.ice == IceMode::RelayOnly;
        //= RFC 8445 §5.1.1.2: the Allocate response tells the server-reflexive candidate as well.
        if server.transport == Transport::Udp && !only {
            self.relays.reflexive.entry(socket).or_insert(*reflexive);
            let (server, address) = (server.endpoint, *reflexive);
            self.mapped(context, crate::gather::Mapped { socket, server, address });
        }
        //= RFC 8839 §5.1: who wants to hide the mapped address tells 0.0.0.0 and port 9 instead.
        let related = if only { hidden(*reflexive) } else { *reflexive };
        for (n, base) in (0u16..).zip(relayed) {
            self.bases.insert(*base, Base::Relay(id));
            let Some(agent) = &mut self.agent else { continue };
            let via = (server.endpoint, server.transport);
            let preference = preference.saturating_sub(n << 8);
            let found = LocalCandidate::relayed(component, *base, related, preference, via);
            add_local(context, agent, stream, found);
        }
        let peers = self.peers.clone();
        if let Some(relay) = self.relays.get_mut(id) {
            want_peers(relay, &peers);
        }
        self.find_plain_ways(context);
    }

    /// A relayed address is no more.
    pub(super) fn forget_relay(&mut self, context: &mut Context<'_>, id: RelayId) {
        let ours = |base: &Base| *base == Base::Relay(id);
        let gone: Vec<Endpoint> =
            self.bases.iter().filter(|(_, base)| ours(base)).map(|(at, _)| *at).collect();
        for base in &gone {
            self.bases.remove(base);
            if let Some(agent) = &mut self.agent {
                agent.withdraw_local(context.now, *base);
            }
        }
        if !gone.is_empty() {
            self.find_plain_ways(context);
        }
    }
}

/// The address that says nothing, of the same family.
fn hidden(endpoint: Endpoint) -> Endpoint {
    let nowhere =
        if endpoint.is_ipv4() { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
    nowhere.with_port(9)
}
