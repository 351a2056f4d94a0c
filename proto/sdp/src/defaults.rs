//! Limits, each with its reason.

/// Bytes of one description. It travels in a SIP body, which a datagram bounds at 65,535 (RFC 3261
/// §18.1.1), and no call of ours comes near a tenth of it.
pub const MAX_BYTES: usize = 64 * 1024;

/// Lines of one description. A hundred candidates for each of sixteen media leave room to spare;
/// edits and look-ups scan lines, so this bounds their work.
pub const MAX_LINES: usize = 2048;

/// Media sections of one description. Conferences offer dozens; a call offers two or three.
pub const MAX_MEDIA: usize = 64;

/// Extension attributes of one candidate (RFC 8839 §5.1); `generation`, `ufrag`, `network-id` and
/// `network-cost` are what is seen.
pub const MAX_CANDIDATE_EXTENSIONS: usize = 16;
