//! The stateless Binding server (RFC 8489 §12), with answers for clients of RFC 3489.
//!
//! It answers one datagram with at most one, to where it came from, from what stands in it
//! alone. An answer is at most [`MAX_GROWTH_BYTES`] longer than its request, and goes only to an
//! address that a request can have come from.
//!
//! [`MAX_GROWTH_BYTES`]: crate::defaults::MAX_GROWTH_BYTES
//!
//! It obeys neither RESPONSE-ADDRESS nor CHANGE-REQUEST of RFC 3489, and answers 420 to both: the
//! first would aim answers at third parties, the second needs a second address.

use machine::{AddressClass, Endpoint};

use crate::attribute::{UNDERSTOOD, error_code};
use crate::message::Error;
use crate::{Builder, Class, ErrorCode, Message, Method};

/// Answers the Binding request `bytes` that came from `remote`, into `answer`, whose contents are
/// dropped. Says whether there is an answer: to anything else there is none.
///
/// Allocates nothing when `answer` has room and the request has no unknown attributes.
pub fn answer(bytes: &[u8], remote: Endpoint, answer: &mut Vec<u8>) -> bool {
    answer.clear();
    let (request, classic) = match Message::parse(bytes) {
        Ok(request) => (request, false),
        Err(Error::NotStun) => match Message::parse_classic(bytes) {
            Ok(request) => (request, true),
            Err(_) => return false,
        },
        Err(_) => return false,
    };
    if (request.class(), request.method()) != (Class::Request, Method::BINDING)
        || !can_be_a_client(remote)
    {
        return false;
    }
    *answer = respond(&request, classic, remote, std::mem::take(answer));
    true
}

fn respond(request: &Message<'_>, classic: bool, remote: Endpoint, buf: Vec<u8>) -> Vec<u8> {
    let unknown = request.unknown_required(UNDERSTOOD);
    let class = if unknown.is_empty() { Class::Success } else { Class::Error };
    let mut builder = Builder::reusing(buf, class, Method::BINDING, request.id());
    match (unknown.as_slice(), classic) {
        ([], false) => builder.xor_mapped_address(remote),
        //= RFC 5389 §12.2: a client without the cookie is told MAPPED-ADDRESS.
        ([], true) => builder.mapped_address(remote),
        (unknown, _) => {
            builder.error_code(ErrorCode::new(error_code::UNKNOWN_ATTRIBUTE));
            builder.unknown_attributes(unknown)
        }
    };
    if request.has_fingerprint() && !classic {
        builder.fingerprint();
    }
    let mut response = builder.finish();
    if classic
        && let (Some(to), Some(from)) = (response.get_mut(4..8), request.as_bytes().get(4..8))
    {
        // The part of the 128-bit transaction id that stands in the cookie's place.
        to.copy_from_slice(from);
    }
    response
}

/// Whether a request can honestly come from `remote`; to anything else an answer would only do harm.
fn can_be_a_client(remote: Endpoint) -> bool {
    use AddressClass::{Broadcast, Multicast, Unspecified};
    remote.port() != 0
        && !matches!(AddressClass::of(remote.ip()), Unspecified | Multicast | Broadcast)
}

#[cfg(test)]
mod tests;
