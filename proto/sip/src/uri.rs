//! URIs (RFC 3261 §19.1, RFC 3966): `sip`, `sips` and `tel` in parts, all others as text.

mod sip;
mod tel;

use std::fmt;
use std::str::FromStr;

use crate::text;

pub use self::sip::SipUri;
pub use self::tel::TelUri;
pub use crate::host::{Host, NotAHost};

/// Where a request goes, or whom it names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// `tel:`.
    Tel(TelUri),
    /// Any other scheme, as text; in a Request-URI also what no grammar allows, so that a
    /// response can be made of it.
    Other(String),
}

/// The text is no URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed URI")]
pub struct NotAUri;

impl Uri {
    /// A SIP URI of a user at a host, as most are. `user` is escaped as needed.
    #[must_use]
    pub fn sip(user: &str, host: Host) -> Self {
        Self::Sip(SipUri::new(host).with_user(user))
    }

    /// Reads a Request-URI: what is malformed becomes [`Uri::Other`] and is the validator's to judge.
    pub(crate) fn parse_leniently(text: &str) -> Self {
        text.parse().unwrap_or_else(|NotAUri| Self::Other(text.to_owned()))
    }

    /// The scheme, if the text has a well-formed one.
    #[must_use]
    pub fn scheme(&self) -> Option<&str> {
        match self {
            Self::Sip(uri) if uri.secure => Some("sips"),
            Self::Sip(_) => Some("sip"),
            Self::Tel(_) => Some("tel"),
            Self::Other(text) => scheme_of(text),
        }
    }

    /// Whether this is [`Uri::Other`] only because it is malformed.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Other(text) if text.parse::<Self>().is_err())
    }

    /// The parts of a `sip:` or `sips:` URI.
    #[must_use]
    pub const fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }

    /// Whether both name the same thing by RFC 3261 §19.1.4 (RFC 3966 §4 for `tel`).
    ///
    /// It is not transitive, hence not `==`, which compares the text.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sip(a), Self::Sip(b)) => a.is_equivalent(b),
            (Self::Tel(a), Self::Tel(b)) => a.is_equivalent(b),
            (Self::Other(a), Self::Other(b)) => a == b,
            _ => false,
        }
    }
}

fn scheme_of(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let rest = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(rest))
        .then_some(scheme)
}

impl FromStr for Uri {
    type Err = NotAUri;
    fn from_str(text: &str) -> Result<Self, NotAUri> {
        let scheme = scheme_of(text).ok_or(NotAUri)?;
        if text.bytes().any(|b| b <= b' ' || matches!(b, b'<' | b'>' | b'"' | 0x7f)) {
            return Err(NotAUri);
        }
        let rest = text.get(scheme.len() + 1..).ok_or(NotAUri)?;
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse(false, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse(true, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            TelUri::parse(rest).map(Self::Tel)
        } else {
            (!rest.is_empty() && text::escapes_are_whole(rest))
                .then(|| Self::Other(text.to_owned()))
                .ok_or(NotAUri)
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Tel(uri) => uri.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Self {
        Self::Sip(uri)
    }
}

#[cfg(test)]
mod tests;
