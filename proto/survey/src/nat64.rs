//! The prefix of a NAT64 in front of us, found by asking for a name that has IPv4 addresses only
//! (RFC 7050), and addresses behind it (RFC 6052).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use machine::{Record, RecordData};

/// The name that has no IPv6 address of its own (RFC 7050 §3).
pub const NAME: &str = "ipv4only.arpa";

/// Its two IPv4 addresses (RFC 7050 §8.2).
const WELL_KNOWN: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// The lengths that a prefix can have (RFC 6052 §2.2), the one in widest use first.
const LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];

/// The prefix that a NAT64 translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// Its bits, the rest zero.
    pub ip: Ipv6Addr,
    /// How many they are: 32, 40, 48, 56, 64 or 96.
    pub len: u8,
}

impl Prefix {
    /// The prefix of whoever made these records up; `None` if no address of [`NAME`] is in them.
    #[must_use]
    pub fn of(records: &[Record]) -> Option<Self> {
        records.iter().find_map(|record| match &record.data {
            RecordData::Address(IpAddr::V6(ip)) => Self::within(*ip),
            _ => None,
        })
    }

    //= RFC 7050 §3: the well-known addresses are looked for at every place that RFC 6052 allows.
    fn within(ip: Ipv6Addr) -> Option<Self> {
        let found = |len: u8| {
            let prefix = Self::new(ip, len);
            WELL_KNOWN.iter().any(|v4| prefix.embed(*v4) == ip).then_some(prefix)
        };
        LENGTHS.into_iter().find_map(found)
    }

    fn new(ip: Ipv6Addr, len: u8) -> Self {
        let mask = u128::MAX.checked_shl(128 - u32::from(len)).unwrap_or(0);
        Self { ip: Ipv6Addr::from_bits(ip.to_bits() & mask), len }
    }

    /// The IPv6 address that stands for an IPv4 one (RFC 6052 §2.2).
    #[must_use]
    pub fn embed(&self, v4: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.ip.octets();
        let start = usize::from(self.len / 8);
        //= RFC 6052 §2.2: the octet of bits 64 to 71 is stepped over, and zero.
        let places = (start..octets.len()).filter(|at| *at != 8);
        for (at, octet) in places.zip(v4.octets()) {
            if let Some(place) = octets.get_mut(at) {
                *place = octet;
            }
        }
        octets.into()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.len)
    }
}

#[cfg(test)]
mod tests {
    use machine::{Record, RecordData};

    use super::{NAME, Prefix};

    fn of(ip: &str) -> Option<String> {
        let data = RecordData::Address(ip.parse().unwrap());
        let records = [Record { name: NAME.to_owned(), data, ttl_secs: 60 }];
        Prefix::of(&records).map(|prefix| prefix.to_string())
    }

    #[test]
    fn every_length_of_a_prefix() {
        for (ip, prefix) in [
            ("64:ff9b::192.0.0.170", "64:ff9b::/96"),
            ("64:ff9b::192.0.0.171", "64:ff9b::/96"),
            ("2001:db8:c000:aa::", "2001:db8::/32"),
            ("2001:db8:1c0:0:aa::", "2001:db8:100::/40"),
            ("2001:db8:122:c000:0:aa00::", "2001:db8:122::/48"),
            ("2001:db8:122:3c0:0:aa::", "2001:db8:122:300::/56"),
            ("2001:db8:122:344:c0:0:aa00::", "2001:db8:122:344::/64"),
            ("2001:db8:122:344::192.0.0.170", "2001:db8:122:344::/96"),
        ] {
            assert_eq!(of(ip).as_deref(), Some(prefix), "{ip}");
        }
    }

    #[test]
    fn an_address_that_nobody_made_up_is_no_prefix() {
        for ip in ["2001:db8::1", "64:ff9b::192.0.2.1", "192.0.0.170"] {
            assert_eq!(of(ip), None, "{ip}");
        }
    }

    #[test]
    fn addresses_as_in_the_examples_of_rfc_6052() {
        // §2.4.
        let v4 = "192.0.2.33".parse().unwrap();
        for (prefix, len, expected) in [
            ("2001:db8::", 32, "2001:db8:c000:221::"),
            ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
            ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"),
        ] {
            let prefix = Prefix { ip: prefix.parse().unwrap(), len };
            assert_eq!(
                prefix.embed(v4).to_string(),
                expected.parse::<std::net::Ipv6Addr>().unwrap().to_string()
            );
        }
    }
}
