//! Why a session, or a proposal of one, ends (XEP-0166 §7.4).

use minidom::Element;
use xso::{AsXml, FromXml};

use crate::ns;

/// `<reason/>`: a condition, words for people, and conditions of applications.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE, name = "reason", on_unknown_attribute = Discard)]
pub struct Reason {
    /// The condition; `None` if it is missing or unknown.
    #[xml(child(default))]
    pub condition: Option<Condition>,
    /// Words for people.
    #[xml(child(default))]
    pub text: Option<Text>,
    /// Conditions of applications, and whatever else it holds.
    #[xml(element(n = ..))]
    pub unknown: Vec<Element>,
}

/// `<text/>` of a reason.
#[derive(FromXml, AsXml, Clone, Debug, Default, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE, name = "text", on_unknown_attribute = Discard)]
pub struct Text {
    /// The language.
    #[xml(attribute(default, name = "xml:lang"))]
    pub lang: Option<String>,
    /// The words.
    #[xml(text)]
    pub value: String,
}

/// The conditions.
#[derive(FromXml, AsXml, Clone, Debug, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE)]
pub enum Condition {
    /// There is a session already.
    #[xml(name = "alternative-session", on_unknown_attribute = Discard)]
    AlternativeSession {
        /// Its name.
        #[xml(extract(namespace = ns::JINGLE, name = "sid", default, fields(text(type_ = String))))]
        sid: Option<String>,
    },
    /// The party is busy.
    #[xml(name = "busy", on_unknown_attribute = Discard)]
    Busy,
    /// The initiator takes the call back.
    #[xml(name = "cancel", on_unknown_attribute = Discard)]
    Cancel,
    /// No way was found.
    #[xml(name = "connectivity-error", on_unknown_attribute = Discard)]
    ConnectivityError,
    /// The party does not want the session.
    #[xml(name = "decline", on_unknown_attribute = Discard)]
    Decline,
    /// It took too long.
    #[xml(name = "expired", on_unknown_attribute = Discard)]
    Expired,
    /// The application could not be set up.
    #[xml(name = "failed-application", on_unknown_attribute = Discard)]
    FailedApplication,
    /// The transport could not be set up.
    #[xml(name = "failed-transport", on_unknown_attribute = Discard)]
    FailedTransport,
    /// Something that is nobody's business.
    #[xml(name = "general-error", on_unknown_attribute = Discard)]
    GeneralError,
    /// The party goes away, or is not there.
    #[xml(name = "gone", on_unknown_attribute = Discard)]
    Gone,
    /// Parameters of the application do not fit.
    #[xml(name = "incompatible-parameters", on_unknown_attribute = Discard)]
    IncompatibleParameters,
    /// Media came wrong.
    #[xml(name = "media-error", on_unknown_attribute = Discard)]
    MediaError,
    /// Security could not be had.
    #[xml(name = "security-error", on_unknown_attribute = Discard)]
    SecurityError,
    /// It is over, and all was well.
    #[xml(name = "success", on_unknown_attribute = Discard)]
    Success,
    /// An answer did not come in time.
    #[xml(name = "timeout", on_unknown_attribute = Discard)]
    Timeout,
    /// None of the applications is known.
    #[xml(name = "unsupported-applications", on_unknown_attribute = Discard)]
    UnsupportedApplications,
    /// None of the transports is known.
    #[xml(name = "unsupported-transports", on_unknown_attribute = Discard)]
    UnsupportedTransports,
}

impl Condition {
    /// The element's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AlternativeSession { .. } => "alternative-session",
            Self::Busy => "busy",
            Self::Cancel => "cancel",
            Self::ConnectivityError => "connectivity-error",
            Self::Decline => "decline",
            Self::Expired => "expired",
            Self::FailedApplication => "failed-application",
            Self::FailedTransport => "failed-transport",
            Self::GeneralError => "general-error",
            Self::Gone => "gone",
            Self::IncompatibleParameters => "incompatible-parameters",
            Self::MediaError => "media-error",
            Self::SecurityError => "security-error",
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::UnsupportedApplications => "unsupported-applications",
            Self::UnsupportedTransports => "unsupported-transports",
        }
    }
}

impl From<Condition> for Reason {
    fn from(condition: Condition) -> Self {
        Self { condition: Some(condition), ..Self::default() }
    }
}

impl Reason {
    /// It with words for people.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.text = Some(Text { lang: None, value: text.to_owned() });
        self
    }

    /// The words for people, if there are some.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_ref().map(|text| text.value.as_str())
    }

    /// The name of the condition; what is missing or unknown is a general error.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.condition.as_ref().unwrap_or(&Condition::GeneralError).name()
    }
}
