//! HTTP/1.1 (RFC 9112), as little of it as UPnP needs: one message each way on a connection.

mod reader;
#[cfg(test)]
mod tests;
mod url;

use super::defaults;

pub use reader::Reader;
pub(crate) use url::shown;
pub use url::{Url, UrlError};

/// The head's fields in order; names compare without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// These fields.
    #[must_use]
    pub fn of(fields: &[(&str, &str)]) -> Self {
        Self(fields.iter().map(|&(name, value)| (name.into(), value.into())).collect())
    }

    /// The value of the first field of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `M-SEARCH`, …
    pub method: String,
    /// `/rootDesc.xml`, `*`, …
    pub target: String,
    /// Its fields; what frames the body is not among them.
    pub fields: Fields,
    /// Its body.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// 200 and the like.
    pub status: u16,
    /// What the status means.
    pub reason: String,
    /// Its fields; what frames the body is not among them.
    pub fields: Fields,
    /// Its body.
    pub body: Vec<u8>,
}

/// Why a message was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not HTTP.
    #[error("not HTTP: {0}")]
    Malformed(&'static str),
    /// The head is longer than it may be.
    #[error("the head is longer than {} bytes", defaults::HTTP_HEAD_BYTES)]
    HeadTooLong,
    /// The body is longer than it may be.
    #[error("the body is longer than {} bytes", defaults::HTTP_BODY_BYTES)]
    BodyTooLong,
    /// More came than was announced.
    #[error("more came than the {announced} bytes that Content-Length announced")]
    Excess {
        /// What was announced.
        announced: usize,
    },
    /// The connection ended before the body did.
    #[error("ended after {got} bytes of the {announced} that Content-Length announced")]
    Short {
        /// What came.
        got: usize,
        /// What was announced.
        announced: usize,
    },
    /// The connection ended inside a head or a chunk.
    #[error("ended too early")]
    Truncated,
}

/// The messages that a [`Reader`] reads.
pub trait Message: Sized {
    /// Whether a body without a length goes on until the connection ends (RFC 9112 §6.3).
    const UNTIL_END: bool;

    /// The message that begins with `line`.
    ///
    /// # Errors
    /// [`Error::Malformed`] if no such message begins so.
    fn of(line: &str) -> Result<Self, Error>;

    /// Adds the fields.
    fn set_fields(&mut self, fields: Fields);

    /// Adds the body.
    fn set_body(&mut self, body: Vec<u8>);

    /// Whether a message that begins with `line` has no body and another one follows it (1xx).
    #[must_use]
    fn is_interim(&self) -> bool {
        false
    }

    /// Whether it has no body, whatever its fields say.
    #[must_use]
    fn is_bodiless(&self) -> bool {
        false
    }
}

impl Message for Request {
    const UNTIL_END: bool = false;

    fn of(line: &str) -> Result<Self, Error> {
        let mut words = line.split_ascii_whitespace();
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Error::Malformed("a request line has three words"));
        };
        if !version.starts_with("HTTP/1.") {
            return Err(Error::Malformed("not version 1"));
        }
        Ok(Self { method: method.into(), target: target.into(), ..Self::default() })
    }

    fn set_fields(&mut self, fields: Fields) {
        self.fields = fields;
    }

    fn set_body(&mut self, body: Vec<u8>) {
        self.body = body;
    }
}

impl Message for Response {
    const UNTIL_END: bool = true;

    fn of(line: &str) -> Result<Self, Error> {
        let Some(("HTTP/1.0" | "HTTP/1.1", rest)) = line.split_once(' ') else {
            return Err(Error::Malformed("a response begins with its version"));
        };
        let (status, reason) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
        let status = status.parse().ok().filter(|status| (100..=999).contains(status));
        let status = status.ok_or(Error::Malformed("a status has three digits"))?;
        Ok(Self { status, reason: reason.trim().into(), ..Self::default() })
    }

    fn set_fields(&mut self, fields: Fields) {
        self.fields = fields;
    }

    fn set_body(&mut self, body: Vec<u8>) {
        self.body = body;
    }

    fn is_interim(&self) -> bool {
        self.status < 200
    }

    fn is_bodiless(&self) -> bool {
        //= RFC 9112 §6.3: 204 and 304 have no body
        matches!(self.status, 204 | 304)
    }
}

impl Request {
    /// Writes it, with the length of its body if it has one.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let line = format!("{} {} HTTP/1.1", self.method, self.target);
        let length = (!self.body.is_empty()).then_some(self.body.len());
        write(&line, &self.fields, length, &self.body)
    }
}

impl Response {
    /// The response of this status.
    #[must_use]
    pub fn of_status(status: u16, fields: Fields, body: Vec<u8>) -> Self {
        let reason = match status {
            200 => "OK",
            301 => "Moved Permanently",
            302 => "Found",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            500 => "Internal Server Error",
            _ => "",
        };
        Self { status, reason: reason.into(), fields, body }
    }

    /// Writes it, with the length of its body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write(&self.line(), &self.fields, Some(self.body.len()), &self.body)
    }

    /// Writes it in a datagram, where no length is needed (UDA 1.1 §1.3.3).
    #[must_use]
    pub fn to_datagram(&self) -> Vec<u8> {
        write(&self.line(), &self.fields, None, &self.body)
    }

    fn line(&self) -> String {
        format!("HTTP/1.1 {} {}", self.status, self.reason)
    }
}

fn write(line: &str, fields: &Fields, length: Option<usize>, body: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    let mut push = |text: &str| {
        // Nothing that is written begins another line.
        out.extend(text.chars().filter(|char| !char.is_control()));
        out.push_str("\r\n");
    };
    push(line);
    for (name, value) in &fields.0 {
        push(&format!("{name}: {value}"));
    }
    if let Some(length) = length {
        push(&format!("Content-Length: {length}"));
    }
    push("");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}
