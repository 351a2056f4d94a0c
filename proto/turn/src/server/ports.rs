//! The ports of one relayed address: given out at random, taken back into quarantine
//! (RFC 8656 §7.2, RFC 6056).

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use machine::{Entropy, Instant};

use super::defaults::{MAX_PORT_TRIES, MAX_QUARANTINED_SHARE, PORT_QUARANTINE};

/// What a port must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Free.
    Any,
    /// Free and even.
    Even,
    /// Free and even, and the next one free as well: both are given out.
    Pair,
}

/// Which ports are free.
pub(super) struct Ports {
    range: RangeInclusive<u16>,
    /// A bit for each port that is not free: given out, or in quarantine.
    taken: Box<[u64]>,
    /// Those in quarantine, in order of when it ends.
    resting: VecDeque<(Instant, u16)>,
    entropy: Entropy,
}

impl Ports {
    pub(super) fn new(range: RangeInclusive<u16>, entropy: Entropy) -> Self {
        let taken = vec![0; 1 << 10].into_boxed_slice();
        Self { range, taken, resting: VecDeque::new(), entropy }
    }

    /// Gives a port out, the lower one of a pair; nothing if there is none.
    pub(super) fn take(&mut self, now: Instant, want: Want) -> Option<u16> {
        self.wake(|until| until <= now);
        let port = self.find(want).or_else(|| {
            // Better a port that has not rested for long than no port.
            self.wake(|_| true);
            self.find(want)
        })?;
        self.set(port, true);
        if want == Want::Pair {
            self.set(port + 1, true);
        }
        Some(port)
    }

    /// Takes a port back.
    pub(super) fn give_back(&mut self, now: Instant, port: u16) {
        self.resting.push_back((now + PORT_QUARANTINE, port));
        if self.resting.len() > self.size() / MAX_QUARANTINED_SHARE
            && let Some((_, port)) = self.resting.pop_front()
        {
            self.set(port, false);
        }
    }

    /// Ends the quarantine of ports, the oldest first, while `over` says so.
    fn wake(&mut self, over: impl Fn(Instant) -> bool) {
        while let Some(&(until, port)) = self.resting.front()
            && over(until)
        {
            self.resting.pop_front();
            self.set(port, false);
        }
    }

    /// At random first; where that is unlucky, the next one after a random port.
    //= RFC 8656 §7.2: relayed ports are chosen at random, for who guesses the next one could
    // send to it before its owner knows it.
    fn find(&mut self, want: Want) -> Option<u16> {
        let (first, size) = (*self.range.start(), self.size() as u64);
        if size == 0 {
            return None;
        }
        let mut start = 0;
        for _ in 0..MAX_PORT_TRIES {
            start = self.entropy.below(size) as u16;
            let port = first + start;
            if self.suits(port, want) {
                return Some(port);
            }
        }
        let after = first + start;
        (after..=*self.range.end()).chain(first..after).find(|&port| self.suits(port, want))
    }

    fn suits(&self, port: u16, want: Want) -> bool {
        let even = port.is_multiple_of(2);
        self.is_free(port)
            && match want {
                Want::Any => true,
                Want::Even => even,
                Want::Pair => even && self.is_free(port + 1),
            }
    }

    fn is_free(&self, port: u16) -> bool {
        let word = self.taken.get(usize::from(port >> 6)).copied().unwrap_or(u64::MAX);
        self.range.contains(&port) && word >> (port & 63) & 1 == 0
    }

    fn set(&mut self, port: u16, taken: bool) {
        if let Some(word) = self.taken.get_mut(usize::from(port >> 6)) {
            let bit = 1 << (port & 63);
            *word = if taken { *word | bit } else { *word & !bit };
        }
    }

    fn size(&self) -> usize {
        self.range.len()
    }
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let taken: u32 = self.taken.iter().map(|word| word.count_ones()).sum();
        f.debug_struct("Ports")
            .field("range", &self.range)
            .field("taken", &taken)
            .field("resting", &self.resting.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use machine::{Entropy, Instant};

    use super::{Ports, Want};
    use crate::server::defaults::PORT_QUARANTINE;

    fn ports(range: std::ops::RangeInclusive<u16>) -> Ports {
        Ports::new(range, Entropy::seeded(1))
    }

    #[test]
    fn all_ports_are_given_out_once_and_in_no_order() {
        let mut ports = ports(50_000..=50_099);
        let now = Instant::ORIGIN;
        let given: Vec<u16> = std::iter::from_fn(|| ports.take(now, Want::Any)).collect();
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 100);
        assert!(given.iter().all(|port| (50_000..=50_099).contains(port)));
        assert!(!given.is_sorted());
    }

    #[test]
    fn a_port_rests_before_it_is_given_out_again() {
        let mut ports = ports(50_000..=50_003);
        let mut now = Instant::ORIGIN;
        let port = ports.take(now, Want::Any).unwrap();
        ports.give_back(now, port);
        for _ in 0..3 {
            assert_ne!(ports.take(now, Want::Any), Some(port));
        }
        // Only when nothing else is left.
        assert_eq!(ports.take(now, Want::Any), Some(port));
        assert_eq!(ports.take(now, Want::Any), None);
        ports.give_back(now, port);
        now += PORT_QUARANTINE;
        assert_eq!(ports.take(now, Want::Any), Some(port));
    }

    #[test]
    fn half_of_the_range_rests_at_most() {
        let mut ports = ports(50_000..=50_009);
        let mut now = Instant::ORIGIN;
        for _ in 0..100 {
            let port = ports.take(now, Want::Any).unwrap();
            ports.give_back(now, port);
            now += Duration::from_secs(1);
            assert!(ports.resting.len() <= 5);
        }
    }

    #[test]
    fn even_ports_and_pairs() {
        let mut ports = ports(50_001..=50_008);
        let now = Instant::ORIGIN;
        let pairs: Vec<u16> = std::iter::from_fn(|| ports.take(now, Want::Pair)).collect();
        assert_eq!(pairs.iter().collect::<BTreeSet<_>>().len(), 3);
        assert!(pairs.iter().all(|port| port % 2 == 0 && *port < 50_008));
        assert_eq!(ports.take(now, Want::Even), Some(50_008));
        assert_eq!(ports.take(now, Want::Even), None);
        assert_eq!(ports.take(now, Want::Any), Some(50_001));
        assert_eq!(ports.take(now, Want::Any), None);
    }

    #[test]
    fn a_range_of_no_ports_and_one_to_the_end() {
        assert_eq!(ports(RangeInclusiveEmpty).take(Instant::ORIGIN, Want::Any), None);
        let mut last = ports(65_535..=65_535);
        assert_eq!(last.take(Instant::ORIGIN, Want::Pair), None);
        assert_eq!(last.take(Instant::ORIGIN, Want::Any), Some(65_535));
    }

    #[expect(non_upper_case_globals, reason = "reads as a value")]
    const RangeInclusiveEmpty: std::ops::RangeInclusive<u16> = std::ops::RangeInclusive::new(2, 1);
}
