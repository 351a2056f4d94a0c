//! Limits and timeouts, each with its reason and its RFC.

/// Hops that a request of our own may take (RFC 3261 §8.1.1.6 recommends this).
pub const MAX_FORWARDS: u8 = 70;

/// The largest message: what every element must be able to take (RFC 3261 §18.1.1), and all that a
/// UDP datagram can hold.
pub const MAX_MESSAGE_BYTES: usize = 65_535;
