//! Limits and times, each with its reason.

use std::time::Duration;

/// Contents of one description that are read. A call has one or two; the rest of an absurd offer is
/// refused unread.
pub const MAX_CONTENTS: usize = 32;

/// Codecs of one content that are read: twice as many as there are dynamic payload types (96 to 127,
/// RFC 3551 §3).
pub const MAX_CODECS: usize = 64;

/// Candidates of one content that are read. RFC 8445 §5.1.3 has agents discard what is too much.
pub const MAX_CANDIDATES: usize = 64;

/// Parameters of one codec that are read; H.264 has a dozen.
pub const MAX_PARAMETERS: usize = 32;

/// Media in a packet unless the other side wants another length (RFC 3551 §4.2).
pub const PACKET_TIME: Duration = Duration::from_millis(20);

/// The least and the most media in a packet, whatever the other side wants: 100 packets a second,
/// and what RFC 3551 §4.2 has every receiver accept.
pub const PACKET_TIME_RANGE: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_millis(200));

/// A sender that slept longer than this goes on from now instead of catching up.
pub const MAX_CATCH_UP: Duration = Duration::from_secs(1);

/// How often the statistics of a call are told.
pub const STATS_EVERY: Duration = Duration::from_secs(5);

/// The payload type under which we offer telephone events: what most phones use.
pub const TELEPHONE_EVENT: u8 = 101;
