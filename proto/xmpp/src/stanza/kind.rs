//! The three kinds of stanza and their types (RFC 6120 §8.2, RFC 6121 §4.7.1 and §5.2.2).

use super::{Condition, StanzaError};
use crate::xml::attribute;
use crate::{Element, ns};

/// What a stanza is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A message.
    Message(MessageType),
    /// A presence.
    Presence(PresenceType),
    /// A request, or the answer to one.
    Iq(IqType),
}

/// The types of a message (RFC 6121 §5.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageType {
    /// One message by itself.
    #[default]
    Normal,
    /// One of a conversation.
    Chat,
    /// One of a room.
    Groupchat,
    /// One that wants no reply.
    Headline,
    /// One that did not arrive.
    Error,
}

/// The types of a presence (RFC 6121 §4.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PresenceType {
    /// Here: no type.
    #[default]
    Available,
    /// Not here any more.
    Unavailable,
    /// May I see your presence?
    Subscribe,
    /// You may see my presence.
    Subscribed,
    /// I no longer want to see your presence.
    Unsubscribe,
    /// You may not see my presence, or no longer.
    Unsubscribed,
    /// A server asks for somebody's presence.
    Probe,
    /// It did not arrive.
    Error,
}

/// The types of an IQ (RFC 6120 §8.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IqType {
    /// Asks.
    Get,
    /// Changes.
    Set,
    /// Is the answer.
    Result,
    /// Is the answer that says no.
    Error,
}

impl Kind {
    /// The name of its element.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message(_) => "message",
            Self::Presence(_) => "presence",
            Self::Iq(_) => "iq",
        }
    }

    /// Its `type`; `None` where the default needs none.
    #[must_use]
    pub const fn type_(self) -> Option<&'static str> {
        Some(match self {
            Self::Message(MessageType::Normal) | Self::Presence(PresenceType::Available) => {
                return None;
            }
            Self::Message(MessageType::Chat) => "chat",
            Self::Message(MessageType::Groupchat) => "groupchat",
            Self::Message(MessageType::Headline) => "headline",
            Self::Presence(PresenceType::Unavailable) => "unavailable",
            Self::Presence(PresenceType::Subscribe) => "subscribe",
            Self::Presence(PresenceType::Subscribed) => "subscribed",
            Self::Presence(PresenceType::Unsubscribe) => "unsubscribe",
            Self::Presence(PresenceType::Unsubscribed) => "unsubscribed",
            Self::Presence(PresenceType::Probe) => "probe",
            Self::Iq(IqType::Get) => "get",
            Self::Iq(IqType::Set) => "set",
            Self::Iq(IqType::Result) => "result",
            Self::Message(MessageType::Error)
            | Self::Presence(PresenceType::Error)
            | Self::Iq(IqType::Error) => "error",
        })
    }

    /// What an element is.
    pub(super) fn parse(element: &Element) -> Result<Self, StanzaError> {
        let type_ = attribute(element, "type");
        match element.name() {
            _ if !element.has_ns(ns::CLIENT) => Err(Condition::BadRequest.into()),
            //= RFC 6121 §5.2.2: a type that is not known is taken for normal
            "message" => Ok(Self::Message(match type_ {
                Some("chat") => MessageType::Chat,
                Some("groupchat") => MessageType::Groupchat,
                Some("headline") => MessageType::Headline,
                Some("error") => MessageType::Error,
                _ => MessageType::Normal,
            })),
            "presence" => Ok(Self::Presence(match type_ {
                None => PresenceType::Available,
                Some("unavailable") => PresenceType::Unavailable,
                Some("subscribe") => PresenceType::Subscribe,
                Some("subscribed") => PresenceType::Subscribed,
                Some("unsubscribe") => PresenceType::Unsubscribe,
                Some("unsubscribed") => PresenceType::Unsubscribed,
                Some("probe") => PresenceType::Probe,
                Some("error") => PresenceType::Error,
                //= RFC 6121 §4.7.1: any other type is answered with bad-request
                Some(_) => return Err(Condition::BadRequest.into()),
            })),
            "iq" => Self::parse_iq(element, type_),
            _ => Err(Condition::BadRequest.into()),
        }
    }

    fn parse_iq(element: &Element, type_: Option<&str>) -> Result<Self, StanzaError> {
        let bad = |text| StanzaError::new(Condition::BadRequest, text);
        let type_ = match type_ {
            Some("get") => IqType::Get,
            Some("set") => IqType::Set,
            Some("result") => IqType::Result,
            Some("error") => IqType::Error,
            _ => return Err(bad("an IQ is a get, a set, a result or an error")),
        };
        //= RFC 6120 §8.1.3: an IQ has an id
        if attribute(element, "id").is_none_or(str::is_empty) {
            return Err(bad("an IQ has an id"));
        }
        //= RFC 6120 §8.2.3: a get or a set has exactly one child, a result one or none
        match (type_, element.children().count()) {
            (IqType::Get | IqType::Set, n) if n != 1 => Err(bad("a request has one payload")),
            (IqType::Result, n) if n > 1 => Err(bad("a result has one payload at most")),
            _ => Ok(Self::Iq(type_)),
        }
    }
}
