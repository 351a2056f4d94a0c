//! Header fields: their names and the typed values behind them, a concept a file.
//!
//! A typed value reads with `FromStr` from one element of a field and writes with `Display`. The
//! accessors of [`Headers`](crate::Headers) put the two together.

pub mod name;

mod auth;
mod contact;
mod content;
mod cseq;
mod date;
mod name_addr;
mod numbers;
mod reason;
mod via;

pub use self::auth::{AuthParams, Challenge, Credentials};
pub use self::contact::{Contact, Contacts};
pub use self::content::ContentType;
pub use self::cseq::CSeq;
pub use self::date::Date;
pub use self::name_addr::NameAddr;
pub(crate) use self::numbers::number;
pub use self::numbers::{Expires, MaxForwards, MinExpires, RetryAfter};
pub use self::reason::Reason;
pub use self::via::{MAGIC_COOKIE, Protocol, Via};

/// An entry of Route, Record-Route, Path or Service-Route.
pub type Route = NameAddr;

/// The value does not follow the grammar of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed value")]
pub struct Malformed;
