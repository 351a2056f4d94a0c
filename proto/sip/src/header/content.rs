//! Content-Type (RFC 3261 §20.15).

use std::fmt;
use std::str::FromStr;

use super::Malformed;
use crate::params::Params;
use crate::text;

/// A media type with parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// `application`.
    pub kind: String,
    /// `sdp`.
    pub subtype: String,
    /// `;charset=…` and others.
    pub params: Params,
}

impl ContentType {
    /// Whether it is `kind/subtype`, without case, whatever the parameters.
    #[must_use]
    pub fn is(&self, media_type: &str) -> bool {
        media_type.split_once('/').is_some_and(|(kind, subtype)| {
            self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
        })
    }
}

impl FromStr for ContentType {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (media_type, params) = text::cut(text, b';');
        let (kind, subtype) = media_type.split_once('/').ok_or(Malformed)?;
        let (kind, subtype) = (text::trim(kind), text::trim(subtype));
        if !text::is_token(kind) || !text::is_token(subtype) {
            return Err(Malformed);
        }
        let params = Params::parse_rest(params).ok_or(Malformed)?;
        Ok(Self { kind: kind.to_owned(), subtype: subtype.to_owned(), params })
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.kind, self.subtype, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::ContentType;

    #[test]
    fn media_types() {
        let parsed: ContentType = "multipart / mixed ; boundary = \"a;b\"".parse().unwrap();
        assert!(parsed.is("Multipart/Mixed"));
        assert_eq!(parsed.params.plain("boundary").as_deref(), Some("a;b"));
        assert!("sdp".parse::<ContentType>().is_err());
    }
}
