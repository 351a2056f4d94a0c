//! Address prefixes and routing tables.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use machine::InterfaceAddress;

/// An address with the length of its network's prefix: `192.168.0.12/24`.
///
/// As an interface's address the host part counts; as a route it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The address.
    pub ip: IpAddr,
    /// The length of the network part in bits.
    pub len: u8,
}

impl Prefix {
    /// `0.0.0.0/0`.
    pub const DEFAULT_V4: Self = Self { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), len: 0 };
    /// `::/0`.
    pub const DEFAULT_V6: Self = Self { ip: IpAddr::V6(Ipv6Addr::UNSPECIFIED), len: 0 };

    /// Whether `ip` lies in the network.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                u32::from(a).checked_shr(32 - u32::from(self.len)).unwrap_or(0)
                    == u32::from(b).checked_shr(32 - u32::from(self.len)).unwrap_or(0)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                u128::from(a).checked_shr(128 - u32::from(self.len)).unwrap_or(0)
                    == u128::from(b).checked_shr(128 - u32::from(self.len)).unwrap_or(0)
            }
            _ => false,
        }
    }

    /// As an ordinary address of an interface.
    #[must_use]
    pub const fn address(&self) -> InterfaceAddress {
        InterfaceAddress { ip: self.ip, prefix_len: self.len, temporary: false, deprecated: false }
    }
}

/// A text is not an address prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or prefix such as 192.168.0.12/24")]
pub struct BadPrefix(String);

impl FromStr for Prefix {
    type Err = BadPrefix;

    /// Parses `192.168.0.12/24`; without a length it is the one address.
    fn from_str(s: &str) -> Result<Self, BadPrefix> {
        let bad = || BadPrefix(s.to_owned());
        let (ip, len) = s.split_once('/').map_or((s, None), |(ip, len)| (ip, Some(len)));
        let ip: IpAddr = ip.parse().map_err(|_| bad())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let len = len.map_or(Ok(most), |len| len.parse().map_err(|_| bad()))?;
        if len > most { Err(bad()) } else { Ok(Self { ip, len }) }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.len)
    }
}

/// Which interface (by position) leads where: the longest prefix that contains an address wins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    hosts: BTreeMap<IpAddr, usize>,
    prefixes: Vec<(Prefix, usize)>,
}

impl Routes {
    /// Adds a route. Of two with the same prefix the first one stays.
    pub(crate) fn add(&mut self, prefix: Prefix, interface: usize) {
        if prefix.len == if prefix.ip.is_ipv4() { 32 } else { 128 } {
            self.hosts.entry(prefix.ip).or_insert(interface);
            return;
        }
        let at = self.prefixes.partition_point(|(other, _)| other.len >= prefix.len);
        self.prefixes.insert(at, (prefix, interface));
    }

    /// The interface that leads to `ip`.
    pub(crate) fn find(&self, ip: IpAddr) -> Option<usize> {
        self.hosts.get(&ip).copied().or_else(|| {
            self.prefixes.iter().find(|(prefix, _)| prefix.contains(ip)).map(|&(_, to)| to)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Prefix, Routes};

    fn prefix(s: &str) -> Prefix {
        s.parse().unwrap()
    }

    #[test]
    fn contains() {
        for (network, ip, expected) in [
            ("192.168.0.12/24", "192.168.0.254", true),
            ("192.168.0.12/24", "192.168.1.254", false),
            ("192.168.0.12", "192.168.0.12", true),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("::/0", "2001:db8::", true),
        ] {
            assert_eq!(prefix(network).contains(ip.parse().unwrap()), expected, "{network} {ip}");
        }
        assert!("192.168.0.1/33".parse::<Prefix>().is_err());
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut routes = Routes::default();
        routes.add(Prefix::DEFAULT_V4, 0);
        routes.add(prefix("10.1.0.0/16"), 2);
        routes.add(prefix("10.0.0.0/8"), 1);
        routes.add(prefix("10.1.2.3"), 3);
        for (ip, interface) in [("9.9.9.9", 0), ("10.2.0.1", 1), ("10.1.0.1", 2), ("10.1.2.3", 3)] {
            assert_eq!(routes.find(ip.parse().unwrap()), Some(interface), "{ip}");
        }
        assert_eq!(routes.find("2001:db8::1".parse().unwrap()), None);
    }
}
