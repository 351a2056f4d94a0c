//! Messages out of a byte stream (RFC 3261 §18.3), and the keepalives between them
//! (RFC 5626 §4.4.1).
//!
//! Content-Length alone says where a message ends. Once it is missing or wrong, nothing tells
//! where the next message begins: the connection must be closed.

use crate::defaults;
use crate::header::{name, number};
use crate::parse;
use crate::status::Status;

/// Cuts one direction of a connection into frames.
#[derive(Debug)]
pub struct Framer {
    buf: Vec<u8>,
    /// How much of `buf` is known not to hold the end of a header section.
    searched: usize,
    opener: Opener,
    max_bytes: usize,
    broken: bool,
}

/// Who opened the connection, and therefore sends the pings on it (RFC 5626 §4.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opener {
    Us,
    Peer,
}

/// What stands in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message.
    Message(Vec<u8>),
    /// A double line end on a connection that the peer opened: answer with one line end.
    Ping,
    /// A line end on a connection that we opened: the answer to a ping.
    Pong,
}

/// The stream cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// What begins here is no SIP message.
    #[error("not SIP")]
    NotSip,
    /// A message exceeds the limit. `head` is its header section if that was complete.
    #[error("message too large")]
    TooLarge {
        /// Enough to answer it with.
        head: Option<Vec<u8>>,
    },
    /// Content-Length is missing, malformed or contradicts itself.
    #[error("no usable Content-Length")]
    Length {
        /// The header section: enough to answer it with.
        head: Vec<u8>,
    },
}

impl FramingError {
    /// The header section of the message that broke the stream and the status that is owed for it
    /// before the connection is closed, if it is a request.
    #[must_use]
    pub fn owed(&self) -> Option<(&[u8], Status)> {
        match self {
            Self::TooLarge { head: Some(head) } => Some((head, Status::MESSAGE_TOO_LARGE)),
            Self::Length { head } => Some((head, Status::BAD_REQUEST)),
            Self::NotSip | Self::TooLarge { head: None } => None,
        }
    }
}

impl Framer {
    /// For a connection that the peer opened: double line ends are pings.
    #[must_use]
    pub const fn accepted() -> Self {
        Self::new(Opener::Peer)
    }

    /// For a connection that we opened: line ends are pongs.
    #[must_use]
    pub const fn opened() -> Self {
        Self::new(Opener::Us)
    }

    const fn new(opener: Opener) -> Self {
        let max_bytes = defaults::MAX_MESSAGE_BYTES;
        Self { buf: Vec::new(), searched: 0, opener, max_bytes, broken: false }
    }

    /// With another limit for one message.
    #[must_use]
    pub const fn with_limit(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Takes bytes off the stream. Drain [`next_frame`](Self::next_frame) after each call: what
    /// stays buffered then is less than one message.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.broken {
            self.buf.extend_from_slice(bytes);
        }
    }

    /// The next frame, or `None` until more bytes come. After an error there is never another.
    pub fn next_frame(&mut self) -> Option<Result<Frame, FramingError>> {
        if let Some(keepalive) = self.line_ends() {
            return Some(Ok(keepalive));
        }
        let frame = self.message()?;
        if frame.is_err() {
            self.broken = true;
            self.buf = Vec::new();
        }
        Some(frame)
    }

    /// How many bytes wait for the rest of their message.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buf.len()
    }

    /// Takes line ends before a message: keepalives, or what RFC 3261 §7.5 has ignored.
    fn line_ends(&mut self) -> Option<Frame> {
        if self.opener == Opener::Us {
            return self.buf.starts_with(b"\r\n").then(|| self.take(2)).map(|_| Frame::Pong);
        }
        if self.buf.starts_with(b"\r\n\r\n") {
            self.take(4);
            return Some(Frame::Ping);
        }
        // One line end may yet become a ping, unless something else follows.
        if self.buf.starts_with(b"\r\n") && !b"\r\n\r".starts_with(&self.buf) {
            self.take(2);
        }
        None
    }

    fn message(&mut self) -> Option<Result<Frame, FramingError>> {
        match self.buf.first()? {
            // The rest of a line end is still to come.
            b'\r' if b"\r\n\r".starts_with(&self.buf) => return None,
            byte if !crate::text::is_token_byte(*byte) => return Some(Err(FramingError::NotSip)),
            _ => {}
        }
        let unsearched = self.buf.get(self.searched..)?;
        let Some(head) = parse::head_len(unsearched).map(|len| self.searched + len) else {
            self.searched = self.buf.len().saturating_sub(3);
            let full = self.buf.len() >= self.max_bytes;
            return full.then_some(Err(FramingError::TooLarge { head: None }));
        };
        let head_bytes = self.buf.get(..head)?;
        if head > self.max_bytes {
            return Some(Err(FramingError::TooLarge { head: Some(head_bytes.to_vec()) }));
        }
        //= RFC 3261 §18.3: on a stream, Content-Length says where the body ends.
        let Some(length) = content_length(head_bytes) else {
            return Some(Err(FramingError::Length { head: head_bytes.to_vec() }));
        };
        let total = head.saturating_add(length);
        if total > self.max_bytes {
            return Some(Err(FramingError::TooLarge { head: Some(head_bytes.to_vec()) }));
        }
        (self.buf.len() >= total).then(|| Ok(Frame::Message(self.take(total))))
    }

    /// Takes `n` bytes that are there.
    fn take(&mut self, n: usize) -> Vec<u8> {
        self.searched = 0;
        let rest = self.buf.split_off(n);
        std::mem::replace(&mut self.buf, rest)
    }
}

/// The one Content-Length of a header section; a number too large is the largest.
fn content_length(head: &[u8]) -> Option<usize> {
    let (_start_line, mut rest) = parse::field_lines(head)?;
    let mut found: Option<&str> = None;
    while let Some((field, tail)) = parse::field_lines(rest) {
        rest = tail;
        if let Some(value) = parse::value_of(field, name::CONTENT_LENGTH) {
            if found.is_some_and(|other| other != value) {
                return None;
            }
            found = Some(value);
        }
    }
    let digits = found.filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    (!digits.is_empty()).then(|| number(digits).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests;
