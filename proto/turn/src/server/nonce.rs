//! Nonces that nothing is kept of (RFC 8489 §9.2).
//!
//! A nonce says when it was made, and carries a MAC over that and the address that it was made for.
//! Whoever echoes it in time has received it there, so it proves the address.

use std::net::IpAddr;
use std::time::Duration;

use machine::{Entropy, Instant};
use stun::attribute::SecurityFeatures;

use super::base64;

const TIME_BYTES: usize = 6;
const MAC_BYTES: usize = 16;

/// The length of a nonce.
pub(super) const NONCE_BYTES: usize = 13 + TIME_BYTES + MAC_BYTES;

/// Makes nonces and knows them again.
pub(super) struct Nonces {
    key: [u8; 32],
    features: SecurityFeatures,
    lifetime: Duration,
}

impl Nonces {
    pub(super) fn new(
        features: SecurityFeatures,
        lifetime: Duration,
        mut entropy: Entropy,
    ) -> Self {
        Self { key: entropy.bytes(), features, lifetime }
    }

    /// What nonces announce and how long they last from now on.
    pub(super) const fn set(&mut self, features: SecurityFeatures, lifetime: Duration) {
        (self.features, self.lifetime) = (features, lifetime);
    }

    /// A nonce for `ip`.
    pub(super) fn issue(&self, now: Instant, ip: IpAddr) -> [u8; NONCE_BYTES] {
        self.at(now.as_millis() / 1000, ip)
    }

    /// Whether `nonce` was made for `ip` and is still good.
    //= RFC 8489 §9.2.4: a nonce that is no longer good is answered by 438.
    pub(super) fn is_good(&self, now: Instant, ip: IpAddr, nonce: &[u8]) -> bool {
        let time = nonce.get(13..13 + TIME_BYTES).and_then(base64::number);
        time.is_some_and(|secs| {
            let end = Duration::from_secs(secs) + self.lifetime;
            crypto::ct_eq(&self.at(secs, ip), nonce) && now < Instant::ORIGIN + end
        })
    }

    fn at(&self, secs: u64, ip: IpAddr) -> [u8; NONCE_BYTES] {
        let octets = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let mac = crypto::hmac_sha256(&self.key, &[&secs.to_be_bytes(), &octets]);
        let mut nonce = [0; NONCE_BYTES];
        let (prefix, rest) = nonce.split_at_mut(13);
        let (time, tag) = rest.split_at_mut(TIME_BYTES);
        prefix.copy_from_slice(&self.features.prefix());
        time.copy_from_slice(&base64::digits::<TIME_BYTES>(secs));
        tag.copy_from_slice(&base64::encode(&mac[..MAC_BYTES / 4 * 3]));
        nonce
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nonces(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::{Entropy, Instant};
    use stun::attribute::SecurityFeatures;

    use super::Nonces;

    #[test]
    fn a_nonce_is_good_for_its_address_and_for_its_time() {
        let features = SecurityFeatures { password_algorithms: true, username_anonymity: true };
        let hour = Duration::from_secs(3600);
        let mut nonces = Nonces::new(features, hour, Entropy::seeded(1));
        let (ip, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let start = Instant::from_nanos(5_000_000_000);
        let nonce = nonces.issue(start, ip);
        assert_eq!(nonce.len(), 35);
        assert_eq!(SecurityFeatures::of(&nonce), Some(features));
        assert!(nonces.is_good(start, ip, &nonce));
        assert!(nonces.is_good(start + (hour - Duration::from_secs(1)), ip, &nonce));
        assert!(!nonces.is_good(start + hour, ip, &nonce));
        assert!(!nonces.is_good(start, other, &nonce));
        for at in 0..nonce.len() {
            let mut forged = nonce;
            forged[at] ^= 1;
            assert!(!nonces.is_good(start, ip, &forged), "byte {at} counts");
        }
        assert!(!nonces.is_good(start, ip, &nonce[..34]));
        assert!(!nonces.is_good(start, ip, b""));
        // Somebody who takes the features off a nonce makes it stale.
        nonces.set(SecurityFeatures::default(), hour);
        assert!(!nonces.is_good(start, ip, &nonce));
    }
}
