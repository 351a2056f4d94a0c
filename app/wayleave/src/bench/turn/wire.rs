//! What travels (RFC 8656): the few requests that a load needs, and data in its two wrappings.

use std::time::Duration;

use machine::{Endpoint, Entropy};
use stun::{Builder, LongTerm, Message, Method, TransactionId};
use turn::{
    ChannelData, ChannelNumber, Family, RelayTransport, TurnBuilder as _, TurnMessage as _,
};

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// An allocation of a relayed UDP address of a family.
    Allocate(Family),
    /// A permission for this peer.
    Permit(Endpoint),
    /// The first channel for this peer, which permits it too.
    Channel(Endpoint),
    /// The end of the allocation.
    Release,
}

impl Wish {
    /// The request, with what `auth` knows of credentials.
    pub fn request(self, auth: &LongTerm, entropy: &mut Entropy) -> Vec<u8> {
        let mut request = Builder::request(self.method(), TransactionId::random(entropy));
        match self {
            Self::Allocate(family) => {
                request.requested_transport(RelayTransport::Udp);
                if family == Family::V6 {
                    request.requested_address_family(family);
                }
            }
            Self::Permit(peer) => {
                request.peer_address(peer);
            }
            Self::Channel(peer) => {
                request.channel_number(ChannelNumber::FIRST).peer_address(peer);
            }
            Self::Release => {
                request.lifetime(Duration::ZERO);
            }
        }
        auth.authenticate(&mut request);
        request.finish()
    }

    const fn method(self) -> Method {
        match self {
            Self::Allocate(_) => Method::ALLOCATE,
            Self::Permit(_) => Method::CREATE_PERMISSION,
            Self::Channel(_) => Method::CHANNEL_BIND,
            Self::Release => Method::REFRESH,
        }
    }
}

/// ChannelData on channel 0x4000 + `n`, without the padding of streams.
pub fn channel_data(n: u16, data: &[u8]) -> Vec<u8> {
    let number = ChannelNumber::new(ChannelNumber::FIRST.value().saturating_add(n));
    let mut out = Vec::with_capacity(turn::channel::HEADER_BYTES + data.len());
    let number = number.unwrap_or(ChannelNumber::LAST_OF_RFC_5766);
    ChannelData { number, data }.write(false, &mut out);
    out
}

/// A Send indication. All of a flow have one transaction id, which nobody reads.
pub fn send_indication(peer: Endpoint, data: &[u8], entropy: &mut Entropy) -> Vec<u8> {
    let mut indication = Builder::indication(Method::SEND, TransactionId::random(entropy));
    indication.peer_address(peer).data(data).finish()
}

/// The payload of ChannelData or of a Data indication.
pub fn payload(message: &[u8]) -> Option<&[u8]> {
    if let Some(channel_data) = ChannelData::parse(message) {
        return Some(channel_data.data);
    }
    let message = Message::parse(message).ok()?;
    (message.method() == Method::DATA).then(|| message.data()).flatten()
}

#[cfg(test)]
mod tests {
    use machine::Entropy;

    use super::{channel_data, payload, send_indication};

    #[test]
    fn payloads_come_out_as_they_went_in() {
        let data = channel_data(3, b"five!");
        assert_eq!(payload(&data), Some(&b"five!"[..]));
        assert_eq!(&data[..2], &[0x40, 3]);
        assert_eq!(payload(&data[..6]), None);
        let peer = "192.0.2.1:9".parse().unwrap();
        let sent = send_indication(peer, b"five!", &mut Entropy::seeded(1));
        // What is sent is no Data indication, which alone brings a payload.
        assert_eq!(payload(&sent), None);
        let mut received = sent;
        received[1] = 0x17;
        assert_eq!(payload(&received), Some(&b"five!"[..]));
    }
}
