//! Options of a request or response (RFC 6887 §7.3, §13).

use std::net::IpAddr;

use machine::{Endpoint, Reader, Writer};

use super::operation::{Operation, read_ip, write_ip};
use super::result_code::ResultCode;
use crate::defaults::PCP_FILTERS;

/// Codes from here on may be left unprocessed (RFC 6887 §7.3).
const OPTIONAL: u8 = 128;

/// The options that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// THIRD_PARTY: the mapping is for this address inside instead of the client's (§13.1).
    pub third_party: Option<IpAddr>,
    /// PREFER_FAILURE: rather no mapping than one of another address or port outside (§13.2).
    pub prefer_failure: bool,
    /// FILTER: these peers alone (§13.3).
    pub filters: Vec<Filter>,
}

/// Peers that a mapping is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// How many bits of the 128 of the peer's address count; those of IPv4 count from 96 on. 0
    /// removes all filters.
    pub prefix_len: u8,
    /// The peer; port 0 for all its ports.
    pub remote: Endpoint,
}

impl Options {
    /// The code of THIRD_PARTY.
    pub const THIRD_PARTY: u8 = 1;
    /// The code of PREFER_FAILURE.
    pub const PREFER_FAILURE: u8 = 2;
    /// The code of FILTER.
    pub const FILTER: u8 = 3;

    /// Reads options to the end, as a server does, which owes an answer to each that it cannot
    /// process.
    ///
    //= RFC 6887 §7.3: a mandatory option that is unknown refuses the whole request, an optional one
    //= is passed over; an option out of place, too long, too short or too often is malformed.
    pub(super) fn read(operation: &Operation, reader: &mut Reader<'_>) -> Result<Self, ResultCode> {
        let malformed = |_| ResultCode::MALFORMED_OPTION;
        let mut options = Self::default();
        while !reader.is_empty() {
            let code = reader.u8().map_err(malformed)?;
            reader.u8().map_err(malformed)?;
            let len = usize::from(reader.u16().map_err(malformed)?);
            let data = reader.take(len).map_err(malformed)?;
            //= RFC 6887 §7.3: the length leaves out the padding to a multiple of 4 octets.
            reader.take(len.next_multiple_of(4) - len).map_err(malformed)?;
            options.take(code, data, operation)?;
        }
        Ok(options)
    }

    fn take(&mut self, code: u8, data: &[u8], operation: &Operation) -> Result<(), ResultCode> {
        const MALFORMED: ResultCode = ResultCode::MALFORMED_OPTION;
        let mut reader = Reader::new(data);
        let map = matches!(operation, Operation::Map(_));
        match code {
            //= RFC 6887 §13.1: THIRD_PARTY is for MAP and PEER, once.
            Self::THIRD_PARTY => {
                let ip = read_ip(&mut reader).map_err(|_| MALFORMED)?;
                if *operation == Operation::Announce || self.third_party.replace(ip).is_some() {
                    return Err(MALFORMED);
                }
            }
            //= RFC 6887 §13.2: PREFER_FAILURE is for MAP, once, and has no data.
            Self::PREFER_FAILURE => {
                if !map || std::mem::replace(&mut self.prefer_failure, true) {
                    return Err(MALFORMED);
                }
            }
            //= RFC 6887 §13.3: FILTER is for MAP.
            Self::FILTER => {
                let filter = Filter::read(&mut reader).filter(|_| map).ok_or(MALFORMED)?;
                if self.filters.len() == PCP_FILTERS {
                    return Err(ResultCode::EXCESSIVE_REMOTE_PEERS);
                }
                self.filters.push(filter);
            }
            OPTIONAL.. => return Ok(()),
            _ => return Err(ResultCode::UNSUPP_OPTION),
        }
        if reader.is_empty() { Ok(()) } else { Err(MALFORMED) }
    }

    pub(super) fn write(&self, writer: &mut Writer<'_>) {
        if let Some(ip) = self.third_party {
            writer.u8(Self::THIRD_PARTY).u8(0).u16(16);
            write_ip(ip, writer);
        }
        if self.prefer_failure {
            writer.u8(Self::PREFER_FAILURE).u8(0).u16(0);
        }
        for filter in &self.filters {
            writer.u8(Self::FILTER).u8(0).u16(20);
            writer.u8(0).u8(filter.prefix_len).u16(filter.remote.port());
            write_ip(filter.remote.ip(), writer);
        }
    }
}

impl Filter {
    //= RFC 6887 §13.3: of an IPv4 address the prefix counts the 96 bits before it too; what is
    //= longer than an address, or ends within those, is malformed.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.u8().ok()?;
        let (prefix_len, port) = (reader.u8().ok()?, reader.u16().ok()?);
        let remote = Endpoint::new(read_ip(reader).ok()?, port);
        let fits = match prefix_len {
            0 => true,
            1..96 => remote.is_ipv6(),
            _ => prefix_len <= 128,
        };
        fits.then_some(Self { prefix_len, remote })
    }
}
