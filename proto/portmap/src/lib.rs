//! Port mapping: a home router is asked to let others in.
//!
//! | module | what |
//! |---|---|
//! | [`mapping`] | what a mapping is, whatever asked for it |
//! | [`pcp`] | the Port Control Protocol (RFC 6887) |
//! | [`natpmp`] | NAT-PMP (RFC 6886) |
//! | [`upnp`] | UPnP Internet Gateway Device, versions 1 and 2 |

pub mod defaults;
pub mod mapping;
pub mod natpmp;
pub mod pcp;
pub mod upnp;

pub use mapping::{Mapping, Protocol};
