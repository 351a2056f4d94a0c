//! What one allocation sends: its packets are made once and sent again and again.

use machine::{Endpoint, Entropy};

use super::traffic::Direction;
use super::wire;

/// What marks the packets of one load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag([u8; Self::BYTES]);

impl Tag {
    /// How long it is, and so the shortest packet.
    pub const BYTES: usize = 8;

    /// A new one.
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(entropy.bytes())
    }

    /// Whether `payload` begins with it.
    pub fn marks(self, payload: &[u8]) -> bool {
        payload.starts_with(&self.0)
    }

    /// A payload of `size` bytes.
    pub fn payload(self, size: usize) -> Vec<u8> {
        let mut payload = self.0.to_vec();
        payload.resize(size.max(Self::BYTES), 0xa5);
        payload
    }
}

/// How data travels between client and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Via {
    /// ChannelData
    Channel,
    /// Send and Data indications
    Send,
}

/// The packets of one allocation.
#[derive(Clone, Debug)]
pub struct Flow {
    /// A train of its messages, as it is sent.
    pub train: Vec<u8>,
    /// The size of one of them.
    pub message_bytes: usize,
    /// The client that receives them, unless a peer does.
    pub receiver: usize,
    /// The allocation's relayed address.
    pub relayed: Endpoint,
}

/// What all flows have in common.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// Who sends.
    pub direction: Direction,
    /// In which wrapping.
    pub via: Via,
    /// What.
    pub payload: &'a [u8],
    /// How many in a train.
    pub train: usize,
}

impl Shape<'_> {
    /// The flow of the allocation `relayed` towards `peer`, which reaches the client `receiver` if
    /// it reaches a client.
    pub fn flow(
        &self,
        peer: Endpoint,
        relayed: Endpoint,
        receiver: usize,
        entropy: &mut Entropy,
    ) -> Flow {
        let message = match (self.direction, self.via) {
            (Direction::PeerToClient, _) => self.payload.to_vec(),
            (_, Via::Channel) => wire::channel_data(0, self.payload),
            (_, Via::Send) => wire::send_indication(peer, self.payload, entropy),
        };
        let message_bytes = message.len();
        Flow { train: message.repeat(self.train), message_bytes, receiver, relayed }
    }
}

/// The other one of a pair.
pub const fn partner(n: usize) -> usize {
    n ^ 1
}

#[cfg(test)]
mod tests {
    use machine::Entropy;

    use super::{Direction, Shape, Tag, Via, partner, wire};

    #[test]
    fn marked_and_wrapped() {
        let mut entropy = Entropy::seeded(1);
        let tag = Tag::random(&mut entropy);
        let payload = tag.payload(20);
        assert!(tag.marks(&payload) && !Tag::random(&mut entropy).marks(&payload));
        assert_eq!((payload.len(), tag.payload(0).len()), (20, Tag::BYTES));
        let peer = "192.0.2.1:9".parse().unwrap();
        let flow = |direction, via| {
            let shape = Shape { direction, via, payload: &payload, train: 3 };
            shape.flow(peer, peer, 0, &mut Entropy::seeded(2))
        };
        let out = flow(Direction::ClientToPeer, Via::Channel);
        assert_eq!((out.message_bytes, out.train.len()), (24, 72));
        assert_eq!(wire::payload(&out.train[24..48]), Some(&payload[..]));
        assert_eq!(flow(Direction::PeerToClient, Via::Send).train, payload.repeat(3));
        assert_eq!(flow(Direction::ClientToClient, Via::Send).message_bytes, 20 + 12 + 24);
    }

    #[test]
    fn pairs() {
        assert_eq!([0, 1, 2, 3].map(partner), [1, 0, 3, 2]);
    }
}
