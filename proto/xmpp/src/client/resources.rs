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
