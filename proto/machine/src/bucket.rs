//! Token buckets: so much at once, and so much a second.

use crate::Instant;

/// What was spent of a burst, as of a moment. It is small, so that a table can have many; the rate is
/// its owner's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    spent: u32,
    at_millis: u32,
}

impl Bucket {
    /// Whether `amount` may be spent now; takes it if so. A bucket holds `burst` and gets
    /// `per_second` back.
    ///
    /// Milliseconds wrap after 49 days: a bucket that was untouched for as long may hold an old debt,
    /// which the next seconds pay.
    pub fn spend(&mut self, now: Instant, amount: u64, (per_second, burst): (u64, u64)) -> bool {
        let millis = now.as_millis() as u32;
        let elapsed = u64::from(millis.wrapping_sub(self.at_millis));
        let paid = elapsed.saturating_mul(per_second) / 1000;
        let spent = u64::from(self.spent).saturating_sub(paid).saturating_add(amount);
        let may = spent <= burst;
        if may {
            let spent = u32::try_from(spent).unwrap_or(u32::MAX);
            *self = Self { spent, at_millis: millis };
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Bucket;
    use crate::Instant;

    #[test]
    fn a_burst_and_then_the_rate() {
        let (mut bucket, mut now) = (Bucket::default(), Instant::from_nanos(1 << 40));
        let mut spent = |now| (0..100).filter(|_| bucket.spend(now, 10, (100, 400))).count();
        assert_eq!((spent(now), spent(now)), (40, 0));
        now += Duration::from_millis(1500);
        assert_eq!(spent(now), 15);
        now += Duration::from_secs(100);
        assert_eq!(spent(now), 40);
    }

    #[test]
    fn what_is_more_than_a_bucket_holds_is_never_spent() {
        let mut bucket = Bucket::default();
        assert!(!bucket.spend(Instant::ORIGIN, u64::MAX, (u64::MAX, u64::MAX - 1)));
        assert!(bucket.spend(Instant::ORIGIN, u64::MAX, (u64::MAX, u64::MAX)));
        assert_eq!(size_of::<Bucket>(), 8);
    }
}
