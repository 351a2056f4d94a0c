//! Showing a request to its sender as it came (RFC 3420), so that the sender sees what was changed
//! on the way.

use sip::header::name;
use sip::{Request, Response};

/// The media type of a part of a SIP message.
const SIPFRAG: &str = "message/sipfrag";

/// The response with the beginning of the request for a body, if its sender accepts that.
///
/// As much is shown as makes the response no longer than the request: whoever puts another's address
/// under it gains nothing (the few bytes that the top Via was given here count as the request's). A
/// sender that wants to see all of it makes its request longer.
pub(crate) fn shown(request: &Request, response: Response) -> Response {
    if !request.headers.has_token(name::ACCEPT, SIPFRAG) {
        return response;
    }
    let mut shown = request.to_bytes();
    let framed = response.clone().with_body(SIPFRAG, Vec::new()).to_bytes().len();
    // The length of the body takes digits too: as many as that of the request at most.
    let digits = shown.len().to_string().len();
    let Some(room) = shown.len().checked_sub(framed + digits).filter(|room| *room > 0) else {
        return response;
    };
    shown.truncate(room);
    response.with_body(SIPFRAG, shown)
}

#[cfg(test)]
mod tests {
    use sip::header::name;
    use sip::{Message, Request, Status};

    use super::shown;

    fn request(accept: &str, filling: usize) -> Request {
        let text = format!(
            "OPTIONS sip:example.org SIP/2.0\r\n\
             Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1\r\n\
             From: <sip:a@example.org>;tag=1\r\nTo: <sip:example.org>\r\nCall-ID: c\r\n\
             CSeq: 1 OPTIONS\r\nAccept: {accept}\r\nContent-Length: {filling}\r\n\r\n{}",
            "x".repeat(filling)
        );
        match Message::parse(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_beginning_of_the_request_in_a_response_no_longer_than_it() {
        for filling in 0..1200 {
            let request = request("application/sdp, message/sipfrag", filling);
            let response = shown(&request, request.response(Status::OK));
            assert!(
                response.body.is_empty() || {
                    let (asked, answered) = (request.to_bytes(), response.to_bytes());
                    answered.len() <= asked.len() && asked.starts_with(&response.body)
                }
            );
        }
        let request = request("message/sipfrag", 600);
        let response = shown(&request, request.response(Status::OK));
        assert_eq!(response.headers.first(name::CONTENT_TYPE), Some("message/sipfrag"));
        let shown = String::from_utf8(response.body).unwrap();
        assert!(shown.contains("Content-Length: 600"), "{shown}");
    }

    #[test]
    fn who_does_not_ask_is_shown_nothing() {
        let request = request("application/sdp", 600);
        assert!(shown(&request, request.response(Status::OK)).body.is_empty());
    }
}
