//! Bytes of a connection become one message (RFC 9112 §6, §7.1).

use super::{Error, Fields, Message};
use crate::upnp::defaults;

/// Reads one message of a connection.
#[derive(Debug)]
pub struct Reader<M> {
    /// What was not read, from `at` on.
    bytes: Vec<u8>,
    at: usize,
    /// What has come in all.
    total: usize,
    begun: Option<(M, Framing)>,
    body: Vec<u8>,
}

/// What frames a body.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    /// A chunk's size comes next.
    ChunkSize,
    /// So many bytes of a chunk are to come.
    Chunk(usize),
    /// The end of a chunk's line.
    ChunkEnd,
    /// Fields after the last chunk.
    Trailer,
    UntilEnd,
}

impl<M: Message> Default for Reader<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Message> Reader<M> {
    /// At the beginning of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), at: 0, total: 0, begun: None, body: Vec::new() }
    }

    /// Takes bytes; the message when it is complete, after which the reader is done.
    ///
    /// # Errors
    /// [`Error`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<M>, Error> {
        self.total = self.total.saturating_add(bytes.len());
        // Small chunks take several times their size; no friendly message is as long as this.
        if self.total > defaults::HTTP_HEAD_BYTES + 2 * defaults::HTTP_BODY_BYTES {
            return Err(Error::BodyTooLong);
        }
        self.bytes.drain(..std::mem::take(&mut self.at));
        self.bytes.extend_from_slice(bytes);
        while self.begun.is_none() {
            if !self.head()? {
                return Ok(None);
            }
        }
        self.body()
    }

    /// The connection has ended: the message, if it is one without length.
    ///
    /// # Errors
    /// [`Error`] if the message is not complete.
    pub fn finish(&mut self) -> Result<M, Error> {
        match self.begun.take() {
            Some((message, Framing::UntilEnd)) => Ok(self.done(message)),
            Some((_, Framing::Length(announced))) => {
                Err(Error::Short { got: self.rest().len(), announced })
            }
            _ => Err(Error::Truncated),
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn done(&mut self, mut message: M) -> M {
        message.set_body(std::mem::take(&mut self.body));
        message
    }

    /// The next line without its end, if it has come; `long` if it does not fit in `limit` bytes.
    fn line(&mut self, limit: usize, long: Error) -> Result<Option<String>, Error> {
        let rest = self.rest();
        let window = rest.get(..limit).unwrap_or(rest);
        match window.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = window.get(..end).unwrap_or_default();
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let line = String::from_utf8_lossy(line).into_owned();
                self.at += end + 1;
                Ok(Some(line))
            }
            None if rest.len() >= limit => Err(long),
            None => Ok(None),
        }
    }

    /// Reads the head; whether there is something to go on with.
    fn head(&mut self) -> Result<bool, Error> {
        let rest = self.rest();
        // Empty lines before a message are skipped (RFC 9112 §2.2).
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.at += blank;
        let rest = self.rest();
        let Some(length) = head_length(rest) else {
            let long = rest.len() >= defaults::HTTP_HEAD_BYTES;
            return if long { Err(Error::HeadTooLong) } else { Ok(false) };
        };
        if length > defaults::HTTP_HEAD_BYTES {
            return Err(Error::HeadTooLong);
        }
        let head = String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned();
        self.at += length;
        let mut lines = head.lines();
        let mut message = M::of(lines.next().unwrap_or_default())?;
        let mut fields = fields(lines)?;
        if message.is_interim() {
            return Ok(true);
        }
        let framing = if message.is_bodiless() {
            Framing::Length(0)
        } else {
            framing(&fields, M::UNTIL_END)?
        };
        fields.0.retain(|(name, _)| {
            !["Content-Length", "Transfer-Encoding"].iter().any(|n| name.eq_ignore_ascii_case(n))
        });
        message.set_fields(fields);
        self.begun = Some((message, framing));
        Ok(true)
    }

    fn body(&mut self) -> Result<Option<M>, Error> {
        loop {
            let Some((_, framing)) = &self.begun else { return Ok(None) };
            let next = match *framing {
                Framing::Length(length) => return self.body_of(length),
                Framing::UntilEnd => {
                    self.take(usize::MAX)?;
                    return Ok(None);
                }
                Framing::ChunkSize => {
                    let long = Error::Malformed("a chunk's size is a number");
                    let Some(line) = self.line(defaults::HTTP_CHUNK_LINE_BYTES, long)? else {
                        return Ok(None);
                    };
                    match chunk_size(&line)? {
                        0 => Framing::Trailer,
                        size if size > defaults::HTTP_BODY_BYTES => return Err(Error::BodyTooLong),
                        size => Framing::Chunk(size),
                    }
                }
                Framing::Chunk(left) => match left - self.take(left)? {
                    0 => Framing::ChunkEnd,
                    left => {
                        self.set(Framing::Chunk(left));
                        return Ok(None);
                    }
                },
                Framing::ChunkEnd => {
                    let long = Error::Malformed("a chunk ends with its line");
                    match self.line(2, long.clone())?.as_deref() {
                        None => return Ok(None),
                        Some("") => Framing::ChunkSize,
                        Some(_) => return Err(long),
                    }
                }
                Framing::Trailer => {
                    match self.line(defaults::HTTP_HEAD_BYTES, Error::HeadTooLong)?.as_deref() {
                        None => return Ok(None),
                        Some("") => {
                            let message = self.begun.take().map(|(message, _)| message);
                            return Ok(message.map(|message| self.done(message)));
                        }
                        Some(_) => Framing::Trailer,
                    }
                }
            };
            self.set(next);
        }
    }

    fn set(&mut self, framing: Framing) {
        if let Some((_, at)) = &mut self.begun {
            *at = framing;
        }
    }

    fn body_of(&mut self, length: usize) -> Result<Option<M>, Error> {
        let rest = self.rest();
        let Some((body, excess)) = rest.split_at_checked(length) else { return Ok(None) };
        // Some routers end a body with a line that they do not count.
        if !excess.iter().all(|byte| byte.is_ascii_whitespace() || *byte == 0) {
            return Err(Error::Excess { announced: length });
        }
        self.body = body.to_vec();
        Ok(self.begun.take().map(|(message, _)| self.done(message)))
    }

    /// Moves up to `most` bytes to the body; how many.
    fn take(&mut self, most: usize) -> Result<usize, Error> {
        let count = self.rest().len().min(most);
        if self.body.len() + count > defaults::HTTP_BODY_BYTES {
            return Err(Error::BodyTooLong);
        }
        let bytes = self.bytes.get(self.at..self.at + count).unwrap_or_default();
        self.body.extend_from_slice(bytes);
        self.at += count;
        Ok(count)
    }
}

