//! What our side tells, and how it went.

use ice::{Answer, CandidateKind, Explanation, Source};
use machine::{AddressClass, Endpoint, Id, Transport};

use super::{Session, Socket, SocketState};
use crate::{LocalParameters, LocalStream, Path};

impl Session {
    /// What our side tells the other.
    pub(crate) fn local(&self) -> LocalParameters {
        let stream = |(number, &components): (usize, &u16)| LocalStream {
            candidates: self
                .agent
                .iter()
                .flat_map(|agent| agent.local_candidates(number))
                .cloned()
                .collect(),
            defaults: (1..=components).map(|c| self.default_endpoint(number, c)).collect(),
        };
        LocalParameters {
            credentials: self.agent.as_ref().map(|agent| agent.credentials().clone()),
            gathered: self.gathered,
            streams: self.components.iter().enumerate().map(stream).collect(),
        }
    }

    /// How well a socket serves as the default; more is better.
    ///
    //= RFC 8445 §5.1.4: the default is what a peer without ICE will most likely reach.
    fn suitability(&self, id: Id, socket: &Socket, base: Endpoint) -> impl Ord + use<> {
        let class = AddressClass::of(base.ip());
        (
            self.spec.preferred == Some(base.ip()),
            self.outside(id).is_some(),
            !matches!(class, AddressClass::Loopback | AddressClass::LinkLocal),
            base.is_ipv4(),
            socket.address.preference,
        )
    }

    /// The bound sockets of a component.
    fn bound_sockets(
        &self,
        stream: usize,
        component: u16,
    ) -> impl Iterator<Item = (Id, &Socket, Endpoint)> {
        self.sockets
            .iter()
            .filter(move |(_, s)| (s.stream, s.component) == (stream, component))
            .filter_map(|(id, socket)| match socket.state {
                SocketState::Bound(base) => Some((*id, socket, base)),
                SocketState::Binding | SocketState::Failed(_) => None,
            })
    }

    /// How the first server that answered sees a socket.
    fn outside(&self, id: Id) -> Option<Endpoint> {
        self.gatherer.sources().iter().find_map(|source| match source.answer {
            Answer::Address(address) if source.socket == id => Some(address),
            _ => None,
        })
    }

    fn default_endpoint(&self, stream: usize, component: u16) -> Option<Endpoint> {
        let (id, _, base) = self
            .bound_sockets(stream, component)
            .max_by_key(|(id, socket, base)| self.suitability(*id, socket, *base))?;
        Some(self.outside(id).unwrap_or(base))
    }

    /// The socket to send from, towards an address that a description gives.
    pub(super) fn socket_towards(
        &self,
        stream: usize,
        component: u16,
        remote: Endpoint,
    ) -> Option<Id> {
        let class = AddressClass::of(remote.ip());
        if remote.port() == 0 || class == AddressClass::Unspecified {
            return None;
        }
        let near = |class| class == AddressClass::Loopback;
        self.bound_sockets(stream, component)
            .filter(|(_, _, base)| base.is_ipv4() == remote.is_ipv4())
            .max_by_key(|(id, socket, base)| {
                let alike = near(AddressClass::of(base.ip())) == near(class);
                (alike, self.suitability(*id, socket, *base))
            })
            .map(|(id, ..)| id)
    }

    /// The way that data of a component takes.
    pub(super) fn path(&self, stream: usize, component: u16) -> Option<Path> {
        if let Some(plain) = &self.plain {
            let way = plain.ways.get(&(stream, component))?;
            let base = self.base_of(way.socket)?;
            return Some(Path {
                local: self.outside(way.socket).unwrap_or(base),
                base,
                remote: way.remote,
                local_type: None,
                remote_type: None,
                relayed: false,
                transport: Transport::Udp,
                relay: None,
                rtt: None,
                pairs_tried: 0,
                checks_sent: 0,
            });
        }
        let agent = self.agent.as_ref()?;
        let way = agent.way(stream, component)?;
        let relayed = |kind| kind == CandidateKind::Relayed;
        Some(Path {
            local: way.local.endpoint,
            base: way.local.base,
            remote: way.remote.endpoint,
            local_type: Some(way.local.kind),
            remote_type: Some(way.remote.kind),
            relayed: relayed(way.local.kind) || relayed(way.remote.kind),
            transport: way.local.transport,
            relay: None,
            rtt: way.rtt,
            pairs_tried: agent.pairs_tried(),
            checks_sent: agent.stats().checks_sent,
        })
    }

    /// How it went so far.
    pub(crate) fn explain(&self) -> Explanation {
        let explanation = match &self.agent {
            Some(agent) => agent.explain(),
            None => Explanation::empty(self.spec.role),
        };
        let unbound = self.sockets.values().filter_map(|socket| match &socket.state {
            SocketState::Failed(kind) => Some(Source {
                stream: socket.stream,
                component: socket.component,
                base: Endpoint::new(socket.address.ip, 0),
                server: None,
                relay: None,
                answer: Answer::NotBound(kind.clone()),
            }),
            _ => None,
        });
        let asked = self.gatherer.sources().iter().filter_map(|source| {
            let socket = self.sockets.get(&source.socket)?;
            Some(Source {
                stream: socket.stream,
                component: socket.component,
                base: source.base,
                server: Some(source.server),
                relay: None,
                answer: source.answer.clone(),
            })
        });
        Explanation { sources: unbound.chain(asked).collect(), ..explanation }
    }
}
