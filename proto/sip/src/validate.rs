//! Whether a message is one to act on, and which status is owed if not (RFC 3261 §8.2, §16.3).
//!
//! Parsing refuses only what has no representation; what the rules of the protocol refuse is
//! decided here, a rule a function, so that each kind of element picks those that concern it:
//! everybody [`request`] and [`response`], a proxy also [`hops`], [`loops`] and [`extensions`] of
//! Proxy-Require, a server also [`scheme`] and [`extensions`] of Require.

use crate::defaults;
use crate::header::{CSeq, Via, name};
use crate::headers::{HeaderError, Headers};
use crate::message::{Request, Response, Version};
use crate::method::Method;
use crate::status::Status;

/// What is wrong with a message, and the answer that it earns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    status: Status,
    reason: String,
    /// What a 420 lists in Unsupported.
    unsupported: Vec<String>,
}

impl Invalid {
    fn new(status: Status, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), unsupported: Vec::new() }
    }

    fn broken(reason: impl ToString) -> Self {
        Self::new(Status::BAD_REQUEST, format!("Bad Request: {}", reason.to_string()))
    }

    /// The status that is owed if the message is a request that can be answered.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// The reason phrase, which names the fault (RFC 3261 §21.4.1).
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The response that is owed for `request`; `None` for an ACK, which is never answered.
    /// Its To has no tag of ours yet.
    #[must_use]
    pub fn response(&self, request: &Request) -> Option<Response> {
        //= RFC 3261 §17.1.1.3: there is no response to an ACK.
        if request.method == Method::Ack {
            return None;
        }
        let mut response = request.response(self.status).with_reason(&self.reason);
        //= RFC 3261 §8.2.2.3: a 420 lists the extensions that were not understood.
        if !self.unsupported.is_empty() {
            response.headers.push(name::UNSUPPORTED, self.unsupported.join(", "));
        }
        Some(response)
    }
}

impl From<HeaderError> for Invalid {
    fn from(error: HeaderError) -> Self {
        Self::broken(error)
    }
}

/// How large the parts of a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the Request-URI; above, 414.
    pub uri_bytes: usize,
    /// Header fields, and elements of one list; above, 513.
    pub headers: usize,
    /// Bytes of one header field; above, 513.
    pub header_bytes: usize,
    /// Bytes of the body; above, 413.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            uri_bytes: defaults::MAX_URI_BYTES,
            headers: defaults::MAX_HEADERS,
            header_bytes: defaults::MAX_HEADER_BYTES,
            body_bytes: defaults::MAX_BODY_BYTES,
        }
    }
}

/// What everybody must find right with a request, within the default [`Limits`].
///
/// # Errors
/// 505, 414, 513, 413 or 400.
pub fn request(request: &Request) -> Result<(), Invalid> {
    request_within(request, &Limits::default())
}

/// What everybody must find right with a request, within these limits.
///
/// # Errors
/// 505, 414, 513, 413 or 400.
pub fn request_within(request: &Request, limits: &Limits) -> Result<(), Invalid> {
    if request.version() != Version::SIP_2_0 {
        return Err(Invalid::new(Status::VERSION_NOT_SUPPORTED, "Version Not Supported"));
    }
    sizes(request, limits)?;
    if let Some(flaw) = request.flaw() {
        return Err(Invalid::broken(flaw));
    }
    request_uri(request)?;
    let cseq = essentials(&request.headers)?;
    body_length(&request.headers, &request.body)?;
    //= RFC 3261 §8.1.1.5: the method of CSeq is the request's; its number is below 2^31.
    if cseq.method != request.method {
        return Err(Invalid::broken("CSeq is of another method"));
    }
    if cseq.number >= 1 << 31 {
        return Err(Invalid::broken("CSeq is too large"));
    }
    request.headers.max_forwards()?;
    request.headers.routes()?;
    request.headers.record_routes()?;
    request.headers.contacts()?;
    Ok(())
}

/// What everybody must find right with a response. A response that is not is dropped; nothing is
/// ever owed for it.
///
/// # Errors
/// What is wrong; its status has no meaning.
pub fn response(response: &Response) -> Result<(), Invalid> {
    if response.version() != Version::SIP_2_0 {
        return Err(Invalid::new(Status::VERSION_NOT_SUPPORTED, "Version Not Supported"));
    }
    header_sizes(&response.headers, &Limits::default())?;
    if let Some(flaw) = response.flaw() {
        return Err(Invalid::broken(flaw));
    }
    // What is wrong with the other fields may be what the response is about.
    response.via()?;
    response.cseq()?;
    body_length(&response.headers, &response.body)
}

/// Whether a response that reached a user agent was meant for it: more than one Via says that it
/// was not (RFC 3261 §8.1.3.3).
#[must_use]
pub fn has_one_via(response: &Response) -> bool {
    response.headers.list(name::VIA).count() == 1
}

/// Whether the Request-URI is of a scheme that we can do something with.
///
/// # Errors
/// 416.
pub fn scheme(request: &Request, known: &[&str]) -> Result<(), Invalid> {
    let scheme = request.uri.scheme().unwrap_or_default();
    if known.iter().any(|k| k.eq_ignore_ascii_case(scheme)) {
        return Ok(());
    }
    //= RFC 3261 §8.2.2.1, §16.3 step 2: 416 for a scheme that is not understood.
    Err(Invalid::new(Status::UNSUPPORTED_URI_SCHEME, Status::UNSUPPORTED_URI_SCHEME.reason()))
}

