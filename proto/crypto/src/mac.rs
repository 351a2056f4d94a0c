//! HMAC (RFC 2104) over SHA-1 and SHA-256.

use hmac::{Hmac, KeyInit, Mac};

/// The HMAC-SHA1 of `parts` under `key`.
#[must_use]
pub fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    mac::<Hmac<sha1::Sha1>>(key, parts).into()
}

/// The HMAC-SHA256 of `parts` under `key`.
#[must_use]
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    mac::<Hmac<sha2::Sha256>>(key, parts).into()
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> hmac::digest::Output<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes()
}

#[cfg(test)]
mod tests;
