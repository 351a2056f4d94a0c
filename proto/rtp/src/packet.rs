//! One RTP packet (RFC 3550 §5.1).

use machine::{Reader, Writer};

use crate::Error;

/// An RTP packet as a view of its bytes.
///
/// The contributing sources and the header extension are kept raw: what RFC 8285 puts into the
/// latter is for those who agreed on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The marker; for audio, the first packet after silence (RFC 3551 §4.1).
    pub marker: bool,
    /// The payload type, below 128.
    pub payload_type: u8,
    /// Grows by one with each packet.
    pub sequence: u16,
    /// When the first sample was taken, in ticks of the codec's clock.
    pub timestamp: u32,
    /// The source.
    pub ssrc: u32,
    /// Contributing sources, four bytes each, at most fifteen.
    pub csrcs: &'a [u8],
    /// The header extension.
    pub extension: Option<Extension<'a>>,
    /// The payload, without padding.
    pub payload: &'a [u8],
    /// Bytes of padding, its length byte included; 0 for none.
    pub padding: u8,
}

/// A header extension (RFC 3550 §5.3.1), raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// `0xBEDE` or `0x100N` for the elements of RFC 8285.
    pub profile: u16,
    /// Its data; a multiple of four bytes.
    pub data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// If `bytes` are not RTP version 2, or the lengths inside do not fit.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let flags = reader.u8()?;
        if flags >> 6 != 2 {
            return Err(Error::Version);
        }
        let second = reader.u8()?;
        let sequence = reader.u16()?;
        let timestamp = reader.u32()?;
        let ssrc = reader.u32()?;
        let csrcs = reader.take(usize::from(flags & 0x0f) * 4)?;
        let extension = if flags & 0x10 == 0 { None } else { Some(extension(&mut reader)?) };
        let (payload, padding) = match (flags & 0x20 != 0, reader.rest()) {
            (false, rest) => (rest, 0),
            (true, rest) => unpad(rest)?,
        };
        Ok(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence,
            timestamp,
            ssrc,
            csrcs,
            extension,
            payload,
            padding,
        })
    }

    /// Appends the packet to `buf`. More than fifteen contributing sources, and bytes of them or of
    /// the extension that do not fill a word, are cut off.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let mut writer = Writer::new(buf);
        let csrc_count = (self.csrcs.len() / 4).min(15);
        let flags = 2 << 6
            | u8::from(self.padding > 0) << 5
            | u8::from(self.extension.is_some()) << 4
            | csrc_count as u8;
        writer.u8(flags).u8(u8::from(self.marker) << 7 | self.payload_type & 0x7f);
        writer.u16(self.sequence).u32(self.timestamp).u32(self.ssrc);
        writer.bytes(self.csrcs.get(..csrc_count * 4).unwrap_or_default());
        if let Some(Extension { profile, data }) = self.extension {
            let words = (data.len() / 4).min(usize::from(u16::MAX));
            writer.u16(profile).u16(words as u16);
            writer.bytes(data.get(..words * 4).unwrap_or_default());
        }
        writer.bytes(self.payload);
        if let Some(zeros) = self.padding.checked_sub(1) {
            (0..zeros).for_each(|_| {
                writer.u8(0);
            });
            writer.u8(self.padding);
        }
    }

    /// The contributing sources as numbers.
    pub fn contributing_sources(&self) -> impl Iterator<Item = u32> {
        self.csrcs.as_chunks().0.iter().map(|chunk| u32::from_be_bytes(*chunk))
    }
}

fn extension<'a>(reader: &mut Reader<'a>) -> Result<Extension<'a>, Error> {
    let profile = reader.u16()?;
    let words = reader.u16()?;
    let data = reader.take(usize::from(words) * 4)?;
    Ok(Extension { profile, data })
}

//= RFC 3550 §5.1: the last byte of the padding counts it, itself included.
fn unpad(rest: &[u8]) -> Result<(&[u8], u8), Error> {
    let padding = *rest.last().ok_or(Error::Padding)?;
    let payload = rest.len().checked_sub(usize::from(padding)).and_then(|n| rest.get(..n));
    match (payload, padding) {
        (None, _) | (_, 0) => Err(Error::Padding),
        (Some(payload), padding) => Ok((payload, padding)),
    }
}
