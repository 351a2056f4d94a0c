//! Who has used a nonce how often (RFC 7616 §3.4, nonce count), in bounded memory.

use std::collections::BTreeMap;

use machine::Now;

use super::nonce::NonceId;

/// Counts below the highest that may still come, out of order.
const WINDOW: u32 = 64;

/// The nonce counts that were used, of nonces that somebody proved a password with.
///
/// Strangers leave no trace here. When it is full, the nonce that would expire first is forgotten
/// and, with all that expire no later, no longer accepted: forgetting never allows a replay.
#[derive(Debug)]
pub struct Replay {
    used: BTreeMap<NonceId, Used>,
    forgotten: Option<NonceId>,
    capacity: usize,
}

#[derive(Clone, Copy, Debug)]
struct Used {
    highest: u32,
    /// Bit `i`: the count `highest - i` was used.
    below: u64,
}

impl Replay {
    /// Remembers at most `capacity` nonces.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { used: BTreeMap::new(), forgotten: None, capacity }
    }

    /// Notes that `nonce` was used with `count`; false if it was before, or might have been.
    pub fn note(&mut self, now: Now, nonce: NonceId, count: u32) -> bool {
        self.drop_expired(now);
        match self.used.get_mut(&nonce) {
            Some(used) => used.note(count),
            None if self.forgotten.is_some_and(|forgotten| nonce <= forgotten) => false,
            None => {
                self.used.insert(nonce, Used { highest: count, below: 1 });
                if self.used.len() > self.capacity {
                    self.forgotten = self.used.pop_first().map(|(nonce, _)| nonce);
                }
                true
            }
        }
    }

    /// How many nonces are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    fn drop_expired(&mut self, now: Now) {
        while let Some(first) = self.used.first_entry()
            && first.key().expiry_secs <= now.unix_secs()
        {
            first.remove();
        }
    }
}

impl Used {
    fn note(&mut self, count: u32) -> bool {
        if count > self.highest {
            self.below = self.below.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let back = self.highest - count;
        let bit = 1u64.checked_shl(back).unwrap_or(0);
        let fresh = back < WINDOW && self.below & bit == 0;
        self.below |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use machine::{Entropy, Instant, Now};

    use super::Replay;
    use crate::auth::nonce::{NonceId, Nonces};

    fn at(secs: u64) -> Now {
        Now { mono: Instant::ORIGIN, unix: Duration::from_secs(secs) }
    }

    fn nonces(n: usize) -> Vec<NonceId> {
        let mut nonces = Nonces::new(Duration::from_secs(300), Entropy::seeded(1));
        let mut ids: Vec<_> = (0..n)
            .map(|i| {
                let now = at(1000 + i as u64);
                let text = nonces.make(now, b"");
                nonces.open(now, b"", &text).unwrap()
            })
            .collect();
        ids.sort();
        ids
    }

    #[test]
    fn a_count_is_good_once() {
        let mut replay = Replay::new(10);
        let nonce = nonces(1)[0];
        for (count, fresh) in [
            (1, true),
            (1, false),
            (3, true),
            (2, true),
            (2, false),
            (100, true),
            (30, false),
            (40, true),
            (u32::MAX, true),
            (0, false),
        ] {
            assert_eq!(replay.note(at(1000), nonce, count), fresh, "{count}");
        }
        assert_eq!(replay.len(), 1);
    }

    #[test]
    fn memory_is_bounded_and_forgetting_is_safe() {
        let mut replay = Replay::new(3);
        let ids = nonces(10);
        for id in &ids {
            assert!(replay.note(at(1010), *id, 1));
            assert!(replay.len() <= 3);
        }
        for id in &ids {
            assert!(!replay.note(at(1010), *id, 1), "{id:?}");
        }
        assert!(replay.note(at(1010), ids[9], 2));
        assert!(!replay.note(at(1010), ids[0], 2), "forgotten, hence stale");
    }

    #[test]
    fn expired_nonces_leave() {
        let mut replay = Replay::new(10);
        let ids = nonces(2);
        replay.note(at(1000), ids[0], 1);
        replay.note(at(2000), ids[1], 1);
        assert_eq!(replay.len(), 1);
        assert!(!replay.is_empty());
    }
}
