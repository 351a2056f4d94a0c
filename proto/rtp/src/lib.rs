//! RTP and RTCP (RFC 3550), G.711, a plain jitter buffer with concealment, and call quality (G.107).
//!
//! Parts, not machines: each is a struct that takes bytes and an instant and returns values.
//!
//! | module | what | where |
//! |---|---|---|
//! | [`packet`] | [`Packet`], one RTP packet as a view | RFC 3550 §5, RFC 8285 |
//! | [`rtcp`] | reports, descriptions and goodbyes in compound packets | RFC 3550 §6 |
//! | [`interval`] | when to report | RFC 3550 §6.2, §6.3, A.7 |
//! | [`reception`] | [`Reception`]: sequence extension, loss, jitter | RFC 3550 A.1, A.3, A.8 |
//! | [`session`] | [`Session`]: one stream each way with its reports | RFC 3550 §6, §8 |
//! | [`g711`] | µ-law and A-law | ITU-T G.711 |
//! | [`jitter_buffer`] | [`JitterBuffer`]: reordering and play-out on a clock of its own | |
//! | [`conceal`] | [`Concealer`]: what is played where nothing came | after G.711 Appendix I |
//! | [`quality`] | [`Quality`]: loss, jitter, delay and MOS by the E-model | ITU-T G.107 |
//! | [`defaults`] | limits and times | |
//!
//! Not done yet: SRTP (RFC 3711), which will wrap what [`Session`] writes and reads; feedback
//! packets (RFC 4585) and extended reports (RFC 3611), which are kept raw as
//! [`rtcp::Packet::Other`]; changing our SSRC when another source has the same (RFC 3550 §8.2), whose
//! packets are counted and dropped.

pub mod conceal;
pub mod defaults;
pub mod g711;
pub mod interval;
pub mod jitter_buffer;
pub mod packet;
pub mod quality;
pub mod reception;
pub mod rtcp;
pub mod session;

pub use conceal::Concealer;
pub use g711::Law;
pub use jitter_buffer::JitterBuffer;
pub use packet::Packet;
pub use quality::Quality;
pub use reception::Reception;
pub use session::Session;

/// Why bytes are not an RTP or RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They end before the packet does.
    #[error("ended too early")]
    Truncated,
    /// The version is not 2.
    #[error("not version 2")]
    Version,
    /// The padding is longer than the packet, or empty.
    #[error("impossible padding")]
    Padding,
    /// A length or count inside does not fit the packet.
    #[error("malformed {0}")]
    Malformed(&'static str),
}

impl From<machine::Truncated> for Error {
    fn from(_: machine::Truncated) -> Self {
        Self::Truncated
    }
}

/// Whether `bytes`, known to be RTP or RTCP (RFC 7983), are RTCP.
//= RFC 5761 §4: RTCP's packet types lie where RTP would have the payload types 64 to 95.
#[must_use]
pub fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [_, 192..=223, ..])
}
