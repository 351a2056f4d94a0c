//! HTTP/1.1 (RFC 9112), as little of it as UPnP needs: one message each way on a connection.

use super::defaults;

/// The head's fields in order; names compare without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `M-SEARCH`, …
    pub method: String,
    /// `/rootDesc.xml`, `*`, …
    pub target: String,
    /// Its fields, `Content-Length` not among them.
    pub fields: Fields,
    /// Its body.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 and the like.
    pub status: u16,
    /// What the status means.
    pub reason: String,
    /// Its fields, `Content-Length` not among them.
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
    /// The connection ended before the message did.
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

/// Which message is read.
pub trait Message: Sized {
    /// The message of these parts.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the first line is not such a message's.
    fn of(line: &str, fields: Fields, body: Vec<u8>) -> Result<Self, Error>;

    /// Whether a body without a length goes on until the connection ends.
    const UNTIL_END: bool;
}

/// Reads one message of a connection.
#[derive(Debug)]
pub struct Reader<M> {
    bytes: Vec<u8>,
    message: std::marker::PhantomData<M>,
}

impl<M: Message> Reader<M> {
    /// At the beginning of a message.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: Vec::new(), message: std::marker::PhantomData }
    }

    /// Takes bytes; the message when it is complete.
    ///
    /// # Errors
    /// [`Error`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<M>, Error> {
        self.bytes.extend_from_slice(bytes);
        Ok(None)
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// [`Error`] if the message is not complete.
    pub fn finish(&mut self) -> Result<M, Error> {
        Err(Error::Truncated)
    }
}

impl Request {
    /// Writes the request, with its length if it has a body.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Response {
    /// Writes the response with its length.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Message for Request {
    fn of(_: &str, _: Fields, _: Vec<u8>) -> Result<Self, Error> {
        Err(Error::Truncated)
    }
    const UNTIL_END: bool = false;
}

impl Message for Response {
    fn of(_: &str, _: Fields, _: Vec<u8>) -> Result<Self, Error> {
        Err(Error::Truncated)
    }
    const UNTIL_END: bool = true;
}
