//! The machine: sessions, their sockets, and the pacer that they share.

use std::collections::BTreeMap;
use std::convert::Infallible;

use ice::{Candidate, Explanation, Role};
use machine::{Entropy, Id, Ids, Input, Instant, Interface, Machine, Now, Output, Outputs, Timers};
use stun::Credentials;

use crate::defaults::{
    MAPPING_NAMES, MAX_CLOSING_SESSIONS, MAX_FALLBACKS, MAX_STUN_SERVERS, MAX_TURN_SERVERS,
};
use crate::mappings::{Mappings, Polled};
use crate::pacer::Pacer;
use crate::session::{Context, Session};
use crate::{Config, Event, IceMode, LocalParameters, RemoteParameters, SessionSpec};

/// The name of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

impl SessionId {
    pub(crate) const fn new(n: u64) -> Self {
        Self(n)
    }
}

/// Finds paths and carries datagrams on them.
#[derive(Debug)]
pub struct Connect {
    config: Config,
    ids: Ids,
    entropy: Entropy,
    /// `None` until the driver tells.
    interfaces: Option<Vec<Interface>>,
    sessions: BTreeMap<SessionId, Session>,
    /// Whose each socket is.
    routes: BTreeMap<Id, SessionId>,
    next_session: u64,
    pacer: Pacer,
    /// Ways in at gateways; `None` if they are not to be asked.
    mappings: Option<Mappings>,
    timers: Timers<SessionId>,
    outputs: Outputs<Event, Infallible>,
    stats: Stats,
}

/// What happened so far, as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Sessions opened.
    pub sessions_opened: u64,
    /// Sessions refused because there were too many.
    pub sessions_refused: u64,
    /// Datagrams dropped: empty, broken STUN, or STUN that nobody here asked for.
    pub dropped: u64,
    /// Datagrams with data dropped, since they came from no known remote.
    pub from_strangers: u64,
    /// Datagrams with data dropped, since the connection to a relay had no room for them.
    pub congested: u64,
    /// Relays that were left without their server's confirmation that it let go.
    pub relays_abandoned: u64,
}

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Relayed paths alone are wanted, and no TURN server is given.
    #[error("relay-only needs a TURN server, and none is known")]
    NoRelay,
    /// Too many sessions.
    #[error("{0} sessions are open: no more at a time")]
    TooManySessions(usize),
    /// The spec asks for no stream or too many streams, components or servers, or a user name is too
    /// long.
    #[error(
        "a session has 1 to 8 streams of 1 or 2 components, up to 4 STUN servers and up to 2 TURN \
         servers"
    )]
    Spec,
}

/// Why a verb was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// There is no such session.
    #[error("no such session")]
    NoSession,
    /// The remote's credentials are not allowed.
    #[error(transparent)]
    Credentials(#[from] ice::credentials::Error),
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no such session, stream or component.
    #[error("no such session, stream or component")]
    NoSession,
    /// No path is known yet.
    #[error("no path yet")]
    NoPath,
    /// Larger than a datagram can be.
    #[error("too large for a datagram")]
    TooLarge,
}

impl Connect {
    /// A machine without sessions. It names its sockets by `ids`.
    #[must_use]
    pub fn new(config: Config, mut ids: Ids, entropy: Entropy) -> Self {
        let pacer = Pacer::new(config.ta);
        let mappings = config.port_mapping.clone().map(|portmap| {
            Mappings::new(portmap, ids.block(MAPPING_NAMES), &entropy.fork("connect.mappings"))
        });
        Self {
            config,
            ids,
            entropy,
            interfaces: None,
            sessions: BTreeMap::new(),
            routes: BTreeMap::new(),
            next_session: 0,
            pacer,
            mappings,
            timers: Timers::new(),
            outputs: Outputs::new(),
            stats: Stats::default(),
        }
    }

