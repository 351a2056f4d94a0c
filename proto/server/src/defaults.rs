//! Limits of the core's own, each with its reason. Its parts have theirs.

use std::time::Duration;

/// Bytes of requests that wait for an answer of the world, for keys most of all. Whoever knows a nonce
/// can make a request wait: at a kilobyte each, these are more than a store answers in ten seconds.
pub const WAITING_BYTES: usize = 64 << 20;

/// How long the world may take to answer a question of SIP's. A disk that is busy takes a second at
/// worst; a phone whose request has failed after these hears it before it gives up itself, which is
/// after 32 seconds (RFC 3261 §17.1), and tries again.
pub const QUESTION: Duration = Duration::from_secs(10);

/// What a 503 for a store that does not keep up says in Retry-After (RFC 3261 §21.5.4).
pub const RETRY_SECS: u32 = 10;

/// How often another port is looked for that is free over UDP and over TCP.
pub const PORT_TRIES: u32 = 16;

/// What a waiting request takes beside its text, about.
pub const WAITING_OVERHEAD: usize = 512;
