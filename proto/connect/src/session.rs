//! One session: its sockets, its gathering, its ways (RFC 8445 §5 and §12).
//!
//! | file | what |
//! |---|---|
//! | `sockets.rs` | binding, and what comes of it |
//! | `remote.rs` | what the other side told, with ICE and without |
//! | `data.rs` | telling STUN from data (RFC 7983), sending and receiving |
//! | `report.rs` | what our side tells, and how it went |

use std::collections::BTreeMap;
use std::convert::Infallible;

use ice::agent::Event as IceEvent;
use ice::{Agent, Explanation, Reason};
use machine::{Endpoint, Entropy, FailKind, Icmp, Id, Ids, Instant, Now, Outputs};

use crate::addresses::LocalAddress;
use crate::gather::{Gatherer, Mapped, Packet};
use crate::{Config, Event, IceMode, SessionId, SessionSpec};

mod data;
mod remote;
mod report;
mod sockets;

use remote::Plain;

/// What a session may touch of the machine that it lives in.
pub(crate) struct Context<'a> {
    pub(crate) now: Now,
    pub(crate) id: SessionId,
    pub(crate) ids: &'a mut Ids,
    /// Whose each socket is.
    pub(crate) routes: &'a mut BTreeMap<Id, SessionId>,
    pub(crate) outputs: &'a mut Outputs<Event, Infallible>,
    pub(crate) stats: &'a mut crate::Stats,
}

/// A UDP socket of one component.
#[derive(Debug)]
struct Socket {
    stream: usize,
    component: u16,
    address: LocalAddress,
    state: SocketState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SocketState {
    Binding,
    Bound(Endpoint),
    Failed(FailKind),
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    spec: SessionSpec,
    /// How many components of each stream are in use.
    components: Vec<u16>,
    sockets: BTreeMap<Id, Socket>,
    /// The socket that is bound to each address.
    bases: BTreeMap<Endpoint, Id>,
    /// `None` with ICE off.
    agent: Option<Agent>,
    /// Paths without ICE, once the other side turned out to know none.
    plain: Option<Plain>,
    gatherer: Gatherer,
    /// Whether the addresses to bind are known.
    started: bool,
    gathered: bool,
    failed: bool,
}

impl Session {
    pub(crate) fn new(now: Now, config: &Config, spec: SessionSpec, entropy: &Entropy) -> Self {
        let agent = (spec.ice == IceMode::On).then(|| {
            let agent_config = ice::agent::Config {
                ta: config.ta,
                patience: config.patience,
                keepalive: config.keepalive,
                ..ice::agent::Config::default()
            };
            let mut agent = Agent::new(agent_config, spec.role, entropy.fork("ice"));
            spec.streams.iter().for_each(|stream| {
                agent.add_stream(stream.components);
            });
            agent
        });
        let mut gatherer = Gatherer::new(config, entropy.fork("gather"));
        gatherer.start(now.mono, config.gather_limit);
        Self {
            components: spec.streams.iter().map(|stream| stream.components).collect(),
            spec,
            sockets: BTreeMap::new(),
            bases: BTreeMap::new(),
            agent,
            plain: None,
            gatherer,
            started: false,
            gathered: false,
            failed: false,
        }
    }

    pub(crate) const fn is_started(&self) -> bool {
        self.started
    }

    /// The agent, while paths are found by ICE.
    fn ice(&self) -> Option<&Agent> {
        self.agent.as_ref().filter(|_| self.plain.is_none())
    }

    /// The agent, while paths are found by ICE.
    fn ice_mut(&mut self) -> Option<&mut Agent> {
        self.agent.as_mut().filter(|_| self.plain.is_none())
    }

    pub(crate) fn set_role(&mut self, role: ice::Role) {
        if let Some(agent) = &mut self.agent {
            agent.set_role(role);
        }
    }

    pub(crate) fn restart(&mut self) {
        if let Some(agent) = &mut self.agent {
            agent.restart();
            self.gatherer.ask_again();
            self.failed = false;
        }
    }

    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        for packet in self.gatherer.handle_timeout(now.mono) {
            send_packet(context, &packet);
        }
        if let Some(agent) = &mut self.agent {
            agent.handle_timeout(now);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let agent = self.agent.as_ref().and_then(Agent::poll_timeout);
        self.gatherer.poll_timeout().into_iter().chain(agent).min()
    }

    pub(crate) fn wants_slot(&self) -> bool {
        self.gatherer.wants_slot() || self.ice().is_some_and(Agent::wants_slot)
    }

