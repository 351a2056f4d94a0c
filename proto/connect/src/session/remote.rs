//! What the other side told: with ICE it goes to the agent; without, it is the address to send to.

use std::collections::BTreeMap;

use ice::Credentials;
use machine::{Endpoint, Id};

use super::{Context, Session};
use crate::{Event, RemoteIce, RemoteParameters, RemoteStream};

/// A way without ICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainWay {
    pub(super) socket: Id,
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
            plain.retain(|(s, c), _| *s != stream || *c <= components);
        }
        self.close_sockets(context, |s, c| s == stream && c > components);
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
    }

    fn set_remote_plain(&mut self, context: &mut Context<'_>, streams: &[Option<RemoteStream>]) {
        let before = self.plain.take().unwrap_or_default();
        let mut ways = BTreeMap::new();
        for (number, stream) in streams.iter().enumerate() {
            let defaults = stream.iter().flat_map(|stream| &stream.defaults);
            let in_use = self.components.get(number).copied().unwrap_or(0);
            for (component, remote) in (1..=in_use).zip(defaults) {
                let way = remote.and_then(|remote| {
                    let socket = self.socket_towards(number, component, remote)?;
                    Some(PlainWay { socket, remote })
                });
                if let Some(way) = way {
                    ways.insert((number, component), way);
                }
            }
        }
        self.plain = Some(ways.clone());
        let session = context.id;
        for (key @ (stream, component), way) in ways {
            if before.get(&key) == Some(&way) {
                continue;
            }
            if !before.contains_key(&key) {
                context.outputs.event(Event::Writable { session, stream, component });
            }
            if let Some(path) = self.path(stream, component) {
                context.outputs.event(Event::Path { session, stream, component, path });
            }
        }
    }
}
