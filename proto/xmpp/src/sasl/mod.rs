//! SASL (RFC 4422) as XMPP uses it: SCRAM with and without channel binding (RFC 5802, RFC 7677), and
//! PLAIN (RFC 4616). Bytes in, bytes out; the XML and its base64 are the stream's.
//!
//! | module | what |
//! |---|---|
//! | [`mechanism`] | [`Mechanism`], its name, and which is stronger |
//! | [`binding`] | [`Binding`]: what a client says of channel binding, and how (RFC 9266, RFC 5929) |
//! | [`choice`] | which mechanism a client takes of those offered, and when it rather takes none |
//! | [`client`] | [`client::Login`]: one attempt, the client's side |
//! | [`server`] | [`server::Login`]: one attempt, the server's side |
//! | [`keys`] | [`ScramKeys`]: what a server keeps, and what it makes up for nobody |
//! | [`message`] | the messages of SCRAM (RFC 5802 §7) |
//! | [`plain`] | the message of PLAIN |
//! | [`text`] | saslname and SASLprep (RFC 4013) |
//! | [`mod@base64`] | payloads as XML carries them (RFC 6120 §6.4.2) |

pub mod base64;
pub mod binding;
pub mod choice;
pub mod client;
pub mod keys;
pub mod mechanism;
pub mod message;
pub mod plain;
pub mod server;
pub mod text;

pub use binding::{Binding, BindingType};
pub use choice::{Choice, Policy, choose};
pub use keys::{Keys, ScramKeys};
pub use mechanism::{Mechanism, Scram};

#[cfg(test)]
mod tests;
