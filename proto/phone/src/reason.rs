//! Why registrations fail and calls end: in each protocol's words, and in those that both share.

use sip::ua::Reason;
use xmpp::jingle;
use xmpp::stanza::{Condition, StanzaError};

/// Why a call is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// Signalling says so.
    #[error(transparent)]
    Signalling(#[from] Reason),
    /// Signalling by Jingle says so.
    #[error(transparent)]
    Jingle(#[from] JingleEnd),
    /// There was no path for the media.
    #[error("no path for the media")]
    NoPath,
    /// Offer and answer lead to nothing, or our side cannot take part.
    #[error(transparent)]
    Call(#[from] call::call::Error),
    /// Nothing was heard of the other side for too long.
    #[error("nothing was heard for {} s", crate::defaults::SILENCE_LIMIT.as_secs())]
    Silent,
    /// What the other side described cannot be read.
    #[error("the other side's description cannot be read")]
    Description,
}

/// Why a call is over, in words that SIP and XMPP share: what an exit code is chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndKind {
    /// In peace, after it was answered.
    HungUp,
    /// We gave up before it was answered.
    Cancelled,
    /// The caller gave up before we answered.
    Abandoned,
    /// The callee is busy.
    Busy,
    /// The callee does not want it.
    Declined,
    /// Nobody took it, or the callee's phone is off.
    NoAnswer,
    /// There is no such user, domain or gateway.
    NotFound,
    /// The core, or the way to the callee, does not work.
    Unreachable,
    /// The core does not accept our name or password.
    Unauthorized,
    /// Media found no way, or none came.
    NoMedia,
    /// One side wants media protection that the other does not have.
    Encryption,
    /// Descriptions do not fit together.
    Negotiation,
    /// Anything else.
    Failed,
}

impl EndReason {
    /// The same in words that both protocols share.
    #[must_use]
    pub fn kind(&self) -> EndKind {
        match self {
            Self::Signalling(reason) => sip_kind(reason),
            Self::Jingle(end) => end.kind(),
            Self::NoPath | Self::Silent => EndKind::NoMedia,
            Self::Call(call::call::Error::Negotiation(call::negotiate::Error::Keying)) => {
                EndKind::Encryption
            }
            Self::Call(_) | Self::Description => EndKind::Negotiation,
        }
    }
}

/// What a reason of SIP means (RFC 3261 §21.4 to §21.6).
const fn sip_kind(reason: &Reason) -> EndKind {
    match reason {
        Reason::Bye => EndKind::HungUp,
        Reason::Cancelled => EndKind::Cancelled,
        Reason::Abandoned => EndKind::Abandoned,
        Reason::Unauthorized | Reason::NoCredentials => EndKind::Unauthorized,
        Reason::TimedOut | Reason::Transport(_) => EndKind::Unreachable,
        Reason::Refused { status, .. } | Reason::Rejected(status) => match status.code() {
            486 | 600 => EndKind::Busy,
            603 => EndKind::Declined,
            408 | 480 => EndKind::NoAnswer,
            404 | 604 => EndKind::NotFound,
            403 | 410 | 416 | 484 | 502 | 503 => EndKind::Unreachable,
            488 | 606 => EndKind::Negotiation,
            _ => EndKind::Failed,
        },
        Reason::NotAcknowledged | Reason::Lost => EndKind::Failed,
    }
}

/// How a call over Jingle ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JingleEnd {
    /// In peace, after it was answered.
    #[error("ended")]
    HungUp,
    /// We gave up before it was answered.
    #[error("cancelled")]
    Cancelled,
    /// The caller gave up before we answered.
    #[error("the caller gave up")]
    Abandoned,
    /// We refused it.
    #[error("{}", if *busy { "refused: busy" } else { "refused" })]
    Rejected {
        /// Because we are busy.
        busy: bool,
    },
    /// Another device of ours took it, or refused it.
    #[error("another device took it")]
    Elsewhere,
    /// The other side ended it (XEP-0166 §7.4).
    #[error("{}{}", condition.name(), text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Terminated {
        /// Why.
        condition: jingle::Condition,
        /// In words.
        text: Option<String>,
    },
    /// The other side, or a server, does not take the call at all.
    #[error("{}{}", condition.name(), text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// Why.
        condition: Condition,
        /// In words.
        text: Option<String>,
    },
    /// Nobody answered in time.
    #[error("no answer")]
    TimedOut,
    /// Their devices that we see say that they take no calls.
    #[error("no device of theirs takes calls")]
    Incapable,
    /// The call could not be carried on: too much that we asked was not answered yet.
    #[error("too many requests wait for their answers")]
    Stuck,
    /// The other side knows nothing of the call any more, or went away before it was answered.
    #[error("the far side has lost the call")]
    Lost,
    /// Our own stream was lost before it was answered.
    #[error("the connection to the core was lost")]
    Offline,
}

impl JingleEnd {
    /// There is nobody to call.
    pub(crate) const NOBODY: Self =
        Self::Refused { condition: Condition::ItemNotFound, text: None };

