//! What a subscription's stanza does to a roster, and what follows (RFC 6121 §3), as a plan: the
//! roster's change is kept first, and then the rest is done.

use jid::{BareJid, Jid};

use super::config::Limits;
use super::defaults::{PENDING_IN, PENDING_IN_BYTES, ROSTER_BYTES};
use super::roster::{Roster, is_void, item_element, removed_element, set_state};
use super::subscription::{Half, State, Verb};
use super::task::{Audience, Effect, Kept, Plan, Work};
use crate::stanza::{Condition, Stanza};
use crate::xml;

/// The user's own stanza (RFC 6121 §3.1.2, §3.1.4, §3.2.1, §3.3.2, §3.4).
pub(super) fn outbound(
    user: &BareJid,
    roster: &Roster,
    limits: &Limits,
    verb: Verb,
    contact: &BareJid,
    stanza: &Stanza,
) -> Plan {
    let before = roster.item(contact);
    let from = State::of(&before).from;
    let step = State::of(&before).outbound(verb);
    let mut item = before.clone();
    match verb {
        //= RFC 6121 §3.4.2: approving what nobody has asked for yet is remembered
        Verb::Subscribed if from == Half::No => (item.approved, item.listed) = (true, true),
        //= RFC 6121 §3.4.2: and can be taken back
        Verb::Unsubscribed => item.approved = false,
        _ => {}
    }
    set_state(&mut item, step.state, || unreachable!("only the contact's stanza makes a request"));
    let is_new = item.listed && !before.listed;
    if is_new && (roster.len() >= limits.contacts || roster.bytes() >= ROSTER_BYTES) {
        return Plan::refuse(stanza.clone(), Condition::ResourceConstraint);
    }
    let mut plan = Plan::default();
    plan.keep(&before, item);
    if verb == Verb::Unsubscribed && from == Half::Yes {
        //= RFC 6121 §3.2.1: the contact no longer sees that the user is there
        plan.effects.push(Effect::Hide { of: user.clone(), to: contact.clone() });
    }
    if step.passes {
        plan.pass(contact, verb, user, stanza.clone());
    }
    plan
}

/// A contact's stanza (RFC 6121 §3.1.3, §3.1.6, §3.2.2, §3.3.3).
pub(super) fn inbound(
    user: &BareJid,
    roster: &Roster,
    limits: &Limits,
    verb: Verb,
    from: &BareJid,
    stanza: &Stanza,
) -> Plan {
    let before = roster.item(from);
    let (state, step) = (State::of(&before), State::of(&before).inbound(verb));
    let mut plan = Plan::default();
    if verb == Verb::Subscribe && (state.from == Half::Yes || before.approved) {
        //= RFC 6121 §3.1.3, §3.4.2: who sees it already, or may, is told so by the server
        let mut item = before.clone();
        let granted = State { from: Half::Yes, ..state };
        set_state(&mut item, granted, || unreachable!("it is granted"));
        plan.keep(&before, item);
        plan.pass(from, Verb::Subscribed, user, made_up(user, from, Verb::Subscribed));
        return plan;
    }
    if !step.passes {
        return plan;
    }
    if verb == Verb::Subscribe && before.contact == *from && is_void(&before) {
        let full = roster.len() >= limits.contacts || roster.unlisted() >= PENDING_IN;
        if full {
            return Plan { is_full: true, ..plan };
        }
    }
    let mut item = before.clone();
    set_state(&mut item, step.state, || request(stanza, user, from));
    let audience = match verb {
        //= RFC 6121 §3.1.3: a request goes to the available resources, and later to those that
        //= become available
        Verb::Subscribe => Audience::Available,
        //= RFC 6121 §3.1.6, §3.2.2, §3.3.3: what is granted, or taken back, to those that have asked
        //= for the roster
        _ => Audience::Interested,
    };
    plan.effects.push(Effect::Deliver { audience, stanza: stanza.clone() });
    plan.keep(&before, item);
    match verb {
        //= RFC 6121 §3.1.5: who may see the contact's presence now, does
        Verb::Subscribed => {
            plan.effects.push(Effect::Show { of: from.clone(), to: user.clone() });
        }
        //= RFC 6121 §3.3.3: who unsubscribes sees the user leave
        Verb::Unsubscribe if state.from == Half::Yes => {
            plan.effects.push(Effect::Hide { of: user.clone(), to: from.clone() });
        }
        _ => {}
    }
    plan
}

/// The user removes a contact (RFC 6121 §2.5).
pub(super) fn remove(user: &BareJid, roster: &Roster, contact: &BareJid, iq: &Stanza) -> Plan {
    let Some(item) = roster.get(contact).filter(|item| item.listed) else {
        //= RFC 6121 §2.5.3: who is not in the roster is not found
        return Plan::refuse(iq.clone(), Condition::ItemNotFound);
    };
    let State { to, from } = State::of(item);
    let mut plan = Plan { kept: Some(Kept::Removed(contact.clone())), ..Plan::default() };
    plan.effects.push(Effect::Push(removed_element(contact)));
    plan.effects.push(Effect::Answer { iq: iq.clone() });
    if from == Half::Yes {
        plan.effects.push(Effect::Hide { of: user.clone(), to: contact.clone() });
    }
    //= RFC 6121 §2.5.2: what there was of subscriptions ends, on both sides
    if to != Half::No {
        let stanza = made_up(user, contact, Verb::Unsubscribe);
        plan.pass(contact, Verb::Unsubscribe, user, stanza);
    }
    if from != Half::No {
        let stanza = made_up(user, contact, Verb::Unsubscribed);
        plan.pass(contact, Verb::Unsubscribed, user, stanza);
    }
    plan
}

impl Plan {
    /// Keeps an item in place of what it was, and tells clients if they see a difference.
    fn keep(&mut self, before: &super::RosterItem, item: super::RosterItem) {
        if item == *before {
            return;
        }
        if item.listed {
            let element = item_element(&item);
            if element != item_element(before) || !before.listed {
                self.effects.push(Effect::Push(element));
            }
        }
        let void = is_void(&item);
        self.kept =
            Some(if void { Kept::Removed(item.contact) } else { Kept::Item(Box::new(item)) });
    }

    /// Has the contact's side take what `user` sent.
    fn pass(&mut self, contact: &BareJid, verb: Verb, user: &BareJid, stanza: Stanza) {
        let work = Work::Inbound { verb, from: user.clone(), stanza };
        self.effects.push(Effect::Pass { to: contact.clone(), work: Box::new(work) });
    }
}

/// A stanza of a subscription that the server sends in a user's name.
pub(super) fn made_up(from: &BareJid, to: &BareJid, verb: Verb) -> Stanza {
    let mut stanza = Stanza::presence(Jid::from(to.clone()), verb.presence_type(), []);
    stanza.set_from(Jid::from(from.clone()));
    stanza
}

/// A request as it is kept.
fn request(stanza: &Stanza, user: &BareJid, from: &BareJid) -> String {
    let text = |stanza: &Stanza| {
        let mut bytes = Vec::new();
        xml::write(stanza.element(), &mut bytes);
        String::from_utf8(bytes).unwrap_or_default()
    };
    let whole = text(stanza);
    if whole.len() <= PENDING_IN_BYTES {
        return whole;
    }
    text(&made_up(from, user, Verb::Subscribe))
}
