//! The algorithms that a challenge can name (RFC 7616 §3.3, §6.1).

use std::fmt;
use std::str::FromStr;

/// A hash function of digest authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// MD5: weak, and all that many telephones know.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512_256,
}

impl Hash {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512_256];

    /// The hash of `parts` as one text, in lower-case hexadecimal digits.
    #[must_use]
    pub fn hex(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => crypto::to_hex(&crypto::md5(parts)),
            Self::Sha256 => crypto::to_hex(&crypto::sha256(parts)),
            Self::Sha512_256 => crypto::to_hex(&crypto::sha512_256(parts)),
        }
    }

    /// The name that challenges use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }
}

/// A hash function, and whether the key is bound to the first nonce of a session (`-sess`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm {
    /// The hash function.
    pub hash: Hash,
    /// The `-sess` variant.
    pub session: bool,
}

impl Algorithm {
    /// What goes without saying (RFC 7616 §3.3).
    pub const MD5: Self = Self { hash: Hash::Md5, session: false };
}

impl From<Hash> for Algorithm {
    fn from(hash: Hash) -> Self {
        Self { hash, session: false }
    }
}

/// The algorithm is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown digest algorithm")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;
    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let is_session = |s: &str| s.eq_ignore_ascii_case("-sess");
        let (name, session) =
            match text.len().checked_sub(5).and_then(|at| text.split_at_checked(at)) {
                Some((name, end)) if is_session(end) => (name, true),
                _ => (text, false),
            };
        let hash = Hash::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name));
        hash.map(|hash| Self { hash, session }).ok_or(UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.hash.name(), if self.session { "-sess" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, Hash, UnknownAlgorithm};

    #[test]
    fn names() {
        for hash in Hash::ALL {
            for session in [false, true] {
                let algorithm = Algorithm { hash, session };
                assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
                assert_eq!(algorithm.to_string().to_lowercase().parse(), Ok(algorithm));
            }
        }
        for text in ["SHA-512", "", "-sess", "AKAv1-MD5", "MD5-", "ééé"] {
            assert_eq!(text.parse::<Algorithm>(), Err(UnknownAlgorithm), "{text}");
        }
    }
}
