//! What comes from the server: one stanza at a time.

use super::super::event::{Event, RequestError, Subscription};
use super::super::requests::Purpose;
use super::super::resources::{self, Resource};
use super::super::roster::{Change, Item};
use super::{Context, Session};
use crate::client::disco::Info;
use crate::stanza::{Condition, IqType, Kind, MessageType, PresenceType, StanzaError};
use crate::{Element, FullJid, Jid, Stanza, ns};

impl Session {
    /// Takes a stanza.
    pub(in super::super) fn handle(&mut self, context: &mut Context<'_>, stanza: Stanza) {
        let Some(me) = self.me.clone() else { return };
        match stanza.kind() {
            Kind::Message(MessageType::Error) => self.message_failed(context, &me, stanza),
            Kind::Message(kind) => message(context, &me, kind, stanza),
            Kind::Presence(kind) => self.handle_presence(context, &me, kind, stanza),
            Kind::Iq(IqType::Result | IqType::Error) => self.answered(context, &me, &stanza),
            Kind::Iq(kind) => self.asked(context, &me, kind, stanza),
        }
    }

    /// A message came back.
    fn message_failed(&mut self, context: &mut Context<'_>, me: &FullJid, stanza: Stanza) {
        let from = sender(&stanza, me);
        let sent = |(id, to): &(String, Jid)| Some(&**id) == stanza.id() && *to == from;
        match self.sent.iter().position(sent).and_then(|n| self.sent.remove(n)) {
            Some((id, to)) => {
                let error = stanza.stanza_error();
                let error = error.unwrap_or_else(|| Condition::UndefinedCondition.into());
                context.out.event(Event::MessageFailed { to, id, error });
            }
            None => context.out.event(Event::Stanza(stanza)),
        }
    }

    fn handle_presence(
        &mut self,
        context: &mut Context<'_>,
        me: &FullJid,
        kind: PresenceType,
        stanza: Stanza,
    ) {
        let from = sender(&stanza, me);
        let status = resources::status(&stanza);
        let subscription = match kind {
            PresenceType::Available => return self.available(context, me, &from, &stanza),
            PresenceType::Unavailable => return self.unavailable(context, from, status),
            PresenceType::Subscribe => Subscription::Subscribe,
            PresenceType::Subscribed => Subscription::Subscribed,
            PresenceType::Unsubscribe => Subscription::Unsubscribe,
            PresenceType::Unsubscribed => Subscription::Unsubscribed,
            PresenceType::Probe | PresenceType::Error => {
                return context.out.event(Event::Stanza(stanza));
            }
        };
        let from = from.to_bare();
        context.out.event(Event::Subscription { from, kind: subscription, status });
    }

    fn available(
        &mut self,
        context: &mut Context<'_>,
        me: &FullJid,
        from: &Jid,
        presence: &Stanza,
    ) {
        let Ok(jid) = FullJid::try_from(from.clone()) else { return };
        let resource = Resource::parse(jid, presence);
        let Resource { show, priority, .. } = resource;
        let (from, status) = (from.clone(), resource.status.clone());
        let event = Event::Presence { from: from.clone(), available: true, show, status, priority };
        context.out.event(event);
        // Strangers may show themselves to us as much as they like (RFC 6121 §4.6); what is kept is
        // what we asked for.
        let account = from.to_bare();
        let known = |contact: &crate::client::Contact| contact.to;
        if account == me.to_bare() || self.roster.contact(&account).is_some_and(known) {
            self.arrived(context, resource);
        }
    }

    fn unavailable(&mut self, context: &mut Context<'_>, from: Jid, status: Option<String>) {
        let removed = match FullJid::try_from(from.clone()) {
            Ok(full) => self.resources.remove(&full).into_iter().collect(),
            Err(_) => self.resources.remove_all(&from.to_bare()),
        };
        removed.iter().for_each(|resource| self.departed(resource));
        gone(context, from, status);
    }

    /// An answer to a request.
    fn answered(&mut self, context: &mut Context<'_>, me: &FullJid, answer: &Stanza) {
        let Some((id, purpose)) = self.requests.answered(answer, me) else {
            context.stats.answers_unasked += 1;
            return;
        };
        context.timers.cancel(&super::Timer::Request(id));
        let result = match answer.stanza_error() {
            Some(error) => Err(error),
            None => Ok(answer.iq_payload().cloned()),
        };
        match purpose {
            Purpose::Owner(request) => {
                let result = result.map_err(RequestError::Refused);
                context.out.event(Event::Response { request, result });
            }
            Purpose::Roster => {
                if let Ok(query) = result {
                    let empty = Element::bare("query", ns::ROSTER);
                    let refused = self.roster.replace(query.as_ref().unwrap_or(&empty));
                    context.stats.contacts_refused += refused;
                    context.out.event(Event::Roster);
                }
                self.roster_done(context);
            }
            Purpose::Ping => {}
            Purpose::Caps(jid, ver) => {
                let info = result.ok().flatten().as_ref().and_then(Info::parse);
                self.learn(context, &jid, &ver, info);
            }
        }
    }

