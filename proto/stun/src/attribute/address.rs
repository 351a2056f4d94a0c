//! The value of MAPPED-ADDRESS and of its XORed kin (RFC 8489 §14.1, §14.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use machine::{Endpoint, Reader, Truncated};

use crate::{MAGIC_COOKIE, TransactionId};

const IPV4: u8 = 1;
const IPV6: u8 = 2;

/// Reads the value of a MAPPED-ADDRESS or ALTERNATE-SERVER.
pub(crate) fn read(value: &[u8]) -> Option<Endpoint> {
    read_fields(value).ok().flatten()
}

/// Reads the value of an XOR-MAPPED-ADDRESS.
pub(crate) fn read_xor(value: &[u8], id: TransactionId) -> Option<Endpoint> {
    let mut plain = [0; 20];
    let plain = plain.get_mut(..value.len())?;
    plain.copy_from_slice(value);
    xor(plain, id);
    read(plain)
}

fn read_fields(value: &[u8]) -> Result<Option<Endpoint>, Truncated> {
    let mut reader = Reader::new(value);
    reader.u8()?;
    let family = reader.u8()?;
    let port = reader.u16()?;
    let endpoint = match family {
        IPV4 => Endpoint::new(Ipv4Addr::from(reader.array::<4>()?), port),
        IPV6 => Endpoint::new(Ipv6Addr::from(reader.array::<16>()?), port),
        _ => return Ok(None),
    };
    Ok(reader.is_empty().then_some(endpoint))
}

/// The value of an address attribute.
pub(crate) struct Value {
    bytes: [u8; 20],
    len: usize,
}

impl Value {
    /// That of MAPPED-ADDRESS.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        let mut bytes = [0; 20];
        let (family, len) = match endpoint.ip() {
            std::net::IpAddr::V4(ip) => {
                bytes[4..8].copy_from_slice(&ip.octets());
                (IPV4, 8)
            }
            std::net::IpAddr::V6(ip) => {
                bytes[4..].copy_from_slice(&ip.octets());
                (IPV6, 20)
            }
        };
        bytes[1] = family;
        bytes[2..4].copy_from_slice(&endpoint.port().to_be_bytes());
        Self { bytes, len }
    }

    /// That of XOR-MAPPED-ADDRESS.
    pub(crate) fn xor(endpoint: Endpoint, id: TransactionId) -> Self {
        let mut value = Self::new(endpoint);
        xor(&mut value.bytes[..value.len], id);
        value
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// XORs the port with the cookie's upper half, and the address with cookie and transaction id.
fn xor(value: &mut [u8], id: TransactionId) {
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let mask = cookie.iter().take(2).chain(&cookie).chain(&id.0);
    value.iter_mut().skip(2).zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests {
    use super::{Value, read, read_xor};
    use crate::TransactionId;
    use machine::Endpoint;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn round_trip(ip: std::net::IpAddr, port: u16, id: [u8; 12]) {
            let (endpoint, id) = (Endpoint::new(ip, port), TransactionId(id));
            prop_assert_eq!(read(Value::new(endpoint).as_bytes()), Some(endpoint));
            prop_assert_eq!(read_xor(Value::xor(endpoint, id).as_bytes(), id), Some(endpoint));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            read(&bytes);
            read_xor(&bytes, TransactionId([7; 12]));
        }
    }

    #[test]
    fn wrong_lengths_and_families_are_refused() {
        assert_eq!(read(&[0, 1, 0, 80, 192, 0, 2]), None);
        assert_eq!(read(&[0, 1, 0, 80, 192, 0, 2, 1, 0]), None);
        assert_eq!(read(&[0, 3, 0, 80, 192, 0, 2, 1]), None);
        assert_eq!(read(&[0, 2, 0, 80, 192, 0, 2, 1]), None);
    }
}
