//! One session: its sockets, its gathering, its ways (RFC 8445 §5 and §12).
//!
//! | file | what |
//! |---|---|
//! | `sockets.rs` | binding, and what comes of it |
//! | `remote.rs` | what the other side told, with ICE and without |
//! | `gates.rs` | ways in that gateways hold open |
//! | `relays.rs` | relayed addresses: asked for, used, given back |
//! | `data.rs` | telling STUN from data (RFC 7983), sending and receiving |
//! | `report.rs` | what our side tells, and how it went |

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use ice::agent::Event as IceEvent;
use ice::{Agent, Explanation, Reason};
use machine::{Endpoint, Entropy, FailKind, Icmp, Id, Ids, Input, Instant, Now, Outputs};

use crate::addresses::LocalAddress;
use crate::defaults::{CHECKS_BEFORE_PERMISSIONS, RELAY_ONLY_GATHER_LIMIT, TRICKLE_GATHER_LIMIT};
use crate::gather::{Gatherer, Mapped, Packet};
use crate::mappings::Mappings;
use crate::relay::RelayId;
use crate::{Config, Event, IceMode, SessionId, SessionSpec};

mod data;
mod gates;
mod relays;
mod remote;
mod report;
mod sockets;

use gates::Gates;
use relays::Relays;
use remote::Plain;

/// What a session may touch of the machine that it lives in.
pub(crate) struct Context<'a> {
    pub(crate) now: Now,
    pub(crate) id: SessionId,
    pub(crate) ids: &'a mut Ids,
    /// Whose each socket is.
    pub(crate) routes: &'a mut BTreeMap<Id, SessionId>,
    /// Ways in at gateways, if they may be asked.
    pub(crate) mappings: Option<&'a mut Mappings>,
    pub(crate) outputs: &'a mut Outputs<Event, Infallible>,
    pub(crate) stats: &'a mut crate::Stats,
    /// Whether a STUN request was sent out of turn.
    pub(crate) requests: &'a mut bool,
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
    /// Of no more use, but a relay still says goodbye from it.
    Closing,
}

/// What packets leave by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Base {
    Socket(Id),
    Relay(RelayId),
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    spec: SessionSpec,
    /// How many components of each stream are in use.
    components: Vec<u16>,
    sockets: BTreeMap<Id, Socket>,
    /// The socket that is bound to each address, the relay that has each relayed one.
    bases: BTreeMap<Endpoint, Base>,
    relays: Relays,
    gates: Gates,
    /// The addresses that the other side named: stream, component, address.
    peers: BTreeSet<(usize, u16, IpAddr)>,
    /// `None` with ICE off.
    agent: Option<Agent>,
    /// Paths without ICE, once the other side turned out to know none.
    plain: Option<Plain>,
    gatherer: Gatherer,
    /// Whether the addresses to bind are known.
    started: bool,
    gathered: bool,
    failed: bool,
    /// Checks since the other side named its addresses.
    checks_made: u32,
    /// Closed; only its relays still have to be told.
    closing: bool,
    gather_limit: Duration,
}

