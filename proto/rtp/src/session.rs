//! One stream each way and the reports about both (RFC 3550 §6, §8).
//!
//! A session between two: it numbers what we send, measures what comes, and reports on time. The
//! other side is one source at a time; a new one takes over when two of its packets follow each
//! other.

use std::time::Duration;

use machine::{Entropy, Instant, Now};

use crate::interval::Interval;
use crate::reception::{round_trip, ticks};
use crate::rtcp::{self, Chunk, Compound, ReportBlock, SenderInfo};
use crate::{Error, Packet, Reception};

/// Bytes of the IP and UDP headers that RFC 3550 §6.2 counts as part of a report.
const LOWER_HEADERS: f64 = 28.0;

/// An RTP session with one other side.
#[derive(Debug)]
pub struct Session {
    ssrc: u32,
    clock_rate: u32,
    cname: String,
    entropy: Entropy,
    sequence: u16,
    /// The timestamp of the next packet.
    timestamp: u32,
    /// The timestamp of the last packet, and when it was sent.
    last_sent: Option<(u32, Instant)>,
    sent_packets: u64,
    sent_octets: u64,
    sent_at_last_report: u64,
    reception: Option<Reception>,
    /// Another source, and the sequence number that would confirm it.
    newcomer: Option<(u32, u16)>,
    heard_at_last_report: u64,
    remote: Option<ReportBlock>,
    round_trip: Option<Duration>,
    next_report: Option<Instant>,
    average_bytes: f64,
    initial: bool,
    stats: Stats,
}

/// Counters of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets with our own source, looped back or colliding; dropped.
    pub looped: u64,
    /// Packets that belonged to no accepted source or range; dropped.
    pub foreign: u64,
    /// Changes of the other side's source.
    pub source_changes: u64,
    /// Reports sent.
    pub reports_sent: u64,
    /// Reports received.
    pub reports_received: u64,
}

/// What a received packet means for play-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// Play it.
    Packet(Packet<'a>),
    /// Play it; it comes from a new source, and what was buffered is of the old one.
    NewSource(Packet<'a>),
    /// Not of this session: ours, of an unconfirmed source, or out of range.
    Dropped,
}

/// What a received report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The other side said how it hears us.
    Quality(ReportBlock),
    /// The other side left.
    Goodbye,
}

impl Session {
    /// A session with a random source, sequence number and timestamp, reporting as `cname`.
    ///
    /// Reports begin with [`Self::start`].
    #[must_use]
    pub fn new(clock_rate: u32, cname: impl Into<String>, mut entropy: Entropy) -> Self {
        //= RFC 3550 §5.1: sequence number and timestamp begin at random; the source is random too.
        let (ssrc, sequence, timestamp) = (entropy.u32(), entropy.u32() as u16, entropy.u32());
        Self {
            ssrc,
            clock_rate,
            cname: cname.into(),
            entropy,
            sequence,
            timestamp,
            last_sent: None,
            sent_packets: 0,
            sent_octets: 0,
            sent_at_last_report: 0,
            reception: None,
            newcomer: None,
            heard_at_last_report: 0,
            remote: None,
            round_trip: None,
            next_report: None,
            average_bytes: 100.0,
            initial: true,
            stats: Stats::default(),
        }
    }

    /// Our source.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Starts the clock of the reports.
    pub fn start(&mut self, now: Now) {
        self.schedule(now.mono);
    }

    /// Appends one packet of `samples` ticks to `out`.
    pub fn send(
        &mut self,
        now: Now,
        payload_type: u8,
        marker: bool,
        samples: u32,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        let packet = Packet {
            marker,
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            payload,
            ..Packet::default()
        };
        packet.write(out);
        self.last_sent = Some((self.timestamp, now.mono));
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.sent_packets += 1;
        self.sent_octets += payload.len() as u64;
    }

    /// Lets the timestamp pass over `samples` ticks in which nothing is sent.
    pub const fn skip(&mut self, samples: u32) {
        self.timestamp = self.timestamp.wrapping_add(samples);
    }

