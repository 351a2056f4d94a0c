//! The states of a subscription and what changes them (RFC 6121 Appendix A).
//!
//! The nine states of the RFC are two halves of three: how far the user has come to see the contact's
//! presence (`to`), and the contact to see the user's (`from`). Every verb changes one half, so the
//! RFC's eight tables are eight lines here; the tables themselves are the tests.

use super::event::{RosterItem, Subscription};
use crate::stanza::PresenceType;

/// What a presence stanza does to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// May I see your presence?
    Subscribe,
    /// You may see mine.
    Subscribed,
    /// I no longer want to see yours.
    Unsubscribe,
    /// You may not see mine, or no longer.
    Unsubscribed,
}

/// How far a subscription in one direction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    /// It is not there.
    #[default]
    No,
    /// It was asked for.
    Pending,
    /// It is there.
    Yes,
}

/// One of the nine states (RFC 6121 §A.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    /// From the user to the contact: whether the user sees the contact's presence.
    pub to: Half,
    /// From the contact to the user: whether the contact sees the user's.
    pub from: Half,
}

/// What a verb does in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whether the stanza goes on: outbound to the contact, inbound to the user.
    pub passes: bool,
    /// The state after it.
    pub state: State,
}

impl Verb {
    /// The verb of a presence stanza, if its type is one.
    #[must_use]
    pub const fn of(type_: PresenceType) -> Option<Self> {
        match type_ {
            PresenceType::Subscribe => Some(Self::Subscribe),
            PresenceType::Subscribed => Some(Self::Subscribed),
            PresenceType::Unsubscribe => Some(Self::Unsubscribe),
            PresenceType::Unsubscribed => Some(Self::Unsubscribed),
            _ => None,
        }
    }

    /// The type of its presence stanza.
    #[must_use]
    pub const fn presence_type(self) -> PresenceType {
        match self {
            Self::Subscribe => PresenceType::Subscribe,
            Self::Subscribed => PresenceType::Subscribed,
            Self::Unsubscribe => PresenceType::Unsubscribe,
            Self::Unsubscribed => PresenceType::Unsubscribed,
        }
    }
}

impl State {
    /// The state that a roster item is in.
    #[must_use]
    pub const fn of(item: &RosterItem) -> Self {
        let (to, from) = match item.subscription {
            Subscription::None => (false, false),
            Subscription::To => (true, false),
            Subscription::From => (false, true),
            Subscription::Both => (true, true),
        };
        Self { to: half(to, item.ask), from: half(from, item.pending_in.is_some()) }
    }

    /// The subscription that rosters show.
    #[must_use]
    pub const fn subscription(self) -> Subscription {
        match (self.to, self.from) {
            (Half::Yes, Half::Yes) => Subscription::Both,
            (Half::Yes, _) => Subscription::To,
            (_, Half::Yes) => Subscription::From,
            _ => Subscription::None,
        }
    }

    /// What the user's own stanza does (RFC 6121 §A.2).
    #[must_use]
    pub fn outbound(self, verb: Verb) -> Step {
        let Self { to, from } = self;
        match verb {
            // It always goes on: the other server may have lost what this one remembers.
            Verb::Subscribe => Step::new(true, Self { to: to.max(Half::Pending), from }),
            Verb::Unsubscribe => Step::new(true, Self { to: Half::No, from }),
            Verb::Subscribed if from == Half::Pending => {
                Step::new(true, Self { to, from: Half::Yes })
            }
            Verb::Subscribed => Step::new(false, self),
            Verb::Unsubscribed => Step::new(from != Half::No, Self { to, from: Half::No }),
        }
    }

    /// What the contact's stanza does (RFC 6121 §A.3).
    #[must_use]
    pub fn inbound(self, verb: Verb) -> Step {
        let Self { to, from } = self;
        match verb {
            Verb::Subscribe => {
                Step::new(from == Half::No, Self { to, from: from.max(Half::Pending) })
            }
            Verb::Unsubscribe => Step::new(from != Half::No, Self { to, from: Half::No }),
            Verb::Subscribed if to == Half::Pending => {
                Step::new(true, Self { to: Half::Yes, from })
            }
            Verb::Subscribed => Step::new(false, self),
            Verb::Unsubscribed => Step::new(to != Half::No, Self { to: Half::No, from }),
        }
    }
}

impl Step {
    const fn new(passes: bool, state: State) -> Self {
        Self { passes, state }
    }
}

const fn half(there: bool, asked: bool) -> Half {
    match (there, asked) {
        (true, _) => Half::Yes,
        (false, true) => Half::Pending,
        (false, false) => Half::No,
    }
}

#[cfg(test)]
mod tests;
