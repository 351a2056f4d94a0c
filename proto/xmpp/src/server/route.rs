//! Where a stanza goes (RFC 6120 §10, RFC 6121 §8).

use jid::{FullJid, Jid};
use machine::Id;

use super::task::Work;
use super::{Refusal, Server};
use crate::stanza::{Condition, IqType, Kind, MessageType, Stanza, StanzaError};

impl Server {
    /// Takes a stanza of a session; its `from` is the session's.
    pub(super) fn route(&mut self, id: Id, stanza: Stanza) {
        let Some(me) = self.conns.get(&id).and_then(|conn| conn.jid.clone()) else { return };
        self.stats.stanzas_in += 1;
        match stanza.to().cloned() {
            None => self.without_to(id, &me, stanza),
            Some(to) if *to.domain() != *self.domain => self.for_remote(id, &stanza),
            Some(to) if to.node().is_none() => self.for_domain(id, &to, &stanza),
            Some(to) => self.for_account(id, &me, &to, stanza),
        }
    }

    /// Answers a stanza with an error, if it may be answered.
    pub(super) fn bounce(&mut self, id: Id, stanza: &Stanza, condition: Condition) {
        match condition {
            Condition::ServiceUnavailable => self.stats.refuse(Refusal::Undeliverable),
            Condition::RemoteServerNotFound => self.stats.refuse(Refusal::RemoteServer),
            Condition::InternalServerError => self.stats.refuse(Refusal::World),
            Condition::BadRequest | Condition::JidMalformed => {
                self.stats.refuse(Refusal::BadStanza);
            }
            _ => {}
        }
        self.answer_error(id, stanza, &condition.into());
    }

    /// The same with an error that says more.
    pub(super) fn answer_error(&mut self, id: Id, stanza: &Stanza, error: &StanzaError) {
        if stanza.may_be_answered() {
            self.deliver_all(&[id], stanza.error(error).element());
        }
    }

    //= RFC 6120 §10.3: without `to`, a message is for the sender's account, presence is broadcast,
    //= and the server answers an IQ for the account
    fn without_to(&mut self, id: Id, me: &FullJid, stanza: Stanza) {
        match stanza.kind() {
            Kind::Message(type_) => {
                self.message(id, &Jid::from(me.to_bare()), type_, &stanza);
            }
            Kind::Presence(type_) => self.presence(id, me, type_, stanza),
            Kind::Iq(IqType::Get | IqType::Set) => self.serve_account(id, me, stanza),
            Kind::Iq(IqType::Result | IqType::Error) => {}
        }
    }

    /// Other domains: here federation comes in.
    //= RFC 6120 §10.4: a domain that cannot be reached is a remote-server-not-found
    fn for_remote(&mut self, id: Id, stanza: &Stanza) {
        self.bounce(id, stanza, Condition::RemoteServerNotFound);
    }

    //= RFC 6120 §10.5.1, §10.5.2: the domain itself, and its resources, of which there are none
    fn for_domain(&mut self, id: Id, to: &Jid, stanza: &Stanza) {
        match stanza.kind() {
            Kind::Iq(IqType::Get | IqType::Set) if to.is_bare() => self.serve_domain(id, stanza),
            Kind::Iq(_) | Kind::Message(_) => {
                if !matches!(stanza.kind(), Kind::Message(MessageType::Headline)) {
                    self.bounce(id, stanza, Condition::ServiceUnavailable);
                }
            }
            Kind::Presence(_) => {}
        }
    }

    fn for_account(&mut self, id: Id, me: &FullJid, to: &Jid, stanza: Stanza) {
        match stanza.kind() {
            Kind::Message(type_) => self.message(id, to, type_, &stanza),
            Kind::Presence(type_) => self.presence_to(id, me, type_, stanza),
            Kind::Iq(type_) => self.iq(id, me, to, type_, stanza),
        }
    }

    /// A message for an account or one of its sessions (RFC 6121 §8.5). Nobody is told whether there
    /// is such an account: that and one that is offline are answered alike.
    fn message(&mut self, id: Id, to: &Jid, type_: MessageType, stanza: &Stanza) {
        let account = self.local(to).and_then(|node| self.accounts.get(node));
        let exact = to.resource().and_then(|resource| account?.sessions.get(resource));
        //= RFC 6121 §8.5.3.1: a full JID that matches gets whatever it is
        if let Some(session) = exact {
            let conn = session.conn;
            return self.deliver_all(&[conn], stanza.element());
        }
        let conns = match (type_, account) {
            //= RFC 6121 §8.5.2.1.1: errors are not answered, headlines may be lost
            (MessageType::Error, _) => return,
            //= RFC 6121 §8.5.3.2.1: of those for a resource that is gone, chat goes to the others
            (MessageType::Normal | MessageType::Groupchat, _) if to.is_full() => Vec::new(),
            (MessageType::Headline, _) if to.is_full() => return,
            //= RFC 6121 §8.5.2.1.1: groupchat for an account is service-unavailable
            (MessageType::Groupchat, _) | (_, None) => Vec::new(),
            //= RFC 6121 §8.5.2.1.1: chat and headlines go to every resource that is not negative,
            //= anything else to the most available
            (MessageType::Chat | MessageType::Headline, Some(account)) => {
                account.message_conns(false)
            }
            (MessageType::Normal, Some(account)) => account.message_conns(true),
        };
        match (conns.is_empty(), type_) {
            (false, _) => self.deliver_all(&conns, stanza.element()),
            (true, MessageType::Headline) => {}
            (true, _) => self.bounce(id, stanza, Condition::ServiceUnavailable),
        }
    }

    /// An IQ for an account or one of its sessions.
    fn iq(&mut self, id: Id, me: &FullJid, to: &Jid, type_: IqType, stanza: Stanza) {
        let asks = matches!(type_, IqType::Get | IqType::Set);
        let Some(node) = to.node() else { return };
        if let Some(resource) = to.resource() {
            let session =
                self.accounts.get(node).and_then(|account| account.sessions.get(resource));
            match session.map(|session| session.conn) {
                Some(conn) => self.deliver_all(&[conn], stanza.element()),
                //= RFC 6121 §8.5.3.2.3: a request for a resource that is not there is
                //= service-unavailable
                None => self.bounce(id, &stanza, Condition::ServiceUnavailable),
            }
        } else if !asks {
            // Nobody asked in the account's name.
        } else if me.node().is_some_and(|own| own == node) {
            //= RFC 6121 §8.5.2.1.3: the server answers for the account
            self.serve_account(id, me, stanza);
        } else if super::service::is_disco(&stanza) {
            let Some(own) = me.node() else { return };
            self.enqueue(own.to_owned(), Some(id), Work::Disco { iq: stanza });
        } else {
            self.bounce(id, &stanza, Condition::ServiceUnavailable);
        }
    }
}
