//! The security features that a NONCE announces (RFC 8489 §9.2, §18.1).
//!
//! A nonce that starts with `obMatJos2` goes on with four characters of base64: 24 bits, of which
//! two are in use. An attacker who strips the attributes of RFC 8489 from a challenge would have
//! to change the nonce as well, and the server would notice.
//!
//! RFC 8489 §18.1 counts bits from the left, but the nonce of its example (§B.1) reads sensibly only
//! from the right, and there are servers of both kinds. Since the other 22 bits are unassigned,
//! a feature counts as announced in either place; [`SecurityFeatures::prefix`] writes from the left.

/// The nonce cookie.
pub const COOKIE: &[u8; 9] = b"obMatJos2";

/// What the server of a nonce can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityFeatures {
    /// Bit 0: it offers PASSWORD-ALGORITHMS.
    pub password_algorithms: bool,
    /// Bit 1: it takes USERHASH in place of USERNAME.
    pub username_anonymity: bool,
}

impl SecurityFeatures {
    /// Reads them off a nonce; nothing if it has no cookie or no bits.
    #[must_use]
    pub fn of(nonce: &[u8]) -> Option<Self> {
        let bits = nonce.strip_prefix(COOKIE)?.first_chunk::<4>()?;
        let mut set = 0_u32;
        for &c in bits {
            set = set << 6 | sextet(c)?;
        }
        Some(Self {
            password_algorithms: set & (1 << 23 | 1) != 0,
            username_anonymity: set & (1 << 22 | 1 << 1) != 0,
        })
    }

    /// The 13 characters that a nonce of such a server starts with.
    #[must_use]
    pub fn prefix(self) -> [u8; 13] {
        let first =
            u8::from(self.password_algorithms) << 5 | u8::from(self.username_anonymity) << 4;
        let mut prefix = *b"obMatJos2AAAA";
        prefix[9] = BASE64[usize::from(first)];
        prefix
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn sextet(c: u8) -> Option<u32> {
    BASE64.iter().position(|&b| b == c).and_then(|n| u32::try_from(n).ok())
}

#[cfg(test)]
mod tests {
    use super::SecurityFeatures;

    #[test]
    fn features() {
        for (password_algorithms, username_anonymity) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let features = SecurityFeatures { password_algorithms, username_anonymity };
            assert_eq!(SecurityFeatures::of(&features.prefix()), Some(features));
        }
        // The nonce of RFC 8489 §B.1, which goes with a USERHASH.
        let example = SecurityFeatures::of(b"obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA").unwrap();
        assert!(example.username_anonymity && !example.password_algorithms);
        assert_eq!(SecurityFeatures::of(b"f//499k954d6OL34oL9FSTvy64sA"), None);
        assert_eq!(SecurityFeatures::of(b"obMatJos2"), None);
        assert_eq!(SecurityFeatures::of(b"obMatJos2AA\"A"), None);
    }
}
