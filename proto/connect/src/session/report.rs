//! What our side tells, and how it went.

use ice::{Answer, CandidateKind, Explanation, Source};
use machine::{AddressClass, Endpoint, Id, Transport};

use super::remote::PlainWay;
use super::{Base, Session, Socket, SocketState};
use crate::locate::Locator;
use crate::relay::{Relay, RelayId};
use crate::{IceMode, LocalParameters, LocalStream, Path};

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
            bound: self.started && !self.is_binding(),
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
    pub(super) fn bound_sockets(
        &self,
        stream: usize,
        component: u16,
    ) -> impl Iterator<Item = (Id, &Socket, Endpoint)> {
        self.sockets
            .iter()
            .filter(move |(_, s)| (s.stream, s.component) == (stream, component))
            .filter_map(|(id, socket)| match socket.state {
                SocketState::Bound(base) => Some((*id, socket, base)),
                SocketState::Binding | SocketState::Failed(_) | SocketState::Closing => None,
            })
    }

    /// How the first server that answered sees a socket.
    fn outside(&self, id: Id) -> Option<Endpoint> {
        let told = self.gatherer.sources().iter().find_map(|source| match source.answer {
            Answer::Address(address) if source.socket == id => Some(address),
            _ => None,
        });
        // A gateway's word before a server's: everybody gets in there.
        self.gate_of(id).or(told).or_else(|| self.relays.reflexive(id))
    }

    /// The relayed address of a component, for peers of one family.
    fn relayed(&self, stream: usize, component: u16, v4: bool) -> Option<(RelayId, Endpoint)> {
        self.bases.iter().find_map(|(at, base)| match base {
            Base::Relay(id) if at.is_ipv4() == v4 => {
                let relay = self.relays.get(*id)?;
                ((relay.stream, relay.component) == (stream, component)).then_some((*id, *at))
            }
            _ => None,
        })
    }

    /// Whether a component is better reached, and reaches others, by its relay when there is no ICE:
    /// nothing else may be used, or no server answers its socket and its own address is private.
    fn prefers_relay(&self, id: Id, base: Endpoint) -> bool {
        self.spec.ice == IceMode::RelayOnly
            || (self.outside(id).is_none()
                && AddressClass::of(base.ip()) != AddressClass::Loopback
                && !AddressClass::of(base.ip()).is_public())
    }

    fn default_endpoint(&self, stream: usize, component: u16) -> Option<Endpoint> {
        let (id, _, base) = self
            .bound_sockets(stream, component)
            .max_by_key(|(id, socket, base)| self.suitability(*id, socket, *base))?;
        if self.prefers_relay(id, base) {
            let relayed = [base.is_ipv4(), !base.is_ipv4()]
                .into_iter()
                .find_map(|v4| self.relayed(stream, component, v4));
            match relayed {
                Some((_, relayed)) => return Some(relayed),
                None if self.spec.ice == IceMode::RelayOnly => return None,
                None => {}
            }
        }
        Some(self.outside(id).unwrap_or(base))
    }

    /// What to send from, towards an address that a description gives.
    pub(super) fn base_towards(
        &self,
        stream: usize,
        component: u16,
        remote: Endpoint,
    ) -> Option<Base> {
        let class = AddressClass::of(remote.ip());
        if remote.port() == 0 || class == AddressClass::Unspecified {
            return None;
        }
        let near = |class| class == AddressClass::Loopback;
        let socket = self
            .bound_sockets(stream, component)
            .filter(|(_, _, base)| base.is_ipv4() == remote.is_ipv4())
            .max_by_key(|(id, socket, base)| {
                let alike = near(AddressClass::of(base.ip())) == near(class);
                (alike, self.suitability(*id, socket, *base))
            });
        let relay = || self.relayed(stream, component, remote.is_ipv4());
        let relay = match socket {
            Some((id, _, base)) => self.prefers_relay(id, base).then(relay).flatten(),
            None => relay(),
        };
        match (relay, socket) {
            (Some((relay, _)), _) => Some(Base::Relay(relay)),
            (None, Some((socket, ..))) if self.spec.ice != IceMode::RelayOnly => {
                Some(Base::Socket(socket))
            }
            (None, _) => None,
        }
    }

    /// Over what packets from `base` leave this host, and to which relay if to one.
    fn via(&self, base: Base) -> (Transport, Option<Endpoint>) {
        match base {
            Base::Socket(_) => (Transport::Udp, None),
            Base::Relay(id) => {
                let allocation = self.relays.get(id).and_then(Relay::allocation);
                let server = allocation.map(|allocation| &allocation.server);
                let transport = server.map_or(Transport::Udp, |server| server.transport);
                (transport, server.map(|server| server.endpoint))
            }
        }
    }

    /// A path without ICE.
    fn plain_path(&self, stream: usize, component: u16, way: &PlainWay) -> Option<Path> {
        let (transport, relay) = self.via(way.base);
        let (local, base) = match way.base {
            Base::Socket(socket) => {
                let base = self.base_of(socket)?;
                (self.outside(socket).unwrap_or(base), base)
            }
            Base::Relay(_) => {
                let (_, relayed) = self.relayed(stream, component, way.remote.is_ipv4())?;
                (relayed, relayed)
            }
        };
        Some(Path {
            local,
            base,
            remote: way.remote,
            local_type: None,
            remote_type: None,
            relayed: relay.is_some(),
            transport,
            relay,
            rtt: None,
            pairs_tried: 0,
            checks_sent: 0,
        })
    }

    /// The way that data of a component takes.
    pub(super) fn path(&self, stream: usize, component: u16) -> Option<Path> {
        if let Some(plain) = &self.plain {
            return self.plain_path(stream, component, plain.ways.get(&(stream, component))?);
        }
        let agent = self.agent.as_ref()?;
        let way = agent.way(stream, component)?;
        let base = self.bases.get(&way.local.base).copied();
        let (transport, relay) = base.map_or((Transport::Udp, None), |base| self.via(base));
        // Whatever the other side sees: what leaves from a relay is relayed.
        let local_type = if relay.is_some() { CandidateKind::Relayed } else { way.local.kind };
        Some(Path {
            local: way.local.endpoint,
            base: way.local.base,
            remote: way.remote.endpoint,
            local_type: Some(local_type),
            remote_type: Some(way.remote.kind),
            relayed: relay.is_some() || way.remote.kind == CandidateKind::Relayed,
            transport,
            relay,
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
        let sources =
            unbound.chain(asked).chain(self.gate_sources()).chain(self.relay_sources()).collect();
        Explanation { sources, ..explanation }
    }

    /// What the TURN servers said.
    fn relay_sources(&self) -> Vec<Source> {
        let nowhere =
            self.relays.locators().iter().filter(|locator| {
                self.started && !locator.is_busy() && locator.servers().is_empty()
            });
        let lost = nowhere.map(|locator| Source {
            stream: 0,
            component: 1,
            base: Endpoint::UNSPECIFIED_V4,
            server: None,
            relay: Some(relay_of(locator, locator.server().transport.unwrap_or(Transport::Udp))),
            answer: Answer::NotFound,
        });
        let asked = self.relays.iter().flat_map(|relay| {
            let locator = self.relays.locators().get(relay.server);
            let asked = relay
                .attempts
                .iter()
                .filter(|(_, answer)| *answer != Answer::Pending || relay.is_pending());
            asked.filter_map(move |(server, answer)| {
                Some(Source {
                    stream: relay.stream,
                    component: relay.component,
                    base: relay.base,
                    server: Some(server.endpoint),
                    relay: Some(relay_of(locator?, server.transport)),
                    answer: answer.clone(),
                })
            })
        });
        lost.chain(asked).collect()
    }
}

fn relay_of(locator: &Locator, transport: Transport) -> ice::Relay {
    ice::Relay { name: locator.server().host.clone(), transport }
}
