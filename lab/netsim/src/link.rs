//! Links: what happens to a packet between two interfaces.

use std::time::Duration;

use machine::{Entropy, Instant};

use crate::defaults::{MTU, REORDER_DELAY};

/// The name of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(crate) u32);

/// One of a link's two directions, by the order in which its ends were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the first end to the second.
    Forward,
    /// From the second end to the first.
    Backward,
}

/// What one direction of a link does to packets.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// How long a packet takes.
    pub latency: Duration,
    /// Up to how much longer, evenly distributed. Packets keep their order.
    pub jitter: Duration,
    /// The share of packets that are lost, 0 to 1.
    pub loss: f64,
    /// The share of packets that come late, behind their successors, 0 to 1.
    pub reorder: f64,
    /// The share of packets that come twice, 0 to 1.
    pub duplicate: f64,
    /// The largest packet in bytes, IP header counted in.
    pub mtu: u16,
}

impl Default for Link {
    /// A perfect link: no time, no loss, 1500 bytes.
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            reorder: 0.0,
            duplicate: 0.0,
            mtu: MTU,
        }
    }
}

impl Link {
    /// A link that takes `latency` and is perfect otherwise.
    #[must_use]
    pub fn with_latency(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// The same, but for the share of packets that are lost.
    #[must_use]
    pub fn loss(self, loss: f64) -> Self {
        Self { loss, ..self }
    }

    /// The same with jitter.
    #[must_use]
    pub fn jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    /// The same, but for the share of packets that come late.
    #[must_use]
    pub fn reorder(self, reorder: f64) -> Self {
        Self { reorder, ..self }
    }

    /// The same, but for the share of packets that come twice.
    #[must_use]
    pub fn duplicate(self, duplicate: f64) -> Self {
        Self { duplicate, ..self }
    }

    /// The same with another MTU.
    #[must_use]
    pub fn mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }
}

/// What one direction of a link has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Packets sent into it.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets lost.
    pub lost: u64,
    /// Packets delivered twice.
    pub duplicated: u64,
    /// Packets delivered late.
    pub reordered: u64,
}

/// One direction of a link at work.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) settings: Link,
    pub(crate) stats: LinkStats,
    entropy: Entropy,
    last_arrival: Instant,
}

impl Pipe {
    pub(crate) fn new(settings: Link, entropy: Entropy) -> Self {
        Self { settings, stats: LinkStats::default(), entropy, last_arrival: Instant::ORIGIN }
    }

    /// When a packet sent now arrives: not at all, once or twice.
    pub(crate) fn send(&mut self, now: Instant, len: usize) -> [Option<Instant>; 2] {
        self.stats.packets += 1;
        self.stats.bytes += len as u64;
        if self.happens(self.settings.loss) {
            self.stats.lost += 1;
            return [None, None];
        }
        let first = self.arrival(now);
        let second = self.happens(self.settings.duplicate).then(|| {
            self.stats.duplicated += 1;
            self.arrival(now)
        });
        [Some(first), second]
    }

    fn arrival(&mut self, now: Instant) -> Instant {
        let jitter = self.settings.jitter.as_nanos() as u64;
        let extra = if jitter == 0 { 0 } else { self.entropy.below(jitter + 1) };
        let arrival = now + self.settings.latency + Duration::from_nanos(extra);
        if self.happens(self.settings.reorder) {
            self.stats.reordered += 1;
            return arrival.max(self.last_arrival) + REORDER_DELAY + self.settings.jitter;
        }
        self.last_arrival = arrival.max(self.last_arrival);
        self.last_arrival
    }

    /// Draws only where there is a choice: settings that are off change no later draw.
    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.entropy.chance(share)
    }
}

#[cfg(test)]
mod tests {
    use super::{Link, Pipe};
    use machine::{Entropy, Instant};
    use std::time::Duration;

    #[test]
    fn loss_and_duplication_have_the_shares_asked_for() {
        let settings = Link::default().loss(0.1).duplicate(0.05);
        let mut pipe = Pipe::new(settings, Entropy::seeded(1));
        for _ in 0..100_000 {
            pipe.send(Instant::ORIGIN, 100);
        }
        assert!((9_700..10_300).contains(&pipe.stats.lost), "{:?}", pipe.stats);
        assert!((4_300..4_700).contains(&pipe.stats.duplicated), "{:?}", pipe.stats);
    }

    #[test]
    fn jitter_keeps_order_and_reordering_breaks_it() {
        let settings =
            Link::with_latency(Duration::from_millis(10)).jitter(Duration::from_millis(30));
        let arrivals = |settings: Link| {
            let mut pipe = Pipe::new(settings, Entropy::seeded(2));
            (0..1000)
                .filter_map(|n| pipe.send(Instant::from_nanos(n * 1_000_000), 100)[0])
                .collect::<Vec<_>>()
        };
        let steady = arrivals(settings.clone());
        assert!(steady.is_sorted());
        assert!(steady.iter().zip(0..).all(|(at, n)| {
            let taken = *at - Instant::from_nanos(n * 1_000_000);
            taken >= Duration::from_millis(10) && taken <= Duration::from_millis(40)
        }));
        assert!(!arrivals(settings.reorder(0.1)).is_sorted());
    }
}
