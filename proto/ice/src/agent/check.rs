//! Sending checks and reading their answers (RFC 8445 §7.2).

use std::time::Duration;

use machine::{Endpoint, Icmp, Instant, Now};
use stun::transaction::Output;
use stun::{Key, Message, Timing, Transaction, TransactionId};

use super::{Agent, Event, Timer, Transmit, wire};
use crate::defaults::CHECK_TRANSMISSIONS;
use crate::explain::{Fate, PairState, Role};
use crate::pair::{self, PairId, Valid};

/// A check on its way.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pair: PairId,
    transaction: Transaction,
    role: Role,
    priority: u32,
    use_candidate: bool,
    base: Endpoint,
    remote: Endpoint,
    /// Given up for another check of the same pair: an answer still counts, silence does not.
    cancelled: bool,
}

impl Agent {
    /// Uses a slot: sends one check, if one waits. Says whether it did.
    pub fn take_slot(&mut self, now: Now) -> bool {
        if !self.wants_slot() {
            return false;
        }
        let Some(id) = self.checklists.take() else { return false };
        self.send_check(now.mono, id);
        true
    }

    fn send_check(&mut self, now: Instant, id: PairId) {
        let rto = self.rto();
        let Some(remote) = &self.remote else { return };
        let Some(pair) = self.checklists.get_mut(id) else { return };
        let Some(stream) = self.streams.get(pair.stream) else { return };
        let (Some(local), Some(to)) =
            (stream.local.get(pair.local), stream.remote.get(pair.remote))
        else {
            return;
        };
        let request = wire::Request {
            role: self.role,
            tie_breaker: self.tie_breaker,
            priority: wire::check_priority(local.priority),
            //= RFC 8445 §8.1.1: only the controlling side nominates, by USE-CANDIDATE.
            use_candidate: self.role == Role::Controlling && pair.nominated,
        };
        // A pair that works keeps working while it is being nominated.
        if pair.state != PairState::Succeeded {
            pair.state = PairState::InProgress;
        }
        pair.checks_sent += 1;
        pair.checked_since.get_or_insert(now);
        let (base, remote_endpoint) = (local.base, to.endpoint);
        let bytes =
            wire::request(request, &self.credentials, &remote.credentials, &mut self.entropy);
        let transaction = Transaction::new(now, bytes, timing(rto, self.config.check_lifetime));
        let transaction_id = transaction.id();
        let check = Check {
            pair: id,
            transaction,
            role: request.role,
            priority: request.priority,
            use_candidate: request.use_candidate,
            base,
            remote: remote_endpoint,
            cancelled: false,
        };
        self.checks.insert(transaction_id, check);
        self.stats.checks_sent += 1;
        self.run_check(now, transaction_id);
        self.event(Event::Pair(id));
    }

    /// The retransmission time-out of the check that is sent now.
    ///
    //= RFC 8445 §14.3: max(500 ms, Ta × N × (Num-Waiting + Num-In-Progress)), N being the number of
    //= checks to be performed; bounded above, as defaults.rs says.
    fn rto(&self) -> Duration {
        let (waiting, in_progress) = self.checklists.load();
        let n = self.checklists.pairs().iter().filter(|pair| !pair.retired).count();
        let factor = u32::try_from(n * (waiting + in_progress)).unwrap_or(u32::MAX);
        self.config
            .ta
            .saturating_mul(factor)
            .clamp(self.config.rto_min, self.config.rto_max.max(self.config.rto_min))
    }

    /// Does what the transaction wants done: sends, or notices that nobody answered.
    fn run_check(&mut self, now: Instant, id: TransactionId) {
        let Some(check) = self.checks.get_mut(&id) else { return };
        let mut bytes = Vec::new();
        match check.transaction.poll_output(&mut bytes) {
            Some(Output::Send) => {
                let (base, remote) = (check.base, check.remote);
                if let Some(at) = check.transaction.poll_timeout() {
                    self.timers.set(Timer::Check(id), at);
                }
                self.stats.packets_sent += 1;
                self.transmits.push_back(Transmit { base, remote, bytes });
            }
            Some(Output::TimedOut) => self.check_unanswered(now, id),
            None => match check.transaction.poll_timeout() {
                Some(at) => self.timers.set(Timer::Check(id), at),
                None => self.end_check(id),
            },
        }
    }

    pub(super) fn check_timed_out(&mut self, now: Instant, id: TransactionId) {
        if let Some(check) = self.checks.get_mut(&id) {
            check.transaction.handle_timeout(now);
            self.run_check(now, id);
        }
    }

