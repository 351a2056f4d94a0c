//! The Port Control Protocol (RFC 6887): its messages, both directions, and its epochs.
//!
//! | module | what |
//! |---|---|
//! | [`message`] | [`Request`], [`Response`], and what both have |
//! | [`operation`] | [`Operation`]: ANNOUNCE, [`Map`], [`Peer`] |
//! | [`options`] | [`Options`]: THIRD_PARTY, PREFER_FAILURE, FILTER |
//! | [`result_code`] | [`ResultCode`] |
//! | [`epoch`] | [`Epoch`]: whether a server has forgotten its mappings |

pub mod epoch;
pub mod message;
pub mod operation;
pub mod options;
pub mod result_code;

pub use epoch::Epoch;
pub use message::{Error, Request, Response, Unread};
pub use operation::{Map, Nonce, Operation, Peer};
pub use options::{Filter, Options};
pub use result_code::ResultCode;

/// The port that servers listen on (RFC 6887 §19.1).
pub const SERVER_PORT: u16 = 5351;

/// The port that clients hear announcements on (RFC 6887 §19.1).
pub const CLIENT_PORT: u16 = 5350;

/// The version spoken here (RFC 6887 §7).
pub const VERSION: u8 = 2;

/// The number of UDP among the internet's protocols.
pub const UDP: u8 = 17;

/// The number of TCP among the internet's protocols.
pub const TCP: u8 = 6;
