//! Flow tokens (RFC 5626 §5.2): a flow written into the user part of a URI, so that a proxy needs
//! no memory to send a later request over the same flow.
//!
//! A token is the flow and an HMAC over it and the Call-ID, in hexadecimal. Nobody else can make one,
//! so a token that verifies also proves that its bearer got it from us, for this call.

use std::net::IpAddr;

use crypto::{Secret, ct_eq, from_hex, hmac_sha256, to_hex};
use machine::{Endpoint, Entropy, Reader, Transport, Writer};

/// What a token tells: enough to find the flow again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowName {
    /// Its transport.
    pub transport: Transport,
    /// Our side's address.
    pub local: Endpoint,
    /// The peer's address.
    pub remote: Endpoint,
}

/// The key that tokens are made with.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// Bytes of the HMAC that a token carries: 80 bits, as RFC 5626 §5.2 suggests.
const MAC_BYTES: usize = 10;

impl TokenKey {
    /// A fresh key.
    pub fn new(entropy: &mut Entropy) -> Self {
        Self(entropy.bytes())
    }

    /// The key that comes of a secret: the same each time.
    pub fn of(secret: &Secret) -> Self {
        Self(hmac_sha256(secret.reveal(), &[b"flow tokens"]))
    }

    /// The token of a flow, good in the call `call_id` alone.
    #[must_use]
    pub fn seal(&self, name: FlowName, call_id: &str) -> String {
        let mut bytes = Vec::with_capacity(48);
        let mut writer = Writer::new(&mut bytes);
        writer.u8(name.transport as u8);
        for endpoint in [name.local, name.remote] {
            match endpoint.ip() {
                IpAddr::V4(ip) => writer.u8(4).bytes(&ip.octets()),
                IpAddr::V6(ip) => writer.u8(6).bytes(&ip.octets()),
            };
            writer.u16(endpoint.port());
        }
        let mac = hmac_sha256(&self.0, &[&bytes, call_id.as_bytes()]);
        to_hex(&[&mac[..MAC_BYTES], &bytes].concat())
    }

    /// The flow of a token; `None` if we did not make it, or not for the call `call_id`.
    #[must_use]
    pub fn open(&self, token: &str, call_id: &str) -> Option<FlowName> {
        if token.len() > 128 {
            return None;
        }
        let bytes = from_hex(token)?;
        let (mac, bytes) = bytes.split_at_checked(MAC_BYTES)?;
        if !ct_eq(mac, &hmac_sha256(&self.0, &[bytes, call_id.as_bytes()])[..MAC_BYTES]) {
            return None;
        }
        let mut reader = Reader::new(bytes);
        let transport = match reader.u8().ok()? {
            0 => Transport::Udp,
            1 => Transport::Tcp,
            _ => Transport::Tls,
        };
        let local = endpoint(&mut reader)?;
        let remote = endpoint(&mut reader)?;
        reader.is_empty().then_some(FlowName { transport, local, remote })
    }
}

fn endpoint(reader: &mut Reader<'_>) -> Option<Endpoint> {
    let ip: IpAddr = match reader.u8().ok()? {
        4 => reader.array::<4>().ok()?.into(),
        6 => reader.array::<16>().ok()?.into(),
        _ => return None,
    };
    Some(Endpoint::new(ip, reader.u16().ok()?))
}

#[cfg(test)]
mod tests {
    use machine::{Entropy, Transport};
    use proptest::prelude::*;

    use super::{FlowName, TokenKey};

    fn name() -> FlowName {
        FlowName {
            transport: Transport::Tcp,
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "[2001:db8::7]:40000".parse().unwrap(),
        }
    }

    #[test]
    fn a_token_opens_with_its_own_key_only() {
        let key = TokenKey::new(&mut Entropy::seeded(1));
        let other = TokenKey::new(&mut Entropy::seeded(2));
        let token = key.seal(name(), "call");
        assert_eq!(key.open(&token, "call"), Some(name()));
        assert_eq!(key.open(&token, "another call"), None);
        assert_eq!(other.open(&token, "call"), None);
        assert_eq!(key.open("", "call"), None);
    }

    #[test]
    fn a_changed_token_does_not_open() {
        let key = TokenKey::new(&mut Entropy::seeded(1));
        let token = key.seal(name(), "call");
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(key.open(&String::from_utf8(changed).unwrap(), "call"), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_safe(text in ".{0,200}") {
            let key = TokenKey::new(&mut Entropy::seeded(1));
            prop_assert_eq!(key.open(&text, "call"), None);
        }
    }
}
