//! Answers that a retransmitted request must get again, word for word (RFC 8489 §6.3.1).
//!
//! Most requests are answered alike when they come again. Not so an Allocate that was refused, for
//! the next one might succeed unheard, and a Refresh that ended its allocation.

use std::collections::VecDeque;

use machine::{Entropy, Instant, KeyedMap};
use relay::Client;
use stun::TransactionId;

use super::defaults::{ANSWER_LIFETIME, ANSWERS};

type Key = (Client, TransactionId);

/// Recent answers by request.
#[derive(Debug)]
pub(super) struct Answers {
    by_request: KeyedMap<Key, Box<[u8]>>,
    order: VecDeque<(Instant, Key)>,
}

impl Answers {
    pub(super) fn new(mut entropy: Entropy) -> Self {
        Self { by_request: KeyedMap::new(&mut entropy), order: VecDeque::new() }
    }

    /// Keeps an answer; the oldest goes when there are too many.
    pub(super) fn keep(&mut self, now: Instant, client: Client, id: TransactionId, answer: &[u8]) {
        self.forget(now);
        let key = (client, id);
        if self.by_request.insert(key, answer.into()).is_none() {
            self.order.push_back((now + ANSWER_LIFETIME, key));
        }
    }

    /// The answer that a request got.
    pub(super) fn of(&self, client: Client, id: TransactionId) -> Option<&[u8]> {
        self.by_request.get(&(client, id)).map(|answer| &**answer)
    }

    /// Drops what is too old or too much.
    pub(super) fn forget(&mut self, now: Instant) {
        while let Some(&(until, key)) = self.order.front()
            && (until <= now || self.order.len() >= ANSWERS)
        {
            self.order.pop_front();
            self.by_request.remove(&key);
        }
    }

    /// When the oldest is too old.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.front().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use machine::{Endpoint, Entropy, Ids, Instant};
    use relay::Client;
    use stun::TransactionId;

    use super::Answers;
    use crate::server::defaults::{ANSWER_LIFETIME, ANSWERS};

    #[test]
    fn answers_have_a_limit_and_a_lifetime() {
        let mut answers = Answers::new(Entropy::seeded(1));
        let (socket, start) = (Ids::new(0).next_id(), Instant::ORIGIN);
        let local = [192, 0, 2, 1].into();
        let of = |n: u32| {
            let remote = Endpoint::new(n.to_be_bytes(), 1);
            (Client::Datagram { socket, local, remote }, TransactionId([7; 12]))
        };
        for n in 0..2 * ANSWERS as u32 {
            let (client, id) = of(n);
            answers.keep(start, client, id, &n.to_be_bytes());
        }
        assert!(answers.order.len() <= ANSWERS && answers.by_request.len() <= ANSWERS);
        let (client, id) = of(2 * ANSWERS as u32 - 1);
        assert!(answers.of(client, id).is_some());
        assert!(answers.of(client, TransactionId([8; 12])).is_none());
        assert!(answers.of(of(0).0, id).is_none());
        assert_eq!(answers.next(), Some(start + ANSWER_LIFETIME));
        answers.forget(start + ANSWER_LIFETIME);
        assert!(answers.by_request.is_empty() && answers.next().is_none());
    }
}
