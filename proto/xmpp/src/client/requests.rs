//! Requests that wait for their answers (RFC 6120 §8.2.3).

use std::collections::BTreeMap;

use super::caps::Ver;
use super::defaults::MAX_REQUESTS;
use super::event::RequestId;
use crate::{FullJid, Jid, Stanza};

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The owner's.
    Owner(RequestId),
    /// The whole roster.
    Roster,
    /// Whether the server is there.
    Ping,
    /// What a resource can do.
    Caps(FullJid, Ver),
}

#[derive(Debug)]
struct Waiting {
    to: Option<Jid>,
    purpose: Purpose,
}

/// All of them, by the id of the stanza.
#[derive(Debug, Default)]
pub(super) struct Requests {
    waiting: BTreeMap<String, Waiting>,
}

impl Requests {
    /// Whether there is room for another.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_REQUESTS
    }

    pub(super) fn insert(&mut self, id: String, to: Option<Jid>, purpose: Purpose) {
        self.waiting.insert(id, Waiting { to, purpose });
    }

    /// Takes the request that a stanza answers; nothing for one that nobody waits for, or that
    /// somebody else sent than whom it went to.
    ///
    //= RFC 6120 §8.1.3: an id alone does not make an answer, whoever guesses it is not who was asked.
    pub(super) fn answered(&mut self, answer: &Stanza, me: &FullJid) -> Option<(String, Purpose)> {
        let id = answer.id()?;
        let waiting = self.waiting.get(id)?;
        let account = me.to_bare();
        let is_ours = |jid: &Jid| *jid == *me || *jid == account;
        //= RFC 6120 §8.1.2.1: without a `from`, or with our own address, it is from our account.
        let matches = match (&waiting.to, answer.from()) {
            (Some(to), Some(from)) => to == from || (is_ours(to) && is_ours(from)),
            (Some(to), None) => is_ours(to),
            (None, Some(from)) => is_ours(from),
            (None, None) => true,
        };
        if !matches {
            return None;
        }
        let id = id.to_owned();
        let purpose = self.waiting.remove(&id)?.purpose;
        Some((id, purpose))
    }

    /// Takes a request whose time is up.
    pub(super) fn expire(&mut self, id: &str) -> Option<Purpose> {
        self.waiting.remove(id).map(|waiting| waiting.purpose)
    }

    /// Whether one of this purpose waits.
    pub(super) fn any(&self, purpose: impl Fn(&Purpose) -> bool) -> bool {
        self.count(purpose) > 0
    }

    pub(super) fn count(&self, purpose: impl Fn(&Purpose) -> bool) -> usize {
        self.waiting.values().filter(|waiting| purpose(&waiting.purpose)).count()
    }

    /// Takes all of them: the connection is gone.
    pub(super) fn take(&mut self) -> Vec<Purpose> {
        std::mem::take(&mut self.waiting).into_values().map(|waiting| waiting.purpose).collect()
    }
}
