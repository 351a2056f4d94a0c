//! Fields that are a number: Expires, Min-Expires, Max-Forwards, Retry-After.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::Malformed;
use crate::text;

/// Digits alone, as a number that fits.
pub(crate) fn number<T: FromStr>(text: &str) -> Result<T, Malformed> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().map_err(|_| Malformed) } else { Err(Malformed) }
}

/// Delta-seconds; what is too large for 32 bits is the largest number.
pub(crate) fn seconds(text: &str) -> Result<u32, Malformed> {
    number(text).or_else(|_| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if digits { Ok(u32::MAX) } else { Err(Malformed) }
    })
}

macro_rules! seconds {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name {
            /// Seconds.
            pub secs: u32,
        }

        impl $name {
            /// As a duration.
            #[must_use]
            pub const fn duration(self) -> Duration {
                Duration::from_secs(self.secs as u64)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                seconds(text).map(|secs| Self { secs })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.secs.fmt(f)
            }
        }
    };
}

seconds! {
    /// How long something lasts (RFC 3261 §20.19).
    Expires
}

seconds! {
    /// The shortest lifetime that a registrar grants (RFC 3261 §20.23).
    MinExpires
}

/// How many more hops a request may take (RFC 3261 §20.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaxForwards(pub u8);

impl FromStr for MaxForwards {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        number(text).map(Self)
    }
}

impl fmt::Display for MaxForwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When to try again: seconds, with a comment or parameters that are passed over (RFC 3261 §20.33).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RetryAfter {
    /// Seconds.
    pub secs: u32,
}

impl RetryAfter {
    /// As a duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.secs as u64)
    }
}

impl FromStr for RetryAfter {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.split(['(', ';', ' ', '\t']).next().unwrap_or("");
        seconds(text::trim(digits)).map(|secs| Self { secs })
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.secs.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Expires, MaxForwards, RetryAfter};

    #[test]
    fn numbers() {
        assert_eq!("0070".parse(), Ok(MaxForwards(70)));
        assert!("300".parse::<MaxForwards>().is_err());
        assert!("+7".parse::<MaxForwards>().is_err());
        assert_eq!("10000000000000000000".parse(), Ok(Expires { secs: u32::MAX }));
        assert!("-1".parse::<Expires>().is_err());
        assert_eq!("120 (in a meeting)".parse(), Ok(RetryAfter { secs: 120 }));
        assert_eq!("18000;duration=3600".parse(), Ok(RetryAfter { secs: 18000 }));
    }
}
