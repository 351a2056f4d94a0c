//! Whether a spliced connection is read: not while what it carries is not taken, and not while its
//! allocation has carried more than it may.

use std::time::Duration;

use machine::Instant;

/// Why a connection is not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gate {
    full: bool,
    fast: bool,
}

impl Gate {
    /// One that is shut until the other side is there.
    pub(super) const SHUT: Self = Self { full: true, fast: false };

    /// Sets whether too much waits for the other side; gives what is to be told to the driver, if
    /// that changes something.
    pub(super) const fn set_full(&mut self, full: bool) -> Option<bool> {
        let before = self.is_shut();
        self.full = full;
        self.changed(before)
    }

    /// Sets whether it carried too much of late.
    pub(super) const fn set_fast(&mut self, fast: bool) -> Option<bool> {
        let before = self.is_shut();
        self.fast = fast;
        self.changed(before)
    }

    const fn is_shut(self) -> bool {
        self.full || self.fast
    }

    const fn changed(self, before: bool) -> Option<bool> {
        let now = self.is_shut();
        if now == before { None } else { Some(now) }
    }
}

/// What all connections of an allocation carry in one direction, by the time that this takes at the
/// allowed rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    carried_by: Instant,
}

impl Meter {
    /// Counts bytes; gives the time until which their source has to wait, if it has to.
    pub(super) fn count(&mut self, now: Instant, bytes: usize, per_second: u64) -> Option<Instant> {
        let nanos = (bytes as u64).saturating_mul(1_000_000_000) / per_second.max(1);
        self.carried_by = self.carried_by.max(now) + Duration::from_nanos(nanos);
        let ahead = self.carried_by - now;
        let burst = relay::defaults::LIMIT_BURST;
        (ahead > burst).then(|| now + (ahead - burst))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::Instant;

    use super::{Gate, Meter};

    #[test]
    fn a_gate_opens_when_nothing_keeps_it_shut() {
        let mut gate = Gate::default();
        assert_eq!(gate.set_full(true), Some(true));
        assert_eq!(gate.set_fast(true), None);
        assert_eq!(gate.set_full(false), None);
        assert_eq!(gate.set_fast(false), Some(false));
        assert_eq!(gate.set_fast(false), None);
    }

    #[test]
    fn a_meter_lets_a_burst_through() {
        let (mut meter, now) = (Meter::default(), Instant::from_nanos(1 << 40));
        assert_eq!(meter.count(now, 500, 1000), None);
        let wait = meter.count(now, 250, 1000).unwrap();
        assert_eq!(wait - now, Duration::from_millis(250));
        assert_eq!(meter.count(now + Duration::from_secs(2), 500, 1000), None);
    }
}
