//! Our contacts, as our server keeps them (RFC 6121 §2).

use std::collections::BTreeMap;

use super::defaults::{MAX_CONTACTS, MAX_GROUPS};
use crate::xml::{attribute, name};
use crate::{BareJid, Element, ns};

/// Somebody in our roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub jid: BareJid,
    /// What we call them.
    pub name: Option<String>,
    /// Where we sort them in.
    pub groups: Vec<String>,
    /// Whether we see their presence.
    pub to: bool,
    /// Whether they see ours.
    pub from: bool,
    /// Whether we asked to see theirs and had no answer yet.
    pub asked: bool,
    /// Whether they may see ours as soon as they ask (RFC 6121 §3.4).
    pub approved: bool,
}

/// What the server says of one contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// There, like this.
    Here(Contact),
    /// Not there any more.
    Removed(BareJid),
}

impl Item {
    /// Reads an `<item/>`; nothing for one that is not in form.
    pub(super) fn parse(element: &Element) -> Option<Self> {
        if !element.is("item", ns::ROSTER) {
            return None;
        }
        let jid = BareJid::new(attribute(element, "jid")?).ok()?;
        let (to, from) = match attribute(element, "subscription").unwrap_or("none") {
            "remove" => return Some(Self::Removed(jid)),
            "to" => (true, false),
            "from" => (false, true),
            "both" => (true, true),
            //= RFC 6121 §2.1.2.5: what is not known means none.
            _ => (false, false),
        };
        let groups = element.children().filter(|child| child.is("group", ns::ROSTER));
        let is_true = |value: &str| matches!(value, "true" | "1");
        Some(Self::Here(Contact {
            jid,
            name: attribute(element, "name").filter(|name| !name.is_empty()).map(str::to_owned),
            groups: groups.take(MAX_GROUPS).map(Element::text).collect(),
            to,
            from,
            asked: attribute(element, "ask") == Some("subscribe"),
            approved: attribute(element, "approved").is_some_and(is_true),
        }))
    }
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The contact is there now, like this.
    Set(Contact),
    /// It is gone.
    Removed(BareJid),
    /// There are more than are kept.
    Refused,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Roster {
    contacts: BTreeMap<BareJid, Contact>,
}

impl Roster {
    /// Takes the whole roster in place of what was known. Returns how many contacts were not kept:
    /// there are too many.
    pub(super) fn replace(&mut self, query: &Element) -> u64 {
        self.contacts.clear();
        let changes = query.children().filter_map(Item::parse).map(|item| self.take(item));
        changes.map(|change| u64::from(change == Change::Refused)).sum()
    }

    /// Takes one item.
    pub(super) fn take(&mut self, item: Item) -> Change {
        match item {
            Item::Removed(jid) => {
                self.contacts.remove(&jid);
                Change::Removed(jid)
            }
            Item::Here(contact) => {
                let known = self.contacts.contains_key(&contact.jid);
                if !known && self.contacts.len() >= MAX_CONTACTS {
                    return Change::Refused;
                }
                self.contacts.insert(contact.jid.clone(), contact.clone());
                Change::Set(contact)
            }
        }
    }

    pub(super) fn contact(&self, jid: &BareJid) -> Option<&Contact> {
        self.contacts.get(jid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values()
    }
}

/// The request for the whole roster.
pub(super) fn fetch() -> Element {
    Element::bare("query", ns::ROSTER)
}

/// The request to add or change a contact.
pub(super) fn save(jid: &BareJid, called: Option<&str>, groups: &[String]) -> Element {
    let mut item = Element::builder("item", ns::ROSTER).attr(name("jid"), jid.as_str());
    if let Some(called) = called {
        item = item.attr(name("name"), called);
    }
    let groups = groups
        .iter()
        .map(|group| Element::builder("group", ns::ROSTER).append(group.as_str()).build());
    Element::builder("query", ns::ROSTER).append(item.append_all(groups).build()).build()
}

/// The request to remove one.
pub(super) fn remove(jid: &BareJid) -> Element {
    let item = Element::builder("item", ns::ROSTER)
        .attr(name("jid"), jid.as_str())
        .attr(name("subscription"), "remove");
    Element::builder("query", ns::ROSTER).append(item.build()).build()
}

#[cfg(test)]
mod tests {
    use super::{Change, Item, MAX_CONTACTS, MAX_GROUPS, Roster, remove, save};
    use crate::xml::name;
    use crate::{BareJid, Element, ns};

    fn item(xml: &str) -> Option<Item> {
        Item::parse(&format!("<item xmlns='jabber:iq:roster' {xml}").parse().unwrap())
    }

    #[test]
    fn what_an_item_says() {
        let Some(Item::Here(contact)) = item(
            "jid='Romeo@Example.net' name='Romeo' subscription='to' ask='subscribe' approved='true'>\
             <group>Friends</group><group>Lovers</group></item>",
        ) else {
            panic!("no contact")
        };
        assert_eq!(contact.jid.as_str(), "romeo@example.net");
        assert_eq!(
            (contact.to, contact.from, contact.asked, contact.approved),
            (true, false, true, true)
        );
        assert_eq!((contact.name.as_deref(), contact.groups.len()), (Some("Romeo"), 2));
        assert!(matches!(
            item("jid='a@b' subscription='both'/>"),
            Some(Item::Here(contact)) if contact.to && contact.from && contact.name.is_none()
        ));
        assert!(matches!(item("jid='a@b' subscription='remove'/>"), Some(Item::Removed(_))));
        assert!(matches!(
            item("jid='a@b' subscription='odd'/>"),
            Some(Item::Here(contact)) if !contact.to && !contact.from
        ));
        assert_eq!(item("name='nobody'/>"), None);
        assert_eq!(item("jid='@'/>"), None);
        let groups = "<group>x</group>".repeat(MAX_GROUPS + 1);
        let many = item(&format!("jid='a@b'>{groups}</item>"));
        assert!(matches!(many, Some(Item::Here(it)) if it.groups.len() == MAX_GROUPS));
    }

    #[test]
    fn requests_are_read_as_items() {
        let jid = BareJid::new("a@b").unwrap();
        let saved = save(&jid, Some("A"), &["x".to_owned()]);
        let Some(Item::Here(contact)) = saved.children().next().and_then(Item::parse) else {
            panic!("no item")
        };
        assert_eq!((contact.name.as_deref(), contact.groups), (Some("A"), vec!["x".to_owned()]));
        assert_eq!(remove(&jid).children().next().and_then(Item::parse), Some(Item::Removed(jid)));
    }

    #[test]
    fn more_than_are_kept() {
        let mut roster = Roster::default();
        let items = (0..=MAX_CONTACTS).map(|n| {
            let jid = format!("user{n}@example.org");
            Element::builder("item", ns::ROSTER).attr(name("jid"), jid).build()
        });
        let query = Element::builder("query", ns::ROSTER).append_all(items).build();
        assert_eq!(roster.replace(&query), 1);
        assert_eq!(roster.iter().count(), MAX_CONTACTS);
        let more = item("jid='more@example.org'/>").unwrap();
        assert_eq!(roster.take(more), Change::Refused);
        let known = item("jid='user0@example.org' name='x'/>").unwrap();
        assert!(matches!(roster.take(known), Change::Set(_)));
        assert_eq!(roster.replace(&Element::bare("query", ns::ROSTER)), 0);
        assert_eq!(roster.iter().count(), 0);
    }
}
