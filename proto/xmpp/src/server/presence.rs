//! Presence from clients (RFC 6121 §4): broadcast, directed, probes.

use jid::{BareJid, FullJid, Jid, NodePart};
use machine::Id;

use super::account::{Account, Available, Session};
use super::copies::Copies;
use super::defaults::DIRECTED;
use super::subscription::{Half, State, Verb};
use super::task::Work;
use super::{Refusal, Server, subscribe};
use crate::ns;
use crate::stanza::{Condition, PresenceType, Stanza};

impl Server {
    /// Presence without `to`.
    pub(super) fn presence(&mut self, id: Id, me: &FullJid, type_: PresenceType, stanza: Stanza) {
        match type_ {
            PresenceType::Available => self.available(id, me, stanza),
            PresenceType::Unavailable => self.unavailable(me, &stanza),
            PresenceType::Probe | PresenceType::Error => {}
            PresenceType::Subscribe
            | PresenceType::Subscribed
            | PresenceType::Unsubscribe
            | PresenceType::Unsubscribed => self.bounce(id, &stanza, Condition::BadRequest),
        }
    }

    fn session_mut(&mut self, jid: &FullJid) -> Option<&mut Session> {
        self.accounts.get_mut(jid.node()?)?.sessions.get_mut(jid.resource())
    }

    /// A client is available, or says something new of it.
    fn available(&mut self, id: Id, me: &FullJid, presence: Stanza) {
        let (Some(node), priority) = (me.node(), priority(&presence)) else { return };
        let Some(session) = self.session_mut(me) else { return };
        let is_initial = session.available.is_none();
        let mut copies = Copies::new(&presence);
        session.available = Some(Available { presence, priority });
        if is_initial {
            // Who is told stands in the roster, which may have to be asked for.
            self.enqueue(node.to_owned(), Some(id), Work::Present);
        } else {
            self.announce(node, &mut copies);
        }
    }

    /// The rest of what initial presence does, now that the roster is there.
    pub(super) fn present(&mut self, user: &NodePart, id: Id) {
        let Some(jid) = self.conns.get(&id).and_then(|conn| conn.jid.clone()) else { return };
        let Some(account) = self.accounts.get(user) else { return };
        let session = account.sessions.get(jid.resource());
        let Some(available) = session.and_then(|session| session.available.as_ref()) else {
            return;
        };
        let mut copies = Copies::new(&available.presence);
        self.announce(user, &mut copies);
        //= RFC 6121 §4.2.2, §4.3: it is shown the user's other resources, and the contacts whose
        //= presence the user sees
        let me = self.address(user);
        self.show_to(&me, &jid, &[id]);
        let Some(roster) = self.accounts.get(user).and_then(|account| account.roster.as_ref())
        else {
            return;
        };
        let (seen, revoked): (Vec<_>, Vec<_>) = roster
            .iter()
            .filter(|item| State::of(item).to == Half::Yes)
            .filter_map(|item| Some((item.contact.clone(), self.shows(&item.contact, &me)?)))
            .partition(|(_, sees)| *sees);
        //= RFC 6121 §3.1.3: requests that wait for an answer are told each time
        let requests: Vec<_> = roster.iter().filter_map(|item| item.pending_in.clone()).collect();
        for (contact, _) in seen {
            self.show_to(&contact, &jid, &[id]);
        }
        for (contact, _) in revoked {
            self.revoke(user, &me, &contact);
        }
        for request in requests {
            self.deliver(id, request.as_bytes());
        }
    }

    /// Whether `who` may see the presence of `of`, by the roster of the latter. The roster of somebody
    /// who is available is in memory; who is not has nothing to be seen, and nothing is said then.
    fn shows(&self, of: &Jid, who: &BareJid) -> Option<bool> {
        let account = self.accounts.get(self.local(of)?)?;
        Some(account.roster.as_ref()?.state(who).from == Half::Yes)
    }

