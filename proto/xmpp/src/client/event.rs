//! What a client tells its owner.

use std::fmt;
use std::time::Duration;

use machine::{CloseReason, Endpoint, FailKind, ResolveError};

use super::config::Show;
use super::roster::Contact;
use crate::sasl::Mechanism;
use crate::stanza::{MessageType, StanzaError};
use crate::stream::client::Failure;
use crate::{BareJid, Element, FullJid, Jid, Stanza};

/// What a client tells its owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Logged in. The roster comes next, then our presence is sent.
    Online(Online),
    /// Not logged in, or no longer. Everybody's presence is unknown from here on, and every request
    /// has had its [`Response`](Self::Response).
    Offline {
        /// Why.
        reason: Error,
        /// When the next attempt begins; `None` where another would end as this one did, or none is
        /// wanted.
        retry_in: Option<Duration>,
    },
    /// The roster has come whole ([`Client::roster`](super::Client::roster)).
    Roster,
    /// A contact was added or changed.
    Contact(Contact),
    /// A contact is gone.
    ContactRemoved(BareJid),
    /// A message with a body.
    Message {
        /// Who sent it.
        from: Jid,
        /// What its sender calls it.
        id: Option<String>,
        /// Of what type; never an error.
        kind: MessageType,
        /// The text.
        body: String,
        /// All of it.
        stanza: Stanza,
    },
    /// A message of ours did not arrive.
    MessageFailed {
        /// Whom it was for.
        to: Jid,
        /// The id that [`Client::send_message`](super::Client::send_message) gave it.
        id: String,
        /// Why.
        error: StanzaError,
    },
    /// Somebody came, changed or went.
    Presence {
        /// Who: one of somebody's resources, or an account as a whole when all of it went.
        from: Jid,
        /// Whether there.
        available: bool,
        /// How available.
        show: Show,
        /// In words.
        status: Option<String>,
        /// For what is for all of an account's resources, the highest gets it.
        priority: i8,
    },
    /// What a resource can do is known now, or known anew ([`Client::supports`](super::Client::supports)).
    Capabilities(FullJid),
    /// Somebody asks for our presence, or answers that we asked for theirs.
    Subscription {
        /// Who.
        from: BareJid,
        /// What they say.
        kind: Subscription,
        /// In words.
        status: Option<String>,
    },
    /// A request that only the owner can answer, with [`Client::respond`](super::Client::respond); it
    /// owes an answer to each.
    Request {
        /// The request: an IQ of type `get` or `set`.
        iq: Stanza,
    },
    /// The answer to a request of the owner's.
    Response {
        /// Which.
        request: RequestId,
        /// What a result carries, or what went wrong.
        result: Result<Option<Element>, RequestError>,
    },
    /// Any other message or presence, errors among them.
    Stanza(Stanza),
    /// [`Client::stop`](super::Client::stop) is done.
    Stopped,
}

/// How a client is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Online {
    /// Who we are.
    pub jid: FullJid,
    /// The server.
    pub server: Endpoint,
    /// Our side of the connection.
    pub local: Endpoint,
    /// Whether the connection is encrypted.
    pub secured: bool,
    /// Whether it was from its first byte on.
    pub direct_tls: bool,
    /// How we proved who we are.
    pub mechanism: Mechanism,
    /// Whether that was bound to the connection below.
    pub channel_bound: bool,
}

/// What is said of a subscription to presence (RFC 6121 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subscription {
    /// They want to see our presence: [`Client::approve`](super::Client::approve) or
    /// [`Client::refuse`](super::Client::refuse).
    Subscribe,
    /// We may see theirs.
    Subscribed,
    /// They no longer want to see ours.
    Unsubscribe,
    /// We may not see theirs, or no longer.
    Unsubscribed,
}

/// A request of the owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// What became of a request that has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The other side says no.
    #[error("{0}")]
    Refused(StanzaError),
    /// The other side said nothing in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection ended before an answer came.
    #[error("the connection ended before an answer came")]
    Offline,
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Not logged in.
    #[error("not logged in")]
    Offline,
    /// Too many requests wait for their answers.
    #[error("too many requests wait for their answers")]
    Full,
}

