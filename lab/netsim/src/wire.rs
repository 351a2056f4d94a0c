//! Packets as bytes: IPv4 (RFC 791), IPv6 (RFC 8200), UDP (RFC 768), TCP (RFC 9293), ICMP
//! (RFC 792, RFC 4443), with valid checksums (RFC 1071).

use std::net::IpAddr;

use machine::{Icmp, Reader, Writer};

use crate::packet::{Body, Fragment, ICMP, ICMP_V6, IcmpError, Packet, Quote, Segment, TCP, UDP};

const MORE_FRAGMENTS: u16 = 0x2000;
const DONT_FRAGMENT: u16 = 0x4000;
const V6_FRAGMENT_HEADER: u8 = 44;

/// Appends the packet to `out`.
pub(crate) fn write(packet: &Packet, out: &mut Vec<u8>) {
    match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let flags = match &packet.body {
                Body::Fragment(fragment) => {
                    let offset = (fragment.start / 8) as u16;
                    if fragment.is_last() { offset } else { offset | MORE_FRAGMENTS }
                }
                _ if packet.dont_fragment => DONT_FRAGMENT,
                _ => 0,
            };
            let mut w = Writer::new(out);
            w.u8(0x45).u8(0).u16(packet.len() as u16).u16(packet.ident as u16).u16(flags);
            w.u8(packet.hop_limit).u8(packet.protocol()).u16(0);
            w.bytes(&src.octets()).bytes(&dst.octets());
            let checksum = Sum::default().add(w.written()).finish();
            w.patch_u16(10, checksum);
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            write_v6_header(packet, src.octets(), dst.octets(), out)
        }
        _ => unreachable!("a packet has one address family"),
    }
    write_transport(packet, out);
}

fn write_v6_header(packet: &Packet, src: [u8; 16], dst: [u8; 16], out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    let next = match &packet.body {
        Body::Fragment(_) => V6_FRAGMENT_HEADER,
        _ => packet.protocol(),
    };
    w.u32(6 << 28).u16((packet.len() - 40) as u16).u8(next).u8(packet.hop_limit);
    w.bytes(&src).bytes(&dst);
    if let Body::Fragment(fragment) = &packet.body {
        let more = u16::from(!fragment.is_last());
        w.u8(fragment.protocol).u8(0).u16(fragment.start as u16 | more).u32(packet.ident);
    }
}

/// Appends what follows the IP header.
pub(crate) fn write_transport(packet: &Packet, out: &mut Vec<u8>) {
    match &packet.body {
        Body::Udp { src_port, dst_port, payload } => {
            let mut w = Writer::new(out);
            w.u16(*src_port).u16(*dst_port).u16((8 + payload.len()) as u16).u16(0).bytes(payload);
            let checksum = match transport_checksum(packet, w.written()) {
                0 => 0xffff,
                sum => sum,
            };
            w.patch_u16(6, checksum);
        }
        Body::Tcp(segment) => {
            let mut w = Writer::new(out);
            w.u16(segment.src_port).u16(segment.dst_port).u32(segment.seq).u32(segment.ack);
            w.u8((segment.header_len() as u8 / 4) << 4).u8(segment.flags).u16(segment.window);
            w.u16(0).u16(0);
            if let Some(mss) = segment.mss {
                w.u8(2).u8(4).u16(mss);
            }
            w.bytes(&segment.payload);
            let checksum = transport_checksum(packet, w.written());
            w.patch_u16(16, checksum);
        }
        Body::Icmp(error) => write_icmp(packet, error, out),
        Body::Fragment(Fragment { whole, start, end, .. }) => {
            out.extend_from_slice(&whole[*start..*end]);
        }
    }
}

fn write_icmp(packet: &Packet, error: &IcmpError, out: &mut Vec<u8>) {
    let v4 = packet.src.is_ipv4();
    let (kind, code, rest) = icmp_numbers(error.icmp, v4);
    let mut w = Writer::new(out);
    w.u8(kind).u8(code).u16(0).u32(rest);
    write_quote(&error.quote, &mut w);
    let checksum = if v4 {
        Sum::default().add(w.written()).finish()
    } else {
        transport_checksum(packet, w.written())
    };
    w.patch_u16(2, checksum);
}

