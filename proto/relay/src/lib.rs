//! The forwarding table of the media relays: which packet goes where, decided without a lock, an
//! allocation or a question, on whichever thread it arrived.
//!
//! A [`Flow`] is one relay allocation as an immutable snapshot. Whoever controls it (the TURN server)
//! sends a [`Change`] for everything that happens to it, and every [`Table`] that is told the same
//! changes forwards alike: the server's own, and a replica on each thread that receives packets. The
//! packets are TURN's (RFC 8656 §11, §12): ChannelData and Send indications from clients, plain
//! datagrams from peers.
//!
//! ```
//! # use wayleave_relay as relay;
//! use std::sync::Arc;
//! use machine::{Endpoint, Entropy, Ids, Instant};
//! use relay::{Change, Channel, Client, Flow, FlowId, Forward, Packet, Permission, Reach, Relayed, Table};
//!
//! let (mut ids, start) = (Ids::new(0), Instant::ORIGIN);
//! let (listener, socket) = (ids.next_id(), ids.next_id());
//! let (server, relayed): (Endpoint, Endpoint) = ("192.0.2.1:3478".parse()?, "192.0.2.1:50000".parse()?);
//! let (client, peer): (Endpoint, Endpoint) = ("198.51.100.2:4000".parse()?, "203.0.113.5:9".parse()?);
//! let until = start + std::time::Duration::from_secs(600);
//!
//! let client = Client::Datagram { socket: listener, local: server.ip(), remote: client };
//! let mut flow = Flow::new(client, Relayed { socket, local: relayed, external: relayed }, until);
//! flow.permit(Permission { ip: peer.ip(), reach: Reach::Network, until });
//! flow.bind(Channel { number: 0x4000, peer, until });
//!
//! let mut table = Table::new(&mut Entropy::seeded(1));
//! table.apply(Change::Set(FlowId(1), Arc::new(flow)));
//!
//! let mut buf = *b"\x40\x00\x00\x05hello";
//! let mut packet = Packet::new(&mut buf, 0, 9);
//! let forward = table.from_client(start, client, &mut packet);
//! assert_eq!(forward, Forward::Send { socket, source: relayed.ip(), remote: peer });
//! assert_eq!(packet.bytes(), b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`flow`] | [`Flow`] and what it holds: [`Client`], [`Relayed`], [`Permission`], [`Channel`] |
//! | [`table`] | [`Table`], [`Change`], [`Forward`] |
//! | [`packet`] | [`Packet`], a datagram or a train of them with room for headers in front |
//! | [`wire`] | the forms of data: ChannelData, Send and Data indications |
//! | [`limit`] | [`Limit`], how many bytes a second a flow may carry |
//! | [`counters`] | [`Counters`], [`Cause`]: what was forwarded, and why the rest was not |
//! | [`defaults`] | sizes and limits, each with its reason |

pub mod counters;
pub mod defaults;
pub mod flow;
mod forward;
pub mod limit;
pub mod packet;
pub mod table;
pub mod wire;

pub use counters::{Cause, Counters, Tally};
pub use defaults::HEADROOM_LEN;
pub use flow::{Channel, Client, Flow, FlowId, Permission, Reach, Relayed};
pub use limit::Limit;
pub use packet::Packet;
pub use table::{Change, Forward, Table};
