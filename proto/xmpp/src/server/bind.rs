//! Sessions: a resource is bound (RFC 6120 §7), and one day it is over.

use jid::{BareJid, Jid, NodePart, ResourcePart};
use machine::{Id, Now};

use super::account::Session;
use super::copies::Copies;
use super::defaults::RESOURCE_LEN;
use super::{Cause, Event, Refusal, Server};
use crate::Stanza;
use crate::stanza::{Condition, PresenceType, StanzaError};
use crate::stream::Condition as StreamCondition;

impl Server {
    /// A client wants a resource.
    pub(super) fn bind(
        &mut self,
        now: Now,
        id: Id,
        user: &BareJid,
        resource: Option<ResourcePart>,
    ) {
        let Some(node) = user.node().map(ToOwned::to_owned) else { return };
        let resource = resource.unwrap_or_else(|| self.made_up_resource());
        let before = self.accounts.get(&node);
        let sessions = before.map_or(0, |account| account.sessions.len());
        let taken = before.and_then(|account| account.sessions.get(&resource)).map(|old| old.conn);
        if taken.is_none() && sessions >= self.config.limits.sessions_per_account {
            //= RFC 6120 §7.6.2.1: too many resources are answered with resource-constraint
            self.stats.refuse(Refusal::Sessions);
            let error = StanzaError::from(Condition::ResourceConstraint);
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.stream.bound(now, Err(error));
            }
            return;
        }
        //= RFC 6120 §7.7.2.2: the newest session has the resource, the one before gets a conflict
        if let Some(old) = taken {
            self.cut(now, old, StreamCondition::Conflict.into(), Cause::Replaced);
        }
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let jid = user.with_resource(&resource);
        conn.jid = Some(jid.clone());
        conn.stream.bound(now, Ok(jid.clone()));
        let (remote, direct_tls) = (conn.remote, conn.direct_tls);
        let session = Session {
            conn: id,
            remote,
            available: None,
            interested: false,
            directed: std::collections::BTreeSet::new(),
        };
        self.accounts.entry(node).or_default().sessions.insert(resource, session);
        self.no_stranger(id);
        self.sessions += 1;
        self.stats.sessions_started += 1;
        self.watch(now, id);
        self.outputs.event(Event::SessionStarted { jid, remote, direct_tls });
    }

    fn made_up_resource(&mut self) -> ResourcePart {
        ResourcePart::new(&self.entropy.token(RESOURCE_LEN))
            .expect("letters and digits are a resource")
            .into_owned()
    }

    /// A session is over: whoever saw it is told.
    pub(super) fn end_session(&mut self, id: Id, cause: Cause) {
        let Some(jid) = self.conns.get_mut(&id).and_then(|conn| conn.jid.take()) else { return };
        let Some(node) = jid.node() else { return };
        let Some(account) = self.accounts.get_mut(node) else { return };
        let Some(session) = account.sessions.remove(jid.resource()) else { return };
        self.sessions -= 1;
        let Session { remote, available, directed, .. } = session;
        // While everybody goes, nobody needs to be told.
        if !self.draining {
            //= RFC 6121 §4.5.3: who was told that it is here is told that it has gone, whatever ended
            //= the stream
            let mut stanza = Stanza::presence(None, PresenceType::Unavailable, []);
            stanza.set_from(Jid::from(jid.clone()));
            let mut copies = Copies::new(&stanza);
            if available.is_some() {
                self.announce(node, &mut copies);
            }
            self.announce_directed(node, available.is_some(), &directed, &mut copies);
        }
        self.drop_if_idle(&node.to_owned());
        self.outputs.event(Event::SessionEnded { jid, remote, cause });
    }

    /// Forgets an account that is not needed in memory.
    pub(super) fn drop_if_idle(&mut self, user: &NodePart) {
        if self.accounts.get(user).is_some_and(super::account::Account::is_idle) {
            self.accounts.remove(user);
        }
    }
}
