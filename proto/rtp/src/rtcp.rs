//! RTCP: reports, source descriptions and goodbyes (RFC 3550 §6).
//!
//! A datagram carries a compound packet: [`Compound::parse`] checks its frame, the iterator reads the
//! packets. What is not one of the four kinds here is kept raw as [`Packet::Other`].

use machine::{Reader, Writer};

use crate::{Error, defaults};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// The item of a source description that names the source for good (RFC 3550 §6.5.1).
pub const CNAME: u8 = 1;

/// One RTCP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// SR (§6.4.1).
    SenderReport {
        /// Who reports.
        ssrc: u32,
        /// What it sent.
        info: SenderInfo,
        /// What it heard; at most 31.
        reports: Vec<ReportBlock>,
    },
    /// RR (§6.4.2).
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it heard; at most 31.
        reports: Vec<ReportBlock>,
    },
    /// SDES (§6.5).
    SourceDescription {
        /// One chunk a source; at most 31.
        chunks: Vec<Chunk>,
    },
    /// BYE (§6.6).
    Goodbye {
        /// The sources that leave; at most 31.
        sources: Vec<u32>,
        /// Why, as text.
        reason: Option<Vec<u8>>,
    },
    /// Any other packet, raw.
    Other {
        /// The five bits in the place of the count.
        count: u8,
        /// The packet type.
        packet_type: u8,
        /// Everything after the first four bytes; a multiple of four bytes.
        body: Vec<u8>,
    },
}

/// What a sender says of its stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// The wall clock when the report was sent, as an NTP timestamp.
    pub ntp: u64,
    /// The same moment in ticks of the RTP clock.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Bytes of payload sent.
    pub octets: u32,
}

impl SenderInfo {
    /// The middle 32 bits of the NTP timestamp, which receivers repeat as LSR.
    #[must_use]
    pub const fn middle(&self) -> u32 {
        (self.ntp >> 16) as u32
    }
}

/// What a receiver says of one source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Packets lost since the last report, in 256ths of those expected.
    pub fraction_lost: u8,
    /// Packets lost in all; 24 bits, negative with duplicates.
    pub cumulative_lost: i32,
    /// The highest sequence number with its cycles.
    pub highest_sequence: u32,
    /// Interarrival jitter in ticks of the RTP clock.
    pub jitter: u32,
    /// LSR: the middle of the last sender report's NTP timestamp; 0 for none.
    pub last_report: u32,
    /// DLSR: how long ago that came, in 65,536ths of a second.
    pub delay_since: u32,
}

/// The items of one source in a source description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The source.
    pub ssrc: u32,
    /// Items as kind (1 to 255) and text of at most 255 bytes.
    pub items: Vec<(u8, Vec<u8>)>,
}

/// A compound packet whose frame has been checked; iterates over its packets.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Compound<'a> {
    /// Checks versions, lengths and padding of all packets in a datagram.
    ///
    /// A compound should begin with a report (RFC 3550 §6.1); one that does not is read all the
    /// same, as RFC 5506 allows it where both sides agreed.
    ///
    /// # Errors
    /// If the frame is broken anywhere.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.is_empty() {
            return Err(Error::Truncated);
        }
        while !reader.is_empty() {
            frame(&mut reader)?;
        }
        Ok(Self { reader: Reader::new(bytes), left: defaults::MAX_COMPOUND_PACKETS })
    }
}

impl Iterator for Compound<'_> {
    type Item = Result<Packet, Error>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let (count, packet_type, body) = frame(&mut self.reader).ok()?;
        Some(Packet::parse(count, packet_type, body))
    }
}

/// Cuts one packet off: count, type, body without padding.
fn frame<'a>(reader: &mut Reader<'a>) -> Result<(u8, u8, &'a [u8]), Error> {
    let flags = reader.u8()?;
    if flags >> 6 != 2 {
        return Err(Error::Version);
    }
    let packet_type = reader.u8()?;
    let words = reader.u16()?;
    let mut body = reader.take(usize::from(words) * 4)?;
    if flags & 0x20 != 0 {
        //= RFC 3550 §6.4.1: padding stands in the last packet alone and is a multiple of four.
        let padding = usize::from(*body.last().ok_or(Error::Padding)?);
        if padding == 0 || padding % 4 != 0 || padding > body.len() || !reader.is_empty() {
            return Err(Error::Padding);
        }
        body = &body[..body.len() - padding];
    }
    Ok((flags & 0x1f, packet_type, body))
}

