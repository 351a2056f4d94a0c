//! Taking candidates in, and forming pairs of them (RFC 8445 §5.1.3, §6.1.2).

use machine::{AddressClass, Endpoint, Transport};

use super::{Agent, Error, Event};
use crate::candidate::priority;
use crate::defaults::{
    MAX_FOUNDATION_LEN, MAX_LOCAL_CANDIDATES, MAX_PEER_REFLEXIVE_CANDIDATES, MAX_REMOTE_CANDIDATES,
};
use crate::explain::{Ignored, PairState, Pruned};
use crate::pair::{self, Pair, PairId};
use crate::{Candidate, CandidateKind, LocalCandidate, Origin};

impl Agent {
    /// Takes a candidate of ours; its index if it is new.
    pub(super) fn take_local(
        &mut self,
        stream: usize,
        found: LocalCandidate,
    ) -> Result<Option<usize>, Error> {
        let stream = self.streams.get_mut(stream).ok_or(Error::NoComponent)?;
        if !(1..=stream.components).contains(&found.component) {
            return Err(Error::NoComponent);
        }
        let base = if found.kind == CandidateKind::Relayed { found.endpoint } else { found.base };
        let foundation = self.foundations.of(found.kind, base.ip(), found.server, found.transport);
        let candidate = Candidate {
            kind: found.kind,
            component: found.component,
            foundation,
            priority: priority(found.kind, found.local_preference, found.component),
            transport: found.transport,
            endpoint: found.endpoint,
            base,
            related: found.related,
            origin: found.origin,
        };
        let same = |known: &Candidate| {
            known.component == candidate.component
                && known.endpoint == candidate.endpoint
                && known.base == candidate.base
        };
        if let Some(index) = stream.local.iter().position(same) {
            //= RFC 8445 §5.1.3: of candidates with the same address and base one is kept. What only a
            // check had revealed is now known from a source that the other side can be told.
            let known = &mut stream.local[index];
            let upgrade = stream.withdrawn.remove(&index) || known.origin == Origin::Check;
            if upgrade {
                *known = candidate;
            }
            return Ok(upgrade.then_some(index));
        }
        let of_component = stream.local.iter().filter(|c| c.component == candidate.component);
        if of_component.count() >= MAX_LOCAL_CANDIDATES {
            return Err(Error::TooMany);
        }
        stream.local.push(candidate);
        Ok(Some(stream.local.len() - 1))
    }

    /// Takes a candidate that the other side told; its index if it is new.
    pub(super) fn take_remote(&mut self, stream: usize, candidate: Candidate) -> Option<usize> {
        let (base, origin) = (candidate.endpoint, Origin::Signalled);
        let candidate = Candidate { base, origin, ..candidate };
        let number = stream;
        let stream = self.streams.get_mut(stream)?;
        let known = stream.remote.iter().position(|known| {
            known.component == candidate.component && known.endpoint == candidate.endpoint
        });
        if let Some(index) = known {
            // A check came before the candidate was told: now its kind, foundation and priority
            // are known better (RFC 8838 §11.4).
            if stream.remote[index].origin == Origin::Check {
                stream.remote[index] = candidate;
                self.reprice_pairs(|pair| pair.stream == number && pair.remote == index);
            }
            return None;
        }
        let of_component =
            stream.remote.iter().filter(|c| c.component == candidate.component).count();
        let ignored = if !(1..=stream.components).contains(&candidate.component) {
            Some(Ignored::Component)
        } else if candidate.transport != Transport::Udp {
            Some(Ignored::Transport(candidate.transport))
        } else if !is_destination(candidate.endpoint) {
            Some(Ignored::Address)
        } else if !(1..=MAX_FOUNDATION_LEN).contains(&candidate.foundation.len()) {
            Some(Ignored::Foundation)
        } else if of_component >= MAX_REMOTE_CANDIDATES {
            Some(Ignored::Limit)
        } else {
            None
        };
        if let Some(why) = ignored {
            if stream.ignored.len() < MAX_REMOTE_CANDIDATES {
                stream.ignored.push((candidate, why));
            }
            return None;
        }
        stream.remote.push(candidate);
        Some(stream.remote.len() - 1)
    }

    /// The candidate that a check came from; a new one if none is known with this address.
    ///
    //= RFC 8445 §7.3.1.3: a peer-reflexive candidate with the priority of the check, and a foundation
    //= that no other candidate has.
    pub(super) fn remote_of_check(
        &mut self,
        stream: usize,
        component: u16,
        remote: Endpoint,
        priority: u32,
    ) -> Option<usize> {
        let stream = self.streams.get_mut(stream)?;
        let known =
            stream.remote.iter().position(|c| c.component == component && c.endpoint == remote);
        if known.is_some() {
            return known;
        }
        let learned = stream
            .remote
            .iter()
            .filter(|c| c.component == component && c.origin == Origin::Check)
            .count();
        if learned >= MAX_PEER_REFLEXIVE_CANDIDATES || !is_destination(remote) {
            return None;
        }
        stream.remote.push(Candidate {
            kind: CandidateKind::PeerReflexive,
            component,
            // No ICE character, so that no foundation that is told can be the same.
            foundation: format!("~{}", stream.remote.len()),
            priority,
            transport: Transport::Udp,
            endpoint: remote,
            base: remote,
            related: None,
            origin: Origin::Check,
        });
        Some(stream.remote.len() - 1)
    }

