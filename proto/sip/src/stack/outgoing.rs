//! Requests as they go out: with our Via, to the next hop, and what follows them.

use machine::{Endpoint, Transport};

use crate::header::{CSeq, Via, name};
use crate::headers::Headers;
use crate::message::Request;
use crate::method::Method;
use crate::transport::locate::Place;
use crate::transport::{Flow, flow};
use crate::uri::{SipUri, Uri};

/// The request with our Via, and that Via.
pub(super) fn render(
    request: &Request,
    flow: &Flow,
    sent_by: Endpoint,
    branch: &str,
) -> (Via, Vec<u8>) {
    let protocol = flow::protocol(flow.transport);
    let via = Via::new(protocol, sent_by.ip().into(), Some(sent_by.port()), branch);
    let mut request = request.clone();
    request.headers.push_front(name::VIA, &via);
    let bytes = request.to_bytes();
    (via, bytes)
}

/// An ACK or CANCEL that goes after `request`: same Request-URI, Via, From, To, Call-ID, Route and
/// CSeq number (RFC 3261 §9.1, §17.1.1.3).
pub(super) fn follow_up(request: &Request, method: Method, via: &Via) -> Request {
    let mut headers = Headers::new();
    headers.push(name::VIA, via);
    for field in [name::MAX_FORWARDS, name::FROM, name::TO, name::CALL_ID, name::ROUTE] {
        headers.copy_from(&request.headers, field);
    }
    let cseq = request.headers.first(name::CSEQ).and_then(|cseq| cseq.parse::<CSeq>().ok());
    let number = cseq.map_or(1, |cseq| cseq.number);
    headers.push(name::CSEQ, CSeq::new(number, method.clone()));
    let mut follow_up = Request::new(method, request.uri.clone());
    follow_up.headers = headers;
    follow_up
}

/// Where a request goes by itself (RFC 3261 §8.1.2, §16.6 step 7): its first Route if that is a
/// loose router, else its Request-URI, into which a strict router was written.
pub(super) fn next_hop(request: &Request) -> Uri {
    let first = request.headers.list(name::ROUTE).next();
    let route = first.and_then(|text| text.parse::<crate::header::Route>().ok());
    match route {
        Some(route) if route.uri.as_sip().is_some_and(SipUri::is_loose_router) => route.uri,
        _ => request.uri.clone(),
    }
}

pub(super) fn place_of(uri: &SipUri) -> Option<Place> {
    let host = uri.params.get("maddr").unwrap_or_else(|| uri.host.as_str());
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let transport = match uri.transport().map(str::to_ascii_lowercase).as_deref() {
        None | Some("") => None,
        Some("udp") => Some(Transport::Udp),
        Some("tcp") => Some(Transport::Tcp),
        Some("tls") => Some(Transport::Tls),
        Some(_) => return None,
    };
    let transport = if uri.secure { Some(Transport::Tls) } else { transport };
    Some(Place { host, port: uri.port, transport, secure: uri.secure })
}
