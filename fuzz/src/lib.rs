//! The bodies of the fuzz targets, one function each over arbitrary bytes.
//!
//! A body panics when a promise is broken: that nothing from the network panics, that what is written
//! is read back the same, that answers stay small. `src/bin/` gives each to libFuzzer, and the
//! workspace's own tests replay `seeds/<target>/` through it, so this module uses nothing of
//! libFuzzer.

pub mod call_sdp;
pub mod ice_agent;
pub mod jingle;
pub mod phone;
pub mod portmap;
pub mod rtp_session;
pub mod sdp_description;
pub mod server;
pub mod sip_message;
pub mod sip_stream;
pub mod stun_message;
pub mod turn;
pub mod xmpp_stream;

mod ops;
