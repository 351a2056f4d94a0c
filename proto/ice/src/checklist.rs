//! The checklist set: every stream's pairs, their states, and whose turn it is (RFC 8445 §6.1).

use std::collections::VecDeque;

use machine::Instant;

use crate::defaults::{ANSWER_DUE, MAX_PRUNED_REMEMBERED};
use crate::explain::{PairState, Pruned};
use crate::pair::{Pair, PairId};

/// The pairs of all streams, and the queues of triggered checks.
#[derive(Clone, Debug)]
pub(crate) struct ChecklistSet {
    pairs: Vec<Pair>,
    /// Pairs that were never checked, and why.
    dropped: Vec<(Pair, Pruned)>,
    /// A queue of triggered checks for each stream (§6.1.4.1).
    triggered: Vec<VecDeque<PairId>>,
    /// The stream whose turn is next.
    turn: usize,
    max_pairs: usize,
}

impl ChecklistSet {
    pub(crate) fn new(max_pairs: usize) -> Self {
        Self { pairs: Vec::new(), dropped: Vec::new(), triggered: Vec::new(), turn: 0, max_pairs }
    }

    /// Adds an empty checklist.
    pub(crate) fn add_stream(&mut self) {
        self.triggered.push(VecDeque::new());
    }

    /// Forgets every pair.
    pub(crate) fn clear(&mut self) {
        self.pairs.clear();
        self.dropped.clear();
        self.triggered.iter_mut().for_each(VecDeque::clear);
        self.turn = 0;
    }

