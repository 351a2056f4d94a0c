//! How long to wait before the next attempt (RFC 6120 §3.3).

use std::time::Duration;

use machine::{Entropy, Instant};

use super::defaults::{BACKOFF_FIRST, BACKOFF_MAX, STABLE};

/// Counts failures.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    online_since: Option<Instant>,
}

impl Backoff {
    /// Logged in.
    pub(super) const fn online(&mut self, now: Instant) {
        self.online_since = Some(now);
    }

    /// A failure; returns the pause.
    ///
    //= RFC 6120 §3.3: the longer it does not work, the longer is the pause, and nobody can tell how
    //= long exactly, so that the clients of a server that comes back do not come all at once.
    pub(super) fn failed(&mut self, now: Instant, entropy: &mut Entropy) -> Duration {
        let stable = |since: Instant| now.saturating_since(since) >= STABLE;
        if self.online_since.take().is_some_and(stable) {
            self.failures = 0;
        }
        let doubled = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let half = doubled.min(BACKOFF_MAX) / 2;
        let drawn = entropy.below(half.as_nanos() as u64 + 1);
        half + Duration::from_nanos(drawn)
    }

    /// The owner starts anew.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::{Entropy, Instant};

    use super::Backoff;
    use crate::client::defaults::{BACKOFF_FIRST, BACKOFF_MAX, STABLE};

    #[test]
    fn doubles_to_a_limit_and_is_drawn() {
        let (mut backoff, mut entropy) = (Backoff::default(), Entropy::seeded(1));
        let mut now = Instant::ORIGIN;
        let mut longest = BACKOFF_FIRST;
        for _ in 0..40 {
            let pause = backoff.failed(now, &mut entropy);
            assert!(longest / 2 <= pause && pause <= longest, "{pause:?} of {longest:?}");
            now += pause;
            longest = (longest * 2).min(BACKOFF_MAX);
        }
        // A login that does not last changes nothing; one that does begins anew.
        backoff.online(now);
        assert!(backoff.failed(now + STABLE / 2, &mut entropy) >= BACKOFF_MAX / 2);
        backoff.online(now);
        assert!(backoff.failed(now + STABLE, &mut entropy) <= BACKOFF_FIRST);
        let mut other = Backoff::default();
        let pauses: Vec<Duration> = (0..9).map(|_| other.failed(now, &mut entropy)).collect();
        assert!(pauses.iter().all(|pause| !pause.is_zero()));
    }
}
