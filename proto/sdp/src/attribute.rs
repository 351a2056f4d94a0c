//! Typed attributes of RTP media (RFC 8866 §6, RFC 3605).

use std::fmt::{self, Display};
use std::str::FromStr;

use crate::{Connection, Error};

/// An attribute with a type of its own: its name, and its value's grammar in both directions.
pub trait Attribute: FromStr<Err = Error> + Display {
    /// The name before the colon.
    const NAME: &'static str;
}

/// `a=rtpmap` (RFC 8866 §6.6): which codec a payload type means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpMap {
    /// The payload type, below 128.
    pub payload_type: u8,
    /// The encoding's name, case-insensitive.
    pub encoding: String,
    /// Ticks of the RTP timestamp per second.
    pub clock_rate: u32,
    /// Channels, where they are said; one otherwise.
    pub channels: Option<u8>,
}

impl RtpMap {
    /// Channels, one when nothing is said.
    #[must_use]
    pub fn channel_count(&self) -> u8 {
        self.channels.unwrap_or(1)
    }

    /// Whether both mean the same codec, whatever its number.
    #[must_use]
    pub fn same_codec(&self, other: &Self) -> bool {
        self.encoding.eq_ignore_ascii_case(&other.encoding)
            && self.clock_rate == other.clock_rate
            && self.channel_count() == other.channel_count()
    }
}

impl Attribute for RtpMap {
    const NAME: &'static str = "rtpmap";
}

impl FromStr for RtpMap {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        let parse = || {
            let (payload_type, codec) = s.trim().split_once(' ')?;
            let payload_type = payload_type.parse().ok().filter(|pt| *pt < 128)?;
            let mut parts = codec.trim().split('/');
            let encoding = parts.next().filter(|name| !name.is_empty())?.to_owned();
            let clock_rate = parts.next()?.parse().ok().filter(|rate| *rate > 0)?;
            let channels = match parts.next() {
                Some(channels) => Some(channels.parse().ok().filter(|n| *n > 0)?),
                None => None,
            };
            Some(Self { payload_type, encoding, clock_rate, channels })
        };
        parse().ok_or(Error::Malformed("rtpmap"))
    }
}

impl Display for RtpMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.payload_type, self.encoding, self.clock_rate)?;
        self.channels.map_or(Ok(()), |channels| write!(f, "/{channels}"))
    }
}

/// `a=fmtp` (RFC 8866 §6.15): the parameters of a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fmtp {
    /// The format, a payload type number for RTP.
    pub format: String,
    /// Its parameters, raw.
    pub parameters: String,
}

impl Attribute for Fmtp {
    const NAME: &'static str = "fmtp";
}

impl FromStr for Fmtp {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        match s.split_once(' ') {
            Some((format, parameters)) if !format.is_empty() => {
                Ok(Self { format: format.to_owned(), parameters: parameters.trim().to_owned() })
            }
            _ => Err(Error::Malformed("fmtp")),
        }
    }
}

impl Display for Fmtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.parameters)
    }
}

/// `a=ptime` (RFC 8866 §6.4): the length of media in a packet. A fraction is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ptime {
    /// Milliseconds, at least one.
    pub millis: u16,
}

impl Attribute for Ptime {
    const NAME: &'static str = "ptime";
}

impl FromStr for Ptime {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        match s.trim().parse::<f64>() {
            Ok(millis) if (0.5..=f64::from(u16::MAX)).contains(&millis) => {
                Ok(Self { millis: millis.round() as u16 })
            }
            _ => Err(Error::Malformed("ptime")),
        }
    }
}

impl Display for Ptime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.millis.fmt(f)
    }
}

/// `a=rtcp` (RFC 3605): where RTCP goes, if not to the port after RTP's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtcp {
    /// The port.
    pub port: u16,
    /// The address, if not RTP's.
    pub connection: Option<Connection>,
}

impl Attribute for Rtcp {
    const NAME: &'static str = "rtcp";
}

impl FromStr for Rtcp {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        let (port, connection) = match s.trim().split_once(' ') {
            Some((port, connection)) => (port, Some(connection.parse()?)),
            None => (s.trim(), None),
        };
        let port = port.parse().map_err(|_| Error::Malformed("rtcp"))?;
        Ok(Self { port, connection })
    }
}

impl Display for Rtcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.connection {
            Some(connection) => write!(f, "{} {connection}", self.port),
            None => self.port.fmt(f),
        }
    }
}
