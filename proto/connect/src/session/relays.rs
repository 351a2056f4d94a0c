//! The relayed addresses of a session: where they are asked for, what comes of them, and how those
//! that no path uses are given back (RFC 8445 §5.1.1.2, §8.3).
//!
//! Every component wants one. A server may be asked from each of the component's sockets; they are
//! tried in order, the next when the one before failed or is slow, and the first that gives an
//! address ends the others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ice::{LocalCandidate, Reason};
use machine::{AddressClass, Endpoint, Entropy, Id, Input, Instant, Output, Record, Timers};
use machine::{ResolveError, Transport};
use stun::Credentials;
use turn::attribute::Family;
use turn::client::{Allocation, Config as ClientConfig, Event as Told, Families, Server};

use super::{Base, Context, Session, add_local};
use crate::defaults::{
    CLOSE_LIMIT, MAX_RELAY_ATTEMPTS, MAX_TURN_ENDPOINTS, RELAY_STAGGER, RELEASE_GRACE,
};
use crate::gather::reaches;
use crate::locate::{Locator, Lookup};
use crate::relay::{Relay, RelayId, Wanted};
use crate::{IceMode, TurnServer};

/// The relays of a session.
#[derive(Debug)]
pub(super) struct Relays {
    /// The servers, in order, once the session has started.
    locators: Vec<Locator>,
    relays: BTreeMap<RelayId, Relay>,
    next: RelayId,
    /// What was tried for each component: server and socket.
    tried: BTreeMap<(usize, u16), Vec<(usize, Id)>>,
    /// Whether components without a relayed address go on asking for one.
    asking: bool,
    /// How the servers see the components' sockets.
    reflexive: BTreeMap<Id, Endpoint>,
    timers: Timers<Timer>,
    entropy: Entropy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The attempt under way for a component is slow.
    Slow { stream: usize, component: u16 },
    /// Names have been looked up for long enough.
    Lookups,
    /// What no path uses is given back.
    Release,
    /// The servers have had their time to confirm.
    Close,
}

impl Relays {
    pub(super) fn new(entropy: Entropy) -> Self {
        Self {
            locators: Vec::new(),
            relays: BTreeMap::new(),
            next: 0,
            tried: BTreeMap::new(),
            asking: false,
            reflexive: BTreeMap::new(),
            timers: Timers::new(),
            entropy,
        }
    }

    /// Starts to look for the servers.
    pub(super) fn start(
        &mut self,
        context: &mut Context<'_>,
        servers: &[TurnServer],
        limit: std::time::Duration,
    ) {
        self.asking = !servers.is_empty();
        for (n, server) in servers.iter().enumerate() {
            let entropy = self.entropy.fork(&format!("locate.{n}"));
            let (locator, lookups) = Locator::new(server.clone(), context.ids, entropy);
            self.locators.push(locator);
            look_up(context, lookups);
        }
        if self.asking {
            self.timers.set(Timer::Lookups, context.now.mono + limit);
        }
    }

    /// Takes the answer to a look-up.
    fn resolved(
        &mut self,
        context: &mut Context<'_>,
        id: Id,
        records: &Result<Vec<Record>, ResolveError>,
    ) {
        context.routes.remove(&id);
        for locator in &mut self.locators {
            let lookups = locator.resolved(id, records, context.ids);
            look_up(context, lookups);
        }
    }

