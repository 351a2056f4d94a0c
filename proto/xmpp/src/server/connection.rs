//! Clients' connections: how many, what their streams want, backpressure, silence.

use jid::{FullJid, Jid, NodePart};
use machine::{ConnectionBinding, Endpoint, Id, Instant, Now, Outbox, Output, TlsRole};

use super::attempts::holder;
use super::control::Timer;
use super::defaults::{FAREWELL, FAREWELL_BYTES};
use super::{Cause, Refusal, Server};
use crate::stanza::Stanza;
use crate::stream::server::{Action, End, Entry, Stream};
use crate::stream::{Condition, StreamError};
use crate::{Element, ns, xml};

/// The application protocol of XMPP under TLS (XEP-0368).
const ALPN: &[u8] = b"xmpp-client";

/// A client's connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) remote: Endpoint,
    pub(super) direct_tls: bool,
    pub(super) stream: Stream,
    outbox: Outbox,
    tls: Tls,
    /// Whether it still counts as a stranger's.
    pub(super) stranger: bool,
    /// Whether its user's keys are being asked for.
    pub(super) asking: bool,
    /// Who it says that it is, or has shown to be.
    pub(super) user: Option<NodePart>,
    /// Who is bound, as long as the session lasts.
    pub(super) jid: Option<FullJid>,
    /// What its last stanza still waits for. Until nothing is left the next one is not looked at, so
    /// that stanzas keep their order.
    holds: usize,
    /// Whether the stream wants it not to be read: it sends too fast, or is held.
    fast: bool,
    /// Whether the driver was told not to read it.
    paused: bool,
    /// Why we end it, if we do.
    cause: Option<Cause>,
    /// Whether it waits for what is written last, and nothing else.
    closing: bool,
    doomed: bool,
    heard: Instant,
    pinged: bool,
    derivations: u64,
    /// Whether it has just failed to log in, which is counted already.
    pub(super) has_failed: bool,
}

/// Where a connection is with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// There is none, or it stands.
    Settled,
    /// It begins when what waits is written.
    Due,
    /// The handshake is under way: nothing is written.
    Handshake,
}

impl Conn {
    /// Keys that were derived for it and are not counted yet.
    pub(super) fn new_derivations(&self) -> u64 {
        self.stream.derivations() - self.derivations
    }
}

impl Server {
    /// Somebody connected.
    pub(super) fn accepted(
        &mut self,
        now: Now,
        listener: Id,
        id: Id,
        remote: Endpoint,
        room: usize,
    ) {
        let Some(&super::Listener { direct_tls, .. }) = self.listeners.get(&listener) else {
            return self.outputs.push(Output::Close { id });
        };
        let (limits, holder) = (&self.config.limits, holder(remote.ip()));
        if self.conns.len() >= limits.connections || !self.strangers.admit(limits, holder) {
            self.stats.refuse(Refusal::Connections);
            return self.outputs.push(Output::Close { id });
        }
        self.accepted += 1;
        let entry = if direct_tls { Entry::DirectTls } else { Entry::StartTls };
        let entropy = self.entropy.fork(&format!("stream.{}", self.accepted));
        let conn = Conn {
            remote,
            direct_tls,
            stream: Stream::new(self.streams.clone(), entry, &entropy, now),
            outbox: Outbox::new(
                id,
                if direct_tls { 0 } else { room },
                limits.queue_bytes + FAREWELL_BYTES,
            ),
            tls: if direct_tls { Tls::Handshake } else { Tls::Settled },
            stranger: true,
            asking: false,
            user: None,
            jid: None,
            holds: 0,
            fast: false,
            paused: false,
            cause: None,
            closing: false,
            doomed: false,
            heard: now.mono,
            pinged: false,
            derivations: 0,
            has_failed: false,
        };
        self.conns.insert(id, conn);
        if direct_tls {
            self.push_start_tls(id, vec![ALPN.to_vec()]);
        }
        self.drive(now, id);
    }

    fn push_start_tls(&mut self, conn: Id, alpn: Vec<Vec<u8>>) {
        self.outputs.push(Output::StartTls { conn, role: TlsRole::Server, alpn });
    }

