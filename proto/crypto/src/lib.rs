//! Digests, message authentication, key derivation and zeroised keys.
//!
//! This crate is the only importer of cipher crates among the protocol machines: what stands here
//! is a plain function over byte slices, so that no other crate sees a trait of a cipher library.
//! Messages come as `parts`, slices that count as one when put one after the other, because a
//! protocol hardly ever has the bytes that it signs in one piece.
//!
//! | module | what |
//! |---|---|
//! | [`digest`] | [`md5()`], [`sha1()`], [`sha256`], [`sha512_256`] |
//! | [`mac`] | [`hmac_sha1`], [`hmac_sha256`] (RFC 2104) |
//! | [`mod@pbkdf2`] | [`pbkdf2_hmac_sha1`], [`pbkdf2_hmac_sha256`] (RFC 8018) |
//! | [`scram`] | what a server keeps for SCRAM instead of a password (RFC 5802) |
//! | [`secret`] | [`Secret`], bytes that are wiped when dropped and do not show in logs |
//! | [`hex`] | [`to_hex`], [`from_hex`] |
//!
//! MD5 and SHA-1 are here because deployed SIP and STUN peers speak nothing else; nothing new
//! should choose them.

pub mod digest;
pub mod hex;
pub mod mac;
pub mod pbkdf2;
pub mod scram;
pub mod secret;

pub use digest::{md5, sha1, sha256, sha512_256};
pub use hex::{from_hex, to_hex};
pub use mac::{hmac_sha1, hmac_sha256};
pub use pbkdf2::{pbkdf2_hmac_sha1, pbkdf2_hmac_sha256};
pub use secret::Secret;

use subtle::ConstantTimeEq as _;

/// Whether `a` and `b` are the same bytes, in a time that depends on their lengths alone.
#[must_use]
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The CRC-32 of ITU-T V.42 over `parts`, as STUN's FINGERPRINT wants it before its exclusive or.
#[must_use]
pub fn crc32(parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::{crc32, ct_eq};

    /// The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
    #[test]
    fn crc32_check_value() {
        assert_eq!(crc32(&[b"1234", b"", b"56789"]), 0xcbf4_3926);
        assert_eq!(crc32(&[]), 0);
    }

    #[test]
    fn equality() {
        assert!(ct_eq(b"abc", b"abc"));
        assert!(!ct_eq(b"abc", b"abd"));
        assert!(!ct_eq(b"abc", b"abcd"));
        assert!(ct_eq(b"", b""));
    }
}
