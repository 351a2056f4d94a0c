//! A roster (RFC 6121 §2): whom a user knows, what a client may change of it, and how it looks on the
//! wire.

use std::collections::{BTreeMap, BTreeSet};

use jid::{BareJid, Jid};

use super::defaults::{GROUPS, NAME_BYTES};
use super::event::{RosterItem, Subscription};
use super::subscription::{Half, State};
use crate::stanza::{Condition, StanzaError};
use crate::xml::{attribute, set_attribute};
use crate::{Element, ns};

/// The roster of one user, with what is kept beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    items: BTreeMap<BareJid, RosterItem>,
    /// How many of them are not listed: requests that wait for an answer.
    unlisted: usize,
    /// How large it is on the wire, about.
    bytes: usize,
}

impl Roster {
    pub(super) fn new(items: Vec<RosterItem>) -> Self {
        let mut roster = Self::default();
        items.into_iter().for_each(|item| roster.keep(item));
        roster
    }

    /// What is known of a contact.
    pub(super) fn get(&self, contact: &BareJid) -> Option<&RosterItem> {
        self.items.get(contact)
    }

    /// What is known of a contact, or that nothing is.
    pub(super) fn item(&self, contact: &BareJid) -> RosterItem {
        self.get(contact).cloned().unwrap_or_else(|| RosterItem::new(contact.clone()))
    }

    /// The state of the subscriptions between the user and a contact.
    pub(super) fn state(&self, contact: &BareJid) -> State {
        self.get(contact).map(State::of).unwrap_or_default()
    }

    /// Everybody, by address.
    pub(super) fn iter(&self) -> impl Iterator<Item = &RosterItem> {
        self.items.values()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// How many are in it that the user did not put there.
    pub(super) const fn unlisted(&self) -> usize {
        self.unlisted
    }

    /// How large it is on the wire, about.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn keep(&mut self, item: RosterItem) {
        self.remove(&item.contact);
        self.bytes += size(&item);
        self.unlisted += usize::from(!item.listed);
        self.items.insert(item.contact.clone(), item);
    }

    pub(super) fn remove(&mut self, contact: &BareJid) {
        if let Some(item) = self.items.remove(contact) {
            self.unlisted -= usize::from(!item.listed);
            self.bytes -= size(&item);
        }
    }

    /// The roster as its user's clients see it.
    //= RFC 6121 §2.1.2.2, §3.1.3: who only asked is not in it
    pub(super) fn element(&self) -> Element {
        let listed = self.iter().filter(|item| item.listed);
        Element::builder("query", ns::ROSTER).append_all(listed.map(item_element)).build()
    }
}

/// How large an item is on the wire, about.
pub(super) fn size(item: &RosterItem) -> usize {
    const TAGS: usize = 80;
    let groups: usize = item.groups.iter().map(|group| group.len() + TAGS / 4).sum();
    TAGS + item.contact.as_str().len() + item.name.len() + groups
}

/// Sets the state of an item.
pub(super) fn set_state(item: &mut RosterItem, state: State, request: impl FnOnce() -> String) {
    item.subscription = state.subscription();
    item.ask = state.to == Half::Pending;
    match state.from {
        Half::Pending if item.pending_in.is_none() => item.pending_in = Some(request()),
        Half::Pending => {}
        Half::Yes | Half::No => item.pending_in = None,
    }
    // What the user asked for or granted is in the roster.
    item.listed |= item.ask || item.subscription != Subscription::None;
}

/// Whether an item says nothing that has to be kept.
pub(super) const fn is_void(item: &RosterItem) -> bool {
    !item.listed && item.pending_in.is_none()
}

/// An item on the wire.
pub(super) fn item_element(item: &RosterItem) -> Element {
    let mut element = item_base(&item.contact, subscription_name(item.subscription));
    set_attribute(&mut element, "name", (!item.name.is_empty()).then_some(item.name.as_str()));
    set_attribute(&mut element, "ask", item.ask.then_some("subscribe"));
    set_attribute(&mut element, "approved", item.approved.then_some("true"));
    for group in &item.groups {
        let group = Element::builder("group", ns::ROSTER).append(group.as_str()).build();
        element.append_child(group);
    }
    element
}

/// What clients are told when a contact was removed.
pub(super) fn removed_element(contact: &BareJid) -> Element {
    item_base(contact, "remove")
}

fn item_base(contact: &BareJid, subscription: &str) -> Element {
    let mut element = Element::bare("item", ns::ROSTER);
    set_attribute(&mut element, "jid", Some(contact.as_str()));
    set_attribute(&mut element, "subscription", Some(subscription));
    element
}

const fn subscription_name(subscription: Subscription) -> &'static str {
    match subscription {
        Subscription::None => "none",
        Subscription::To => "to",
        Subscription::From => "from",
        Subscription::Both => "both",
    }
}

/// What a client changes of its roster (RFC 6121 §2.3, §2.4, §2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Add a contact, or call it otherwise.
    Set { contact: BareJid, name: String, groups: Vec<String> },
    /// Remove a contact.
    Remove(BareJid),
}

impl Change {
    /// Reads the payload of a roster set.
    ///
    /// # Errors
    /// The error that is owed (RFC 6121 §2.3.3).
    pub(super) fn parse(query: &Element) -> Result<Self, StanzaError> {
        let mut items = query.children();
        //= RFC 6121 §2.1.5: one item, no more and no less
        let (Some(item), None) = (items.next(), items.next()) else {
            return Err(Condition::BadRequest.into());
        };
        if !item.is("item", ns::ROSTER) {
            return Err(Condition::BadRequest.into());
        }
        let contact = attribute(item, "jid").ok_or(Condition::BadRequest)?;
        let contact = Jid::new(contact).map_err(|_| Condition::JidMalformed)?.into_bare();
        //= RFC 6121 §2.1.2.5: of a client's subscription only "remove" means anything
        if attribute(item, "subscription") == Some("remove") {
            return Ok(Self::Remove(contact));
        }
        let name = attribute(item, "name").unwrap_or_default().to_owned();
        let mut groups = BTreeSet::new();
        for group in item.children().filter(|child| child.is("group", ns::ROSTER)) {
            let group = group.text();
            //= RFC 6121 §2.3.3: an empty or too long group is not-acceptable, the same one twice a
            //= bad-request
            if group.is_empty() || group.len() > NAME_BYTES || groups.len() >= GROUPS {
                return Err(Condition::NotAcceptable.into());
            }
            if !groups.insert(group) {
                return Err(Condition::BadRequest.into());
            }
        }
        //= RFC 6121 §2.3.3: so is a name that is longer than we take
        if name.len() > NAME_BYTES {
            return Err(Condition::NotAcceptable.into());
        }
        Ok(Self::Set { contact, name, groups: groups.into_iter().collect() })
    }

    /// Whom it is about.
    pub(super) const fn contact(&self) -> &BareJid {
        match self {
            Self::Set { contact, .. } | Self::Remove(contact) => contact,
        }
    }
}

#[cfg(test)]
mod tests;
