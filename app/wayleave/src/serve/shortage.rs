//! Clients that got no relayed address, told to the log before anybody complains.

use tokio::time::Instant;

use super::defaults::SUMMARY_INTERVAL;

/// Decides when the log is to say that relayed addresses ran out: at once, then once a minute.
#[derive(Debug, Default)]
pub struct Shortage {
    /// How many clients were refused when the log last said so.
    told: u64,
    quiet_until: Option<Instant>,
}

impl Shortage {
    /// How many were refused since the log last said so, if it is to say so now; `refused` are all
    /// since the start.
    pub fn news(&mut self, now: Instant, refused: u64) -> Option<u64> {
        let news = refused.saturating_sub(self.told);
        if news == 0 || self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        self.told = refused;
        self.quiet_until = Some(now + SUMMARY_INTERVAL);
        Some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::{Instant, SUMMARY_INTERVAL, Shortage};

    #[test]
    fn at_once_and_then_once_a_minute() {
        let start = Instant::now();
        let mut shortage = Shortage::default();
        assert_eq!(shortage.news(start, 0), None);
        assert_eq!(shortage.news(start, 3), Some(3));
        assert_eq!(shortage.news(start + SUMMARY_INTERVAL / 2, 10), None);
        assert_eq!(shortage.news(start + SUMMARY_INTERVAL, 12), Some(9));
        assert_eq!(shortage.news(start + SUMMARY_INTERVAL * 3, 12), None);
    }
}
