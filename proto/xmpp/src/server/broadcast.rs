//! Presence for many (RFC 6121 §4): who is told.

use std::collections::BTreeSet;

use jid::{BareJid, Jid, NodeRef};
use machine::Id;

use super::Server;
use super::copies::Copies;
use super::subscription::Half;
use crate::Stanza;
use crate::stanza::PresenceType;

impl Server {
    /// The name of the account that an address of our domain is of.
    pub(super) fn local<'a>(&self, address: &'a Jid) -> Option<&'a NodeRef> {
        if *address.domain() == *self.domain { address.node() } else { None }
    }

    /// The address of an account of ours.
    pub(super) fn address(&self, user: &NodeRef) -> BareJid {
        BareJid::from_parts(Some(user), &self.domain)
    }

    /// The sessions that a stanza for `to` reaches as presence: that of a full JID, or all that are
    /// available.
    pub(super) fn presence_conns(&self, to: &Jid) -> Vec<Id> {
        let Some(account) = self.local(to).and_then(|node| self.accounts.get(node)) else {
            return Vec::new();
        };
        match to.resource() {
            Some(resource) => account.sessions.get(resource).map(|s| s.conn).into_iter().collect(),
            None => account.available_conns(),
        }
    }

    /// Sends a presence of `user` to everybody who sees it: contacts, and the user's own available
    /// sessions.
    //= RFC 6121 §4.2.2, §4.4.2, §4.5.2: contacts with a subscription of "from" or "both", and the
    //= user's own available resources
    pub(super) fn announce(&mut self, user: &NodeRef, copies: &mut Copies) {
        let Some(account) = self.accounts.get(user) else { return };
        let mut audience: Vec<(BareJid, Vec<Id>)> = Vec::new();
        for item in account.roster.iter().flat_map(super::roster::Roster::iter) {
            if super::subscription::State::of(item).from == Half::Yes {
                let conns = self.presence_conns(&item.contact);
                if !conns.is_empty() {
                    audience.push((item.contact.clone(), conns));
                }
            }
        }
        audience.push((self.address(user), account.available_conns()));
        for (to, conns) in audience {
            let bytes = copies.to(&to);
            conns.into_iter().for_each(|conn| self.deliver(conn, bytes));
        }
    }

    /// Sends an unavailable presence of `user` to those who were told directly that it is available,
    /// but for those whom `announce` has told.
    //= RFC 6121 §4.6.3: entities that got directed presence are told when it goes
    pub(super) fn announce_directed(
        &mut self,
        user: &NodeRef,
        announced: bool,
        directed: &BTreeSet<Jid>,
        copies: &mut Copies,
    ) {
        for to in directed {
            let roster = self.accounts.get(user).and_then(|account| account.roster.as_ref());
            let sees = roster.is_some_and(|roster| roster.state(&to.to_bare()).from == Half::Yes);
            if announced && sees {
                continue;
            }
            let bytes = copies.to(to);
            for conn in self.presence_conns(to) {
                self.deliver(conn, bytes);
            }
        }
    }

    /// Shows the presence of each available session of `of` to those of `to`.
    pub(super) fn show(&mut self, of: &BareJid, to: &BareJid) {
        let conns = self.presence_conns(to);
        self.show_to(of, to, &conns);
    }

    /// Shows the presence of each available session of `of` to some sessions, addressed as `to`.
    pub(super) fn show_to(&mut self, of: &BareJid, to: &Jid, conns: &[Id]) {
        let account = self.local(of).and_then(|node| self.accounts.get(node));
        let (Some(account), false) = (account, conns.is_empty()) else { return };
        let mut shown: Vec<Copies> = account
            .available()
            .filter(|(session, _)| !conns.contains(&session.conn))
            .map(|(_, available)| Copies::new(&available.presence))
            .collect();
        for copies in &mut shown {
            let bytes = copies.to(to);
            conns.iter().for_each(|&conn| self.deliver(conn, bytes));
        }
    }

    /// Tells those of `to` that each available session of `of` has gone.
    pub(super) fn hide(&mut self, of: &BareJid, to: &BareJid) {
        let account = self.local(of).and_then(|node| self.accounts.get(node));
        let (Some(account), conns) = (account, self.presence_conns(to)) else { return };
        let resources: Vec<_> = account
            .sessions
            .iter()
            .filter(|(_, session)| session.available.is_some())
            .map(|(resource, _)| of.with_resource(resource))
            .collect();
        for from in resources {
            let mut gone = Stanza::presence(Jid::from(to.clone()), PresenceType::Unavailable, []);
            gone.set_from(Jid::from(from));
            self.deliver_all(&conns, gone.element());
        }
    }
}
