//! The attributes of ICE (RFC 8839 §5).
//!
//! Flags without a value (`ice-lite`, `end-of-candidates`) are read with [`crate::Section::has`].

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::str::FromStr;

use crate::{Attribute, Error, defaults};

/// An address of the Internet, or a name in its place, kept raw: a host name, or one under `.local`
/// that mDNS hides an address behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address.
    Ip(IpAddr),
    /// A name.
    Name(String),
}

impl Address {
    /// The address, unless it is a name.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        if let Ok(ip) = s.parse() {
            return Ok(Self::Ip(ip));
        }
        if s.is_empty() || s.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(Error::Malformed("address"));
        }
        Ok(Self::Name(s.to_owned()))
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// `a=candidate` (RFC 8839 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// 1 to 32 characters; equal for candidates of the same kind, base and server.
    pub foundation: String,
    /// 1 for RTP, 2 for RTCP; up to 256.
    pub component: u16,
    /// `UDP`, or a token such as `TCP` (RFC 6544), as it came.
    pub transport: String,
    /// Higher is better.
    pub priority: u32,
    /// Where it is reached.
    pub address: Address,
    /// At which port.
    pub port: u16,
    /// `host`, `srflx`, `prflx`, `relay`, or a token.
    pub kind: String,
    /// `raddr`: the base of a reflexive, the mapping of a relayed candidate.
    pub related_address: Option<Address>,
    /// `rport`.
    pub related_port: Option<u16>,
    /// What follows, as pairs of name and value.
    pub extensions: Vec<(String, String)>,
}

impl Attribute for Candidate {
    const NAME: &'static str = "candidate";
}

impl Candidate {
    fn parse(s: &str) -> Option<Self> {
        let mut words = s.split_ascii_whitespace();
        let foundation = words.next().filter(|f| f.len() <= 32 && f.bytes().all(is_ice_char))?;
        let component = words.next()?.parse().ok().filter(|c| (1..=256).contains(c))?;
        let transport = words.next()?.to_owned();
        let priority = words.next()?.parse().ok()?;
        let address = words.next()?.parse().ok()?;
        let port = words.next()?.parse().ok()?;
        words.next().filter(|word| *word == "typ")?;
        let kind = words.next()?.to_owned();
        let mut candidate = Self {
            foundation: foundation.to_owned(),
            component,
            transport,
            priority,
            address,
            port,
            kind,
            related_address: None,
            related_port: None,
            extensions: Vec::new(),
        };
        while let Some(name) = words.next() {
            candidate.extend(name, words.next()?)?;
        }
        Some(candidate)
    }

    /// Takes one `name value` pair from behind the type.
    fn extend(&mut self, name: &str, value: &str) -> Option<()> {
        let first = self.extensions.is_empty();
        match name {
            "raddr" if first && self.related_address.is_none() && self.related_port.is_none() => {
                self.related_address = Some(value.parse().ok()?);
            }
            "rport" if first && self.related_port.is_none() => {
                self.related_port = Some(value.parse().ok()?);
            }
            _ if self.extensions.len() == defaults::MAX_CANDIDATE_EXTENSIONS => return None,
            _ => self.extensions.push((name.to_owned(), value.to_owned())),
        }
        Some(())
    }
}

impl FromStr for Candidate {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        Self::parse(s).ok_or(Error::Malformed("candidate"))
    }
}

impl Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { foundation, component, transport, priority, address, port, kind, .. } = self;
        write!(f, "{foundation} {component} {transport} {priority} {address} {port} typ {kind}")?;
        if let Some(address) = &self.related_address {
            write!(f, " raddr {address}")?;
        }
        if let Some(port) = self.related_port {
            write!(f, " rport {port}")?;
        }
        self.extensions.iter().try_for_each(|(name, value)| write!(f, " {name} {value}"))
    }
}

/// `a=ice-ufrag` (RFC 8839 §5.4): 4 to 256 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceUfrag(pub String);

/// `a=ice-pwd` (RFC 8839 §5.4): 22 to 256 characters.
#[derive(Clone, PartialEq, Eq)]
pub struct IcePwd(pub String);

impl Attribute for IceUfrag {
    const NAME: &'static str = "ice-ufrag";
}

impl Attribute for IcePwd {
    const NAME: &'static str = "ice-pwd";
}

impl FromStr for IceUfrag {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        ice_chars(s, 4).map(Self).ok_or(Error::Malformed("ice-ufrag"))
    }
}

impl FromStr for IcePwd {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        ice_chars(s, 22).map(Self).ok_or(Error::Malformed("ice-pwd"))
    }
}

impl Display for IceUfrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Display for IcePwd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for IcePwd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IcePwd(…)")
    }
}

/// `a=ice-options` (RFC 8839 §5.6): tags such as `ice2` and `trickle`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceOptions(pub Vec<String>);

impl IceOptions {
    /// Whether `tag` is among them.
    #[must_use]
    pub fn contains(&self, tag: &str) -> bool {
        self.0.iter().any(|option| option == tag)
    }
}

impl Attribute for IceOptions {
    const NAME: &'static str = "ice-options";
}

impl FromStr for IceOptions {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        Ok(Self(s.split_ascii_whitespace().map(str::to_owned).collect()))
    }
}

impl Display for IceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.join(" ").fmt(f)
    }
}

/// `a=ice-pacing` (RFC 8839 §5.5): the Ta that its sender wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcePacing {
    /// Milliseconds.
    pub millis: u32,
}

impl Attribute for IcePacing {
    const NAME: &'static str = "ice-pacing";
}

impl FromStr for IcePacing {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self, Error> {
        let millis = s.trim().parse().map_err(|_| Error::Malformed("ice-pacing"))?;
        Ok(Self { millis })
    }
}

impl Display for IcePacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.millis.fmt(f)
    }
}

const fn is_ice_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')
}

fn ice_chars(s: &str, least: usize) -> Option<String> {
    let s = s.trim();
    let legal = (least..=256).contains(&s.len()) && s.bytes().all(is_ice_char);
    legal.then(|| s.to_owned())
}
