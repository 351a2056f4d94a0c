//! Every limit and timeout of this crate, each with its reason.

use std::time::Duration;

/// Ta, the time between two new STUN transactions (RFC 8445 §14.2).
pub const TA: Duration = Duration::from_millis(50);

/// The least retransmission time-out of a check (RFC 8445 §14.3).
pub const RTO_MIN: Duration = Duration::from_millis(500);

/// The largest. The formula of RFC 8445 §14.3 grows with the square of the number of pairs: twenty
/// pairs would wait 20 s for a lost packet to be sent again. The pacer bounds the rate already.
pub const RTO_MAX: Duration = Duration::from_secs(1);

/// How often a check is sent at most (RFC 8489 §6.2.1, Rc).
pub const CHECK_TRANSMISSIONS: u32 = 7;

/// How long a check waits for its answer at most: what seven transmissions take at the least
/// retransmission time-out (RFC 8489 §6.2.1).
pub const CHECK_LIFETIME: Duration = Duration::from_millis(39_500);

/// How long the agent waits for pairs to appear and work before it fails, even when every pair that
/// it knows has failed: peer-reflexive candidates may still turn up (RFC 8863 §4).
pub const PATIENCE: Duration = Duration::from_millis(39_500);

/// How long the agent waits for the candidates of a side that never says that it has told them all,
/// from when checks can start, before it fails like any other (RFC 8838 §8 leaves it without end). A
/// side that trickles tells its last candidate within seconds; longer than [`PATIENCE`], for
/// candidates that come last still want their checks.
pub const TRICKLE_PATIENCE: Duration = Duration::from_secs(45);

/// How long the controlling agent waits after the first valid pair of a stream for a better one,
/// before it nominates the best that it has (RFC 8445 §8.1.1 leaves the criterion to the agent).
/// Two round trips across a continent.
pub const NOMINATION_PATIENCE: Duration = Duration::from_millis(200);

/// How long it waits if the best pair that works is relayed while direct ones are still being checked:
/// two transmissions at the largest retransmission time-out, and a round trip around the world. Data
/// flows along the relay meanwhile, so only the choice waits.
pub const RELAYED_NOMINATION_PATIENCE: Duration = Duration::from_secs(2);

/// How long the controlling agent waits for the answer to a nomination before it nominates the same
/// pair by a new check. The pair is known to work, so silence is loss, and the doubling time-outs of
/// one transaction would take half a minute to notice.
pub const RENOMINATE: Duration = Duration::from_secs(2);

/// How long an answer to a check may take before its pair, given up for another, counts as silent
/// rather than as outrun: the check was sent twice by then.
pub const ANSWER_DUE: Duration = RTO_MAX;

/// Tr, the longest silence on a selected pair (RFC 8445 §11).
pub const KEEPALIVE: Duration = Duration::from_secs(15);

/// Streams of one agent. A call has audio, video, text and a spare or two.
pub const MAX_STREAMS: usize = 8;

/// Components of one stream: RTP and RTCP.
pub const MAX_COMPONENTS: u16 = 2;

/// Local candidates of one component.
pub const MAX_LOCAL_CANDIDATES: usize = 64;

/// Remote candidates of one component that signalling names. Browsers on laptops send up to 20.
pub const MAX_REMOTE_CANDIDATES: usize = 64;

/// Remote candidates of one component that checks reveal: only someone who knows the password can
/// make one, but a NAT that maps anew for each packet may make many.
pub const MAX_PEER_REFLEXIVE_CANDIDATES: usize = 16;

/// Checks that arrive before the remote's credentials are known and wait for them, per agent.
pub const MAX_EARLY_CHECKS: usize = 32;

/// Pairs over all checklists (RFC 8445 §6.1.2.5).
pub const MAX_PAIRS: usize = 100;

/// Pruned and dropped pairs that an explanation remembers.
pub const MAX_PRUNED_REMEMBERED: usize = 200;

/// Characters of a user fragment and of a password that are accepted (RFC 8839 §5.4).
pub const MAX_CREDENTIAL_LEN: usize = 256;

/// Characters of a foundation that are accepted (RFC 8839 §5.1).
pub const MAX_FOUNDATION_LEN: usize = 32;
