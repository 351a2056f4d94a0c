//! Digests: MD5 (RFC 1321), SHA-1 and SHA-2 (FIPS 180-4).

use sha2::Digest;

/// The MD5 of `parts`.
#[must_use]
pub fn md5(parts: &[&[u8]]) -> [u8; 16] {
    digest::<md5::Md5>(parts).into()
}

/// The SHA-1 of `parts`.
#[must_use]
pub fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    digest::<sha1::Sha1>(parts).into()
}

/// The SHA-256 of `parts`.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    digest::<sha2::Sha256>(parts).into()
}

/// The SHA-512/256 of `parts` (FIPS 180-4 §6.7): not SHA-512 cut short, its initial value differs.
#[must_use]
pub fn sha512_256(parts: &[&[u8]]) -> [u8; 32] {
    digest::<sha2::Sha512_256>(parts).into()
}

fn digest<D: Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
    let mut digest = D::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::{md5, sha1, sha256, sha512_256};
    use crate::to_hex;

    /// RFC 1321 Appendix A.5; FIPS 180-4's published example values for "abc".
    #[test]
    fn published_values() {
        let abc: &[&[u8]] = &[b"a", b"", b"bc"];
        assert_eq!(to_hex(&md5(abc)), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(to_hex(&md5(&[])), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(to_hex(&sha1(abc)), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            to_hex(&sha256(abc)),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            to_hex(&sha512_256(abc)),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"
        );
    }
}
