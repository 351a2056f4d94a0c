//! `tel:` URIs (RFC 3966).

use std::fmt;

use crate::params::Params;
use crate::uri::NotAUri;

/// A telephone number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TelUri {
    /// The number as written, visual separators included.
    pub number: String,
    /// `;phone-context=…` and others.
    pub params: Params,
}

impl TelUri {
    pub(super) fn parse(text: &str) -> Result<Self, NotAUri> {
        let (number, params) = crate::text::cut(text, b';');
        let digits = |c: char| c.is_ascii_hexdigit() || "+*#-.()".contains(c);
        if number.is_empty() || !number.chars().all(digits) {
            return Err(NotAUri);
        }
        let params = Params::parse_rest(params).ok_or(NotAUri)?;
        Ok(Self { number: number.to_owned(), params })
    }

    /// The number without visual separators.
    #[must_use]
    pub fn digits(&self) -> String {
        self.number.chars().filter(|c| !"-.()".contains(*c)).collect()
    }

    /// Comparison by RFC 3966 §4: numbers without separators, parameters as a set.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        let params = |uri: &Self| {
            let lower = |s: &str| s.to_ascii_lowercase();
            let mut params: Vec<_> =
                uri.params.iter().map(|(n, v)| (lower(n), v.map(lower))).collect();
            params.sort();
            params
        };
        self.digits().eq_ignore_ascii_case(&other.digits()) && params(self) == params(other)
    }
}

impl fmt::Display for TelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tel:{}{}", self.number, self.params)
    }
}
