//! Who is there: the available resources of our contacts and of our own account (RFC 6121 §4).

use std::collections::BTreeMap;

use super::caps::Ver;
use super::config::Show;
use super::defaults::{MAX_RESOURCES, MAX_RESOURCES_OF_ONE, MAX_STATUS};
use super::disco::Info;
use crate::{BareJid, FullJid, Stanza, ns};

/// An available resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its address.
    pub jid: FullJid,
    /// How available.
    pub show: Show,
    /// In words.
    pub status: Option<String>,
    /// For what is for all of an account's resources, the highest gets it.
    pub priority: i8,
    /// The hash of what it can do.
    pub(super) ver: Option<Ver>,
    /// What it can do, where that has another hash.
    pub(super) own: Option<Info>,
}

impl Resource {
    /// Reads an available presence.
    pub(super) fn parse(jid: FullJid, presence: &Stanza) -> Self {
        let text = |name| presence.payload(name, ns::CLIENT).map(|child| child.text());
        Self {
            jid,
            show: text("show").map(|show| Show::parse(show.trim())).unwrap_or_default(),
            status: status(presence),
            //= RFC 6121 §4.7.2.3: a priority that is not said is zero.
            priority: text("priority").and_then(|n| n.trim().parse().ok()).unwrap_or_default(),
            ver: presence.payload("c", ns::CAPS).and_then(Ver::parse),
            own: None,
        }
    }
}

/// The status that a presence tells in words, as much as is kept of one.
pub(super) fn status(presence: &Stanza) -> Option<String> {
    let mut status = presence.payload("status", ns::CLIENT)?.text();
    let end = (0..=MAX_STATUS).rev().find(|end| status.is_char_boundary(*end));
    status.truncate(end.unwrap_or_default());
    Some(status)
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Resources {
    accounts: BTreeMap<BareJid, BTreeMap<FullJid, Resource>>,
    count: usize,
}

impl Resources {
    /// A resource is there. Returns what it was before; `Err` when there are more than are kept.
    pub(super) fn insert(&mut self, mut resource: Resource) -> Result<Option<Resource>, ()> {
        let account = resource.jid.to_bare();
        let of_one = self.accounts.get(&account);
        let before = of_one.and_then(|of_one| of_one.get(&resource.jid)).cloned();
        match &before {
            Some(before) if before.ver == resource.ver => resource.own.clone_from(&before.own),
            Some(_) => {}
            None => {
                let of_one = of_one.map_or(0, BTreeMap::len);
                if of_one >= MAX_RESOURCES_OF_ONE || self.count >= MAX_RESOURCES {
                    return Err(());
                }
                self.count += 1;
            }
        }
        self.accounts.entry(account).or_default().insert(resource.jid.clone(), resource);
        Ok(before)
    }

    /// A resource is gone.
    pub(super) fn remove(&mut self, jid: &FullJid) -> Option<Resource> {
        let account = jid.to_bare();
        let of_one = self.accounts.get_mut(&account)?;
        let removed = of_one.remove(jid)?;
        if of_one.is_empty() {
            self.accounts.remove(&account);
        }
        self.count -= 1;
        Some(removed)
    }

    /// A whole account is gone.
    pub(super) fn remove_all(&mut self, account: &BareJid) -> Vec<Resource> {
        let removed = self.accounts.remove(account).unwrap_or_default();
        self.count -= removed.len();
        removed.into_values().collect()
    }

    pub(super) fn resource_mut(&mut self, jid: &FullJid) -> Option<&mut Resource> {
        self.accounts.get_mut(&jid.to_bare())?.get_mut(jid)
    }

    pub(super) fn resource(&self, jid: &FullJid) -> Option<&Resource> {
        self.accounts.get(&jid.to_bare())?.get(jid)
    }

    /// The resources of an account, those that get what is for all of them first.
    pub(super) fn of(&self, account: &BareJid) -> Vec<&Resource> {
        let of_one = self.accounts.get(account);
        let mut resources: Vec<_> = of_one.into_iter().flat_map(BTreeMap::values).collect();
        resources.sort_by_key(|resource| std::cmp::Reverse(resource.priority));
        resources
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_RESOURCES, MAX_RESOURCES_OF_ONE, MAX_STATUS, Resource, Resources};
    use crate::client::Show;
    use crate::stanza::PresenceType;
    use crate::{BareJid, Element, FullJid, Stanza, ns};

    fn resource(jid: &str, payloads: &[(&str, &str)]) -> Resource {
        let payloads = payloads
            .iter()
            .map(|(name, text)| Element::builder(name, ns::CLIENT).append(*text).build());
        let presence = Stanza::presence(None, PresenceType::Available, payloads);
        Resource::parse(FullJid::new(jid).unwrap(), &presence)
    }

    #[test]
    fn what_a_presence_says() {
        let plain = resource("a@b/c", &[]);
        assert_eq!((plain.show, plain.priority, plain.status), (Show::Online, 0, None));
        let said = [("show", "dnd"), ("priority", " -5 "), ("status", "busy")];
        let said = resource("a@b/c", &said);
        assert_eq!((said.show, said.priority), (Show::DoNotDisturb, -5));
        assert_eq!(said.status.as_deref(), Some("busy"));
        let odd = resource("a@b/c", &[("show", "napping"), ("priority", "300")]);
        assert_eq!((odd.show, odd.priority), (Show::Online, 0));
        let long = resource("a@b/c", &[("status", &"é".repeat(MAX_STATUS))]);
        assert_eq!(long.status.map(|status| status.len()), Some(MAX_STATUS));
    }

    #[test]
    fn the_highest_priority_first() {
        let mut all = Resources::default();
        for (name, priority) in [("a@b/1", "1"), ("a@b/2", "9"), ("a@b/3", "-1"), ("x@b/1", "5")] {
            all.insert(resource(name, &[("priority", priority)])).unwrap();
        }
        let account = BareJid::new("a@b").unwrap();
        let order: Vec<i8> = all.of(&account).iter().map(|it| it.priority).collect();
        assert_eq!(order, [9, 1, -1]);
        assert!(all.remove(&FullJid::new("a@b/2").unwrap()).is_some());
        assert_eq!((all.remove_all(&account).len(), all.count), (2, 1));
        assert!(all.of(&account).is_empty());
    }

    #[test]
    fn limits() {
        let mut all = Resources::default();
        for n in 0..MAX_RESOURCES_OF_ONE {
            all.insert(resource(&format!("a@b/{n}"), &[])).unwrap();
        }
        assert_eq!(all.insert(resource("a@b/more", &[])), Err(()));
        // One that is there may still change.
        assert!(all.insert(resource("a@b/0", &[("priority", "3")])).is_ok());
        for n in all.count..MAX_RESOURCES {
            all.insert(resource(&format!("user{n}@b/1"), &[])).unwrap();
        }
        assert_eq!(all.insert(resource("more@b/1", &[])), Err(()));
    }
}
