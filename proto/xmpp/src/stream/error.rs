//! Stream errors (RFC 6120 §4.9): what ends a stream, and why.

use crate::condition::{self, Parts, conditions};
use crate::{Element, ns};

/// An error that ends a stream.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{}", condition.name(), text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
pub struct StreamError {
    /// What is wrong.
    pub condition: Condition,
    /// In words.
    pub text: Option<String>,
    /// What an application adds (RFC 6120 §4.9.4).
    pub app: Option<Box<Element>>,
}

conditions! {
    "The conditions of RFC 6120 §4.9.3.";
    /// XML that cannot be processed.
    BadFormat = "bad-format",
    /// A prefix that nobody declared, or the wrong one.
    BadNamespacePrefix = "bad-namespace-prefix",
    /// Another stream of the same entity takes this one's place.
    Conflict = "conflict",
    /// The other side does not answer.
    ConnectionTimeout = "connection-timeout",
    /// The domain was here and moved.
    HostGone = "host-gone",
    /// A domain that is not served here.
    HostUnknown = "host-unknown",
    /// No `to` or `from`, or one that makes no sense, between servers.
    ImproperAddressing = "improper-addressing",
    /// Something broke inside.
    InternalServerError = "internal-server-error",
    /// A `from` that is not the sender's.
    InvalidFrom = "invalid-from",
    /// The stream or its content has the wrong namespace.
    InvalidNamespace = "invalid-namespace",
    /// XML that a validating server refuses.
    InvalidXml = "invalid-xml",
    /// Data before authentication, or not allowed by it.
    NotAuthorized = "not-authorized",
    /// XML that is not well-formed.
    NotWellFormed = "not-well-formed",
    /// A local rule was broken.
    PolicyViolation = "policy-violation",
    /// The server that would be needed cannot be reached.
    RemoteConnectionFailed = "remote-connection-failed",
    /// Features changed; a new stream is needed.
    Reset = "reset",
    /// Too much to do, or to hold.
    ResourceConstraint = "resource-constraint",
    /// Comments, processing instructions, DTDs, entities of one's own (RFC 6120 §11.1).
    RestrictedXml = "restricted-xml",
    /// Another host serves this.
    SeeOtherHost = "see-other-host",
    /// The server goes down.
    SystemShutdown = "system-shutdown",
    /// None of the others.
    UndefinedCondition = "undefined-condition",
    /// Bytes that are not UTF-8 by their own word.
    UnsupportedEncoding = "unsupported-encoding",
    /// A feature that is mandatory and not known.
    UnsupportedFeature = "unsupported-feature",
    /// A child of the stream that is not known.
    UnsupportedStanzaType = "unsupported-stanza-type",
    /// A version of XMPP that is not known.
    UnsupportedVersion = "unsupported-version",
}

impl From<Condition> for StreamError {
    fn from(condition: Condition) -> Self {
        Self { condition, text: None, app: None }
    }
}

impl StreamError {
    /// `condition`, explained.
    #[must_use]
    pub fn new(condition: Condition, text: &str) -> Self {
        Self { condition, text: Some(text.to_owned()), app: None }
    }

    /// Reads `<stream:error/>`. A condition that is not known is `undefined-condition`.
    #[must_use]
    pub fn parse(element: &Element) -> Self {
        let Parts { condition, text, app } = Parts::parse(element, ns::STREAM_ERRORS);
        let condition = condition.and_then(|name| Condition::parse(&name));
        Self { condition: condition.unwrap_or(Condition::UndefinedCondition), text, app }
    }

    /// `<stream:error/>`.
    #[must_use]
    pub fn element(&self) -> Element {
        let condition = (self.condition.name(), ns::STREAM_ERRORS);
        let (text, app) = (self.text.as_deref(), self.app.as_deref());
        condition::element(("error", ns::STREAMS), condition, text, app)
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, StreamError};
    use crate::{Element, ns};

    #[test]
    fn errors_are_read_as_written() {
        assert_eq!(Condition::ALL.len(), 25);
        for &condition in Condition::ALL {
            assert_eq!(Condition::parse(condition.name()), Some(condition));
            let mut error = StreamError::new(condition, "in words");
            error.app = Some(Box::new(Element::bare("x", "urn:x")));
            let element = error.element();
            //= RFC 6120 §4.9.2: the condition comes first, the text second
            let names: Vec<_> = element.children().map(Element::name).collect();
            assert_eq!(names, [condition.name(), "text", "x"]);
            assert_eq!(StreamError::parse(&element), error);
        }
        let strange = Element::builder("error", ns::STREAMS)
            .append(Element::bare("tired", ns::STREAM_ERRORS))
            .build();
        assert_eq!(StreamError::parse(&strange), Condition::UndefinedCondition.into());
    }
}
