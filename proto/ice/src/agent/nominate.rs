//! Choosing a pair, concluding, failing (RFC 8445 §8.1, RFC 8863).

use machine::{Endpoint, Instant};

use super::{Agent, Event, Phase, Timer, Way};
use crate::defaults::RENOMINATE;
use crate::explain::{Reason, Role};
use crate::pair::{Pair, PairId};

impl Agent {
    /// A pair works: the owner may send data on it.
    pub(super) fn became_valid(&mut self, now: Instant, id: PairId) {
        let Some(pair) = self.checklists.get(id) else { return };
        let (stream, component) = (pair.stream, pair.component);
        let Some(state) = self.streams.get_mut(stream).and_then(|s| s.component_mut(component))
        else {
            return;
        };
        state.valid_since.get_or_insert(now);
        if !state.writable {
            state.writable = true;
            state.last_sent = now;
            self.events.push_back(Event::Writable { stream, component });
            let at = now + self.config.keepalive;
            self.timers.set(Timer::Keepalive { stream, component }, at);
        }
        if self.timers.at(&Timer::Nominate { stream }).is_none() {
            self.timers.set(Timer::Nominate { stream }, now + self.config.nomination_patience);
        }
    }

    /// Takes a nominated pair for its component, unless a better one is nominated already.
    ///
    //= RFC 8445 §8.1.1: of several nominated pairs, which only older peers make, the one of the highest
    //= priority counts.
    pub(super) fn select(&mut self, now: Instant, id: PairId) {
        let Some(pair) = self.checklists.get(id) else { return };
        let (stream, component) = (pair.stream, pair.component);
        let Some(priority) = pair.valid.map(|valid| valid.priority) else { return };
        let Some(state) = self.streams.get(stream).and_then(|s| s.component(component)) else {
            return;
        };
        let better = state
            .selected
            .filter(|selected| *selected != id)
            .and_then(|selected| self.checklists.get(selected)?.valid)
            .is_some_and(|valid| valid.priority > priority);
        if better || state.selected == Some(id) {
            return;
        }
        let before = state.selected;
        if let Some(state) = self.streams.get_mut(stream).and_then(|s| s.component_mut(component)) {
            state.selected = Some(id);
            state.nominating = None;
            state.previous = None;
        }
        for retired in self.checklists.retire(now, stream, component, id) {
            //= RFC 8445 §8.1.2: checks of the component's other pairs are cancelled.
            self.cancel_checks(now, retired);
            self.event(Event::Pair(retired));
        }
        before.into_iter().chain([id]).for_each(|id| self.event(Event::Pair(id)));
        self.events.push_back(Event::Selected { stream, component });
    }

    /// Looks at what is to be decided: nominations, completion, failure.
    pub(super) fn consider(&mut self, now: Instant) {
        if let Phase::Failed(_) = self.phase {
            return;
        }
        for stream in 0..self.streams.len() {
            self.consider_nominations(now, stream, false);
        }
        if self.phase == Phase::Running && self.remote.is_some() {
            self.consider_end();
        }
    }

    pub(super) fn nomination_due(&mut self, now: Instant, stream: usize) {
        self.consider_nominations(now, stream, true);
        // Later pairs that work are looked at after the same patience.
        let open = self.components().any(|(s, c)| s == stream && self.is_open(s, c));
        if open && self.role == Role::Controlling {
            self.timers.set(Timer::Nominate { stream }, now + self.config.nomination_patience);
        }
    }

    /// Nominates the best pair that works in each component, if nothing better can be hoped for or
    /// the time for hope is over (`due`).
    ///
    //= RFC 8445 §8.1.1: the controlling side nominates one pair for each component, by its own
    //= criterion.
    fn consider_nominations(&mut self, now: Instant, stream: usize, due: bool) {
        if self.role != Role::Controlling || self.remote.is_none() {
            return;
        }
        let components = self.streams.get(stream).map_or(0, |stream| stream.components);
        for component in 1..=components {
            if !self.is_open(stream, component) {
                continue;
            }
            let Some(best) = self.best_valid(stream, component) else { continue };
            let complete = self.local_complete && self.remote_complete;
            let better = |pair: &&Pair| {
                (pair.stream, pair.component) == (stream, component)
                    && pair.is_pending()
                    && pair.priority > best.priority
            };
            let mut better = self.checklists.pairs().iter().filter(better);
            let hope = !complete || better.clone().next().is_some();
            let direct = !complete || better.any(|pair| !pair.relayed);
            let since = self.streams.get(stream).and_then(|s| s.component(component)?.valid_since);
            let waited = now.saturating_since(since.unwrap_or(now));
            let early = direct && best.relayed && waited < self.config.relayed_nomination_patience;
            let id = best.id;
            if !hope || (due && !early) {
                self.nominate(now, id);
            }
        }
    }

    /// Whether a component has no chosen pair, nor one that is being nominated.
    fn is_open(&self, stream: usize, component: u16) -> bool {
        self.streams
            .get(stream)
            .and_then(|stream| stream.component(component))
            .is_some_and(|state| state.selected.is_none() && state.nominating.is_none())
    }

    /// The pair that works and has the highest priority.
    fn best_valid(&self, stream: usize, component: u16) -> Option<&Pair> {
        self.checklists
            .pairs()
            .iter()
            .filter(|pair| (pair.stream, pair.component) == (stream, component))
            .filter(|pair| pair.valid.is_some())
            .max_by_key(|pair| pair.valid.map(|valid| valid.priority))
    }

