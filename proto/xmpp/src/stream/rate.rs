//! How fast a stream may be read: a leaky bucket for stanzas and one for bytes (GCRA).

use std::time::Duration;

use machine::Instant;

use crate::defaults::FLOOD;

/// A bucket that is full at first. Each unit spent moves the time at which it is full again.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    nanos_per_unit: u64,
    burst: Duration,
    full_at: Instant,
}

impl Bucket {
    fn new(per_second: u32, burst: Duration, now: Instant) -> Self {
        let nanos_per_unit = 1_000_000_000 / u64::from(per_second.max(1));
        Self { nanos_per_unit, burst, full_at: now }
    }

    fn spend(&mut self, now: Instant, units: usize) {
        let units = u64::try_from(units).unwrap_or(u64::MAX);
        let cost = Duration::from_nanos(units.saturating_mul(self.nanos_per_unit));
        self.full_at = self.full_at.max(now) + cost;
    }

    /// Whether at least half of the burst is there again.
    fn has_recovered(&self, now: Instant) -> bool {
        self.full_at <= now + self.burst / 2
    }

    /// From when on there is something in it.
    fn ready_at(&self) -> Instant {
        let burst = u64::try_from(self.burst.as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos(self.full_at.as_nanos().saturating_sub(burst))
    }
}

/// The rates of one stream. More than a rate allows is read later. Bytes may go on like that, as those of
/// a large file do; stanzas may not, for nobody has so much to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    stanzas: Bucket,
    bytes: Bucket,
    /// The stanzas that somebody says of their own accord: answers are others' doing, who would have
    /// a victim sent away by asking much of it.
    unasked: Bucket,
    /// Since when more of these want to come than may, without a rest.
    flood_since: Option<Instant>,
}

impl Rate {
    pub(super) fn new(stanzas: u32, bytes: u32, burst_secs: u32, now: Instant) -> Self {
        let burst = Duration::from_secs(burst_secs.into());
        let (stanzas, bytes) = (Bucket::new(stanzas, burst, now), Bucket::new(bytes, burst, now));
        Self { stanzas, bytes, unasked: stanzas, flood_since: None }
    }

    /// A stanza was read; an answer is one that RFC 6120 §8.2.3 makes a client give.
    pub(super) fn stanza(&mut self, now: Instant, is_answer: bool) {
        self.stanzas.spend(now, 1);
        if is_answer {
            return;
        }
        if self.unasked.has_recovered(now) {
            self.flood_since = None;
        }
        self.unasked.spend(now, 1);
        if self.unasked.ready_at() > now {
            self.flood_since.get_or_insert(now);
        }
    }

    /// Whether stanzas have come too fast for too long.
    pub(super) fn is_flood(&self, now: Instant) -> bool {
        self.flood_since.is_some_and(|since| now - since >= FLOOD)
    }

    pub(super) fn bytes(&mut self, now: Instant, count: usize) {
        self.bytes.spend(now, count);
    }

    /// From when on the stream may be read.
    pub(super) fn ready_at(&self) -> Instant {
        self.stanzas.ready_at().max(self.bytes.ready_at())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::Instant;

    use super::{FLOOD, Rate};

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::ORIGIN + Duration::from_secs(100);
        let mut rate = Rate::new(10, 1000, 2, start);
        for _ in 0..20 {
            assert!(rate.ready_at() <= start);
            rate.stanza(start, false);
        }
        assert!(rate.ready_at() <= start);
        rate.stanza(start, false);
        assert_eq!(rate.ready_at(), start + Duration::from_millis(100));
        // Bytes count by themselves, and both must be ready.
        let later = start + Duration::from_secs(10);
        rate.bytes(later, 5000);
        assert_eq!(rate.ready_at(), later + Duration::from_secs(3));
    }

    #[test]
    fn a_flood_is_what_takes_no_rest() {
        let start = Instant::ORIGIN + Duration::from_secs(100);
        // As many as may be read, until `secs` have passed; whether that was a flood.
        let flood = |rate: &mut Rate, from: Instant, secs: u64| {
            while rate.ready_at() < from + Duration::from_secs(secs) {
                let now = rate.ready_at().max(from);
                rate.stanza(now, false);
            }
            rate.is_flood(rate.ready_at())
        };
        let mut rate = Rate::new(10, 1000, 2, start);
        assert!(!flood(&mut rate, start, FLOOD.as_secs() - 1));
        let mut rested = rate;
        assert!(flood(&mut rate, start, FLOOD.as_secs()));
        // A second is half of its burst.
        let later = rested.ready_at() + Duration::from_secs(1);
        assert!(!flood(&mut rested, later, FLOOD.as_secs() - 1));
        assert!(flood(&mut rested, later, FLOOD.as_secs()));
    }

    #[test]
    fn whoever_is_asked_much_does_not_flood() {
        let start = Instant::ORIGIN + Duration::from_secs(100);
        let mut rate = Rate::new(10, 1_000_000, 2, start);
        let mut now = start;
        // Ten answers for each word of its own, as fast as they are read, for ten minutes.
        for n in 0..6000 {
            now = rate.ready_at().max(now);
            rate.stanza(now, n % 10 != 0);
            assert!(!rate.is_flood(now), "{n}");
        }
        assert!(now - start > FLOOD * 2);
    }
}