    fn end_check(&mut self, id: TransactionId) {
        self.checks.remove(&id);
        self.timers.cancel(&Timer::Check(id));
    }

    fn check_unanswered(&mut self, now: Instant, id: TransactionId) {
        let Some(check) = self.checks.remove(&id) else { return };
        if check.cancelled {
            return;
        }
        //= RFC 8445 §7.2.5.2.2: no answer fails the pair.
        self.fail_unanswered(now, check.pair);
    }

    /// A pair's checks were not answered in time.
    pub(super) fn fail_unanswered(&mut self, now: Instant, id: PairId) {
        let Some(pair) = self.checklists.get(id) else { return };
        let fate = pair.unanswered();
        self.fail_pair(now, id, fate);
    }

    /// Sends no more of the checks of this pair that are on their way; answers still count.
    ///
    //= RFC 8445 §7.3.1.4: a cancelled check is not sent again, nor does its silence mean failure.
    pub(super) fn cancel_checks(&mut self, now: Instant, pair: PairId) {
        let ids: Vec<_> = self
            .checks
            .iter()
            .filter(|(_, check)| check.pair == pair && !check.cancelled)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Some(check) = self.checks.get_mut(&id) {
                check.cancelled = true;
                check.transaction.cancel();
                self.run_check(now, id);
            }
        }
    }

    /// The network says that something sent from `base` did not reach `remote`.
    ///
    /// It is remembered, not believed: NATs and hosts say so of an address that opens a moment
    /// later, and checks are sent on until their time is up.
    pub fn handle_unreachable(&mut self, base: Endpoint, remote: Endpoint, icmp: Icmp) {
        for stream in 0..self.streams.len() {
            if let Some(id) = self.find_pair(stream, base, remote)
                && let Some(pair) = self.checklists.get_mut(id)
            {
                pair.icmp = Some(icmp);
            }
        }
    }

    /// An answer arrived.
    pub(super) fn handle_response(
        &mut self,
        now: Now,
        base: Endpoint,
        from: Endpoint,
        message: &Message<'_>,
    ) {
        let Some(check) = self.checks.get(&message.id()) else { return };
        let Some(remote) = &self.remote else { return };
        let proven = message.verify_integrity(&Key::short_term(&remote.credentials.pwd)).is_ok();
        let code = match message.class() {
            stun::Class::Error => Some(message.error_code().map_or(0, |error| error.code)),
            _ => None,
        };
        //= RFC 8489 §9.1.4: an answer without proof is dropped, unless it says that ours failed.
        if !proven && !matches!(code, Some(400 | 401)) {
            self.stats.responses_refused += 1;
            return;
        }
        let unknown = message.unknown_required(stun::attribute::UNDERSTOOD_BY_ICE);
        if !unknown.is_empty() {
            return;
        }
        let symmetric = check.base == base && check.remote == from;
        match (code, message.xor_mapped_address()) {
            (Some(487), _) => self.check_met_conflict(now.mono, message.id()),
            (Some(code), _) => self.check_failed(now.mono, message.id(), Fate::Refused { code }),
            //= RFC 8445 §7.2.5.2.1: an answer must come from where the check went, and arrive where it
            //= left.
            (None, _) if !symmetric => {
                let fate = Fate::WrongAddress { from, to: base };
                self.check_failed(now.mono, message.id(), fate);
            }
            (None, Some(mapped)) => self.check_succeeded(now.mono, message.id(), mapped),
            // A success without an address says nothing; another answer may follow.
            (None, None) => {}
        }
    }

    fn check_failed(&mut self, now: Instant, id: TransactionId, fate: Fate) {
        let Some(check) = self.checks.remove(&id) else { return };
        self.timers.cancel(&Timer::Check(id));
        if !check.cancelled {
            self.fail_pair(now, check.pair, fate);
        }
    }

    /// Both sides claim the same role.
    ///
    //= RFC 8445 §7.2.5.1: whoever is told so takes the other role and a new tie-breaker, and checks the
    //= pair again.
    fn check_met_conflict(&mut self, now: Instant, id: TransactionId) {
        let Some(check) = self.checks.remove(&id) else { return };
        self.timers.cancel(&Timer::Check(id));
        if check.role == self.role {
            self.switch_role(check.role.other());
            self.tie_breaker = self.entropy.u64();
        }
        self.checklists.trigger(check.pair);
        self.event(Event::Pair(check.pair));
        self.consider(now);
    }

    fn check_succeeded(&mut self, now: Instant, id: TransactionId, mapped: Endpoint) {
        let Some(check) = self.checks.remove(&id) else { return };
        self.timers.cancel(&Timer::Check(id));
        let local = self.local_of_response(check.pair, mapped, check.priority);
        let Some(pair) = self.checklists.get_mut(check.pair) else { return };
        let Some(stream) = self.streams.get(pair.stream) else { return };
        let seen = local.unwrap_or(pair.local);
        let (Some(ours), Some(theirs)) = (stream.local.get(seen), stream.remote.get(pair.remote))
        else {
            return;
        };
        //= RFC 8445 §7.2.5.3.2: the valid pair is what the remote saw and where the check went.
        let priority = pair::priority(self.role, ours.priority, theirs.priority);
        pair.valid = Some(Valid { local: seen, priority });
        //= RFC 8445 §7.2.5.3.3: the pair has succeeded, and thaws those of its foundation.
        pair.state = PairState::Succeeded;
        pair.failure = None;
        pair.rtt = Some(round_trip(now, &check.transaction, pair.rtt));
        let foundation = pair.foundation.clone();
        //= RFC 8445 §7.2.5.3.4: a check that nominated, or that the other side nominated, selects.
        let selects = match self.role {
            Role::Controlling => check.use_candidate,
            Role::Controlled => pair.nominated,
        };
        // A triggered check of the same pair that still waits would only repeat this one.
        if self.role == Role::Controlled || !pair.nominated || check.use_candidate {
            self.checklists.untrigger(check.pair);
        }
        self.checklists.unfreeze(&foundation);
        self.event(Event::Pair(check.pair));
        self.became_valid(now, check.pair);
        if selects {
            self.select(now, check.pair);
        }
        self.consider(now);
    }

    /// A pair does not work, or works no longer.
    pub(super) fn fail_pair(&mut self, now: Instant, id: PairId, fate: Fate) {
        let Some(pair) = self.checklists.get_mut(id) else { return };
        pair.state = PairState::Failed;
        pair.failure = Some(fate);
        pair.valid = None;
        pair.nominated = false;
        let (stream, component) = (pair.stream, pair.component);
        if let Some(component) =
            self.streams.get_mut(stream).and_then(|s| s.component_mut(component))
        {
            //= RFC 8445 §8.1.1: a nomination that fails takes the pair off the valid list. If another
            // pair works, that one is nominated next; if none, the session fails.
            if component.nominating.is_some_and(|(nominated, _)| nominated == id) {
                component.nominating = None;
            }
        }
        self.event(Event::Pair(id));
        self.consider(now);
    }
}