/// Why a client is not logged in.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// DNS knows no server of the domain.
    #[error("no server was found for {domain}: {cause}")]
    NotFound {
        /// The name that was looked up.
        domain: String,
        /// What DNS said.
        cause: ResolveError,
    },
    /// DNS says that the domain has no XMPP.
    #[error("{domain} has no XMPP: its DNS says so")]
    NoService {
        /// The domain.
        domain: String,
    },
    /// None of the server's addresses takes a connection; the first of those that were tried.
    #[error("the server at {server} cannot be reached: {}", fail_text(cause))]
    Unreachable {
        /// The address.
        server: Endpoint,
        /// What came of it.
        cause: FailKind,
    },
    /// The server's certificate was refused.
    #[error("the certificate of {server} was refused for {domain}: {why}")]
    Certificate {
        /// The name that it should carry.
        domain: String,
        /// The server that showed it.
        server: Endpoint,
        /// Why, as the driver says.
        why: String,
    },
    /// TLS could not be started.
    #[error("TLS with {server} failed: {why}")]
    Tls {
        /// The server.
        server: Endpoint,
        /// Why, as the driver says.
        why: String,
    },
    /// The stream failed: no TLS, the wrong password, an error of the server's.
    #[error("{0}")]
    Stream(Failure),
    /// The server closed the stream, in order.
    #[error("the server closed the stream")]
    Closed,
    /// The connection ended.
    #[error("the connection to the server {}", close_text(.0))]
    Lost(CloseReason),
    /// The server was silent for too long and does not answer when it is asked.
    #[error("the server does not answer any more")]
    Silent,
    /// Logging in took too long.
    #[error("logging in took too long")]
    TimedOut,
    /// The server does not read what we send.
    #[error("the server does not read what it is sent")]
    Stalled,
    /// The address that the connection came from is no longer one of ours.
    #[error("the network changed")]
    NetworkChanged,
}

impl Error {
    /// Whether the next attempt would end the same way, so that none is made: credentials,
    /// certificates and mechanisms do not change by waiting.
    #[must_use]
    pub fn is_final(&self) -> bool {
        use crate::stream::Condition;
        match self {
            Self::NoService { .. } | Self::Certificate { .. } => true,
            Self::Stream(failure) => match failure {
                Failure::Sasl { condition, .. } => condition != "temporary-auth-failure",
                //= RFC 6120 §4.9.3.3: who was replaced does not come back and replace in turn.
                Failure::Peer(error) => {
                    matches!(error.condition, Condition::Conflict | Condition::HostUnknown)
                }
                Failure::Bind(_) | Failure::Protocol(_) | Failure::Closed | Failure::TimedOut => {
                    false
                }
                Failure::NoTls
                | Failure::TlsRefused
                | Failure::NoMechanism(_)
                | Failure::Credentials(_)
                | Failure::ServerNotProven(_) => true,
            },
            _ => false,
        }
    }

    /// Whether the name or the password is wrong.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        match self {
            Self::Stream(Failure::Sasl { condition, .. }) => condition == "not-authorized",
            Self::Stream(Failure::Credentials(_)) => true,
            _ => false,
        }
    }

    /// How much it tells, where several servers failed in several ways: the greatest is reported.
    pub(super) const fn weight(&self) -> u8 {
        match self {
            Self::Certificate { .. } => 3,
            Self::Stream(_) => 2,
            Self::Tls { .. } => 1,
            _ => 0,
        }
    }
}

fn fail_text(kind: &FailKind) -> impl fmt::Display + '_ {
    match kind {
        FailKind::Refused => "nothing listens there",
        FailKind::Unreachable => "no way leads there",
        FailKind::TimedOut => "no answer in time",
        FailKind::AddressInUse | FailKind::AddressNotAvailable => "no address of ours to use",
        FailKind::PermissionDenied => "not permitted",
        FailKind::OutOfResources => "out of resources",
        FailKind::Certificate(why) | FailKind::Tls(why) | FailKind::Other(why) => why,
    }
}

const fn close_text(reason: &CloseReason) -> &'static str {
    match reason {
        CloseReason::Peer => "was closed by it",
        CloseReason::Reset => "was reset",
        CloseReason::TimedOut => "timed out",
        CloseReason::Protocol => "broke: its TLS is not in order",
    }
}
