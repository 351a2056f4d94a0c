//! What is asked and answered: ANNOUNCE, MAP, PEER (RFC 6887 §11.1, §12.1, §14.1).

use std::net::{IpAddr, Ipv6Addr};

use machine::{Endpoint, Reader, Truncated, Writer};

/// What a client names a mapping with, so that nobody else changes it (RFC 6887 §11.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub [u8; 12]);

/// A mapping for everybody (RFC 6887 §11). Requests and responses have the same fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Names the mapping.
    pub nonce: Nonce,
    /// The number of the protocol; 0 for all.
    pub protocol: u8,
    /// The port inside; 0 for all.
    pub internal_port: u16,
    /// The address outside, suggested or assigned; unspecified, and port 0, for any.
    pub external: Endpoint,
}

/// A mapping towards one peer (RFC 6887 §12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The mapping itself.
    pub map: Map,
    /// The peer.
    pub remote: Endpoint,
}

/// What is asked or answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Says that a server is there, and since when (RFC 6887 §14.1).
    Announce,
    /// A mapping for everybody.
    Map(Map),
    /// A mapping towards one peer.
    Peer(Peer),
}

impl Operation {
    /// The opcode of ANNOUNCE.
    pub const ANNOUNCE: u8 = 0;
    /// The opcode of MAP.
    pub const MAP: u8 = 1;
    /// The opcode of PEER.
    pub const PEER: u8 = 2;

    /// Its opcode.
    #[must_use]
    pub const fn opcode(&self) -> u8 {
        match self {
            Self::Announce => Self::ANNOUNCE,
            Self::Map(_) => Self::MAP,
            Self::Peer(_) => Self::PEER,
        }
    }

    /// The mapping that it is about.
    #[must_use]
    pub const fn map(&self) -> Option<&Map> {
        match self {
            Self::Announce => None,
            Self::Map(map) | Self::Peer(Peer { map, .. }) => Some(map),
        }
    }

    /// Reads the operation of `opcode`; `None` if there is no such opcode.
    pub(super) fn read(opcode: u8, reader: &mut Reader<'_>) -> Option<Result<Self, Truncated>> {
        Some(match opcode {
            Self::ANNOUNCE => Ok(Self::Announce),
            Self::MAP => Map::read(reader).map(Self::Map),
            Self::PEER => Peer::read(reader).map(Self::Peer),
            _ => return None,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Announce => {}
            Self::Map(map) => map.write(writer),
            Self::Peer(peer) => {
                peer.map.write(writer);
                //= RFC 6887 §12.1: the reserved bits are zero.
                writer.u16(peer.remote.port()).u16(0);
                write_ip(peer.remote.ip(), writer);
            }
        }
    }
}

impl Map {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let (nonce, protocol) = (Nonce(reader.array()?), reader.u8()?);
        //= RFC 6887 §11.1: the reserved bits are ignored on reception.
        reader.take(3)?;
        let (internal_port, external_port) = (reader.u16()?, reader.u16()?);
        let external = Endpoint::new(read_ip(reader)?, external_port);
        Ok(Self { nonce, protocol, internal_port, external })
    }

    fn write(&self, writer: &mut Writer<'_>) {
        //= RFC 6887 §11.1: the reserved bits are zero.
        writer.bytes(&self.nonce.0).u8(self.protocol).bytes(&[0; 3]);
        writer.u16(self.internal_port).u16(self.external.port());
        write_ip(self.external.ip(), writer);
    }
}

impl Peer {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Truncated> {
        let map = Map::read(reader)?;
        let port = reader.u16()?;
        reader.u16()?;
        Ok(Self { map, remote: Endpoint::new(read_ip(reader)?, port) })
    }
}

/// Reads an address.
//= RFC 6887 §5: every address has 128 bits, those of IPv4 as IPv4-mapped ones.
pub(super) fn read_ip(reader: &mut Reader<'_>) -> Result<IpAddr, Truncated> {
    reader.array().map(|octets: [u8; 16]| IpAddr::from(Ipv6Addr::from(octets)).to_canonical())
}

pub(super) fn write_ip(ip: IpAddr, writer: &mut Writer<'_>) {
    let ip = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    writer.bytes(&ip.octets());
}
