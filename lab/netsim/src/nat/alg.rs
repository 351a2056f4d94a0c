//! A gateway for SIP that rewrites what it should leave alone: in messages from the host inside its
//! address becomes the NAT's, in those to it back again in the header.

use machine::Endpoint;

use crate::packet::{Body, Packet};

/// The port that it takes for SIP's, at either end.
const SIP: u16 = 5060;

/// Writes the outside endpoint for the sender's into a message on its way out.
pub(super) fn outbound(packet: &mut Packet, inside: Endpoint, outside: Endpoint) {
    let Some((payload, message)) = message(packet) else { return };
    let Some((header, body)) = message.split_once(BLANK) else { return };
    let body_after = swap(body, inside, outside);
    let mut header = swap(header, inside, outside);
    // It is proud of getting this one right.
    for name in ["Content-Length: ", "l: "] {
        let (was, is) = (body.len(), body_after.len());
        header = header.replace(&format!("\n{name}{was}"), &format!("\n{name}{is}"));
    }
    *payload = format!("{header}{BLANK}{body_after}").into_bytes();
}

/// Writes the inside endpoint for the outside one into the header of a message on its way in.
pub(super) fn inbound(packet: &mut Packet, outside: Endpoint, inside: Endpoint) {
    let Some((payload, message)) = message(packet) else { return };
    let Some((header, body)) = message.split_once(BLANK) else { return };
    *payload = format!("{}{BLANK}{body}", swap(header, outside, inside)).into_bytes();
}

/// What stands between header and body.
const BLANK: &str = "\r\n\r\n";

/// A SIP message in a UDP packet: where its bytes are, and its text.
fn message(packet: &mut Packet) -> Option<(&mut Vec<u8>, String)> {
    let Body::Udp { src_port, dst_port, payload } = &mut packet.body else { return None };
    if *src_port != SIP && *dst_port != SIP {
        return None;
    }
    let text = String::from_utf8(payload.clone()).ok()?;
    let first = text.lines().next()?;
    (first.starts_with("SIP/2.0 ") || first.ends_with(" SIP/2.0")).then_some((payload, text))
}

/// Replaces an endpoint, and its address alone where no other port follows.
fn swap(text: &str, from: Endpoint, to: Endpoint) -> String {
    let text = text.replace(&from.to_string(), &to.to_string());
    let (from, to) = (from.ip().to_string(), to.ip().to_string());
    let mut parts = text.split(&from);
    let mut swapped = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // 192.168.0.1 does not stand in 192.168.0.12, nor in 1192.168.0.1.
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let longer = digit(part.chars().next()) || digit(swapped.chars().next_back());
        swapped.push_str(if longer { &from } else { &to });
        swapped.push_str(part);
    }
    swapped
}

#[cfg(test)]
mod tests {
    use super::{inbound, outbound};
    use crate::packet::{Body, Packet};

    fn packet(port: u16, text: &str) -> Packet {
        let (a, b) = ("192.168.0.1:4000".parse().unwrap(), "198.51.100.1:5060".parse().unwrap());
        let mut packet = Packet::udp(a, b, text.as_bytes().to_vec());
        if let Body::Udp { dst_port, .. } = &mut packet.body {
            *dst_port = port;
        }
        packet
    }

    fn text(packet: Packet) -> String {
        match packet.body {
            Body::Udp { payload, .. } => String::from_utf8(payload).unwrap(),
            _ => String::new(),
        }
    }

    #[test]
    fn only_messages_and_only_whole_addresses_are_rewritten() {
        let (inside, outside) =
            ("192.168.0.1:4000".parse().unwrap(), "203.0.113.200:9".parse().unwrap());
        let request = "OPTIONS sip:x SIP/2.0\r\nVia: 192.168.0.1:4000;192.168.0.12\r\n\
                       Content-Length: 13\r\n\r\nc=192.168.0.1";
        let mut there = packet(5060, request);
        outbound(&mut there, inside, outside);
        let expected = "OPTIONS sip:x SIP/2.0\r\nVia: 203.0.113.200:9;192.168.0.12\r\n\
                        Content-Length: 15\r\n\r\nc=203.0.113.200";
        assert_eq!(text(there), expected);
        let mut back =
            packet(5060, "SIP/2.0 200 OK\r\nVia: 203.0.113.200:9\r\n\r\nc=203.0.113.200");
        inbound(&mut back, outside, inside);
        assert_eq!(text(back), "SIP/2.0 200 OK\r\nVia: 192.168.0.1:4000\r\n\r\nc=203.0.113.200");
        for (port, other) in [(5061, request), (5060, "192.168.0.1:4000")] {
            let mut packet = packet(port, other);
            outbound(&mut packet, inside, outside);
            assert_eq!(text(packet), other);
        }
    }
}
