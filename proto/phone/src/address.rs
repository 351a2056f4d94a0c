//! Whom a phone is and whom it calls: addresses of both protocols.

use std::fmt;
use std::str::FromStr;

use sip::{SipUri, Uri};
use xmpp::{BareJid, Jid};

/// Which signalling an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// SIP (RFC 3261).
    Sip,
    /// XMPP (RFC 6120) with Jingle (XEP-0166).
    Xmpp,
}

impl Protocol {
    /// The name in small letters, which is the scheme of its addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Xmpp => "xmpp",
        }
    }
}

/// The address of an account: `sip:alice@example.org`, `xmpp:alice@example.org`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address of record (RFC 3261 §6).
    Sip(SipUri),
    /// A bare JID (RFC 6120 §1.4).
    Xmpp(BareJid),
}

impl Address {
    /// Its signalling.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::Sip(_) => Protocol::Sip,
            Self::Xmpp(_) => Protocol::Xmpp,
        }
    }

    /// The user's name in the domain; empty if there is none.
    #[must_use]
    pub fn user(&self) -> String {
        match self {
            Self::Sip(uri) => uri.user().unwrap_or_default(),
            Self::Xmpp(jid) => jid.node().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// The domain, as text.
    #[must_use]
    pub fn domain(&self) -> String {
        match self {
            Self::Sip(uri) => uri.host.as_str().to_owned(),
            Self::Xmpp(jid) => jid.domain().to_string(),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Xmpp(jid) => write!(f, "xmpp:{jid}"),
        }
    }
}

impl From<SipUri> for Address {
    fn from(uri: SipUri) -> Self {
        Self::Sip(uri)
    }
}

impl From<BareJid> for Address {
    fn from(jid: BareJid) -> Self {
        Self::Xmpp(jid)
    }
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It does not begin with a scheme that we know: `sip:`, `sips:`, `tel:`, `xmpp:`.
    #[error("no address: it begins with sip: or xmpp:")]
    Scheme,
    /// What follows the scheme is no address of that protocol.
    #[error("no {} address: {}", .0.name(), .1)]
    Syntax(Protocol, String),
    /// It names no person.
    #[error("an account's address names a person")]
    NoUser,
}

impl FromStr for Address {
    type Err = ParseError;

    /// With its scheme. A resource after an XMPP address is not part of the account.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let address = match text.parse()? {
            Target::Sip(Uri::Sip(uri)) => Self::Sip(uri),
            Target::Sip(_) => return Err(ParseError::NoUser),
            Target::Xmpp(jid) => Self::Xmpp(jid.to_bare()),
        };
        if address.user().is_empty() { Err(ParseError::NoUser) } else { Ok(address) }
    }
}

/// Whom to call or to write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// By SIP.
    Sip(Uri),
    /// By XMPP: a person, or one device of theirs.
    Xmpp(Jid),
}

impl Target {
    /// Its signalling.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        match self {
            Self::Sip(_) => Protocol::Sip,
            Self::Xmpp(_) => Protocol::Xmpp,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Xmpp(jid) => write!(f, "xmpp:{jid}"),
        }
    }
}

impl From<Uri> for Target {
    fn from(uri: Uri) -> Self {
        Self::Sip(uri)
    }
}

impl From<Jid> for Target {
    fn from(jid: Jid) -> Self {
        Self::Xmpp(jid)
    }
}

impl From<Address> for Target {
    fn from(address: Address) -> Self {
        match address {
            Address::Sip(uri) => Self::Sip(uri.into()),
            Address::Xmpp(jid) => Self::Xmpp(jid.into()),
        }
    }
}

impl FromStr for Target {
    type Err = ParseError;

    /// With its scheme; what follows a `?` in an `xmpp:` URI (RFC 5122 §2.2) is left out.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (scheme, rest) = text.split_once(':').ok_or(ParseError::Scheme)?;
        match scheme.to_ascii_lowercase().as_str() {
            "xmpp" => {
                let jid = rest.split_once('?').map_or(rest, |(jid, _)| jid);
                let parsed = Jid::new(jid);
                let bad = |error: &dyn fmt::Display| {
                    ParseError::Syntax(Protocol::Xmpp, error.to_string())
                };
                parsed.map(Self::Xmpp).map_err(|error| bad(&error))
            }
            "sip" | "sips" | "tel" => {
                let bad = |_| ParseError::Syntax(Protocol::Sip, rest.to_owned());
                text.parse().map(Self::Sip).map_err(bad)
            }
            _ => Err(ParseError::Scheme),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, ParseError, Protocol, Target};

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["sip:alice@example.org", "xmpp:alice@example.org"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(
                (address.user().as_str(), address.domain().as_str()),
                ("alice", "example.org")
            );
        }
        let device: Target = "xmpp:alice@example.org/garden?message".parse().unwrap();
        assert_eq!(device.to_string(), "xmpp:alice@example.org/garden");
        let account: Address = "xmpp:Alice@example.org/garden".parse().unwrap();
        assert_eq!(account.to_string(), "xmpp:alice@example.org");
    }

    #[test]
    fn what_is_no_address_says_so() {
        assert_eq!("alice@example.org".parse::<Target>(), Err(ParseError::Scheme));
        assert_eq!("http://example.org".parse::<Target>(), Err(ParseError::Scheme));
        assert_eq!("xmpp:example.org".parse::<Address>(), Err(ParseError::NoUser));
        let bad = "xmpp:a@b@c".parse::<Target>();
        assert!(matches!(bad, Err(ParseError::Syntax(Protocol::Xmpp, _))), "{bad:?}");
    }
}
