//! PBKDF2 (RFC 8018 §5.2) with HMAC-SHA1 and HMAC-SHA256, one hash long.

/// PBKDF2-HMAC-SHA1 with 20 bytes of output, as SCRAM-SHA-1 salts its password.
#[must_use]
pub fn pbkdf2_hmac_sha1(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 20] {
    let mut key = [0; 20];
    pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, salt, iterations, &mut key);
    key
}

/// PBKDF2-HMAC-SHA256 with 32 bytes of output, as SCRAM-SHA-256 salts its password.
#[must_use]
pub fn pbkdf2_hmac_sha256(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut key = [0; 32];
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password, salt, iterations, &mut key);
    key
}

#[cfg(test)]
mod tests {
    use super::{pbkdf2_hmac_sha1, pbkdf2_hmac_sha256};
    use crate::{from_hex, to_hex};

    /// RFC 6070 §2, the vectors with 20 bytes of output and at most 4096 iterations.
    #[test]
    fn rfc_6070_sha1() {
        let case = |iterations| to_hex(&pbkdf2_hmac_sha1(b"password", b"salt", iterations));
        assert_eq!(case(1), "0c60c80f961f0e71f3a9b524af6012062fe037a6");
        assert_eq!(case(2), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
        assert_eq!(case(4096), "4b007901b765489abead49d926f721d065a429c1");
    }

    /// RFC 7914 §11, its first vector (which gives 64 bytes; the first 32 do not depend on that).
    #[test]
    fn rfc_7914_sha256() {
        let key = pbkdf2_hmac_sha256(b"passwd", b"salt", 1);
        let published = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc";
        assert_eq!(key[..], from_hex(published).unwrap());
    }
}
