//! Sizes and limits of forwarding.

/// Room that a packet's buffer has in front of it, so that a header is written in place: the longest
/// is a Data indication from an IPv6 peer (RFC 8656 §11.4), 20 bytes of STUN header, 24 of
/// XOR-PEER-ADDRESS and 4 of DATA.
pub const HEADROOM_LEN: usize = 64;

/// Bytes that a buffer wants behind a packet: a Data indication is padded to a multiple of 4
/// (RFC 8489 §14).
pub const TAILROOM_LEN: usize = 4;

/// The longest UDP payload over IPv4 (RFC 768, RFC 791): a header that would make it longer has no
/// packet to stand in front of.
pub const MAX_PAYLOAD_LEN: usize = 65_507;

/// The lowest channel number (RFC 8656 §12).
pub const MIN_CHANNEL: u16 = 0x4000;

/// The highest channel number: that of RFC 5766 §11, whose clients use all of them; RFC 8656 §12 has
/// its own choose below 0x5000.
pub const MAX_CHANNEL: u16 = 0x7fff;

/// How much a flow with a bandwidth limit may carry at once, as time at its full rate: a video key
/// frame goes out in one burst.
pub const LIMIT_BURST: std::time::Duration = std::time::Duration::from_millis(500);
