//! Stanzas (RFC 6120 §8): a parsed header and an opaque tree that is passed on faithfully.
//!
//! [`Stanza::parse`] reads what routing needs (kind, type, `from`, `to`, `id`) and keeps the element
//! as it came; nothing that is forwarded is rebuilt from typed payloads.

mod delay;
mod error;
mod kind;
#[cfg(test)]
mod tests;

pub use error::{Condition, ErrorType, StanzaError};
pub use kind::{IqType, Kind, MessageType, PresenceType};

use crate::xml::{attribute, set_attribute};
use crate::{Element, Jid, ns};

/// A stanza.
#[derive(Clone, Debug, PartialEq)]
pub struct Stanza {
    kind: Kind,
    from: Option<Jid>,
    to: Option<Jid>,
    element: Element,
}

/// An element that is no stanza, although its name is one's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("a stanza that is none: {error}")]
pub struct Malformed {
    /// What came.
    pub element: Element,
    /// What its sender is told.
    pub error: StanzaError,
}

impl Malformed {
    /// The answer that its sender gets: its name and `id` with the error. None to what is itself an
    /// answer (RFC 6120 §8.3.1), nor to what has no `id` and needs one to be told apart.
    #[must_use]
    pub fn answer(&self) -> Option<Element> {
        let is_answer = matches!(attribute(&self.element, "type"), Some("error" | "result"));
        let mut answer = Element::bare(self.element.name(), ns::CLIENT);
        if let Some(id) = attribute(&self.element, "id") {
            set_attribute(&mut answer, "id", Some(id));
        }
        set_attribute(&mut answer, "type", Some("error"));
        answer.append_child(self.error.element());
        (!is_answer).then_some(answer)
    }
}

impl Stanza {
    /// Reads the header of a child of the stream.
    ///
    /// # Errors
    /// [`Malformed`], with the error that is owed.
    pub fn parse(element: Element) -> Result<Self, Box<Malformed>> {
        match Self::header(&element) {
            Ok((kind, from, to)) => Ok(Self { kind, from, to, element }),
            Err(error) => Err(Box::new(Malformed { element, error })),
        }
    }

    fn header(element: &Element) -> Result<(Kind, Option<Jid>, Option<Jid>), StanzaError> {
        let kind = Kind::parse(element)?;
        //= RFC 6120 §8.3.3.8: an address that is none is answered with jid-malformed
        let malformed = |_| StanzaError::from(Condition::JidMalformed);
        let address = |name| attribute(element, name).map(Jid::new).transpose().map_err(malformed);
        Ok((kind, address("from")?, address("to")?))
    }

    /// Whether this child of a stream is meant to be a stanza.
    #[must_use]
    pub fn is_stanza(element: &Element) -> bool {
        element.has_ns(ns::CLIENT) && matches!(element.name(), "message" | "presence" | "iq")
    }

    fn build(kind: Kind, to: Option<Jid>, payloads: impl IntoIterator<Item = Element>) -> Self {
        let mut element = Element::bare(kind.name(), ns::CLIENT);
        set_attribute(&mut element, "type", kind.type_());
        payloads.into_iter().for_each(|payload| {
            element.append_child(payload);
        });
        let mut stanza = Self { kind, from: None, to: None, element };
        stanza.set_to(to);
        stanza
    }

    /// A message. [`set_id`](Self::set_id) gives it an id.
    #[must_use]
    pub fn message(
        to: impl Into<Option<Jid>>,
        type_: MessageType,
        payloads: impl IntoIterator<Item = Element>,
    ) -> Self {
        Self::build(Kind::Message(type_), to.into(), payloads)
    }

    /// A presence.
    #[must_use]
    pub fn presence(
        to: impl Into<Option<Jid>>,
        type_: PresenceType,
        payloads: impl IntoIterator<Item = Element>,
    ) -> Self {
        Self::build(Kind::Presence(type_), to.into(), payloads)
    }

    /// A request that asks.
    #[must_use]
    pub fn iq_get(to: impl Into<Option<Jid>>, id: &str, payload: Element) -> Self {
        let mut iq = Self::build(Kind::Iq(IqType::Get), to.into(), [payload]);
        iq.set_id(id);
        iq
    }

    /// A request that changes something.
    #[must_use]
    pub fn iq_set(to: impl Into<Option<Jid>>, id: &str, payload: Element) -> Self {
        let mut iq = Self::build(Kind::Iq(IqType::Set), to.into(), [payload]);
        iq.set_id(id);
        iq
    }

