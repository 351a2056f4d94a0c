//! What a client wants of its roster (RFC 6121 §2), as a plan.

use jid::BareJid;

use super::config::Limits;
use super::defaults::ROSTER_BYTES;
use super::roster::{Change, Roster, item_element};
use super::subscribe;
use super::task::{Effect, Kept, Plan};
use crate::stanza::{Condition, Stanza};

/// Changes a roster. The client gets its answer when the change is kept.
pub(super) fn change(
    user: &BareJid,
    roster: &Roster,
    limits: &Limits,
    change: &Change,
    iq: &Stanza,
) -> Plan {
    if change.contact() == user {
        return Plan::refuse(iq.clone(), Condition::NotAllowed);
    }
    let (contact, name, groups) = match change {
        Change::Remove(contact) => return subscribe::remove(user, roster, contact, iq),
        Change::Set { contact, name, groups } => (contact, name, groups),
    };
    let mut item = roster.item(contact);
    let grows = !item.listed && (roster.get(contact).is_none() && roster.len() >= limits.contacts);
    (item.listed, item.name, item.groups) = (true, name.clone(), groups.clone());
    if grows || roster.bytes() + super::roster::size(&item) > ROSTER_BYTES {
        return Plan::refuse(iq.clone(), Condition::ResourceConstraint);
    }
    Plan {
        //= RFC 6121 §2.3.2: the roster is kept, pushed to all who have asked for it, and then the
        //= request is answered
        effects: vec![Effect::Push(item_element(&item)), Effect::Answer { iq: iq.clone() }],
        kept: Some(Kept::Item(Box::new(item))),
        is_full: false,
    }
}
