//! What the server answers itself: for its domain, and for accounts (XEP-0030, XEP-0199, RFC 6121 §2).

use jid::{FullJid, Jid};
use machine::Id;

use super::Server;
use super::roster::Change;
use super::task::Work;
use crate::stanza::{Condition, IqType, Kind, Stanza};
use crate::xml::{attribute, set_attribute};
use crate::{Element, ns};

/// Whether a request asks what an entity is or consists of.
pub(super) fn is_disco(iq: &Stanza) -> bool {
    iq.kind() == Kind::Iq(IqType::Get)
        && iq.iq_payload().is_some_and(|payload| {
            payload.is("query", ns::DISCO_INFO) || payload.is("query", ns::DISCO_ITEMS)
        })
}

/// The answer to a request for what an account is: to its user, and to who sees its presence.
pub(super) fn account_disco(iq: &Stanza) -> Result<Element, Condition> {
    disco(iq, ("account", "registered"), &[ns::DISCO_INFO, ns::DISCO_ITEMS])
}

/// Answers disco; there are no items, and no nodes.
fn disco(
    iq: &Stanza,
    (category, type_): (&str, &str),
    features: &[&str],
) -> Result<Element, Condition> {
    let query = iq.iq_payload().ok_or(Condition::BadRequest)?;
    if attribute(query, "node").is_some() {
        return Err(Condition::ItemNotFound);
    }
    let mut answer = Element::bare("query", query.ns());
    if query.has_ns(ns::DISCO_INFO) {
        let mut identity = Element::bare("identity", ns::DISCO_INFO);
        set_attribute(&mut identity, "category", Some(category));
        set_attribute(&mut identity, "type", Some(type_));
        answer.append_child(identity);
        for var in features {
            let mut feature = Element::bare("feature", ns::DISCO_INFO);
            set_attribute(&mut feature, "var", Some(var));
            answer.append_child(feature);
        }
    }
    Ok(answer)
}

impl Server {
    /// A request for the domain.
    pub(super) fn serve_domain(&mut self, id: Id, iq: &Stanza) {
        let result = if is_disco(iq) {
            let features = [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING];
            disco(iq, ("server", "im"), &features).map(Some)
        } else {
            formality(iq)
        };
        self.answer(id, iq, result);
    }

    /// A request for the sender's own account.
    pub(super) fn serve_account(&mut self, id: Id, me: &FullJid, iq: Stanza) {
        let (Some(payload), Some(node)) = (iq.iq_payload(), me.node()) else { return };
        if payload.is("query", ns::ROSTER) {
            let work = match iq.kind() {
                Kind::Iq(IqType::Set) => match Change::parse(payload) {
                    Ok(change) => Work::Change { iq, change },
                    Err(error) => {
                        self.stats.refuse(super::Refusal::BadStanza);
                        return self.answer_error(id, &iq, &error);
                    }
                },
                _ => Work::Roster { iq },
            };
            return self.enqueue(node.to_owned(), Some(id), work);
        }
        let result = if is_disco(&iq) { account_disco(&iq).map(Some) } else { formality(&iq) };
        self.answer(id, &iq, result);
    }

    /// Answers a request.
    pub(super) fn answer(
        &mut self,
        id: Id,
        iq: &Stanza,
        result: Result<Option<Element>, Condition>,
    ) {
        match result {
            Ok(payload) => self.deliver_all(&[id], iq.result(payload).element()),
            Err(condition) => self.bounce(id, iq, condition),
        }
    }

    /// The address of the domain.
    pub(super) fn domain_jid(&self) -> Jid {
        Jid::from(self.domain.clone())
    }
}

/// What is answered with nothing; everything else is not known.
//= RFC 6120 §8.4: a payload that is not known is answered with service-unavailable
fn formality(iq: &Stanza) -> Result<Option<Element>, Condition> {
    let payload = iq.iq_payload().ok_or(Condition::BadRequest)?;
    let is_ping = iq.kind() == Kind::Iq(IqType::Get) && payload.is("ping", ns::PING);
    let is_session = iq.kind() == Kind::Iq(IqType::Set) && payload.is("session", ns::SESSION);
    if is_ping || is_session { Ok(None) } else { Err(Condition::ServiceUnavailable) }
}