/// Type, code and the word behind the checksum: RFC 792 and RFC 1812, or RFC 4443.
const fn icmp_numbers(icmp: Icmp, v4: bool) -> (u8, u8, u32) {
    match (icmp, v4) {
        (Icmp::NetworkUnreachable, true) => (3, 0, 0),
        (Icmp::HostUnreachable, true) => (3, 1, 0),
        (Icmp::PortUnreachable, true) => (3, 3, 0),
        (Icmp::TooBig { mtu }, true) => (3, 4, mtu as u32),
        (Icmp::Prohibited, true) => (3, 13, 0),
        (Icmp::TimeExceeded, true) => (11, 0, 0),
        (Icmp::NetworkUnreachable, false) => (1, 0, 0),
        (Icmp::Prohibited, false) => (1, 1, 0),
        (Icmp::HostUnreachable, false) => (1, 3, 0),
        (Icmp::PortUnreachable, false) => (1, 4, 0),
        (Icmp::TooBig { mtu }, false) => (2, 0, mtu as u32),
        (Icmp::TimeExceeded, false) => (3, 0, 0),
    }
}

fn write_quote(quote: &Quote, w: &mut Writer<'_>) {
    match (quote.src.ip(), quote.dst.ip()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let mut header = Vec::with_capacity(20);
            let mut h = Writer::new(&mut header);
            h.u8(0x45).u8(0).u16(quote.len as u16).u16(quote.ident as u16).u16(0);
            h.u8(quote.hop_limit).u8(quote.protocol).u16(0);
            h.bytes(&src.octets()).bytes(&dst.octets());
            let checksum = Sum::default().add(h.written()).finish();
            h.patch_u16(10, checksum);
            w.bytes(&header);
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            w.u32(6 << 28).u16(quote.len.saturating_sub(40) as u16);
            w.u8(quote.protocol).u8(quote.hop_limit);
            w.bytes(&src.octets()).bytes(&dst.octets());
        }
        _ => unreachable!("a packet has one address family"),
    }
    w.u16(quote.src.port()).u16(quote.dst.port()).bytes(&quote.transport);
}

/// Bytes 4 to 8 of the packet's transport header, for an ICMP error's quote.
pub(crate) fn quoted_transport(packet: &Packet) -> [u8; 4] {
    let mut bytes = Vec::new();
    write_transport(packet, &mut bytes);
    bytes.get(4..8).and_then(|b| b.try_into().ok()).unwrap_or_default()
}

/// Reads transport bytes back, once all fragments are there.
pub(crate) fn parse_transport(protocol: u8, bytes: &[u8]) -> Option<Body> {
    let mut r = Reader::new(bytes);
    let (src_port, dst_port) = (r.u16().ok()?, r.u16().ok()?);
    match protocol {
        UDP => {
            r.take(4).ok()?;
            Some(Body::Udp { src_port, dst_port, payload: r.rest().to_vec() })
        }
        TCP => {
            let (seq, ack) = (r.u32().ok()?, r.u32().ok()?);
            let header_len = usize::from(r.u8().ok()? >> 4) * 4;
            let (flags, window) = (r.u8().ok()?, r.u16().ok()?);
            r.take(4).ok()?;
            let options = r.take(header_len.checked_sub(20)?).ok()?;
            let mss = match options {
                [2, 4, hi, lo, ..] => Some(u16::from_be_bytes([*hi, *lo])),
                _ => None,
            };
            let payload = r.rest().to_vec();
            Some(Body::Tcp(Segment { src_port, dst_port, seq, ack, flags, window, mss, payload }))
        }
        _ => None,
    }
}

fn transport_checksum(packet: &Packet, transport: &[u8]) -> u16 {
    let mut sum = Sum::default();
    match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => sum.add(&src.octets()).add(&dst.octets()),
        (IpAddr::V6(src), IpAddr::V6(dst)) => sum.add(&src.octets()).add(&dst.octets()),
        _ => unreachable!("a packet has one address family"),
    };
    debug_assert!(
        packet.protocol() != ICMP && (packet.protocol() != ICMP_V6 || packet.src.is_ipv6())
    );
    let len = transport.len() as u32;
    sum.add(&[0, packet.protocol()]).add(&len.to_be_bytes()).add(transport).finish()
}

/// The one's complement sum of RFC 1071, over an even number of bytes but for the last part.
#[derive(Default)]
struct Sum(u64);

impl Sum {
    fn add(&mut self, bytes: &[u8]) -> &mut Self {
        let (words, rest) = bytes.as_chunks::<2>();
        self.0 += words.iter().map(|&word| u64::from(u16::from_be_bytes(word))).sum::<u64>();
        if let [last] = rest {
            self.0 += u64::from(*last) << 8;
        }
        self
    }

    const fn finish(&self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}
