//! Base64 (RFC 4648 §4) of SASL's payloads.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

/// Encodes the payload of a challenge, a response or a success.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Encodes an initial response.
///
//= RFC 6120 §6.4.2: an initial response that is there and empty is a single equals sign.
#[must_use]
pub fn encode_initial(bytes: &[u8]) -> String {
    if bytes.is_empty() { "=".to_owned() } else { encode(bytes) }
}

/// Decodes a payload; `=` stands for an empty one. Nothing else than canonical base64 is taken.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if text == "=" { Some(Vec::new()) } else { decode_value(text) }
}

/// Decodes a value inside a message, where an equals sign alone stands for nothing.
pub(super) fn decode_value(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, encode_initial};

    #[test]
    fn empty_is_an_equals_sign_at_the_start_alone() {
        assert_eq!((encode(b""), encode_initial(b"")), (String::new(), "=".to_owned()));
        assert_eq!(encode_initial(b"n,,"), encode(b"n,,"));
        assert_eq!((decode("="), decode("")), (Some(Vec::new()), Some(Vec::new())));
        //= RFC 6120 §6.5.5: padding that is missing, bits that are left over, characters of no alphabet.
        for bad in ["biw", "bix=", "b i w s", "biws=", "biws\n", "bi-_"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        assert_eq!(decode("biws").as_deref(), Some(&b"n,,"[..]));
    }
}
