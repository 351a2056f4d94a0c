//! Limits and times, each with its reason.

use std::time::Duration;

/// Samples per second of everything here: G.711 and its relatives.
pub const CLOCK_RATE: u32 = 8000;

/// Samples in the 20 ms that a packet carries by default (RFC 3551 §4.2).
pub const FRAME_SAMPLES: usize = 160;

/// The time of one frame: what RFC 3551 §4.2 packs by default.
pub const FRAME: Duration = Duration::from_millis(20);

/// Packets of an accepted source may jump ahead by this much (RFC 3550 A.1, `MAX_DROPOUT`).
pub const MAX_DROPOUT: u16 = 3000;

/// Packets of an accepted source may come this late (RFC 3550 A.1, `MAX_MISORDER`).
pub const MAX_MISORDER: u16 = 100;

/// The least average time between reports (RFC 3550 §6.2).
pub const RTCP_MIN_INTERVAL: Duration = Duration::from_secs(5);

/// The session's bandwidth for reports: 5 % (RFC 3550 §6.2) of the 64 kbit/s of G.711, in bytes per
/// second.
pub const RTCP_BYTES_PER_SEC: u32 = 400;

/// The longest that a report waits, whatever was computed. Two minutes keep a path's state alive
/// for diagnosis when a peer claims absurd numbers.
pub const RTCP_MAX_INTERVAL: Duration = Duration::from_secs(120);

/// The play-out delay to start with, and the least: three frames, which take in the reordering and
/// jitter of a quiet network.
pub const START_DELAY: Duration = Duration::from_millis(60);

/// The most play-out delay. With 200 ms of buffering a conversation is still one (G.114).
pub const MAX_DELAY: Duration = Duration::from_millis(200);

/// Packets that one jitter buffer holds. At 5 ms of media each that is 640 ms, more than the most
/// delay; a flood cannot take more memory.
pub const MAX_BUFFERED_PACKETS: usize = 128;

/// Samples that one packet may carry: 200 ms, the most that RFC 3551 §4.2 has receivers accept.
pub const MAX_PACKET_SAMPLES: usize = 1600;

/// A packet further than this from the play-out point belongs to another timeline.
pub const RESYNC_AFTER: Duration = Duration::from_secs(1);

/// Late packets in a row after which the timeline is taken to have moved back.
pub const RESYNC_LATE_PACKETS: u32 = 5;

/// So many late packets within [`LATE_WINDOW`] make the delay grow by a frame. One is bad luck, and
/// concealment hides it.
pub const LATE_PACKETS_TO_GROW: usize = 3;

/// How long a late packet counts towards growing.
pub const LATE_WINDOW: Duration = Duration::from_secs(5);

/// The delay shrinks by a frame when every packet of this time came a frame earlier than it had to.
pub const SHRINK_AFTER: Duration = Duration::from_secs(20);

/// Concealment fades to silence after so many samples (60 ms, as G.711 Appendix I does).
pub const CONCEAL_SAMPLES: usize = 480;

/// Bytes of a CNAME or another item of a source description (RFC 3550 §6.5: the length is an octet).
pub const MAX_SDES_ITEM: usize = 255;

/// Report blocks, chunks or sources in one RTCP packet (RFC 3550 §6.4.1: five bits).
pub const MAX_RTCP_COUNT: usize = 31;

/// RTCP packets read out of one compound packet; three or four are usual.
pub const MAX_COMPOUND_PACKETS: usize = 32;

/// A frame that stays below this (-36 dBFS) may be left out to shrink the delay: nobody hears it.
pub const QUIET_LEVEL: i16 = 512;
