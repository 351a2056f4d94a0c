//! Why registrations fail and calls end: in each protocol's words, and in those that both share.

use sip::ua::Reason;

/// Why a call is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// Signalling says so.
    #[error(transparent)]
    Signalling(#[from] Reason),
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

/// Why an account cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// Its registration by SIP failed.
    #[error(transparent)]
    Sip(#[from] Reason),
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
    pub const fn kind(&self) -> RegistrationErrorKind {
        match self {
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
