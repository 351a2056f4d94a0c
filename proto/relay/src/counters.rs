//! What was forwarded, and why the rest was not.

/// Packets and the bytes of data in them, headers of TURN left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Datagrams.
    pub packets: u64,
    /// Bytes of data.
    pub bytes: u64,
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum Cause {
    /// Its sender has no flow, or its socket has none.
    NoFlow,
    /// The flow has ended.
    Expired,
    /// It is no form of data that TURN knows, or one that contradicts itself.
    Malformed,
    /// Its channel is not bound.
    NoChannel,
    /// The sender's flow has no permission for the peer, or the receiver's none for the sender.
    NoPermission,
    /// The flow has no relayed address of the peer's family.
    Family,
    /// The peer would be one of our own addresses, and no live relayed one.
    OurOwn,
    /// The flow's bandwidth limit.
    Limit,
    /// With its header it would be longer than a datagram can be.
    TooLong,
}

impl Cause {
    /// Every cause, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::NoFlow,
        Self::Expired,
        Self::Malformed,
        Self::NoChannel,
        Self::NoPermission,
        Self::Family,
        Self::OurOwn,
        Self::Limit,
        Self::TooLong,
    ];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoFlow => "no_flow",
            Self::Expired => "expired",
            Self::Malformed => "malformed",
            Self::NoChannel => "no_channel",
            Self::NoPermission => "no_permission",
            Self::Family => "family",
            Self::OurOwn => "our_own",
            Self::Limit => "limit",
            Self::TooLong => "too_long",
        }
    }
}

/// What a table has done, ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// From clients to peers.
    pub client_to_peer: Tally,
    /// From peers to clients.
    pub peer_to_client: Tally,
    /// From clients to clients, both flows being ours.
    pub client_to_client: Tally,
    drops: [u64; Cause::ALL.len()],
}

impl Counters {
    /// How many numbers [`to_array`](Self::to_array) gives.
    pub const LEN: usize = 6 + Cause::ALL.len();

    /// Packets dropped for `cause`.
    #[must_use]
    pub fn drops(&self, cause: Cause) -> u64 {
        self.drops.get(cause as usize).copied().unwrap_or_default()
    }

    /// Packets dropped for any cause.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.drops.iter().sum()
    }

    pub(crate) fn drop_for(&mut self, cause: Cause, packets: u64) {
        if let Some(count) = self.drops.get_mut(cause as usize) {
            *count += packets;
        }
    }

    /// The sum with `other`.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut sum = self.to_array();
        sum.iter_mut().zip(other.to_array()).for_each(|(a, b)| *a = a.wrapping_add(b));
        Self::from_array(sum)
    }

    /// As bare numbers, to hand them from thread to thread.
    #[must_use]
    pub fn to_array(&self) -> [u64; Self::LEN] {
        let [to_peer, to_client, between] =
            [self.client_to_peer, self.peer_to_client, self.client_to_client];
        let mut array = [0; Self::LEN];
        let tallies = [to_peer, to_client, between];
        let numbers = tallies.iter().flat_map(|t| [t.packets, t.bytes]).chain(self.drops);
        array.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
        array
    }

    /// From what [`to_array`](Self::to_array) gave.
    #[must_use]
    pub const fn from_array(array: [u64; Self::LEN]) -> Self {
        let [p0, b0, p1, b1, p2, b2, drops @ ..] = array;
        Self {
            client_to_peer: Tally { packets: p0, bytes: b0 },
            peer_to_client: Tally { packets: p1, bytes: b1 },
            client_to_client: Tally { packets: p2, bytes: b2 },
            drops,
        }
    }
}
