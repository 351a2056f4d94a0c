//! Every deadline of a machine in one place.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::Instant;

/// Deadlines by key: one per key, set again to move it.
///
/// [`next`](Self::next) is O(1); setting, cancelling and expiring are O(log n). A cancelled
/// deadline stays in the heap until it surfaces; the heap is rebuilt when more than half of it is
/// stale, so memory stays proportional to what is set.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    due: BTreeMap<K, (Instant, u64)>,
    heap: BinaryHeap<Reverse<(Instant, u64, K)>>,
    sequence: u64,
}

impl<K: Ord + Clone> Default for Timers<K> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), heap: BinaryHeap::new(), sequence: 0 }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// No deadlines.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Instant) {
        self.sequence += 1;
        self.due.insert(key.clone(), (at, self.sequence));
        self.heap.push(Reverse((at, self.sequence, key)));
        self.tidy();
    }

    /// Removes the deadline of `key`; says whether there was one.
    pub fn cancel(&mut self, key: &K) -> bool {
        let had = self.due.remove(key).is_some();
        self.tidy();
        had
    }

    /// The deadline of `key`.
    #[must_use]
    pub fn at(&self, key: &K) -> Option<Instant> {
        self.due.get(key).map(|&(at, _)| at)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the earliest deadline that is due at `now`; in order of time, then of setting.
    pub fn expire(&mut self, now: Instant) -> Option<K> {
        let Reverse((at, ..)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        let Reverse((_, _, key)) = self.heap.pop()?;
        self.due.remove(&key);
        self.tidy();
        Some(key)
    }

    /// How many deadlines are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// Keeps the top of the heap live, so that `next` needs no search.
    fn tidy(&mut self) {
        if self.heap.len() > 64 && self.heap.len() > 2 * self.due.len() {
            let due = &self.due;
            self.heap = due.iter().map(|(k, &(at, n))| Reverse((at, n, k.clone()))).collect();
            return;
        }
        while let Some(Reverse((_, sequence, key))) = self.heap.peek() {
            if self.due.get(key).is_some_and(|(_, live)| live == sequence) {
                break;
            }
            self.heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Timers;
    use crate::Instant;

    fn at(n: u64) -> Instant {
        Instant::from_nanos(n)
    }

    #[test]
    fn expires_in_order_and_moves() {
        let mut timers = Timers::new();
        timers.set("b", at(20));
        timers.set("a", at(10));
        timers.set("a", at(30));
        assert_eq!(timers.next(), Some(at(20)));
        assert_eq!(timers.expire(at(25)), Some("b"));
        assert_eq!(timers.expire(at(25)), None);
        assert_eq!(timers.expire(at(30)), Some("a"));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn cancelled_deadlines_do_not_pile_up() {
        let mut timers = Timers::new();
        for n in 0..100_000 {
            timers.set(n % 10, at(n));
        }
        assert_eq!(timers.len(), 10);
        assert!(timers.heap.len() <= 65);
        for key in 0..10 {
            assert!(timers.cancel(&key));
        }
        assert_eq!(timers.next(), None);
        assert!(timers.is_empty());
    }

    proptest! {
        /// Whatever is set, moved, cancelled and expired: as a plain map would have it.
        #[test]
        fn as_a_plain_map(steps in vec((0..4_u8, 0..8_u8, 0..50_u64), 1..300)) {
            let (mut timers, mut model) = (Timers::new(), BTreeMap::new());
            for (n, (step, key, time)) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => {
                        timers.set(key, at(time));
                        model.insert(key, (at(time), n));
                    }
                    2 => prop_assert_eq!(timers.cancel(&key), model.remove(&key).is_some()),
                    _ => {
                        let first = model.iter().min_by_key(|(_, due)| **due);
                        let first = first.filter(|(_, due)| due.0 <= at(time)).map(|(key, _)| *key);
                        prop_assert_eq!(timers.expire(at(time)), first);
                        first.map(|key| model.remove(&key));
                    }
                }
                prop_assert_eq!(timers.next(), model.values().map(|(at, _)| *at).min());
                prop_assert_eq!(timers.at(&key), model.get(&key).map(|(at, _)| *at));
                prop_assert_eq!(timers.len(), model.len());
            }
        }
    }
}