    fn nominate(&mut self, now: Instant, id: PairId) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.nominated = true;
        let (stream, component) = (pair.stream, pair.component);
        if let Some(state) = self.streams.get_mut(stream).and_then(|s| s.component_mut(component)) {
            state.nominating = Some((id, now));
            self.timers.set(Timer::Renominate { stream, component }, now + RENOMINATE);
        }
        //= RFC 8445 §8.1.1: the check is repeated with USE-CANDIDATE, as a triggered check.
        self.checklists.trigger(id);
    }

    /// A nomination has not been answered: it is tried again, as long as a check may take.
    pub(super) fn renomination_due(&mut self, now: Instant, stream: usize, component: u16) {
        let state = self.streams.get(stream).and_then(|s| s.component(component));
        let Some((id, since)) = state.and_then(|state| state.nominating) else { return };
        if now.saturating_since(since) >= self.config.check_lifetime {
            self.fail_unanswered(now, id);
            return;
        }
        self.cancel_checks(now, id);
        self.checklists.trigger(id);
        self.timers.set(Timer::Renominate { stream, component }, now + RENOMINATE);
    }

    /// Every component that is in use: stream, component.
    pub(super) fn components(&self) -> impl Iterator<Item = (usize, u16)> + use<> {
        let counts: Vec<u16> = self.streams.iter().map(|stream| stream.components).collect();
        counts.into_iter().enumerate().flat_map(|(s, n)| (1..=n).map(move |c| (s, c)))
    }

    /// Notices that every component has its pair, or that one cannot get any.
    fn consider_end(&mut self) {
        let open: Vec<(usize, u16)> = self
            .components()
            .filter(|&(stream, component)| {
                let state = self.streams.get(stream).and_then(|s| s.component(component));
                state.is_some_and(|state| state.selected.is_none())
            })
            .collect();
        if open.is_empty() {
            self.phase = Phase::Completed;
            self.events.push_back(Event::Completed);
            return;
        }
        //= RFC 8863 §4: no failure before the time is up in which others may turn up.
        if !self.patience_over {
            return;
        }
        //= RFC 8838 §8: nor before both sides have told all of their candidates.
        let complete = self.local_complete && self.remote_complete;
        if !complete && !self.trickle_over {
            return;
        }
        let hopeless = open.into_iter().find(|&(stream, component)| {
            !self.checklists.pairs().iter().any(|pair| {
                (pair.stream, pair.component) == (stream, component)
                    && (pair.is_pending() || pair.valid.is_some())
            })
        });
        //= RFC 8445 §8.1.2: a component whose pairs have all failed fails the session.
        if let Some((stream, component)) = hopeless {
            let reason = self.reason(stream, component);
            self.phase = Phase::Failed(reason);
            self.events.push_back(Event::Failed(reason));
        }
    }

    fn reason(&self, stream: usize, component: u16) -> Reason {
        let this = self.streams.get(stream);
        let has = |candidates: Option<&Vec<crate::Candidate>>| {
            candidates.is_some_and(|list| list.iter().any(|c| c.component == component))
        };
        let paired =
            self.checklists.pairs().iter().chain(self.checklists.dropped().iter().map(|d| &d.0));
        if !has(this.map(|stream| &stream.local)) {
            Reason::NoLocalCandidates
        } else if !has(this.map(|stream| &stream.remote)) {
            Reason::NoRemoteCandidates
        } else if !paired.into_iter().any(|p| (p.stream, p.component) == (stream, component)) {
            Reason::NoPairs
        } else {
            Reason::NoPairWorked { stream, component }
        }
    }

    /// The chosen pair that works, else the best that does, and whether it was chosen.
    fn best_pair(&self, stream: usize, component: u16) -> Option<(&Pair, bool)> {
        let state = self.streams.get(stream)?.component(component)?;
        let selected = state.selected.and_then(|id| self.checklists.get(id));
        match selected.filter(|pair| pair.valid.is_some()) {
            Some(pair) => Some((pair, true)),
            None => self.best_valid(stream, component).map(|pair| (pair, false)),
        }
    }

    /// The best way known: the chosen pair, else the best that works, else the one from before a
    /// restart.
    pub(super) fn current_way(&self, stream: usize, component: u16) -> Option<Way> {
        let this = self.streams.get(stream)?;
        let Some((pair, selected)) = self.best_pair(stream, component) else {
            return this.component(component)?.previous.clone();
        };
        Some(Way {
            local: this.local.get(pair.valid?.local)?.clone(),
            remote: this.remote.get(pair.remote)?.clone(),
            selected,
            rtt: pair.rtt,
        })
    }

    /// As [`current_way`](Self::current_way): base and remote address.
    pub(super) fn current_destination(
        &self,
        stream: usize,
        component: u16,
    ) -> Option<(Endpoint, Endpoint)> {
        let this = self.streams.get(stream)?;
        match self.best_pair(stream, component) {
            Some((pair, _)) => {
                let local = this.local.get(pair.valid?.local)?;
                Some((local.base, this.remote.get(pair.remote)?.endpoint))
            }
            None => {
                let way = this.component(component)?.previous.as_ref()?;
                Some((way.local.base, way.remote.endpoint))
            }
        }
    }
}
