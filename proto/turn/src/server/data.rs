//! Data between clients and peers (RFC 8656 §11, §12), where no data plane forwards it: through our
//! own table. And what only the server can do: DONT-FRAGMENT, ICMP errors.

use machine::{Endpoint, Icmp, Id, Now, Output, Transport};
use relay::defaults::TAILROOM_LEN;
use relay::{Client, Forward, HEADROOM_LEN, Packet};
use stun::{Builder, Class, Message, Method, TransactionId};

use super::bind::Socket;
use super::origin::Origin;
use super::{Refusal, Server};
use crate::attribute::IcmpError;
use crate::message::UNDERSTOOD;
use crate::{ChannelData, Family, TurnBuilder, TurnMessage};

impl Server {
    /// Takes a datagram.
    pub(super) fn datagram(
        &mut self,
        now: Now,
        socket: Id,
        local: Endpoint,
        remote: Endpoint,
        bytes: &[u8],
    ) {
        if self.listeners.contains_key(&socket) {
            let client = Client::Datagram { socket, local: local.ip(), remote };
            let origin = Origin { client, remote, transport: Transport::Udp };
            self.take_from_client(now, origin, bytes);
        } else if self.sockets.contains_key(&socket) {
            self.forward([&[], bytes], false, |table, packet| {
                table.from_peer(now.mono, socket, remote, packet)
            });
        }
    }

    /// Takes what a client sent: a message or data.
    pub(super) fn take_from_client(&mut self, now: Now, origin: Origin, bytes: &[u8]) {
        if bytes.starts_with(&[0, 1]) {
            return self.binding(now, &origin, bytes);
        }
        let client = origin.client;
        let forward = self.forward([&[], bytes], false, |table, packet| {
            table.from_client(now.mono, client, packet)
        });
        if forward == Forward::Control {
            self.control(now, origin, bytes);
        }
    }

    /// Takes data that a client sent on a channel, over a connection.
    pub(super) fn take_channel_data(&mut self, now: Now, origin: Origin, data: &ChannelData<'_>) {
        let Some(header) = ChannelData::header(data.number, data.data.len()) else { return };
        let client = origin.client;
        let forward = self.forward([&header, data.data], false, |table, packet| {
            table.from_client(now.mono, client, packet)
        });
        if forward == Forward::Control {
            self.control(now, origin, &[&header, data.data].concat());
        }
    }

