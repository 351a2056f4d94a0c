//! From packets captured at several hosts to a ladder.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::classify::{Kind, classify};
use super::{Ladder, Row};

/// A packet as one of the hosts saw it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// When, since the start.
    pub at: Duration,
    /// The host's column.
    pub column: usize,
    /// Whether it came in; else it went out.
    pub inbound: bool,
    /// The IP packet.
    pub bytes: &'a [u8],
}

/// A datagram between two hosts.
struct Arrow {
    at: Duration,
    from: usize,
    to: usize,
    arrived: bool,
    kind: Kind,
}

/// Reads a ladder. `column_of` says whose an address is, to draw what never arrived.
///
/// What leaves one host and enters another with the same payload is one packet, whatever the NATs in
/// between wrote over its addresses. Fragments are left out.
pub fn read<'a>(
    columns: &[&str],
    sightings: impl Iterator<Item = Sighting<'a>>,
    column_of: impl Fn(IpAddr) -> Option<usize>,
) -> Ladder {
    let mut arrows: Vec<Arrow> = Vec::new();
    let mut on_the_way: BTreeMap<&[u8], VecDeque<usize>> = BTreeMap::new();
    for sighting in sightings {
        let Some((_, destination, payload)) = datagram(sighting.bytes) else { continue };
        if sighting.inbound {
            let waiting = on_the_way.get_mut(payload);
            if let Some(sent) = waiting.and_then(VecDeque::pop_front) {
                (arrows[sent].to, arrows[sent].arrived) = (sighting.column, true);
            }
            continue;
        }
        // Without an owner it goes to an address that means nothing here: to nobody.
        let to = column_of(destination).unwrap_or(sighting.column);
        on_the_way.entry(payload).or_default().push_back(arrows.len());
        let kind = classify(payload);
        arrows.push(Arrow { at: sighting.at, from: sighting.column, to, arrived: false, kind });
    }
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    Ladder { columns, rows: rows(arrows) }
}

/// Media packets between two messages become one row.
fn rows(arrows: Vec<Arrow>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for arrow in arrows {
        let Arrow { at, from, to, arrived, kind } = arrow;
        match kind {
            Kind::Message(label) => rows.push(Row::Message { at, from, to, arrived, label }),
            Kind::Media => add_media(&mut rows, at, from, to, arrived),
        }
    }
    rows
}

fn add_media(rows: &mut Vec<Row>, at: Duration, from: usize, to: usize, arrived: bool) {
    let same = |row: &Row| {
        matches!(row, Row::Media { from: a, to: b, .. }
            if (*a, *b) == (from, to) || (*a, *b) == (to, from))
    };
    if !rows.last().is_some_and(same) {
        rows.push(Row::Media { at, until: at, from, to, forth: (0, 0), back: (0, 0) });
    }
    if let Some(Row::Media { until, from: left, forth, back, .. }) = rows.last_mut() {
        *until = at;
        let count = if *left == from { forth } else { back };
        count.0 += usize::from(arrived);
        count.1 += 1;
    }
}

/// Source, destination and payload of an unfragmented UDP datagram.
fn datagram(packet: &[u8]) -> Option<(IpAddr, IpAddr, &[u8])> {
    let sliced = SlicedPacket::from_ip(packet).ok()?;
    let (source, destination) = match sliced.net? {
        NetSlice::Ipv4(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        NetSlice::Ipv6(ip) => {
            (ip.header().source_addr().into(), ip.header().destination_addr().into())
        }
        NetSlice::Arp(_) => return None,
    };
    match sliced.transport? {
        TransportSlice::Udp(udp) => Some((source, destination, udp.payload())),
        _ => None,
    }
}
