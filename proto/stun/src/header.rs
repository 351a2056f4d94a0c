//! The header of a STUN message (RFC 8489 §5) and what tells STUN from other protocols.

use std::fmt;

use machine::Entropy;

/// The fixed value that tells STUN of RFC 5389 and RFC 8489 from RFC 3489 and everything else.
pub const MAGIC_COOKIE: u32 = 0x2112_a442;

/// The length of the header.
pub const HEADER_BYTES: usize = 20;

/// Whether `bytes` have the shape of one whole STUN message: first two bits zero, magic cookie, and
/// a length that is a multiple of 4 and fits (RFC 8489 §5, RFC 7983 §7).
///
/// It is what demultiplexing needs; [`Message::parse`](crate::Message::parse) looks closer.
#[must_use]
pub fn is_stun(bytes: &[u8]) -> bool {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return false };
    let [t0, _, l0, l1, c0, c1, c2, c3, ..] = *header;
    t0 & 0xc0 == 0
        && u32::from_be_bytes([c0, c1, c2, c3]) == MAGIC_COOKIE
        && usize::from(u16::from_be_bytes([l0, l1])) == rest.len()
        && rest.len().is_multiple_of(4)
}

/// How many bytes the STUN message at the start of `stream` takes, header included; nothing while
/// fewer than 4 bytes are there or when they cannot start a STUN message.
///
/// STUN over TCP and TLS needs no framing but this length (RFC 8489 §6.2.2).
#[must_use]
pub fn stream_bytes(stream: &[u8]) -> Option<usize> {
    let &[t0, _, l0, l1] = stream.first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    (t0 & 0xc0 == 0 && length.is_multiple_of(4)).then_some(HEADER_BYTES + length)
}

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Wants a response.
    Request,
    /// Wants none.
    Indication,
    /// Answers a request that was fulfilled.
    Success,
    /// Answers a request that was not.
    Error,
}

impl Class {
    /// Whether it answers a request.
    #[must_use]
    pub const fn is_response(self) -> bool {
        matches!(self, Self::Success | Self::Error)
    }
}

/// The method of a message, 12 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(u16);

/// Declares the methods once, as constants and as names.
macro_rules! methods {
    ($($(#[$doc:meta])* $ident:ident = $value:literal, $name:literal;)*) => {
        impl Method {
            $($(#[$doc])* pub const $ident: Self = Self($value);)*
        }
        const NAMES: &[(Method, &str)] = &[$((Method::$ident, $name),)*];
    };
}

methods! {
    /// RFC 8489 §12.
    BINDING = 0x001, "Binding";
    /// RFC 8656 §7.
    ALLOCATE = 0x003, "Allocate";
    /// RFC 8656 §8.
    REFRESH = 0x004, "Refresh";
    /// RFC 8656 §11, indication alone.
    SEND = 0x006, "Send";
    /// RFC 8656 §11, indication alone.
    DATA = 0x007, "Data";
    /// RFC 8656 §10.
    CREATE_PERMISSION = 0x008, "CreatePermission";
    /// RFC 8656 §12.
    CHANNEL_BIND = 0x009, "ChannelBind";
    /// RFC 6062 §4.3.
    CONNECT = 0x00a, "Connect";
    /// RFC 6062 §4.3.
    CONNECTION_BIND = 0x00b, "ConnectionBind";
    /// RFC 6062 §4.4, indication alone.
    CONNECTION_ATTEMPT = 0x00c, "ConnectionAttempt";
}

impl Method {
    /// The method of number `value`, of which the lower 12 bits count.
    #[must_use]
    pub const fn new(value: u16) -> Self {
        Self(value & 0x0fff)
    }

    /// Its number.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(method, _)| method == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "Method({:#05x})", self.0),
        }
    }
}

/// The 14 bits of a message type: method and class interleaved (RFC 8489 §5, figure 3).
pub(crate) const fn message_type(class: Class, method: Method) -> u16 {
    let class: u16 = match class {
        Class::Request => 0x000,
        Class::Indication => 0x010,
        Class::Success => 0x100,
        Class::Error => 0x110,
    };
    let m = method.0;
    class | m & 0x000f | (m & 0x0070) << 1 | (m & 0x0f80) << 2
}

/// Takes a message type apart.
pub(crate) const fn class_and_method(message_type: u16) -> (Class, Method) {
    let class = match message_type & 0x110 {
        0x000 => Class::Request,
        0x010 => Class::Indication,
        0x100 => Class::Success,
        _ => Class::Error,
    };
    let t = message_type;
    (class, Method(t & 0x000f | (t & 0x00e0) >> 1 | (t & 0x3e00) >> 2))
}

/// The 96 bits that pair a response with its request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

impl TransactionId {
    /// A new one.
    //= RFC 8489 §5: transaction ids are uniformly and cryptographically random.
    #[must_use]
    pub fn random(entropy: &mut Entropy) -> Self {
        Self(entropy.bytes())
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crypto::to_hex(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, Method, class_and_method, is_stun, message_type, stream_bytes};

    #[test]
    fn message_types_round_trip() {
        for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
            for method in (0..0x1000).map(Method::new) {
                let message_type = message_type(class, method);
                assert_eq!(message_type & 0xc000, 0);
                assert_eq!(class_and_method(message_type), (class, method));
            }
        }
        assert_eq!(message_type(Class::Request, Method::BINDING), 0x0001);
        assert_eq!(message_type(Class::Indication, Method::BINDING), 0x0011);
        assert_eq!(message_type(Class::Success, Method::BINDING), 0x0101);
        assert_eq!(message_type(Class::Error, Method::BINDING), 0x0111);
    }

    #[test]
    fn what_is_stun() {
        let mut bytes = *b"\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl";
        assert!(is_stun(&bytes));
        assert!(!is_stun(&bytes[..19]));
        assert_eq!(stream_bytes(&bytes), Some(20));
        assert_eq!(stream_bytes(&bytes[..3]), None);
        bytes[3] = 4;
        assert!(!is_stun(&bytes));
        assert_eq!(stream_bytes(&bytes), Some(24));
        bytes[0] = 0x80;
        assert_eq!(stream_bytes(&bytes), None);
    }
}
