//! How many bytes a second a flow may carry.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use machine::Instant;

use crate::defaults::LIMIT_BURST;

/// A limit on a flow's bytes a second, for each direction its own, shared by all tables that forward
/// the flow and by all its snapshots.
///
/// It is a token bucket kept as one number: the time at which what was let through would have been
/// carried at the limit's rate. That is at most [`LIMIT_BURST`] ahead of the present.
#[derive(Debug)]
pub struct Limit {
    picos_per_byte: u64,
    from_client: AtomicU64,
    to_client: AtomicU64,
}

/// The way of a packet, for its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    FromClient,
    ToClient,
}

impl PartialEq for Limit {
    /// Limits are the same when they let through as much, whatever they have let through by now.
    fn eq(&self, other: &Self) -> bool {
        self.picos_per_byte == other.picos_per_byte
    }
}

impl Eq for Limit {}

impl Limit {
    /// A limit of `bytes_per_sec` each way, at least 1.
    #[must_use]
    pub fn new(bytes_per_sec: u64) -> Self {
        const PICOS_PER_SEC: u64 = 1_000_000_000_000;
        let picos_per_byte = PICOS_PER_SEC / bytes_per_sec.max(1);
        Self { picos_per_byte, from_client: AtomicU64::new(0), to_client: AtomicU64::new(0) }
    }

    /// Takes `bytes` if the limit has room for them. A datagram that no burst could hold passes when
    /// the bucket is full.
    pub(crate) fn take(&self, way: Way, bytes: usize, now: Instant) -> bool {
        let cell = match way {
            Way::FromClient => &self.from_client,
            Way::ToClient => &self.to_client,
        };
        let cost = Duration::from_nanos((bytes as u64).saturating_mul(self.picos_per_byte) / 1000);
        let latest = now + LIMIT_BURST;
        let take = |carried: u64| {
            let carried = Instant::from_nanos(carried).max(now);
            let after = carried + cost;
            (after <= latest || carried == now).then(|| after.as_nanos())
        };
        cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::Instant;

    use super::{Limit, Way};

    #[test]
    fn a_burst_and_then_the_rate() {
        let limit = Limit::new(100_000);
        let passed = |now| (0..1000).filter(|_| limit.take(Way::FromClient, 1000, now)).count();
        // Half a second's worth at once, ten a tenth of a second afterwards, and no more than the
        // burst after a long silence.
        assert_eq!(passed(Instant::ORIGIN), 50);
        assert_eq!(passed(Instant::ORIGIN + Duration::from_millis(100)), 10);
        assert_eq!(passed(Instant::ORIGIN + Duration::from_secs(60)), 50);
        // The other direction has its own.
        assert!(limit.take(Way::ToClient, 1000, Instant::ORIGIN));
    }

    #[test]
    fn what_no_burst_holds_passes_when_nothing_went_before() {
        let limit = Limit::new(1);
        assert!(limit.take(Way::ToClient, 1500, Instant::ORIGIN));
        assert!(!limit.take(Way::ToClient, 1, Instant::ORIGIN + Duration::from_secs(1000)));
        assert!(limit.take(Way::ToClient, 1, Instant::ORIGIN + Duration::from_secs(1500)));
    }
}