    /// Puts a packet, which comes in two parts, through the table and sends it on.
    fn forward(
        &mut self,
        parts: [&[u8]; 2],
        dont_fragment: bool,
        decide: impl FnOnce(&mut relay::Table, &mut Packet<'_>) -> Forward,
    ) -> Forward {
        let mut buf = std::mem::take(&mut self.scratch);
        buf.clear();
        buf.resize(HEADROOM_LEN, 0);
        parts.iter().for_each(|part| buf.extend_from_slice(part));
        let end = buf.len();
        buf.resize(end + TAILROOM_LEN, 0);
        let mut packet = Packet::new(&mut buf, HEADROOM_LEN, end);
        let forward = decide(&mut self.table, &mut packet);
        match forward {
            Forward::Send { socket, source, remote } => {
                let source = self.wildcards.contains(&socket).then_some(source);
                let segment_size = None;
                let output =
                    Output::Datagram { socket, source, remote, segment_size, dont_fragment };
                self.outputs.push_with(output, packet.bytes());
            }
            Forward::Write { conn } => self.send_media(Client::Stream { conn }, packet.bytes()),
            Forward::Control | Forward::Split | Forward::Drop(_) => {}
        }
        self.scratch = buf;
        forward
    }

    /// Takes a message that is no plain data.
    fn control(&mut self, now: Now, origin: Origin, bytes: &[u8]) {
        let is_request = bytes.first().is_some_and(|first| first >> 6 == 0)
            && bytes.get(1).is_some_and(|second| second & 0x10 == 0);
        if !is_request && self.confirm_move(now, origin.client) {
            return self.take_from_client(now, origin, bytes);
        }
        let Ok(message) = Message::parse(bytes) else {
            return self.stats.refuse(Refusal::Unintelligible);
        };
        match (message.class(), message.method()) {
            (Class::Request, _) => self.request(now, origin, bytes, None),
            (Class::Indication, Method::SEND) => self.send_indication(now, origin, &message),
            // A Binding indication keeps a NAT's mapping alive.
            (Class::Indication, Method::BINDING) => {}
            _ => self.stats.refuse(Refusal::Unintelligible),
        }
    }

    /// Answers a Binding request, from where it wants the answer.
    fn binding(&mut self, now: Now, origin: &Origin, bytes: &[u8]) {
        let mut answer = std::mem::take(&mut self.scratch);
        match self.answer_binding(origin.client, bytes, origin.remote, &mut answer) {
            Some((client, remote)) => {
                self.stats.bindings += 1;
                self.send_unproven(now, &Origin { client, remote, ..*origin }, &answer);
            }
            None => self.stats.refuse(Refusal::Unintelligible),
        }
        self.scratch = answer;
    }

    /// The answer to a Binding request, and the way that it goes.
    fn answer_binding(
        &self,
        client: Client,
        bytes: &[u8],
        remote: Endpoint,
        answer: &mut Vec<u8>,
    ) -> Option<(Client, Endpoint)> {
        let Client::Datagram { socket, local, .. } = client else {
            return stun::binding::answer(bytes, remote, answer).then_some((client, remote));
        };
        let port = self.listeners.get(&socket)?.local.port();
        let (places, local) = (self.table.places(), Endpoint::new(local, port));
        let route = stun::binding::answer_at(places, bytes, local, remote, answer)?;
        let socket = if route.from == local {
            socket
        } else {
            *self.listeners.iter().find(|(_, bound)| bound.serves(route.from))?.0
        };
        let client = Client::Datagram { socket, local: route.from.ip(), remote: route.to };
        Some((client, route.to))
    }

    /// A Send indication that the table left to us, as it does with DONT-FRAGMENT.
    fn send_indication(&mut self, now: Now, origin: Origin, message: &Message<'_>) {
        //= RFC 8656 §11.2: without peer or data, or with an attribute that must be understood and is
        // not, it is dropped.
        let (Some(peer), Some(data)) = (message.peer_address(), message.data()) else {
            return self.stats.refuse(Refusal::Unintelligible);
        };
        if !message.unknown_required(UNDERSTOOD).is_empty() {
            return self.stats.refuse(Refusal::UnknownAttribute);
        }
        let mut plain = Builder::indication(Method::SEND, message.id());
        let plain = plain.peer_address(peer).data(data).finish();
        self.forward([&[], &plain], message.dont_fragment(), |table, packet| {
            table.from_client(now.mono, origin.client, packet)
        });
    }

    /// Tells a client that the network could not deliver to a peer.
    //= RFC 8656 §11.5: an ICMP error about a peer with a permission becomes a Data indication with
    // an ICMP attribute.
    pub(super) fn unreachable(&mut self, now: Now, socket: Id, remote: Endpoint, icmp: Icmp) {
        let Some(Socket::Relayed(id)) = self.sockets.get(&socket) else { return };
        let Some(allocation) = self.allocations.get(id).filter(|found| !found.adrift) else {
            return;
        };
        let permission = allocation.flow.as_deref().and_then(|flow| flow.permission(remote.ip()));
        if permission.is_none_or(|permission| permission.until <= now.mono) {
            return;
        }
        let client = allocation.origin.client;
        let id = TransactionId::random(&mut self.entropy);
        let mut indication = Builder::indication(Method::DATA, id);
        indication.peer_address(remote).icmp(IcmpError::new(icmp, Family::of(remote.ip())));
        let indication = indication.finish();
        self.send_media(client, &indication);
    }
}
