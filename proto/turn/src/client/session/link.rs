//! The way to a server: a UDP socket, or a connection with its framing and its TLS.
//!
//! Media does not queue on a connection: what waits too long is dropped, the oldest first, so that
//! a congested connection delivers late media of the present and not of long ago.

use std::collections::VecDeque;
use std::net::IpAddr;

use machine::{
    BindKind, Endpoint, FailKind, Id, Input, Instant, Outbox, Output, TlsRole, Transport,
};

use super::Context;
use crate::client::config::Server;
use crate::client::defaults::{
    MAX_MEDIA_AGE, MAX_MEDIA_AHEAD_BYTES, MAX_MEDIA_BYTES, MAX_WAITING_BYTES,
};
use crate::client::event::{Cause, SendError};
use crate::defaults::MAX_FRAME_BYTES;
use crate::framing::Framer;

/// The way to a server.
#[derive(Debug)]
pub(super) struct Link {
    id: Id,
    server: Server,
    local: Endpoint,
    kind: Kind,
    ready: bool,
    /// The driver has closed it already.
    gone: bool,
}

#[derive(Debug)]
enum Kind {
    Datagrams { last_sent: Instant },
    Stream(Stream),
}

#[derive(Debug)]
struct Stream {
    framer: Framer,
    outbox: Outbox,
    /// The most room that was ever announced: what the driver's empty buffer has.
    most_room: usize,
    /// Media that was written and may still be in the driver's buffer: since when, and how much.
    ahead: VecDeque<(Instant, usize)>,
    ahead_bytes: usize,
    /// Media that waits to be written.
    media: VecDeque<(Instant, Vec<u8>)>,
    media_bytes: usize,
}

/// What an input changed.
#[derive(Debug)]
pub(super) enum Change {
    /// Nothing that its owner needs to know.
    None,
    /// Requests can be sent now.
    Ready,
    /// It is gone.
    Failed(Cause),
}

impl Link {
    /// Starts to open one.
    pub(super) fn open(
        context: &mut Context<'_>,
        server: &Server,
        local: Option<IpAddr>,
        interface: Option<u32>,
    ) -> Self {
        let id = context.ids.next_id();
        let any = if server.endpoint.is_ipv4() {
            Endpoint::UNSPECIFIED_V4
        } else {
            Endpoint::UNSPECIFIED_V6
        };
        let chosen = local.map(|ip| Endpoint::new(ip, 0));
        let kind = match server.transport {
            Transport::Udp => {
                let local = chosen.unwrap_or(any);
                context.out.push(Output::Bind { id, kind: BindKind::Udp, local, interface });
                Kind::Datagrams { last_sent: context.now.mono }
            }
            Transport::Tcp | Transport::Tls => {
                context.out.push(Output::Connect { id, local: chosen, remote: server.endpoint });
                Kind::Stream(Stream {
                    framer: Framer::new(MAX_FRAME_BYTES),
                    outbox: Outbox::new(id, 0, MAX_WAITING_BYTES),
                    most_room: 0,
                    ahead: VecDeque::new(),
                    ahead_bytes: 0,
                    media: VecDeque::new(),
                    media_bytes: 0,
                })
            }
        };
        Self { id, server: server.clone(), local: any, kind, ready: false, gone: false }
    }

    pub(super) const fn id(&self) -> Id {
        self.id
    }

    /// Our own address, as far as it is known.
    pub(super) const fn local(&self) -> Endpoint {
        self.local
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.ready
    }

