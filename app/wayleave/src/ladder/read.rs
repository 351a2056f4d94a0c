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
/// between wrote over its addresses. Of TCP the messages in the streams are shown, as their senders
/// wrote them: what a stream carries arrives. Fragments are left out.
pub fn read<'a>(
    columns: &[&str],
    sightings: impl Iterator<Item = Sighting<'a>>,
    column_of: impl Fn(IpAddr) -> Option<usize>,
) -> Ladder {
    let mut arrows: Vec<Arrow> = Vec::new();
    let mut on_the_way: BTreeMap<&[u8], VecDeque<usize>> = BTreeMap::new();
    let mut streams = Streams::default();
    for sighting in sightings {
        let Some((destination, carried)) = open(sighting.bytes) else { continue };
        let to = column_of(destination);
        let payload = match carried {
            Carried::Datagram(payload) => payload,
            Carried::Segment(segment) => {
                if let (false, Some(to)) = (sighting.inbound, to) {
                    let Sighting { at, column: from, .. } = sighting;
                    let carried = streams.take((from, to), &segment);
                    arrows.extend(carried.into_iter().map(|kind| {
                        let kind = kind.by("TCP");
                        Arrow { at, from, to, arrived: true, kind }
                    }));
                }
                continue;
            }
        };
        if sighting.inbound {
            let waiting = on_the_way.get_mut(payload);
            if let Some(sent) = waiting.and_then(VecDeque::pop_front) {
                (arrows[sent].to, arrows[sent].arrived) = (sighting.column, true);
            }
            continue;
        }
        // Without an owner it goes to an address that means nothing here: to nobody.
        let to = to.unwrap_or(sighting.column);
        on_the_way.entry(payload).or_default().push_back(arrows.len());
        let kind = classify(payload);
        arrows.push(Arrow { at: sighting.at, from: sighting.column, to, arrived: false, kind });
    }
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    Ladder { columns, rows: rows(arrows) }
}

/// Media packets between two messages become one row a pair of hosts: with a relay in between they
/// take turns.
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
    let media = rows.iter().rev().take_while(|row| matches!(row, Row::Media { .. })).count();
    let since = rows.len() - media;
    let known = rows[since..].iter().position(same);
    if known.is_none() {
        rows.push(Row::Media { at, until: at, from, to, forth: (0, 0), back: (0, 0) });
    }
    let row = known.map_or(rows.len() - 1, |place| since + place);
    if let Some(Row::Media { until, from: left, forth, back, .. }) = rows.get_mut(row) {
        *until = at;
        let count = if *left == from { forth } else { back };
        count.0 += usize::from(arrived);
        count.1 += 1;
    }
}

/// What an IP packet carries.
enum Carried<'a> {
    Datagram(&'a [u8]),
    Segment(Segment<'a>),
}

/// A segment of TCP.
struct Segment<'a> {
    ports: (u16, u16),
    sequence: u32,
    payload: &'a [u8],
}

/// Destination and content of an unfragmented IP packet.
fn open(packet: &[u8]) -> Option<(IpAddr, Carried<'_>)> {
    let sliced = SlicedPacket::from_ip(packet).ok()?;
    let destination = match sliced.net? {
        NetSlice::Ipv4(ip) => ip.header().destination_addr().into(),
        NetSlice::Ipv6(ip) => ip.header().destination_addr().into(),
        NetSlice::Arp(_) => return None,
    };
    let carried = match sliced.transport? {
        TransportSlice::Udp(udp) => Carried::Datagram(udp.payload()),
        TransportSlice::Tcp(tcp) => Carried::Segment(Segment {
            ports: (tcp.source_port(), tcp.destination_port()),
            sequence: tcp.sequence_number(),
            payload: tcp.payload(),
        }),
        _ => return None,
    };
    Some((destination, carried))
}

/// The streams under way, each cut into messages of SIP, or into STUN and ChannelData.
#[derive(Default)]
struct Streams(BTreeMap<StreamKey, Stream>);

/// Columns and ports, the sender's first.
type StreamKey = ((usize, usize), (u16, u16));

struct Stream {
    next: u32,
    framing: Framing,
}

enum Framing {
    Sip(sip::framing::Framer),
    Turn(turn::Framer),
}

impl Framing {
    /// By the first byte: TURN's streams begin with a STUN message, both ways.
    fn of(payload: &[u8]) -> Self {
        match payload {
            [0..=3, ..] => Self::Turn(turn::Framer::new(usize::from(u16::MAX))),
            _ => Self::Sip(sip::framing::Framer::opened()),
        }
    }

    /// What `payload` completes.
    fn push(&mut self, payload: &[u8]) -> Vec<Kind> {
        let mut kinds = Vec::new();
        match self {
            Self::Sip(framer) => {
                framer.push(payload);
                while let Some(Ok(frame)) = framer.next_frame() {
                    if let sip::framing::Frame::Message(bytes) = frame {
                        kinds.push(classify(&bytes));
                    }
                }
            }
            Self::Turn(framer) => {
                framer.push(payload);
                while let Ok(Some(frame)) = framer.next_frame() {
                    kinds.push(match frame {
                        turn::Frame::Stun(bytes) => classify(bytes),
                        turn::Frame::ChannelData(data) => classify(data.data).by("chan"),
                    });
                }
            }
        }
        kinds
    }
}

impl Streams {
    /// Takes a segment that its sender sent for the first time; what it completes.
    fn take(&mut self, between: (usize, usize), segment: &Segment<'_>) -> Vec<Kind> {
        let Segment { ports, sequence, payload } = segment;
        if payload.is_empty() {
            return Vec::new();
        }
        let fresh = || Stream { next: *sequence, framing: Framing::of(payload) };
        let stream = self.0.entry((between, *ports)).or_insert_with(fresh);
        if stream.next != *sequence {
            return Vec::new();
        }
        stream.next = sequence.wrapping_add(payload.len() as u32);
        stream.framing.push(payload)
    }
}