    /// The other side's reason.
    pub(crate) fn terminated(reason: &jingle::Reason) -> Self {
        let condition = reason.condition.clone().unwrap_or(jingle::Condition::GeneralError);
        Self::Terminated { condition, text: reason.text().map(str::to_owned) }
    }

    /// An error that answered our call.
    pub(crate) fn refused(error: &StanzaError) -> Self {
        Self::Refused { condition: error.condition, text: error.text.clone() }
    }

    const fn kind(&self) -> EndKind {
        match self {
            Self::HungUp => EndKind::HungUp,
            Self::Cancelled => EndKind::Cancelled,
            Self::Abandoned => EndKind::Abandoned,
            Self::Rejected { busy: true } => EndKind::Busy,
            Self::Rejected { busy: false } => EndKind::Declined,
            Self::Elsewhere => EndKind::Abandoned,
            Self::TimedOut | Self::Incapable => EndKind::NoAnswer,
            Self::Offline => EndKind::Unreachable,
            Self::Lost | Self::Stuck => EndKind::Failed,
            Self::Terminated { condition, .. } => terminated_kind(condition),
            Self::Refused { condition, .. } => refused_kind(*condition),
        }
    }
}

/// What a condition of Jingle means.
const fn terminated_kind(condition: &jingle::Condition) -> EndKind {
    use jingle::Condition as C;
    match condition {
        C::Success | C::AlternativeSession { .. } => EndKind::HungUp,
        C::Busy => EndKind::Busy,
        C::Decline | C::Cancel => EndKind::Declined,
        C::Expired | C::Gone | C::Timeout => EndKind::NoAnswer,
        C::ConnectivityError | C::FailedTransport | C::MediaError => EndKind::NoMedia,
        C::SecurityError => EndKind::Encryption,
        C::FailedApplication
        | C::IncompatibleParameters
        | C::UnsupportedApplications
        | C::UnsupportedTransports => EndKind::Negotiation,
        C::GeneralError => EndKind::Failed,
    }
}

/// What a stanza error to a call means. To strangers, a server says the same of a user that does not
/// exist and of one who is not there.
const fn refused_kind(condition: Condition) -> EndKind {
    match condition {
        Condition::ServiceUnavailable
        | Condition::ItemNotFound
        | Condition::Gone
        | Condition::JidMalformed
        | Condition::RemoteServerNotFound => EndKind::NotFound,
        Condition::RecipientUnavailable => EndKind::NoAnswer,
        Condition::RemoteServerTimeout | Condition::Forbidden | Condition::NotAllowed => {
            EndKind::Unreachable
        }
        Condition::FeatureNotImplemented => EndKind::Negotiation,
        //= XEP-0166 §6.3.1: so says who has no room for another session.
        Condition::ResourceConstraint => EndKind::Busy,
        _ => EndKind::Failed,
    }
}

/// Why an account cannot be reached.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RegistrationError {
    /// Its registration by SIP failed.
    #[error(transparent)]
    Sip(#[from] Reason),
    /// Its stream cannot be set up, or was lost.
    #[error(transparent)]
    Xmpp(#[from] xmpp::client::Error),
}

/// The same in words that SIP and XMPP share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistrationErrorKind {
    /// The name or the password is not accepted.
    Unauthorized,
    /// The core does not serve the address.
    NotServed,
    /// The core is not found, does not answer, or went away.
    Unreachable,
    /// The core's certificate is not trusted, or it offers no TLS.
    Untrusted,
    /// Anything else.
    Failed,
}

impl RegistrationError {
    /// The same in words that both protocols share.
    #[must_use]
    pub fn kind(&self) -> RegistrationErrorKind {
        match self {
            Self::Xmpp(error) => xmpp_kind(error),
            Self::Sip(Reason::Unauthorized | Reason::NoCredentials) => {
                RegistrationErrorKind::Unauthorized
            }
            Self::Sip(Reason::Refused { status, .. }) if matches!(status.code(), 403 | 404) => {
                RegistrationErrorKind::NotServed
            }
            Self::Sip(Reason::TimedOut | Reason::Transport(_)) => {
                RegistrationErrorKind::Unreachable
            }
            Self::Sip(_) => RegistrationErrorKind::Failed,
        }
    }
}

fn xmpp_kind(error: &xmpp::client::Error) -> RegistrationErrorKind {
    use xmpp::client::Error as E;
    use xmpp::stream::client::Failure;
    match error {
        error if error.is_unauthorized() => RegistrationErrorKind::Unauthorized,
        E::NoService { .. } => RegistrationErrorKind::NotServed,
        E::Stream(Failure::Peer(error))
            if error.condition == xmpp::stream::Condition::HostUnknown =>
        {
            RegistrationErrorKind::NotServed
        }
        E::Certificate { .. }
        | E::Tls { .. }
        | E::Stream(Failure::NoTls | Failure::TlsRefused | Failure::ServerNotProven(_)) => {
            RegistrationErrorKind::Untrusted
        }
        E::Stream(_) => RegistrationErrorKind::Failed,
        E::NotFound { .. }
        | E::Unreachable { .. }
        | E::Closed
        | E::Lost(_)
        | E::Silent
        | E::TimedOut
        | E::Stalled
        | E::NetworkChanged => RegistrationErrorKind::Unreachable,
    }
}
