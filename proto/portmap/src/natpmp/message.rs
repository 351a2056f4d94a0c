//! Requests and responses (RFC 6886 §3.2 to §3.5).

use std::net::Ipv4Addr;

use machine::{Reader, Truncated, Writer};

use super::VERSION;

/// The bit of an opcode that tells a response (RFC 6886 §3.5).
const RESPONSE: u8 = 0x80;

/// Why a datagram is not a message of NAT-PMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends too early.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// It is of another protocol.
    #[error("version {0}, not 0")]
    Version(u8),
    /// It goes the other way.
    #[error("opcode {0} goes the other way")]
    Direction(u8),
    /// It asks for what there is not.
    #[error("unknown opcode {0}")]
    Opcode(u8),
}

impl Error {
    /// What a gateway answers; nothing to what is no request at all.
    //= RFC 6886 §3.5: what has an opcode of 128 or more is a response, and is not answered.
    #[must_use]
    pub const fn code(self) -> Option<ResultCode> {
        match self {
            Self::Version(_) => Some(ResultCode::UNSUPPORTED_VERSION),
            Self::Opcode(_) => Some(ResultCode::UNSUPPORTED_OPCODE),
            Self::Truncated(_) | Self::Direction(_) => None,
        }
    }
}

/// What became of a request (RFC 6886 §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResultCode(pub u16);

impl ResultCode {
    /// Success.
    pub const SUCCESS: Self = Self(0);
    /// Unsupported version.
    pub const UNSUPPORTED_VERSION: Self = Self(1);
    /// The box can map, but is told not to.
    pub const NOT_AUTHORIZED: Self = Self(2);
    /// The box itself has no address outside.
    pub const NETWORK_FAILURE: Self = Self(3);
    /// The box cannot hold more mappings.
    pub const OUT_OF_RESOURCES: Self = Self(4);
    /// Unsupported opcode.
    pub const UNSUPPORTED_OPCODE: Self = Self(5);

    /// What it means.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self.0 {
            0 => "success",
            1 => "unsupported version",
            2 => "not authorized",
            3 => "network failure",
            4 => "out of resources",
            5 => "unsupported opcode",
            _ => "unknown result",
        }
    }
}

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// For the address outside (RFC 6886 §3.2).
    ExternalAddress,
    /// For a mapping (RFC 6886 §3.3); with a lifetime of 0 to remove it (§3.4).
    Map {
        /// Whether it is of TCP, or else of UDP.
        tcp: bool,
        /// The port inside; 0 stands for all when removing.
        internal_port: u16,
        /// The port outside that is wanted; 0 for any.
        external_port: u16,
        /// For how long, in seconds.
        lifetime_secs: u32,
    },
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// [`Error`] if it is none; its [`code`](Error::code) is the answer that is owed.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let (version, opcode) = (reader.u8()?, reader.u8()?);
        if opcode & RESPONSE != 0 {
            return Err(Error::Direction(opcode));
        }
        match (version, opcode) {
            (VERSION, 0) => Ok(Self::ExternalAddress),
            (VERSION, 1 | 2) => {
                //= RFC 6886 §3.3: the reserved field is ignored on reception.
                reader.u16()?;
                Ok(Self::Map {
                    tcp: opcode == 2,
                    internal_port: reader.u16()?,
                    external_port: reader.u16()?,
                    lifetime_secs: reader.u32()?,
                })
            }
            (VERSION, _) => Err(Error::Opcode(opcode)),
            _ => Err(Error::Version(version)),
        }
    }

    /// Appends it to `buf`.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let mut writer = Writer::new(buf);
        writer.u8(VERSION);
        match *self {
            Self::ExternalAddress => writer.u8(0),
            Self::Map { tcp, internal_port, external_port, lifetime_secs } => writer
                .u8(1 + u8::from(tcp))
                //= RFC 6886 §3.3: the reserved field is zero.
                .u16(0)
                .u16(internal_port)
                .u16(external_port)
                .u32(lifetime_secs),
        };
    }
}

/// What a gateway answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// What became of the request.
    pub result: ResultCode,
    /// Seconds since the gateway's table of mappings was empty (RFC 6886 §3.6).
    pub epoch_secs: u32,
    /// What was asked, and with success also the answer.
    pub answer: Answer,
}