    /// Opens a session and starts to gather, as soon as the interfaces are known.
    ///
    /// # Errors
    /// If the spec cannot be honoured.
    pub fn open(&mut self, now: Now, spec: SessionSpec) -> Result<SessionId, OpenError> {
        if spec.ice == IceMode::RelayOnly && spec.turn_servers.is_empty() {
            return Err(OpenError::NoRelay);
        }
        let components = 1..=ice::defaults::MAX_COMPONENTS;
        let streams = (1..=ice::defaults::MAX_STREAMS).contains(&spec.streams.len())
            && spec.streams.iter().all(|stream| components.contains(&stream.components));
        let servers = spec.stun_servers.len() <= MAX_STUN_SERVERS
            && spec.turn_servers.len() <= MAX_TURN_SERVERS
            && spec.turn_servers.iter().all(|server| {
                server.fallback.len() <= MAX_FALLBACKS
                    && Credentials::new(&server.username, server.password.clone()).is_ok()
            });
        if !streams || !servers {
            return Err(OpenError::Spec);
        }
        let open = self.sessions();
        if open >= self.config.max_sessions {
            self.stats.sessions_refused += 1;
            return Err(OpenError::TooManySessions(open));
        }
        let id = SessionId::new(self.next_session);
        self.next_session += 1;
        self.stats.sessions_opened += 1;
        let entropy = self.entropy.fork(&format!("connect.{}", id.0));
        self.sessions.insert(id, Session::new(now, &self.config, spec, &entropy));
        self.start(now, id);
        self.pace(now);
        Ok(id)
    }

    /// What our side tells the other, as far as it is known.
    #[must_use]
    pub fn local(&self, session: SessionId) -> Option<LocalParameters> {
        self.live(session).map(Session::local)
    }

    /// Takes what the other side told. May be called again: with more candidates, with new
    /// credentials after its restart, with new addresses when there is no ICE.
    ///
    /// Components that the other side does not use are given up, and their sockets closed.
    ///
    /// # Errors
    /// If there is no such session, or the credentials are not allowed.
    pub fn set_remote(
        &mut self,
        now: Now,
        session: SessionId,
        remote: &RemoteParameters,
    ) -> Result<(), SessionError> {
        let set =
            |session: &mut Session, context: &mut Context<'_>| session.set_remote(context, remote);
        self.with(now, session, set).ok_or(SessionError::NoSession)??;
        Ok(())
    }

    /// Takes more of the other side's candidates of one stream (RFC 8838 §11), after
    /// [`set_remote`](Self::set_remote) told its credentials; `complete` says that no others will
    /// come. Without ICE they mean nothing.
    pub fn add_remote(
        &mut self,
        now: Now,
        session: SessionId,
        stream: usize,
        candidates: &[Candidate],
        complete: bool,
    ) {
        self.with(now, session, |session, context| {
            session.add_remote(context, stream, candidates, complete);
        });
    }

    /// Sets the role, as signalling says it; best before checks start.
    pub fn set_role(&mut self, now: Now, session: SessionId, role: Role) {
        self.with(now, session, |session, _| session.set_role(role));
    }

    /// Starts ICE over with new credentials (RFC 8445 §9): [`local`](Self::local) has them, and the
    /// other side must be told. Data goes on along the present path meanwhile.
    pub fn restart(&mut self, now: Now, session: SessionId) {
        self.with(now, session, |session, _| session.restart());
    }

