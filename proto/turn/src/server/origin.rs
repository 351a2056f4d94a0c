//! Where something came from: the 5-tuple of RFC 8656 §2, and the way back to it.

use std::borrow::Cow;

use machine::{Endpoint, Output, Transport};
use relay::Client;

use super::Server;
use super::defaults::{MEDIA_BYTES, OUTBOX_BYTES};

/// Where something came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The 5-tuple.
    pub(super) client: Client,
    /// The client's address.
    pub(super) remote: Endpoint,
    /// How it comes.
    pub(super) transport: Transport,
}

impl Origin {
    /// Whether somebody else can have sent it in this name: a handshake proves an address.
    pub(super) const fn is_forgeable(&self) -> bool {
        matches!(self.transport, Transport::Udp)
    }
}

impl Server {
    /// Sends a message to a client.
    pub(super) fn send(&mut self, client: Client, bytes: &[u8]) {
        match client {
            Client::Datagram { socket, local, remote } => {
                let source = self.wildcards.contains(&socket).then_some(local);
                let (segment_size, dont_fragment) = (None, false);
                let output =
                    Output::Datagram { socket, source, remote, segment_size, dont_fragment };
                self.outputs.push_with(output, bytes);
            }
            Client::Stream { conn } => {
                let Some(conn) = self.conns.get_mut(&conn) else { return };
                // A client that does not read loses answers as it would over UDP.
                if conn.outbox.waiting() + bytes.len() > OUTBOX_BYTES
                    || conn.outbox.send(bytes, &mut self.outputs).is_err()
                {
                    self.stats.stream_drops += 1;
                }
            }
        }
    }

    /// Sends media to a client, with the padding of streams; drops it where it would have to wait
    /// for long.
    //= RFC 8656 §12.5: over TCP and TLS ChannelData is padded to a multiple of four bytes.
    pub(super) fn send_media(&mut self, client: Client, bytes: &[u8]) {
        let Client::Stream { conn } = client else { return self.send(client, bytes) };
        let Some(conn) = self.conns.get_mut(&conn) else { return };
        let padded = match crate::channel::padding(bytes.len()) {
            [] => Cow::Borrowed(bytes),
            padding => Cow::Owned([bytes, padding].concat()),
        };
        if conn.outbox.waiting() > MEDIA_BYTES
            || conn.outbox.send(&padded, &mut self.outputs).is_err()
        {
            self.stats.stream_drops += 1;
        }
    }
}
