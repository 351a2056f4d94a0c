//! Reading captures: as much of pcapng as the demo writes.

use std::net::{IpAddr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// A UDP datagram in a capture.
pub(crate) struct UdpPacket {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) payload: Vec<u8>,
}

/// The whole UDP datagrams of a capture of raw IP packets.
pub(crate) fn udp_packets(capture: &[u8]) -> impl Iterator<Item = UdpPacket> {
    packets(capture).filter_map(|packet| {
        let sliced = SlicedPacket::from_ip(packet).ok()?;
        let (source, destination): (IpAddr, IpAddr) = match sliced.net? {
            NetSlice::Ipv4(ip) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            NetSlice::Ipv6(ip) => {
                (ip.header().source_addr().into(), ip.header().destination_addr().into())
            }
            NetSlice::Arp(_) => return None,
        };
        let TransportSlice::Udp(udp) = sliced.transport? else { return None };
        Some(UdpPacket {
            source: SocketAddr::new(source, udp.source_port()),
            destination: SocketAddr::new(destination, udp.destination_port()),
            payload: udp.payload().to_vec(),
        })
    })
}

/// The bytes of every enhanced packet block.
fn packets(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let word = |bytes: &[u8], at: usize| {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    };
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (kind, length) = (word(rest, 0), word(rest, 4));
            let (block, next) = rest.split_at(length);
            assert_eq!(word(block, length - 4), length, "a block ends as it begins");
            rest = next;
            if kind == 6 {
                return Some(&block[28..28 + word(block, 20)]);
            }
        }
        None
    })
}