    /// Takes an RTP packet.
    ///
    /// # Errors
    /// If `bytes` are not RTP.
    pub fn receive<'a>(&mut self, now: Now, bytes: &'a [u8]) -> Result<Received<'a>, Error> {
        let packet = Packet::parse(bytes)?;
        if packet.ssrc == self.ssrc {
            self.stats.looped += 1;
            return Ok(Received::Dropped);
        }
        let known = match &mut self.reception {
            Some(reception) if reception.ssrc() == packet.ssrc => reception.receive(now, &packet),
            Some(_) => return Ok(self.receive_other(now, packet)),
            None => {
                self.reception = Some(Reception::new(now, &packet, self.clock_rate));
                true
            }
        };
        if known {
            self.newcomer = None;
            Ok(Received::Packet(packet))
        } else {
            self.stats.foreign += 1;
            Ok(Received::Dropped)
        }
    }

    //= RFC 3550 A.1: a source is valid once packets with successive numbers have come from it.
    fn receive_other<'a>(&mut self, now: Now, packet: Packet<'a>) -> Received<'a> {
        if self.newcomer != Some((packet.ssrc, packet.sequence)) {
            self.newcomer = Some((packet.ssrc, packet.sequence.wrapping_add(1)));
            self.stats.foreign += 1;
            return Received::Dropped;
        }
        self.newcomer = None;
        self.stats.source_changes += 1;
        self.reception = Some(Reception::new(now, &packet, self.clock_rate));
        self.heard_at_last_report = 0;
        Received::NewSource(packet)
    }

    /// Takes a compound packet; says what it means for us.
    ///
    /// # Errors
    /// If the frame is broken; a broken packet inside is skipped.
    pub fn receive_report(&mut self, now: Now, bytes: &[u8]) -> Result<Vec<Report>, Error> {
        let compound = Compound::parse(bytes)?;
        self.count_report(bytes.len());
        self.stats.reports_received += 1;
        let mut reports = Vec::new();
        for packet in compound.flatten() {
            match packet {
                rtcp::Packet::SenderReport { ssrc, info, reports: blocks } => {
                    if let Some(reception) = self.reception.as_mut().filter(|r| r.ssrc() == ssrc) {
                        reception.reported(now, &info);
                    }
                    reports.extend(self.hear_of_us(now, &blocks));
                }
                rtcp::Packet::ReceiverReport { reports: blocks, .. } => {
                    reports.extend(self.hear_of_us(now, &blocks));
                }
                rtcp::Packet::Goodbye { sources, .. } => {
                    if self.reception.as_ref().is_some_and(|r| sources.contains(&r.ssrc())) {
                        reports.push(Report::Goodbye);
                    }
                }
                rtcp::Packet::SourceDescription { .. } | rtcp::Packet::Other { .. } => {}
            }
        }
        Ok(reports)
    }

    fn hear_of_us(&mut self, now: Now, blocks: &[ReportBlock]) -> Option<Report> {
        let block = *blocks.iter().find(|block| block.ssrc == self.ssrc)?;
        self.remote = Some(block);
        self.round_trip = round_trip(now, &block).or(self.round_trip);
        Some(Report::Quality(block))
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.next_report
    }

    /// Appends a report to `out` if one is due.
    pub fn handle_timeout(&mut self, now: Now, out: &mut Vec<u8>) {
        if self.next_report.is_none_or(|at| at > now.mono) {
            return;
        }
        let start = out.len();
        self.write_report(now, out);
        self.count_report(out.len() - start);
        self.initial = false;
        self.schedule(now.mono);
    }

    /// Appends a last report with a goodbye to `out` and stops reporting.
    ///
    //= RFC 3550 §6.3.7: who never sent a packet sends no BYE.
    pub fn goodbye(&mut self, now: Now, out: &mut Vec<u8>) {
        self.next_report = None;
        if self.sent_packets == 0 && self.stats.reports_sent == 0 {
            return;
        }
        self.write_report(now, out);
        rtcp::Packet::Goodbye { sources: vec![self.ssrc], reason: None }.write(out);
    }

    fn write_report(&mut self, now: Now, out: &mut Vec<u8>) {
        //= RFC 3550 §6.4: a report is an SR if we sent since the last ones, else an RR.
        let we_sent = self.sent_packets > self.sent_at_last_report;
        let heard = self.reception.as_ref().map_or(0, Reception::received);
        let reports = match &mut self.reception {
            // Fewer than before: the source began anew.
            Some(reception) if heard != self.heard_at_last_report => vec![reception.report(now)],
            _ => Vec::new(),
        };
        self.heard_at_last_report = heard;
        self.sent_at_last_report = self.sent_packets;
        let ssrc = self.ssrc;
        let report = if we_sent {
            rtcp::Packet::SenderReport { ssrc, info: self.sender_info(now), reports }
        } else {
            rtcp::Packet::ReceiverReport { ssrc, reports }
        };
        report.write(out);
        //= RFC 3550 §6.1: every compound packet carries a report and the CNAME.
        let items = vec![(rtcp::CNAME, self.cname.clone().into_bytes())];
        rtcp::Packet::SourceDescription { chunks: vec![Chunk { ssrc, items }] }.write(out);
        self.stats.reports_sent += 1;
    }

    fn sender_info(&self, now: Now) -> SenderInfo {
        //= RFC 3550 §6.4.1: the timestamp is of the same moment as the NTP one, not of a packet.
        let ticks = |at| ticks(at, self.clock_rate);
        let rtp_timestamp = self.last_sent.map_or(self.timestamp, |(timestamp, at)| {
            timestamp.wrapping_add(ticks(now.mono).wrapping_sub(ticks(at)))
        });
        SenderInfo {
            ntp: now.ntp(),
            rtp_timestamp,
            packets: self.sent_packets as u32,
            octets: self.sent_octets as u32,
        }
    }

    fn schedule(&mut self, now: Instant) {
        let we_sent = self.sent_packets > self.sent_at_last_report;
        let heard = self.reception.as_ref().map_or(0, Reception::received);
        let interval = Interval {
            members: 1 + u32::from(self.reception.is_some()),
            senders: u32::from(we_sent) + u32::from(heard != self.heard_at_last_report),
            we_sent,
            average_bytes: self.average_bytes,
            initial: self.initial,
        };
        self.next_report = Some(now + interval.draw(&mut self.entropy));
    }

    //= RFC 3550 §6.3.3: the average size moves by a sixteenth with each packet sent or received.
    fn count_report(&mut self, bytes: usize) {
        self.average_bytes += (bytes as f64 + LOWER_HEADERS - self.average_bytes) / 16.0;
    }

    /// Packets sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent_packets
    }

    /// What came of the other side's present source.
    #[must_use]
    pub const fn reception(&self) -> Option<&Reception> {
        self.reception.as_ref()
    }

    /// How the other side last said that it hears us.
    #[must_use]
    pub const fn remote(&self) -> Option<&ReportBlock> {
        self.remote.as_ref()
    }

    /// The round trip by the last report that told.
    #[must_use]
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Its counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }
}
