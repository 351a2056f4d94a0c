//! What our relays say: an address that they refuse to send to, an allocation that ended (RFC 8656
//! §9, §3).

use std::net::IpAddr;

use machine::{Endpoint, Now};

use super::{Agent, Event, Phase};
use crate::explain::Fate;
use crate::pair::PairId;

impl Agent {
    /// The relay at `base` does not send to `peer`: pairs that go there cannot work.
    pub fn refuse_peer(&mut self, now: Now, base: Endpoint, peer: IpAddr, code: u16) {
        let refused = self.pairs_from(base, Some(peer));
        for id in refused {
            let hopeful = self.checklists.get(id).is_some_and(|pair| pair.valid.is_none());
            if hopeful {
                self.cancel_checks(now.mono, id);
                self.checklists.untrigger(id);
                self.fail_pair(now.mono, id, Fate::NotPermitted { code });
            }
        }
    }

    /// A candidate of ours is no more, as is everything that leaves from `base`: it was given back,
    /// or its relay forgot it. The other side is told no longer, and after a restart nothing is
    /// paired with it.
    ///
    /// A chosen pair that ends with it makes way for the next best; if none works, the session fails.
    pub fn withdraw_local(&mut self, now: Now, base: Endpoint) {
        for stream in &mut self.streams {
            let gone = stream.local.iter().enumerate().filter(|(_, c)| c.base == base);
            let gone: Vec<usize> = gone.map(|(index, _)| index).collect();
            stream.withdrawn.extend(gone);
        }
        for id in self.pairs_from(base, None) {
            self.cancel_checks(now.mono, id);
            self.checklists.untrigger(id);
            self.withdraw_pair(id);
        }
        for (stream, component) in self.components() {
            if let Some(state) =
                self.streams.get_mut(stream).and_then(|s| s.component_mut(component))
                && state.previous.as_ref().is_some_and(|way| way.local.base == base)
            {
                state.previous = None;
            }
        }
        self.consider(now.mono);
    }

    /// A pair loses its base. What is known of how it went stays.
    fn withdraw_pair(&mut self, id: PairId) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        let pending = pair.is_pending();
        pair.valid = None;
        pair.nominated = false;
        let (stream, component) = (pair.stream, pair.component);
        let Some(state) = self.streams.get_mut(stream).and_then(|s| s.component_mut(component))
        else {
            return;
        };
        if state.nominating.is_some_and(|(nominated, _)| nominated == id) {
            state.nominating = None;
        }
        let chosen = state.selected == Some(id);
        if chosen {
            state.selected = None;
            if self.phase == Phase::Completed {
                self.phase = Phase::Running;
            }
        }
        if (chosen || pending)
            && let Some(pair) = self.checklists.get_mut(id)
        {
            pair.state = crate::PairState::Failed;
            pair.failure = Some(Fate::Withdrawn);
        }
        self.event(Event::Pair(id));
    }

    /// The pairs that leave from `base`, towards `peer` or anywhere.
    fn pairs_from(&self, base: Endpoint, peer: Option<IpAddr>) -> Vec<PairId> {
        let pairs = self.checklists.pairs().iter().filter(|pair| {
            let Some(stream) = self.streams.get(pair.stream) else { return false };
            let from = stream.local.get(pair.local).is_some_and(|c| c.base == base);
            let to = stream
                .remote
                .get(pair.remote)
                .is_some_and(|c| peer.is_none_or(|peer| c.endpoint.ip() == peer));
            from && to
        });
        pairs.map(|pair| pair.id).collect()
    }
}
