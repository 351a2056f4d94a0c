//! PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS (RFC 8489 §14.11, §14.12, §18.5).

use machine::Reader;

/// How a password becomes a long-term key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PasswordAlgorithm {
    /// MD5, which every peer of RFC 5389 uses without saying so.
    Md5,
    /// SHA-256.
    Sha256,
    /// One that is not known here.
    Unknown(u16),
}

impl PasswordAlgorithm {
    /// Its number in the registry.
    #[must_use]
    pub const fn value(self) -> u16 {
        match self {
            Self::Md5 => 1,
            Self::Sha256 => 2,
            Self::Unknown(value) => value,
        }
    }

    /// The algorithm of a number.
    #[must_use]
    pub const fn from_value(value: u16) -> Self {
        match value {
            1 => Self::Md5,
            2 => Self::Sha256,
            value => Self::Unknown(value),
        }
    }

    /// Reads one entry: the algorithm, its parameters skipped. Known ones must have none: with
    /// parameters they are something else than we know.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let value = reader.u16().ok()?;
        let len = usize::from(reader.u16().ok()?);
        reader.take(len).ok()?;
        // The last entry's padding may be the attribute's own.
        reader.take((len.next_multiple_of(4) - len).min(reader.remaining())).ok()?;
        Some(if len == 0 { Self::from_value(value) } else { Self::Unknown(value) })
    }
}