    /// The result of this request: back to its sender, with its id.
    #[must_use]
    pub fn result(&self, payload: impl Into<Option<Element>>) -> Self {
        let mut result = Self::build(Kind::Iq(IqType::Result), self.from.clone(), payload.into());
        result.set_from(self.to.clone());
        set_attribute(&mut result.element, "id", self.id());
        result
    }

    /// This stanza's error: back to its sender, with its id and without its payload.
    ///
    /// The caller sees to it that no error answers an error ([`Self::may_be_answered`]).
    #[must_use]
    pub fn error(&self, error: &StanzaError) -> Self {
        let kind = match self.kind {
            Kind::Message(_) => Kind::Message(MessageType::Error),
            Kind::Presence(_) => Kind::Presence(PresenceType::Error),
            Kind::Iq(_) => Kind::Iq(IqType::Error),
        };
        let mut answer = Self::build(kind, self.from.clone(), [error.element()]);
        answer.set_from(self.to.clone());
        set_attribute(&mut answer.element, "id", self.id());
        answer
    }

    /// Whether an error may answer this.
    ///
    //= RFC 6120 §8.3.1: an error is never answered with an error
    //= RFC 6120 §8.2.3: nor is a result
    #[must_use]
    pub const fn may_be_answered(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Message(MessageType::Error)
                | Kind::Presence(PresenceType::Error)
                | Kind::Iq(IqType::Error | IqType::Result)
        )
    }

    /// What it is, with its type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Who sent it.
    #[must_use]
    pub const fn from(&self) -> Option<&Jid> {
        self.from.as_ref()
    }

    /// Whom it is for.
    #[must_use]
    pub const fn to(&self) -> Option<&Jid> {
        self.to.as_ref()
    }

    /// What its sender calls it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        attribute(&self.element, "id")
    }

    /// Its `type` as it stands there.
    #[must_use]
    pub fn type_(&self) -> Option<&str> {
        attribute(&self.element, "type")
    }

    /// The language of its text.
    #[must_use]
    pub fn lang(&self) -> Option<&str> {
        self.element.attr_ns(ns::XML, "lang")
    }

    /// All of it.
    #[must_use]
    pub const fn element(&self) -> &Element {
        &self.element
    }

    /// All of it, to take apart.
    #[must_use]
    pub fn into_element(self) -> Element {
        self.element
    }

    /// Its children that are elements.
    pub fn payloads(&self) -> impl Iterator<Item = &Element> {
        self.element.children()
    }

    /// Its first child of this name and namespace.
    #[must_use]
    pub fn payload(&self, name: &str, ns: &str) -> Option<&Element> {
        self.element.get_child(name, ns)
    }

    /// What an IQ request or result carries.
    #[must_use]
    pub fn iq_payload(&self) -> Option<&Element> {
        matches!(self.kind, Kind::Iq(_)).then(|| self.element.children().next()).flatten()
    }

    /// The text of a message's first `<body/>`.
    #[must_use]
    pub fn body(&self) -> Option<String> {
        self.payload("body", ns::CLIENT).map(Element::text)
    }

    /// The error that a stanza of type `error` carries.
    #[must_use]
    pub fn stanza_error(&self) -> Option<StanzaError> {
        (self.type_() == Some("error")).then(|| {
            let error = self.payload("error", ns::CLIENT);
            error.map_or_else(|| Condition::UndefinedCondition.into(), StanzaError::parse)
        })
    }

    /// Says who sent it.
    pub fn set_from(&mut self, from: impl Into<Option<Jid>>) {
        self.from = from.into();
        set_attribute(&mut self.element, "from", self.from.as_ref().map(Jid::as_str));
    }

    /// Says whom it is for.
    pub fn set_to(&mut self, to: impl Into<Option<Jid>>) {
        self.to = to.into();
        set_attribute(&mut self.element, "to", self.to.as_ref().map(Jid::as_str));
    }

    /// Gives it an id.
    pub fn set_id(&mut self, id: &str) {
        set_attribute(&mut self.element, "id", Some(id));
    }

    /// Says which language its text is in, where it does not say so itself.
    ///
    //= RFC 6120 §4.7.4: the stream's language is that of its stanzas that name none
    pub fn default_lang(&mut self, lang: &str) {
        if self.lang().is_none() {
            let lang = lang.to_owned();
            self.element.attrs_mut().insert(rxml::Namespace::XML, crate::xml::name("lang"), lang);
        }
    }

    /// Adds a payload at the end.
    pub fn push(&mut self, payload: Element) {
        self.element.append_child(payload);
    }

    /// Removes the first child of this name and namespace.
    pub fn remove(&mut self, name: &str, ns: &str) -> Option<Element> {
        self.element.remove_child(name, ns)
    }
}