    /// Uses a slot: asks a STUN server, or sends a check.
    pub(crate) fn take_slot(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        if let Some(packet) = self.gatherer.take_slot(now.mono) {
            send_packet(context, &packet);
        } else if let Some(agent) = self.ice_mut() {
            agent.take_slot(now);
        }
    }

    pub(crate) fn handle_unreachable(&mut self, socket: Id, remote: Endpoint, icmp: Icmp) {
        self.gatherer.handle_unreachable(socket, remote, icmp);
        let base = self.base_of(socket);
        if let (Some(agent), Some(base)) = (&mut self.agent, base) {
            agent.handle_unreachable(base, remote, icmp);
        }
    }

    /// A server told how it sees a socket.
    fn mapped(&mut self, context: &mut Context<'_>, mapped: Mapped) {
        let Some(socket) = self.sockets.get(&mapped.socket) else { return };
        let SocketState::Bound(base) = socket.state else { return };
        let Mapped { server, address, .. } = mapped;
        let usable = address.port() != 0 && address.is_ipv4() == base.is_ipv4();
        let (stream, component) = (socket.stream, socket.component);
        let preference = socket.address.preference;
        if let Some(agent) = self.agent.as_mut().filter(|_| usable) {
            let found =
                ice::LocalCandidate::server_reflexive(component, address, base, preference, server);
            add_local(context, agent, stream, found);
        }
        self.find_plain_ways(context);
    }

    /// Passes on what the agent has to send and to say, and notices the end of gathering.
    pub(crate) fn settle(&mut self, context: &mut Context<'_>) {
        self.settle_gathering(context);
        while let Some(agent) = &mut self.agent {
            if let Some(transmit) = agent.poll_transmit() {
                if let Some(socket) = self.bases.get(&transmit.base) {
                    context.outputs.datagram(*socket, transmit.remote, &transmit.bytes);
                }
            } else if let Some(event) = agent.poll_event() {
                self.pass_on(context, &event);
            } else {
                break;
            }
        }
    }

    fn settle_gathering(&mut self, context: &mut Context<'_>) {
        let binding = self.sockets.values().any(|socket| socket.state == SocketState::Binding);
        if self.gathered || !self.started || binding || !self.gatherer.is_done() {
            return;
        }
        self.gathered = true;
        if let Some(agent) = &mut self.agent {
            agent.local_complete(context.now);
        }
        if self.bases.is_empty() {
            self.fail(context, Some(Reason::NoLocalCandidates));
        } else {
            context.outputs.event(Event::Gathered { session: context.id });
        }
    }

    fn pass_on(&mut self, context: &mut Context<'_>, event: &IceEvent) {
        let session = context.id;
        if self.plain.is_some() {
            return;
        }
        match *event {
            IceEvent::Pair(id) => {
                if let Some(pair) = self.agent.as_ref().and_then(|agent| agent.pair(id)) {
                    context.outputs.event(Event::Pair { session, pair: Box::new(pair) });
                }
            }
            IceEvent::Writable { stream, component } => {
                context.outputs.event(Event::Writable { session, stream, component });
            }
            IceEvent::Selected { stream, component } => {
                if let Some(path) = self.path(stream, component) {
                    context.outputs.event(Event::Path { session, stream, component, path });
                }
            }
            IceEvent::Completed => self.gatherer.stop_refreshing(),
            IceEvent::Failed(_) => self.fail(context, None),
        }
    }

    fn fail(&mut self, context: &mut Context<'_>, reason: Option<Reason>) {
        if !std::mem::replace(&mut self.failed, true) {
            let explanation = self.explain();
            let explanation =
                Box::new(Explanation { reason: reason.or(explanation.reason), ..explanation });
            context.outputs.event(Event::Failed { session: context.id, explanation });
        }
    }
}

fn send_packet(context: &mut Context<'_>, packet: &Packet) {
    context.outputs.datagram(packet.socket, packet.server, &packet.bytes);
}

/// Adds a candidate of ours, and tells of it if it is new.
fn add_local(
    context: &mut Context<'_>,
    agent: &mut Agent,
    stream: usize,
    found: ice::LocalCandidate,
) {
    if let Ok(Some(candidate)) = agent.add_local(stream, found) {
        let (session, candidate) = (context.id, candidate.clone());
        context.outputs.event(Event::Candidate { session, stream, candidate });
    }
}
