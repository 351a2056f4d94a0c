//! Limits and timeouts, each with its reason.

use std::time::Duration;

/// How long a mapping is asked for at a time: two hours, as RFC 6886 §3.3 recommends and RFC 6887
/// §15 allows. A program that dies leaves its mapping behind for no longer.
pub const LIFETIME: Duration = Duration::from_secs(7200);

/// The longest message of PCP (RFC 6887 §7), which fits every link with room for tunnels.
pub const PCP_MESSAGE_BYTES: usize = 1100;

/// The most FILTER options of a message that are read. Nobody sends more than the few peers of one
/// call; a message would have room for 43.
pub const PCP_FILTERS: usize = 16;