    /// A contact whose presence the user believes to see says no: the user's half of a change was not
    /// kept when the contact's was.
    //= RFC 6121 §4.3.2: a probe of somebody who is not subscribed is answered with "unsubscribed"
    fn revoke(&mut self, user: &NodePart, me: &BareJid, contact: &BareJid) {
        let verb = Verb::Unsubscribed;
        let stanza = subscribe::made_up(contact, me, verb);
        self.enqueue(user.clone(), None, Work::Inbound { verb, from: contact.clone(), stanza });
    }

    /// A client is no longer available, but stays.
    fn unavailable(&mut self, me: &FullJid, stanza: &Stanza) {
        let (Some(node), Some(session)) = (me.node(), self.session_mut(me)) else { return };
        let was_available = session.available.take().is_some();
        let directed = std::mem::take(&mut session.directed);
        let mut copies = Copies::new(stanza);
        if was_available {
            self.announce(node, &mut copies);
        }
        self.announce_directed(node, was_available, &directed, &mut copies);
    }

    /// Presence for an account of ours, or a session of it.
    pub(super) fn presence_to(
        &mut self,
        id: Id,
        me: &FullJid,
        type_: PresenceType,
        mut stanza: Stanza,
    ) {
        let Some(to) = stanza.to().cloned() else { return };
        match type_ {
            PresenceType::Available | PresenceType::Unavailable => {
                self.directed(id, me, type_, &to, &stanza);
            }
            PresenceType::Probe => {
                let bare = me.to_bare();
                if self.shows(&to, &bare) == Some(true) {
                    self.show_to(&to.to_bare(), me, &[id]);
                }
            }
            PresenceType::Error => {
                if to.is_full() {
                    let conns = self.presence_conns(&to);
                    self.deliver_all(&conns, stanza.element());
                }
            }
            PresenceType::Subscribe
            | PresenceType::Subscribed
            | PresenceType::Unsubscribe
            | PresenceType::Unsubscribed => {
                let (Some(verb), Some(node)) = (Verb::of(type_), me.node()) else { return };
                let (contact, user) = (to.to_bare(), me.to_bare());
                if contact == user {
                    return self.bounce(id, &stanza, Condition::NotAllowed);
                }
                //= RFC 6121 §3.1.2: it goes from one bare JID to the other
                stanza.set_from(Jid::from(user));
                stanza.set_to(Jid::from(contact.clone()));
                let work = Work::Outbound { verb, contact, stanza };
                self.enqueue(node.to_owned(), Some(id), work);
            }
        }
    }

    /// Directed presence (RFC 6121 §4.6).
    fn directed(&mut self, id: Id, me: &FullJid, type_: PresenceType, to: &Jid, stanza: &Stanza) {
        let Some(session) = self.session_mut(me) else { return };
        if type_ == PresenceType::Unavailable {
            session.directed.remove(to);
        } else if !session.directed.contains(to) {
            if session.directed.len() >= DIRECTED {
                self.stats.refuse(Refusal::Roster);
                return self.bounce(id, stanza, Condition::ResourceConstraint);
            }
            session.directed.insert(to.clone());
        }
        let conns = self.presence_conns(to);
        self.deliver_all(&conns, stanza.element());
    }
}

/// The priority that a presence gives its resource; 0 if none, or one that is no number of a byte.
fn priority(presence: &Stanza) -> i8 {
    let priority = presence.payload("priority", ns::CLIENT).map(crate::Element::text);
    priority.and_then(|text| text.trim().parse().ok()).unwrap_or_default()
}

impl Account {
    /// The connections of the sessions that a message for the account may go to: those whose priority
    /// is not negative, or of these those with the highest alone.
    pub(super) fn message_conns(&self, highest_only: bool) -> Vec<Id> {
        let takers = || self.available().filter(|(_, available)| available.priority >= 0);
        let highest = takers().map(|(_, available)| available.priority).max().unwrap_or_default();
        takers()
            .filter(|(_, available)| !highest_only || available.priority == highest)
            .map(|(session, _)| session.conn)
            .collect()
    }
}
