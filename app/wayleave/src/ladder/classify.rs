//! What a payload is, in a few words.

use sip::{Message, name};
use stun::Class;

/// What a datagram carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something to show by itself.
    Message(String),
    /// RTP or RTCP, of which there are many.
    Media,
}

/// Classifies by the first byte (RFC 7983), SIP by what is left.
pub fn classify(payload: &[u8]) -> Kind {
    if stun::is_stun(payload) {
        return Kind::Message(stun_label(payload));
    }
    match payload.first() {
        Some(128..=191) => Kind::Media,
        Some(_) => Kind::Message(sip_label(payload)),
        None => Kind::Message("empty".to_owned()),
    }
}

fn stun_label(payload: &[u8]) -> String {
    let Ok(message) = stun::Message::parse(payload) else { return "STUN, broken".to_owned() };
    // Checks of ICE carry a user name, questions to the server do not.
    let check = message.username().is_some();
    match message.class() {
        Class::Request if check && message.use_candidate() => "check, nominating".to_owned(),
        Class::Request if check => "check".to_owned(),
        Class::Request => "STUN: my address?".to_owned(),
        Class::Indication => "keepalive".to_owned(),
        Class::Success => match message.reflexive_address() {
            Some(address) => format!("STUN: {address}"),
            None => "STUN: yes".to_owned(),
        },
        Class::Error => match message.error_code() {
            Some(error) => format!("STUN: error {}", error.code),
            None => "STUN: error".to_owned(),
        },
    }
}

fn sip_label(payload: &[u8]) -> String {
    if payload.iter().all(|b| matches!(b, b'\r' | b'\n')) {
        return "keepalive".to_owned();
    }
    match Message::parse(payload) {
        Ok(Message::Request(request)) => {
            let signed = [name::AUTHORIZATION, name::PROXY_AUTHORIZATION]
                .iter()
                .any(|field| request.headers.first(field).is_some());
            let with = if signed { ", signed" } else { "" };
            format!("{}{}{with}", request.method, body_label(&request.body))
        }
        Ok(Message::Response(response)) => {
            let code = response.status.code();
            format!("{code} {}{}", response.reason, body_label(&response.body))
        }
        Err(_) => format!("{} bytes", payload.len()),
    }
}

fn body_label(body: &[u8]) -> &'static str {
    if body.is_empty() { "" } else { " + SDP" }
}
