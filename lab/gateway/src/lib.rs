//! Home routers for the simulated internet: the gateway's side of PCP (RFC 6887), NAT-PMP
//! (RFC 6886) and UPnP IGD, spoken correctly, partly and wrongly.
//!
//! A [`Gateway`] is a machine that lives in a NAT of a [`netsim::World`]
//! ([`World::gateway`](netsim::World::gateway)) and asks the world's owner to forward ports, who lets
//! [`serve`] do so. What it does wrong is its [`Behaviour`].
//!
//! | module | what |
//! |---|---|
//! | [`behaviour`] | [`Behaviour`]: what a gateway does, rightly or wrongly |
//! | [`gateway`](mod@gateway) | [`Gateway`]: the machine |
//! | `portctl` | its PCP and NAT-PMP |
//! | `upnp`, `page` | its UPnP, and what its pages look like |
//! | `table` | [`Entry`]: what it has promised |
//! | [`world`] | [`serve`], [`restart`]: what a world does for it |
//! | [`defaults`] | limits and timeouts, each with its reason |

pub mod behaviour;
pub mod defaults;
pub mod gateway;
mod page;
mod portctl;
mod table;
mod upnp;
pub mod world;

pub use behaviour::{BadBehaviour, Behaviour, Page, Ports, Service, Upnp};
pub use gateway::{Answer, Event, Gateway, Question};
pub use table::{Entry, Holder};
pub use world::{restart, serve};
