//! From bytes to a message (RFC 3261 §7), refusing only what has no representation.
//!
//! What is against the grammar and yet can be stepped over is noted as the message's [`Flaw`]; the
//! validator answers it. Values of header fields are not looked at here.

use std::borrow::Cow;

use crate::header::name;
use crate::headers::{Header, Headers};
use crate::message::{Message, Request, Response, Version};
use crate::status::Status;
use crate::text;
use crate::uri::Uri;

/// The bytes are no SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but line ends: a keepalive, not a message.
    #[error("empty")]
    Empty,
    /// The first line is that of no SIP message.
    #[error("not a SIP start line")]
    StartLine,
    /// The header section has no end.
    #[error("ended inside the header section")]
    Incomplete,
}

/// A fault that parsing stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// White space too much in the start line.
    #[error("white space in the start line")]
    StartLine,
    /// A line of the header section is no field; it was left out.
    #[error("a line that is no header field")]
    HeaderLine,
    /// A carriage return or line feed that ends no line.
    #[error("a stray line end")]
    LineEnd,
}

/// The length of the header section, its final empty line included, if all of it is there.
pub(crate) fn head_len(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

/// Reads a whole message.
pub(crate) fn message(bytes: &[u8]) -> Result<Message, ParseError> {
    //= RFC 3261 §7.5: line ends before the start line are passed over.
    let start = bytes.iter().position(|b| !matches!(b, b'\r' | b'\n')).ok_or(ParseError::Empty)?;
    let bytes = bytes.get(start..).unwrap_or_default();
    let (line, _) = split_line(bytes).ok_or(ParseError::StartLine)?;
    let line = std::str::from_utf8(line).map_err(|_| ParseError::StartLine)?;
    let mut message = start_line(line)?;
    let head = head_len(bytes).ok_or(ParseError::Incomplete)?;
    let (head, rest) = bytes.split_at_checked(head).ok_or(ParseError::Incomplete)?;
    let (headers, flaw) = header_section(head.get(line.len() + 2..).unwrap_or_default());
    let body = body(&headers, rest).to_vec();
    match &mut message {
        Message::Request(request) => {
            (request.headers, request.body) = (headers, body);
            request.flaw = request.flaw.or(flaw);
        }
        Message::Response(response) => {
            (response.headers, response.body) = (headers, body);
            response.flaw = response.flaw.or(flaw);
        }
    }
    Ok(message)
}

/// What Content-Length leaves of the bytes after the header section.
fn body<'a>(headers: &Headers, rest: &'a [u8]) -> &'a [u8] {
    //= RFC 3261 §18.3: bytes after the body are discarded. What is missing is the validator's.
    let length = headers.content_length().ok().flatten();
    length.and_then(|length| rest.get(..length)).unwrap_or(rest)
}

/// A line without its end, and what follows.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let end = from + bytes.get(from..)?.iter().position(|&b| b == b'\r')?;
        match bytes.get(end + 1..)?.split_first() {
            Some((b'\n', rest)) => return Some((bytes.get(..end)?, rest)),
            _ => from = end + 1,
        }
    }
}

fn start_line(line: &str) -> Result<Message, ParseError> {
    if let Some((version, rest)) = status_version(line) {
        return status_line(version, rest).map(Message::Response);
    }
    let trimmed = text::trim(line);
    let (method, rest) = trimmed.split_once([' ', '\t']).ok_or(ParseError::StartLine)?;
    let (uri, version) = rest.rsplit_once([' ', '\t']).ok_or(ParseError::StartLine)?;
    let mut request = Request::new(
        method.parse().map_err(|_| ParseError::StartLine)?,
        Uri::parse_leniently(text::trim(uri)),
    );
    request.version = sip_version(version).ok_or(ParseError::StartLine)?;
    //= RFC 3261 §7.1: single spaces separate the parts, and there is no other white space.
    let tidy = trimmed == line && text::trim(uri) == uri && !line.contains('\t');
    request.flaw = (!tidy || line.contains(['\r', '\n'])).then_some(Flaw::StartLine);
    Ok(Message::Request(request))
}

