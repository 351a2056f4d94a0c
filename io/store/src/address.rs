//! `alice@example.org`, whatever the protocol.

use std::fmt;
use std::str::FromStr;

use crate::defaults::{DOMAIN_MAX_LEN, LOCAL_MAX_LEN};

/// The address of an account: one for SIP and XMPP alike, hence in lower case throughout
/// (RFC 7622 §3.3 folds the local part's case; RFC 4343 the domain's).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    local: String,
    domain: String,
}

/// Why a text is not an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is no `@`.
    #[error("{0:?} is no address: write it like alice@example.org")]
    NoAt(String),
    /// The local part is empty, too long or has characters that it may not have.
    #[error(
        "{0:?} cannot be the name of an account: letters, digits and . _ - + ! ~ * = $ % can stand there"
    )]
    Local(String),
    /// The domain is empty, too long or has characters that it may not have.
    #[error("{0:?} is no domain")]
    Domain(String),
}

impl Address {
    /// The address of `local` at `domain`.
    ///
    /// # Errors
    /// [`AddressError`] if one of them cannot stand in SIP and XMPP addresses alike.
    pub fn new(local: &str, domain: &str) -> Result<Self, AddressError> {
        let (local, domain) = (local.to_lowercase(), domain.to_lowercase());
        // What both SIP's user (RFC 3261 §25.1) and XMPP's local part (RFC 7622 §3.3.1) can hold
        // without escapes.
        let may_stand = |c: char| c.is_alphanumeric() || ".-_+!~*=$%".contains(c);
        if local.is_empty() || local.len() > LOCAL_MAX_LEN || !local.chars().all(may_stand) {
            return Err(AddressError::Local(local));
        }
        if !is_domain(&domain) {
            return Err(AddressError::Domain(domain));
        }
        Ok(Self { local, domain })
    }

    /// `alice` of `alice@example.org`.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.local
    }

    /// `example.org` of `alice@example.org`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

fn is_domain(domain: &str) -> bool {
    if domain.starts_with('[') {
        let inside = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        return inside.is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    domain.len() <= DOMAIN_MAX_LEN && domain.split('.').all(is_label)
}

impl FromStr for Address {
    type Err = AddressError;

    /// Takes `alice@example.org`, with `sip:`, `sips:` or `xmpp:` before it as well.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bare = ["sip:", "sips:", "xmpp:"]
            .iter()
            .find_map(|scheme| strip_prefix_ignoring_case(text, scheme))
            .unwrap_or(text);
        let (local, domain) =
            bare.split_once('@').ok_or_else(|| AddressError::NoAt(text.to_owned()))?;
        Self::new(local, domain)
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError};

    #[test]
    fn one_account_whatever_the_spelling() {
        for text in ["alice@example.org", "sip:Alice@Example.ORG", "XMPP:ALICE@example.org"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), "alice@example.org");
        }
        for text in ["bob@localhost", "bob@192.0.2.1", "bob@[2001:db8::1]", "zoë@bücher.example"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address() {
        use AddressError as E;
        let parse = |text: &str| text.parse::<Address>().unwrap_err();
        assert!(matches!(parse("alice"), E::NoAt(_)));
        for text in ["@example.org", "a b@example.org", "a/b@example.org", "a:b@example.org"] {
            assert!(matches!(parse(text), E::Local(_)), "{text}");
        }
        for text in ["alice@", "alice@a..b", "alice@a b", "alice@b@c", "alice@[::1", "alice@a/b"] {
            assert!(matches!(parse(text), E::Domain(_)), "{text}");
        }
    }
}
