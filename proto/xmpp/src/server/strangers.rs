//! Connections that have not bound a resource, by where they came from and in all: whoever is not
//! known yet may not take the place of those who are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::config::Limits;
use super::defaults::STRANGERS_SHARE;

/// How many there are, by holder of their address.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    by_holder: BTreeMap<IpAddr, usize>,
    in_all: usize,
}

impl Strangers {
    /// Counts one more, unless there are too many.
    pub(super) fn admit(&mut self, limits: &Limits, holder: IpAddr) -> bool {
        let theirs = self.by_holder.get(&holder).copied().unwrap_or_default();
        let per_holder = limits.unauthenticated_per_address;
        // A server for a handful lets one address log in all the same.
        let in_all = (limits.connections / STRANGERS_SHARE).max(per_holder);
        let admitted = theirs < per_holder && self.in_all < in_all;
        if admitted {
            self.by_holder.insert(holder, theirs + 1);
            self.in_all += 1;
        }
        admitted
    }

    /// One is known, or gone.
    pub(super) fn one_less(&mut self, holder: IpAddr) {
        let Some(count) = self.by_holder.get_mut(&holder) else { return };
        *count -= 1;
        self.in_all -= 1;
        if *count == 0 {
            self.by_holder.remove(&holder);
        }
    }
}
