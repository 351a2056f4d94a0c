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
//!
//! ```
//! use machine::{Endpoint, Entropy, Ids, Instant, Machine, Now, Transport};
//! use portmap::{Client, Config, Request};
//!
//! let now = Now { mono: Instant::ORIGIN, unix: std::time::Duration::ZERO };
//! let mut client = Client::new(Config::default(), Ids::new(0), &Entropy::seeded(1));
//! // Our port 5060 at whatever address we have towards the router, at the same port outside.
//! let internal = Endpoint::UNSPECIFIED_V4.with_port(5060);
//! let id = client.map(now, Request::new(Transport::Udp, internal));
//! // Drive it like any machine, telling it the interfaces first. Once it tells `Event::Mapped`, the
//! // mapping is kept until `client.unmap(now, id)` or `client.close(now)`.
//! assert!(client.poll_timeout().is_some());
//! # let _ = id;
//! ```

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
