//! What a stream wants of its owner.

use super::super::{Features, StreamError};
use crate::sasl::{self, Mechanism, choice};
use crate::stanza::StanzaError;
use crate::{FullJid, Stanza};

/// What a stream wants of its owner, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Write these bytes.
    Write(Vec<u8>),
    /// Start TLS, after what was written; [`Stream::secured`](super::Stream::secured) follows.
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
        features: Features,
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
    /// The server closed the stream before we were logged in.
    #[error("the server closed the stream")]
    Closed,
    /// The server did not go on in time.
    #[error("the server does not answer")]
    TimedOut,
}
