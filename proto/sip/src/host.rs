//! Hosts: names and addresses as URIs and Via write them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A domain name, an IPv4 address or an IPv6 reference in brackets, kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host(String);

/// The text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed host")]
pub struct NotAHost;

impl Host {
    /// As written, an IPv6 address in brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, if it is one; an IPv4-mapped one is IPv4.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        parse_ip(&self.0)
    }

    /// Whether it is a name that must be looked up.
    #[must_use]
    pub fn is_name(&self) -> bool {
        self.ip().is_none()
    }

    /// The form under which equal hosts look equal: lower case, addresses shortest, no final dot.
    #[must_use]
    pub fn canonical(&self) -> String {
        match self.ip() {
            Some(ip) => Self::from(ip).0,
            None => self.0.strip_suffix('.').unwrap_or(&self.0).to_ascii_lowercase(),
        }
    }

    /// Whether both are the same host.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        self.0 == other.0 || self.canonical() == other.canonical()
    }

    /// Reads `host[:port]`, white space around the colon allowed as Via allows it.
    pub(crate) fn parse_with_port(text: &str) -> Result<(Self, Option<u16>), NotAHost> {
        let end = if text.starts_with('[') { text.find(']').ok_or(NotAHost)? } else { 0 };
        let colon = text.get(end..).and_then(|rest| rest.find(':')).map(|at| end + at);
        let Some((host, port)) = colon.and_then(|at| text.split_at_checked(at)) else {
            return Ok((text.trim_end().parse()?, None));
        };
        let port = port.get(1..).unwrap_or("").trim_start();
        if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAHost);
        }
        Ok((host.trim_end().parse()?, Some(port.parse().map_err(|_| NotAHost)?)))
    }
}

/// Reads an address with or without brackets.
pub(crate) fn parse_ip(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

impl FromStr for Host {
    type Err = NotAHost;
    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let reference = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        let fits = match reference {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            // An underscore is no host name, yet networks are full of them.
            None => {
                let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
                !text.is_empty() && text.bytes().all(name)
            }
        };
        fits.then(|| Self(text.to_owned())).ok_or(NotAHost)
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self(ip.to_string()),
            IpAddr::V6(ip) => Self(format!("[{ip}]")),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
