//! The stanza errors that Jingle owes (XEP-0166 §10, XEP-0167 §12).

use minidom::Element;

use crate::ns;
use crate::stanza::{Condition, StanzaError};

/// Why a step of Jingle is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// It breaks the schema, or names no content where one is needed.
    #[error("not well-formed Jingle")]
    BadRequest,
    /// The session has no such content.
    #[error("no such content")]
    UnknownContent,
    /// There is no such session with this sender.
    #[error("no such session")]
    UnknownSession,
    /// Not in this state of the session.
    #[error("out of order")]
    OutOfOrder,
    /// Both ends did the same at once, and the other one yields.
    #[error("both at once, and ours wins")]
    TieBreak,
    /// A session-info that is not known.
    #[error("unknown information")]
    UnsupportedInfo,
    /// An action that is not done here.
    #[error("not implemented")]
    NotImplemented,
    /// It passes a limit.
    #[error("too much")]
    TooMuch,
}

impl Refusal {
    /// Every one.
    pub const ALL: &[Self] = &[
        Self::BadRequest,
        Self::UnknownContent,
        Self::UnknownSession,
        Self::OutOfOrder,
        Self::TieBreak,
        Self::UnsupportedInfo,
        Self::NotImplemented,
        Self::TooMuch,
    ];

    /// The condition of the stanza error (RFC 6120 §8.3.3).
    #[must_use]
    pub const fn condition(self) -> Condition {
        match self {
            Self::BadRequest => Condition::BadRequest,
            Self::UnknownContent | Self::UnknownSession => Condition::ItemNotFound,
            Self::OutOfOrder => Condition::UnexpectedRequest,
            Self::TieBreak => Condition::Conflict,
            Self::UnsupportedInfo | Self::NotImplemented => Condition::FeatureNotImplemented,
            Self::TooMuch => Condition::ResourceConstraint,
        }
    }

    /// Jingle's own condition, in [`ns::JINGLE_ERRORS`], if there is one.
    #[must_use]
    pub const fn application(self) -> Option<&'static str> {
        match self {
            Self::UnknownSession => Some("unknown-session"),
            Self::OutOfOrder => Some("out-of-order"),
            Self::TieBreak => Some("tie-break"),
            Self::UnsupportedInfo => Some("unsupported-info"),
            Self::BadRequest | Self::UnknownContent | Self::NotImplemented | Self::TooMuch => None,
        }
    }

    /// The refusal that a stanza error is; `None` if it is none of Jingle's.
    #[must_use]
    pub fn of(error: &StanzaError) -> Option<Self> {
        let app = error.app.as_deref().filter(|app| app.has_ns(ns::JINGLE_ERRORS));
        let name = app.map(Element::name);
        let fits = |refusal: &&Self| {
            refusal.condition() == error.condition && refusal.application() == name
        };
        // Jingle's own condition says more than the other, which some get wrong.
        let named =
            || Self::ALL.iter().find(|refusal| name.is_some() && refusal.application() == name);
        Self::ALL.iter().find(fits).or_else(named).copied()
    }
}

impl From<Refusal> for StanzaError {
    fn from(refusal: Refusal) -> Self {
        let error = Self::from(refusal.condition());
        match refusal.application() {
            Some(name) => error.with_app(Element::bare(name, ns::JINGLE_ERRORS)),
            None => error,
        }
    }
}
