//! CSeq: the order of requests (RFC 3261 §20.16).

use std::fmt;
use std::str::FromStr;

use super::Malformed;
use crate::method::Method;

/// A sequence number and the method that it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// The number.
    pub number: u32,
    /// The method.
    pub method: Method,
}

impl CSeq {
    /// A number and a method.
    #[must_use]
    pub const fn new(number: u32, method: Method) -> Self {
        Self { number, method }
    }
}

impl FromStr for CSeq {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (number, method) = text.split_once([' ', '\t']).ok_or(Malformed)?;
        Ok(Self {
            number: super::numbers::number(number)?,
            method: method.trim().parse().map_err(|_| Malformed)?,
        })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
