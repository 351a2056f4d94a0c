//! What resources can do, told by a hash in their presence and asked for once per hash (XEP-0115).

use std::collections::{BTreeMap, BTreeSet};

use super::defaults::{MAX_CAPS, MAX_CAPS_QUESTIONS};
use super::disco::{Hash, Info};
use crate::xml::{attribute, name};
use crate::{Element, FullJid, ns};

/// A `<c/>` in somebody's presence: what answers to it has this hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ver {
    hash: Hash,
    ver: String,
    node: String,
}

impl Ver {
    /// Reads a `<c/>`; nothing for one whose hash is not known, or of the days before hashes.
    pub(super) fn parse(element: &Element) -> Option<Self> {
        let hash = Hash::from_name(attribute(element, "hash")?)?;
        let text = |name| attribute(element, name).filter(|text| text.len() <= 256);
        Some(Self { hash, ver: text("ver")?.to_owned(), node: text("node")?.to_owned() })
    }

    /// The hash of `info`, which stands at `node`.
    pub(super) fn of(info: &Info, node: &str) -> Option<Self> {
        let hash = Hash::Sha1;
        Some(Self { hash, ver: info.ver(hash)?, node: node.to_owned() })
    }

    /// The node that answers for it.
    pub(super) fn node(&self) -> String {
        format!("{}#{}", self.node, self.ver)
    }

    /// The `<c/>` itself.
    pub(super) fn element(&self) -> Element {
        Element::builder("c", ns::CAPS)
            .attr(name("hash"), self.hash.name())
            .attr(name("node"), self.node.as_str())
            .attr(name("ver"), self.ver.as_str())
            .build()
    }

    fn is_of(&self, info: &Info) -> bool {
        info.ver(self.hash).as_ref() == Some(&self.ver)
    }
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Learnt {
    /// It has the hash: it holds for all who told this hash, these among them.
    ForAll(Vec<FullJid>),
    /// It has another hash: it holds for who gave it, and for nobody else.
    ForOne(Info),
    /// Nothing.
    Nothing,
}

/// What is known, and what is asked.
#[derive(Debug, Default)]
pub(super) struct Caps {
    /// By hash, with the turn of the last use.
    known: BTreeMap<Ver, (Info, u64)>,
    turn: u64,
    /// Who could be asked, by hash.
    wanted: BTreeMap<Ver, BTreeSet<FullJid>>,
    asked: BTreeMap<Ver, FullJid>,
}

impl Caps {
    /// One hash is known from the start: our own, which others like us have too.
    pub(super) fn knowing(ver: Ver, info: Info) -> Self {
        let mut caps = Self::default();
        caps.keep(ver, info);
        caps
    }

    /// What answers to a hash.
    pub(super) fn known(&self, ver: &Ver) -> Option<&Info> {
        self.known.get(ver).map(|(info, _)| info)
    }

    /// Somebody told a hash. Says whether it is known.
    pub(super) fn told(&mut self, ver: &Ver, by: &FullJid) -> bool {
        self.turn += 1;
        if let Some((_, used)) = self.known.get_mut(ver) {
            *used = self.turn;
            return true;
        }
        self.wanted.entry(ver.clone()).or_default().insert(by.clone());
        false
    }

    /// Somebody is gone, or tells another hash now.
    pub(super) fn untold(&mut self, ver: &Ver, by: &FullJid) {
        if let Some(who) = self.wanted.get_mut(ver) {
            who.remove(by);
            if who.is_empty() {
                self.wanted.remove(ver);
            }
        }
    }

    /// Whom to ask next. One is asked for each hash at a time.
    pub(super) fn next_question(&mut self) -> Option<(Ver, FullJid)> {
        if self.asked.len() >= MAX_CAPS_QUESTIONS {
            return None;
        }
        let open = self.wanted.iter().find(|(ver, _)| !self.asked.contains_key(*ver));
        let (ver, who) = open.and_then(|(ver, who)| Some((ver.clone(), who.first()?.clone())))?;
        self.asked.insert(ver.clone(), who.clone());
        Some((ver, who))
    }

    /// Who was asked answered, or did not.
    pub(super) fn answered(&mut self, ver: &Ver, by: &FullJid, info: Option<Info>) -> Learnt {
        self.asked.remove(ver);
        match info {
            //= XEP-0115 §5.4: only what has the hash is kept for all.
            Some(info) if ver.is_of(&info) => {
                let all = self.wanted.remove(ver).unwrap_or_default();
                self.keep(ver.clone(), info);
                Learnt::ForAll(all.into_iter().collect())
            }
            Some(info) => {
                self.untold(ver, by);
                Learnt::ForOne(info)
            }
            None => {
                self.untold(ver, by);
                Learnt::Nothing
            }
        }
    }

    fn keep(&mut self, ver: Ver, info: Info) {
        if self.known.len() >= MAX_CAPS {
            let oldest = self.known.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(ver, _)| ver.clone()) {
                self.known.remove(&oldest);
            }
        }
        self.turn += 1;
        self.known.insert(ver, (info, self.turn));
    }

    /// The connection is gone: nobody is there to be asked. What is known stays true.
    pub(super) fn disconnected(&mut self) {
        self.wanted.clear();
        self.asked.clear();
    }
}

#[cfg(test)]
mod tests;
