//! XMPP as values: the bytes of a stream, the time and answers in; bytes, timers, questions and events out.
//!
//! | module | what | by |
//! |---|---|---|
//! | [`ns`] | the names of namespaces | |
//! | [`defaults`] | every limit and timeout | |
//! | [`xml`] | restricted XML pushed in, elements out, within limits | RFC 6120 §11 |
//! | [`stanza`] | a parsed header and an opaque tree; stanza errors | RFC 6120 §8 |
//! | [`sasl`] | SCRAM with channel binding, PLAIN | RFC 5802, RFC 7677, RFC 9266, XEP-0440 |
//! | [`stream`] | one stream, from either end | RFC 6120 §4 to §7 |
//! | [`client`] | a whole client: reach the server, stay there, roster, presence, messages, requests | RFC 6121 |
//! | [`server`] | a whole server of one domain | RFC 6120 §10, RFC 6121 |
//! | [`jingle`] | Jingle on the wire, and one session's state | XEP-0166, 0167, 0176, 0177, 0353 |

pub mod client;
mod condition;
pub mod defaults;
pub mod jingle;
pub mod ns;
pub mod sasl;
pub mod server;
pub mod stanza;
pub mod stream;
pub mod xml;

pub use jid::{BareJid, DomainPart, FullJid, Jid, NodePart, ResourcePart};
pub use minidom::Element;
pub use stanza::Stanza;
