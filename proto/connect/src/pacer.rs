//! One pacer for all: a new STUN transaction every Ta, whoever needs it (RFC 8445 §14.2).

use std::collections::BTreeSet;
use std::time::Duration;

use machine::Instant;

use crate::SessionId;

/// Gives slots to sessions in turns.
#[derive(Debug)]
pub(crate) struct Pacer {
    ta: Duration,
    waiting: BTreeSet<SessionId>,
    /// When the next slot is.
    next: Instant,
    /// Who had the last one.
    last: Option<SessionId>,
}

impl Pacer {
    pub(crate) fn new(ta: Duration) -> Self {
        // A pacer that never waits would hand out slots for ever at one point of time.
        let ta = ta.max(Duration::from_nanos(1));
        Self { ta, waiting: BTreeSet::new(), next: Instant::ORIGIN, last: None }
    }

    /// Says whether a session has something to start.
    pub(crate) fn set(&mut self, session: SessionId, wants: bool) {
        if wants {
            self.waiting.insert(session);
        } else {
            self.waiting.remove(&session);
        }
    }

    /// The session whose slot is now.
    ///
    //= RFC 8445 §14.2: the pace is one for all agents and all servers asked.
    pub(crate) fn take(&mut self, now: Instant) -> Option<SessionId> {
        if now < self.next {
            return None;
        }
        let after = self.last.and_then(|last| self.waiting.range(last..).find(|s| **s != last));
        let session = *after.or_else(|| self.waiting.first())?;
        self.next = now + self.ta;
        self.last = Some(session);
        Some(session)
    }

    /// A transaction was started out of turn, as the second half of an authentication: the next slot
    /// comes no sooner than Ta from now.
    pub(crate) fn charge(&mut self, now: Instant) {
        self.next = self.next.max(now + self.ta);
    }

    /// When the next slot is, if anybody waits for one.
    pub(crate) fn next(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::Pacer;
    use crate::SessionId;
    use machine::Instant;
    use std::time::Duration;

    #[test]
    fn slots_go_round() {
        let mut pacer = Pacer::new(Duration::from_millis(50));
        let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
        let [a, b, c] = [0, 1, 2].map(SessionId::new);
        [a, b, c].into_iter().for_each(|session| pacer.set(session, true));
        assert_eq!(pacer.take(at(1000)), Some(a));
        assert_eq!(pacer.take(at(1049)), None);
        assert_eq!(pacer.next(), Some(at(1050)));
        assert_eq!(pacer.take(at(1050)), Some(b));
        pacer.set(c, false);
        assert_eq!(pacer.take(at(1100)), Some(a));
        pacer.set(a, false);
        pacer.set(b, false);
        assert_eq!((pacer.take(at(1200)), pacer.next()), (None, None));
    }
}
