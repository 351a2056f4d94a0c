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
    /// How much of `buf` has been taken: it goes at the next push, all at once, so that many small
    /// frames in one read cost no more than one large one.
    taken: usize,
    /// How much of what waits is known not to hold the end of a header section.
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
        Self { buf: Vec::new(), taken: 0, searched: 0, opener, max_bytes, broken: false }
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
            self.buf.drain(..std::mem::take(&mut self.taken));
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
            (self.buf, self.taken) = (Vec::new(), 0);
        }
        Some(frame)
    }

    /// How many bytes wait for the rest of their message.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.waiting().len()
    }

    /// What has come and was not taken.
    fn waiting(&self) -> &[u8] {
        self.buf.get(self.taken..).unwrap_or_default()
    }

    /// Takes line ends before a message: keepalives, or what RFC 3261 §7.5 has ignored.
    fn line_ends(&mut self) -> Option<Frame> {
        if self.opener == Opener::Us {
            return self.waiting().starts_with(b"\r\n").then(|| self.skip(2, Frame::Pong));
        }
        if self.waiting().starts_with(b"\r\n\r\n") {
            return Some(self.skip(4, Frame::Ping));
        }
        // One line end may yet become a ping, unless something else follows.
        if self.waiting().starts_with(b"\r\n") && !b"\r\n\r".starts_with(self.waiting()) {
            self.taken += 2;
        }
        None
    }

    fn message(&mut self) -> Option<Result<Frame, FramingError>> {
        let waiting = self.waiting();
        match waiting.first()? {
            // The rest of a line end is still to come.
            b'\r' if b"\r\n\r".starts_with(waiting) => return None,
            byte if !crate::text::is_token_byte(*byte) => return Some(Err(FramingError::NotSip)),
            _ => {}
        }
        let unsearched = waiting.get(self.searched..)?;
        let Some(head) = parse::head_len(unsearched).map(|len| self.searched + len) else {
            let full = waiting.len() >= self.max_bytes;
            self.searched = waiting.len().saturating_sub(3);
            return full.then_some(Err(FramingError::TooLarge { head: None }));
        };
        let head_bytes = waiting.get(..head)?;
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
        (waiting.len() >= total).then(|| Ok(Frame::Message(self.take(total))))
    }

    /// Takes `n` bytes that are there.
    fn take(&mut self, n: usize) -> Vec<u8> {
        let bytes = self.waiting().get(..n).unwrap_or_default().to_vec();
        self.skip(n, bytes)
    }

    /// Passes over `n` bytes that are there: they were `what`.
    const fn skip<T>(&mut self, n: usize, what: T) -> T {
        self.searched = 0;
        self.taken += n;
        what
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
