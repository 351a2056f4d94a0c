//! The mechanisms, from weak to strong.

use std::fmt;

use crypto::scram::Hash;

/// A SASL mechanism; the stronger one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// The password itself (RFC 4616). Only over TLS.
    Plain,
    /// Proof of the password (RFC 5802).
    Scram(Scram),
}

/// One of the SCRAM mechanisms. Binding to the channel counts for more than the hash: it is what
/// tells somebody in the middle from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scram {
    /// Whether it is a `-PLUS`, bound to the channel below.
    pub plus: bool,
    /// The hash function.
    pub hash: Hash,
}

impl Mechanism {
    /// SCRAM-SHA-1.
    pub const SCRAM_SHA_1: Self = Self::Scram(Scram { plus: false, hash: Hash::Sha1 });
    /// SCRAM-SHA-256.
    pub const SCRAM_SHA_256: Self = Self::Scram(Scram { plus: false, hash: Hash::Sha256 });
    /// SCRAM-SHA-1-PLUS.
    pub const SCRAM_SHA_1_PLUS: Self = Self::Scram(Scram { plus: true, hash: Hash::Sha1 });
    /// SCRAM-SHA-256-PLUS.
    pub const SCRAM_SHA_256_PLUS: Self = Self::Scram(Scram { plus: true, hash: Hash::Sha256 });

    /// All of them, the strongest first.
    pub const ALL: [Self; 5] = [
        Self::SCRAM_SHA_256_PLUS,
        Self::SCRAM_SHA_1_PLUS,
        Self::SCRAM_SHA_256,
        Self::SCRAM_SHA_1,
        Self::Plain,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(Scram { plus: false, hash: Hash::Sha1 }) => "SCRAM-SHA-1",
            Self::Scram(Scram { plus: false, hash: Hash::Sha256 }) => "SCRAM-SHA-256",
            Self::Scram(Scram { plus: true, hash: Hash::Sha1 }) => "SCRAM-SHA-1-PLUS",
            Self::Scram(Scram { plus: true, hash: Hash::Sha256 }) => "SCRAM-SHA-256-PLUS",
        }
    }

    /// The mechanism of a name; nothing for one that is not known.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// Whether it is bound to the channel below.
    #[must_use]
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Scram(Scram { plus: true, .. }))
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Mechanism;

    #[test]
    fn names_and_order() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::from_name(mechanism.name()), Some(mechanism));
            assert_eq!(mechanism.is_bound(), mechanism.name().ends_with("-PLUS"));
        }
        assert_eq!(Mechanism::from_name("scram-sha-1"), None);
        assert!(Mechanism::ALL.is_sorted_by(|stronger, weaker| stronger > weaker));
    }
}
