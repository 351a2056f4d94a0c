//! NAT-PMP (RFC 6886): its messages, both directions, and its epochs.
//!
//! | module | what |
//! |---|---|
//! | [`message`] | [`Request`], [`Response`] |
//! | [`epoch`] | [`Epoch`]: whether a gateway has forgotten its mappings |

pub mod epoch;
pub mod message;

pub use epoch::Epoch;
pub use message::{Answer, Error, Request, Response, ResultCode};

/// The port that gateways listen on (RFC 6886 §3.1).
pub const SERVER_PORT: u16 = 5351;

/// The port that clients hear announcements on (RFC 6886 §3.2.1).
pub const CLIENT_PORT: u16 = 5350;

/// The only version there is.
pub const VERSION: u8 = 0;
