//! `"Name" <uri>;params`: From, To, Route, Record-Route, Path, and the inside of Contact
//! (RFC 3261 §20.10, §25.1 `name-addr`, `addr-spec`).

use std::fmt;
use std::str::FromStr;

use super::Malformed;
use crate::params::Params;
use crate::text;
use crate::uri::Uri;

/// A URI with an optional display name and parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, without quotes.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// Parameters of the header field, not of the URI.
    pub params: Params,
}

impl NameAddr {
    /// `<uri>`.
    #[must_use]
    pub const fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// With a display name.
    #[must_use]
    pub fn with_display(mut self, display: impl Into<String>) -> Self {
        self.display = Some(display.into()).filter(|name| !name.is_empty());
        self
    }

    /// With a tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }

    /// One side's name for the dialog.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }
}

impl FromStr for NameAddr {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text::trim(text);
        let Some(open) = find_open(text) else {
            // addr-spec: without brackets, parameters belong to the field (§20).
            let (uri, params) = text::cut(text, b';');
            if uri.contains(['?', ',']) {
                return Err(Malformed);
            }
            let uri = text::trim(uri).parse().map_err(|_| Malformed)?;
            let params = Params::parse_rest(params).ok_or(Malformed)?;
            return Ok(Self { display: None, uri, params });
        };
        let display = display_name(text.get(..open).ok_or(Malformed)?)?;
        let (uri, rest) =
            text.get(open + 1..).and_then(|rest| rest.split_once('>')).ok_or(Malformed)?;
        let uri = text::trim(uri).parse().map_err(|_| Malformed)?;
        let rest = text::trim(rest);
        let params = match rest.strip_prefix(';') {
            Some(params) => Params::parse(params).ok_or(Malformed)?,
            None if rest.is_empty() => Params::new(),
            None => return Err(Malformed),
        };
        Ok(Self { display, uri, params })
    }
}

/// Where `<` stands outside of quotes.
fn find_open(text: &str) -> Option<usize> {
    text::find_outside(text, b'<')
}

/// A quoted string, or words; words that are no tokens are taken as they are if they could not be
/// mistaken for something else.
fn display_name(text: &str) -> Result<Option<String>, Malformed> {
    let text = text::trim(text);
    if text.is_empty() {
        return Ok(None);
    }
    if text.starts_with('"') {
        return text::unquote(text).map(|name| Some(name.into_owned())).ok_or(Malformed);
    }
    let odd = |c: char| matches!(c, '"' | '<' | '>' | ',' | ';' | ':' | '@') || c.is_control();
    if text.contains(odd) { Err(Malformed) } else { Ok(Some(text.to_owned())) }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display {
            write!(f, "{} ", text::quote(name))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl From<Uri> for NameAddr {
    fn from(uri: Uri) -> Self {
        Self::new(uri)
    }
}

#[cfg(test)]
mod tests {
    use super::NameAddr;

    #[test]
    fn forms() {
        for (text, display, uri, tag) in [
            (r#""A \"B\"" <sip:a@b;x>;tag=1"#, Some("A \"B\""), "sip:a@b;x", Some("1")),
            ("Alice Smith <sip:a@b>", Some("Alice Smith"), "sip:a@b", None),
            ("sip:a@b;tag=2", None, "sip:a@b", Some("2")),
            ("<sip:a@b>  ;  tag = 3", None, "sip:a@b", Some("3")),
            ("\"<\" <sip:c@d>", Some("<"), "sip:c@d", None),
            ("tel:+1-201;tag=4", None, "tel:+1-201", Some("4")),
        ] {
            let parsed: NameAddr = text.parse().unwrap();
            assert_eq!(parsed.display.as_deref(), display, "{text}");
            assert_eq!(parsed.uri.to_string(), uri, "{text}");
            assert_eq!(parsed.tag(), tag, "{text}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "<sip:a@b",
            "\"A <sip:a@b>",
            "sip:a@b?x=y",
            "<sip:a@b>x",
            "<sip:a@b>;;",
            "A, B <sip:a@b>",
            "<>",
        ] {
            assert!(text.parse::<NameAddr>().is_err(), "{text}");
        }
    }
}
