//! SIP: messages, validation, transactions, dialogs, user agent, registrar, proxy.
//!
//! | module | what |
//! |---|---|
//! | [`message`] | [`Request`], [`Response`], [`Message`]: to and from bytes |
//! | [`headers`], [`header`] | the header section as an ordered list; typed values, a concept a file |
//! | [`uri`] | [`Uri`]: `sip`, `sips`, `tel`; comparison by RFC 3261 §19.1.4 |
//! | [`method`], [`status`] | [`Method`], [`Status`] |
//! | [`validate`] | what is wrong with a message, and which status is owed |
//! | [`auth`] | digest authentication, both sides |
//! | [`framing`] | messages and keepalives out of a byte stream |
//! | [`transaction`] | the four machines of RFC 3261 §17 |
//! | [`transport`] | flows, location (RFC 3263), flow tokens (RFC 5626) |
//! | [`stack`] | [`Stack`]: transport and transactions as one part |
//! | [`dialog`] | [`Dialog`]: RFC 3261 §12 |
//! | [`ua`] | [`UserAgent`](ua::UserAgent): registrations and calls |
//! | [`location`], [`registrar`] | [`Location`](location::Location): bindings, and how REGISTER changes them |
//! | [`proxy`] | [`Proxy`](proxy::Proxy): the stateful proxy |

pub mod auth;
pub mod defaults;
pub mod dialog;
pub mod framing;
pub mod header;
pub mod headers;
pub mod location;
pub mod message;
pub mod method;
pub mod params;
pub mod proxy;
pub mod registrar;
pub mod stack;
pub mod status;
pub mod transaction;
pub mod transport;
pub mod ua;
pub mod uri;
pub mod validate;

mod host;
mod parse;
#[cfg(test)]
mod testing;
mod text;
mod write;

pub use dialog::{Dialog, DialogId};
pub use header::{
    CSeq, Challenge, Contact, Contacts, ContentType, Credentials, NameAddr, Protocol, Via, name,
};
pub use headers::{Header, HeaderError, Headers};
pub use host::{Host, NotAHost};
pub use message::{Message, Request, Response, Version};
pub use method::Method;
pub use params::Params;
pub use parse::{Flaw, ParseError};
pub use stack::Stack;
pub use status::Status;
pub use uri::{SipUri, TelUri, Uri};

/// The README's code is tested with the rest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
