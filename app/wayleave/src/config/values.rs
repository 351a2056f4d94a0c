//! What the keys of the configuration hold, as people write it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Makes a type be read from a string of TOML and shown as one.
macro_rules! written {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

written!(Listen, Span, Ports, Network);

/// An address to listen on, with a port of its own or the standard one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen {
    /// The address.
    pub ip: IpAddr,
    /// The port, unless it is the standard one.
    pub port: Option<u16>,
}

impl FromStr for Listen {
    type Err = String;

    /// Reads `192.0.2.1`, `192.0.2.1:5070`, `2001:db8::1`, `[2001:db8::1]` and
    /// `[2001:db8::1]:5070`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<SocketAddr>() {
            return Ok(Self { ip: at.ip(), port: Some(at.port()) });
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(|ip| Self { ip, port: None }).map_err(|_| {
            format!(
                "{text:?} is no address to listen on: write 192.0.2.1, 192.0.2.1:5070 or [2001:db8::1]:5070"
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}

/// A span of time: `30s`, `10m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let wrong = || format!("{text:?} is no span of time: write 500ms, 30s, 10m or 1h");
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        let millis = match &text[digits.len()..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(millis).map(Duration::from_millis).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match (millis % 3_600_000, millis % 60_000, millis % 1000) {
            (0, ..) if millis > 0 => write!(f, "{}h", millis / 3_600_000),
            (_, 0, _) if millis > 0 => write!(f, "{}m", millis / 60_000),
            (.., 0) => write!(f, "{}s", millis / 1000),
            _ => write!(f, "{millis}ms"),
        }
    }
}

/// A range of ports: `49152-65535`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ports(pub RangeInclusive<u16>);

impl FromStr for Ports {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let range = text.split_once('-').and_then(|(first, last)| {
            let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
            // Port 0 would be any port, and fewer than two make no pair.
            (*range.start() > 0 && range.start() < range.end()).then_some(range)
        });
        range.map(Self).ok_or_else(|| {
            format!("{text:?} is no range of ports: write 49152-65535, the lower first")
        })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start(), self.0.end())
    }
}

/// A network or a single address: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    /// Its first address.
    pub ip: IpAddr,
    /// How many bits of it count.
    pub len: u8,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is no network: write 10.0.0.0/8, 2001:db8::/32 or an address alone")
        };
        let (ip, len) = match text.split_once('/') {
            Some((ip, len)) => (ip, Some(len.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let bits = if ip.is_ipv4() { 32 } else { 128 };
        let len = len.unwrap_or(bits);
        if len > bits { Err(wrong()) } else { Ok(Self { ip, len }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.len)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Listen, Network, Ports, Span};

    #[test]
    fn addresses_with_and_without_port() {
        for text in ["192.0.2.1", "192.0.2.1:5070", "2001:db8::1", "[2001:db8::1]:5070"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]".parse::<Listen>().unwrap().port, None);
        assert!("localhost".parse::<Listen>().is_err());
    }

    #[test]
    fn spans_of_time() {
        for text in ["0s", "500ms", "1500ms", "30s", "90s", "10m", "90m", "2h"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("120s".parse::<Span>().unwrap().0, Duration::from_secs(120));
        for text in
            ["", "30", "s", "-1s", "1d", "1.5s", "9999999999999999999h", "18446744073709551615h"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_of_ports() {
        let ports: Ports = "49152-65535".parse().unwrap();
        assert_eq!((ports.0.clone(), ports.to_string()), (49152..=65535, "49152-65535".to_owned()));
        for text in ["", "49152", "0-10", "9-8", "7-7", "1-65536", "a-b"] {
            assert!(text.parse::<Ports>().is_err(), "{text}");
        }
    }

    #[test]
    fn networks() {
        for text in ["10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.7".parse::<Network>().unwrap().to_string(), "192.0.2.7/32");
        for text in ["", "10.0.0.0/33", "::/129", "10/8", "a/8", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
