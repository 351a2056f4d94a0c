//! What is relayed: ChannelData, Send and Data (RFC 8656 §11, §12).

use machine::{Endpoint, Id, Output};
use stun::{Builder, Message, Method, TransactionId};

use super::{Context, Session, State};
use crate::attribute::RelayTransport;
use crate::channel::{self, ChannelData, ChannelNumber};
use crate::client::defaults::MAX_PAYLOAD_BYTES;
use crate::client::event::{Cause, Event, SendError};
use crate::framing::Frame;
use crate::message::{TurnBuilder, TurnMessage, UNDERSTOOD};

impl Session {
    /// Takes a datagram from the server.
    pub(super) fn handle_packet(&mut self, context: &mut Context<'_>, packet: &[u8]) {
        match ChannelData::parse(packet) {
            Some(data) => self.handle_channel_data(context, &data),
            None => self.handle_message(context, packet),
        }
    }

    /// Takes bytes from the server on a connection.
    pub(super) fn handle_stream(&mut self, context: &mut Context<'_>, conn: Id, bytes: &[u8]) {
        let Some(link) = self.link_named(conn) else { return };
        let mut framer = link.take_framer();
        framer.push(bytes);
        loop {
            match framer.next_frame() {
                Ok(Some(Frame::ChannelData(data))) => self.handle_channel_data(context, &data),
                Ok(Some(Frame::Stun(message))) => self.handle_message(context, message),
                Ok(None) => break,
                Err(_) => {
                    self.fail(context, Cause::BadAnswer, None);
                    return;
                }
            }
        }
        if let Some(link) = self.link_named(conn) {
            link.put_framer(framer);
        }
    }

    fn link_named(&mut self, conn: Id) -> Option<&mut super::Link> {
        match &mut self.moving {
            Some(moving) if moving.id() == conn => Some(moving),
            _ => Some(&mut self.link).filter(|link| link.id() == conn),
        }
    }

    fn handle_channel_data(&self, context: &mut Context<'_>, packet: &ChannelData<'_>) {
        if self.state == State::Allocated
            && let Some(peer) = self.peers.peer(packet.number)
        {
            let received = Event::Received { peer, channel: true };
            context.out.push_with(Output::Event(received), packet.data);
        }
    }

    /// Takes an indication from the server.
    pub(super) fn handle_indication(
        &mut self,
        context: &mut Context<'_>,
        indication: &Message<'_>,
    ) {
        let Some(peer) = indication.peer_address() else { return };
        //= RFC 8489 §6.3.2: an indication with an unknown comprehension-required attribute is
        // dropped.
        if self.state != State::Allocated || !indication.unknown_required(UNDERSTOOD).is_empty() {
            return;
        }
        //= RFC 8656 §11.4: a Data indication counts only if there is a permission for its peer.
        let permitted = self.peers.is_permitted(peer.ip());
        match (indication.method(), indication.data(), indication.icmp()) {
            (Method::DATA, Some(data), _) if permitted => {
                let received = Event::Received { peer, channel: false };
                context.out.push_with(Output::Event(received), data);
            }
            (Method::DATA, None, Some(error)) if permitted => {
                context.out.event(Event::Icmp { peer, error });
            }
            (Method::CONNECTION_ATTEMPT, ..) if permitted => {
                if let Some(id) = indication.connection_id() {
                    self.offered(context, peer, id);
                }
            }
            _ => {}
        }
    }

    /// Sends `bytes` to `peer`: one datagram, or a train of datagrams of `segment_bytes`.
    pub(in crate::client) fn send(
        &mut self,
        context: &mut Context<'_>,
        peer: Endpoint,
        segment_bytes: usize,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        if self.state != State::Allocated || !self.link.is_ready() {
            return Err(SendError::NotAllocated);
        }
        if context.config.relay != RelayTransport::Udp {
            return Err(SendError::Unsupported);
        }
        if bytes.len().min(segment_bytes) > MAX_PAYLOAD_BYTES {
            return Err(SendError::TooLong);
        }
        match self.peers.channel(peer) {
            Some(number) => self.send_on_channel(context, number, segment_bytes, bytes),
            None if self.peers.is_permitted(peer.ip()) => packets(bytes, segment_bytes)
                .try_for_each(|packet| self.send_indication(context, peer, packet)),
            None => Err(SendError::NotPermitted),
        }
    }

    fn send_on_channel(
        &mut self,
        context: &mut Context<'_>,
        number: ChannelNumber,
        segment_bytes: usize,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        if self.link.is_stream() {
            return packets(bytes, segment_bytes).try_for_each(|data| {
                self.scratch.clear();
                ChannelData { number, data }.write(true, &mut self.scratch);
                self.link.send_media(context, &self.scratch, None)
            });
        }
        self.scratch.clear();
        for data in packets(bytes, segment_bytes) {
            ChannelData { number, data }.write(false, &mut self.scratch);
        }
        let train = bytes.len() > segment_bytes;
        let segment = train.then_some(segment_bytes + channel::HEADER_BYTES);
        self.link.send_media(context, &self.scratch, segment)
    }

    fn send_indication(
        &mut self,
        context: &mut Context<'_>,
        peer: Endpoint,
        data: &[u8],
    ) -> Result<(), SendError> {
        let id = TransactionId::random(context.entropy);
        let buffer = std::mem::take(&mut self.scratch);
        let mut send = Builder::reusing(buffer, stun::Class::Indication, Method::SEND, id);
        send.peer_address(peer);
        if self.wishes.dont_fragment {
            send.dont_fragment();
        }
        send.data(data);
        self.scratch = send.finish();
        self.link.send_media(context, &self.scratch, None)
    }
}

/// The datagrams of a train; one, though it is empty, if there is nothing to cut.
fn packets(bytes: &[u8], segment_bytes: usize) -> impl Iterator<Item = &[u8]> {
    let empty = bytes.is_empty().then_some(bytes);
    empty.into_iter().chain(bytes.chunks(segment_bytes.max(1)))
}