    pub(super) fn get(&self, id: RelayId) -> Option<&Relay> {
        self.relays.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: RelayId) -> Option<&mut Relay> {
        self.relays.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Relay> {
        self.relays.values()
    }

    pub(super) fn locators(&self) -> &[Locator] {
        &self.locators
    }

    /// How a server sees a socket.
    pub(super) fn reflexive(&self, socket: Id) -> Option<Endpoint> {
        self.reflexive.get(&socket).copied()
    }

    /// Whether some relay still needs the socket.
    pub(super) fn borrow(&self, socket: Id) -> bool {
        self.relays.values().any(|relay| relay.borrows(socket))
    }

    /// Gives a datagram on a component's socket to the relays that it may be for; says whether there
    /// are any. One that is being given back may have the same server as the next: each knows its own
    /// transactions.
    pub(super) fn datagram(
        &mut self,
        context: &Context<'_>,
        socket: Id,
        from: Endpoint,
        bytes: &[u8],
    ) -> bool {
        let mut any = false;
        for relay in self.relays.values_mut().filter(|relay| relay.claims(socket, from, bytes)) {
            relay.datagram(context, from, bytes);
            any = true;
        }
        any
    }

    pub(super) fn unreachable(
        &mut self,
        context: &Context<'_>,
        socket: Id,
        remote: Endpoint,
        icmp: machine::Icmp,
    ) {
        for relay in self.relays.values_mut() {
            relay.unreachable(context, socket, remote, icmp);
        }
    }

    pub(super) fn socket_failed(
        &mut self,
        context: &Context<'_>,
        socket: Id,
        kind: &machine::FailKind,
    ) {
        for relay in self.relays.values_mut().filter(|relay| relay.borrows(socket)) {
            relay.socket_failed(context, kind.clone());
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let clients = self.relays.values().filter_map(Relay::poll_timeout);
        clients.chain(self.timers.next()).min()
    }

    /// Begins the end: every server is told.
    pub(super) fn close(&mut self, context: &mut Context<'_>) {
        self.asking = false;
        self.relays.values_mut().for_each(|relay| relay.close(context));
        self.drop_lookups(context);
        self.locators.clear();
        self.timers = Timers::new();
        self.timers.set(Timer::Close, context.now.mono + CLOSE_LIMIT);
    }

    /// Waits for no name any longer.
    fn drop_lookups(&mut self, context: &mut Context<'_>) {
        for locator in &mut self.locators {
            for id in locator.give_up() {
                context.routes.remove(&id);
                context.outputs.push(Output::Close { id });
            }
        }
    }

    /// Whether nothing of them is left.
    pub(super) fn are_over(&self) -> bool {
        self.relays.values().all(Relay::is_over)
    }

    /// What no path uses will be given back in a while.
    pub(super) fn release_soon(&mut self, now: Instant) {
        if self.timers.at(&Timer::Release).is_none() {
            self.timers.set(Timer::Release, now + RELEASE_GRACE);
        }
    }

    /// Paths are looked for anew: components without a relayed address ask for one again.
    pub(super) fn ask_again(&mut self) {
        self.timers.cancel(&Timer::Release);
        self.asking = !self.locators.is_empty();
        self.relays.retain(|_, relay| !relay.is_over());
        self.tried.clear();
    }

    /// Lets what waits for a permission of each relay of a component know whom the other side named.
    pub(super) fn want_peers(&mut self, peers: &BTreeSet<(usize, u16, IpAddr)>) {
        for relay in self.relays.values_mut() {
            want_peers(relay, peers);
        }
    }
}

/// Asks for the permissions that checks will need. What looks out of the relay's reach is asked for
/// only when its check is due, alone: one address that is refused fails all others of its request.
fn want_peers(relay: &mut Relay, peers: &BTreeSet<(usize, u16, IpAddr)>) {
    let Some(allocation) = relay.allocation() else { return };
    let public = |ip: IpAddr| AddressClass::of(ip).is_public();
    let fits = |ip: &IpAddr| {
        allocation.relayed(Family::of(*ip)).is_some_and(|base| public(*ip) || !public(base.ip()))
    };
    let named = peers.iter().filter(|(s, c, _)| (*s, *c) == (relay.stream, relay.component));
    let wanted: Vec<IpAddr> = named.map(|(_, _, ip)| *ip).filter(fits).collect();
    wanted.into_iter().for_each(|ip| relay.want_peer(ip));
}

fn look_up(context: &mut Context<'_>, lookups: Vec<Lookup>) {
    for Lookup { id, name, kinds } in lookups {
        context.routes.insert(id, context.id);
        context.outputs.push(Output::Resolve { id, name, kinds });
    }
}

impl Session {
    /// Whether relayed addresses are of use at all.
    pub(super) fn uses_relays(&self) -> bool {
        self.spec.ice != IceMode::Off
    }

    /// The next attempt of a component: server, socket, and where that socket can reach the server.
    fn next_attempt(&self, stream: usize, component: u16) -> Option<(Wanted, Vec<Server>)> {
        let tried = self.relays.tried.get(&(stream, component));
        let tried = |server: usize, socket: Id| {
            tried.is_some_and(|tried| tried.contains(&(server, socket)))
        };
        let count = self.relays.tried.get(&(stream, component)).map_or(0, Vec::len);
        if count >= MAX_RELAY_ATTEMPTS {
            return None;
        }
        let mut sockets: Vec<_> = self.bound_sockets(stream, component).collect();
        sockets.sort_by_key(|(_, socket, _)| std::cmp::Reverse(socket.address.preference));
        for (server, locator) in self.relays.locators.iter().enumerate() {
            // A server that comes first is waited for.
            if locator.is_busy() {
                return None;
            }
            let endpoints = locator.servers();
            for (socket, _, base) in &sockets {
                let reachable = endpoints.iter().filter(|s| reaches(base.ip(), s.endpoint.ip()));
                let servers: Vec<_> = reachable.take(MAX_TURN_ENDPOINTS).cloned().collect();
                if !servers.is_empty() && !tried(server, *socket) {
                    let (socket, base) = (*socket, *base);
                    return Some((Wanted { stream, component, socket, base, server }, servers));
                }
            }
        }
        None
    }

    /// The component that should ask now.
    fn component_to_ask(&self) -> Option<(Wanted, Vec<Server>)> {
        if !self.relays.asking || self.is_binding() {
            return None;
        }
        self.all_components().find_map(|(stream, component)| {
            let slow = Timer::Slow { stream, component };
            let waits = self.relays.timers.at(&slow).is_some() || self.has_relay(stream, component);
            (!waits).then(|| self.next_attempt(stream, component)).flatten()
        })
    }

    /// Whether a component has a relayed address.
    pub(super) fn has_relay(&self, stream: usize, component: u16) -> bool {
        self.relays
            .iter()
            .filter(|relay| (relay.stream, relay.component) == (stream, component))
            .any(|relay| relay.allocation().is_some())
    }

    /// Whether some component may still get a relayed address soon.
    pub(super) fn relays_pending(&self) -> bool {
        self.relays.asking
            && self.all_components().any(|(stream, component)| {
                let ours = |relay: &&Relay| (relay.stream, relay.component) == (stream, component);
                !self.has_relay(stream, component)
                    && (self.relays.locators.iter().any(Locator::is_busy)
                        || self.relays.iter().filter(ours).any(Relay::is_pending)
                        || self.next_attempt(stream, component).is_some())
            })
    }

    pub(super) fn relays_want_slot(&self) -> bool {
        let paced = |relay: &Relay| !relay.is_stream() && self.wants_peers(relay);
        self.component_to_ask().is_some() || self.relays.iter().any(paced)
    }

    /// Whether a relay's permissions or channels are wanted now: not as long as a direct pair works
    /// and nothing waits for them.
    fn wants_peers(&self, relay: &Relay) -> bool {
        let (stream, component) = (relay.stream, relay.component);
        let direct = self.ice().is_some_and(|agent| agent.has_direct(stream, component));
        relay.wants_slot() && (!direct || relay.is_urgent())
    }

    /// Uses a slot for a new attempt; says whether there was one to make.
    pub(super) fn ask_for_relay(&mut self, context: &mut Context<'_>) -> bool {
        let Some((wanted, servers)) = self.component_to_ask() else { return false };
        let (stream, component) = (wanted.stream, wanted.component);
        let tried = self.relays.tried.entry((stream, component)).or_default();
        tried.push((wanted.server, wanted.socket));
        let Some(locator) = self.relays.locators.get(wanted.server) else { return false };
        let TurnServer { username, password, .. } = locator.server();
        let id = self.relays.next;
        self.relays.next += 1;
        let config = ClientConfig {
            servers,
            credentials: Credentials::new(username, password.clone()).ok(),
            local: Some(wanted.base.ip()),
            interface: self.sockets.get(&wanted.socket).and_then(|socket| socket.address.scope),
            families: Families::Both,
            ..ClientConfig::default()
        };
        let entropy = self.relays.entropy.fork(&format!("client.{id}"));
        self.relays.relays.insert(id, Relay::new(context, &wanted, config, entropy));
        let slow = Timer::Slow { stream, component };
        self.relays.timers.set(slow, context.now.mono + RELAY_STAGGER);
        true
    }

    /// Uses a slot for permissions or a channel; says whether any were wanted.
    pub(super) fn ask_for_peers(&mut self, context: &Context<'_>) -> bool {
        let relays = self.relays.relays.iter();
        let wanting = relays.filter(|(_, relay)| self.wants_peers(relay)).map(|(id, _)| *id).next();
        let relay = wanting.and_then(|id| self.relays.get_mut(id));
        relay.map(|relay| relay.take_slot(context)).is_some()
    }

    /// An input for a name that is none of the components' sockets.
    pub(super) fn relay_input(&mut self, context: &mut Context<'_>, id: Id, input: Input<'_, ()>) {
        if let Input::Resolved { records, .. } = &input
            && self.relays.locators.iter().any(|locator| locator.awaits(id))
        {
            self.relays.resolved(context, id, records);
            return;
        }
        if matches!(input, Input::Failed { .. } | Input::Closed { .. } | Input::Resolved { .. }) {
            context.routes.remove(&id);
        }
        let owner = self.relays.relays.values_mut().find(|relay| relay.owns(id));
        if let (Some(relay), Some(input)) = (owner, input.map_answer(|()| None)) {
            relay.handle_input(context, input);
        }
    }

    /// Ends the wait for servers that do not confirm.
    pub(crate) fn abandon_relays(&mut self, context: &mut Context<'_>) {
        for mut relay in std::mem::take(&mut self.relays.relays).into_values() {
            context.stats.relays_abandoned += u64::from(!relay.is_over());
            relay.abandon(context);
        }
    }

    pub(super) fn relays_timeout(&mut self, context: &mut Context<'_>) {
        while let Some(timer) = self.relays.timers.expire(context.now.mono) {
            match timer {
                // Its absence is what counts.
                Timer::Slow { .. } => {}
                Timer::Lookups => self.relays.drop_lookups(context),
                Timer::Release => self.release_relays(context),
                Timer::Close => self.abandon_relays(context),
            }
        }
        for relay in self.relays.relays.values_mut() {
            relay.handle_timeout(context);
        }
    }

    /// Carries out what the relays want, and takes what they tell; says whether there was anything.
    pub(super) fn settle_relays(&mut self, context: &mut Context<'_>) -> bool {
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
    fn forget_relay(&mut self, context: &mut Context<'_>, id: RelayId) {
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

    /// Gives back what no path uses, and the permissions that the others do not need.
    ///
    //= RFC 8445 §8.3: candidates that were not chosen are freed, three seconds after the choice.
    fn release_relays(&mut self, context: &mut Context<'_>) {
        self.relays.asking = false;
        let used: BTreeMap<Base, IpAddr> = self
            .all_components()
            .filter_map(|(stream, component)| {
                let (base, remote) = self.destination(stream, component)?;
                Some((base, remote.ip()))
            })
            .collect();
        let mut released = Vec::new();
        for (id, relay) in &mut self.relays.relays {
            match used.get(&Base::Relay(*id)) {
                Some(peer) => relay.keep_peers(&BTreeSet::from([*peer])),
                None => {
                    relay.close(context);
                    released.push(*id);
                }
            }
        }
        released.into_iter().for_each(|id| self.forget_relay(context, id));
    }

    /// Why there is no relayed address although nothing else may be used.
    pub(super) fn no_candidates(&self) -> Option<Reason> {
        let none = match self.spec.ice {
            IceMode::RelayOnly => !self.bases.values().any(|base| matches!(base, Base::Relay(_))),
            IceMode::On | IceMode::Off => self.bases.is_empty(),
        };
        none.then_some(Reason::NoLocalCandidates)
    }
}

/// The address that says nothing, of the same family.
fn hidden(endpoint: Endpoint) -> Endpoint {
    let nowhere =
        if endpoint.is_ipv4() { Endpoint::UNSPECIFIED_V4 } else { Endpoint::UNSPECIFIED_V6 };
    nowhere.with_port(9)
}
