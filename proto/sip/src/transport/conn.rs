//! One connection: messages cut out of a stream, and a bounded queue of what goes out
//! (RFC 3261 §18.3, RFC 5626 §4.4.1).

use std::convert::Infallible;
use std::time::Duration;

use machine::outbox::Full;
use machine::{Endpoint, Id, Outbox, Outputs, Transport};

use super::Flow;
use crate::defaults;
use crate::framing::Framer;

/// A connection, open or being opened.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) id: Id,
    pub(super) transport: Transport,
    pub(super) remote: Endpoint,
    /// Our side's address, once it is open.
    pub(super) local: Option<Endpoint>,
    /// Whether a whole message or keepalive has come, or we opened it ourselves.
    pub(super) heard: bool,
    pub(super) outbox: Outbox,
    pub(super) framer: Framer,
}

impl Conn {
    /// A connection that was opened from the far side.
    pub(super) fn accepted(
        id: Id,
        transport: Transport,
        local: Endpoint,
        remote: Endpoint,
        room: usize,
    ) -> Self {
        Self {
            id,
            transport,
            remote,
            local: Some(local),
            heard: false,
            outbox: Outbox::new(id, room, defaults::CONN_OUTBOX_BYTES),
            framer: Framer::accepted(),
        }
    }

    /// A connection that we are opening.
    pub(super) fn opening(id: Id, transport: Transport, remote: Endpoint) -> Self {
        Self {
            id,
            transport,
            remote,
            local: None,
            heard: true,
            outbox: Outbox::new(id, 0, defaults::CONN_OUTBOX_BYTES),
            framer: Framer::opened(),
        }
    }

    /// How long it may stay without a message or keepalive.
    pub(super) const fn patience(&self) -> Duration {
        if self.heard { defaults::CONN_IDLE } else { defaults::FIRST_MESSAGE }
    }

    /// The flow, once the connection is open.
    pub(super) fn flow(&self) -> Option<Flow> {
        let (transport, id, remote) = (self.transport, self.id, self.remote);
        self.local.map(|local| Flow { transport, id, local, remote })
    }

    /// Sends bytes whole, or not at all.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        outputs: &mut Outputs<Infallible, Infallible>,
    ) -> Result<(), Full> {
        self.outbox.send(bytes, outputs)
    }
}