/// The length of a head with the empty line that ends it; lines may end with LF alone (RFC 9112 §2.2).
fn head_length(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            let line = bytes.get(start..at).unwrap_or_default();
            if line.is_empty() || line == b"\r" {
                return Some(at + 1);
            }
            start = at + 1;
        }
    }
    None
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Fields, Error> {
    let mut fields = Fields::default();
    for line in lines.filter(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            //= RFC 9112 §5.2: a folded line is read as part of the value before it
            if let Some((_, value)) = fields.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        // A line that is no field says nothing; routers send some.
        let Some((name, value)) = line.split_once(':') else { continue };
        if fields.0.len() >= defaults::HTTP_FIELDS {
            return Err(Error::HeadTooLong);
        }
        fields.0.push((name.trim().into(), value.trim().into()));
    }
    Ok(fields)
}

fn framing(fields: &Fields, until_end: bool) -> Result<Framing, Error> {
    //= RFC 9112 §6.3: Transfer-Encoding overrides Content-Length
    match fields.value("Transfer-Encoding") {
        Some(coding) if coding.eq_ignore_ascii_case("chunked") => return Ok(Framing::ChunkSize),
        Some(coding) if !coding.eq_ignore_ascii_case("identity") => {
            return Err(Error::Malformed("a transfer coding that is not known"));
        }
        _ => {}
    }
    let mut lengths =
        fields.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
    let Some((_, length)) = lengths.next() else {
        return Ok(if until_end { Framing::UntilEnd } else { Framing::Length(0) });
    };
    if lengths.any(|(_, other)| other != length) {
        return Err(Error::Malformed("two lengths"));
    }
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err(Error::Malformed("Content-Length is a number"));
    }
    match length.parse() {
        Ok(length) if length <= defaults::HTTP_BODY_BYTES => Ok(Framing::Length(length)),
        _ => Err(Error::BodyTooLong),
    }
}

fn chunk_size(line: &str) -> Result<usize, Error> {
    let size = line.split(';').next().unwrap_or_default().trim();
    let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits {
        return Err(Error::Malformed("a chunk's size is a number"));
    }
    usize::from_str_radix(size, 16).map_err(|_| Error::BodyTooLong)
}