/// The round trip of a pair, of which `known` was known before, when a check of it is answered.
///
//= RFC 8489 §6.2.1: of a check that was sent more than once one cannot tell which of its
//= transmissions was answered (Karn's rule).
///
/// The first of them gives a bound from above, which is of use as long as nothing better is known.
fn round_trip(now: Instant, check: &Transaction, known: Option<Duration>) -> Duration {
    let at_most = now.saturating_since(check.started());
    check.round_trip(now).unwrap_or_else(|| known.map_or(at_most, |known| known.min(at_most)))
}

/// Transmissions that double their distance, and a wait after the last that ends at `lifetime`.
fn timing(rto: Duration, lifetime: Duration) -> Timing {
    let mut transmissions = 1;
    let mut last = Duration::ZERO;
    while transmissions < CHECK_TRANSMISSIONS {
        let next = last + rto.saturating_mul(1 << (transmissions - 1));
        if next >= lifetime {
            break;
        }
        (last, transmissions) = (next, transmissions + 1);
    }
    Timing { rto, transmissions, last_wait: lifetime.saturating_sub(last).max(rto) }
}

#[cfg(test)]
mod tests {
    use super::timing;
    use std::time::Duration;

    #[test]
    fn checks_end_at_their_lifetime() {
        let lifetime = Duration::from_millis(39_500);
        let usual = timing(Duration::from_millis(500), lifetime);
        assert_eq!((usual.transmissions, usual.last_wait), (7, Duration::from_secs(8)));
        let slow = timing(Duration::from_secs(1), lifetime);
        assert_eq!((slow.transmissions, slow.last_wait), (6, Duration::from_millis(8500)));
        let short = timing(Duration::from_secs(1), Duration::from_millis(10));
        assert_eq!((short.transmissions, short.last_wait), (1, Duration::from_secs(1)));
    }
}