/// Whether every extension that `field` (Require or Proxy-Require) asks for is `supported`.
///
/// # Errors
/// 420 with those that are not.
pub fn extensions(request: &Request, field: &str, supported: &[&str]) -> Result<(), Invalid> {
    //= RFC 3261 §8.2.2.3: Require counts neither in a CANCEL nor in an ACK for a failure.
    if matches!(request.method, Method::Ack | Method::Cancel) {
        return Ok(());
    }
    let known = |tag: &&str| supported.iter().any(|s| s.eq_ignore_ascii_case(tag));
    let unknown = request.headers.list(field).filter(|tag| !known(tag));
    let unsupported: Vec<_> = unknown.map(str::to_owned).collect();
    if unsupported.is_empty() {
        return Ok(());
    }
    let reason = Status::BAD_EXTENSION.reason();
    Err(Invalid { unsupported, ..Invalid::new(Status::BAD_EXTENSION, reason) })
}

/// Whether a request may go one hop further.
///
/// # Errors
/// 483 if Max-Forwards is used up, 400 if it is malformed.
pub fn hops(request: &Request) -> Result<(), Invalid> {
    //= RFC 3261 §16.3 step 3: at 0 the request is not forwarded.
    match request.headers.max_forwards()? {
        Some(hops) if hops.0 == 0 => {
            Err(Invalid::new(Status::TOO_MANY_HOPS, Status::TOO_MANY_HOPS.reason()))
        }
        _ => Ok(()),
    }
}

/// A mark over all that decides where a request is routed: a proxy writes it at the end of its
/// branch, and knows by it a request that comes back unchanged (RFC 3261 §16.6 step 8, RFC 5393
/// §4.2). A request that comes back for another destination is a spiral, which is allowed.
#[must_use]
pub fn loop_mark(request: &Request) -> String {
    let uri = request.uri.to_string();
    let mut parts: Vec<&[u8]> = vec![request.method.as_str().as_bytes(), b"\n", uri.as_bytes()];
    let fields =
        [name::ROUTE, name::CALL_ID, name::CSEQ, name::FROM, name::TO, name::PROXY_REQUIRE];
    for value in fields.iter().flat_map(|field| request.headers.list(field)) {
        parts.extend([b"\n", value.as_bytes()]);
    }
    let hash = crypto::sha256(&parts);
    crypto::to_hex(hash.first_chunk::<8>().expect("a hash is longer than a mark"))
}

/// Whether the request has been here, as it is now: one of its Via is `ours` and its branch ends
/// in this request's [`loop_mark`].
///
/// # Errors
/// 482.
pub fn loops(request: &Request, ours: impl Fn(&Via) -> bool) -> Result<(), Invalid> {
    let vias = request.headers.list(name::VIA).filter_map(|item| item.parse().ok());
    let mut visits = vias.take(usize::from(u8::MAX)).filter(ours).peekable();
    // Most requests have not been here, and need no mark.
    if visits.peek().is_none() {
        return Ok(());
    }
    let mark = loop_mark(request);
    //= RFC 3261 §16.3 step 4: a request that looped earns a 482.
    if visits.any(|via| via.branch().is_some_and(|branch| branch.ends_with(&mark))) {
        return Err(Invalid::new(Status::LOOP_DETECTED, Status::LOOP_DETECTED.reason()));
    }
    Ok(())
}

fn sizes(request: &Request, limits: &Limits) -> Result<(), Invalid> {
    if request.uri.to_string().len() > limits.uri_bytes {
        let status = Status::REQUEST_URI_TOO_LONG;
        return Err(Invalid::new(status, status.reason()));
    }
    header_sizes(&request.headers, limits)?;
    if request.body.len() > limits.body_bytes {
        let status = Status::REQUEST_ENTITY_TOO_LARGE;
        return Err(Invalid::new(status, status.reason()));
    }
    Ok(())
}

fn header_sizes(headers: &Headers, limits: &Limits) -> Result<(), Invalid> {
    let long = headers.iter().any(|h| h.name().len() + h.value().len() > limits.header_bytes);
    let hops = headers.list(name::VIA).count();
    if headers.len() > limits.headers || hops > limits.headers || long {
        let status = Status::MESSAGE_TOO_LARGE;
        return Err(Invalid::new(status, status.reason()));
    }
    Ok(())
}

fn request_uri(request: &Request) -> Result<(), Invalid> {
    if request.uri.is_malformed() {
        return Err(Invalid::broken("malformed Request-URI"));
    }
    //= RFC 3261 §19.1.1, table 1: a Request-URI has no headers.
    if request.uri.as_sip().is_some_and(|uri| uri.has_headers()) {
        return Err(Invalid::broken("headers in the Request-URI"));
    }
    Ok(())
}

/// Finds the fields that every request has; gives CSeq.
fn essentials(headers: &Headers) -> Result<CSeq, Invalid> {
    //= RFC 3261 §8.1.1: a request has at least To, From, CSeq, Call-ID, Max-Forwards and Via;
    //  without Max-Forwards, those of RFC 2543 are let pass (§16.3 step 3).
    headers.via()?;
    headers.from()?;
    headers.to()?;
    headers.call_id()?;
    Ok(headers.cseq()?)
}

fn body_length(headers: &Headers, body: &[u8]) -> Result<(), Invalid> {
    //= RFC 3261 §18.3: a datagram that ends before its body does is answered with a 400.
    if headers.content_length()?.is_some_and(|length| length != body.len()) {
        return Err(Invalid::broken("the body is shorter than Content-Length"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
