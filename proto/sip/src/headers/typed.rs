//! Typed access to header fields: the one table of which field holds what.

use std::str::FromStr;

use super::Headers;
use crate::header::{
    CSeq, Challenge, Contact, Contacts, ContentType, Credentials, Date, Expires, Malformed,
    MaxForwards, MinExpires, NameAddr, Reason, RetryAfter, Route, Via, name,
};
use crate::method::Method;

/// A header field is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A field that must be there is not.
    #[error("no {0}")]
    Missing(&'static str),
    /// The value does not follow the grammar.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A field that may stand once stands several times and says different things.
    #[error("more than one {0}")]
    Repeated(&'static str),
}

impl HeaderError {
    /// The field in question.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Missing(name) | Self::Malformed(name) | Self::Repeated(name) => name,
        }
    }
}

impl Headers {
    /// The top Via: where a response goes.
    ///
    /// # Errors
    /// If there is none or it is malformed; the ones below it are not looked at.
    pub fn via(&self) -> Result<Via, HeaderError> {
        let top = self.list(name::VIA).next().ok_or(HeaderError::Missing(name::VIA))?;
        top.parse().map_err(|Malformed| HeaderError::Malformed(name::VIA))
    }

    /// Every Via, top first.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        self.parsed_list(name::VIA)
    }

    /// From.
    ///
    /// # Errors
    /// If it is missing, malformed or repeated.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.required(name::FROM)
    }

    /// To.
    ///
    /// # Errors
    /// If it is missing, malformed or repeated.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.required(name::TO)
    }

    /// Call-ID.
    ///
    /// # Errors
    /// If it is missing, empty, more than a word, or repeated.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        let text = self.single(name::CALL_ID)?.ok_or(HeaderError::Missing(name::CALL_ID))?;
        let word = !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        word.then_some(text).ok_or(HeaderError::Malformed(name::CALL_ID))
    }

    /// CSeq.
    ///
    /// # Errors
    /// If it is missing, malformed or repeated.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.required(name::CSEQ)
    }

    /// Max-Forwards, if there is one.
    ///
    /// # Errors
    /// If it is no number up to 255, or repeated.
    pub fn max_forwards(&self) -> Result<Option<MaxForwards>, HeaderError> {
        self.optional(name::MAX_FORWARDS)
    }

    /// Every Contact; without any, an empty list.
    ///
    /// # Errors
    /// If one is malformed, or `*` has company.
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        if self.list(name::CONTACT).any(|item| item == "*") {
            let alone = self.list(name::CONTACT).count() == 1;
            return alone.then_some(Contacts::Any).ok_or(HeaderError::Malformed(name::CONTACT));
        }
        self.parsed_list::<Contact>(name::CONTACT).map(Contacts::List)
    }

    /// The one Contact that a dialog needs (RFC 3261 §12.1).
    ///
    /// # Errors
    /// If there is none, more than one, or a malformed one.
    pub fn contact(&self) -> Result<Contact, HeaderError> {
        match self.contacts()?.list() {
            [one] => Ok(one.clone()),
            [] => Err(HeaderError::Missing(name::CONTACT)),
            _ => Err(HeaderError::Repeated(name::CONTACT)),
        }
    }

    /// Every Route, first hop first.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn routes(&self) -> Result<Vec<Route>, HeaderError> {
        self.parsed_list(name::ROUTE)
    }

    /// Every Record-Route, as they stand.
    ///
    /// # Errors
    /// If one is malformed.
    pub fn record_routes(&self) -> Result<Vec<Route>, HeaderError> {
        self.parsed_list(name::RECORD_ROUTE)
    }

    /// Every Path (RFC 3327).
    ///
    /// # Errors
    /// If one is malformed.
    pub fn paths(&self) -> Result<Vec<Route>, HeaderError> {
        self.parsed_list(name::PATH)
    }

    /// Every Service-Route (RFC 3608).
    ///
    /// # Errors
    /// If one is malformed.
    pub fn service_routes(&self) -> Result<Vec<Route>, HeaderError> {
        self.parsed_list(name::SERVICE_ROUTE)
    }

    /// Expires, if there is one.
    ///
    /// # Errors
    /// If it is no number, or repeated.
    pub fn expires(&self) -> Result<Option<Expires>, HeaderError> {
        self.optional(name::EXPIRES)
    }

    /// Min-Expires, if there is one.
    ///
    /// # Errors
    /// If it is no number, or repeated.
    pub fn min_expires(&self) -> Result<Option<MinExpires>, HeaderError> {
        self.optional(name::MIN_EXPIRES)
    }

    /// Content-Length in bytes, if there is one.
    ///
    /// # Errors
    /// If it is no number, or repeated.
    pub fn content_length(&self) -> Result<Option<usize>, HeaderError> {
        let text = self.single(name::CONTENT_LENGTH)?;
        let number = text.map(crate::header::number).transpose();
        number.map_err(|Malformed| HeaderError::Malformed(name::CONTENT_LENGTH))
    }

    /// Content-Type, if there is one.
    ///
    /// # Errors
    /// If it is malformed or repeated.
    pub fn content_type(&self) -> Result<Option<ContentType>, HeaderError> {
        self.optional(name::CONTENT_TYPE)
    }

    /// The methods that Allow lists.
    ///
    /// # Errors
    /// If one is no token.
    pub fn allow(&self) -> Result<Vec<Method>, HeaderError> {
        self.parsed_list(name::ALLOW)
    }

    /// Date, if there is one.
    ///
    /// # Errors
    /// If it is malformed or repeated.
    pub fn date(&self) -> Result<Option<Date>, HeaderError> {
        self.optional(name::DATE)
    }

    /// Retry-After, if there is one.
    ///
    /// # Errors
    /// If it is malformed or repeated.
    pub fn retry_after(&self) -> Result<Option<RetryAfter>, HeaderError> {
        self.optional(name::RETRY_AFTER)
    }

    /// Every Reason (RFC 3326); malformed ones are passed over.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        self.list(name::REASON).filter_map(|item| item.parse().ok()).collect()
    }

    /// The challenges of `name`, which is WWW-Authenticate or Proxy-Authenticate; malformed ones
    /// are passed over.
    #[must_use]
    pub fn challenges(&self, name: &str) -> Vec<Challenge> {
        self.all(name).filter_map(|value| value.parse().ok()).collect()
    }

    /// The credentials of `name`, which is Authorization or Proxy-Authorization; malformed ones
    /// are passed over.
    #[must_use]
    pub fn credentials(&self, name: &str) -> Vec<Credentials> {
        self.all(name).filter_map(|value| value.parse().ok()).collect()
    }

    /// The value of a field that may stand once.
    fn single(&self, name: &'static str) -> Result<Option<&str>, HeaderError> {
        let mut values = self.all(name);
        let Some(first) = values.next() else { return Ok(None) };
        if values.all(|other| other == first) {
            Ok(Some(first))
        } else {
            Err(HeaderError::Repeated(name))
        }
    }

    fn optional<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, HeaderError> {
        let text = self.single(name)?;
        text.map(str::parse).transpose().map_err(|_| HeaderError::Malformed(name))
    }

    fn required<T: FromStr>(&self, name: &'static str) -> Result<T, HeaderError> {
        self.optional(name)?.ok_or(HeaderError::Missing(name))
    }

    fn parsed_list<T: FromStr>(&self, name: &'static str) -> Result<Vec<T>, HeaderError> {
        let items = self.list(name).map(str::parse).collect::<Result<_, _>>();
        items.map_err(|_| HeaderError::Malformed(name))
    }
}
