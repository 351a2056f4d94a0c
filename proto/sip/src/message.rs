//! Requests and responses (RFC 3261 §7).

use std::fmt::Display;

use crate::header::{CSeq, Contact, Contacts, NameAddr, Route, Via, name};
use crate::headers::{HeaderError, Headers};
use crate::method::Method;
use crate::parse::{Flaw, ParseError};
use crate::status::Status;
use crate::uri::Uri;

/// Room for a start line of the usual length, a Content-Length and the empty line.
const START_LINE_BYTES: usize = 128;

/// The protocol version of a start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Before the dot.
    pub major: u16,
    /// After the dot.
    pub minor: u16,
}

impl Version {
    /// SIP/2.0, the one that there is.
    pub const SIP_2_0: Self = Self { major: 2, minor: 0 };

    /// Reads `2.0`; a number too large is the largest.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().unwrap_or(u16::MAX))
        };
        Some(Self { major: number(major)?, minor: number(minor)? })
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Of whom.
    pub uri: Uri,
    /// The header section. Content-Length is seen to when the request is written.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    pub(crate) version: Version,
    pub(crate) flaw: Option<Flaw>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The answer as a number.
    pub status: Status,
    /// The answer in words.
    pub reason: String,
    /// The header section. Content-Length is seen to when the response is written.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    pub(crate) version: Version,
    pub(crate) flaw: Option<Flaw>,
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Request {
    /// A request with no header field yet.
    #[must_use]
    pub const fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            headers: Headers::new(),
            body: Vec::new(),
            version: Version::SIP_2_0,
            flaw: None,
        }
    }

    /// A request with what every request needs but Via, which the transport adds
    /// (RFC 3261 §8.1.1).
    #[must_use]
    pub fn with_essentials(
        method: Method,
        uri: Uri,
        from: &NameAddr,
        to: &NameAddr,
        call_id: &str,
        cseq: u32,
    ) -> Self {
        let cseq = CSeq::new(cseq, method.clone());
        Self::new(method, uri)
            .with_header(name::MAX_FORWARDS, crate::defaults::MAX_FORWARDS)
            .with_header(name::FROM, from)
            .with_header(name::TO, to)
            .with_header(name::CALL_ID, call_id)
            .with_header(name::CSEQ, cseq)
    }

    /// A response that answers this request: Via, From, To, Call-ID and CSeq are copied, and
    /// Timestamp into a 100 (RFC 3261 §8.2.6). The tag of To is the caller's to set:
    /// [`Response::set_to_tag`].
    #[must_use]
    pub fn response(&self, status: Status) -> Response {
        let mut response = Response { headers: Headers::with_room(), ..Response::new(status) };
        //= RFC 3261 §8.2.6.2: From, Call-ID, CSeq and To equal the request's, and so does the
        //  list of Via values, in its order.
        for field in [name::VIA, name::FROM, name::TO, name::CALL_ID, name::CSEQ] {
            response.headers.copy_from(&self.headers, field);
        }
        if status == Status::TRYING {
            response.headers.copy_from(&self.headers, name::TIMESTAMP);
        }
        response
    }

    /// Whether it belongs to a dialog: To has a tag.
    #[must_use]
    pub fn is_in_dialog(&self) -> bool {
        self.to().is_ok_and(|to| to.tag().is_some())
    }
}

impl Response {
    /// A response with no header field yet and the customary reason.
    #[must_use]
    pub fn new(status: Status) -> Self {
        Self {
            status,
            reason: status.reason().to_owned(),
            headers: Headers::new(),
            body: Vec::new(),
            version: Version::SIP_2_0,
            flaw: None,
        }
    }

    /// With these words instead of the customary ones.
    #[must_use]
    pub fn with_reason(mut self, reason: &str) -> Self {
        self.reason = reason.replace(['\r', '\n'], " ");
        self
    }

    /// Gives To this tag unless it has one (RFC 3261 §8.2.6.2).
    pub fn set_to_tag(&mut self, tag: &str) {
        if let Ok(to) = self.to()
            && to.tag().is_none()
        {
            self.headers.set(name::TO, to.with_tag(tag));
        }
    }
}

