//! Which device of a person's a call goes to, by what the devices that we see say of themselves
//! (XEP-0115).

use xmpp::client::Client;
use xmpp::{BareJid, FullJid, ns};

/// What a look at a person's devices comes to.
pub(crate) enum Found {
    /// This one can.
    Device {
        /// Its address.
        device: FullJid,
        /// Whether it knows no ICE.
        raw: bool,
    },
    /// One has not said yet what it can do.
    Unsure,
    /// None is seen, or none can be called straight away.
    Nobody,
    /// All that are seen have said that they take no calls.
    Incapable,
}

/// Looks for a device that can take a call, those that get what is for all of them first. `hurry`: does
/// not wait for one that has not said what it can do.
pub(crate) fn find(client: &Client, us: &FullJid, person: &BareJid, hurry: bool) -> Found {
    let (mut unsure, mut incapable, mut capable) = (false, false, false);
    for resource in client.resources(person).into_iter().filter(|known| known.jid != *us) {
        let can = |feature| client.supports(&resource.jid, feature);
        let (ice, raw) = (can(ns::JINGLE_ICE_UDP), can(ns::JINGLE_RAW_UDP));
        match can(ns::JINGLE_RTP_AUDIO) {
            Some(true) if (!unsure || hurry) && (ice == Some(true) || raw == Some(true)) => {
                return Found::Device { device: resource.jid.clone(), raw: ice != Some(true) };
            }
            None => unsure = true,
            Some(false) if can(ns::JINGLE_MESSAGE) == Some(false) => incapable = true,
            Some(_) => capable = true,
        }
    }
    match unsure {
        true if !hurry => Found::Unsure,
        false if incapable && !capable => Found::Incapable,
        _ => Found::Nobody,
    }
}

/// Whether another device of our own account's may take a call that is proposed to all of them.
pub(crate) fn has_other(client: &Client, us: &FullJid) -> bool {
    let resources = client.resources(&us.to_bare());
    let mut others = resources.into_iter().filter(|known| known.jid != *us);
    others.any(|known| client.supports(&known.jid, ns::JINGLE_MESSAGE) == Some(true))
}