impl Session {
    pub(crate) fn new(now: Now, config: &Config, spec: SessionSpec, entropy: &Entropy) -> Self {
        let agent = (spec.ice != IceMode::Off).then(|| {
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
        let limit = config.gather_limit;
        if spec.trickle && spec.ice != IceMode::Off {
            gatherer.start_patiently(now.mono, limit.max(TRICKLE_GATHER_LIMIT));
        } else if spec.ice == IceMode::RelayOnly {
            gatherer.start(now.mono, limit, limit.max(RELAY_ONLY_GATHER_LIMIT));
        } else {
            gatherer.start(now.mono, limit, limit);
        }
        Self {
            components: spec.streams.iter().map(|stream| stream.components).collect(),
            spec,
            sockets: BTreeMap::new(),
            bases: BTreeMap::new(),
            relays: Relays::new(entropy.fork("relays")),
            gates: Gates::new(),
            peers: BTreeSet::new(),
            agent,
            plain: None,
            gatherer,
            started: false,
            gathered: false,
            failed: false,
            checks_made: 0,
            closing: false,
            gather_limit: config.gather_limit,
        }
    }

    /// Every component in use: stream, component.
    fn all_components(&self) -> impl Iterator<Item = (usize, u16)> + use<'_> {
        let streams = self.components.iter().enumerate();
        streams.flat_map(|(stream, n)| (1..=*n).map(move |component| (stream, component)))
    }

    /// An input for a socket, connection or look-up of this session.
    pub(crate) fn handle_input(&mut self, context: &mut Context<'_>, id: Id, input: Input<'_, ()>) {
        match input {
            Input::Bound { id, local } if self.sockets.contains_key(&id) => {
                self.bound(context, id, local);
            }
            Input::Failed { id, kind } if self.sockets.contains_key(&id) => {
                self.bind_failed(context, id, kind);
            }
            Input::Unreachable { socket, remote, icmp } if self.sockets.contains_key(&socket) => {
                self.handle_unreachable(context, socket, remote, icmp);
            }
            Input::Datagram { socket, remote, segment_size, bytes, .. }
                if self.sockets.contains_key(&socket) =>
            {
                let size = segment_size.filter(|size| *size > 0).unwrap_or(usize::MAX);
                if bytes.is_empty() {
                    self.datagram(context, socket, remote, bytes);
                }
                for datagram in bytes.chunks(size) {
                    self.datagram(context, socket, remote, datagram);
                }
            }
            other => self.relay_input(context, id, other),
        }
    }

    /// Closed, and nothing of it is left.
    pub(crate) fn is_over(&self) -> bool {
        self.closing && self.relays.are_over()
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.closing
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
            self.relays.ask_again();
            self.peers.clear();
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
        self.relays_timeout(context);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let agent = self.agent.as_ref().and_then(Agent::poll_timeout);
        let relays = self.relays.poll_timeout();
        self.gatherer.poll_timeout().into_iter().chain(agent).chain(relays).min()
    }

    pub(crate) fn wants_slot(&self) -> bool {
        !self.closing
            && (self.gatherer.wants_slot()
                || self.ice().is_some_and(Agent::wants_slot)
                || self.relays_want_slot())
    }

    /// Uses a slot: asks a STUN or a TURN server, or sends a check.
    pub(crate) fn take_slot(&mut self, context: &mut Context<'_>) {
        let now = context.now;
        if let Some(packet) = self.gatherer.take_slot(now.mono) {
            send_packet(context, &packet);
        } else if !self.ask_for_relay(context) {
            // Direct pairs come first, then what the others need, then these.
            let urgent = self.ice().is_some_and(Agent::is_urgent);
            let early = self.checks_made < CHECKS_BEFORE_PERMISSIONS;
            let asked = !urgent && !early && self.ask_for_peers(context);
            if !asked && self.ice_mut().is_some_and(|agent| agent.take_slot(now)) {
                self.checks_made = self.checks_made.saturating_add(1);
            } else if !asked {
                self.ask_for_peers(context);
            }
        }
    }

    fn handle_unreachable(
        &mut self,
        context: &Context<'_>,
        socket: Id,
        remote: Endpoint,
        icmp: Icmp,
    ) {
        self.relays.unreachable(context, socket, remote, icmp);
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
        loop {
            let told = self.settle_relays(context);
            self.settle_gathering(context);
            if !self.settle_agent(context) && !told {
                break;
            }
        }
        self.close_unused(context);
        self.close_gates(context);
    }

    /// Passes on what the agent has to send and to say; says whether there was anything.
    fn settle_agent(&mut self, context: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Some(agent) = self.agent.as_mut().filter(|_| !self.closing) {
            if let Some(transmit) = agent.poll_transmit() {
                self.transmit(context, transmit);
            } else if let Some(event) = agent.poll_event() {
                self.pass_on(context, &event);
            } else {
                break;
            }
            any = true;
        }
        any
    }

    fn transmit(&mut self, context: &mut Context<'_>, transmit: ice::Transmit) {
        let ice::Transmit { base, remote, bytes } = transmit;
        match self.bases.get(&base) {
            Some(Base::Socket(socket)) => context.outputs.datagram(*socket, remote, &bytes),
            Some(Base::Relay(relay)) => {
                if let Some(relay) = self.relays.get_mut(*relay) {
                    relay.send(context, remote, &bytes);
                }
            }
            None => {}
        }
    }

    fn settle_gathering(&mut self, context: &mut Context<'_>) {
        if self.gathered || !self.started || self.closing {
            return;
        }
        let relays = !self.gatherer.is_relay_over() && self.relays_pending();
        let gates = !self.gatherer.is_over() && self.is_at_the_gate();
        if self.is_binding() || !self.gatherer.is_done() || relays || gates {
            return;
        }
        self.gathered = true;
        if let Some(agent) = &mut self.agent {
            agent.local_complete(context.now);
        }
        if let Some(reason) = self.no_candidates() {
            self.fail(context, Some(reason));
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
            IceEvent::Completed => {
                self.gatherer.stop_refreshing();
                self.relays.release_soon(context.now.mono);
            }
            IceEvent::Failed(_) => self.fail(context, None),
        }
    }

    fn fail(&mut self, context: &mut Context<'_>, reason: Option<Reason>) {
        if !std::mem::replace(&mut self.failed, true) {
            let explanation = self.explain();
            let explanation =
                Box::new(Explanation { reason: reason.or(explanation.reason), ..explanation });
            context.outputs.event(Event::Failed { session: context.id, explanation });
            self.relays.release_soon(context.now.mono);
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
