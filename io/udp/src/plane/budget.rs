//! How much goes to whoever has not proven its address: a fixed table of token buckets by source
//! prefix, so that forged addresses take no memory, however many they are.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use machine::{Bucket, Instant};

use crate::defaults::{BINDING_BUCKETS, BINDING_BURST_SECS, BINDING_BYTES_PER_SEC};

/// The buckets of one shard.
pub(super) struct Budget {
    /// Nobody outside can choose who shares a bucket with whom.
    key: RandomState,
    /// Its share: whoever forges ports is spread over all shards.
    bytes_per_sec: u64,
    buckets: Box<[Bucket]>,
}

impl Budget {
    /// For one of `shards` shards.
    pub(super) fn new(shards: usize) -> Self {
        let buckets = vec![Bucket::default(); BINDING_BUCKETS].into_boxed_slice();
        let bytes_per_sec = BINDING_BYTES_PER_SEC / shards.max(1) as u64;
        Self { key: RandomState::new(), bytes_per_sec, buckets }
    }

    /// Whether `bytes` may go to `ip` now; counts them if so.
    pub(super) fn admit(&mut self, now: Instant, ip: IpAddr, bytes: usize) -> bool {
        // Nobody but this host sends from there.
        if ip.is_loopback() {
            return true;
        }
        let at = self.key.hash_one(prefix(ip)) as usize % BINDING_BUCKETS;
        let (rate, burst) = (self.bytes_per_sec, self.bytes_per_sec * BINDING_BURST_SECS);
        self.buckets.get_mut(at).is_some_and(|b| b.spend(now, bytes as u64, (rate, burst)))
    }
}

/// The prefix of `ip` that one holder of addresses has: /24 or /56.
fn prefix(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(ip.to_bits() >> 8),
        // No prefix of a global address is as small as those of IPv4.
        IpAddr::V6(ip) => (ip.to_bits() >> 72) as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use machine::Instant;

    use super::{Budget, prefix};
    use crate::defaults::{BINDING_BURST_SECS, BINDING_BYTES_PER_SEC};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_has_a_burst_and_then_its_rate() {
        let mut budget = Budget::new(1);
        let mut now = Instant::from_nanos(1 << 40);
        let mut sent = |now, from: &str| {
            (0..100_000).filter(|_| budget.admit(now, ip(from), 1024)).count() as u64 * 1024
        };
        assert_eq!(sent(now, "192.0.2.1"), BINDING_BYTES_PER_SEC * BINDING_BURST_SECS);
        assert_eq!(sent(now, "192.0.2.200"), 0);
        now += Duration::from_secs(1);
        assert_eq!(sent(now, "192.0.2.77"), BINDING_BYTES_PER_SEC);
        assert_eq!(sent(now, "127.0.0.1"), 100_000 * 1024);
    }

    #[test]
    fn prefixes() {
        assert_eq!(prefix(ip("192.0.2.1")), prefix(ip("192.0.2.255")));
        assert_ne!(prefix(ip("192.0.2.1")), prefix(ip("192.0.3.1")));
        assert_eq!(prefix(ip("2001:db8:1:ff::1")), prefix(ip("2001:db8:1:1::2")));
        assert_ne!(prefix(ip("2001:db8:1:ff::1")), prefix(ip("2001:db8:1:100::1")));
    }
}
