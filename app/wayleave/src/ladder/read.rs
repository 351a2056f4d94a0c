//! From packets captured at several hosts to a ladder.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use machine::Endpoint;

use super::classify::{Kind, Said, classify};
use super::streams::{Segment, Streams};
use super::{Ladder, Row};

/// Something that one of the hosts saw, or said.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// When, since the start.
    pub at: Duration,
    /// The host's column.
    pub column: usize,
    /// What.
    pub what: Seen<'a>,
}

/// What a host saw, or said.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// An IP packet came in.
    In(&'a [u8]),
    /// An IP packet went out.
    Out(&'a [u8]),
    /// It wrote this under TLS, from one end of a connection to the other.
    Wrote(Endpoint, Endpoint, &'a [u8]),
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
/// wrote them, under TLS too: what a stream carries arrives. Fragments are left out.
pub fn read<'a>(
    columns: &[&str],
    sightings: impl Iterator<Item = Sighting<'a>>,
    column_of: impl Fn(IpAddr) -> Option<usize>,
) -> Ladder {
    let mut reading = Reading::default();
    for Sighting { at, column, what } in sightings {
        match what {
            Seen::In(packet) => reading.came_in(column, packet),
            Seen::Out(packet) => reading.went_out(at, column, packet, &column_of),
            Seen::Wrote(local, remote, bytes) => {
                if let Some(to) = column_of(remote.ip()) {
                    let ports = (local.port(), remote.port());
                    let carried = reading.streams.take_secured((column, to), ports, bytes);
                    reading.stream(at, (column, to), carried);
                }
            }
        }
    }
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    Ladder { columns, rows: rows(reading.arrows), origin: Duration::ZERO }
}

/// What has been read so far.
#[derive(Default)]
struct Reading<'a> {
    arrows: Vec<Arrow>,
    /// Datagrams that have left and not arrived.
    on_the_way: BTreeMap<&'a [u8], VecDeque<usize>>,
    streams: Streams,
}

impl<'a> Reading<'a> {
    fn came_in(&mut self, column: usize, packet: &[u8]) {
        let Some((_, Carried::Datagram(payload))) = open(packet) else { return };
        let waiting = self.on_the_way.get_mut(payload);
        if let Some(sent) = waiting.and_then(VecDeque::pop_front) {
            (self.arrows[sent].to, self.arrows[sent].arrived) = (column, true);
        }
    }

    fn went_out(
        &mut self,
        at: Duration,
        from: usize,
        packet: &'a [u8],
        column_of: impl Fn(IpAddr) -> Option<usize>,
    ) {
        let Some((destination, carried)) = open(packet) else { return };
        let to = column_of(destination);
        match carried {
            Carried::Datagram(payload) => {
                // Without an owner it goes to an address that means nothing here: to nobody.
                let to = to.unwrap_or(from);
                self.on_the_way.entry(payload).or_default().push_back(self.arrows.len());
                let kind = classify(payload);
                self.arrows.push(Arrow { at, from, to, arrived: false, kind });
            }
            Carried::Segment(segment) => {
                if let Some(to) = to {
                    let carried = self.streams.take((from, to), &segment);
                    self.stream(at, (from, to), carried);
                }
            }
        }
    }

    fn stream(&mut self, at: Duration, (from, to): (usize, usize), carried: Vec<Kind>) {
        let arrow = |kind| Arrow { at, from, to, arrived: true, kind };
        self.arrows.extend(carried.into_iter().map(arrow));
    }
}

/// The longest pause in what still counts as one stretch of media. Speech comes every 20 ms.
const PAUSE: Duration = Duration::from_millis(500);

/// Media packets between two hosts become one row, from where they begin; what is said meanwhile
/// stands below. With a relay in between, pairs of hosts take turns.
fn rows(arrows: Vec<Arrow>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut media = BTreeMap::new();
    for arrow in arrows {
        let Arrow { at, from, to, arrived, kind } = arrow;
        match kind {
            Kind::Message(Said { topic, label, text }) => {
                rows.push(Row::Message { at, from, to, arrived, topic, label, text });
            }
            Kind::Media => {
                let place = media.entry((from.min(to), from.max(to))).or_insert(usize::MAX);
                if !extend(rows.get_mut(*place), at, from, arrived) {
                    *place = rows.len();
                    rows.push(Row::Media { at, until: at, from, to, forth: (0, 0), back: (0, 0) });
                    extend(rows.last_mut(), at, from, arrived);
                }
            }
        }
    }
    rows
}

/// Counts a packet to the stretch of media that it belongs to, if it does.
fn extend(row: Option<&mut Row>, at: Duration, sender: usize, arrived: bool) -> bool {
    let Some(Row::Media { until, from, forth, back, .. }) = row else { return false };
    if at.saturating_sub(*until) > PAUSE {
        return false;
    }
    *until = at;
    let count = if *from == sender { forth } else { back };
    count.0 += usize::from(arrived);
    count.1 += 1;
    true
}

/// What an IP packet carries.
enum Carried<'a> {
    Datagram(&'a [u8]),
    Segment(Segment<'a>),
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
