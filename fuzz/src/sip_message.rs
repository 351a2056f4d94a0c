//! A SIP message from a stranger: reading, rewriting, answering.

use sip::{Header, Headers, Message, Request, Status, name, validate};

/// Reads `bytes` as a message and looks at every header field by every type. What is written of it
/// must be read, and written the same.
pub fn run(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    look_at(message.headers());
    let flaw = match &message {
        Message::Request(request) => request.flaw(),
        Message::Response(response) => response.flaw(),
    };
    if flaw.is_none() {
        let smuggles = |header: &Header| header.value().contains(['\r', '\n']);
        assert!(!message.headers().iter().any(smuggles), "what looks like lines is a flaw");
    }
    let written = message.to_bytes();
    let again = Message::parse(&written).expect("what was written is read");
    assert_eq!(text(&again.to_bytes()), text(&written), "a second rewrite changes nothing");
    assert_eq!(again.body(), message.body());
    match &message {
        Message::Request(request) => respond(request),
        Message::Response(response) => {
            let _ = validate::response(response);
        }
    }
}

fn look_at(headers: &Headers) {
    let _ = (headers.via(), headers.vias(), headers.from(), headers.to(), headers.call_id());
    let _ = (headers.cseq(), headers.max_forwards(), headers.contacts(), headers.contact());
    let _ = (headers.routes(), headers.record_routes(), headers.paths(), headers.service_routes());
    let _ = (headers.expires(), headers.min_expires(), headers.content_length());
    let _ = (headers.content_type(), headers.allow(), headers.date(), headers.retry_after());
    let _ = headers.reasons();
    for field in [name::AUTHORIZATION, name::PROXY_AUTHORIZATION] {
        headers.credentials(field).iter().for_each(|credentials| {
            let _ = credentials.get("response");
        });
    }
    for field in [name::WWW_AUTHENTICATE, name::PROXY_AUTHENTICATE] {
        headers.challenges(field).iter().for_each(|challenge| {
            let _ = challenge.get("nonce");
        });
    }
    for uri in headers.contacts().iter().flat_map(|contacts| contacts.list()).map(|c| &c.0.uri) {
        let again: sip::Uri = uri.to_string().parse().expect("what was written is read");
        assert_eq!(again.to_string(), uri.to_string());
        assert!(uri.is_malformed() || uri.is_equivalent(&again), "{uri} is itself");
    }
}

/// A response can be made of any request, and is a message; so is the one that the validator owes.
fn respond(request: &Request) {
    if let Err(invalid) = validate::request(request)
        && let Some(owed) = invalid.response(request)
    {
        assert!(matches!(Message::parse(&owed.to_bytes()), Ok(Message::Response(_))));
    }
    let _ = validate::extensions(request, name::REQUIRE, &["path"]);
    let _ = (validate::hops(request), validate::loop_mark(request));
    let mut response = request.response(Status::BAD_REQUEST);
    response.set_to_tag("tag");
    let written = response.to_bytes();
    assert!(matches!(Message::parse(&written), Ok(Message::Response(_))));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
