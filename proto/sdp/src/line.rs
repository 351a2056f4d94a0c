//! One line, kept as it came.

/// How a line ends. RFC 8866 §5 wants CRLF and has parsers accept a bare LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Carriage return and line feed.
    CrLf,
    /// A bare line feed.
    Lf,
    /// The text ended; written as CRLF should another line come after it.
    None,
}

impl Ending {
    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
            Self::None => b"",
        }
    }
}

/// One line without its ending. Anything goes: `kind=value` is what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    raw: Vec<u8>,
    ending: Ending,
}

impl Line {
    /// The line `kind=value`, ended with CRLF. Line breaks and NUL, which would make other lines of
    /// it, are left out of `value`.
    #[must_use]
    pub fn new(kind: u8, value: &str) -> Self {
        let mut raw = vec![kind, b'='];
        raw.extend(value.bytes().filter(|b| !matches!(b, b'\r' | b'\n' | 0)));
        Self { raw, ending: Ending::CrLf }
    }

    /// The attribute `a=name:value`, or `a=name` without a value.
    #[must_use]
    pub fn attribute(name: &str, value: &str) -> Self {
        match value {
            "" => Self::new(b'a', name),
            _ => Self::new(b'a', &format!("{name}:{value}")),
        }
    }

    /// Cuts the first line off `text`; `None` at its end.
    pub(crate) fn cut<'a>(text: &mut &'a [u8]) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let (line, rest): (&'a [u8], &'a [u8]) = match text.iter().position(|&b| b == b'\n') {
            Some(at) => text.split_at(at + 1),
            None => (text, &[]),
        };
        *text = rest;
        let (raw, ending) = match line {
            [raw @ .., b'\r', b'\n'] => (raw, Ending::CrLf),
            [raw @ .., b'\n'] => (raw, Ending::Lf),
            raw => (raw, Ending::None),
        };
        Some(Self { raw: raw.to_vec(), ending })
    }

    /// The type letter, if the line has the form `kind=value`.
    #[must_use]
    pub fn kind(&self) -> Option<u8> {
        match self.raw.as_slice() {
            [kind, b'=', ..] => Some(*kind),
            _ => None,
        }
    }

    /// What follows `kind=`; empty if the line has no such form or is not UTF-8.
    #[must_use]
    pub fn value(&self) -> &str {
        match self.raw.as_slice() {
            [_, b'=', value @ ..] => std::str::from_utf8(value).unwrap_or(""),
            _ => "",
        }
    }

    /// Name and value, if the line is an attribute; the value is empty for a flag.
    #[must_use]
    pub fn as_attribute(&self) -> Option<(&str, &str)> {
        if self.kind() != Some(b'a') {
            return None;
        }
        let text = self.value();
        Some(text.split_once(':').unwrap_or((text, "")))
    }

    /// The line as it came, without its ending.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// How it ends.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        self.ending
    }
}
