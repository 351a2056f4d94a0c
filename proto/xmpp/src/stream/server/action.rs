//! What a stream wants of its owner.

use super::super::StreamError;
use crate::sasl::Mechanism;
use crate::{BareJid, NodePart, ResourcePart, Stanza};

/// What a stream wants of its owner, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Start TLS, after what was written; [`Stream::secured`](super::Stream::secured) follows.
    StartTls,
    /// Stop reading, or go on ([`machine::Output::Pause`]).
    Pause(bool),
    /// Answer with [`Stream::credentials`](super::Stream::credentials).
    AskCredentials {
        /// Whose.
        user: NodePart,
        /// Whether a key is derived with them, which takes its time (PLAIN).
        derives: bool,
    },
    /// `user` has shown the password. The stream restarts by itself.
    Authenticated {
        /// Who.
        user: BareJid,
        /// How.
        mechanism: Mechanism,
        /// Whether the exchange was bound to the TLS connection.
        channel_bound: bool,
    },
    /// Answer with [`Stream::bound`](super::Stream::bound).
    AskBind {
        /// For whom.
        user: BareJid,
        /// What they ask for; `None` lets us choose.
        resource: Option<ResourcePart>,
    },
    /// A stanza; its `from` is the full JID that was bound.
    Stanza(Stanza),
    /// Something was refused; a counter goes up.
    Refused(Refusal),
    /// The stream is over, in what way `reason` says: close the connection after what was written.
    Closed(End),
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The client closed it, or we did, without an error.
    Orderly,
    /// We ended it with this error.
    Refused(StreamError),
    /// The client did.
    Peer(StreamError),
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Bytes that are no XML, not UTF-8, or XML that streams do not have.
    BadXml,
    /// Larger, deeper or with more parts than allowed.
    TooBig,
    /// Much faster than allowed, or faster for too long.
    Flood,
    /// A header for another domain, another protocol or another version.
    BadHeader,
    /// A second header, or a child of the stream that makes no sense there.
    OutOfPlace,
    /// A stanza or other data before authentication, or before binding.
    Unauthenticated,
    /// Bytes in the clear after STARTTLS.
    PlaintextAfterStartTls,
    /// The wrong password, or a user that does not exist.
    WrongCredentials,
    /// Another failure of SASL.
    Sasl,
    /// So many attempts that the stream ends; each is counted by itself too.
    Attempts,
    /// A `from` that is not the sender's.
    SpoofedFrom,
    /// A stanza that is none: answered with an error.
    MalformedStanza,
    /// Not authenticated and bound in time.
    TooSlow,
}
