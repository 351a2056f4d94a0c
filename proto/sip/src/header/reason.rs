//! Reason: why a request was sent (RFC 3326).

use std::fmt;
use std::str::FromStr;

use super::Malformed;
use crate::params::Params;
use crate::text;

/// A protocol, and a cause in its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`.
    pub protocol: String,
    /// `cause`, `text` and others.
    pub params: Params,
}

impl Reason {
    /// `SIP;cause=…;text="…"`.
    #[must_use]
    pub fn sip(cause: u16, text: &str) -> Self {
        let mut params = Params::new();
        params.set("cause", cause.to_string());
        params.set_quoted("text", text);
        Self { protocol: "SIP".to_owned(), params }
    }

    /// The cause.
    #[must_use]
    pub fn cause(&self) -> Option<u16> {
        self.params.get("cause")?.parse().ok()
    }

    /// The cause in words.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.params.plain("text").map(|text| text.into_owned())
    }
}

impl FromStr for Reason {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (protocol, params) = text::cut(text, b';');
        let protocol = text::trim(protocol);
        let params = Params::parse_rest(params).ok_or(Malformed)?;
        let fits = text::is_token(protocol);
        fits.then(|| Self { protocol: protocol.to_owned(), params }).ok_or(Malformed)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.protocol, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn round_trip() {
        let reason = Reason::sip(200, "Call completed \"elsewhere\"");
        let parsed: Reason = reason.to_string().parse().unwrap();
        assert_eq!(parsed.cause(), Some(200));
        assert_eq!(parsed.text().as_deref(), Some("Call completed \"elsewhere\""));
        assert_eq!("Q.850;cause=16".parse::<Reason>().unwrap().cause(), Some(16));
    }
}
