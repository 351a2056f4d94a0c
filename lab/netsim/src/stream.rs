//! A connection as a machine sees it: TCP, perhaps TLS over it, and what the machine was told.

use machine::{CloseReason, Endpoint, FailKind, Id, Instant};

use crate::packet::Segment;
use crate::tcp::{Connection, Notice};
use crate::tls::{Progress, Secured, Tls};

/// A connection of a host.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) tcp: Connection,
    tls: Option<Tls>,
    /// The listener that took it, if it did not connect itself.
    listener: Option<Id>,
    /// The machine has no connection of this name any more.
    forgotten: bool,
    /// The room that the machine knows of; none before the connection stands.
    announced: Option<usize>,
    /// The machine reads nothing for now.
    paused: bool,
}

/// What the machine is told next.
#[derive(Debug)]
pub(crate) enum Delivery {
    Accepted { listener: Id, room: usize },
    Connected { room: usize },
    Secured { secured: Box<Secured>, room: usize },
    Data(Vec<u8>),
    Writable { room: usize },
    Failed(FailKind),
    Closed(CloseReason),
}

/// A machine wrote more than the room it was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooMuch {
    pub(crate) len: usize,
    pub(crate) room: usize,
}

impl Stream {
    pub(crate) const fn new(tcp: Connection, listener: Option<Id>) -> Self {
        Self { tcp, tls: None, listener, forgotten: false, announced: None, paused: false }
    }

    pub(crate) const fn local(&self) -> Endpoint {
        self.tcp.local
    }

    pub(crate) const fn remote(&self) -> Endpoint {
        self.tcp.remote
    }

    /// Whether what the machine writes goes out under TLS.
    pub(crate) fn is_secured(&self) -> bool {
        !self.forgotten && self.tls.as_ref().is_some_and(Tls::is_open)
    }

    /// Writes what the machine gives; it keeps to the room.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        bytes: &[u8],
        out: &mut Vec<Segment>,
    ) -> Result<(), TooMuch> {
        if self.forgotten {
            return Ok(());
        }
        let room = self.announced.unwrap_or(0);
        let left = room.checked_sub(bytes.len()).ok_or(TooMuch { len: bytes.len(), room })?;
        self.announced = Some(left);
        match &mut self.tls {
            None => self.tcp.write(now, bytes, out),
            Some(tls) => {
                let mut sealed = Vec::with_capacity(bytes.len() + 64);
                tls.seal(bytes, &mut sealed);
                self.tcp.write(now, &sealed, out);
            }
        }
        Ok(())
    }

    /// Starts TLS; what came and was not read goes to the handshake, so plaintext breaks it.
    pub(crate) fn start_tls(
        &mut self,
        now: Instant,
        tls: Tls,
        hello: &[u8],
        out: &mut Vec<Segment>,
    ) {
        self.tls = Some(tls);
        self.announced = None;
        // The handshake reads.
        self.set_paused(false, out);
        if !hello.is_empty() {
            self.tcp.write(now, hello, out);
        }
    }

    /// The machine stops reading, or goes on. Before a connection stands, and during a handshake,
    /// there is nothing to stop.
    pub(crate) fn pause(&mut self, paused: bool, out: &mut Vec<Segment>) {
        if self.announced.is_some() && !self.forgotten {
            self.set_paused(paused, out);
        }
    }

    pub(crate) const fn is_paused(&self) -> bool {
        self.paused
    }

    fn set_paused(&mut self, paused: bool, out: &mut Vec<Segment>) {
        self.paused = paused;
        self.tcp.pause(paused, out);
    }

    /// The machine closes it.
    pub(crate) fn close(&mut self, now: Instant, out: &mut Vec<Segment>) {
        self.forgotten = true;
        // What still comes is read and thrown away.
        self.set_paused(false, out);
        self.tcp.close(now, out);
    }

    /// The next thing to tell the machine; segments that this takes are appended to `out`.
    pub(crate) fn next_delivery(
        &mut self,
        now: Instant,
        out: &mut Vec<Segment>,
    ) -> Option<Delivery> {
        loop {
            let delivery = self.advance(now, out)?;
            if self.forgotten {
                continue;
            }
            match &delivery {
                Delivery::Accepted { room, .. }
                | Delivery::Connected { room }
                | Delivery::Secured { room, .. }
                | Delivery::Writable { room } => self.announced = Some(*room),
                Delivery::Data(_) => {}
                Delivery::Failed(_) => {
                    self.forgotten = true;
                    self.tcp.abort(out);
                }
                Delivery::Closed(_) => {
                    self.forgotten = true;
                    self.tcp.close(now, out);
                }
            }
            return Some(delivery);
        }
    }

    fn advance(&mut self, now: Instant, out: &mut Vec<Segment>) -> Option<Delivery> {
        if self.paused {
            return self.advance_paused();
        }
        if self.tcp.ends_next() {
            let bytes = self.tcp.read();
            if let Some(delivery) = self.take_bytes(now, bytes, out) {
                return Some(delivery);
            }
        }
        match self.tcp.next_notice() {
            None => self.grown().map(|room| Delivery::Writable { room }),
            Some(Notice::Opened) => {
                let room = self.tcp.room();
                Some(match self.listener {
                    Some(listener) => Delivery::Accepted { listener, room },
                    None => Delivery::Connected { room },
                })
            }
            Some(Notice::Failed(kind)) => Some(Delivery::Failed(kind)),
            Some(Notice::Closed(_)) if self.tls.as_ref().is_some_and(|tls| !tls.is_open()) => {
                let text = "the peer closed the connection during the handshake";
                Some(Delivery::Failed(FailKind::Tls(text.to_owned())))
            }
            Some(Notice::Closed(reason)) => Some(Delivery::Closed(reason)),
        }
    }

    /// While nothing is read the peer's orderly end waits behind its bytes; a connection that is
    /// gone is told at once.
    fn advance_paused(&mut self) -> Option<Delivery> {
        if !self.tcp.is_gone() {
            return self.grown().map(|room| Delivery::Writable { room });
        }
        match self.tcp.end_notice()? {
            Notice::Closed(reason) => Some(Delivery::Closed(reason)),
            Notice::Failed(kind) => Some(Delivery::Failed(kind)),
            Notice::Opened => None,
        }
    }

    fn take_bytes(
        &mut self,
        now: Instant,
        bytes: Vec<u8>,
        out: &mut Vec<Segment>,
    ) -> Option<Delivery> {
        let Some(tls) = &mut self.tls else {
            return (!bytes.is_empty()).then_some(Delivery::Data(bytes));
        };
        tls.feed(&bytes);
        let mut answer = Vec::new();
        let progress = tls.next(&mut answer);
        if !answer.is_empty() {
            self.tcp.write(now, &answer, out);
        }
        Some(match progress? {
            Progress::Secured(secured) => Delivery::Secured { secured, room: self.room() },
            Progress::Data(bytes) => Delivery::Data(bytes),
            Progress::Failed(kind) => Delivery::Failed(kind),
            Progress::Broken => Delivery::Closed(CloseReason::Protocol),
        })
    }

    fn room(&self) -> usize {
        let room = self.tcp.room();
        self.tls.as_ref().map_or(room, |tls| tls.room(room))
    }

    /// The new room, when there is more than the machine knows of: whoever drops what is old instead
    /// of queueing it goes by how fast its bytes leave.
    fn grown(&self) -> Option<usize> {
        let known = self.announced.filter(|_| !self.forgotten)?;
        let room = self.room();
        (room > known).then_some(room)
    }
}
