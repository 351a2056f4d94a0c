//! Ways in that gateways hold open for this session's sockets: candidates that spare the relay.

use std::collections::BTreeMap;

use ice::{Answer, Source};
use machine::{Endpoint, Id};
use portmap::{Mapping, MappingId};

use super::{Context, Session, SocketState, add_local};
use crate::mappings::{Mappings, Told};

/// What a gateway says of one socket.
#[derive(Debug)]
pub(super) enum Gate {
    /// It was asked.
    Asked(MappingId),
    /// It lets others in.
    Open(MappingId, Mapping),
    /// It does not; why, in words.
    Shut(String),
}

/// The gates of a session, by socket.
pub(super) type Gates = BTreeMap<Id, Gate>;

impl Session {
    /// A socket is bound: a gateway is asked to let others in to it.
    pub(super) fn open_gate(&mut self, context: &mut Context<'_>, socket: Id, local: Endpoint) {
        if let Some(mappings) = context.mappings.as_deref_mut()
            && Mappings::helps(local)
        {
            let id = mappings.open(context.now, context.id, socket, local);
            self.gates.insert(socket, Gate::Asked(id));
        }
    }

    /// Gives back what was opened for sockets that are gone.
    pub(super) fn close_gates(&mut self, context: &mut Context<'_>) {
        let Self { gates, sockets, .. } = self;
        gates.retain(|socket, gate| {
            let bound = sockets.get(socket).map(|socket| &socket.state);
            let kept = matches!(bound, Some(SocketState::Bound(_)));
            if let (false, Gate::Asked(id) | Gate::Open(id, _), Some(mappings)) =
                (kept, &*gate, context.mappings.as_deref_mut())
            {
                mappings.close(context.now, *id);
            }
            kept
        });
    }

    /// A gateway has told what it does for a socket.
    pub(crate) fn gate_told(&mut self, context: &mut Context<'_>, socket: Id, told: Told) {
        let Some(gate) = self.gates.get_mut(&socket) else { return };
        let (Gate::Asked(id) | Gate::Open(id, _)) = *gate else { return };
        match told {
            Told::None(why) => *gate = Gate::Shut(why),
            Told::Open(mapping) => {
                *gate = Gate::Open(id, mapping.clone());
                self.mapped_at_gateway(context, socket, &mapping);
            }
        }
    }

    fn mapped_at_gateway(&mut self, context: &mut Context<'_>, socket: Id, mapping: &Mapping) {
        let Some(socket) = self.sockets.get(&socket) else { return };
        let SocketState::Bound(base) = socket.state else { return };
        let (stream, component) = (socket.stream, socket.component);
        let preference = socket.address.preference;
        if let Some(agent) = self.agent.as_mut() {
            let by = (mapping.gateway, mapping.protocol.name());
            let found =
                ice::LocalCandidate::mapped(component, mapping.external, base, preference, by);
            add_local(context, agent, stream, found);
        }
        self.find_plain_ways(context);
    }

    /// Whether a gateway that was asked may still answer.
    pub(super) fn is_at_the_gate(&self) -> bool {
        self.gates.values().any(|gate| matches!(gate, Gate::Asked(_)))
    }

    /// The address that a gateway lets others in at, for a socket.
    pub(super) fn gate_of(&self, socket: Id) -> Option<Endpoint> {
        match self.gates.get(&socket)? {
            Gate::Open(_, mapping) => Some(mapping.external),
            Gate::Asked(_) | Gate::Shut(_) => None,
        }
    }

    /// What gateways said that did not help.
    pub(super) fn gate_sources(&self) -> impl Iterator<Item = Source> {
        self.gates.iter().filter_map(|(id, gate)| {
            let Gate::Shut(why) = gate else { return None };
            let socket = self.sockets.get(id)?;
            Some(Source {
                stream: socket.stream,
                component: socket.component,
                base: self.base_of(*id)?,
                server: None,
                relay: None,
                answer: Answer::NotMapped(why.clone()),
            })
        })
    }
}
