//! The forms of data: ChannelData (RFC 8656 §12.4), Send and Data indications (RFC 8656 §11.1,
//! §11.4).

use std::net::IpAddr;
use std::ops::Range;

use machine::Endpoint;
use stun::{AttributeType, Class, MAGIC_COOKIE, Message, Method};

use crate::defaults::{MAX_CHANNEL, MIN_CHANNEL};

/// Bytes before the data of a ChannelData message.
pub const CHANNEL_HEADER_LEN: usize = 4;

/// Data (RFC 8656 §17), an indication.
const DATA_INDICATION: u16 = 0x0017;

/// What the first bytes of a datagram from a client say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ChannelData: the number and the length of the data, which the datagram holds.
    Channel { number: u16, len: usize },
    /// A Send indication, so far as its header tells.
    Send,
    /// A STUN request.
    Request,
    /// Another indication.
    Indication,
    /// Nothing that a client sends.
    Malformed,
}

impl Kind {
    /// Tells what `datagram` is, from its header alone.
    pub(crate) fn of(datagram: &[u8]) -> Self {
        let Some(&[t0, t1, l0, l1]) = datagram.first_chunk::<4>() else { return Self::Malformed };
        let (first, len) = (u16::from_be_bytes([t0, t1]), u16::from_be_bytes([l0, l1]));
        match first {
            //= RFC 8656 §12.6: the length field counts the data alone; over UDP there may be
            // padding behind it.
            MIN_CHANNEL..=MAX_CHANNEL => {
                let len = usize::from(len);
                let holds = datagram.len() >= CHANNEL_HEADER_LEN + len;
                if holds { Self::Channel { number: first, len } } else { Self::Malformed }
            }
            0x0000..=0x3fff => match first & 0x0110 {
                0x0000 => Self::Request,
                0x0010 if first == 0x0016 => Self::Send,
                0x0010 => Self::Indication,
                _ => Self::Malformed,
            },
            _ => Self::Malformed,
        }
    }
}

/// What a Send indication carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) peer: Endpoint,
    /// Where in the datagram the data stands.
    pub(crate) data: Range<usize>,
}

impl Send {
    /// Reads a plain Send indication: one that has the two attributes that it needs and beside them
    /// only such as may be ignored. Nothing for any other.
    pub(crate) fn read(datagram: &[u8]) -> Option<Self> {
        let message = Message::parse(datagram).ok()?;
        if (message.class(), message.method()) != (Class::Indication, Method::SEND) {
            return None;
        }
        let mut data = None;
        let mut at = stun::header::HEADER_BYTES;
        for attribute in message.attributes() {
            let len = attribute.value.len();
            let value = at + 4;
            match attribute.kind {
                AttributeType::XOR_PEER_ADDRESS => {}
                AttributeType::DATA if data.is_none() => data = Some(value..value + len),
                kind if kind.is_comprehension_required() && kind != AttributeType::DATA => {
                    return None;
                }
                _ => {}
            }
            at = value + len.next_multiple_of(4);
        }
        Some(Self { peer: message.xor_address(AttributeType::XOR_PEER_ADDRESS)?, data: data? })
    }
}

/// Writes the header of a ChannelData message with `len` bytes of data.
pub(crate) fn write_channel_header(header: &mut [u8], number: u16, len: usize) {
    let len = u16::try_from(len).unwrap_or(u16::MAX);
    let ([n0, n1], [l0, l1]) = (number.to_be_bytes(), len.to_be_bytes());
    if let Some(header) = header.first_chunk_mut() {
        *header = [n0, n1, l0, l1];
    }
}

/// Bytes before the data of a Data indication from a peer at `ip`.
pub(crate) const fn data_header_len(ip: IpAddr) -> usize {
    match ip {
        IpAddr::V4(_) => 20 + 4 + 8 + 4,
        IpAddr::V6(_) => 20 + 4 + 20 + 4,
    }
}

/// Writes what stands before `len` bytes of data from `peer` in a Data indication;
/// `header` has [`data_header_len`] bytes.
pub(crate) fn write_data_header(header: &mut [u8], peer: Endpoint, id: [u8; 12], len: usize) {
    let cookie = MAGIC_COOKIE.to_be_bytes();
    let value_len = u16::try_from(len).unwrap_or(u16::MAX);
    let address_len: u16 = if peer.is_ipv4() { 8 } else { 20 };
    let body = 4 + address_len + 4 + value_len.saturating_add(3) / 4 * 4;
    let mut to = header.iter_mut();
    let mut put = |bytes: &[u8]| to.by_ref().zip(bytes).for_each(|(to, from)| *to = *from);
    put(&DATA_INDICATION.to_be_bytes());
    put(&body.to_be_bytes());
    put(&cookie);
    put(&id);
    put(&AttributeType::XOR_PEER_ADDRESS.0.to_be_bytes());
    put(&address_len.to_be_bytes());
    let port = peer.port() ^ (MAGIC_COOKIE >> 16) as u16;
    let family = if peer.is_ipv4() { 1 } else { 2 };
    put(&[0, family]);
    put(&port.to_be_bytes());
    match peer.ip() {
        IpAddr::V4(ip) => put(&(ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes()),
        IpAddr::V6(ip) => {
            let mut mask = [0; 16];
            mask.iter_mut().zip(cookie.iter().chain(&id)).for_each(|(to, from)| *to = *from);
            put(&(ip.to_bits() ^ u128::from_be_bytes(mask)).to_be_bytes());
        }
    }
    put(&AttributeType::DATA.0.to_be_bytes());
    put(&value_len.to_be_bytes());
}
