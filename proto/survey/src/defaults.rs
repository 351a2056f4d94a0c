//! Limits and timeouts, each with its reason.

use std::time::Duration;

/// The port of STUN (RFC 8489 §18.6), for a server that is named without one.
pub const STUN_PORT: u16 = 3478;

/// The port of SIP (RFC 3261 §19.1.2), where the message that tells on ALGs goes: rewriting gateways
/// look at this port first.
pub const SIP_PORT: u16 = 5060;

/// The port that whoever blocks everything else leaves open, for the web.
pub const HTTPS_PORT: u16 = 443;

/// How long look-ups, gateways, TCP and SIP are waited for: with what STUN takes at most, the whole
/// is done in about five seconds, which a person waits.
pub const PATIENCE: Duration = Duration::from_millis(4500);

/// When the message to the SIP server is sent again, counted from the first: T1 of RFC 3261
/// §17.1.1.1, doubled as its retransmissions are.
pub const SIP_RETRANSMISSIONS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1500), Duration::from_millis(3500)];

/// Filling of the message to the SIP server: its answer shows as much of it as makes the answer no
/// longer than the message, and what matters stands before the filling. The whole stays under the
/// 1300 bytes that RFC 3261 §18.1.1 allows over UDP.
pub const FILLING_BYTES: usize = 480;

/// Addresses of the server that are tried, of each family: one that answers is enough.
pub const MAX_SERVER_ADDRESSES: usize = 1;

/// Changes that are kept of a message that was altered: more of them say nothing new.
pub const MAX_CHANGES: usize = 16;
