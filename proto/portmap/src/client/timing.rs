//! When a request is sent again, and when a mapping is renewed.

use std::time::Duration;

use machine::{Entropy, Instant};

use crate::defaults::{
    NATPMP_INITIAL_RETRANSMISSION, NATPMP_TRIES, PCP_INITIAL_RETRANSMISSION, PCP_JITTER_PERCENT,
    PCP_MAX_DURATION, PCP_MAX_RETRANSMISSION, RENEWAL_INTERVAL,
};

/// The sendings of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sendings {
    timing: Timing,
    begun: Instant,
    sent: u32,
    interval: Duration,
}

/// Whose rules a request is sent again by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    Pcp,
    NatPmp,
}

impl Sendings {
    /// None yet.
    pub(super) const fn new(timing: Timing, now: Instant) -> Self {
        Self { timing, begun: now, sent: 0, interval: Duration::ZERO }
    }

    /// For how long the request has been under way.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now - self.begun
    }

    /// Counts a sending now; says when the next is due or, after the last, when it is to be given up.
    /// `None`: that time has come.
    pub(super) fn send(&mut self, now: Instant, entropy: &mut Entropy) -> Option<Instant> {
        self.interval = match self.timing {
            //= RFC 6886 §3.1: the first wait is 250 ms, each is twice the last; nine sendings.
            Timing::NatPmp if self.sent == NATPMP_TRIES => return None,
            Timing::NatPmp => NATPMP_INITIAL_RETRANSMISSION * (1 << self.sent),
            Timing::Pcp if self.sent > 0 && self.elapsed(now) >= PCP_MAX_DURATION => return None,
            //= RFC 6887 §8.1.1: RT = (1 + RAND) * IRT at first, then (1 + RAND) * MIN(2 * RTprev, MRT).
            Timing::Pcp if self.sent == 0 => jitter(PCP_INITIAL_RETRANSMISSION, entropy),
            Timing::Pcp => jitter((self.interval * 2).min(PCP_MAX_RETRANSMISSION), entropy),
        };
        self.sent += 1;
        Some(now + self.interval)
    }
}

fn jitter(interval: Duration, entropy: &mut Entropy) -> Duration {
    let percent = 100 - PCP_JITTER_PERCENT + entropy.below(2 * PCP_JITTER_PERCENT + 1);
    interval * u32::try_from(percent).unwrap_or(100) / 100
}

/// When a mapping that was granted at `granted` for `lifetime` is renewed for the `attempt`th time,
/// counted from 0, at the present time or later.
//= RFC 6887 §11.2.1: at a random point between 1/2 and 5/8 of the lifetime, then between 3/4 and
//= 3/4 + 1/16, and so on; never less than four seconds apart.
//= RFC 6886 §3.3: renewal begins halfway to the expiry.
pub(super) fn renewal(
    granted: Instant,
    lifetime: Duration,
    attempt: u32,
    now: Instant,
    entropy: &mut Entropy,
) -> Instant {
    let rest = lifetime / 2_u32.saturating_pow(attempt.saturating_add(1));
    let random = u64::try_from(rest.as_nanos() / 4).unwrap_or(u64::MAX).saturating_add(1);
    let at = granted + (lifetime - rest) + Duration::from_nanos(entropy.below(random));
    at.max(now + RENEWAL_INTERVAL)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::{Entropy, Instant};

    use super::{Sendings, Timing, renewal};
    use crate::defaults::RENEWAL_INTERVAL;

    /// The times between sendings, to the giving up.
    fn waits(timing: Timing) -> Vec<Duration> {
        let mut entropy = Entropy::seeded(3);
        let (mut now, mut waits) = (Instant::ORIGIN, Vec::new());
        let mut sendings = Sendings::new(timing, now);
        while let Some(next) = sendings.send(now, &mut entropy) {
            waits.push(next - now);
            now = next;
        }
        waits
    }

    #[test]
    fn nat_pmp_sends_nine_times_and_waits_64_seconds() {
        let expected: Vec<Duration> = (0..9).map(|n| Duration::from_millis(250 << n)).collect();
        assert_eq!(waits(Timing::NatPmp), expected);
        assert_eq!(expected.last(), Some(&Duration::from_secs(64)));
    }

    #[test]
    fn pcp_doubles_from_three_seconds_with_a_tenth_of_chance() {
        let waits = waits(Timing::Pcp);
        assert!((5..=7).contains(&waits.len()), "{waits:?}");
        let first = Duration::from_millis(2700)..=Duration::from_millis(3300);
        assert!(first.contains(&waits[0]), "{waits:?}");
        for pair in waits.windows(2) {
            let factor = pair[1].as_secs_f64() / pair[0].as_secs_f64();
            assert!((1.8..=2.2).contains(&factor), "{waits:?}");
        }
    }

    #[test]
    fn renewals_lie_where_the_rfc_wants_them() {
        let (mut entropy, lifetime) = (Entropy::seeded(1), Duration::from_secs(1600));
        for (attempt, from, to) in [(0, 800, 1000), (1, 1200, 1300), (2, 1400, 1450)] {
            for _ in 0..50 {
                let granted = Instant::ORIGIN;
                let at = renewal(granted, lifetime, attempt, granted, &mut entropy) - granted;
                let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
                assert!(from <= at && at <= to, "{attempt} {at:?}");
            }
        }
        // A short lifetime, and an absurd number of attempts.
        let now = Instant::ORIGIN + Duration::from_secs(9);
        for (lifetime, attempt) in [(Duration::ZERO, 0), (Duration::from_secs(10), u32::MAX)] {
            let at = renewal(Instant::ORIGIN, lifetime, attempt, now, &mut entropy);
            assert!(at >= now + RENEWAL_INTERVAL);
        }
    }
}
