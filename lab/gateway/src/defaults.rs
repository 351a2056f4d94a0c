//! Limits and timeouts, each with its reason.

use std::time::Duration;

/// Mappings that a gateway holds: small routers hold 32 to 128, and a test wants to see the end.
pub const MAPPINGS: usize = 128;

/// Connections that a gateway serves at once: what asks it is a handful of programs at home.
pub const CONNECTIONS: usize = 32;

/// Ports that are tried before a request for any port fails.
pub const PORT_TRIES: u16 = 64;

/// How long a gateway has been up when a world starts: long enough for its clients to see that its
/// epoch has started again (RFC 6887 §8.5 and RFC 6886 §3.6 forgive a few seconds).
pub const UPTIME: Duration = Duration::from_hours(24);

/// How often a restart is told (RFC 6886 §3.2.1: ten times, the interval doubling).
pub const ANNOUNCEMENTS: u32 = 10;

/// Between the first announcement of a restart and the second (RFC 6886 §3.2.1).
pub const ANNOUNCEMENT_INTERVAL: Duration = Duration::from_millis(250);

/// The longest lifetime that is granted by PCP (RFC 6887 §15: a day), and by NAT-PMP.
pub const LIFETIME: Duration = Duration::from_hours(24);

/// How long a refusal by PCP stands that could end by itself (RFC 6887 §7.4: 30 seconds).
pub const SHORT_ERROR_LIFETIME: Duration = Duration::from_secs(30);

/// How long a refusal by PCP stands otherwise (RFC 6887 §7.4: 30 minutes).
pub const LONG_ERROR_LIFETIME: Duration = Duration::from_mins(30);

/// The longest lease by UPnP, and what a lease of 0 is in version 2 (WANIPConnection:2 §2.3.8).
pub const LEASE: Duration = Duration::from_secs(604_800);

/// The port of the gateway's HTTP, what many routers take.
pub const HTTP_PORT: u16 = 5000;

/// For how long an answer to a search holds (UDA 1.1 §1.2.2 wants half an hour at least).
pub const MAX_AGE: Duration = Duration::from_mins(30);

/// Bytes of an answer that "never ends": far more than anybody should read, and an end for a world
/// whose client reads on.
pub const ENDLESS_BYTES: usize = 32 * 1024 * 1024;

/// How long the body of a huge answer is.
pub const HUGE_BYTES: usize = 1024 * 1024;

/// Bytes of an answer that wait for a client which does not read: the huge one, and its head.
pub const OUTBOX_BYTES: usize = 2 * 1024 * 1024;

/// How deep elements lie in a page of elements within elements.
pub const DEPTH: usize = 10_000;

/// Between two bytes of an answer that drips.
pub const DRIP_INTERVAL: Duration = Duration::from_secs(1);
