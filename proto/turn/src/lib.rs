//! TURN (RFC 8656, with RFC 5766 clients; RFC 6062; RFC 8016): the server and the client, both
//! without sockets.
//!
//! | module | what |
//! |---|---|
//! | [`message`] | TURN's attributes in STUN messages: getters and builders |
//! | [`attribute`] | the values of these attributes |
//! | [`channel`] | channel numbers and ChannelData |
//! | [`framing`] | STUN messages and ChannelData out of a byte stream |
//! | [`client`] | [`client::Client`]: an allocation on the best of several servers and transports |
//! | [`server`] | the server |
//! | [`defaults`] | limits and timeouts, each with its reason |

pub mod attribute;
pub mod channel;
pub mod client;
pub mod defaults;
pub mod framing;
pub mod message;
pub mod server;

pub use attribute::{AddressError, Family, IcmpError, RelayTransport};
pub use channel::{ChannelData, ChannelNumber};
pub use framing::{Frame, Framer};
pub use message::{TurnBuilder, TurnMessage};
