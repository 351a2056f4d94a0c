//! Contact: where somebody can be reached directly (RFC 3261 §20.10, RFC 5626 §4).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Malformed, NameAddr};
use crate::uri::Uri;

/// All Contact fields of a message together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: every binding of the address of record (REGISTER with Expires 0).
    Any,
    /// The list, possibly empty.
    List(Vec<Contact>),
}

impl Contacts {
    /// The list; `*` is none.
    #[must_use]
    pub fn list(&self) -> &[Contact] {
        match self {
            Self::Any => &[],
            Self::List(list) => list,
        }
    }
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact(pub NameAddr);

impl Contact {
    /// `<uri>`.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self(NameAddr::new(uri))
    }

    /// The URI.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// How long the binding is wanted or granted, in seconds. What is malformed reads as one hour
    /// (RFC 3261 §10.2.1.1); what is too large for 32 bits as the largest number.
    #[must_use]
    pub fn expires_secs(&self) -> Option<u32> {
        let text = self.0.params.get("expires")?;
        Some(super::numbers::seconds(text).unwrap_or(3600))
    }

    /// Sets the `expires` parameter.
    #[must_use]
    pub fn with_expires(mut self, lifetime: Duration) -> Self {
        self.0.params.set("expires", lifetime.as_secs().to_string());
        self
    }

    /// The preference in thousandths: 1000 unless said otherwise; malformed is 0.
    #[must_use]
    pub fn q_thousandths(&self) -> u16 {
        self.0.params.get("q").map_or(1000, |q| thousandths(q).unwrap_or(0))
    }

    /// `+sip.instance`: the device's name that survives restarts, quotes and brackets removed
    /// (RFC 5626 §4.1).
    #[must_use]
    pub fn instance(&self) -> Option<String> {
        let text = self.0.params.plain("+sip.instance")?;
        let bare = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')).unwrap_or(&text);
        (!bare.is_empty()).then(|| bare.to_owned())
    }

    /// Sets `+sip.instance` to a URN.
    #[must_use]
    pub fn with_instance(mut self, urn: &str) -> Self {
        self.0.params.set_quoted("+sip.instance", &format!("<{urn}>"));
        self
    }

    /// `reg-id`: which of an instance's flows this is (RFC 5626 §4.2).
    #[must_use]
    pub fn reg_id(&self) -> Option<u32> {
        self.0.params.get("reg-id")?.parse().ok().filter(|id| *id > 0)
    }

    /// Sets `reg-id`.
    #[must_use]
    pub fn with_reg_id(mut self, id: u32) -> Self {
        self.0.params.set("reg-id", id.to_string());
        self
    }
}

/// `0`, `0.`, `0.5`, `1.000` in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", _) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

impl FromStr for Contact {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Contact;

    #[test]
    fn parameters() {
        let urn = "urn:uuid:00000000-0000-1000-8000-000A95A0E128";
        let text = format!("<sip:a@b>;q=0.75;expires=60;reg-id=1;+sip.instance=\"<{urn}>\"");
        let contact: Contact = text.parse().unwrap();
        assert_eq!(contact.expires_secs(), Some(60));
        assert_eq!(contact.q_thousandths(), 750);
        assert_eq!(contact.instance().as_deref(), Some(urn));
        assert_eq!(contact.reg_id(), Some(1));
        let built = Contact::new("sip:a@b".parse().unwrap())
            .with_instance(urn)
            .with_reg_id(1)
            .with_expires(Duration::from_secs(60));
        assert_eq!(built.to_string().parse(), Ok(built.clone()));
        assert_eq!(built.instance().as_deref(), Some(urn));
    }

    #[test]
    fn odd_numbers() {
        let contact = |text: &str| text.parse::<Contact>().unwrap();
        assert_eq!(contact("<sip:a@b>;expires=280297596632815").expires_secs(), Some(u32::MAX));
        assert_eq!(contact("<sip:a@b>;expires=soon").expires_secs(), Some(3600));
        assert_eq!(contact("<sip:a@b>;q=1.001").q_thousandths(), 0);
        assert_eq!(contact("<sip:a@b>;q=1").q_thousandths(), 1000);
        assert_eq!(contact("<sip:a@b>;reg-id=0").reg_id(), None);
    }
}
