//! Port mapping: a home router is asked to let others in.
//!
//! | module | what |
//! |---|---|
//! | [`mapping`] | what a mapping is, whatever asked for it |
//! | [`gateway`] | what is known of a gateway, and what is wrong with it |
//! | [`client`] | [`Client`]: finds gateways by all protocols, maps by one, keeps mappings alive |
//! | [`pcp`] | the Port Control Protocol (RFC 6887), both directions of the wire |
//! | [`natpmp`] | NAT-PMP (RFC 6886), both directions of the wire |
//! | [`upnp`] | UPnP Internet Gateway Device, versions 1 and 2 |
//! | [`defaults`] | limits and timeouts, each with its reason |

pub mod client;
pub mod defaults;
pub mod gateway;
pub mod mapping;
pub mod natpmp;
pub mod pcp;
pub mod upnp;

pub use client::{Client, Config, Error, Event, Refusal};
pub use gateway::{Details, Gateway, Trouble};
pub use mapping::{Mapping, MappingId, Protocol, Request};
