//! Logging in: keys are asked for, attempts counted by where they came from.

use std::net::IpAddr;

use jid::NodePart;
use machine::{Id, Now};

use super::attempts::holder;
use super::control::Asked;
use super::defaults::DERIVATIONS_BURST_SECS;
use super::{Answer, Cause, Question, Refusal, Server};
use crate::stream::{Condition, StreamError};

impl Server {
    /// A client says who it is.
    pub(super) fn ask_credentials(&mut self, now: Now, id: Id, user: NodePart, derives: bool) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let holder = holder(conn.remote.ip());
        let tried = self.attempts.of(now.mono, holder);
        let tried = if derives { tried.failed.saturating_add(tried.derived) } else { tried.failed };
        if tried >= self.config.limits.attempts_per_address {
            self.stats.refuse(Refusal::Attempts);
            let error = StreamError::new(Condition::PolicyViolation, "too many attempts to log in");
            return self.cut(now, id, error, Cause::Refused);
        }
        // Deriving takes the time of everybody else whom this thread serves. It is not begun, for a user
        // who exists or not, rather than looked up first.
        let rate = u64::from(self.config.limits.derivations_per_second);
        let burst = rate.saturating_mul(DERIVATIONS_BURST_SECS);
        if derives && !self.derivations.spend(now.mono, 1, (rate, burst)) {
            self.stats.refuse(Refusal::Attempts);
            return conn.stream.credentials(now, Err(()));
        }
        (conn.asking, conn.user) = (true, Some(user.clone()));
        let question = Question::Credentials { user: user.into_inner() };
        self.ask(now, question, Asked::Credentials(id, holder));
    }

    /// The keys of who logs in, or that there is no such user.
    pub(super) fn credentials(&mut self, now: Now, id: Id, holder: IpAddr, answer: Answer) {
        let Some(conn) = self.conns.get_mut(&id) else {
            // It was kept as a stranger until now: who asks and goes asks for no more than others.
            return self.strangers.one_less(holder);
        };
        conn.asking = false;
        let keys = match answer {
            Answer::Credentials(keys) => Ok(keys.map(Into::into)),
            Answer::Roster(_) | Answer::Saved(_) | Answer::Failed => {
                self.stats.refuse(Refusal::World);
                Err(())
            }
        };
        conn.stream.credentials(now, keys);
        self.drive(now, id);
    }

    /// A stream has refused something.
    pub(super) fn refused(&mut self, now: Now, id: Id, refusal: Refusal) {
        self.stats.refuse(refusal);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if refusal == Refusal::Credentials {
            conn.has_failed = true;
            self.attempts.add(now.mono, holder(conn.remote.ip()), true);
        }
    }
}
