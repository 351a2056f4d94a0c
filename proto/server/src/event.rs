//! What the core tells its owner, asks the world, and is answered.

use std::fmt;
use std::time::Duration;

use machine::{Endpoint, Transport};
use serde::{Deserialize, Serialize};
use sip::auth::{Ha1, Hash};
use sip::location::SavedBinding;

use crate::config::Service;

pub use stun::binding::Places;
pub use turn::server::event::Release;
pub use xmpp::BareJid;
pub use xmpp::server::{Cause, RosterItem, ScramKey, ScramKeys, Subscription};

/// An address that the core listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// What for.
    pub service: Service,
    /// Over what.
    pub transport: Transport,
    /// Where, port included.
    pub local: Endpoint,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Every listener is bound or has failed; these are bound.
    Ready {
        /// All of them.
        addresses: Vec<Address>,
        /// Where clients can look into their NATs (RFC 5780): nowhere without two addresses of one
        /// kind.
        places: Vec<Places>,
    },
    /// A listener could not be bound. The core serves on the others.
    ListenFailed {
        /// What was asked for.
        address: Address,
        /// Why it failed, for a person.
        cause: String,
        /// What to do about it, for a person.
        remedy: String,
    },
    /// Somebody registered, or refreshed a registration.
    Registered {
        /// The address of record: `alice@example.org`.
        address: String,
        /// The first contact.
        contact: String,
        /// Where the REGISTER came from.
        remote: Endpoint,
        /// How long it holds.
        expires: Duration,
    },
    /// The last binding of an address ended or was removed.
    Unregistered {
        /// The address of record.
        address: String,
    },
    /// Who may relay what to whom has changed: a data plane does the same to its tables at once.
    Relay(relay::Change),
    /// A client got a relayed address.
    Allocated {
        /// The account it is counted for.
        user: String,
        /// How the client reaches us.
        transport: Transport,
        /// Where the client is, as we see it.
        client: Endpoint,
        /// The relayed address, as peers see it.
        relayed: Endpoint,
    },
    /// A relayed address is given back.
    Released {
        /// The account it was counted for.
        user: String,
        /// Where the client was.
        client: Endpoint,
        /// Its relayed address.
        relayed: Endpoint,
        /// Why.
        cause: Release,
    },
    /// Somebody has logged in over XMPP.
    SessionStarted {
        /// Who: `alice@example.org/phone`.
        jid: String,
        /// From where.
        remote: Endpoint,
        /// Over what: TCP where TLS was begun with STARTTLS.
        transport: Transport,
    },
    /// An XMPP session is over.
    SessionEnded {
        /// Whose it was.
        jid: String,
        /// From where.
        remote: Endpoint,
        /// Why.
        cause: Cause,
    },
    /// While draining, the last relayed address was given back and the last XMPP session has ended.
    Drained,
}

/// What the core asks the world. Every question is answered; one that is not answered for too long has
/// failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// The keys of a user. Answered by [`Answer::Credentials`].
    Credentials {
        /// The user name of authentication, `alice` or `alice@example.org`.
        user: String,
        /// The realm.
        realm: String,
    },
    /// The keys of the user whose name and realm have this hash ([`user_hash`]): clients of TURN
    /// may hide the name (RFC 8489 §9.2). Answered by [`Answer::Credentials`].
    HashedCredentials {
        /// The hash.
        hash: [u8; 32],
        /// The realm.
        realm: String,
    },
    /// All bindings that were kept. Answered by [`Answer::Bindings`].
    LoadBindings,
    /// Keep the bindings of an address in place of those it had; none to forget it. Answered by
    /// [`Answer::Saved`].
    SaveBindings(SavedAddress),
    /// What SCRAM checks a user with. Answered by [`Answer::ScramCredentials`].
    ScramCredentials {
        /// Who: `alice@example.org`.
        address: String,
    },
    /// The roster of a user. Answered by [`Answer::Roster`].
    Roster {
        /// Whose: `alice@example.org`.
        address: String,
    },
    /// Keep a contact in a user's roster in place of what was kept of it. Answered by
    /// [`Answer::Saved`].
    SaveContact {
        /// Whose: `alice@example.org`.
        address: String,
        /// What.
        item: RosterItem,
    },
    /// Forget a contact of a user's. Answered by [`Answer::Saved`].
    RemoveContact {
        /// Whose: `alice@example.org`.
        address: String,
        /// Which.
        contact: BareJid,
    },
}

/// The bindings of one address of record, as they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedAddress {
    /// The address of record: `alice@example.org`.
    pub address: String,
    /// Its bindings.
    pub bindings: Vec<SavedBinding>,
}

/// What the world answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The keys of the user, or `None` if there is no such user.
    Credentials(Option<Keys>),
    /// All bindings that were kept.
    Bindings(Vec<SavedAddress>),
    /// Whether it is kept.
    Saved(bool),
    /// What SCRAM checks the user with, or `None` if there is no such user.
    ScramCredentials(Option<ScramKeys>),
    /// The user's roster, or `None` if there is no such user.
    Roster(Option<Vec<RosterItem>>),
    /// It cannot be looked up now. A request of SIP is answered with 500, which phones try again;
    /// a 401 would tell them that the password is wrong.
    Failed,
}

/// What digests are checked with: the hashes of `user:realm:password` in hexadecimal digits, one
/// for each algorithm. As secret as the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The account: one and the same name for every form of the user name.
    pub account: String,
    /// With MD5.
    pub md5: String,
    /// With SHA-256.
    pub sha256: String,
    /// With SHA-512/256.
    pub sha512_256: String,
}

impl Keys {
    /// Derives the keys of a password.
    #[must_use]
    pub fn derive(user: &str, realm: &str, password: &str) -> Self {
        let key = |hash: Hash| hash.hex(&[format!("{user}:{realm}:{password}").as_bytes()]);
        let [md5, sha256, sha512_256] = Hash::ALL.map(key);
        let suffix = format!("@{realm}");
        let account = user.strip_suffix(&suffix).unwrap_or(user).to_owned() + &suffix;
        Self { account, md5, sha256, sha512_256 }
    }

    /// The key for one algorithm.
    #[must_use]
    pub fn ha1(&self, hash: Hash) -> Ha1 {
        let hex = match hash {
            Hash::Md5 => &self.md5,
            Hash::Sha256 => &self.sha256,
            Hash::Sha512_256 => &self.sha512_256,
        };
        Ha1::from_hex(hash, hex)
    }
}

/// What stands for a user name of a realm where it is hidden (RFC 8489 §14.4).
#[must_use]
pub fn user_hash(user: &str, realm: &str) -> [u8; 32] {
    stun::integrity::userhash(user, realm)
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(…)")
    }
}