    /// TLS stands.
    pub(super) fn secured(&mut self, now: Now, id: Id, binding: ConnectionBinding, room: usize) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.tls = Tls::Settled;
        conn.outbox.writable(room, &mut self.outputs);
        conn.stream.secured(now, binding);
        self.drive(now, id);
    }

    /// Bytes of a client.
    pub(super) fn data(&mut self, now: Now, id: Id, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.closing {
            return;
        }
        (conn.heard, conn.pinged) = (now.mono, false);
        conn.stream.handle_bytes(now, bytes);
        self.drive(now, id);
    }

    /// There is room to write.
    pub(super) fn writable(&mut self, now: Now, id: Id, room: usize) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.tls == Tls::Handshake {
            return;
        }
        conn.outbox.writable(room, &mut self.outputs);
        if conn.outbox.waiting() > 0 {
            return;
        }
        if conn.closing {
            self.close(now, id);
        } else if conn.tls == Tls::Due {
            self.start_tls(id);
        }
    }

    /// Does what a stream wants, up to where a stanza has to wait for the world.
    pub(super) fn drive(&mut self, now: Now, id: Id) {
        if let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.holds == 0) {
            conn.stream.hold(now, false);
        }
        while let Some(conn) = self.conns.get_mut(&id)
            && conn.holds == 0
            && !conn.closing
            && let Some(action) = conn.stream.poll()
        {
            self.act(now, id, action);
        }
        if let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.holds > 0) {
            conn.stream.hold(now, true);
        }
        self.gate(id);
        self.look(now, id);
    }

    /// Takes note of what a stream has done.
    fn look(&mut self, now: Now, id: Id) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let derived = conn.new_derivations();
        if derived > 0 {
            conn.derivations += derived;
            self.stats.derivations += derived;
            // It costs as much when it succeeds.
            if !conn.has_failed {
                self.attempts.add(now.mono, holder(conn.remote.ip()), false);
            }
        }
        conn.has_failed = false;
        let timer = Timer::Stream(id);
        match conn.stream.poll_timeout() {
            Some(at) if !conn.closing && self.timers.at(&timer) != Some(at) => {
                self.timers.set(timer, at);
            }
            Some(_) if !conn.closing => {}
            _ => {
                self.timers.cancel(&timer);
            }
        }
    }

    fn act(&mut self, now: Now, id: Id, action: Action) {
        match action {
            Action::Write(bytes) => self.write(id, &bytes),
            Action::StartTls => self.start_tls(id),
            Action::Pause(fast) => {
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.fast = fast;
                }
            }
            Action::AskCredentials { user, derives } => {
                self.ask_credentials(now, id, user, derives);
            }
            // It is a stranger until it is bound: an account has so many sessions, and no bound on
            // connections that are none.
            Action::Authenticated { .. } => {}
            Action::AskBind { user, resource } => self.bind(now, id, &user, resource),
            Action::Stanza(stanza) => self.route(id, stanza),
            Action::Refused(refusal) => self.refused(now, id, refusal.into()),
            Action::Closed(end) => self.stream_closed(now, id, &end),
        }
    }

    /// Starts TLS, when what was written before is gone.
    fn start_tls(&mut self, id: Id) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.tls = Tls::Due;
        if conn.outbox.waiting() == 0 {
            conn.tls = Tls::Handshake;
            conn.outbox.writable(0, &mut self.outputs);
            self.push_start_tls(id, Vec::new());
        }
    }

    /// Tells the driver whether to read a connection, if that has changed.
    fn gate(&mut self, id: Id) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let paused = !conn.closing && (conn.fast || conn.holds > 0);
        if conn.paused != paused {
            conn.paused = paused;
            self.stats.pauses += u64::from(paused && conn.holds == 0);
            self.outputs.push(Output::Pause { conn: id, paused });
        }
    }

    /// One more thing that a client's stanza waits for.
    pub(super) fn hold(&mut self, id: Id) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.holds += 1;
        }
    }

    /// One less; with the last of them the client goes on.
    pub(super) fn release(&mut self, id: Id) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        // A connection that was cut off meanwhile waits for nothing any more.
        if conn.holds > 0 {
            conn.holds -= 1;
            if conn.holds == 0 {
                self.resumed.push_back(id);
            }
        }
    }

    /// Writes bytes of a stream.
    fn write(&mut self, id: Id, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.closing || conn.tls == Tls::Handshake {
            return;
        }
        let queued = (conn.outbox.waiting() + bytes.len()).saturating_sub(conn.outbox.room());
        // The end of a stream has room of its own.
        let fits = conn.cause.is_some() || queued <= self.config.limits.queue_bytes;
        if fits && conn.outbox.send(bytes, &mut self.outputs).is_ok() {
            return;
        }
        if !conn.doomed && conn.cause.is_none() {
            conn.doomed = true;
            self.doomed.push_back(id);
        }
    }

    /// Delivers a stanza to a session, as bytes.
    pub(super) fn deliver(&mut self, id: Id, bytes: &[u8]) {
        if self.conns.get(&id).is_some_and(|conn| conn.jid.is_some() && !conn.doomed) {
            self.stats.stanzas_out += 1;
            self.write(id, bytes);
        }
    }

    /// Delivers a stanza to some sessions, as it is.
    pub(super) fn deliver_all(&mut self, ids: &[Id], element: &Element) {
        if ids.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        xml::write(element, &mut bytes);
        ids.iter().for_each(|&id| self.deliver(id, &bytes));
        self.scratch = bytes;
    }

    /// Ends the stream of a client that does not read.
    pub(super) fn refuse_slow(&mut self, now: Now, id: Id) {
        if self.conns.get(&id).is_some_and(|conn| conn.cause.is_none() && !conn.closing) {
            self.stats.refuse(Refusal::SlowReader);
            let error = StreamError::new(Condition::ResourceConstraint, "you do not read");
            self.cut(now, id, error, Cause::Refused);
        }
    }

    /// Ends a stream and what depends on it.
    pub(super) fn cut(&mut self, now: Now, id: Id, error: StreamError, cause: Cause) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.closing || conn.cause.is_some() {
            return;
        }
        conn.cause = Some(cause);
        conn.holds = 0;
        self.end_session(id, cause);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if conn.tls == Tls::Handshake {
            return self.close(now, id);
        }
        conn.stream.end(now, Some(error));
        self.drive(now, id);
    }

    /// A stream is over.
    fn stream_closed(&mut self, now: Now, id: Id, end: &End) {
        let cause = match end {
            End::Orderly | End::Peer(_) => Cause::Client,
            End::Refused(_) => Cause::Refused,
        };
        let Some(conn) = self.conns.get(&id) else { return };
        self.end_session(id, conn.cause.unwrap_or(cause));
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.closing = true;
        if conn.outbox.waiting() == 0 || conn.tls == Tls::Handshake {
            return self.close(now, id);
        }
        self.timers.cancel(&Timer::Stream(id));
        self.timers.cancel(&Timer::Idle(id));
        self.timers.set(Timer::Farewell(id), now.mono + FAREWELL);
    }

    /// Closes a connection whose stream is over.
    pub(super) fn close(&mut self, now: Now, id: Id) {
        if self.conns.contains_key(&id) {
            self.outputs.push(Output::Close { id });
            self.forget(now, id);
        }
    }

    /// A connection is gone.
    pub(super) fn gone(&mut self, now: Now, id: Id) {
        self.end_session(id, Cause::Lost);
        self.forget(now, id);
    }

    fn forget(&mut self, now: Now, id: Id) {
        self.look(now, id);
        if self.conns.get(&id).is_some_and(|conn| !conn.asking) {
            self.no_stranger(id);
        }
        self.conns.remove(&id);
        for timer in [Timer::Stream(id), Timer::Idle(id), Timer::Farewell(id)] {
            self.timers.cancel(&timer);
        }
    }

    /// A connection no longer counts against the strangers of its address.
    pub(super) fn no_stranger(&mut self, id: Id) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.stranger) else { return };
        conn.stranger = false;
        let holder = holder(conn.remote.ip());
        self.strangers.one_less(holder);
    }

    pub(super) fn stream_due(&mut self, now: Now, id: Id) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.stream.handle_timeout(now);
            self.drive(now, id);
        }
    }

    /// Begins to watch for silence.
    pub(super) fn watch(&mut self, now: Now, id: Id) {
        self.timers.set(Timer::Idle(id), now.mono + self.config.limits.idle);
    }

    /// Asks a client that was silent whether it is there; gives one up that does not say.
    //= RFC 6120 §4.6.4: a server that hears nothing for long checks whether the peer is there
    pub(super) fn idle_due(&mut self, now: Now, id: Id) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let (Some(jid), false) = (conn.jid.clone(), conn.closing) else { return };
        let (idle, grace) = (self.config.limits.idle, self.config.limits.idle_grace);
        let quiet = now.mono - conn.heard;
        let next = if conn.paused {
            // We do not listen: that is no silence.
            now.mono + idle
        } else if conn.pinged {
            self.stats.refuse(Refusal::Idle);
            return self.cut(now, id, Condition::ConnectionTimeout.into(), Cause::Lost);
        } else if quiet >= idle {
            conn.pinged = true;
            self.ping(id, &jid);
            now.mono + grace
        } else {
            conn.heard + idle
        };
        self.timers.set(Timer::Idle(id), next);
    }

    fn ping(&mut self, id: Id, jid: &FullJid) {
        let number = self.entropy.token(8);
        let payload = Element::bare("ping", ns::PING);
        let mut ping = Stanza::iq_get(Jid::from(jid.clone()), &format!("ping-{number}"), payload);
        ping.set_from(self.domain_jid());
        self.deliver_all(&[id], ping.element());
    }
}
