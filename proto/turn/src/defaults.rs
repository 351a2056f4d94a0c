//! Limits of the wire forms, each with its reason. Those of the client stand in
//! [`client::defaults`](crate::client::defaults), those of the server in
//! [`server::defaults`](crate::server::defaults).

/// The longest MOBILITY-TICKET that is read. A ticket is the server's own; it holds an encrypted
/// name of an allocation (RFC 8016 §3.5), which takes tens of bytes.
pub const MAX_TICKET_BYTES: usize = 512;

/// The longest frame on a stream: ChannelData whose length field says 65,535, and no STUN message
/// that carries a datagram is longer than that and its attributes.
pub const MAX_FRAME_BYTES: usize = 4 + 65_536 + 64;
