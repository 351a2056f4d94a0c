//! What the server tells its owner, asks the world, and is answered.

use std::fmt;

use crypto::Secret;
use machine::{Endpoint, FailKind, Id, Transport};
use stun::{Key, PasswordAlgorithm};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Who may send what to whom has changed: a data plane does the same to its tables at once.
    Relay(relay::Change),
    /// A listener is bound.
    Listening {
        /// Its name, as [`listen`](super::Server::listen) gave it.
        id: Id,
        /// Over what.
        transport: Transport,
        /// Where, port included.
        local: Endpoint,
    },
    /// A listener could not be bound.
    ListenFailed {
        /// Its name.
        id: Id,
        /// Over what.
        transport: Transport,
        /// What was asked for.
        local: Endpoint,
        /// Why.
        kind: FailKind,
    },
    /// A client got a relayed address.
    Allocated {
        /// Whose account it is.
        user: String,
        /// How the client reaches us.
        transport: Transport,
        /// Where the client is, as we see it.
        client: Endpoint,
        /// The relayed address, as peers see it; the IPv4 one of two.
        relayed: Endpoint,
    },
    /// An allocation is over.
    Released {
        /// Whose account it was.
        user: String,
        /// Where the client was.
        client: Endpoint,
        /// Its relayed address.
        relayed: Endpoint,
        /// Why.
        cause: Release,
    },
    /// While draining, the last allocation ended.
    Drained,
}

/// Why an allocation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Its client said so.
    Client,
    /// Its client did not refresh it in time.
    Expired,
    /// Its client's connection closed.
    Disconnected,
    /// Its socket failed.
    Failed,
}

/// Who a client says that it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum User {
    /// USERNAME.
    Name(String),
    /// USERHASH: the SHA-256 of `user:realm` (RFC 8489 §14.4), which only a table of all users
    /// can turn back.
    Hash([u8; 32]),
}

/// What the server asks the world. Every question is answered; one that is not answered for too long
/// has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The keys of a user. Answered by [`Answer::Credentials`].
    Credentials {
        /// Who: with a name, `alice` or `alice@example.org`, the keys are those of that spelling.
        user: User,
        /// The realm, one of [`Config::realms`](super::Config::realms).
        realm: String,
    },
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The keys of the user, or `None` if there is no such user.
    Credentials(Option<Keys>),
    /// The keys cannot be looked up now: the request is answered with 500, which clients try again.
    Failed,
}

/// The long-term keys of a user (RFC 8489 §18.5.1): as secret as the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    account: String,
    md5: Key,
    sha256: Key,
}

impl Keys {
    /// Derives the keys of a password. The account is named as the user is.
    #[must_use]
    pub fn derive(user: &str, realm: &str, password: &[u8]) -> Self {
        let key = |algorithm| {
            Key::long_term(algorithm, user, realm, password).expect("both algorithms are known")
        };
        Self {
            account: user.to_owned(),
            md5: key(PasswordAlgorithm::Md5),
            sha256: key(PasswordAlgorithm::Sha256),
        }
    }

    /// Keys that were derived before: MD5 and SHA-256 of `user:realm:password`, 16 and 32 bytes.
    /// `account` is what quotas count by, however the user spelled the name.
    #[must_use]
    pub fn new(account: &str, md5: impl Into<Secret>, sha256: impl Into<Secret>) -> Self {
        let (md5, sha256) = (Key::derived(md5.into()), Key::derived(sha256.into()));
        Self { account: account.to_owned(), md5, sha256 }
    }

    /// The same keys of another account.
    pub(super) fn of_account(self, account: &str) -> Self {
        Self { account: account.to_owned(), ..self }
    }

    /// What quotas count by.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The key of an algorithm; nothing for an unknown one.
    #[must_use]
    pub const fn key(&self, algorithm: PasswordAlgorithm) -> Option<&Key> {
        match algorithm {
            PasswordAlgorithm::Md5 => Some(&self.md5),
            PasswordAlgorithm::Sha256 => Some(&self.sha256),
            PasswordAlgorithm::Unknown(_) => None,
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}