/// The part of a response that is its request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The address outside; unspecified in a refusal that leaves it out.
    ExternalAddress(Ipv4Addr),
    /// A mapping.
    Map {
        /// Whether it is of TCP, or else of UDP.
        tcp: bool,
        /// The port inside; 0 in a refusal that leaves it out.
        internal_port: u16,
        /// The port outside.
        external_port: u16,
        /// For how long, in seconds.
        lifetime_secs: u32,
    },
    /// A refusal of another version, whatever was asked.
    Version,
    /// A refusal of something else, or of something that was not understood.
    Other {
        /// The opcode of the request, below 128.
        opcode: u8,
    },
}

impl Response {
    /// A refusal of `request`, whatever it was; nothing if that is too short to have an opcode.
    ///
    //= RFC 6886 §3.5: a refusal for its version has version 0, opcode 0, the result and the epoch;
    //= any other the request's opcode and 128, and the request's port inside.
    #[must_use]
    pub fn refusal(request: &[u8], result: ResultCode, epoch_secs: u32) -> Option<Self> {
        let parsed = Request::parse(request);
        let version = matches!(parsed, Err(Error::Version(_)));
        let result = if version { ResultCode::UNSUPPORTED_VERSION } else { result };
        let answer = match (parsed, request) {
            (Ok(Request::ExternalAddress), _) => Answer::ExternalAddress(Ipv4Addr::UNSPECIFIED),
            (Ok(Request::Map { tcp, internal_port, .. }), _) => {
                Answer::Map { tcp, internal_port, external_port: 0, lifetime_secs: 0 }
            }
            (Err(Error::Direction(_)), _) => return None,
            (Err(Error::Version(_)), _) => Answer::Version,
            (Err(_), [_, opcode, ..]) => Answer::Other { opcode: opcode & !RESPONSE },
            (Err(_), _) => return None,
        };
        Some(Self { result, epoch_secs, answer })
    }

    /// Reads a response, a refusal also where it ends after its epoch.
    ///
    /// # Errors
    /// [`Error`] if it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let (version, opcode) = (reader.u8()?, reader.u8()?);
        if version != VERSION {
            return Err(Error::Version(version));
        }
        let result = reader.u16().map(ResultCode);
        //= RFC 6886 §3.5: a refusal of the version has no bit that tells it from a request.
        if opcode == 0 && result == Ok(ResultCode::UNSUPPORTED_VERSION) {
            let (result, epoch_secs) = (ResultCode::UNSUPPORTED_VERSION, reader.u32()?);
            return Ok(Self { result, epoch_secs, answer: Answer::Version });
        }
        if opcode & RESPONSE == 0 {
            return Err(Error::Direction(opcode));
        }
        let (result, epoch_secs) = (result?, reader.u32()?);
        let opcode = opcode & !RESPONSE;
        let answer = match opcode {
            0 => reader.array().map(|ip: [u8; 4]| Answer::ExternalAddress(ip.into())),
            1 | 2 => map(opcode == 2, &mut reader),
            _ if result == ResultCode::SUCCESS => return Err(Error::Opcode(opcode)),
            _ => Ok(Answer::Other { opcode }),
        };
        let answer = match answer {
            Ok(answer) => answer,
            //= RFC 6886 §3.5: after a result other than success the rest is undefined.
            Err(_) if result != ResultCode::SUCCESS => Answer::Other { opcode },
            Err(truncated) => return Err(truncated.into()),
        };
        Ok(Self { result, epoch_secs, answer })
    }

    /// Appends it to `buf`.
    pub fn write(&self, buf: &mut Vec<u8>) {
        let opcode = match self.answer {
            Answer::ExternalAddress(_) | Answer::Version => 0,
            Answer::Map { tcp, .. } => 1 + u8::from(tcp),
            Answer::Other { opcode } => opcode,
        };
        let response = if self.answer == Answer::Version { 0 } else { RESPONSE };
        let mut writer = Writer::new(buf);
        writer.u8(VERSION).u8(response | opcode).u16(self.result.0).u32(self.epoch_secs);
        match self.answer {
            Answer::ExternalAddress(ip) => {
                writer.bytes(&ip.octets());
            }
            Answer::Map { internal_port, external_port, lifetime_secs, .. } => {
                writer.u16(internal_port).u16(external_port).u32(lifetime_secs);
            }
            Answer::Version | Answer::Other { .. } => {}
        }
    }
}

fn map(tcp: bool, reader: &mut Reader<'_>) -> Result<Answer, Truncated> {
    Ok(Answer::Map {
        tcp,
        internal_port: reader.u16()?,
        external_port: reader.u16()?,
        lifetime_secs: reader.u32()?,
    })
}

#[cfg(test)]
mod tests;
