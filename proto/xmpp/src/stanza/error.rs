//! Stanza errors (RFC 6120 §8.3).

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

macro_rules! conditions {
    ($($(#[doc = $doc:literal])* $name:ident = $wire:literal $kind:ident),* $(,)?) => {
        /// The conditions of RFC 6120 §8.3.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Condition {
            $($(#[doc = $doc])* $name,)*
        }

        impl Condition {
            /// All of them, in the RFC's order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name of its element.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wire,)*
                }
            }

            /// The type that the RFC gives it.
            #[must_use]
            pub const fn error_type(self) -> ErrorType {
                match self {
                    $(Self::$name => ErrorType::$kind,)*
                }
            }
        }
    };
}

conditions! {
    /// XML that makes no sense.
    BadRequest = "bad-request" Modify,
    /// A name that is taken.
    Conflict = "conflict" Cancel,
    /// A feature that is not there.
    FeatureNotImplemented = "feature-not-implemented" Cancel,
    /// Not allowed.
    Forbidden = "forbidden" Auth,
    /// Moved, with an address.
    Gone = "gone" Cancel,
    /// Something broke inside.
    InternalServerError = "internal-server-error" Cancel,
    /// Nothing of that name.
    ItemNotFound = "item-not-found" Cancel,
    /// An address that is none.
    JidMalformed = "jid-malformed" Modify,
    /// Not by the rules of whoever is asked.
    NotAcceptable = "not-acceptable" Modify,
    /// Nobody may do that.
    NotAllowed = "not-allowed" Cancel,
    /// Log in first.
    NotAuthorized = "not-authorized" Auth,
    /// A local rule was broken.
    PolicyViolation = "policy-violation" Modify,
    /// Not there for now.
    RecipientUnavailable = "recipient-unavailable" Wait,
    /// Elsewhere for now, with an address.
    Redirect = "redirect" Modify,
    /// Register first.
    RegistrationRequired = "registration-required" Auth,
    /// A domain that is not there.
    RemoteServerNotFound = "remote-server-not-found" Cancel,
    /// A domain that does not answer.
    RemoteServerTimeout = "remote-server-timeout" Wait,
    /// Too much to do, or to hold.
    ResourceConstraint = "resource-constraint" Wait,
    /// A service that is not there, or nobody who is.
    ServiceUnavailable = "service-unavailable" Cancel,
    /// Subscribe first.
    SubscriptionRequired = "subscription-required" Auth,
    /// None of the others.
    UndefinedCondition = "undefined-condition" Cancel,
    /// A request at the wrong time.
    UnexpectedRequest = "unexpected-request" Wait,
}

impl Condition {
    /// The condition called `name`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|condition| condition.name() == name)
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
        let mut error = Self::from(Condition::UndefinedCondition);
        for child in element.children() {
            match (child.has_ns(ns::STANZA_ERRORS), child.name()) {
                (true, "text") => error.text = Some(child.text()),
                (true, name) => {
                    error.condition = Condition::parse(name).unwrap_or(error.condition);
                }
                (false, _) => error.app = Some(Box::new(child.clone())),
            }
        }
        let kind = attribute(element, "type").and_then(ErrorType::parse);
        error.kind = kind.unwrap_or(error.condition.error_type());
        error
    }

    /// `<error/>`.
    ///
    //= RFC 6120 §8.3.2: the condition first, then a text, then what an application adds
    #[must_use]
    pub fn element(&self) -> Element {
        let text = self
            .text
            .as_ref()
            .map(|text| Element::builder("text", ns::STANZA_ERRORS).append(text.as_str()).build());
        let mut error = Element::builder("error", ns::CLIENT)
            .append(Element::bare(self.condition.name(), ns::STANZA_ERRORS))
            .append_all(text)
            .append_all(self.app.as_deref().cloned())
            .build();
        set_attribute(&mut error, "type", Some(self.kind.name()));
        error
    }
}
