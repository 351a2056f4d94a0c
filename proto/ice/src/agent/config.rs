//! How an agent behaves: its pace and its patience (RFC 8445 §14, RFC 8863).

use std::time::Duration;

use crate::defaults;

/// How an agent behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Time between two slots, for the retransmission time-out of checks (§14.3).
    pub ta: Duration,
    /// The least retransmission time-out.
    pub rto_min: Duration,
    /// The largest retransmission time-out.
    pub rto_max: Duration,
    /// How long a check waits for its answer.
    pub check_lifetime: Duration,
    /// How long to look for a path before failing.
    pub patience: Duration,
    /// How long to look for one while candidates may still come.
    pub trickle_patience: Duration,
    /// How long to wait for a better pair before nominating.
    pub nomination_patience: Duration,
    /// How long, if the best one is relayed and direct ones may still work.
    pub relayed_nomination_patience: Duration,
    /// The longest silence on the chosen way.
    pub keepalive: Duration,
    /// Pairs over all checklists.
    pub max_pairs: usize,
}

impl Config {
    /// Without intervals of zero, which would never let time move on.
    pub(super) fn sane(self) -> Self {
        let least = Duration::from_millis(1);
        Self {
            nomination_patience: self.nomination_patience.max(least),
            relayed_nomination_patience: self.relayed_nomination_patience.max(least),
            keepalive: self.keepalive.max(least),
            rto_min: self.rto_min.max(least),
            ..self
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ta: defaults::TA,
            rto_min: defaults::RTO_MIN,
            rto_max: defaults::RTO_MAX,
            check_lifetime: defaults::CHECK_LIFETIME,
            patience: defaults::PATIENCE,
            trickle_patience: defaults::TRICKLE_PATIENCE,
            nomination_patience: defaults::NOMINATION_PATIENCE,
            relayed_nomination_patience: defaults::RELAYED_NOMINATION_PATIENCE,
            keepalive: defaults::KEEPALIVE,
            max_pairs: defaults::MAX_PAIRS,
        }
    }
}
