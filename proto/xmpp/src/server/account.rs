//! What is in memory of an account: its sessions, its roster, what is to be done to that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jid::{Jid, ResourcePart};
use machine::{Endpoint, Id};

use super::roster::Roster;
use super::task::Task;
use crate::stanza::Stanza;

/// An account that has a session, or something to be done.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) sessions: BTreeMap<ResourcePart, Session>,
    /// Once it was asked for and there is such an account.
    pub(super) roster: Option<Roster>,
    /// What is to be done to the roster, one after the other.
    pub(super) tasks: VecDeque<Task>,
    /// The question that the first of them waits for.
    pub(super) asked: Option<Id>,
}

/// A bound resource.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) conn: Id,
    pub(super) remote: Endpoint,
    /// The presence that it has told everybody, if it has.
    pub(super) available: Option<Available>,
    /// Whether it has asked for the roster, and is told what changes there (RFC 6121 §2.2).
    pub(super) interested: bool,
    /// Whom it told that it is available, beside those who are told anyway (RFC 6121 §4.6).
    pub(super) directed: BTreeSet<Jid>,
}

/// What an available resource has told.
#[derive(Debug)]
pub(super) struct Available {
    /// The last presence, its `from` the full JID, without `to`.
    pub(super) presence: Stanza,
    /// Its priority (RFC 6121 §4.7.2.3).
    pub(super) priority: i8,
}

impl Account {
    /// The sessions that are available.
    pub(super) fn available(&self) -> impl Iterator<Item = (&Session, &Available)> {
        self.sessions.values().filter_map(|session| Some((session, session.available.as_ref()?)))
    }

    /// The connections of the sessions that are available.
    pub(super) fn available_conns(&self) -> Vec<Id> {
        self.available().map(|(session, _)| session.conn).collect()
    }

    /// The connections of the sessions that are told of changes of the roster.
    pub(super) fn interested_conns(&self) -> Vec<Id> {
        self.sessions.values().filter(|session| session.interested).map(|s| s.conn).collect()
    }

    /// Whether there is no reason to keep it in memory.
    pub(super) fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.tasks.is_empty() && self.asked.is_none()
    }
}
