//! The server's end of a stream (RFC 6120 §4 to §7).

use std::sync::Arc;
use std::time::Duration;

use machine::{ConnectionBinding, Entropy, Instant, Now};

use super::StreamError;
use crate::sasl::keys::Decoy;
use crate::sasl::{Mechanism, ScramKeys};
use crate::stanza::StanzaError;
use crate::{BareJid, DomainPart, Element, FullJid, NodePart, ResourcePart, Stanza, defaults, xml};

/// What all streams of a server share.
#[derive(Clone, Debug)]
pub struct Config {
    /// The domain that is served.
    pub domain: DomainPart,
    /// Makes up keys of users that do not exist, the same each time.
    pub decoy: Decoy,
    /// The mechanisms that may be offered. `-PLUS` is offered where the connection can be bound to,
    /// PLAIN under TLS alone.
    pub mechanisms: Vec<Mechanism>,
    /// Features that are told once a user is authenticated, besides resource binding.
    pub features: Vec<Element>,
    /// Limits.
    pub limits: Limits,
}

impl Config {
    /// A server of `domain` with defaults for everything else.
    #[must_use]
    pub fn new(domain: DomainPart, decoy: Decoy) -> Self {
        let mechanisms = Mechanism::ALL.to_vec();
        Self { domain, decoy, mechanisms, features: Vec::new(), limits: Limits::default() }
    }
}

/// Limits of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How large a stanza may be once its sender is authenticated.
    pub xml: xml::Limits,
    /// From the beginning until a resource is bound.
    pub login: Duration,
    /// Failed attempts to authenticate; the last one ends the stream.
    pub attempts: u32,
    /// Children of the stream a second, on average; more are read later.
    pub stanzas_per_second: u32,
    /// Bytes a second, on average; more are read later.
    pub bytes_per_second: u32,
    /// Seconds of both rates that may come at once.
    pub burst_secs: u32,
    /// Bytes that may come in spite of [`Action::Pause`]; more is a flood and ends the stream.
    pub unread_bytes: usize,
    /// How long a stream that we closed waits for the client to close its side.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            xml: xml::Limits::CLIENT,
            login: defaults::UNTIL_BOUND,
            attempts: defaults::ATTEMPTS,
            stanzas_per_second: defaults::STANZAS_PER_SECOND,
            bytes_per_second: defaults::BYTES_PER_SECOND,
            burst_secs: defaults::BURST_SECS,
            unread_bytes: defaults::UNREAD_BYTES,
            linger: defaults::LINGER,
        }
    }
}

/// How a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In the clear; STARTTLS is mandatory (5222).
    StartTls,
    /// Under TLS at once (XEP-0368, 5223).
    DirectTls,
}

/// What a stream wants of its owner, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Start TLS, after what was written; [`Stream::secured`] follows.
    StartTls,
    /// Stop reading, or go on ([`machine::Output::Pause`]).
    Pause(bool),
    /// Answer with [`Stream::credentials`].
    AskCredentials {
        /// Whose.
        user: NodePart,
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
    /// Answer with [`Stream::bound`].
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
    /// Faster than allowed, for longer than bursts may.
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
    /// A `from` that is not the sender's.
    SpoofedFrom,
    /// A stanza that is none: answered with an error.
    MalformedStanza,
    /// Not authenticated and bound in time.
    TooSlow,
}

/// The server's end of one stream.
#[derive(Debug)]
pub struct Stream {
    config: Arc<Config>,
}

impl Stream {
    /// A stream that was accepted at `now`. With [`Entry::DirectTls`], [`secured`](Self::secured)
    /// comes first.
    #[must_use]
    pub fn new(config: Arc<Config>, entry: Entry, entropy: &Entropy, now: Now) -> Self {
        let _ = (entry, entropy, now);
        Self { config }
    }

    /// Bytes from the client.
    pub fn handle_bytes(&mut self, now: Now, bytes: &[u8]) {
        let _ = (now, bytes, &self.config);
    }

    /// A deadline has come.
    pub fn handle_timeout(&mut self, now: Now) {
        let _ = now;
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What is wanted next.
    pub fn poll(&mut self) -> Option<Action> {
        None
    }

    /// TLS stands; `binding` is what SASL can bind to.
    pub fn secured(&mut self, now: Now, binding: ConnectionBinding) {
        let _ = (now, binding);
    }

    /// Answers [`Action::AskCredentials`]: the keys; `Ok(None)` if there is no such user; `Err` if
    /// nobody can tell now, which the client learns as `temporary-auth-failure`.
    #[expect(clippy::result_unit_err, reason = "there is nothing to tell")]
    pub fn credentials(&mut self, now: Now, keys: Result<Option<ScramKeys>, ()>) {
        let _ = (now, keys);
    }

    /// Answers [`Action::AskBind`].
    pub fn bound(&mut self, now: Now, jid: Result<FullJid, StanzaError>) {
        let _ = (now, jid);
    }

    /// Sends a stanza. Before a resource is bound, and after the end, nothing happens.
    pub fn send(&mut self, stanza: &Stanza) {
        let _ = stanza;
    }

    /// Ends the stream, with an error or without. [`Action::Closed`] follows: at once with an
    /// error, else when the client closes its side too or a little time has passed.
    pub fn end(&mut self, now: Now, error: Option<StreamError>) {
        let _ = (now, error);
    }

    /// Who is bound.
    #[must_use]
    pub fn jid(&self) -> Option<&FullJid> {
        None
    }

    /// Password-based key derivations so far.
    #[must_use]
    pub fn derivations(&self) -> u64 {
        0
    }
}
