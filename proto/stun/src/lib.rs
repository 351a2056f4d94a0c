//! STUN (RFC 8489, with RFC 5389 and RFC 3489 peers): messages, credentials, client transactions
//! and the stateless Binding server.
//!
//! Nothing here has a socket, a clock or a thread: bytes and the time come in, bytes and deadlines
//! go out.
//!
//! ```
//! # use wayleave_stun as stun;
//! use machine::{Endpoint, Entropy};
//! use stun::{Builder, Message, Method, TransactionId};
//!
//! let id = TransactionId::random(&mut Entropy::seeded(1));
//! let request = Builder::request(Method::BINDING, id).fingerprint().finish();
//!
//! // What the server does, without any state:
//! let client: Endpoint = "203.0.113.7:40000".parse()?;
//! let mut answer = Vec::new();
//! assert!(stun::binding::answer(&request, client, &mut answer));
//!
//! // What the client reads:
//! let answer = Message::parse(&answer)?;
//! assert_eq!(answer.id(), id);
//! assert_eq!(answer.reflexive_address(), Some(client));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`header`] | [`Class`], [`Method`], [`TransactionId`], [`is_stun`] (RFC 8489 §5) |
//! | [`message`] | [`Message`], a checked view of bytes, with a getter for each attribute |
//! | [`builder`] | [`Builder`], which writes messages |
//! | [`attribute`] | [`AttributeType`] and the values of attributes (RFC 8489 §14) |
//! | [`integrity`] | [`Key`], MESSAGE-INTEGRITY with SHA-1 and SHA-256 (RFC 8489 §9, §14.5, §14.6) |
//! | [`long_term`] | [`LongTerm`], the client's side of the long-term mechanism (RFC 8489 §9.2) |
//! | [`transaction`] | [`Transaction`], retransmission of a request (RFC 8489 §6.2) |
//! | [`behaviour`] | [`behaviour::Discovery`], which names a NAT (RFC 5780) |
//! | [`binding`] | the stateless Binding server (RFC 8489 §12) |
//! | [`defaults`] | limits and timeouts, each with its reason |

pub mod attribute;
pub mod behaviour;
pub mod binding;
pub mod builder;
pub mod defaults;
pub mod header;
pub mod integrity;
pub mod long_term;
pub mod message;
pub mod transaction;

pub use attribute::{AttributeType, ErrorCode, PasswordAlgorithm};
pub use builder::Builder;
pub use header::{Class, MAGIC_COOKIE, Method, TransactionId, is_stun};
pub use integrity::{Integrity, IntegrityError, Key};
pub use long_term::{Credentials, LongTerm};
pub use message::{Attribute, Message};
pub use transaction::{Timing, Transaction};
