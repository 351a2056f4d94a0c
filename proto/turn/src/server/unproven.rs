//! How much goes to whoever has not proven its address: a fixed table of token buckets by source
//! prefix, so that the memory is the same whether one or a million addresses are forged.

use std::net::IpAddr;

use machine::{Bucket, Entropy, Instant};

use super::defaults::{UNPROVEN_BUCKETS, UNPROVEN_BURST_SECS};

/// The buckets.
pub(super) struct Unproven {
    key: [u8; 16],
    bytes_per_second: u64,
    buckets: Box<[Bucket]>,
}

impl Unproven {
    pub(super) fn new(bytes_per_second: u64, mut entropy: Entropy) -> Self {
        let buckets = vec![Bucket::default(); UNPROVEN_BUCKETS].into_boxed_slice();
        Self { key: entropy.bytes(), bytes_per_second, buckets }
    }

    pub(super) const fn set(&mut self, bytes_per_second: u64) {
        self.bytes_per_second = bytes_per_second;
    }

    /// Whether `bytes` may go to `ip` now; counts them if so.
    pub(super) fn admit(&mut self, now: Instant, ip: IpAddr, bytes: usize) -> bool {
        let burst = self.bytes_per_second.saturating_mul(UNPROVEN_BURST_SECS);
        let at = self.bucket_of(ip);
        let bucket = self.buckets.get_mut(at);
        bucket.is_some_and(|b| b.spend(now, bytes as u64, (self.bytes_per_second, burst)))
    }

    /// The bucket of the prefix of `ip`: /24 or /56, which one holder of addresses has.
    fn bucket_of(&self, ip: IpAddr) -> usize {
        let mut prefix = [0; 8];
        match ip {
            IpAddr::V4(ip) => prefix[..3].copy_from_slice(&ip.octets()[..3]),
            IpAddr::V6(ip) => {
                prefix[..7].copy_from_slice(&ip.octets()[..7]);
                prefix[7] = 6;
            }
        }
        let [a, b, c, d, ..] = crypto::sha256(&[&self.key, &prefix]);
        u32::from_be_bytes([a, b, c, d]) as usize % self.buckets.len().max(1)
    }
}

impl std::fmt::Debug for Unproven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unproven").field("buckets", &self.buckets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::{Entropy, Instant};

    use super::Unproven;
    use crate::server::defaults::UNPROVEN_BUCKETS;

    #[test]
    fn a_prefix_has_a_burst_and_then_its_rate() {
        let mut unproven = Unproven::new(1000, Entropy::seeded(1));
        let mut now = Instant::from_nanos(1 << 40);
        let mut sent =
            |now, ip: [u8; 4]| (0..100).filter(|_| unproven.admit(now, ip.into(), 100)).count();
        assert_eq!(sent(now, [192, 0, 2, 1]), 40, "four seconds' worth");
        assert_eq!(sent(now, [192, 0, 2, 200]), 0, "of the same prefix");
        assert_eq!(sent(now, [192, 0, 3, 1]), 40, "of another");
        now += Duration::from_secs(1);
        assert_eq!(sent(now, [192, 0, 2, 77]), 10);
        now += Duration::from_secs(100);
        assert_eq!(sent(now, [192, 0, 2, 1]), 40);
    }

    #[test]
    fn a_million_sources_take_no_memory() {
        let mut unproven = Unproven::new(1000, Entropy::seeded(1));
        let before = unproven.buckets.len();
        for n in 0..1_000_000_u32 {
            unproven.admit(Instant::from_nanos(n.into()), n.to_be_bytes().into(), 96);
        }
        assert_eq!((unproven.buckets.len(), size_of_val(&unproven.buckets[0])), (before, 8));
        assert_eq!(before, UNPROVEN_BUCKETS);
    }
}
