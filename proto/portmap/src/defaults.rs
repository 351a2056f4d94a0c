//! Limits and timeouts, each with its reason.

use std::time::Duration;

/// How long a mapping is asked for at a time: two hours, as RFC 6886 §3.3 recommends and RFC 6887
/// §15 allows. A program that dies leaves its mapping behind for no longer.
pub const LIFETIME: Duration = Duration::from_secs(7200);
