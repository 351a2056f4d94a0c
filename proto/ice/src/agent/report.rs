//! What became of everything.

use super::{Agent, Phase};
use crate::explain::{Explanation, Fate, PairReport};
use crate::pair::{Pair, PairId};

/// What happened in one session, as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Checks sent, retransmissions not counted.
    pub checks_sent: u64,
    /// Check packets sent, retransmissions counted.
    pub packets_sent: u64,
    /// Checks received with good credentials.
    pub checks_received: u64,
    /// Checks refused as malformed or with wrong credentials.
    pub checks_refused: u64,
    /// Early checks dropped because too many waited.
    pub early_checks_dropped: u64,
    /// Answers dropped because they do not prove who made them.
    pub responses_refused: u64,
    /// Keepalives sent.
    pub keepalives_sent: u64,
}

impl Agent {
    /// One pair and what became of it so far.
    #[must_use]
    pub fn pair(&self, id: PairId) -> Option<PairReport> {
        let pair = self.checklists.get(id)?;
        self.report(pair, pair.fate(self.is_selected(pair)))
    }

    /// Whether a pair's state or fate is not what the owner was told last; then it will have been.
    pub(super) fn is_news(&mut self, id: PairId) -> bool {
        let Some(pair) = self.checklists.get(id) else { return false };
        let told = Some((pair.state, pair.fate(self.is_selected(pair))));
        let Some(pair) = self.checklists.get_mut(id) else { return false };
        let news = pair.told != told;
        pair.told = told;
        news
    }

    /// How many pairs were checked.
    #[must_use]
    pub fn pairs_tried(&self) -> usize {
        self.checklists.pairs().iter().filter(|pair| pair.checks_sent > 0).count()
    }

    /// What became of every candidate and pair so far.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let checked = self
            .checklists
            .pairs()
            .iter()
            .filter_map(|pair| self.report(pair, pair.fate(self.is_selected(pair))));
        let dropped = self
            .checklists
            .dropped()
            .iter()
            .filter_map(|(pair, why)| self.report(pair, Fate::Pruned(*why)));
        let mut pairs: Vec<PairReport> = checked.chain(dropped).collect();
        pairs.sort_by_key(|pair| (pair.stream, pair.component, std::cmp::Reverse(pair.priority)));
        let streams = || self.streams.iter().enumerate();
        Explanation {
            reason: match self.phase {
                Phase::Failed(reason) => Some(reason),
                _ => None,
            },
            role: self.role,
            role_switches: self.role_switches,
            local: streams()
                .flat_map(|(n, stream)| stream.local.iter().map(move |c| (n, c.clone())))
                .collect(),
            remote: streams()
                .flat_map(|(n, stream)| stream.remote.iter().map(move |c| (n, c.clone())))
                .collect(),
            ignored: streams()
                .flat_map(|(n, s)| s.ignored.iter().map(move |(c, why)| (n, c.clone(), *why)))
                .collect(),
            pairs,
            checks_sent: self.stats.checks_sent,
            checks_received: self.stats.checks_received,
            checks_refused: self.stats.checks_refused,
            sources: Vec::new(),
        }
    }

    fn is_selected(&self, pair: &Pair) -> bool {
        self.streams
            .get(pair.stream)
            .and_then(|stream| stream.component(pair.component))
            .is_some_and(|state| state.selected == Some(pair.id))
    }

    fn report(&self, pair: &Pair, fate: Fate) -> Option<PairReport> {
        let stream = self.streams.get(pair.stream)?;
        Some(PairReport {
            id: pair.id,
            stream: pair.stream,
            component: pair.component,
            local: stream.local.get(pair.local)?.clone(),
            remote: stream.remote.get(pair.remote)?.clone(),
            priority: pair.priority,
            state: pair.state,
            fate,
            checks_sent: pair.checks_sent,
            checks_received: pair.checks_received,
            rtt: pair.rtt,
            seen_as: pair.valid.and_then(|valid| stream.local.get(valid.local)).cloned(),
        })
    }
}