/// `SIP/x.y` at the start of a status line, and what follows the space.
fn status_version(line: &str) -> Option<(Version, &str)> {
    let (version, rest) = line.split_once(' ')?;
    Some((sip_version(version)?, rest))
}

fn status_line(version: Version, rest: &str) -> Result<Response, ParseError> {
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let code = crate::header::number(code).map_err(|_| ParseError::StartLine)?;
    let mut response = Response::new(Status::new(code).ok_or(ParseError::StartLine)?);
    reason.clone_into(&mut response.reason);
    response.version = version;
    response.flaw = reason.contains(['\r', '\n']).then_some(Flaw::LineEnd);
    Ok(response)
}

/// `SIP/2.0`.
fn sip_version(text: &str) -> Option<Version> {
    let (protocol, version) = text.split_once('/')?;
    Version::parse(version).filter(|_| protocol.eq_ignore_ascii_case("SIP"))
}

/// Reads fields up to the empty line.
fn header_section(mut bytes: &[u8]) -> (Headers, Option<Flaw>) {
    let (mut headers, mut flaw) = (Headers::with_room(), None);
    while let Some((raw, rest)) = field_lines(bytes) {
        bytes = rest;
        if raw == b"\r\n" {
            break;
        }
        match field(raw) {
            Some((header, its)) => {
                headers.push_header(header);
                flaw = flaw.or(its);
            }
            None => flaw = flaw.or(Some(Flaw::HeaderLine)),
        }
    }
    (headers, flaw)
}

/// One field with the lines that continue it, line ends included.
pub(crate) fn field_lines(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = 0;
    loop {
        let (line, rest) = split_line(bytes.get(end..)?)?;
        end += line.len() + 2;
        //= RFC 3261 §7.3.1: a line that begins with white space continues the one before.
        if line.is_empty() || !matches!(rest.first(), Some(b' ' | b'\t')) {
            return bytes.split_at_checked(end);
        }
    }
}

/// Reads one field from its lines.
fn field(raw: &[u8]) -> Option<(Header, Option<Flaw>)> {
    let (name, value) = name_and_value(raw)?;
    let value = unfold(value);
    let stray = value.iter().any(|b| matches!(b, b'\r' | b'\n'));
    let flaw = stray.then_some(Flaw::LineEnd);
    // Names in other character sets are common, and harmless: the field's own text is kept.
    let value = String::from_utf8_lossy(&value);
    Some((Header::received(name, text::trim(&value).to_owned(), raw), flaw))
}

/// The name of a field and what follows its colon.
pub(crate) fn name_and_value(raw: &[u8]) -> Option<(&str, &[u8])> {
    let colon = raw.iter().position(|&b| b == b':')?;
    let (name, value) = raw.split_at_checked(colon)?;
    let name = std::str::from_utf8(name).ok()?.trim_end_matches([' ', '\t', '\r', '\n']);
    text::is_token(name).then_some((name, value.get(1..)?))
}

/// Joins continued lines: a line end and the white space around it become one space.
fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.strip_suffix(b"\r\n").unwrap_or(value);
    if split_line(value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut joined = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((line, tail)) = split_line(rest) {
        joined.extend_from_slice(line.trim_ascii_end());
        joined.push(b' ');
        rest = tail.trim_ascii_start();
    }
    joined.extend_from_slice(rest);
    Cow::Owned(joined)
}

/// Whether a raw field is `wanted`, in long or compact form: its value, trimmed.
pub(crate) fn value_of<'a>(raw: &'a [u8], wanted: &str) -> Option<&'a str> {
    let (found, value) = name_and_value(raw)?;
    let value = std::str::from_utf8(value).ok()?;
    (name::canonical(found) == wanted).then(|| text::trim(value))
}

#[cfg(test)]
mod tests;
