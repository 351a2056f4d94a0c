//! ERROR-CODE (RFC 8489 §14.8).

use crate::defaults::MAX_TEXT_READ_BYTES;

/// 300: ask the server of ALTERNATE-SERVER instead.
pub const TRY_ALTERNATE: u16 = 300;
/// 400: malformed; repeating it unchanged is no use.
pub const BAD_REQUEST: u16 = 400;
/// 401: credentials are missing or wrong.
pub const UNAUTHENTICATED: u16 = 401;
/// 403: the request is understood and will not be fulfilled (RFC 8656 §19).
pub const FORBIDDEN: u16 = 403;
/// 405: the server grants no mobility (RFC 8016 §3.2.1).
pub const MOBILITY_FORBIDDEN: u16 = 405;
/// 420: comprehension-required attributes that the server does not know.
pub const UNKNOWN_ATTRIBUTE: u16 = 420;
/// 437: there is no allocation where there should be one, or the other way round (RFC 8656 §19).
pub const ALLOCATION_MISMATCH: u16 = 437;
/// 438: the nonce is no longer good; the response carries a new one.
pub const STALE_NONCE: u16 = 438;
/// 440: no relayed address of the family that was asked for (RFC 8656 §19).
pub const ADDRESS_FAMILY_NOT_SUPPORTED: u16 = 440;
/// 441: the allocation is another user's (RFC 8656 §19).
pub const WRONG_CREDENTIALS: u16 = 441;
/// 442: no relaying over the transport that was asked for (RFC 8656 §19).
pub const UNSUPPORTED_TRANSPORT_PROTOCOL: u16 = 442;
/// 443: the peer's address is of another family than the relayed address (RFC 8656 §19).
pub const PEER_ADDRESS_FAMILY_MISMATCH: u16 = 443;
/// 446: there is a connection to that peer already (RFC 6062 §6.3).
pub const CONNECTION_ALREADY_EXISTS: u16 = 446;
/// 447: the peer did not accept the connection (RFC 6062 §6.3).
pub const CONNECTION_TIMEOUT_OR_FAILURE: u16 = 447;
/// 486: the user has as many allocations as it may have (RFC 8656 §19).
pub const ALLOCATION_QUOTA_REACHED: u16 = 486;
/// 487: both agents take the same ICE role (RFC 8445 §7.3.1.1).
pub const ROLE_CONFLICT: u16 = 487;
/// 500: a temporary failure of the server.
pub const SERVER_ERROR: u16 = 500;
/// 508: the server has no ports or no capacity left (RFC 8656 §19).
pub const INSUFFICIENT_CAPACITY: u16 = 508;

/// What an error response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode<'a> {
    /// 300 to 699.
    pub code: u16,
    /// For people.
    pub reason: &'a str,
}

impl<'a> ErrorCode<'a> {
    /// The code with the reason phrase that its RFC has for it.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        let reason = match code {
            TRY_ALTERNATE => "Try Alternate",
            BAD_REQUEST => "Bad Request",
            UNAUTHENTICATED => "Unauthenticated",
            FORBIDDEN => "Forbidden",
            MOBILITY_FORBIDDEN => "Mobility Forbidden",
            UNKNOWN_ATTRIBUTE => "Unknown Attribute",
            ALLOCATION_MISMATCH => "Allocation Mismatch",
            STALE_NONCE => "Stale Nonce",
            ADDRESS_FAMILY_NOT_SUPPORTED => "Address Family not Supported",
            WRONG_CREDENTIALS => "Wrong Credentials",
            UNSUPPORTED_TRANSPORT_PROTOCOL => "Unsupported Transport Protocol",
            PEER_ADDRESS_FAMILY_MISMATCH => "Peer Address Family Mismatch",
            CONNECTION_ALREADY_EXISTS => "Connection Already Exists",
            CONNECTION_TIMEOUT_OR_FAILURE => "Connection Timeout or Failure",
            ALLOCATION_QUOTA_REACHED => "Allocation Quota Reached",
            ROLE_CONFLICT => "Role Conflict",
            SERVER_ERROR => "Server Error",
            INSUFFICIENT_CAPACITY => "Insufficient Capacity",
            _ => "",
        };
        Self { code, reason }
    }

    /// Reads a value. A reason phrase that is too long or no UTF-8 reads as empty: the code is what
    /// counts.
    #[must_use]
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let (&[_, _, class, number], reason) = value.split_first_chunk()?;
        let (class, number) = (u16::from(class & 0x07), u16::from(number));
        if !(3..=6).contains(&class) || number > 99 {
            return None;
        }
        let short = Some(reason).filter(|reason| reason.len() <= MAX_TEXT_READ_BYTES);
        let reason = short.and_then(|reason| std::str::from_utf8(reason).ok()).unwrap_or_default();
        Some(Self { code: class * 100 + number, reason })
    }

    /// The four bytes before the reason phrase.
    #[must_use]
    pub const fn head(self) -> [u8; 4] {
        let [_, class] = (self.code / 100).to_be_bytes();
        let [_, number] = (self.code % 100).to_be_bytes();
        [0, 0, class & 0x07, number]
    }
}
