//! Whom the client may talk to: permissions and channels (RFC 8656 §9, §12).

use std::collections::BTreeMap;
use std::net::IpAddr;

use machine::Endpoint;

use crate::channel::ChannelNumber;
use crate::client::defaults::MAX_PEERS;
use crate::client::event::SendError;

/// How far a permission or a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The server was asked.
    Asked,
    /// The server granted it.
    Granted,
}

/// Permissions and channels.
#[derive(Debug, Default)]
pub(super) struct Peers {
    permissions: BTreeMap<IpAddr, Standing>,
    channels: BTreeMap<Endpoint, (ChannelNumber, Standing)>,
    numbers: BTreeMap<ChannelNumber, Endpoint>,
    /// Numbers that were given out: the next is tried first, since a number must rest after its
    /// channel ended.
    given: u16,
}

impl Peers {
    /// Notes that `peer` shall be permitted; says whether the server is to be asked.
    pub(super) fn permit(&mut self, peer: IpAddr) -> Result<bool, SendError> {
        if self.permissions.contains_key(&peer) {
            return Ok(false);
        }
        if self.permissions.len() >= MAX_PEERS {
            return Err(SendError::TooManyPeers);
        }
        self.permissions.insert(peer, Standing::Asked);
        Ok(true)
    }

    /// The server permits `peer`; says whether that is new. Nothing if the owner no longer wants it.
    pub(super) fn permitted(&mut self, peer: IpAddr) -> bool {
        match self.permissions.get_mut(&peer) {
            Some(standing) => std::mem::replace(standing, Standing::Granted) == Standing::Asked,
            None => false,
        }
    }

    pub(super) fn is_permitted(&self, peer: IpAddr) -> bool {
        self.permissions.get(&peer) == Some(&Standing::Granted)
    }

    /// The server does not, or no longer, permit `peer`.
    pub(super) fn forget_permission(&mut self, peer: IpAddr) {
        self.permissions.remove(&peer);
    }

    /// Those whose permission is to be refreshed.
    pub(super) fn granted(&self) -> Vec<IpAddr> {
        let granted = self.permissions.iter().filter(|(_, s)| **s == Standing::Granted);
        granted.map(|(peer, _)| *peer).collect()
    }

    /// A number for a channel to `peer`; nothing if it has one.
    pub(super) fn bind(&mut self, peer: Endpoint) -> Result<Option<ChannelNumber>, SendError> {
        if self.channels.contains_key(&peer) {
            return Ok(None);
        }
        if self.channels.len() >= MAX_PEERS {
            return Err(SendError::TooManyPeers);
        }
        let number = self.free_number().ok_or(SendError::TooManyPeers)?;
        self.channels.insert(peer, (number, Standing::Asked));
        self.numbers.insert(number, peer);
        Ok(Some(number))
    }

    fn free_number(&mut self) -> Option<ChannelNumber> {
        let range = ChannelNumber::LAST.value() - ChannelNumber::FIRST.value() + 1;
        (0..range).find_map(|_| {
            let number = ChannelNumber::new(ChannelNumber::FIRST.value() + self.given % range)?;
            self.given = (self.given + 1) % range;
            (!self.numbers.contains_key(&number)).then_some(number)
        })
    }

    /// The server bound the channel of `peer`; says whether that is new. Its permission is there too.
    pub(super) fn bound(&mut self, peer: Endpoint) -> bool {
        let Some((_, standing)) = self.channels.get_mut(&peer) else { return false };
        let new = std::mem::replace(standing, Standing::Granted) == Standing::Asked;
        self.permissions.insert(peer.ip(), Standing::Granted);
        new
    }

    /// The channel of `peer`, once it can be used.
    pub(super) fn channel(&self, peer: Endpoint) -> Option<ChannelNumber> {
        match self.channels.get(&peer) {
            Some((number, Standing::Granted)) => Some(*number),
            _ => None,
        }
    }

    /// The number that the channel of `peer` has or will have.
    pub(super) fn number(&self, peer: Endpoint) -> Option<ChannelNumber> {
        self.channels.get(&peer).map(|(number, _)| *number)
    }

    /// The peer of a channel, from when the server was asked for it: a packet may overtake the
    /// answer.
    pub(super) fn peer(&self, number: ChannelNumber) -> Option<Endpoint> {
        self.numbers.get(&number).copied()
    }

    /// There is no channel to `peer`, or none any longer.
    pub(super) fn forget_channel(&mut self, peer: Endpoint) {
        if let Some((number, _)) = self.channels.remove(&peer) {
            self.numbers.remove(&number);
        }
    }

    /// Forgets the permission of `peer` and its channels, and tells which they were.
    pub(super) fn release(&mut self, peer: IpAddr) -> Vec<Endpoint> {
        self.permissions.remove(&peer);
        let channels: Vec<_> =
            self.channels.keys().filter(|channel| channel.ip() == peer).copied().collect();
        channels.iter().for_each(|channel| self.forget_channel(*channel));
        channels
    }
}

#[cfg(test)]
mod tests {
    use machine::Endpoint;

    use super::Peers;
    use crate::client::defaults::MAX_PEERS;
    use crate::client::event::SendError;

    fn peer(n: usize) -> Endpoint {
        Endpoint::new([10, 0, (n >> 8) as u8, n as u8], 9)
    }

    #[test]
    fn peers_are_limited() {
        let mut peers = Peers::default();
        for n in 0..MAX_PEERS {
            assert_eq!(peers.permit(peer(n).ip()), Ok(true));
            assert!(peers.bind(peer(n)).unwrap().is_some());
        }
        assert_eq!(peers.permit(peer(0).ip()), Ok(false));
        assert_eq!(peers.permit(peer(MAX_PEERS).ip()), Err(SendError::TooManyPeers));
        assert_eq!(peers.bind(peer(MAX_PEERS)), Err(SendError::TooManyPeers));
        assert_eq!(peers.release(peer(7).ip()), [peer(7)]);
        assert_eq!(peers.permit(peer(MAX_PEERS).ip()), Ok(true));
        let number = peers.bind(peer(MAX_PEERS)).unwrap().unwrap();
        // The number of a channel that has just gone rests.
        assert_eq!(usize::from(number.value()), 0x4000 + MAX_PEERS);
        assert_eq!(peers.peer(number), Some(peer(MAX_PEERS)));
    }

    #[test]
    fn a_channel_brings_a_permission() {
        let mut peers = Peers::default();
        let number = peers.bind(peer(1)).unwrap().unwrap();
        assert_eq!(peers.bind(peer(1)), Ok(None));
        assert!(peers.channel(peer(1)).is_none() && !peers.is_permitted(peer(1).ip()));
        assert!(peers.bound(peer(1)) && !peers.bound(peer(1)));
        assert_eq!(peers.channel(peer(1)), Some(number));
        assert!(peers.is_permitted(peer(1).ip()));
        assert_eq!(peers.granted(), [peer(1).ip()]);
        assert!(!peers.bound(peer(2)) && !peers.permitted(peer(2).ip()));
    }
}
