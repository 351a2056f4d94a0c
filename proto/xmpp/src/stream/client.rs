//! The client's end of a stream (RFC 6120 §4 to §7).

use crypto::Secret;
use machine::{ConnectionBinding, Entropy, Instant, Now};

use super::StreamError;
use crate::sasl::{self, Mechanism, Policy, choice};
use crate::stanza::StanzaError;
use crate::{BareJid, FullJid, ResourcePart, Stanza};

/// How to log in.
#[derive(Clone, Debug)]
pub struct Config {
    /// The account.
    pub account: BareJid,
    /// Its password.
    pub password: Secret,
    /// The resource to ask for; `None` lets the server choose.
    pub resource: Option<ResourcePart>,
    /// Which mechanisms may be used, and which is good enough. The strongest that the server has is
    /// taken.
    pub policy: Policy,
    /// Whether the connection is under TLS before the stream begins.
    pub direct_tls: bool,
    /// Whether to go on in the clear where the server has no STARTTLS. PLAIN is not sent then.
    pub allow_plaintext: bool,
}

/// What a stream wants of its owner, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Start TLS, after what was written; [`Stream::secured`] follows.
    StartTls,
    /// Logged in and bound.
    Online {
        /// Who we are.
        jid: FullJid,
        /// How the password was shown.
        mechanism: Mechanism,
        /// Whether that was bound to the TLS connection.
        channel_bound: bool,
        /// Everything the server said it can do, before and after authentication.
        features: super::Features,
    },
    /// A stanza. Without a `from` it is from our own account (RFC 6120 §8.1.2.1).
    Stanza(Stanza),
    /// It did not work. [`Closed`](Self::Closed) follows.
    Failed(Failure),
    /// The stream is over: close the connection after what was written.
    Closed,
}

/// Why a stream failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The server has no STARTTLS, and we do not go on without.
    #[error("the server offers no TLS")]
    NoTls,
    /// The server refused to start TLS.
    #[error("the server refuses to start TLS")]
    TlsRefused,
    /// No mechanism of the server's may be used, or none that is good enough.
    #[error("{0}")]
    NoMechanism(choice::Error),
    /// Our own name or password cannot be sent.
    #[error("{0}")]
    Credentials(sasl::client::Error),
    /// The server refused the credentials, or the exchange (RFC 6120 §6.5).
    #[error("the server refuses the login: {condition}{}", text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Sasl {
        /// The condition: `not-authorized`, `account-disabled`, …
        condition: String,
        /// In words.
        text: Option<String>,
    },
    /// The server did not show that it knows the password, or broke the exchange.
    #[error("{0}")]
    ServerNotProven(sasl::client::Error),
    /// No resource was given.
    #[error("the server gives no resource: {0}")]
    Bind(StanzaError),
    /// The server ended the stream.
    #[error("the server ended the stream: {0}")]
    Peer(StreamError),
    /// What the server sent is no stream that we understand; it was told so.
    #[error("the server's stream is broken: {0}")]
    Protocol(StreamError),
    /// The server did not go on in time.
    #[error("the server does not answer")]
    TimedOut,
}

/// The client's end of one stream.
#[derive(Debug)]
pub struct Stream {}

impl Stream {
    /// A stream that will begin with [`connected`](Self::connected), or, with
    /// [`Config::direct_tls`], with [`secured`](Self::secured).
    #[must_use]
    pub fn new(config: Config, entropy: &Entropy, now: Now) -> Self {
        let _ = (config, entropy, now);
        Self {}
    }

    /// The connection stands.
    pub fn connected(&mut self, now: Now) {
        let _ = now;
    }

    /// TLS stands, and its certificate was checked; `binding` is what SASL can bind to.
    pub fn secured(&mut self, now: Now, binding: ConnectionBinding) {
        let _ = (now, binding);
    }

    /// Bytes from the server.
    pub fn handle_bytes(&mut self, now: Now, bytes: &[u8]) {
        let _ = (now, bytes);
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

    /// Sends a stanza. Before [`Action::Online`], and after the end, nothing happens.
    pub fn send(&mut self, stanza: &Stanza) {
        let _ = stanza;
    }

    /// Ends the stream. [`Action::Closed`] follows: when the server closes its side too, or a
    /// little time has passed.
    pub fn end(&mut self, now: Now) {
        let _ = now;
    }

    /// Who we are, once online.
    #[must_use]
    pub fn jid(&self) -> Option<&FullJid> {
        None
    }
}
