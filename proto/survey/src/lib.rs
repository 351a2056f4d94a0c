//! What stands between this host and the world.
//!
//! [`Survey`] asks everybody who can tell at once: a STUN server with two addresses what the NAT
//! does (RFC 5780), the gateways what they can open (PCP, NAT-PMP, UPnP), the name servers whether
//! there is a NAT64 (RFC 7050), the SIP server whether messages come to it as they were sent, and TCP
//! whether port 443 is open. [`Report::verdict`] says what it means: who reaches this host directly,
//! who does not, and what to change.
//!
//! | module | what |
//! |---|---|
//! | [`survey`] | [`Survey`], the machine |
//! | [`report`] | [`Report`], what was found out |
//! | [`verdict`] | [`Verdict`], what it means |
//! | [`alg`] | whether SIP is rewritten on the way |
//! | [`nat64`] | the prefix of a NAT64 (RFC 7050, RFC 6052) |
//! | [`defaults`] | limits and timeouts |

pub mod alg;
pub mod defaults;
pub mod nat64;
pub mod report;
pub mod survey;
pub mod verdict;

pub use report::{Ipv6, Layers, Report};
pub use survey::{Config, Event, Survey};
pub use verdict::{Kind, Verdict, Way};
