//! Fragmentation and reassembly (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! Fragments share the transport bytes of the packet they were cut from, so neither cutting nor
//! reassembling copies them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use machine::Instant;

use crate::defaults::{REASSEMBLY_LIMIT, REASSEMBLY_TIMEOUT};
use crate::packet::{Body, Fragment, Packet};
use crate::wire;

/// Cuts a packet into fragments that fit `mtu`; a fragment is cut further.
pub(crate) fn split(packet: Packet, mtu: usize) -> Vec<Packet> {
    let header_len = if packet.src.is_ipv4() { 20 } else { 48 };
    let step = mtu.saturating_sub(header_len).max(8) & !7;
    let (protocol, whole, start, end) = match &packet.body {
        Body::Fragment(f) => (f.protocol, Arc::clone(&f.whole), f.start, f.end),
        _ => {
            let mut bytes = Vec::with_capacity(packet.len());
            wire::write_transport(&packet, &mut bytes);
            (packet.protocol(), Arc::from(bytes), 0, packet.len() - packet.header_len())
        }
    };
    (start..end)
        .step_by(step)
        .map(|from| {
            let to = (from + step).min(end);
            let whole = Arc::clone(&whole);
            let body = Body::Fragment(Fragment { protocol, whole, start: from, end: to });
            Packet { body, ..packet }
        })
        .collect()
}

type Key = (IpAddr, IpAddr, u32, u8);

/// The fragments that wait for the rest.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    partial: BTreeMap<Key, Partial>,
}

#[derive(Debug)]
struct Partial {
    ranges: Vec<(usize, usize)>,
    expires: Instant,
}

impl Reassembly {
    /// Takes a packet; gives it back whole, or keeps it until the rest has come.
    pub(crate) fn take(&mut self, now: Instant, packet: Packet) -> Option<Packet> {
        let Body::Fragment(fragment) = &packet.body else {
            return Some(packet);
        };
        self.partial.retain(|_, partial| partial.expires > now);
        let key = (packet.src, packet.dst, packet.ident, fragment.protocol);
        if !self.partial.contains_key(&key) && self.partial.len() >= REASSEMBLY_LIMIT {
            let oldest = self.partial.iter().min_by_key(|(_, p)| p.expires).map(|(k, _)| *k);
            oldest.and_then(|key| self.partial.remove(&key));
        }
        let partial = self
            .partial
            .entry(key)
            .or_insert_with(|| Partial { ranges: Vec::new(), expires: now + REASSEMBLY_TIMEOUT });
        partial.ranges.push((fragment.start, fragment.end));
        if !partial.covers(fragment.whole.len()) {
            return None;
        }
        self.partial.remove(&key);
        let body = wire::parse_transport(fragment.protocol, &fragment.whole)?;
        Some(Packet { body, ..packet })
    }
}

impl Partial {
    fn covers(&mut self, len: usize) -> bool {
        self.ranges.sort_unstable();
        let reached =
            self.ranges.iter().fold(
                0,
                |reached, &(start, end)| {
                    if start <= reached { reached.max(end) } else { reached }
                },
            );
        reached == len
    }
}

#[cfg(test)]
mod tests {
    use super::{Reassembly, split};
    use crate::packet::{Body, Packet};
    use machine::Instant;

    fn datagram(len: usize) -> Packet {
        let payload = (0..len).map(|n| n as u8).collect();
        let (a, b) = ("192.0.2.1:1000".parse().unwrap(), "192.0.2.2:2000".parse().unwrap());
        Packet::udp(a, b, payload)
    }

    #[test]
    fn fragments_of_fragments_make_the_whole_in_any_order() {
        let mut parts: Vec<Packet> =
            split(datagram(4000), 1500).into_iter().flat_map(|part| split(part, 576)).collect();
        assert!(parts.iter().all(|part| part.len() <= 576));
        parts.reverse();
        let last = parts.pop().unwrap();
        let mut reassembly = Reassembly::default();
        for part in parts {
            assert!(reassembly.take(Instant::ORIGIN, part.clone()).is_none());
            assert!(reassembly.take(Instant::ORIGIN, part).is_none(), "a duplicate");
        }
        let whole = reassembly.take(Instant::ORIGIN, last).unwrap();
        let Body::Udp { payload, dst_port: 2000, .. } = whole.body else { panic!("not UDP") };
        assert_eq!(payload.len(), 4000);
        assert_eq!(payload[1234], 1234_u16 as u8);
    }

    #[test]
    fn fragments_do_not_wait_for_ever() {
        let mut reassembly = Reassembly::default();
        let mut parts = split(datagram(2000), 1500);
        let last = parts.pop().unwrap();
        assert!(reassembly.take(Instant::ORIGIN, parts.pop().unwrap()).is_none());
        let late = Instant::ORIGIN + crate::defaults::REASSEMBLY_TIMEOUT;
        assert!(reassembly.take(late, last).is_none());
    }

    #[test]
    fn the_oldest_packet_gives_way_to_the_newest() {
        let mut reassembly = Reassembly::default();
        let mut halves = (0..=crate::defaults::REASSEMBLY_LIMIT as u32).map(|ident| {
            let mut parts = split(Packet { ident, ..datagram(2000) }, 1500);
            let last = parts.pop().unwrap();
            let at = Instant::from_nanos(ident.into());
            assert!(reassembly.take(at, parts.pop().unwrap()).is_none());
            last
        });
        let (first, second) = (halves.next().unwrap(), halves.next().unwrap());
        let at = Instant::from_nanos(1_000_000);
        halves.for_each(drop);
        assert_eq!(reassembly.partial.len(), crate::defaults::REASSEMBLY_LIMIT);
        assert!(reassembly.take(at, first).is_none());
        assert!(reassembly.take(at, second).is_none(), "it gave way to the first one's rest");
    }
}
