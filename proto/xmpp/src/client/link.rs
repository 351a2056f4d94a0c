//! One connection to one address, with the stream on it.

use std::convert::Infallible;

use machine::outbox::Full;
use machine::{Endpoint, Id, Outbox, Output, Outputs, TlsRole};

use super::defaults::OUTBOX;
use super::event::{Error, Event};
use super::locate::Target;
use crate::stream::client::Stream;

/// The protocol that direct TLS names (XEP-0368 §3).
const ALPN: &[u8] = b"xmpp-client";

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// TCP is being connected.
    Connecting,
    /// TLS comes first, and is being started.
    Handshaking,
    /// The stream has begun.
    Streaming,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) conn: Id,
    pub(super) target: Target,
    pub(super) phase: Phase,
    pub(super) local: Endpoint,
    pub(super) secured: bool,
    pub(super) stream: Stream,
    /// What the stream says is wrong.
    pub(super) failure: Option<Error>,
    outbox: Outbox,
}

impl Link {
    /// Opens a connection.
    pub(super) fn open(
        conn: Id,
        target: Target,
        stream: Stream,
        out: &mut Outputs<Event, Infallible>,
    ) -> Self {
        out.push(Output::Connect { id: conn, local: None, remote: target.endpoint });
        Self {
            conn,
            target,
            phase: Phase::Connecting,
            local: Endpoint::UNSPECIFIED_V4,
            secured: false,
            stream,
            failure: None,
            outbox: Outbox::new(conn, 0, OUTBOX),
        }
    }

    /// There is room to write.
    pub(super) fn writable(&mut self, room: usize, out: &mut Outputs<Event, Infallible>) {
        self.outbox.writable(room, out);
    }

    /// Writes, now or as soon as there is room.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        out: &mut Outputs<Event, Infallible>,
    ) -> Result<(), Full> {
        self.outbox.send(bytes, out)
    }

    /// Starts TLS; the certificate has to carry `name`.
    ///
    //= RFC 6120 §13.7.2.1: the name is the account's domain, whatever DNS made of it.
    pub(super) fn start_tls(&mut self, name: &str, out: &mut Outputs<Event, Infallible>) {
        // The protocol is named where TLS comes first alone: after STARTTLS it is known.
        let alpn = if self.target.direct_tls { vec![ALPN.to_vec()] } else { Vec::new() };
        let role = TlsRole::Client { name: name.to_owned() };
        out.push(Output::StartTls { conn: self.conn, role, alpn });
    }
}