    pub(super) const fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream(_))
    }

    /// When something was last sent over UDP.
    pub(super) const fn last_sent(&self) -> Option<Instant> {
        match self.kind {
            Kind::Datagrams { last_sent } => Some(last_sent),
            Kind::Stream(_) => None,
        }
    }

    /// Takes out the framer of a connection, while its frames are handled.
    pub(super) fn take_framer(&mut self) -> Framer {
        let empty = Framer::new(MAX_FRAME_BYTES);
        match &mut self.kind {
            Kind::Datagrams { .. } => empty,
            Kind::Stream(stream) => std::mem::replace(&mut stream.framer, empty),
        }
    }

    /// Puts it back.
    pub(super) fn put_framer(&mut self, framer: Framer) {
        if let Kind::Stream(stream) = &mut self.kind {
            stream.framer = framer;
        }
    }

    /// Takes what concerns the link itself, not what came over it.
    pub(super) fn handle_input<A>(
        &mut self,
        context: &mut Context<'_>,
        input: &Input<'_, A>,
    ) -> Change {
        match input {
            Input::Bound { local, .. } => {
                self.local = *local;
                self.ready = true;
                Change::Ready
            }
            Input::Connected { local, room, .. } => {
                self.local = *local;
                if self.server.transport == Transport::Tls {
                    let role = TlsRole::Client { name: self.server.name.clone() };
                    context.out.push(Output::StartTls { conn: self.id, role, alpn: Vec::new() });
                    return Change::None;
                }
                self.take_room(context, *room);
                self.ready = true;
                Change::Ready
            }
            Input::Secured { room, .. } => {
                self.take_room(context, *room);
                self.ready = true;
                Change::Ready
            }
            Input::Writable { room, .. } => {
                self.take_room(context, *room);
                Change::None
            }
            Input::Failed { kind, .. } => self.gone(Cause::Unreachable(kind.clone())),
            Input::Closed { reason, .. } if self.ready => self.gone(Cause::ConnectionLost(*reason)),
            Input::Closed { .. } => self.gone(Cause::Unreachable(FailKind::Refused)),
            _ => Change::None,
        }
    }

    const fn gone(&mut self, cause: Cause) -> Change {
        (self.ready, self.gone) = (false, true);
        Change::Failed(cause)
    }

    /// What came from `remote` came to `local`: says whether the server sent it.
    pub(super) fn is_from_server(&mut self, local: Endpoint, remote: Endpoint) -> bool {
        if remote == self.server.endpoint {
            self.local = local;
            return true;
        }
        false
    }

    /// Sends a request or an indication of the client's own.
    pub(super) fn send(&mut self, context: &mut Context<'_>, message: &[u8]) {
        if self.gone {
            return;
        }
        match &mut self.kind {
            Kind::Datagrams { last_sent } => {
                *last_sent = context.now.mono;
                context.out.datagram(self.id, self.server.endpoint, message);
            }
            Kind::Stream(stream) => {
                // A server that reads nothing: the transaction's end will tell.
                let _ = stream.outbox.send(message, context.out);
            }
        }
    }

    /// Sends media: over UDP at once, `segment_bytes` each; on a connection when there is room, or not
    /// at all.
    pub(super) fn send_media(
        &mut self,
        context: &mut Context<'_>,
        packets: &[u8],
        segment_bytes: Option<usize>,
    ) -> Result<(), SendError> {
        match &mut self.kind {
            Kind::Datagrams { last_sent } => {
                *last_sent = context.now.mono;
                let output = Output::Datagram {
                    socket: self.id,
                    source: None,
                    remote: self.server.endpoint,
                    segment_size: segment_bytes,
                    dont_fragment: false,
                };
                context.out.push_with(output, packets);
                Ok(())
            }
            Kind::Stream(stream) => stream.send_media(context, packets),
        }
    }

    fn take_room(&mut self, context: &mut Context<'_>, room: usize) {
        if let Kind::Stream(stream) = &mut self.kind {
            stream.take_room(context, room);
        }
    }

    /// Closes it.
    pub(super) fn close(&self, context: &mut Context<'_>) {
        if !self.gone {
            context.out.push(Output::Close { id: self.id });
        }
    }
}

impl Stream {
    fn take_room(&mut self, context: &mut Context<'_>, room: usize) {
        self.most_room = self.most_room.max(room);
        self.outbox.writable(room, context.out);
        let unsent = self.most_room.saturating_sub(room);
        while self.ahead_bytes > unsent
            && let Some((_, bytes)) = self.ahead.pop_front()
        {
            self.ahead_bytes -= bytes;
        }
        self.drop_old(context.now.mono);
        while let Some((_, packet)) = self.media.front()
            && self.takes(context.now.mono, packet.len())
        {
            if let Some(packet) = self.drop_first() {
                self.write(context, &packet);
            }
        }
    }

    fn send_media(&mut self, context: &mut Context<'_>, packet: &[u8]) -> Result<(), SendError> {
        self.drop_old(context.now.mono);
        if self.media.is_empty() && self.takes(context.now.mono, packet.len()) {
            self.write(context, packet);
            return Ok(());
        }
        if packet.len() > MAX_MEDIA_BYTES {
            return Err(SendError::Congested);
        }
        while self.media_bytes + packet.len() > MAX_MEDIA_BYTES {
            self.drop_first();
        }
        self.media_bytes += packet.len();
        self.media.push_back((context.now.mono, packet.to_vec()));
        Ok(())
    }

    fn write(&mut self, context: &mut Context<'_>, packet: &[u8]) {
        self.ahead_bytes += packet.len();
        self.ahead.push_back((context.now.mono, packet.len()));
        // What fits is never refused.
        let _ = self.outbox.send(packet, context.out);
    }

    /// Whether media of `bytes` may be written now: it fits, and nothing old and not much is still in
    /// the driver's buffer.
    fn takes(&self, now: Instant, bytes: usize) -> bool {
        let fresh = self.ahead.front().is_none_or(|(since, _)| now - *since <= MAX_MEDIA_AGE);
        let little = self.ahead.is_empty() || self.ahead_bytes + bytes <= MAX_MEDIA_AHEAD_BYTES;
        self.outbox.waiting() == 0 && bytes <= self.outbox.room() && fresh && little
    }

    fn drop_old(&mut self, now: Instant) {
        while self.media.front().is_some_and(|(since, _)| now - *since > MAX_MEDIA_AGE) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) -> Option<Vec<u8>> {
        let (_, packet) = self.media.pop_front()?;
        self.media_bytes -= packet.len();
        Some(packet)
    }
}
