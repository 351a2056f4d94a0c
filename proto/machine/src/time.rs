//! Time as machines see it: monotonic for timers, wall clock for what the wire wants.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point of monotonic time: nanoseconds since an origin that the driver chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Instant(u64);

impl Instant {
    /// The driver's origin.
    pub const ORIGIN: Self = Self(0);

    /// The instant `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the origin.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Time since `earlier`, zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub for Instant {
    type Output = Duration;
    /// Time between two instants, zero if `rhs` is later.
    fn sub(self, rhs: Self) -> Duration {
        self.saturating_since(rhs)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// The present, as the driver tells it: one value for timers, one for the wire.
///
/// A step of the wall clock is an input like any other; timers never depend on `unix`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Now {
    /// Monotonic time.
    pub mono: Instant,
    /// Time since 1970-01-01 00:00 UTC.
    pub unix: Duration,
}

impl Now {
    /// Whole seconds since 1970, as certificates, nonces and REST expiry count them.
    #[must_use]
    pub const fn unix_secs(&self) -> u64 {
        self.unix.as_secs()
    }

    /// The 64-bit NTP timestamp of RFC 3550 §4 (seconds since 1900 in 32.32 fixed point).
    #[must_use]
    pub fn ntp(&self) -> u64 {
        const UNIX_TO_NTP_SECS: u64 = 2_208_988_800;
        let secs = self.unix.as_secs().wrapping_add(UNIX_TO_NTP_SECS);
        let fraction = (u64::from(self.unix.subsec_nanos()) << 32) / 1_000_000_000;
        (secs << 32) | fraction
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Instant, Now};

    #[test]
    fn instants_saturate_at_both_ends() {
        let (early, late) = (Instant::from_nanos(5), Instant::from_nanos(12));
        assert_eq!((late - early, early - late), (Duration::from_nanos(7), Duration::ZERO));
        assert_eq!(late + Duration::MAX, Instant::from_nanos(u64::MAX));
        assert_eq!(format!("{:?}", Instant::from_nanos(1_000_000_020)), "1.000000020s");
    }

    #[test]
    fn ntp_counts_from_1900() {
        // RFC 5905 figure 4: 1 January 1970 is 2,208,988,800.
        let at = |unix| Now { unix, ..Now::default() };
        assert_eq!(at(Duration::ZERO).ntp(), 2_208_988_800 << 32);
        assert_eq!(at(Duration::from_millis(1500)).ntp(), (2_208_988_801 << 32) + (1 << 31));
        assert_eq!(at(Duration::from_millis(1500)).unix_secs(), 1);
    }
}
