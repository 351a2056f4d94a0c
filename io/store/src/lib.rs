//! Accounts, their rosters and location bindings in embedded SQLite.
//!
//! One file, `wayleave.db`, in the data folder. Several processes may use it at the same time: an
//! account that `wayleave user add` adds is there for the running server's next question.
//!
//! No password is kept. When one is set, every key is derived that a login will ever need: the
//! digests of SIP and TURN (RFC 7616, RFC 8760, RFC 8489) and the keys of SCRAM (RFC 5802). With
//! these a thief can log in by digest, though not learn the password: the file is readable for its
//! owner alone.
//!
//! | module | what |
//! |---|---|
//! | [`address`] | [`Address`], `alice@example.org` |
//! | [`changes`] | [`Cursor`], accounts that went away or got another password |
//! | [`keys`] | [`Keys`], what is kept instead of a password |
//! | [`folder`] | where the data lies |
//! | [`store`] | [`Store`], accounts, bindings and secrets |
//! | [`roster`] | [`Contact`], whom an account knows |
//! | [`error`] | [`Error`] |

pub mod address;
pub mod changes;
pub mod defaults;
pub mod error;
pub mod folder;
pub mod keys;
pub mod roster;
mod schema;
pub mod store;

pub use address::Address;
pub use changes::Cursor;
pub use error::Error;
pub use folder::data_folder;
pub use keys::{DigestAlgorithm, Keys, ScramKeys, UserForm};
pub use roster::Contact;
pub use store::{Account, Binding, Store};
