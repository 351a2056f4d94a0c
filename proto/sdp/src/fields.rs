//! The lines with a grammar of their own: `o=`, `c=`, `m=`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::{Address, Error};

/// The `o=` line (RFC 8866 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The user's name, `-` for none.
    pub username: String,
    /// The session's number; a string of digits of any length.
    pub session_id: String,
    /// The description's version; grows by one with each change (RFC 3264 §8).
    pub version: u64,
    /// Where the description was made.
    pub connection: Connection,
}

impl FromStr for Origin {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        let parse = || {
            let mut words = s.splitn(4, ' ');
            let username = words.next()?.to_owned();
            let session_id = words.next()?.to_owned();
            let version = words.next()?.parse().ok()?;
            let connection = words.next()?.parse().ok()?;
            let digits = !session_id.is_empty() && session_id.bytes().all(|b| b.is_ascii_digit());
            (digits && !username.is_empty()).then_some((username, session_id, version, connection))
        };
        let (username, session_id, version, connection) =
            parse().ok_or(Error::Malformed("origin"))?;
        Ok(Self { username, session_id, version, connection })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, session_id, version, connection } = self;
        write!(f, "{username} {session_id} {version} {connection}")
    }
}

/// The `c=` line (RFC 8866 §5.7): an address of the Internet. The TTL and count of multicast
/// addresses are dropped: nothing here joins groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The address type: `true` for `IP6`.
    pub is_ipv6: bool,
    /// The address or name.
    pub address: Address,
}

impl Connection {
    /// The connection data of `address`.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self { is_ipv6: address.is_ipv6(), address: Address::Ip(address) }
    }

    /// The address, unless a name stands in its place.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        self.address.ip()
    }

    /// Whether it is the address `0.0.0.0`, the older way to say "on hold" (RFC 3264 §8.4).
    #[must_use]
    pub fn is_unspecified(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

impl FromStr for Connection {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        let mut words = s.split_ascii_whitespace();
        let mut next = || words.next().ok_or(Error::Malformed("connection"));
        let (net, kind, address) = (next()?, next()?, next()?);
        let is_ipv6 = match kind {
            "IP4" => false,
            "IP6" => true,
            _ => return Err(Error::Malformed("connection")),
        };
        if net != "IN" || words.next().is_some() {
            return Err(Error::Malformed("connection"));
        }
        let address = address.split('/').next().unwrap_or(address).parse()?;
        Ok(Self { is_ipv6, address })
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IN IP{} {}", if self.is_ipv6 { 6 } else { 4 }, self.address)
    }
}

/// The `m=` line (RFC 8866 §5.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaLine {
    /// `audio`, `video`, `text`, `application`, …
    pub media: String,
    /// The port; 0 refuses the stream (RFC 3264 §6).
    pub port: u16,
    /// How many ports, where that is said.
    pub port_count: Option<u16>,
    /// The transport, `RTP/AVP` for one.
    pub protocol: String,
    /// The formats in order of preference; payload type numbers for RTP.
    pub formats: Vec<String>,
}

impl MediaLine {
    /// Whether the formats are RTP payload types.
    #[must_use]
    pub fn is_rtp(&self) -> bool {
        self.protocol.split('/').any(|part| part.eq_ignore_ascii_case("RTP"))
    }

    /// The formats that are payload type numbers, in order, each once: 128 at most, however long the
    /// line is.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> {
        let mut seen = 0_u128;
        let numbers = self.formats.iter().filter_map(|format| format.parse().ok());
        numbers.filter(move |payload_type: &u8| {
            let bit = 1_u128.checked_shl(u32::from(*payload_type)).unwrap_or(0);
            let fresh = bit & !seen != 0;
            seen |= bit;
            fresh
        })
    }
}

impl FromStr for MediaLine {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        const MALFORMED: Error = Error::Malformed("media line");
        let mut words = s.split_ascii_whitespace().map(str::to_owned);
        let media = words.next().ok_or(MALFORMED)?;
        let ports = words.next().ok_or(MALFORMED)?;
        let protocol = words.next().ok_or(MALFORMED)?;
        let (port, count) = match ports.split_once('/') {
            Some((port, count)) => (port, Some(count)),
            None => (ports.as_str(), None),
        };
        Ok(Self {
            media,
            port: port.parse().map_err(|_| MALFORMED)?,
            port_count: count.map(str::parse).transpose().map_err(|_| MALFORMED)?,
            protocol,
            formats: words.collect(),
        })
    }
}

impl fmt::Display for MediaLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.media, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))
    }
}
