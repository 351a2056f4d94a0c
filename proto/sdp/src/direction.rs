//! Who sends: the direction attributes of RFC 8866 §6.7 and how they answer each other.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The direction of a stream, as its describer sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Both ways; what holds when nothing is said.
    #[default]
    SendRecv,
    /// We send.
    SendOnly,
    /// We receive.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The direction in which we send and receive as given.
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the describer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the describer receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same stream as the other side sees it.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What both `self` and `other` allow.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The direction to answer `offered` with, when we would like `wanted`.
    //= RFC 3264 §6.1: sendonly is answered with recvonly or inactive, recvonly with sendonly or
    //= inactive, inactive with inactive, sendrecv with any.
    #[must_use]
    pub const fn answer(offered: Self, wanted: Self) -> Self {
        offered.reversed().intersect(wanted)
    }

    /// Whether `answer` is a legal answer to `offered`.
    #[must_use]
    pub const fn allows_answer(offered: Self, answer: Self) -> bool {
        let most = offered.reversed();
        (most.sends() || !answer.sends()) && (most.receives() || !answer.receives())
    }

    /// The attribute's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Direction {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.as_str() == s)
            .ok_or(Error::Malformed("direction"))
    }
}