    /// A request to us.
    fn asked(&mut self, context: &mut Context<'_>, me: &FullJid, kind: IqType, iq: Stanza) {
        let Some(payload) = iq.iq_payload() else { return };
        let get = kind == IqType::Get;
        let result = if payload.is("query", ns::ROSTER) && !get {
            if from_account(&iq, me) {
                for item in payload.children().filter_map(Item::parse) {
                    self.contact_changed(context, me, item);
                }
                Ok(None)
            } else {
                //= RFC 6121 §2.1.6: a push is from our own account, or it is none; it changes nothing,
                //= and is answered as what nobody here does.
                context.stats.pushes_refused += 1;
                Err(Condition::ServiceUnavailable)
            }
        } else if let Some(result) = self.tell(payload).filter(|_| get) {
            //= XEP-0030 §8: who may not see our presence is answered as by nobody.
            if self.is_seen_by(me, &iq) { result } else { Err(Condition::ServiceUnavailable) }
        } else {
            return context.out.event(Event::Request { iq });
        };
        context.send.push(answer(&iq, result.map_err(StanzaError::from)));
    }

    /// The server says that a contact is new, different or gone.
    fn contact_changed(&mut self, context: &mut Context<'_>, me: &FullJid, item: Item) {
        let (jid, event) = match self.roster.take(item) {
            Change::Set(contact) => {
                let hidden = (!contact.to).then(|| contact.jid.clone());
                (hidden, Event::Contact(contact))
            }
            Change::Removed(jid) => (Some(jid.clone()), Event::ContactRemoved(jid)),
            Change::Refused => return context.stats.contacts_refused += 1,
        };
        context.out.event(event);
        //= RFC 6121 §3.2.3, §3.3.3: without a subscription to it nobody's presence is known, whether or
        //= not the other server says so.
        if let Some(jid) = jid.filter(|jid| *jid != me.to_bare()) {
            for resource in self.resources.remove_all(&jid) {
                self.departed(&resource);
                gone(context, resource.jid.into(), None);
            }
        }
    }

    /// Whether the sender may know that we are there: our own account and its server, and contacts whom
    /// we let see our presence.
    fn is_seen_by(&self, me: &FullJid, iq: &Stanza) -> bool {
        let Some(from) = iq.from() else { return true };
        let person = from.to_bare();
        let contact = || self.roster.contact(&person).is_some_and(|contact| contact.from);
        person == me.to_bare() || person.as_str() == me.domain().as_str() || contact()
    }

    /// What we answer by ourselves to a question that we understand.
    fn tell(&self, question: &Element) -> Option<Result<Option<Element>, Condition>> {
        if question.is("ping", ns::PING) {
            Some(Ok(None))
        } else if question.is("query", ns::DISCO_INFO) {
            Some(self.tell_info(question))
        } else {
            let items = Element::bare("query", ns::DISCO_ITEMS);
            question.is("query", ns::DISCO_ITEMS).then_some(Ok(Some(items)))
        }
    }

    /// What we are: as a whole, or as the hash says that we are.
    fn tell_info(&self, question: &Element) -> Result<Option<Element>, Condition> {
        let node = crate::xml::attribute(question, "node");
        let ours = self.ver.as_ref().map(super::Ver::node);
        if node.is_none() || node == ours.as_deref() {
            Ok(Some(self.info.element(node)))
        } else {
            Err(Condition::ItemNotFound)
        }
    }
}

/// The answer to a request. It is ours without saying so (RFC 6120 §8.1.2.1).
pub(in super::super) fn answer(
    iq: &Stanza,
    result: Result<Option<Element>, StanzaError>,
) -> Stanza {
    let mut answer = match result {
        Ok(payload) => iq.result(payload),
        Err(error) => iq.error(&error),
    };
    answer.set_from(None);
    answer
}

/// Tells that somebody is not there any more.
fn gone(context: &mut Context<'_>, from: Jid, status: Option<String>) {
    let (available, show, priority) = (false, Default::default(), 0);
    context.out.event(Event::Presence { from, available, show, status, priority });
}

fn message(context: &mut Context<'_>, me: &FullJid, kind: MessageType, stanza: Stanza) {
    let event = match stanza.body() {
        Some(body) => {
            let (from, id) = (sender(&stanza, me), stanza.id().map(str::to_owned));
            Event::Message { from, id, kind, body, stanza }
        }
        None => Event::Stanza(stanza),
    };
    context.out.event(event);
}

/// Who sent a stanza: our own account where it does not say (RFC 6120 §8.1.2.1).
fn sender(stanza: &Stanza, me: &FullJid) -> Jid {
    stanza.from().cloned().unwrap_or_else(|| me.to_bare().into())
}

fn from_account(stanza: &Stanza, me: &FullJid) -> bool {
    stanza.from().is_none_or(|from| *from == me.to_bare())
}
