//! Whether a server has forgotten its mappings (RFC 6887 §8.5).

use machine::Instant;

/// The seconds of a server's epoch as it told them last, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epoch(Option<(Instant, u32)>);

impl Epoch {
    /// Takes the epoch of a message; says whether it goes on from the last one. If not, the server
    /// has forgotten its mappings.
    //= RFC 6887 §8.5: the first epoch is taken as it is; one that went back by more than a second is
    //= not, nor one whose clock ran apart from ours by more than two seconds and a sixteenth of the
    //= time. Either way it is what the next one is compared with.
    #[must_use]
    pub fn goes_on(&mut self, now: Instant, secs: u32) -> bool {
        let goes_on = self.0.is_none_or(|(then, told)| {
            if u64::from(secs) + 1 < u64::from(told) {
                return false;
            }
            let client = (now - then).as_secs();
            let server = u64::from(secs.saturating_sub(told));
            client + 2 >= server - server / 16 && server + 2 >= client - client / 16
        });
        self.0 = Some((now, secs));
        goes_on
    }

    /// What the server said last.
    #[must_use]
    pub fn secs(&self) -> Option<u32> {
        self.0.map(|(_, secs)| secs)
    }
}

#[cfg(test)]
mod tests {
    use machine::Instant;

    use super::Epoch;

    fn at(secs: u64) -> Instant {
        Instant::from_nanos(secs * 1_000_000_000)
    }

    #[test]
    fn clocks_may_run_apart_a_little() {
        for (secs, goes_on) in [
            // 1600 seconds of ours: between 1498 of the server's, and 1708 less a sixteenth.
            (100 + 1600, true),
            (100 + 1498, true),
            (100 + 1497, false),
            (100 + 1708, true),
            (100 + 1710, false),
            (99, false),
            (0, false),
        ] {
            let mut epoch = Epoch::default();
            assert!(epoch.goes_on(at(5), 100));
            assert_eq!(epoch.goes_on(at(1605), secs), goes_on, "{secs}");
            assert!(epoch.goes_on(at(1606), secs), "the next one is compared with this");
        }
    }

    #[test]
    fn messages_may_overtake_each_other_by_a_second() {
        let mut epoch = Epoch::default();
        assert!(epoch.goes_on(at(5), 100));
        assert!(epoch.goes_on(at(5), 99));
        assert!(!epoch.goes_on(at(5), 97));
        assert_eq!(epoch.secs(), Some(97));
    }

    #[test]
    fn no_clock_overflows() {
        let mut epoch = Epoch::default();
        assert!(epoch.goes_on(at(0), 0));
        assert!(!epoch.goes_on(at(0), u32::MAX));
        assert!(!epoch.goes_on(Instant::from_nanos(u64::MAX), u32::MAX));
    }
}