    /// Sends one datagram on the best path known.
    ///
    /// # Errors
    /// If there is no path yet; nothing is queued.
    pub fn send(
        &mut self,
        now: Now,
        session: SessionId,
        stream: usize,
        component: u16,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        let send = |session: &mut Session, context: &mut Context<'_>| {
            session.send(context, stream, component, bytes)
        };
        self.with(now, session, send).ok_or(SendError::NoSession)?
    }

    /// What became of every candidate and pair so far.
    #[must_use]
    pub fn explain(&self, session: SessionId) -> Option<Explanation> {
        self.live(session).map(Session::explain)
    }

    /// Ends a session and closes its sockets.
    pub fn close(&mut self, now: Now, session: SessionId) {
        self.with(now, session, |session, context| session.close(context));
        let closing = self.sessions.iter().filter(|(_, session)| session.is_closing());
        let mut closing = closing.map(|(id, _)| *id);
        let (first, others) = (closing.next(), closing.count());
        if let Some(first) = first.filter(|_| others >= MAX_CLOSING_SESSIONS) {
            self.act(now, first, Session::abandon_relays);
        }
    }

    /// Gives back every mapping at a gateway, and asks for no other: the end is near.
    pub fn shut(&mut self, now: Now) {
        if let Some(mappings) = &mut self.mappings {
            mappings.shut(now);
        }
        self.settle_mappings(now);
    }

    /// Whether a gateway still has to be told that a mapping is not needed.
    #[must_use]
    pub fn is_shutting(&self) -> bool {
        self.mappings.as_ref().is_some_and(Mappings::is_shutting)
    }

    /// How many sessions are open.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.values().filter(|session| !session.is_closing()).count()
    }

    /// What happened so far, as numbers.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// A session that has not been closed.
    fn live(&self, session: SessionId) -> Option<&Session> {
        self.sessions.get(&session).filter(|session| !session.is_closing())
    }

    /// Does something with a session, and then what follows from it.
    fn with<R>(
        &mut self,
        now: Now,
        id: SessionId,
        act: impl FnOnce(&mut Session, &mut Context<'_>) -> R,
    ) -> Option<R> {
        self.live(id)?;
        let result = self.act(now, id, act)?;
        self.settle_mappings(now);
        self.pace(now);
        Some(result)
    }

    /// Passes on what gateways are asked, and tells sessions what they say.
    fn settle_mappings(&mut self, now: Now) {
        let mut buf = Vec::new();
        while let Some(polled) = self.mappings.as_mut().and_then(|mappings| mappings.poll(&mut buf))
        {
            match polled {
                Polled::Output(output) => self.outputs.push_with(output, &buf),
                Polled::News((session, socket, told)) => {
                    self.act(now, session, |session, context| {
                        session.gate_told(context, socket, told);
                    });
                }
                Polled::Nothing => {}
            }
        }
    }

    fn act<R>(
        &mut self,
        now: Now,
        id: SessionId,
        act: impl FnOnce(&mut Session, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let session = self.sessions.get_mut(&id)?;
        let mut requests = false;
        let mut context = Context {
            now,
            id,
            ids: &mut self.ids,
            routes: &mut self.routes,
            mappings: self.mappings.as_mut(),
            outputs: &mut self.outputs,
            stats: &mut self.stats,
            requests: &mut requests,
        };
        let result = act(session, &mut context);
        session.settle(&mut context);
        let (over, wants) = (session.is_over(), session.wants_slot());
        let (due, set) = (session.poll_timeout(), self.timers.at(&id));
        match due {
            Some(at) if set != Some(at) => self.timers.set(id, at),
            None if set.is_some() => drop(self.timers.cancel(&id)),
            _ => {}
        }
        self.pacer.set(id, wants);
        if requests {
            self.pacer.charge(now.mono);
        }
        if over {
            self.remove(id);
        }
        Some(result)
    }

    /// Forgets a session of which nothing is left.
    fn remove(&mut self, id: SessionId) {
        self.sessions.remove(&id);
        self.routes.retain(|_, session| *session != id);
        self.timers.cancel(&id);
        self.pacer.set(id, false);
    }

    /// Gives out the slots that are due.
    fn pace(&mut self, now: Now) {
        while let Some(session) = self.pacer.take(now.mono) {
            self.act(now, session, Session::take_slot);
        }
    }

    /// Binds a session's sockets, if the interfaces are known.
    fn start(&mut self, now: Now, id: SessionId) {
        if let Some(interfaces) = self.interfaces.take() {
            self.act(now, id, |session, context| {
                if !session.is_started() {
                    session.start(context, &interfaces);
                }
            });
            self.interfaces = Some(interfaces);
        } else {
            self.act(now, id, |_, _| ());
        }
    }

    /// Routes to the session that a socket belongs to.
    fn on_socket(
        &mut self,
        now: Now,
        socket: Id,
        act: impl FnOnce(&mut Session, &mut Context<'_>),
    ) {
        if let Some(session) = self.routes.get(&socket).copied() {
            self.act(now, session, act);
        }
    }
}

impl Machine for Connect {
    type Event = Event;
    type Question = Infallible;
    type Answer = ();

    fn handle_input(&mut self, now: Now, input: Input<'_, ()>) {
        match input {
            Input::Interfaces(interfaces) => {
                if let Some(mappings) = &mut self.mappings {
                    mappings.handle_input(now, Input::Interfaces(interfaces.clone()));
                }
                self.interfaces = Some(interfaces);
                let sessions: Vec<SessionId> = self.sessions.keys().copied().collect();
                sessions.into_iter().for_each(|session| self.start(now, session));
            }
            other => {
                let Some(id) = other.id() else { return };
                if let Some(mappings) = self.mappings.as_mut().filter(|mappings| mappings.owns(id))
                {
                    mappings.handle_input(now, other);
                } else {
                    self.on_socket(now, id, |session, context| {
                        session.handle_input(context, id, other);
                    });
                }
            }
        }
        self.settle_mappings(now);
        self.pace(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        if let Some(mappings) = &mut self.mappings {
            mappings.handle_timeout(now);
        }
        self.settle_mappings(now);
        while let Some(session) = self.timers.expire(now.mono) {
            self.act(now, session, Session::handle_timeout);
        }
        self.pace(now);
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let mappings = self.mappings.as_ref().and_then(Mappings::poll_timeout);
        self.timers.next().into_iter().chain(self.pacer.next()).chain(mappings).min()
    }
}
