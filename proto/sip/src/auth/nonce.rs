//! Nonces that prove their own age (RFC 7616 §5.4): nothing is kept for whoever only asks.
//!
//! A nonce is an expiry time, random bytes, and a tag over both and a context that the caller
//! chooses (a realm), in hexadecimal digits.

use std::time::Duration;

use crypto::Secret;
use machine::{Entropy, Now, Reader};

/// Which nonce it is; in the order of expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NonceId {
    /// When it expires, in seconds since 1970.
    pub expiry_secs: u64,
    salt: u64,
}

/// Why a nonce is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    /// It is not one of ours.
    #[error("not our nonce")]
    Foreign,
    /// It has expired.
    #[error("expired nonce")]
    Expired,
}

/// Makes nonces and knows them again.
#[derive(Debug)]
pub struct Nonces {
    key: Secret,
    lifetime: Duration,
    entropy: Entropy,
}

const TAG_LEN: usize = 16;

impl Nonces {
    /// Nonces that live for `lifetime`, under a key drawn from `entropy`.
    #[must_use]
    pub fn new(lifetime: Duration, mut entropy: Entropy) -> Self {
        let key = Secret::new(entropy.bytes::<32>());
        Self { key, lifetime, entropy }
    }

    /// A new nonce.
    #[must_use]
    pub fn make(&mut self, now: Now, context: &[u8]) -> String {
        let expiry_secs = (now.unix + self.lifetime).as_secs();
        let id = NonceId { expiry_secs, salt: self.entropy.u64() };
        let head = [id.expiry_secs.to_be_bytes(), id.salt.to_be_bytes()].concat();
        crypto::to_hex(&[&head, &self.tag(id, context)[..]].concat())
    }

    /// Which nonce of ours `text` is, if it has not expired.
    ///
    /// # Errors
    /// If it is none, or has.
    pub fn open(&self, now: Now, context: &[u8], text: &str) -> Result<NonceId, NonceError> {
        let bytes = crypto::from_hex(text).ok_or(NonceError::Foreign)?;
        let mut reader = Reader::new(&bytes);
        let (Ok(expiry_secs), Ok(salt)) = (reader.u64(), reader.u64()) else {
            return Err(NonceError::Foreign);
        };
        let id = NonceId { expiry_secs, salt };
        if !crypto::ct_eq(reader.rest(), &self.tag(id, context)) {
            return Err(NonceError::Foreign);
        }
        // One from further ahead than we date them: the clock was set back.
        let latest_secs = (now.unix + self.lifetime).as_secs();
        let fresh = now.unix_secs() < expiry_secs && expiry_secs <= latest_secs;
        fresh.then_some(id).ok_or(NonceError::Expired)
    }

    fn tag(&self, id: NonceId, context: &[u8]) -> [u8; TAG_LEN] {
        let parts = [&id.expiry_secs.to_be_bytes()[..], &id.salt.to_be_bytes(), context];
        let mac = crypto::hmac_sha256(self.key.reveal(), &parts);
        *mac.first_chunk().expect("a hash is longer than its tag")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::{Entropy, Instant, Now};

    use super::{NonceError, Nonces};

    fn at(secs: u64) -> Now {
        Now { mono: Instant::ORIGIN, unix: Duration::from_secs(secs) }
    }

    #[test]
    fn known_again_until_they_expire() {
        let mut nonces = Nonces::new(Duration::from_secs(300), Entropy::seeded(1));
        let nonce = nonces.make(at(1000), b"realm");
        assert!(nonces.open(at(1000), b"realm", &nonce).is_ok());
        assert!(nonces.open(at(1299), b"realm", &nonce.to_uppercase()).is_ok());
        assert_eq!(nonces.open(at(1300), b"realm", &nonce), Err(NonceError::Expired));
        assert_eq!(nonces.open(at(10), b"realm", &nonce), Err(NonceError::Expired));
        assert_eq!(nonces.open(at(1000), b"other", &nonce), Err(NonceError::Foreign));
        assert_ne!(nonces.make(at(1000), b"realm"), nonce);
    }

    #[test]
    fn no_change_goes_unnoticed() {
        let mut nonces = Nonces::new(Duration::from_secs(300), Entropy::seeded(1));
        let nonce = nonces.make(at(1000), b"");
        for at_digit in 0..nonce.len() {
            let mut forged = nonce.clone().into_bytes();
            forged[at_digit] = if forged[at_digit] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(nonces.open(at(1000), b"", &forged), Err(NonceError::Foreign));
        }
        for text in ["", "abc", "zz", &nonce[..62], &format!("{nonce}00")] {
            assert_eq!(nonces.open(at(1000), b"", text), Err(NonceError::Foreign));
        }
    }
}
