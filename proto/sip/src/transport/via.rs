//! What the transport does to Via: completes it on arrival (RFC 3261 §18.2.1, RFC 3581 §4) and
//! finds the way back from it (§18.2.2).

use std::net::IpAddr;

use machine::Endpoint;

use super::flow::Flow;
use crate::header::{Via, name};
use crate::headers::Headers;

/// Notes in the top Via where the request came from; gives the Via as it stands then, or `None`
/// if there is none that can be read.
pub(crate) fn complete(headers: &mut Headers, flow: &Flow) -> Option<Via> {
    let mut via: Via = headers.list(name::VIA).next()?.parse().ok()?;
    let source = flow.remote;
    //= RFC 3261 §18.2.1: `received` if the host is a name or another address than the source.
    let differs = via.host.ip() != Some(source.ip());
    //= RFC 3581 §4: with `rport`, both the port and the address are noted.
    if via.has_rport() {
        via.set_rport(source.port());
        via.set_received(source.ip());
    } else if differs {
        via.set_received(source.ip());
    }
    headers.replace_first(name::VIA, &via);
    Some(via)
}

/// Where a response goes if it goes by datagram (RFC 3261 §18.2.2, RFC 3581 §4).
pub(crate) fn reply_to(via: &Via, source: Endpoint) -> Endpoint {
    if let Some(port) = via.rport() {
        return source.with_port(port);
    }
    //= RFC 3261 §18.2.2: maddr is there for multicast. Any other address would let strangers point
    //  our answers at whom they like.
    if let Some(ip) = via.maddr().and_then(|host| host.ip()).filter(IpAddr::is_multicast) {
        return Endpoint::new(ip, via.port_or_default());
    }
    source.with_port(via.port_or_default())
}

#[cfg(test)]
mod tests {
    use machine::{Endpoint, Ids, Transport};

    use super::{complete, reply_to};
    use crate::headers::Headers;
    use crate::transport::Flow;

    fn completed(via: &str) -> (String, Endpoint) {
        let flow = Flow {
            transport: Transport::Udp,
            id: Ids::new(0).next_id(),
            local: "192.0.2.1:5060".parse().unwrap(),
            remote: "198.51.100.7:40000".parse().unwrap(),
        };
        let mut headers = Headers::new();
        headers.push("Via", via);
        let via = complete(&mut headers, &flow).unwrap();
        (headers.first("Via").unwrap().to_owned(), reply_to(&via, flow.remote))
    }

    #[test]
    fn received_and_rport() {
        for (via, noted, back) in [
            (
                "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;rport",
                "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;rport=40000;received=198.51.100.7",
                "198.51.100.7:40000",
            ),
            (
                "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa",
                "SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bKa;received=198.51.100.7",
                "198.51.100.7:5062",
            ),
            (
                "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKa",
                "SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKa",
                "198.51.100.7:5060",
            ),
        ] {
            assert_eq!(completed(via), (noted.to_owned(), back.parse().unwrap()), "{via}");
        }
    }
}
