//! Limits of the core's own, each with its reason. Its parts have theirs.

/// Bytes of requests that wait for an answer of the world, for keys most of all. Whoever knows a nonce
/// can make a request wait: at a kilobyte each, these are more than a store answers in ten seconds.
pub const WAITING_BYTES: usize = 64 << 20;

/// What a 503 for a store that does not keep up says in Retry-After (RFC 3261 §21.5.4).
pub const RETRY_SECS: u32 = 10;

/// How often another port is looked for that is free over UDP and over TCP.
pub const PORT_TRIES: u32 = 16;

/// What a waiting request takes beside its text, about.
pub const WAITING_OVERHEAD: usize = 512;
