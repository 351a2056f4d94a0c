//! Keys, MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT (RFC 8489 §9, §14.5 to §14.7).

use crypto::Secret;

use crate::PasswordAlgorithm;

/// The hash under a message's integrity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Integrity {
    /// MESSAGE-INTEGRITY: HMAC-SHA1, which all peers know.
    Sha1,
    /// MESSAGE-INTEGRITY-SHA256: HMAC-SHA256, possibly cut, which peers of RFC 8489 know.
    Sha256,
}

/// Why a message's integrity was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntegrityError {
    /// It has none.
    #[error("the message has no integrity")]
    Missing,
    /// It was made with another key or over other bytes, or has an impossible length.
    #[error("the message's integrity is wrong")]
    Wrong,
}

/// The key of a message's integrity.
///
/// Passwords, user names and realms come prepared (RFC 8265 OpaqueString, which leaves ASCII as it
/// is): that is text, and text is the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Secret);

impl Key {
    /// The key of the short-term mechanism: the password itself (RFC 8489 §9.1.1).
    #[must_use]
    pub fn short_term(password: &str) -> Self {
        Self(Secret::new(password))
    }

    /// The key of the long-term mechanism (RFC 8489 §9.2.2, §18.5.1); nothing for an algorithm that
    /// is not known here.
    #[must_use]
    pub fn long_term(
        algorithm: PasswordAlgorithm,
        username: &str,
        realm: &str,
        password: &[u8],
    ) -> Option<Self> {
        let parts: [&[u8]; 5] = [username.as_bytes(), b":", realm.as_bytes(), b":", password];
        match algorithm {
            PasswordAlgorithm::Md5 => Some(Self(Secret::new(crypto::md5(&parts)))),
            PasswordAlgorithm::Sha256 => Some(Self(Secret::new(crypto::sha256(&parts)))),
            PasswordAlgorithm::Unknown(_) => None,
        }
    }

    /// A key that was derived before: what [`long_term`](Self::long_term) makes with MD5 is what SIP
    /// digest keeps as `H(A1)`.
    #[must_use]
    pub const fn derived(key: Secret) -> Self {
        Self(key)
    }

    /// The HMAC of a message up to an integrity attribute whose value has `value_bytes` bytes.
    pub(crate) fn mac(&self, integrity: Integrity, before: &[u8], value_bytes: usize) -> Mac {
        let length = length_through(before, value_bytes);
        let parts = with_length(before, &length);
        let key = self.0.reveal();
        let mut mac = Mac { bytes: [0; 32], len: value_bytes };
        match integrity {
            Integrity::Sha1 => mac.bytes[..20].copy_from_slice(&crypto::hmac_sha1(key, &parts)),
            Integrity::Sha256 => mac.bytes = crypto::hmac_sha256(key, &parts),
        }
        mac
    }
}

/// USERHASH: the SHA-256 of user name and realm (RFC 8489 §14.4).
#[must_use]
pub fn userhash(username: &str, realm: &str) -> [u8; 32] {
    crypto::sha256(&[username.as_bytes(), b":", realm.as_bytes()])
}

/// A computed HMAC, cut to a length.
pub(crate) struct Mac {
    bytes: [u8; 32],
    len: usize,
}

impl Mac {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Checks the value of an integrity attribute that follows `before`.
pub(crate) fn verify(
    integrity: Integrity,
    key: &Key,
    before: &[u8],
    value: &[u8],
) -> Result<(), IntegrityError> {
    let possible = match integrity {
        Integrity::Sha1 => value.len() == 20,
        //= RFC 8489 §14.6: at least 16, at most 32 bytes, in steps of 4.
        Integrity::Sha256 => matches!(value.len(), 16 | 20 | 24 | 28 | 32),
    };
    if possible && crypto::ct_eq(key.mac(integrity, before, value.len()).as_bytes(), value) {
        Ok(())
    } else {
        Err(IntegrityError::Wrong)
    }
}

/// The value of a FINGERPRINT that follows `before`: the CRC-32 with `STUN` folded in, so that it
/// differs from the CRC of a protocol that uses one as well (RFC 8489 §14.7).
pub(crate) fn fingerprint(before: &[u8]) -> u32 {
    let length = length_through(before, 4);
    crypto::crc32(&with_length(before, &length)) ^ 0x5354_554e
}

/// The length field as if the message ended after the attribute that follows `before` and has
/// `value_bytes` bytes of value.
fn length_through(before: &[u8], value_bytes: usize) -> [u8; 2] {
    let length = before.len().saturating_sub(crate::header::HEADER_BYTES) + 4 + value_bytes;
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

/// `message` with another length field, in parts.
fn with_length<'a>(message: &'a [u8], length: &'a [u8; 2]) -> [&'a [u8]; 3] {
    [message.get(..2).unwrap_or_default(), length, message.get(4..).unwrap_or_default()]
}
