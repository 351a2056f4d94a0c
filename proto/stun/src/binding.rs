//! The stateless Binding server (RFC 8489 §12), with answers for clients of RFC 3489.
//!
//! It answers one datagram with at most one, to where it came from, from what stands in it
//! alone. An answer is at most 24 bytes longer than its request, so that it amplifies nothing.
//!
//! It obeys neither RESPONSE-ADDRESS nor CHANGE-REQUEST of RFC 3489: the first would aim answers at
//! third parties, the second needs a second address.

use machine::{Endpoint, Reader, Writer};

use crate::attribute::{UNDERSTOOD, address, error_code};
use crate::header::{HEADER_BYTES, class_and_method};
use crate::{AttributeType, Builder, Class, Message, Method};

/// Answers the Binding request `bytes` that came from `remote`, into `answer`, whose contents are
/// dropped. Says whether there is an answer: to anything else there is none.
pub fn answer(bytes: &[u8], remote: Endpoint, answer: &mut Vec<u8>) -> bool {
    answer.clear();
    match Message::parse(bytes) {
        Ok(request) => answer_request(&request, remote, answer),
        Err(crate::message::Error::NotStun) => answer_classic(bytes, remote, answer),
        Err(_) => false,
    }
}

fn answer_request(request: &Message<'_>, remote: Endpoint, answer: &mut Vec<u8>) -> bool {
    if (request.class(), request.method()) != (Class::Request, Method::BINDING) {
        return false;
    }
    let unknown = request.unknown_required(UNDERSTOOD);
    let class = if unknown.is_empty() { Class::Success } else { Class::Error };
    let buf = std::mem::take(answer);
    let mut builder = Builder::reusing(buf, class, Method::BINDING, request.id());
    if unknown.is_empty() {
        builder.xor_mapped_address(remote);
    } else {
        builder.error_code(crate::ErrorCode::new(error_code::UNKNOWN_ATTRIBUTE));
        builder.unknown_attributes(&unknown);
    }
    if request.has_fingerprint() {
        builder.fingerprint();
    }
    *answer = builder.finish();
    true
}

/// A client of RFC 3489 has a transaction id of 128 bits where the cookie stands now, and reads
/// MAPPED-ADDRESS (RFC 8489 §11 and RFC 5389 §12.2).
fn answer_classic(bytes: &[u8], remote: Endpoint, answer: &mut Vec<u8>) -> bool {
    let mut reader = Reader::new(bytes);
    let Ok([t0, t1, l0, l1, id @ ..]) = reader.array::<HEADER_BYTES>() else { return false };
    let request = (Class::Request, Method::BINDING);
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    if t0 & 0xc0 != 0
        || class_and_method(u16::from_be_bytes([t0, t1])) != request
        || length != reader.remaining()
        || !length.is_multiple_of(4)
    {
        return false;
    }
    let value = address::Value::new(remote);
    let value = value.as_bytes();
    let mut writer = Writer::new(answer);
    writer.u16(crate::header::message_type(Class::Success, Method::BINDING));
    writer.u16(0).bytes(&id);
    writer.u16(AttributeType::MAPPED_ADDRESS.0).u16(0).bytes(value);
    true
}
