//! The machine itself.

use std::convert::Infallible;

use ice::{Explanation, Role};
use machine::{Entropy, Ids, Input, Instant, Machine, Now, Output, Outputs};

use crate::{Config, Event, LocalParameters, RemoteParameters, SessionSpec};

/// The name of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

/// Finds paths and carries datagrams on them.
#[derive(Debug)]
pub struct Connect {
    config: Config,
    outputs: Outputs<Event, Infallible>,
}

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Relayed paths need a TURN client.
    #[error("relay-only needs a TURN server, and this version has no TURN client: use ICE on")]
    NoRelay,
    /// Too many sessions.
    #[error("{0} sessions are open: no more at a time")]
    TooManySessions(usize),
    /// The spec asks for no stream or too many streams, components or servers.
    #[error("a session has 1 to 8 streams of 1 or 2 components, and up to 4 STUN servers")]
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
    pub fn new(config: Config, ids: Ids, entropy: Entropy) -> Self {
        let _ = (ids, entropy);
        Self { config, outputs: Outputs::new() }
    }

    /// Opens a session and starts to gather.
    ///
    /// # Errors
    /// If the spec cannot be honoured.
    pub fn open(&mut self, now: Now, spec: SessionSpec) -> Result<SessionId, OpenError> {
        let _ = (now, spec);
        Err(OpenError::TooManySessions(self.config.max_sessions))
    }

    /// What our side tells the other, as far as it is known.
    #[must_use]
    pub fn local(&self, session: SessionId) -> Option<LocalParameters> {
        let _ = session;
        None
    }

    /// Takes what the other side told. May be called again with more candidates, or with new
    /// credentials after its restart.
    ///
    /// # Errors
    /// If there is no such session, or the credentials are not allowed.
    pub fn set_remote(
        &mut self,
        now: Now,
        session: SessionId,
        remote: &RemoteParameters,
    ) -> Result<(), SessionError> {
        let _ = (now, session, remote);
        Err(SessionError::NoSession)
    }

    /// Sets the role, before checks start.
    pub fn set_role(&mut self, now: Now, session: SessionId, role: Role) {
        let _ = (now, session, role);
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
        let _ = (now, session, stream, component, bytes);
        Err(SendError::NoSession)
    }

    /// What became of every pair so far.
    #[must_use]
    pub fn explain(&self, session: SessionId) -> Option<Explanation> {
        let _ = session;
        None
    }

    /// Ends a session and closes its sockets.
    pub fn close(&mut self, now: Now, session: SessionId) {
        let _ = (now, session);
    }
}

impl Machine for Connect {
    type Event = Event;
    type Question = Infallible;
    type Answer = ();

    fn handle_input(&mut self, now: Now, input: Input<'_, ()>) {
        let _ = (now, input);
    }

    fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Event, Infallible>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
