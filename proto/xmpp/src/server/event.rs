//! What the server tells its owner, asks the world, and is answered.

use std::fmt;

use crypto::Secret;
use jid::{BareJid, FullJid};
use machine::{Endpoint, FailKind, Id};
use serde::{Deserialize, Serialize};

use crate::sasl;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A listener is bound.
    Listening {
        /// Its name, as [`listen`](super::Server::listen) gave it.
        id: Id,
        /// Whether TLS comes first.
        direct_tls: bool,
        /// Where, port included.
        local: Endpoint,
    },
    /// A listener could not be bound.
    ListenFailed {
        /// Its name.
        id: Id,
        /// Whether TLS comes first.
        direct_tls: bool,
        /// What was asked for.
        local: Endpoint,
        /// Why.
        kind: FailKind,
    },
    /// A client has logged in and bound a resource.
    SessionStarted {
        /// Who.
        jid: FullJid,
        /// From where.
        remote: Endpoint,
        /// Whether TLS came first, not by STARTTLS.
        direct_tls: bool,
    },
    /// A session is over.
    SessionEnded {
        /// Whose it was.
        jid: FullJid,
        /// From where.
        remote: Endpoint,
        /// Why.
        cause: Cause,
    },
    /// While draining, the last connection ended.
    Drained,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its client closed the stream.
    Client,
    /// Its connection broke, or was silent for too long.
    Lost,
    /// A newer session took its resource.
    Replaced,
    /// It did what clients may not do, or did not read.
    Refused,
    /// We closed it: the server drains, or its account is gone.
    Shutdown,
}

/// What the server asks the world. Every question is answered; those about one user in the order in
/// which they were asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// The keys of a user. Answered by [`Answer::Credentials`].
    Credentials {
        /// Who: the part before the `@`.
        user: String,
    },
    /// The roster of a user, with what is not listed in it. Answered by [`Answer::Roster`].
    Roster {
        /// Whose.
        user: String,
    },
    /// Keep an item of a user's roster in place of the one of the same contact. Answered by
    /// [`Answer::Saved`].
    SaveItem {
        /// Whose.
        user: String,
        /// What.
        item: RosterItem,
    },
    /// Forget an item of a user's roster. Answered by [`Answer::Saved`].
    RemoveItem {
        /// Whose.
        user: String,
        /// Which.
        contact: BareJid,
    },
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The keys of the user, or `None` if there is no such user.
    Credentials(Option<ScramKeys>),
    /// The user's roster, or `None` if there is no such user.
    Roster(Option<Vec<RosterItem>>),
    /// Whether the change is kept.
    Saved(bool),
    /// It cannot be said now.
    Failed,
}

/// What SCRAM is checked with, of one hash function (RFC 5802 §3). As secret as the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScramKey {
    /// The salt.
    pub salt: Vec<u8>,
    /// The iteration count.
    pub iterations: u32,
    /// `StoredKey`.
    pub stored_key: Vec<u8>,
    /// `ServerKey`.
    pub server_key: Vec<u8>,
}

/// What a user's SCRAM is checked with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScramKeys {
    /// By SHA-1.
    pub sha1: ScramKey,
    /// By SHA-256.
    pub sha256: ScramKey,
}

impl From<ScramKey> for sasl::Keys {
    fn from(key: ScramKey) -> Self {
        let ScramKey { salt, iterations, stored_key, server_key } = key;
        let (stored_key, server_key) = (Secret::new(stored_key), Secret::new(server_key));
        Self { salt, iterations, stored_key, server_key }
    }
}

impl From<ScramKeys> for sasl::ScramKeys {
    fn from(keys: ScramKeys) -> Self {
        Self { sha1: keys.sha1.into(), sha256: keys.sha256.into() }
    }
}

impl fmt::Debug for ScramKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKey(…)")
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramKeys(…)")
    }
}

/// Who sees whose presence (RFC 6121 §2.1.2.5).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Subscription {
    /// Neither sees the other's.
    #[default]
    None,
    /// The user sees the contact's.
    To,
    /// The contact sees the user's.
    From,
    /// Each sees the other's.
    Both,
}

/// A contact in a user's roster (RFC 6121 §2.1.2), or what is kept about one who is not listed
/// there: somebody who asked for a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterItem {
    /// Who.
    pub contact: BareJid,
    /// Whether it is in the roster that clients see.
    pub listed: bool,
    /// The name that the user gave; empty if none.
    pub name: String,
    /// The groups that the user put it in.
    pub groups: Vec<String>,
    /// Who sees whose presence.
    pub subscription: Subscription,
    /// Whether the user has asked for the contact's presence and got no answer yet ("pending out").
    pub ask: bool,
    /// Whether the user approved the contact's request before it came (RFC 6121 §3.4).
    pub approved: bool,
    /// The presence stanza with which the contact asked for the user's presence, as XML, while
    /// that is not answered ("pending in").
    pub pending_in: Option<String>,
}

impl RosterItem {
    /// Nothing about `contact` yet.
    #[must_use]
    pub const fn new(contact: BareJid) -> Self {
        Self {
            contact,
            listed: false,
            name: String::new(),
            groups: Vec::new(),
            subscription: Subscription::None,
            ask: false,
            approved: false,
            pending_in: None,
        }
    }
}
