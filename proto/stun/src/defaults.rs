//! Limits and timeouts, each with its reason.

use std::time::Duration;

/// The initial retransmission timeout over UDP: RTO of RFC 8489 §6.2.1.
pub const RTO: Duration = Duration::from_millis(500);

/// How many times a request is sent over UDP in all: Rc of RFC 8489 §6.2.1.
pub const RC: u32 = 7;

/// How many RTOs a client waits after the last transmission: Rm of RFC 8489 §6.2.1.
pub const RM: u32 = 16;

/// How long a client waits over a reliable transport: Ti of RFC 8489 §6.2.2.
pub const TI: Duration = Duration::from_millis(39_500);

/// The longest USERNAME that is read: RFC 8489 §14.3 has less than 509 bytes, but two ICE user
/// fragments of 256 characters and a colon (RFC 8839 §5.4) make 513.
pub const MAX_USERNAME_READ_BYTES: usize = 513;

/// The longest user name of long-term credentials: less than 509 bytes (RFC 8489 §14.3).
pub const MAX_USERNAME_WRITTEN_BYTES: usize = 508;

/// The longest REALM, NONCE, SOFTWARE or reason phrase that is read: fewer than 128 characters,
/// which peers of RFC 5389 may have spread over 763 bytes (RFC 8489 §14.8 to §14.14).
pub const MAX_TEXT_READ_BYTES: usize = 763;

/// The longest SOFTWARE or reason phrase that is written: fewer than 128 characters of UTF-8 as
/// RFC 3629 has it (RFC 8489 §14.8, §14.14).
pub const MAX_TEXT_WRITTEN_BYTES: usize = 509;

/// The longest ALTERNATE-DOMAIN: RFC 8489 §14.16.
pub const MAX_DOMAIN_BYTES: usize = 255;

/// How many entries of PASSWORD-ALGORITHMS are looked at. Two are registered; an honest server has
/// no use for more than a few.
pub const MAX_PASSWORD_ALGORITHMS: usize = 16;

/// How many attribute types a 420 lists. A client with more unknown attributes learns of the rest
/// after it dropped these.
pub const MAX_UNKNOWN_ATTRIBUTES: usize = 32;

/// How many times in a row a client follows a new challenge: the first 401, and nonces that go stale
/// between two requests. A server that never accepts a nonce that it just gave is broken or an
/// attacker's.
pub const MAX_CHALLENGES: u32 = 4;

/// How much longer than its request an answer of the Binding server is at most: a request with one
/// unknown attribute of 4 bytes is answered by an ERROR-CODE of 28 and UNKNOWN-ATTRIBUTES of 8.
pub const MAX_GROWTH_BYTES: usize = 32;
