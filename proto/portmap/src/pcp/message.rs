//! Requests and responses (RFC 6887 §7.1, §7.2).

use std::net::IpAddr;

use machine::{Reader, Truncated, Writer};

use super::VERSION;
use super::operation::{Operation, read_ip, write_ip};
use super::options::Options;
use super::result_code::ResultCode;
use crate::defaults::PCP_MESSAGE_BYTES;

/// The bit of an opcode that tells a response.
const RESPONSE: u8 = 0x80;

/// The length of what comes before the operation.
const HEADER_LEN: usize = 24;

/// Why a datagram is not a message of PCP, or not one that this side takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends too early.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// It is of another version, or of NAT-PMP.
    #[error("version {0}, not 2")]
    Version(u8),
    /// It goes the other way.
    #[error("opcode {0} goes the other way")]
    Direction(u8),
    /// Its length is none that a message has.
    #[error("a message of {0} bytes")]
    Length(usize),
    /// It asks for what there is not.
    #[error("unknown opcode {0}")]
    Opcode(u8),
    /// It asks with what there is not, or wrongly.
    #[error("options: {}", .0.reason())]
    Options(ResultCode),
}

impl Error {
    /// What a server answers; nothing to what is no request at all.
    //= RFC 6887 §8.2: what is shorter than two octets or has the R bit is dropped; then the version
    //= is looked at, then the length, then the opcode, then the options.
    #[must_use]
    pub const fn code(self) -> Option<ResultCode> {
        match self {
            Self::Direction(_) => None,
            Self::Version(_) => Some(ResultCode::UNSUPP_VERSION),
            Self::Truncated(_) | Self::Length(_) => Some(ResultCode::MALFORMED_REQUEST),
            Self::Opcode(_) => Some(ResultCode::UNSUPP_OPCODE),
            Self::Options(code) => Some(code),
        }
    }
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// For how long, in seconds; 0 to remove.
    pub lifetime_secs: u32,
    /// The address that the client sends from.
    pub client: IpAddr,
    /// What it asks.
    pub operation: Operation,
    /// With which options.
    pub options: Options,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Error`] if it is none, or none that can be answered with success; its
    /// [`code`](Error::code) is the answer that is owed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let (Ok(version), Ok(opcode)) = (reader.u8(), reader.u8()) else {
            return Err(Error::Direction(0));
        };
        if opcode & RESPONSE != 0 {
            return Err(Error::Direction(opcode));
        }
        if version != VERSION {
            return Err(Error::Version(version));
        }
        //= RFC 6887 §7: a message has at most 1100 octets and a multiple of 4.
        check_length(bytes)?;
        reader.u16()?;
        let (lifetime_secs, client) = (reader.u32()?, read_ip(&mut reader)?);
        let operation = Operation::read(opcode, &mut reader).ok_or(Error::Opcode(opcode))??;
        let options = Options::read(&operation, &mut reader).map_err(Error::Options)?;
        Ok(Self { lifetime_secs, client, operation, options })
    }

    /// Appends it to `buf`.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let mut writer = Writer::new(buf);
        //= RFC 6887 §7.1: the reserved bits are zero.
        writer.u8(VERSION).u8(self.operation.opcode()).u16(0).u32(self.lifetime_secs);
        write_ip(self.client, &mut writer);
        self.operation.write(&mut writer);
        self.options.write(&mut writer);
    }
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What became of the request.
    pub result: ResultCode,
    /// With success, for how long; else, for how long the same will be answered; in seconds.
    pub lifetime_secs: u32,
    /// Seconds since the server's mappings began (RFC 6887 §8.5).
    pub epoch_secs: u32,
    /// What is answered.
    pub operation: Operation,
    /// The options that were processed.
    pub options: Options,
}

/// A refusal of something that was not understood, or so short that its operation is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The version of the server.
    pub version: u8,
    /// The opcode of the request, below 128.
    pub opcode: u8,
    /// Why it was refused.
    pub result: ResultCode,
    /// For how long the same will be answered, in seconds.
    pub lifetime_secs: u32,
    /// Seconds since the server's mappings began.
    pub epoch_secs: u32,
}

impl Response {
    /// Reads a response: `Err` within for a refusal that does not say of what.
    ///
    //= RFC 6887 §8.3: a client drops what lacks the R bit, is shorter than a header, longer than 1100
    //= octets or no multiple of 4.
    ///
    /// # Errors
    /// [`Error`] if it is none.
    pub fn parse(bytes: &[u8]) -> Result<Result<Self, Unread>, Error> {
        let mut reader = Reader::new(bytes);
        let (version, opcode) = (reader.u8()?, reader.u8()?);
        if opcode & RESPONSE == 0 {
            return Err(Error::Direction(opcode));
        }
        if version == 0 {
            return Err(Error::Version(version));
        }
        check_length(bytes)?;
        let opcode = opcode & !RESPONSE;
        reader.u8()?;
        let (result, lifetime_secs, epoch_secs) =
            (ResultCode(reader.u8()?), reader.u32()?, reader.u32()?);
        reader.take(12)?;
        let unread = Unread { version, opcode, result, lifetime_secs, epoch_secs };
        let refused = result != ResultCode::SUCCESS;
        if version != VERSION {
            return if refused { Ok(Err(unread)) } else { Err(Error::Version(version)) };
        }
        let operation = match Operation::read(opcode, &mut reader) {
            Some(Ok(operation)) => operation,
            _ if refused => return Ok(Err(unread)),
            Some(Err(truncated)) => return Err(truncated.into()),
            None => return Err(Error::Opcode(opcode)),
        };
        let options = match Options::read(&operation, &mut reader) {
            Ok(options) => options,
            // The request's own, which is why it was refused.
            Err(_) if refused => Options::default(),
            Err(code) => return Err(Error::Options(code)),
        };
        Ok(Ok(Self { result, lifetime_secs, epoch_secs, operation, options }))
    }

    /// Appends it to `buf`.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let opcode = self.operation.opcode();
        let mut writer = Writer::new(buf);
        header(opcode, self.result, self.lifetime_secs, self.epoch_secs, &mut writer);
        self.operation.write(&mut writer);
        self.options.write(&mut writer);
    }

    /// Appends a refusal of `request`, whatever that is, to `buf`; says whether it is long enough to
    /// be refused.
    ///
    //= RFC 6887 §8.2: a refusal copies the request behind the header, up to 1100 octets in all and
    //= filled up with zeros to a multiple of 4.
    pub fn refuse(
        request: &[u8],
        result: ResultCode,
        lifetime_secs: u32,
        epoch_secs: u32,
        buf: &mut Vec<u8>,
    ) -> bool {
        let Some(opcode) = request.get(1).filter(|opcode| **opcode & RESPONSE == 0) else {
            return false;
        };
        let mut writer = Writer::new(buf);
        header(*opcode, result, lifetime_secs, epoch_secs, &mut writer);
        let rest = request.get(HEADER_LEN..PCP_MESSAGE_BYTES.min(request.len()));
        writer.bytes(rest.unwrap_or_default()).pad(4);
        true
    }
}

fn header(opcode: u8, result: ResultCode, lifetime: u32, epoch: u32, writer: &mut Writer<'_>) {
    //= RFC 6887 §7.2: the R bit is set, the reserved bits are zero.
    writer.u8(VERSION).u8(RESPONSE | opcode).u8(0).u8(result.0);
    writer.u32(lifetime).u32(epoch).bytes(&[0; 12]);
}

fn check_length(bytes: &[u8]) -> Result<(), Error> {
    let fits = bytes.len() <= PCP_MESSAGE_BYTES && bytes.len().is_multiple_of(4);
    if fits { Ok(()) } else { Err(Error::Length(bytes.len())) }
}

#[cfg(test)]
mod tests;
