//! When to report (RFC 3550 §6.2, §6.3.1, A.7).

use std::time::Duration;

use machine::Entropy;

use crate::defaults;

/// What the time between reports depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Participants, we among them.
    pub members: u32,
    /// Participants that sent lately.
    pub senders: u32,
    /// Whether we sent lately.
    pub we_sent: bool,
    /// The average size of a compound packet, headers of UDP and IP included.
    pub average_bytes: f64,
    /// Whether we have reported yet.
    pub initial: bool,
}

impl Interval {
    /// The time to the next report, bounded and randomised.
    #[must_use]
    pub fn draw(&self, entropy: &mut Entropy) -> Duration {
        //= RFC 3550 §6.3.1: the interval is drawn from 0.5 to 1.5 times the calculated one, and
        //= divided by e - 3/2, which offsets timer reconsideration.
        let random = 0.5 + (entropy.u32() as f64) / f64::from(u32::MAX);
        const COMPENSATION: f64 = std::f64::consts::E - 1.5;
        self.calculated().mul_f64(random / COMPENSATION).min(defaults::RTCP_MAX_INTERVAL)
    }

    /// The deterministic calculated interval Td of §6.3.1.
    #[must_use]
    pub fn calculated(&self) -> Duration {
        let bandwidth = f64::from(defaults::RTCP_BYTES_PER_SEC);
        let (members, senders) = (f64::from(self.members.max(1)), f64::from(self.senders));
        //= RFC 3550 §6.3.1: while senders are a quarter of the members or less, they share a
        //= quarter of the bandwidth, and the others the rest.
        let (share, sharing) = match (senders <= members / 4.0, self.we_sent) {
            (true, true) => (0.25, senders),
            (true, false) => (0.75, members - senders),
            (false, _) => (1.0, members),
        };
        let seconds = self.average_bytes * sharing / (bandwidth * share);
        //= RFC 3550 §6.2: the minimum is 5 seconds, and half of it before the first report.
        let least = defaults::RTCP_MIN_INTERVAL / if self.initial { 2 } else { 1 };
        let most = defaults::RTCP_MAX_INTERVAL;
        Duration::try_from_secs_f64(seconds).unwrap_or(most).clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::{Interval, defaults};
    use machine::Entropy;
    use std::time::Duration;

    #[test]
    fn two_parties_report_about_every_five_seconds() {
        let mut entropy = Entropy::seeded(1);
        let interval = Interval {
            members: 2,
            senders: 2,
            we_sent: true,
            average_bytes: 120.0,
            initial: false,
        };
        assert_eq!(interval.calculated(), Duration::from_secs(5));
        let drawn: Vec<_> = (0..1000).map(|_| interval.draw(&mut entropy).as_secs_f64()).collect();
        assert!(drawn.iter().all(|s| (2.05..=6.16).contains(s)));
        let first = Interval { initial: true, ..interval };
        assert_eq!(first.calculated(), Duration::from_millis(2500));
    }

    #[test]
    fn absurd_numbers_are_bounded() {
        let mut entropy = Entropy::seeded(1);
        for (members, senders) in [(u32::MAX, 1), (0, u32::MAX), (0, 0)] {
            let average_bytes = f64::MAX;
            let interval =
                Interval { members, senders, we_sent: true, average_bytes, initial: true };
            assert!(interval.draw(&mut entropy) <= defaults::RTCP_MAX_INTERVAL);
        }
    }
}
