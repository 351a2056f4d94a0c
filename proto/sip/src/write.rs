//! From a message to bytes (RFC 3261 §7).

use std::fmt;
use std::io::Write as _;

use crate::header::name;
use crate::headers::Headers;
use crate::message::{Request, Response, Version};

impl Request {
    /// Appends the bytes for the wire.
    pub fn write_to(&self, buf: &mut Vec<u8>) {
        line(buf, format_args!("{} {} {}", self.method, self.uri, self.version));
        headers_and_body(buf, &self.headers, &self.body);
    }
}

impl Response {
    /// Appends the bytes for the wire.
    pub fn write_to(&self, buf: &mut Vec<u8>) {
        line(buf, format_args!("{} {} {}", self.version, self.status, self.reason));
        headers_and_body(buf, &self.headers, &self.body);
    }
}

fn line(buf: &mut Vec<u8>, args: fmt::Arguments<'_>) {
    write!(buf, "{args}\r\n").expect("a Vec takes what is written");
}

/// Fields as they stand; Content-Length is added where it is missing and replaced where it lies.
fn headers_and_body(buf: &mut Vec<u8>, headers: &Headers, body: &[u8]) {
    let told = headers.content_length() == Ok(Some(body.len()));
    for header in headers.iter().filter(|h| told || h.name() != name::CONTENT_LENGTH) {
        header.write_to(buf);
    }
    if !told {
        line(buf, format_args!("{}: {}", name::CONTENT_LENGTH, body.len()));
    }
    buf.extend_from_slice(b"\r\n");
    buf.extend_from_slice(body);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/{}.{}", self.major, self.minor)
    }
}
