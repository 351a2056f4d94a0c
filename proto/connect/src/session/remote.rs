//! What the other side told: with ICE it goes to the agent; without, it is the address to send to.

use std::collections::BTreeMap;

use ice::{Candidate, Credentials};
use machine::Endpoint;

use super::{Base, Context, Session};
use crate::defaults::MAX_RELAY_PEERS;
use crate::{Event, Path, RemoteIce, RemoteParameters, RemoteStream};

/// Paths without ICE.
#[derive(Debug, Default)]
pub(super) struct Plain {
    /// Where the other side receives, by stream and component.
    remotes: BTreeMap<(usize, u16), Endpoint>,
    pub(super) ways: BTreeMap<(usize, u16), PlainWay>,
    /// What the owner was told of each.
    told: BTreeMap<(usize, u16), Path>,
}

/// A way without ICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainWay {
    pub(super) base: Base,
    pub(super) remote: Endpoint,
}

impl Session {
    /// Takes what the other side told.
    pub(crate) fn set_remote(
        &mut self,
        context: &mut Context<'_>,
        remote: &RemoteParameters,
    ) -> Result<(), ice::credentials::Error> {
        if let Some(ice) = &remote.ice {
            ice.credentials.check()?;
        }
        for stream in 0..self.components.len() {
            let told = remote.streams.get(stream).and_then(Option::as_ref);
            self.keep_components(context, stream, told.map_or(0, |told| told.components.max(1)));
        }
        match &remote.ice {
            Some(ice) if self.agent.is_some() => self.set_remote_ice(context, ice, remote),
            //= RFC 8839 §4.2.5: with a peer that knows no ICE, the default addresses are used.
            _ => self.set_remote_plain(context, &remote.streams),
        }
        Ok(())
    }

    /// Gives up the components that the other side does not use.
    fn keep_components(&mut self, context: &mut Context<'_>, stream: usize, components: u16) {
        let Some(kept) = self.components.get_mut(stream) else { return };
        if components >= *kept {
            return;
        }
        *kept = components;
        if let Some(agent) = &mut self.agent {
            agent.keep_components(context.now, stream, components);
        }
        if let Some(plain) = &mut self.plain {
            plain.ways.retain(|(s, c), _| *s != stream || *c <= components);
        }
        self.close_sockets(|s, c| s == stream && c > components);
    }

    fn set_remote_ice(
        &mut self,
        context: &mut Context<'_>,
        ice: &RemoteIce,
        remote: &RemoteParameters,
    ) {
        self.plain = None;
        let Some(agent) = &mut self.agent else { return };
        let Credentials { ufrag, pwd } = ice.credentials.clone();
        agent.set_remote(context.now, Credentials { ufrag, pwd }, ice.lite);
        for (number, stream) in remote.streams.iter().enumerate() {
            for candidate in stream.iter().flat_map(|stream| &stream.candidates) {
                agent.add_remote(number, candidate.clone());
            }
        }
        agent.remote_ready(context.now, ice.complete);
        self.remember_peers(&remote.streams);
    }

    /// Takes more candidates of the other side's.
    pub(crate) fn add_remote(
        &mut self,
        context: &mut Context<'_>,
        stream: usize,
        candidates: &[Candidate],
        complete: bool,
    ) {
        let Some(agent) = self.ice_mut().filter(|agent| agent.has_remote()) else { return };
        for candidate in candidates {
            agent.add_remote(stream, candidate.clone());
        }
        agent.remote_ready(context.now, complete);
        self.remember(stream, candidates);
        self.relays.want_peers(&self.peers);
    }

    /// The relays' permissions go to whom the other side names.
    fn remember_peers(&mut self, streams: &[Option<RemoteStream>]) {
        for (number, stream) in streams.iter().enumerate() {
            self.remember(number, stream.iter().flat_map(|stream| &stream.candidates));
        }
        self.relays.want_peers(&self.peers);
        self.checks_made = 0;
    }

    fn remember<'a>(&mut self, stream: usize, candidates: impl IntoIterator<Item = &'a Candidate>) {
        for candidate in candidates {
            if self.peers.len() < MAX_RELAY_PEERS {
                self.peers.insert((stream, candidate.component, candidate.endpoint.ip()));
            }
        }
    }

    fn set_remote_plain(&mut self, context: &mut Context<'_>, streams: &[Option<RemoteStream>]) {
        let plain = self.plain.get_or_insert_default();
        plain.remotes.clear();
        for (number, stream) in streams.iter().enumerate().take(self.components.len()) {
            let defaults = stream.iter().flat_map(|stream| &stream.defaults);
            for (component, remote) in (1..=ice::defaults::MAX_COMPONENTS).zip(defaults) {
                if let Some(remote) = remote {
                    plain.remotes.insert((number, component), *remote);
                }
            }
        }
        self.find_plain_ways(context);
        self.relays.release_soon(context.now.mono);
    }

    /// Chooses the socket for every remote address, anew whenever more is known of our own: data
    /// leaves from the address that our description gives.
    pub(super) fn find_plain_ways(&mut self, context: &mut Context<'_>) {
        let Some(plain) = &self.plain else { return };
        let in_use = |&((stream, component), _): &(&(usize, u16), &Endpoint)| {
            self.components.get(*stream).is_some_and(|n| component <= n)
        };
        let way = |(&(stream, component), &remote): (&(usize, u16), &Endpoint)| {
            let base = self.base_towards(stream, component, remote)?;
            Some(((stream, component), PlainWay { base, remote }))
        };
        let ways: BTreeMap<_, _> = plain.remotes.iter().filter(in_use).filter_map(way).collect();
        let keys: Vec<(usize, u16)> = ways.keys().copied().collect();
        if let Some(plain) = &mut self.plain {
            plain.ways = ways;
            plain.told.retain(|key, _| keys.contains(key));
        }
        for (stream, component) in keys {
            self.tell_plain_path(context, stream, component);
        }
    }

    /// Tells of a path, if it is another one than was told before.
    fn tell_plain_path(&mut self, context: &mut Context<'_>, stream: usize, component: u16) {
        let Some(path) = self.path(stream, component) else { return };
        let Some(plain) = &mut self.plain else { return };
        let before = plain.told.insert((stream, component), path.clone());
        let session = context.id;
        if before.is_none() {
            context.outputs.event(Event::Writable { session, stream, component });
        }
        if before.as_ref() != Some(&path) {
            context.outputs.event(Event::Path { session, stream, component, path });
        }
    }
}
