//! Base64 (RFC 4648 §4), as nonces and the passwords of time-limited credentials need it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The `digits` digits of `value`, the last the least.
pub(super) fn digits<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [b'A'; N];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(value & 63) as usize];
        value >>= 6;
    }
    digits
}

/// The number that `digits` say; nothing if one is no digit. What does not fit is lost.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| {
        let sextet = ALPHABET.iter().position(|c| c == digit)?;
        Some(value << 6 | sextet as u64)
    })
}

/// Encodes `bytes`, padded.
pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let [a, b, c] = three;
        let four: [u8; 4] = digits(u64::from(u32::from_be_bytes([0, a, b, c])));
        text.extend_from_slice(&four[..=chunk.len()]);
        text.resize(text.len().next_multiple_of(4), b'=');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{digits, encode, number};

    /// RFC 4648 §10.
    #[test]
    fn published_values() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text.as_bytes());
        }
    }

    #[test]
    fn numbers() {
        for value in [0, 1, 63, 64, 0xffff_ffff] {
            assert_eq!(number(&digits::<6>(value)), Some(value));
        }
        assert_eq!(number(b"AA!A"), None);
    }
}