macro_rules! common {
    ($message:ident) => {
        impl $message {
            /// With this field at the end.
            #[must_use]
            pub fn with_header(mut self, name: &str, value: impl Display) -> Self {
                self.headers.push(name, value);
                self
            }

            /// With this body.
            #[must_use]
            pub fn with_body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
                self.headers.set(name::CONTENT_TYPE, content_type);
                self.body = body.into();
                self
            }

            /// The protocol version of the start line.
            #[must_use]
            pub const fn version(&self) -> Version {
                self.version
            }

            /// The first thing that the parser met and stepped over although no grammar allows it.
            #[must_use]
            pub const fn flaw(&self) -> Option<Flaw> {
                self.flaw
            }

            /// [`Headers::via`].
            ///
            /// # Errors
            /// If the field is missing or malformed.
            pub fn via(&self) -> Result<Via, HeaderError> {
                self.headers.via()
            }

            /// [`Headers::from`].
            ///
            /// # Errors
            /// If the field is missing, malformed or repeated.
            pub fn from(&self) -> Result<NameAddr, HeaderError> {
                self.headers.from()
            }

            /// [`Headers::to`].
            ///
            /// # Errors
            /// If the field is missing, malformed or repeated.
            pub fn to(&self) -> Result<NameAddr, HeaderError> {
                self.headers.to()
            }

            /// [`Headers::call_id`].
            ///
            /// # Errors
            /// If the field is missing, malformed or repeated.
            pub fn call_id(&self) -> Result<&str, HeaderError> {
                self.headers.call_id()
            }

            /// [`Headers::cseq`].
            ///
            /// # Errors
            /// If the field is missing, malformed or repeated.
            pub fn cseq(&self) -> Result<CSeq, HeaderError> {
                self.headers.cseq()
            }

            /// [`Headers::contacts`].
            ///
            /// # Errors
            /// If one is malformed, or `*` has company.
            pub fn contacts(&self) -> Result<Contacts, HeaderError> {
                self.headers.contacts()
            }

            /// [`Headers::contact`].
            ///
            /// # Errors
            /// If there is none, more than one, or a malformed one.
            pub fn contact(&self) -> Result<Contact, HeaderError> {
                self.headers.contact()
            }

            /// [`Headers::routes`].
            ///
            /// # Errors
            /// If one is malformed.
            pub fn routes(&self) -> Result<Vec<Route>, HeaderError> {
                self.headers.routes()
            }

            /// [`Headers::record_routes`].
            ///
            /// # Errors
            /// If one is malformed.
            pub fn record_routes(&self) -> Result<Vec<Route>, HeaderError> {
                self.headers.record_routes()
            }

            /// The bytes for the wire.
            #[must_use]
            pub fn to_bytes(&self) -> Vec<u8> {
                let mut buf = Vec::with_capacity(
                    START_LINE_BYTES + self.headers.wire_len() + self.body.len(),
                );
                self.write_to(&mut buf);
                buf
            }
        }

        impl From<$message> for Message {
            fn from(message: $message) -> Self {
                Self::$message(message)
            }
        }
    };
}

common!(Request);
common!(Response);

impl Message {
    /// Reads a whole message: a datagram, or what [`Framer`](crate::framing::Framer) cut out of
    /// a stream.
    ///
    /// Parsing is generous: it refuses only what has no representation. Whether the message is
    /// one to act on is for [`validate`](crate::validate) to say.
    ///
    /// # Errors
    /// If the bytes are no SIP message or end inside the header section.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        crate::parse::message(bytes)
    }

    /// Appends the bytes for the wire.
    pub fn write_to(&self, buf: &mut Vec<u8>) {
        match self {
            Self::Request(request) => request.write_to(buf),
            Self::Response(response) => response.write_to(buf),
        }
    }

    /// The bytes for the wire.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }

    /// The header section.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The header section, to change.
    #[must_use]
    pub const fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Self::Request(request) => &mut request.headers,
            Self::Response(response) => &mut response.headers,
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Message, Request};
    use crate::header::name;
    use crate::method::Method;
    use crate::status::Status;

    fn options() -> Request {
        let alice = "<sip:alice@example.org>".parse().unwrap();
        let bob = "<sip:bob@example.org>".parse().unwrap();
        let uri = "sip:bob@example.org".parse().unwrap();
        Request::with_essentials(Method::Options, uri, &alice, &bob, "c1", 7)
            .with_header("v", "SIP/2.0/UDP a, SIP/2.0/UDP b")
            .with_header("Via", "SIP/2.0/TCP c")
            .with_header("Timestamp", "54")
    }

    #[test]
    fn a_response_copies_what_it_must() {
        let trying = options().response(Status::TRYING);
        assert_eq!(trying.headers.list("Via").count(), 3);
        assert_eq!(trying.cseq().unwrap().number, 7);
        assert_eq!(trying.headers.first("Timestamp"), Some("54"));
        let mut ok = options().response(Status::OK);
        assert!(!ok.headers.contains(name::TIMESTAMP));
        ok.set_to_tag("t");
        ok.set_to_tag("u");
        assert_eq!(ok.to().unwrap().tag(), Some("t"));
    }

    #[test]
    fn built_and_read_back() {
        let request = options().with_body("text/plain", "hello");
        let Message::Request(read) = Message::parse(&request.to_bytes()).unwrap() else {
            panic!("a response")
        };
        assert_eq!(read.body, b"hello");
        assert_eq!(read.headers.content_length(), Ok(Some(5)));
        assert_eq!(read.flaw(), None);
        assert_eq!(Message::from(read.clone()).to_bytes(), request.to_bytes());
    }
}
