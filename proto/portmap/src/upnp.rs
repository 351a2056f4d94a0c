//! UPnP Internet Gateway Device, versions 1 and 2.
//!
//! Every wire form is read and written, so that a client and a simulated router share their types.
//!
//! | module | what |
//! |---|---|
//! | [`ssdp`] | who is there? (UPnP Device Architecture 1.1 §1, over IPv4 and IPv6) |
//! | [`http`] | requests and responses (RFC 9112), as little of them as UPnP needs |
//! | [`xml`] | elements, read within limits |
//! | [`description`] | what a device is and offers (UDA 1.1 §2) |
//! | [`soap`] | calls, answers and faults (UDA 1.1 §3) |
//! | [`igd`] | the actions of WANIPConnection:1 and :2, WANPPPConnection:1, WANIPv6FirewallControl:1 |
//! | [`client`] | [`Client`]: finds gateways and asks them |
//! | [`defaults`] | limits and timeouts, each with its reason |

pub mod client;
pub mod defaults;
pub mod description;
pub mod http;
pub mod igd;
pub mod soap;
pub mod ssdp;
pub mod xml;

pub use client::{Call, Client, Error, Event, Gateway, Granted, Refusal, Request};
