//! Candidates that are told one by one (RFC 8838): ours as they are found, theirs as they come.
//!
//! A call that trickles speaks as soon as its sockets are bound, and says the rest by
//! [`Event::Candidates`]. Without ICE there is nothing to trickle: it waits like any other.

use connect::{Connect, IceMode};
use ice::{Candidate, CandidateKind};
use machine::Now;

use super::{Call, Event, State};
use crate::defaults::MAX_CANDIDATES;
use crate::description::{Description, Ice};

impl Call {
    /// Takes more candidates of the other side's for the content at `index` of its description;
    /// `complete` says that no others follow. What is for another content, or over the limit, is
    /// left out.
    pub fn add_candidates(
        &mut self,
        now: Now,
        connect: &mut Connect,
        index: usize,
        candidates: &[Candidate],
        complete: bool,
    ) {
        if index != self.index || self.state == State::Ended {
            return;
        }
        let Some(ice) = self.theirs.as_mut().and_then(|theirs| ice_at(theirs, index)) else {
            return;
        };
        let room = MAX_CANDIDATES.saturating_sub(ice.candidates.len());
        let taken = candidates.get(..room.min(candidates.len())).unwrap_or_default();
        ice.candidates.extend_from_slice(taken);
        ice.complete |= complete;
        // Before it is agreed on, all is told at once.
        if self.agreed.is_some() {
            connect.add_remote(now, self.session, 0, taken, complete);
            self.drain(now, connect);
        }
    }

    /// Whether enough is known of our side to speak.
    pub(super) fn is_ready(&self, connect: &Connect) -> bool {
        let no_ice = |theirs: &Description| {
            theirs.contents.get(self.index).is_some_and(|content| content.transport.ice.is_none())
        };
        let plain = self.config.ice == IceMode::Off || self.theirs.as_ref().is_some_and(no_ice);
        let bound = || connect.local(self.session).is_some_and(|local| local.bound);
        self.gathered || (self.config.trickle && !plain && bound())
    }

    /// A candidate of ours was found.
    pub(super) fn found(&mut self, now: Now, connect: &mut Connect, candidate: &Candidate) {
        if self.ours.is_none() {
            // Only an answer's own parameters can be refused here, and the offer's were read.
            let _ = self.speak(now, connect);
            return;
        }
        // What a check reveals, both sides learn from it.
        let revealed = candidate.kind == CandidateKind::PeerReflexive;
        let unused =
            candidate.component > 1 && self.agreed.as_ref().is_some_and(|agreed| agreed.rtcp_mux);
        if revealed || unused {
            return;
        }
        if self.config.trickle {
            self.tell(Some(candidate), false);
        } else {
            // A STUN server answered late, when packets were lost: our description is out already.
            self.untold = true;
            self.tell_late(connect);
        }
    }

    /// Tells the other side a candidate, or that no others follow.
    ///
    //= RFC 8838 §13: nothing follows what was said to be the end.
    pub(super) fn tell(&mut self, candidate: Option<&Candidate>, complete: bool) {
        let index = self.index;
        let Some(ice) = self.ours.as_mut().and_then(|ours| ice_at(ours, index)) else { return };
        let known = |candidate: &&Candidate| {
            let same = |told: &Candidate| {
                (told.component, told.endpoint) == (candidate.component, candidate.endpoint)
            };
            ice.candidates.iter().any(same)
        };
        let candidate = candidate.filter(|candidate| !known(candidate));
        if ice.complete || (candidate.is_none() && !complete) {
            return;
        }
        ice.candidates.extend(candidate.cloned());
        ice.complete = complete;
        if !matches!(self.events.back(), Some(Event::Candidates { .. })) {
            let (candidates, complete) = (Vec::new(), false);
            self.events.push_back(Event::Candidates { index, candidates, complete });
        }
        if let Some(Event::Candidates { candidates, complete: end, .. }) = self.events.back_mut() {
            candidates.extend(candidate.cloned());
            *end = complete;
        }
    }

    /// Offers the description anew while a path is still looked for, with what was found since.
    pub(super) fn tell_late(&mut self, connect: &Connect) {
        if self.state == State::Connecting
            && std::mem::take(&mut self.untold)
            && let Ok(offer) = self.offer(connect)
        {
            self.events.push_back(Event::Offer(offer));
        }
    }
}

/// What a description says of ICE in one of its contents.
fn ice_at(description: &mut Description, index: usize) -> Option<&mut Ice> {
    description.contents.get_mut(index)?.transport.ice.as_mut()
}
