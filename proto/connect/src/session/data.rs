//! Telling STUN from data (RFC 7983), sending and receiving.

use machine::{Endpoint, Id};

use super::{Context, Session};
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
        match bytes.first() {
            None => context.stats.dropped += 1,
            Some(0..=3) => self.stun(context, socket, from, bytes),
            Some(_) => self.data(context, socket, from, bytes),
        }
    }

    fn stun(&mut self, context: &mut Context<'_>, socket: Id, from: Endpoint, bytes: &[u8]) {
        let (Ok(message), Some(base)) = (stun::Message::parse(bytes), self.base_of(socket)) else {
            context.stats.dropped += 1;
            return;
        };
        if message.class().is_response() {
            let now = context.now.mono;
            let (ours, mapped) = self.gatherer.handle_response(now, socket, from, &message);
            if let Some(mapped) = mapped {
                self.mapped(context, mapped);
            }
            if ours {
                return;
            }
        }
        match self.ice_mut() {
            Some(agent) => agent.handle_stun(context.now, base, from, bytes),
            None => context.stats.dropped += 1,
        }
    }

    /// Data comes from a known remote with ICE, and from anywhere without: what its description
    /// says is where it receives, and need not be where it sends from (RFC 3264 §5.1).
    fn data(&mut self, context: &mut Context<'_>, socket: Id, from: Endpoint, bytes: &[u8]) {
        let Some(at) = self.sockets.get(&socket) else { return };
        let (session, stream, component) = (context.id, at.stream, at.component);
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
        let (socket, remote) = self.destination(stream, component).ok_or(SendError::NoPath)?;
        context.outputs.datagram(socket, remote, bytes);
        if let Some(agent) = self.ice_mut() {
            agent.data_sent(context.now, stream, component);
        }
        Ok(())
    }

    /// Where data goes: from which socket, to which address.
    fn destination(&self, stream: usize, component: u16) -> Option<(Id, Endpoint)> {
        match &self.plain {
            Some(plain) => plain.ways.get(&(stream, component)).map(|way| (way.socket, way.remote)),
            None => {
                let (base, remote) = self.agent.as_ref()?.destination(stream, component)?;
                Some((*self.bases.get(&base)?, remote))
            }
        }
    }
}
