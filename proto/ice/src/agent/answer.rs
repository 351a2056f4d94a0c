//! Answering the other side's checks, and learning from them (RFC 8445 §7.3).

use machine::{Endpoint, Now};
use stun::attribute::UNDERSTOOD_BY_ICE;
use stun::{Integrity, Key, Message};

use super::{Agent, Event, Transmit, wire};
use crate::defaults::MAX_EARLY_CHECKS;
use crate::explain::{PairState, Role};

/// A check that arrived, and was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Early {
    /// The sender's user fragment.
    ufrag: String,
    pub(super) stream: usize,
    pub(super) component: u16,
    base: Endpoint,
    pub(super) remote: Endpoint,
    priority: u32,
    use_candidate: bool,
}

/// Why a check is refused.
struct Refusal {
    code: u16,
    /// Whether the sender knows our password.
    proven: Option<Integrity>,
    unknown: Vec<stun::AttributeType>,
}

impl Refusal {
    const fn unproven(code: u16) -> Self {
        Self { code, proven: None, unknown: Vec::new() }
    }

    const fn proven(code: u16, integrity: Integrity) -> Self {
        Self { code, proven: Some(integrity), unknown: Vec::new() }
    }
}

impl Agent {
    pub(super) fn handle_request(
        &mut self,
        now: Now,
        base: Endpoint,
        remote: Endpoint,
        message: &Message<'_>,
    ) {
        let Some((stream, component)) = self.component_of(base) else { return };
        let (integrity, ufrag, priority) = match self.read_request(message) {
            Ok(read) => read,
            Err(refusal) => {
                self.stats.checks_refused += 1;
                let ours = refusal.proven.map(|integrity| (&self.credentials, integrity));
                let bytes = wire::refusal(message, refusal.code, &refusal.unknown, ours);
                self.transmits.push_back(Transmit { base, remote, bytes });
                return;
            }
        };
        self.stats.checks_received += 1;
        if self.settle_conflict(message) {
            let ours = Some((&self.credentials, integrity));
            let bytes = wire::refusal(message, 487, &[], ours);
            self.transmits.push_back(Transmit { base, remote, bytes });
            return;
        }
        //= RFC 8445 §7.3: a check is answered before the remote's candidates are known, too.
        let bytes = wire::success(message, remote, &self.credentials, integrity);
        self.transmits.push_back(Transmit { base, remote, bytes });
        let use_candidate = message.use_candidate();
        let ufrag = ufrag.to_owned();
        let check = Early { ufrag, stream, component, base, remote, priority, use_candidate };
        self.learn_or_keep(now, check);
    }

    /// Whether a check is sound and its sender knows our password; the sender's user fragment and
    /// the check's priority.
    ///
    //= RFC 8489 §9.1.3: 400 without user name or integrity, 401 if either is wrong.
    //= RFC 8489 §6.3.1: 420 for attributes that must be understood and are not.
    fn read_request<'a>(
        &self,
        message: &Message<'a>,
    ) -> Result<(Integrity, &'a str, u32), Refusal> {
        let username = message.username().ok_or(Refusal::unproven(400))?;
        message.integrity().ok_or(Refusal::unproven(400))?;
        let (ours, theirs) = username.split_once(':').ok_or(Refusal::unproven(401))?;
        if ours != self.credentials.ufrag {
            return Err(Refusal::unproven(401));
        }
        let key = Key::short_term(&self.credentials.pwd);
        let integrity = message.verify_integrity(&key).map_err(|_| Refusal::unproven(401))?;
        let unknown = message.unknown_required(UNDERSTOOD_BY_ICE);
        if !unknown.is_empty() {
            return Err(Refusal { code: 420, proven: Some(integrity), unknown });
        }
        //= RFC 8445 §7.1.1: every check carries PRIORITY.
        let priority = message.priority().ok_or(Refusal::proven(400, integrity))?;
        Ok((integrity, theirs, priority))
    }

    /// The stream and component that `base` belongs to.
    fn component_of(&self, base: Endpoint) -> Option<(usize, u16)> {
        self.streams.iter().enumerate().find_map(|(number, stream)| {
            let candidate = stream.local.iter().find(|c| c.base == base)?;
            (candidate.component <= stream.components).then_some((number, candidate.component))
        })
    }

    /// Learns from a check now if it is the known remote's, else keeps it for the time when the
    /// remote's credentials arrive: a call that forks has several remotes, and one will be it.
    fn learn_or_keep(&mut self, now: Now, check: Early) {
        if self.remote.as_ref().is_some_and(|remote| remote.credentials.ufrag == check.ufrag) {
            self.learn(now, &check);
            return;
        }
        let same = |early: &&mut Early| {
            (&early.ufrag, early.base, early.remote) == (&check.ufrag, check.base, check.remote)
        };
        if let Some(known) = self.early.iter_mut().find(same) {
            known.use_candidate |= check.use_candidate;
        } else if self.early.len() < MAX_EARLY_CHECKS {
            self.early.push(check);
        } else {
            self.stats.early_checks_dropped += 1;
        }
    }

    /// Looks at the checks that came before the remote's credentials.
    pub(super) fn learn_early(&mut self, now: Now) {
        let Some(remote) = &self.remote else { return };
        let ufrag = &remote.credentials.ufrag;
        let (known, others) = std::mem::take(&mut self.early)
            .into_iter()
            .partition(|early: &Early| early.ufrag == *ufrag);
        self.early = others;
        let known: Vec<Early> = known;
        known.iter().for_each(|check| self.learn(now, check));
    }

    /// Learns from a check of the known remote: a candidate perhaps, a pair, a nomination, and that
    /// this pair is worth a check of ours.
    fn learn(&mut self, now: Now, check: &Early) {
        let Early { stream, component, base, remote, priority, .. } = *check;
        let Some(theirs) = self.remote_of_check(stream, component, remote, priority) else {
            return;
        };
        let chosen = self
            .streams
            .get(stream)
            .and_then(|stream| stream.component(component))
            .is_some_and(|component| component.selected.is_some());
        let id = match self.find_pair(stream, base, remote) {
            Some(id) => id,
            // The choice has been made: what else works is of no more interest.
            None if chosen && !check.use_candidate => return,
            None => {
                let Some(ours) = self.local_at(stream, base) else { return };
                let Some(id) = self.form_pair(stream, ours, theirs) else { return };
                id
            }
        };
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.checks_received = pair.checks_received.saturating_add(1);
        if self.role == Role::Controlled && check.use_candidate {
            pair.nominated = true;
        }
        match pair.state {
            //= RFC 8445 §7.3.1.5: what works already is selected as soon as it is nominated.
            PairState::Succeeded => {
                if pair.nominated && self.role == Role::Controlled {
                    self.select(now.mono, id);
                }
            }
            _ if chosen && !check.use_candidate => {}
            //= RFC 8445 §7.3.1.4: any other pair gets a triggered check; one that is being checked is
            //= checked anew.
            PairState::InProgress => {
                self.cancel_checks(now.mono, id);
                self.checklists.trigger(id);
            }
            PairState::Waiting | PairState::Frozen | PairState::Failed => {
                self.checklists.trigger(id);
            }
        }
        self.event(Event::Pair(id));
        self.consider(now.mono);
    }

    /// Our candidate to pair what arrives at `base` with.
    fn local_at(&self, stream: usize, base: Endpoint) -> Option<usize> {
        let local = &self.streams.get(stream)?.local;
        let host = local.iter().position(|c| c.endpoint == base && c.base == base);
        host.or_else(|| local.iter().position(|c| c.base == base))
    }
}
