//! Limits and timeouts, each with its reason and its RFC.

/// Hops that a request of our own may take (RFC 3261 §8.1.1.6 recommends this).
pub const MAX_FORWARDS: u8 = 70;