    /// Every pair, in no particular order.
    pub(crate) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Every pair, to change.
    pub(crate) fn pairs_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.pairs.iter_mut()
    }

    /// Pairs that were never checked, and why.
    pub(crate) fn dropped(&self) -> &[(Pair, Pruned)] {
        &self.dropped
    }

    /// The pair with this number.
    pub(crate) fn get(&self, id: PairId) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.id == id)
    }

    /// The pair with this number, to change.
    pub(crate) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.id == id)
    }

    /// Remembers that `pair` was not added.
    pub(crate) fn drop_pair(&mut self, pair: Pair, why: Pruned) {
        if self.dropped.len() < MAX_PRUNED_REMEMBERED {
            self.dropped.push((pair, why));
        }
    }

    /// Adds a pair; says whether it stayed. Over the limit, the pair of lowest priority that was not
    /// checked goes.
    ///
    //= RFC 8445 §6.1.2.5: the number of pairs is limited, those of lower priority are discarded.
    pub(crate) fn insert(&mut self, pair: Pair) -> bool {
        let id = pair.id;
        self.pairs.push(pair);
        if self.pairs.len() <= self.max_pairs {
            return true;
        }
        let triggered = &self.triggered;
        let queued =
            |pair: &Pair| triggered.get(pair.stream).is_some_and(|queue| queue.contains(&pair.id));
        let victim = self
            .pairs
            .iter()
            .enumerate()
            .filter(|(_, pair)| pair.checks_sent == 0 && pair.valid.is_none() && !queued(pair))
            .min_by_key(|(_, pair)| pair.priority);
        match victim.map(|(index, _)| index) {
            Some(index) => {
                let victim = self.pairs.swap_remove(index);
                let stayed = victim.id != id;
                self.drop_pair(victim, Pruned::Limit);
                stayed
            }
            None => {
                self.pairs.pop();
                false
            }
        }
    }

    /// Queues a triggered check of the pair, once.
    pub(crate) fn trigger(&mut self, id: PairId) {
        let Some(pair) = self.pairs.iter_mut().find(|pair| pair.id == id) else { return };
        let Some(queue) = self.triggered.get_mut(pair.stream) else { return };
        pair.retired = false;
        if pair.state != PairState::Succeeded {
            pair.state = PairState::Waiting;
            pair.failure = None;
        }
        if !queue.contains(&id) {
            queue.push_back(id);
        }
    }

    /// Takes the pair out of the queue of triggered checks.
    pub(crate) fn untrigger(&mut self, id: PairId) {
        self.triggered.iter_mut().for_each(|queue| queue.retain(|queued| *queued != id));
    }

    fn is_triggered(&self) -> bool {
        self.triggered.iter().any(|queue| !queue.is_empty())
    }

    /// Whether a direct pair waits for its check, or a triggered check does.
    pub(crate) fn is_direct_waiting(&self) -> bool {
        let waits = |pair: &Pair| match pair.state {
            PairState::Waiting => true,
            PairState::Frozen => !self.is_foundation_busy(pair),
            _ => false,
        };
        self.is_triggered()
            || self.pairs.iter().any(|pair| !pair.retired && !pair.relayed && waits(pair))
    }

    /// Whether nothing is to be learned from an ordinary check of this pair: it goes through a relay,
    /// and its component has a direct pair that works.
    ///
    //= RFC 8445 §8.1.1: the controlling side picks by its own criterion; ours is that a relay is the
    //= last resort.
    fn is_needless(&self, pair: &Pair) -> bool {
        pair.relayed && self.has_direct(pair.stream, pair.component)
    }

    /// Whether a component has a direct pair that works.
    pub(crate) fn has_direct(&self, stream: usize, component: u16) -> bool {
        self.pairs.iter().any(|pair| {
            (pair.stream, pair.component) == (stream, component)
                && pair.valid.is_some()
                && !pair.relayed
        })
    }

    /// Whether [`take`](Self::take) would give a pair.
    pub(crate) fn is_hungry(&self) -> bool {
        self.is_triggered()
            || self.pairs.iter().any(|pair| {
                !pair.retired
                    && !self.is_needless(pair)
                    && match pair.state {
                        PairState::Waiting => true,
                        PairState::Frozen => !self.is_foundation_busy(pair),
                        _ => false,
                    }
            })
    }

    /// The pair to check now, taken in turns among the streams (§6.1.4.2).
    pub(crate) fn take(&mut self) -> Option<PairId> {
        self.unfreeze_groups();
        for _ in 0..self.triggered.len() {
            let stream = self.turn % self.triggered.len();
            self.turn = stream + 1;
            if let Some(id) = self.take_of(stream) {
                return Some(id);
            }
        }
        None
    }

    fn take_of(&mut self, stream: usize) -> Option<PairId> {
        //= RFC 8445 §6.1.4.2 step 1: triggered checks go first.
        if let Some(id) = self.triggered.get_mut(stream)?.pop_front() {
            return Some(id);
        }
        //= RFC 8445 §6.1.4.2 step 2: without a Waiting pair, thaw what no other pair stands for.
        if self.best_waiting(stream).is_none() {
            self.thaw(stream);
        }
        //= RFC 8445 §6.1.4.2 step 3: the Waiting pair of the highest priority.
        self.best_waiting(stream)
    }

    fn best_waiting(&self, stream: usize) -> Option<PairId> {
        self.pairs
            .iter()
            .filter(|pair| pair.stream == stream && !pair.retired)
            .filter(|pair| pair.state == PairState::Waiting && !self.is_needless(pair))
            .max_by_key(|pair| (!pair.unlikely, pair.priority))
            .map(|pair| pair.id)
    }

    fn thaw(&mut self, stream: usize) {
        let mut frozen: Vec<(u64, PairId)> = self
            .pairs
            .iter()
            .filter(|pair| pair.stream == stream && !pair.retired)
            .filter(|pair| pair.state == PairState::Frozen && !self.is_needless(pair))
            .map(|pair| (pair.priority, pair.id))
            .collect();
        frozen.sort_unstable_by(|a, b| b.cmp(a));
        for (_, id) in frozen {
            let busy = self.get(id).is_none_or(|pair| self.is_foundation_busy(pair));
            if let Some(pair) = self.get_mut(id).filter(|_| !busy) {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// Whether a pair of the same foundation, in any stream, is Waiting or In-Progress.
    fn is_foundation_busy(&self, pair: &Pair) -> bool {
        self.pairs.iter().any(|other| {
            let busy = match other.state {
                PairState::InProgress => true,
                PairState::Waiting => !self.is_needless(other),
                _ => false,
            };
            busy && !other.retired && other.foundation == pair.foundation
        })
    }

    /// Sets one pair of every foundation Waiting.
    ///
    //= RFC 8445 §6.1.2.6: of each foundation the pair of the lowest component, among these the one of
    //= the highest priority.
    //= RFC 8838 §12: a pair that comes later is Waiting if its foundation has succeeded. One that was
    //= tried in vain is left to step 2 of RFC 8445 §6.1.4.2.
    fn unfreeze_groups(&mut self) {
        let mut order: Vec<usize> = (0..self.pairs.len()).collect();
        order.sort_unstable_by_key(|&index| {
            let pair = &self.pairs[index];
            (pair.component, std::cmp::Reverse(pair.priority), pair.id)
        });
        for index in order {
            let pair = &self.pairs[index];
            let fresh = pair.state == PairState::Frozen && !pair.retired && !self.is_needless(pair);
            let mut kin = self.pairs.iter().filter(|other| other.foundation == pair.foundation);
            // What is needless stands for nobody.
            let untried = kin.clone().all(|other| match other.state {
                PairState::Frozen => true,
                PairState::Waiting => self.is_needless(other),
                _ => false,
            });
            if fresh && (untried || kin.any(|other| other.state == PairState::Succeeded)) {
                self.pairs[index].state = PairState::Waiting;
            }
        }
    }

    /// Sets every Frozen pair of this foundation Waiting, in all streams.
    ///
    //= RFC 8445 §7.2.5.3.3: success thaws what shares the foundation.
    pub(crate) fn unfreeze(&mut self, foundation: &(String, String)) {
        for pair in &mut self.pairs {
            if pair.state == PairState::Frozen && !pair.retired && pair.foundation == *foundation {
                pair.state = PairState::Waiting;
            }
        }
    }

    /// Takes every other pair of a component off its list, now that `chosen` is selected; returns
    /// those that changed.
    ///
    //= RFC 8445 §8.1.2: pairs of a component that has its nominated pair leave the checklist and the
    //= queue of triggered checks.
    pub(crate) fn retire(
        &mut self,
        now: Instant,
        stream: usize,
        component: u16,
        chosen: PairId,
    ) -> Vec<PairId> {
        let mut retired = Vec::new();
        let overdue = |pair: &Pair| {
            pair.checked_since.is_some_and(|since| now.saturating_since(since) >= ANSWER_DUE)
        };
        for pair in &mut self.pairs {
            let others = pair.stream == stream && pair.component == component && pair.id != chosen;
            if others && pair.is_pending() {
                pair.retired = true;
                // What had its time and was silent did not just lose: whoever asks why the path is
                // not better is told.
                pair.failure = overdue(pair).then(|| pair.unanswered());
                retired.push(pair.id);
            }
        }
        if let Some(queue) = self.triggered.get_mut(stream) {
            queue.retain(|id| !retired.contains(id));
        }
        retired
    }

    /// Removes the pairs that `gone` names.
    pub(crate) fn remove(&mut self, mut gone: impl FnMut(&Pair) -> bool) {
        self.pairs.retain(|pair| !gone(pair));
        let pairs = &self.pairs;
        for queue in &mut self.triggered {
            queue.retain(|id| pairs.iter().any(|pair| pair.id == *id));
        }
    }

    /// How many pairs wait, and how many are being checked, over all streams.
    pub(crate) fn load(&self) -> (usize, usize) {
        let count =
            |state| self.pairs.iter().filter(|pair| !pair.retired && pair.state == state).count();
        (count(PairState::Waiting), count(PairState::InProgress))
    }
}
