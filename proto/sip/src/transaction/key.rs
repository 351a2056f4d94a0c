//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use crate::header::{CSeq, Via, name};
use crate::headers::Headers;
use crate::message::Request;
use crate::method::Method;

/// The key of a client transaction: our branch and the method.
#[must_use]
pub fn client(branch: &str, method: &Method) -> String {
    format!("{branch} {method}")
}

/// The key of the client transaction that a response answers.
#[must_use]
pub fn of_response(headers: &Headers) -> Option<String> {
    let via: Via = headers.list(name::VIA).next()?.parse().ok()?;
    let cseq: CSeq = headers.first(name::CSEQ)?.parse().ok()?;
    Some(client(via.branch()?, &cseq.method))
}

/// The key of the server transaction that a request with this top Via belongs to, as if its method
/// were `method`: an ACK and a CANCEL are looked up as the INVITE.
#[must_use]
pub fn server(request: &Request, via: &Via, method: &Method) -> String {
    match via.branch() {
        //= RFC 3261 §17.2.3: branch, sent-by and method.
        Some(branch) if via.has_unique_branch() => {
            format!("{branch} {} {method}", via.sent_by())
        }
        _ => legacy(request, via, method),
    }
}

/// Peers of RFC 2543 have no unique branch: the Request-URI, From, Call-ID, CSeq and Via stand
/// for it. (The tag of To, by which §17.2.3 would tell an ACK of another fork, is left out: an ACK
/// has it and its INVITE has not.)
fn legacy(request: &Request, via: &Via, method: &Method) -> String {
    let field = |name| request.headers.first(name).unwrap_or("");
    let number = field(name::CSEQ).split_whitespace().next().unwrap_or("");
    let (uri, from, call) = (&request.uri, field(name::FROM), field(name::CALL_ID));
    let branch = via.branch().unwrap_or("");
    format!("2543 {uri} {from} {call} {number} {} {branch} {method}", via.sent_by())
}
