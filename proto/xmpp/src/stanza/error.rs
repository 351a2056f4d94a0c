//! Stanza errors (RFC 6120 §8.3).

use crate::condition::{self, Parts, conditions};
use crate::xml::{attribute, set_attribute};
use crate::{Element, ns};

/// Why a stanza was not delivered, or a request not done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{}", condition.name(), text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
pub struct StanzaError {
    /// What its sender may do about it.
    pub kind: ErrorType,
    /// What is wrong.
    pub condition: Condition,
    /// In words.
    pub text: Option<String>,
    /// What an application adds (RFC 6120 §8.3.4).
    pub app: Option<Box<Element>>,
}

/// What the sender of a stanza may do about its error (RFC 6120 §8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorType {
    /// Give credentials, then try again.
    Auth,
    /// Nothing: it will not work.
    Cancel,
    /// Go on: it was a warning.
    Continue,
    /// Change what was sent, then try again.
    Modify,
    /// Wait, then try again.
    Wait,
}

impl ErrorType {
    /// As it stands on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Continue => "continue",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }

    /// The type called `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Auth, Self::Cancel, Self::Continue, Self::Modify, Self::Wait]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

conditions! {
    "The conditions of RFC 6120 §8.3.3.";
    /// XML that makes no sense.
    BadRequest = "bad-request",
    /// A name that is taken.
    Conflict = "conflict",
    /// A feature that is not there.
    FeatureNotImplemented = "feature-not-implemented",
    /// Not allowed.
    Forbidden = "forbidden",
    /// Moved, with an address.
    Gone = "gone",
    /// Something broke inside.
    InternalServerError = "internal-server-error",
    /// Nothing of that name.
    ItemNotFound = "item-not-found",
    /// An address that is none.
    JidMalformed = "jid-malformed",
    /// Not by the rules of whoever is asked.
    NotAcceptable = "not-acceptable",
    /// Nobody may do that.
    NotAllowed = "not-allowed",
    /// Log in first.
    NotAuthorized = "not-authorized",
    /// A local rule was broken.
    PolicyViolation = "policy-violation",
    /// Not there for now.
    RecipientUnavailable = "recipient-unavailable",
    /// Elsewhere for now, with an address.
    Redirect = "redirect",
    /// Register first.
    RegistrationRequired = "registration-required",
    /// A domain that is not there.
    RemoteServerNotFound = "remote-server-not-found",
    /// A domain that does not answer.
    RemoteServerTimeout = "remote-server-timeout",
    /// Too much to do, or to hold.
    ResourceConstraint = "resource-constraint",
    /// A service that is not there, or nobody who is.
    ServiceUnavailable = "service-unavailable",
    /// Subscribe first.
    SubscriptionRequired = "subscription-required",
    /// None of the others.
    UndefinedCondition = "undefined-condition",
    /// A request at the wrong time.
    UnexpectedRequest = "unexpected-request",
}

impl Condition {
    /// The type that the RFC gives it.
    #[must_use]
    pub const fn error_type(self) -> ErrorType {
        match self {
            Self::BadRequest
            | Self::JidMalformed
            | Self::NotAcceptable
            | Self::PolicyViolation
            | Self::Redirect => ErrorType::Modify,
            Self::Forbidden
            | Self::NotAuthorized
            | Self::RegistrationRequired
            | Self::SubscriptionRequired => ErrorType::Auth,
            Self::RecipientUnavailable
            | Self::RemoteServerTimeout
            | Self::ResourceConstraint
            | Self::UnexpectedRequest => ErrorType::Wait,
            _ => ErrorType::Cancel,
        }
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> Self {
        Self { kind: condition.error_type(), condition, text: None, app: None }
    }
}

impl StanzaError {
    /// `condition`, explained.
    #[must_use]
    pub fn new(condition: Condition, text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::from(condition) }
    }

    /// With what an application adds.
    #[must_use]
    pub fn with_app(self, app: Element) -> Self {
        Self { app: Some(Box::new(app)), ..self }
    }

    /// Reads `<error/>`. A condition that is not known is `undefined-condition`.
    #[must_use]
    pub fn parse(element: &Element) -> Self {
        let Parts { condition, text, app } = Parts::parse(element, ns::STANZA_ERRORS);
        let condition = condition.and_then(|name| Condition::parse(&name));
        let condition = condition.unwrap_or(Condition::UndefinedCondition);
        let kind = attribute(element, "type").and_then(ErrorType::parse);
        Self { kind: kind.unwrap_or(condition.error_type()), condition, text, app }
    }

    /// `<error/>`.
    #[must_use]
    pub fn element(&self) -> Element {
        let condition = (self.condition.name(), ns::STANZA_ERRORS);
        let (text, app) = (self.text.as_deref(), self.app.as_deref());
        let mut error = condition::element(("error", ns::CLIENT), condition, text, app);
        set_attribute(&mut error, "type", Some(self.kind.name()));
        error
    }
}
