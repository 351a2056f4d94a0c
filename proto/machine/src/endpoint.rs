//! A transport address in canonical form.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IP address and a port, canonical: IPv4-mapped IPv6 (`::ffff:a.b.c.d`) is IPv4, and there is
/// no scope id, so that equality means "the same place". The interface stands apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "(IpAddr, u16)", into = "(IpAddr, u16)")]
pub struct Endpoint {
    ip: IpAddr,
    port: u16,
}

impl Endpoint {
    /// `0.0.0.0:0`.
    pub const UNSPECIFIED_V4: Self = Self { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };
    /// `[::]:0`.
    pub const UNSPECIFIED_V6: Self = Self { ip: IpAddr::V6(Ipv6Addr::UNSPECIFIED), port: 0 };

    /// The endpoint at `ip` and `port`, made canonical.
    #[must_use]
    pub fn new(ip: impl Into<IpAddr>, port: u16) -> Self {
        Self { ip: ip.into().to_canonical(), port }
    }

    /// The address.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The same address with another port.
    #[must_use]
    pub const fn with_port(self, port: u16) -> Self {
        Self { ip: self.ip, port }
    }

    /// Whether the address is IPv4.
    #[must_use]
    pub const fn is_ipv4(&self) -> bool {
        self.ip.is_ipv4()
    }

    /// Whether the address is IPv6.
    #[must_use]
    pub const fn is_ipv6(&self) -> bool {
        self.ip.is_ipv6()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::new(addr.ip(), addr.port())
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> Self {
        Self::new(endpoint.ip, endpoint.port)
    }
}

impl From<(IpAddr, u16)> for Endpoint {
    fn from((ip, port): (IpAddr, u16)) -> Self {
        Self::new(ip, port)
    }
}

impl From<Endpoint> for (IpAddr, u16) {
    fn from(endpoint: Endpoint) -> Self {
        (endpoint.ip, endpoint.port)
    }
}

impl FromStr for Endpoint {
    type Err = std::net::AddrParseError;
    /// Parses `192.0.2.1:5060` and `[2001:db8::1]:5060`.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse::<SocketAddr>().map(Self::from)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn mapped_ipv4_is_ipv4() {
        let mapped: Endpoint = "[::ffff:192.0.2.7]:5060".parse().unwrap();
        assert_eq!(mapped, "192.0.2.7:5060".parse().unwrap());
    }

    #[test]
    fn scope_id_does_not_count() {
        let scoped: Endpoint = "[fe80::1%3]:9".parse().unwrap();
        assert_eq!(scoped, "[fe80::1]:9".parse().unwrap());
    }
}
