//! The simulated internet: links, routers, NATs, capture and replay by seed.
//!
//! A [`World`] is a topology of hosts, routers, NATs and firewalls, joined by links. Every host
//! runs a [`machine::Machine`], and a NAT may; all are held to the laws of the shape by
//! [`machine::Checked`]. The world is their driver, in virtual time. UDP, TCP, ICMP, fragmentation, DNS and a model of TLS are all
//! there; every packet that a capture shows has a valid header and checksum.
//!
//! ```text
//! let mut world = World::new(seed);
//! let core = world.host("core", core_machine, &["198.51.100.10/24"]);
//! let alice = world.host("alice", alice_machine, &["192.168.0.12/24"]);
//! let internet = world.router("internet");
//! let nat = world.nat("nat", Preset::PortRestricted.nats().remove(0),
//!                     &["192.168.0.254/24"], &["203.0.113.1/24"]);
//! world.link(core, internet, Link::with_latency(Duration::from_millis(10)));
//! world.link(nat.outside(), internet, Link::with_latency(Duration::from_millis(10)));
//! world.link(alice, nat, Link::default());
//! world.start();
//! world.verb(alice, |machine, now| machine.call(now, "sip:bob@example.org"));
//! while let Some(happened) = world.next_before(deadline) { … }
//! ```
//!
//! | module | what |
//! |---|---|
//! | `world`, `queue` | [`World`]: building, running, looking |
//! | `node`, `link`, `prefix` | what a topology is made of, and routes |
//! | `nat`, `firewall` | what stands in the way: [`NatSpec`], [`Preset`], [`Access`] |
//! | `packet`, `wire`, `fragment` | packets as values and as bytes |
//! | `tcp`, `tls`, `stream` | connections |
//! | `dns` | [`Dns`], one table of names |
//! | `capture`, `digest` | pcapng, and the proof that two runs were the same |
//! | `defaults` | limits and timeouts with their reasons |
//!
//! Datagrams to a group reach who listens at the other end of the link, no farther.
//!
//! Not simulated: bandwidth and queues, path changes in the middle of a flight, membership in
//! groups, ARP, options of IP and TCP but MSS.

mod capture;
pub mod defaults;
mod digest;
mod dns;
mod firewall;
mod fragment;
mod link;
mod nat;
mod node;
mod packet;
mod prefix;
mod queue;
mod stream;
mod tcp;
mod tls;
mod wire;
mod world;

pub use capture::{Captured, Overheard, Plaintext, TapId};
pub use dns::Dns;
pub use firewall::FirewallSpec;
pub use link::{Direction, Link, LinkId, LinkStats};
pub use nat::{
    Access, BadAccess, BadSpec, Dependence, Forward, Mapping, NatSpec, NatStats, NatTable,
    PortTaken, Ports, Preset,
};
pub use node::{NodeId, Port};
pub use prefix::{BadPrefix, Prefix};
pub use tls::Certificate;
pub use world::{BadTap, Happened, Happening, Inhabitant, Tap, World, WorldStats};
