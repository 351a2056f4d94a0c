//! A packet as the simulator carries it: headers as fields, bytes only where somebody looks.

use std::net::IpAddr;
use std::sync::Arc;

use machine::{Endpoint, Icmp};

use crate::defaults::HOP_LIMIT;

pub(crate) const UDP: u8 = 17;
pub(crate) const TCP: u8 = 6;
pub(crate) const ICMP: u8 = 1;
pub(crate) const ICMP_V6: u8 = 58;

/// An IPv4 or IPv6 packet.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) hop_limit: u8,
    pub(crate) ident: u32,
    pub(crate) dont_fragment: bool,
    pub(crate) body: Body,
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Udp { src_port: u16, dst_port: u16, payload: Vec<u8> },
    Tcp(Segment),
    Icmp(IcmpError),
    Fragment(Fragment),
}

/// A TCP segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segment {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    /// The maximum segment size option, on SYNs.
    pub(crate) mss: Option<u16>,
    pub(crate) payload: Vec<u8>,
}

impl Segment {
    pub(crate) const FIN: u8 = 1;
    pub(crate) const SYN: u8 = 2;
    pub(crate) const RST: u8 = 4;
    pub(crate) const PSH: u8 = 8;
    pub(crate) const ACK: u8 = 16;

    pub(crate) const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    pub(crate) const fn header_len(&self) -> usize {
        if self.mss.is_some() { 24 } else { 20 }
    }
}

/// An ICMP error about a packet.
#[derive(Clone, Debug)]
pub(crate) struct IcmpError {
    pub(crate) icmp: Icmp,
    pub(crate) quote: Quote,
}

/// The packet that an ICMP error is about: its IP header and the first eight bytes behind it.
#[derive(Clone, Debug)]
pub(crate) struct Quote {
    pub(crate) src: Endpoint,
    pub(crate) dst: Endpoint,
    pub(crate) protocol: u8,
    pub(crate) ident: u32,
    pub(crate) hop_limit: u8,
    /// The whole packet's length in bytes.
    pub(crate) len: usize,
    /// Bytes 4 to 8 of the transport header: UDP's length and checksum, TCP's sequence number.
    pub(crate) transport: [u8; 4],
}

/// A part of a packet's transport bytes, which all fragments share.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) protocol: u8,
    pub(crate) whole: Arc<[u8]>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Fragment {
    pub(crate) fn is_last(&self) -> bool {
        self.end == self.whole.len()
    }
}

impl Packet {
    /// A UDP datagram.
    pub(crate) fn udp(src: Endpoint, dst: Endpoint, payload: Vec<u8>) -> Self {
        let body = Body::Udp { src_port: src.port(), dst_port: dst.port(), payload };
        Self::new(src.ip(), dst.ip(), body)
    }

    /// Any packet, with the usual hop limit, free to be fragmented.
    pub(crate) fn new(src: IpAddr, dst: IpAddr, body: Body) -> Self {
        Self { src, dst, hop_limit: HOP_LIMIT, ident: 0, dont_fragment: false, body }
    }

    /// The protocol number of what is inside.
    pub(crate) fn protocol(&self) -> u8 {
        match &self.body {
            Body::Udp { .. } => UDP,
            Body::Tcp(_) => TCP,
            Body::Icmp(_) if self.src.is_ipv4() => ICMP,
            Body::Icmp(_) => ICMP_V6,
            Body::Fragment(fragment) => fragment.protocol,
        }
    }

    /// Source and destination port, where the packet shows them.
    pub(crate) fn ports(&self) -> Option<(u16, u16)> {
        match &self.body {
            Body::Udp { src_port, dst_port, .. } => Some((*src_port, *dst_port)),
            Body::Tcp(segment) => Some((segment.src_port, segment.dst_port)),
            Body::Fragment(Fragment { whole, start: 0, .. }) => match **whole {
                [a, b, c, d, ..] => Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))),
                _ => None,
            },
            Body::Icmp(_) | Body::Fragment(_) => None,
        }
    }

    /// Address and port of sender and receiver, for UDP and TCP.
    pub(crate) fn endpoints(&self) -> Option<(Endpoint, Endpoint)> {
        let (src, dst) = self.ports()?;
        Some((Endpoint::new(self.src, src), Endpoint::new(self.dst, dst)))
    }

    /// Writes another sender into a UDP or TCP packet.
    pub(crate) fn set_source(&mut self, to: Endpoint) {
        self.src = to.ip();
        match &mut self.body {
            Body::Udp { src_port, .. } => *src_port = to.port(),
            Body::Tcp(segment) => segment.src_port = to.port(),
            Body::Icmp(_) | Body::Fragment(_) => {}
        }
    }

    /// Writes another receiver into a UDP or TCP packet.
    pub(crate) fn set_destination(&mut self, to: Endpoint) {
        self.dst = to.ip();
        match &mut self.body {
            Body::Udp { dst_port, .. } => *dst_port = to.port(),
            Body::Tcp(segment) => segment.dst_port = to.port(),
            Body::Icmp(_) | Body::Fragment(_) => {}
        }
    }

    /// Length of the IP header and what belongs to it.
    pub(crate) const fn header_len(&self) -> usize {
        match (&self.src, &self.body) {
            (IpAddr::V4(_), _) => 20,
            (IpAddr::V6(_), Body::Fragment(_)) => 48,
            (IpAddr::V6(_), _) => 40,
        }
    }

    /// Length of the whole packet in bytes.
    pub(crate) fn len(&self) -> usize {
        self.header_len()
            + match &self.body {
                Body::Udp { payload, .. } => 8 + payload.len(),
                Body::Tcp(segment) => segment.header_len() + segment.payload.len(),
                Body::Icmp(_) => 8 + self.header_len() + 8,
                Body::Fragment(fragment) => fragment.end - fragment.start,
            }
    }

    /// What an ICMP error about this packet quotes; `None` if there must be no such error.
    ///
    //= RFC 1122 §3.2.2: no error about an error, and none about a fragment but the first.
    pub(crate) fn quote(&self, transport: [u8; 4]) -> Option<Quote> {
        let (src, dst) = self.endpoints()?;
        Some(Quote {
            src,
            dst,
            protocol: self.protocol(),
            ident: self.ident,
            hop_limit: self.hop_limit,
            len: self.len(),
            transport,
        })
    }
}