impl Packet {
    fn parse(count: u8, packet_type: u8, body: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(body);
        let blocks = |reader: &mut Reader<'_>| -> Result<Vec<_>, Error> {
            (0..count).map(|_| report_block(reader)).collect()
        };
        Ok(match packet_type {
            SENDER_REPORT => {
                let ssrc = reader.u32()?;
                let info = sender_info(&mut reader)?;
                Self::SenderReport { ssrc, info, reports: blocks(&mut reader)? }
            }
            RECEIVER_REPORT => {
                let ssrc = reader.u32()?;
                Self::ReceiverReport { ssrc, reports: blocks(&mut reader)? }
            }
            SOURCE_DESCRIPTION => {
                let chunks: Result<_, Error> = (0..count).map(|_| chunk(&mut reader)).collect();
                Self::SourceDescription { chunks: chunks? }
            }
            GOODBYE => {
                let sources: Result<_, _> = (0..count).map(|_| reader.u32()).collect();
                let reason = match reader.is_empty() {
                    true => None,
                    false => {
                        let length = reader.u8()?;
                        Some(reader.take(usize::from(length))?.to_vec())
                    }
                };
                Self::Goodbye { sources: sources?, reason }
            }
            _ => Self::Other { count, packet_type, body: body.to_vec() },
        })
    }

    /// Appends the packet to `buf`. What is over 31 entries, over 255 bytes of text or not a whole
    /// word is cut off.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let start = buf.len();
        let mut writer = Writer::new(buf);
        writer.u32(0);
        let (count, packet_type) = match self {
            Self::SenderReport { ssrc, info, reports } => {
                writer.u32(*ssrc).u64(info.ntp).u32(info.rtp_timestamp);
                writer.u32(info.packets).u32(info.octets);
                (write_blocks(&mut writer, reports), SENDER_REPORT)
            }
            Self::ReceiverReport { ssrc, reports } => {
                writer.u32(*ssrc);
                (write_blocks(&mut writer, reports), RECEIVER_REPORT)
            }
            Self::SourceDescription { chunks } => {
                let chunks = first_31(chunks);
                chunks.iter().for_each(|chunk| write_chunk(&mut writer, chunk));
                (chunks.len() as u8, SOURCE_DESCRIPTION)
            }
            Self::Goodbye { sources, reason } => {
                let sources = first_31(sources);
                sources.iter().for_each(|ssrc| {
                    writer.u32(*ssrc);
                });
                if let Some(reason) = reason {
                    write_text(&mut writer, reason);
                    writer.pad(4);
                }
                (sources.len() as u8, GOODBYE)
            }
            Self::Other { count, packet_type, body } => {
                let words = (body.len() / 4).min(usize::from(u16::MAX));
                writer.bytes(body.get(..words * 4).unwrap_or_default());
                (count & 0x1f, *packet_type)
            }
        };
        let words = (writer.position() / 4 - 1) as u16;
        writer.patch_u16(0, u16::from(2 << 6 | count) << 8 | u16::from(packet_type));
        writer.patch_u16(2, words);
        debug_assert_eq!((buf.len() - start) % 4, 0);
    }
}

fn first_31<T>(all: &[T]) -> &[T] {
    all.get(..defaults::MAX_RTCP_COUNT).unwrap_or(all)
}

fn sender_info(reader: &mut Reader<'_>) -> Result<SenderInfo, Error> {
    Ok(SenderInfo {
        ntp: reader.u64()?,
        rtp_timestamp: reader.u32()?,
        packets: reader.u32()?,
        octets: reader.u32()?,
    })
}

fn report_block(reader: &mut Reader<'_>) -> Result<ReportBlock, Error> {
    let ssrc = reader.u32()?;
    let lost = reader.u32()?;
    Ok(ReportBlock {
        ssrc,
        fraction_lost: (lost >> 24) as u8,
        // The sign of 24 bits is spread over 32.
        cumulative_lost: ((lost << 8) as i32) >> 8,
        highest_sequence: reader.u32()?,
        jitter: reader.u32()?,
        last_report: reader.u32()?,
        delay_since: reader.u32()?,
    })
}

fn write_blocks(writer: &mut Writer<'_>, reports: &[ReportBlock]) -> u8 {
    let reports = first_31(reports);
    for block in reports {
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        writer.u32(block.ssrc).u32(u32::from(block.fraction_lost) << 24 | lost);
        writer.u32(block.highest_sequence).u32(block.jitter);
        writer.u32(block.last_report).u32(block.delay_since);
    }
    reports.len() as u8
}

//= RFC 3550 §6.5: a chunk's items end with one to four zero bytes, on a word boundary.
fn chunk(reader: &mut Reader<'_>) -> Result<Chunk, Error> {
    let ssrc = reader.u32()?;
    let mut items = Vec::new();
    loop {
        let kind = reader.u8()?;
        if kind == 0 {
            break;
        }
        let length = reader.u8()?;
        items.push((kind, reader.take(usize::from(length))?.to_vec()));
    }
    let aligned = reader.position().next_multiple_of(4);
    reader.take(aligned - reader.position())?;
    Ok(Chunk { ssrc, items })
}

fn write_chunk(writer: &mut Writer<'_>, chunk: &Chunk) {
    writer.u32(chunk.ssrc);
    for (kind, text) in chunk.items.iter().filter(|(kind, _)| *kind != 0) {
        writer.u8(*kind);
        write_text(writer, text);
    }
    writer.u8(0).pad(4);
}

fn write_text(writer: &mut Writer<'_>, text: &[u8]) {
    let text = text.get(..defaults::MAX_SDES_ITEM).unwrap_or(text);
    writer.u8(text.len() as u8).bytes(text);
}
