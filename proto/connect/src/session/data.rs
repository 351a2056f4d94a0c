//! Telling STUN from data (RFC 7983), sending and receiving.

use machine::{Endpoint, Id};

use super::{Base, Context, Session};
use crate::defaults::MAX_DATAGRAM_BYTES;
use crate::{Event, SendError};

impl Session {
    /// A datagram arrived.
    ///
    //= RFC 7983 §7: a first byte of 0 to 3 is STUN; everything else is for the application.
    pub(crate) fn datagram(
        &mut self,
        context: &mut Context<'_>,
        socket: Id,
        from: Endpoint,
        bytes: &[u8],
    ) {
        if self.relays.datagram(context, socket, from, bytes) {
            return;
        }
        let (Some(at), Some(base)) = (self.sockets.get(&socket), self.base_of(socket)) else {
            context.stats.dropped += 1;
            return;
        };
        let place = (at.stream, at.component);
        if !self.answers_gathering(context, socket, from, bytes) {
            self.arrived(context, base, place, from, bytes);
        }
    }

    /// Takes the answer of a STUN server, if it is one.
    fn answers_gathering(
        &mut self,
        context: &mut Context<'_>,
        socket: Id,
        from: Endpoint,
        bytes: &[u8],
    ) -> bool {
        if !matches!(bytes.first(), Some(0..=3)) {
            return false;
        }
        let Ok(message) = stun::Message::parse(bytes) else { return false };
        if !message.class().is_response() {
            return false;
        }
        let now = context.now.mono;
        let (ours, mapped) = self.gatherer.handle_response(now, socket, from, &message);
        if let Some(mapped) = mapped {
            self.mapped(context, mapped);
        }
        ours
    }

    /// A datagram from somebody else than a server arrived at one of our addresses, a relayed one
    /// perhaps.
    pub(super) fn arrived(
        &mut self,
        context: &mut Context<'_>,
        base: Endpoint,
        (stream, component): (usize, u16),
        from: Endpoint,
        bytes: &[u8],
    ) {
        match bytes.first() {
            None => context.stats.dropped += 1,
            Some(0..=3) => self.stun(context, base, from, bytes),
            Some(_) => self.data(context, (stream, component), from, bytes),
        }
    }

    fn stun(&mut self, context: &mut Context<'_>, base: Endpoint, from: Endpoint, bytes: &[u8]) {
        if stun::Message::parse(bytes).is_err() {
            context.stats.dropped += 1;
            return;
        }
        match self.ice_mut() {
            Some(agent) => agent.handle_stun(context.now, base, from, bytes),
            None => context.stats.dropped += 1,
        }
    }

    /// Data comes from a known remote with ICE, and from anywhere without: what its description
    /// says is where it receives, and need not be where it sends from (RFC 3264 §5.1).
    fn data(
        &mut self,
        context: &mut Context<'_>,
        (stream, component): (usize, u16),
        from: Endpoint,
        bytes: &[u8],
    ) {
        let session = context.id;
        if let Some(agent) = self.ice()
            && !agent.knows_remote(stream, component, from)
        {
            context.stats.from_strangers += 1;
            return;
        }
        let bytes = bytes.to_vec();
        context.outputs.event(Event::Received { session, stream, component, bytes });
    }

    /// Sends on the best way known.
    pub(crate) fn send(
        &mut self,
        context: &mut Context<'_>,
        stream: usize,
        component: u16,
        bytes: &[u8],
    ) -> Result<(), SendError> {
        let in_use = self.components.get(stream).copied().unwrap_or(0);
        if !(1..=in_use).contains(&component) {
            return Err(SendError::NoSession);
        }
        if bytes.len() > MAX_DATAGRAM_BYTES {
            return Err(SendError::TooLarge);
        }
        let (base, remote) = self.destination(stream, component).ok_or(SendError::NoPath)?;
        match base {
            Base::Socket(socket) => context.outputs.datagram(socket, remote, bytes),
            Base::Relay(relay) => {
                let relay = self.relays.get_mut(relay).ok_or(SendError::NoPath)?;
                relay.send_data(context, remote, bytes);
            }
        }
        if let Some(agent) = self.ice_mut() {
            agent.data_sent(context.now, stream, component);
        }
        Ok(())
    }

    /// Where data goes: by what, to which address.
    pub(super) fn destination(&self, stream: usize, component: u16) -> Option<(Base, Endpoint)> {
        match &self.plain {
            Some(plain) => plain.ways.get(&(stream, component)).map(|way| (way.base, way.remote)),
            None => {
                let (base, remote) = self.agent.as_ref()?.destination(stream, component)?;
                Some((*self.bases.get(&base)?, remote))
            }
        }
    }
}
