//! What a gateway has promised.

use std::collections::BTreeMap;

use machine::{Endpoint, Instant, Transport};

use crate::defaults::MAPPINGS;

/// One mapping, or one pinhole of IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// UDP or TCP.
    pub transport: Transport,
    /// The address inside.
    pub internal: Endpoint,
    /// The port outside.
    pub external_port: u16,
    /// When it ends; `None`: when somebody removes it.
    pub expires: Option<Instant>,
    /// Who holds it.
    pub holder: Holder,
    /// What it is called.
    pub description: String,
}

/// Who holds a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A client of PCP, with its nonce.
    Pcp([u8; 12]),
    /// A client of NAT-PMP.
    NatPmp,
    /// Anybody who speaks UPnP.
    Upnp,
}

/// By TCP or not, address inside for a pinhole, and port outside.
type Key = (bool, Option<Endpoint>, u16);

/// All of them, in order.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: BTreeMap<Key, Entry>,
    pinholes: BTreeMap<u16, Key>,
    next_pinhole: u16,
}

fn key(transport: Transport, internal: Endpoint, external_port: u16) -> Key {
    (transport != Transport::Udp, Some(internal).filter(Endpoint::is_ipv6), external_port)
}

impl Entry {
    fn key(&self) -> Key {
        key(self.transport, self.internal, self.external_port)
    }
}

impl Table {
    /// Forgets what has ended.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.entries.retain(|_, entry| entry.expires.is_none_or(|at| at > now));
        let entries = &self.entries;
        self.pinholes.retain(|_, key| entries.contains_key(key));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.pinholes.clear();
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= MAPPINGS
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        self.entries.insert(entry.key(), entry);
    }

    pub(crate) fn remove(&mut self, entry: &Entry) {
        self.entries.remove(&entry.key());
    }

    /// All, by transport and port.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// What is mapped for an address inside.
    pub(crate) fn of(&self, transport: Transport, internal: Endpoint) -> Option<&Entry> {
        self.iter().find(|e| e.transport == transport && e.internal == internal)
    }

    /// What is mapped at a port outside.
    pub(crate) fn at(&self, transport: Transport, external_port: u16) -> Option<&Entry> {
        self.entries.get(&(transport != Transport::Udp, None, external_port))
    }

    /// Gives a pinhole a name.
    pub(crate) fn name_pinhole(&mut self, entry: &Entry) -> u16 {
        let known = self.pinholes.iter().find(|(_, key)| **key == entry.key());
        if let Some((id, _)) = known {
            return *id;
        }
        self.next_pinhole = self.next_pinhole.wrapping_add(1);
        self.pinholes.insert(self.next_pinhole, entry.key());
        self.next_pinhole
    }

    /// The pinhole of this name.
    pub(crate) fn pinhole(&self, id: u16) -> Option<&Entry> {
        self.entries.get(self.pinholes.get(&id)?)
    }
}