    /// Our candidate that a response names; a new one if none is known with this address.
    ///
    //= RFC 8445 §7.2.5.3.1: a peer-reflexive candidate with the base that the check was sent from and
    //= the priority that it carried.
    pub(super) fn local_of_response(
        &mut self,
        pair: PairId,
        mapped: Endpoint,
        priority: u32,
    ) -> Option<usize> {
        let pair = self.checklists.get(pair)?;
        let stream = self.streams.get_mut(pair.stream)?;
        let used = stream.local.get(pair.local)?;
        if used.endpoint == mapped {
            return Some(pair.local);
        }
        let (base, component) = (used.base, used.component);
        let same = |c: &Candidate| (c.component, c.endpoint, c.base) == (component, mapped, base);
        if let Some(index) = stream.local.iter().position(same) {
            return Some(index);
        }
        let of_component = stream.local.iter().filter(|c| c.component == component).count();
        if of_component >= MAX_LOCAL_CANDIDATES + MAX_PEER_REFLEXIVE_CANDIDATES {
            // The answer proves the way all the same; only its name is lost.
            return Some(pair.local);
        }
        let kind = CandidateKind::PeerReflexive;
        let foundation = self.foundations.of(kind, base.ip(), None, Transport::Udp);
        stream.local.push(Candidate {
            kind,
            component,
            foundation,
            priority,
            transport: Transport::Udp,
            endpoint: mapped,
            base,
            related: Some(base),
            origin: Origin::Check,
        });
        Some(stream.local.len() - 1)
    }

    /// Pairs a candidate of ours with all of theirs.
    pub(super) fn pair_local(&mut self, stream: usize, local: usize) {
        let remotes = self.streams.get(stream).map_or(0, |stream| stream.remote.len());
        for remote in 0..remotes {
            self.form_pair(stream, local, remote);
        }
    }

    /// Pairs a candidate of theirs with all of ours.
    pub(super) fn pair_remote(&mut self, stream: usize, remote: usize) {
        let locals = self.streams.get(stream).map_or(0, |stream| stream.local.len());
        for local in 0..locals {
            self.form_pair(stream, local, remote);
        }
    }

    /// Forms one pair, if the two fit and no other pair takes the same way.
    pub(super) fn form_pair(
        &mut self,
        stream: usize,
        local: usize,
        remote: usize,
    ) -> Option<PairId> {
        let this = self.streams.get(stream)?;
        let (ours, theirs) = (this.local.get(local)?, this.remote.get(remote)?);
        //= RFC 8445 §7.2.5.3.1: what a response revealed of us is not paired.
        let unfit = ours.origin == Origin::Check || this.withdrawn.contains(&local);
        if unfit || !pair::fits(ours, theirs) {
            return None;
        }
        let pair = Pair {
            id: self.next_pair,
            stream,
            component: ours.component,
            local,
            remote,
            foundation: (ours.foundation.clone(), theirs.foundation.clone()),
            priority: pair::priority(self.role, ours.priority, theirs.priority),
            relayed: pair::is_relayed(ours, theirs),
            unlikely: pair::is_unlikely(ours, theirs),
            state: PairState::Frozen,
            retired: this.component(ours.component)?.selected.is_some(),
            failure: None,
            valid: None,
            nominated: false,
            icmp: None,
            checks_sent: 0,
            checked_since: None,
            checks_received: 0,
            rtt: None,
            told: None,
        };
        //= RFC 8445 §6.1.2.4: a reflexive candidate of ours is sent from its base, so a pair that goes
        //= from the same base to the same address is redundant.
        let redundant = self.find_pair(stream, ours.base, theirs.endpoint);
        self.next_pair += 1;
        let id = pair.id;
        if let Some(with) = redundant {
            self.checklists.drop_pair(pair, Pruned::Redundant { with });
            return None;
        }
        if !self.checklists.insert(pair) {
            return None;
        }
        self.event(Event::Pair(id));
        Some(id)
    }

    /// The pair that goes from `base` to `remote`.
    pub(super) fn find_pair(
        &self,
        stream: usize,
        base: Endpoint,
        remote: Endpoint,
    ) -> Option<PairId> {
        let this = self.streams.get(stream)?;
        let goes = |pair: &&Pair| {
            pair.stream == stream
                && this.local.get(pair.local).is_some_and(|c| c.base == base)
                && this.remote.get(pair.remote).is_some_and(|c| c.endpoint == remote)
        };
        self.checklists.pairs().iter().find(goes).map(|pair| pair.id)
    }

    /// Computes priority and foundation of some pairs anew.
    pub(super) fn reprice_pairs(&mut self, which: impl Fn(&Pair) -> bool) {
        let (streams, role) = (&self.streams, self.role);
        for pair in self.checklists.pairs_mut().filter(|pair| which(pair)) {
            let Some(stream) = streams.get(pair.stream) else { continue };
            let Some(theirs) = stream.remote.get(pair.remote) else { continue };
            if let Some(ours) = stream.local.get(pair.local) {
                pair.foundation = (ours.foundation.clone(), theirs.foundation.clone());
                pair.priority = pair::priority(role, ours.priority, theirs.priority);
                pair.relayed = pair::is_relayed(ours, theirs);
            }
            if let Some(valid) = &mut pair.valid
                && let Some(seen) = stream.local.get(valid.local)
            {
                valid.priority = pair::priority(role, seen.priority, theirs.priority);
            }
        }
    }
}

/// Whether packets can be sent there.
fn is_destination(endpoint: Endpoint) -> bool {
    let class = AddressClass::of(endpoint.ip());
    endpoint.port() != 0
        && !matches!(
            class,
            AddressClass::Unspecified | AddressClass::Multicast | AddressClass::Broadcast
        )
}
