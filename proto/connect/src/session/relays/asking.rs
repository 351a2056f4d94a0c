//! Which server is asked for a relayed address next, from which socket, and when; and which
//! permissions are asked for.

use machine::Id;
use stun::Credentials;
use turn::client::{Config as ClientConfig, Families, Server};

use super::super::{Context, Session};
use super::Timer;
use crate::TurnServer;
use crate::defaults::{MAX_RELAY_ATTEMPTS, MAX_TURN_ENDPOINTS, RELAY_STAGGER};
use crate::gather::reaches;
use crate::locate::Locator;
use crate::relay::{Relay, Wanted};

impl Session {
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
    pub(in crate::session) fn has_relay(&self, stream: usize, component: u16) -> bool {
        self.relays
            .iter()
            .filter(|relay| (relay.stream, relay.component) == (stream, component))
            .any(|relay| relay.allocation().is_some())
    }

    /// Whether some component may still get a relayed address soon.
    pub(in crate::session) fn relays_pending(&self) -> bool {
        self.relays.asking
            && self.all_components().any(|(stream, component)| {
                let ours = |relay: &&Relay| (relay.stream, relay.component) == (stream, component);
                !self.has_relay(stream, component)
                    && (self.relays.locators.iter().any(Locator::is_busy)
                        || self.relays.iter().filter(ours).any(Relay::is_pending)
                        || self.next_attempt(stream, component).is_some())
            })
    }

    pub(in crate::session) fn relays_want_slot(&self) -> bool {
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
    pub(in crate::session) fn ask_for_relay(&mut self, context: &mut Context<'_>) -> bool {
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
    pub(in crate::session) fn ask_for_peers(&mut self, context: &Context<'_>) -> bool {
        let relays = self.relays.relays.iter();
        let wanting = relays.filter(|(_, relay)| self.wants_peers(relay)).map(|(id, _)| *id).next();
        let relay = wanting.and_then(|id| self.relays.get_mut(id));
        relay.map(|relay| relay.take_slot(context)).is_some()
    }
}
