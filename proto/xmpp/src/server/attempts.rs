//! Attempts to log in that failed or had keys derived, by where they came from.
//!
//! What succeeded had its keys derived all the same, and counts against the next of its kind alone:
//! who logs in without deriving is not kept out by neighbours who do.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use machine::Instant;

use super::defaults::{ATTEMPT_ADDRESSES, ATTEMPTS_WINDOW};

/// What one holder of addresses has: an IPv4 address, or a /64 of IPv6.
pub(super) fn holder(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

/// What is counted of one holder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// Attempts that failed.
    pub(super) failed: u32,
    /// Attempts that had keys derived, and succeeded.
    pub(super) derived: u32,
}

/// Attempts of late, by holder. Those of a holder are forgotten together, a while after the first.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    counts: BTreeMap<IpAddr, Count>,
    order: VecDeque<(Instant, IpAddr)>,
}

impl Attempts {
    /// What somebody at `holder` has tried of late.
    pub(super) fn of(&mut self, now: Instant, holder: IpAddr) -> Count {
        self.forget(now, ATTEMPT_ADDRESSES);
        self.counts.get(&holder).copied().unwrap_or_default()
    }

    /// Somebody at `holder` has tried, and failed or not.
    pub(super) fn add(&mut self, now: Instant, holder: IpAddr, failed: bool) {
        self.forget(now, ATTEMPT_ADDRESSES - 1);
        let count = self.counts.entry(holder).or_insert_with(|| {
            self.order.push_back((now + ATTEMPTS_WINDOW, holder));
            Count::default()
        });
        let count = if failed { &mut count.failed } else { &mut count.derived };
        *count = count.saturating_add(1);
    }

    /// Forgets what is too old, and the oldest of more than `most`.
    fn forget(&mut self, now: Instant, most: usize) {
        while let Some(&(until, holder)) = self.order.front()
            && (until <= now || self.order.len() > most)
        {
            self.order.pop_front();
            self.counts.remove(&holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use machine::Instant;

    use super::{Attempts, Count, holder};
    use crate::server::defaults::{ATTEMPT_ADDRESSES, ATTEMPTS_WINDOW};

    #[test]
    fn attempts_are_counted_and_forgotten() {
        let (mut attempts, now) = (Attempts::default(), Instant::ORIGIN);
        let ip = |n: u32| IpAddr::from(Ipv4Addr::from_bits(n));
        attempts.add(now, ip(1), true);
        attempts.add(now, ip(1), true);
        attempts.add(now, ip(1), false);
        let count = Count { failed: 2, derived: 1 };
        assert_eq!((attempts.of(now, ip(1)), attempts.of(now, ip(2))), (count, Count::default()));
        assert_eq!(attempts.of(now + ATTEMPTS_WINDOW, ip(1)), Count::default());
        for n in 0..2 * ATTEMPT_ADDRESSES as u32 {
            attempts.add(now, ip(n), true);
            assert!(attempts.counts.len() <= ATTEMPT_ADDRESSES);
            assert_eq!(attempts.counts.len(), attempts.order.len());
        }
    }

    #[test]
    fn who_holds_an_address() {
        let of = |ip: &str| holder(ip.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
