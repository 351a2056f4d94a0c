//! Whether a gateway has forgotten its mappings (RFC 6886 §3.6).

use machine::Instant;

/// The seconds of a gateway's epoch as it told them last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epoch(Option<(Instant, u32)>);

impl Epoch {
    /// Takes the epoch of a message; says whether it goes on from the last one. If not, the gateway
    /// has forgotten its mappings.
    //= RFC 6886 §3.6: what the gateway must say at least is what it said last and 7/8 of the time
    //= since then by our clock; when it says less by more than two seconds, it lost its state.
    #[must_use]
    pub fn goes_on(&mut self, now: Instant, secs: u32) -> bool {
        let goes_on = self.0.is_none_or(|(then, told)| {
            let elapsed_ms = u64::from(told) * 1000 + (now - then).as_millis() as u64 / 8 * 7;
            u64::from(secs) * 1000 + 2000 >= elapsed_ms
        });
        self.0 = Some((now, secs));
        goes_on
    }

    /// What the gateway said last.
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
    fn a_clock_that_runs_is_believed_and_one_that_starts_again_is_not() {
        // After 800 seconds of ours at least 700 of the gateway's, two of them forgiven.
        for (secs, goes_on) in [(1000, true), (900, true), (798, true), (797, false), (0, false)] {
            let mut epoch = Epoch::default();
            assert!(epoch.goes_on(at(0), 100));
            assert_eq!(epoch.goes_on(at(800), secs), goes_on, "{secs}");
            assert_eq!(epoch.secs(), Some(secs));
            assert!(epoch.goes_on(at(801), secs));
        }
    }

    #[test]
    fn no_clock_overflows() {
        let mut epoch = Epoch::default();
        assert!(epoch.goes_on(at(0), u32::MAX));
        assert!(!epoch.goes_on(Instant::from_nanos(u64::MAX), 0));
        assert!(epoch.goes_on(Instant::from_nanos(u64::MAX), u32::MAX));
    }
}
