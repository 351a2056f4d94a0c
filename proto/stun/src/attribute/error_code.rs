//! ERROR-CODE (RFC 8489 §14.8).

use crate::defaults::MAX_TEXT_READ_BYTES;

/// 300: ask the server of ALTERNATE-SERVER instead.
pub const TRY_ALTERNATE: u16 = 300;
/// 400: malformed; repeating it unchanged is no use.
pub const BAD_REQUEST: u16 = 400;
/// 401: credentials are missing or wrong.
pub const UNAUTHENTICATED: u16 = 401;
/// 420: comprehension-required attributes that the server does not know.
pub const UNKNOWN_ATTRIBUTE: u16 = 420;
/// 438: the nonce is no longer good; the response carries a new one.
pub const STALE_NONCE: u16 = 438;
/// 487: both agents take the same ICE role (RFC 8445 §7.3.1.1).
pub const ROLE_CONFLICT: u16 = 487;
/// 500: a temporary failure of the server.
pub const SERVER_ERROR: u16 = 500;

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
            UNKNOWN_ATTRIBUTE => "Unknown Attribute",
            STALE_NONCE => "Stale Nonce",
            ROLE_CONFLICT => "Role Conflict",
            SERVER_ERROR => "Server Error",
            _ => "",
        };
        Self { code, reason }
    }

    /// Reads a value. A reason phrase that is too long or no UTF-8 reads as empty: the code is what
    /// counts.
    pub(crate) fn read(value: &'a [u8]) -> Option<Self> {
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
    pub(crate) const fn head(self) -> [u8; 4] {
        let [_, class] = (self.code / 100).to_be_bytes();
        let [_, number] = (self.code % 100).to_be_bytes();
        [0, 0, class & 0x07, number]
    }
}
