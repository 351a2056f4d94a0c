//! Logging in: keys are asked for, failures counted by where they came from.

use std::net::IpAddr;

use jid::NodePart;
use machine::{Id, Now, Output};

use super::attempts::holder;
use super::control::Asked;
use super::{Answer, Cause, Question, Refusal, Server};
use crate::stream::{Condition, StreamError};

impl Server {
    /// A client says who it is.
    pub(super) fn ask_credentials(&mut self, now: Now, id: Id, user: NodePart) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let holder = holder(conn.remote.ip());
        if self.attempts.of(now.mono, holder) >= self.config.limits.attempts_per_address {
            self.stats.refuse(Refusal::Attempts);
            let error = StreamError::new(Condition::PolicyViolation, "too many attempts to log in");
            return self.cut(now, id, error, Cause::Refused);
        }
        conn.asking = true;
        let question = self.ids.next_id();
        self.asked.insert(question, Asked::Credentials(id, holder));
        let user = user.into_inner();
        self.outputs.push(Output::Ask { id: question, question: Question::Credentials { user } });
    }

    /// The keys of who logs in, or that there is no such user.
    pub(super) fn credentials(&mut self, now: Now, id: Id, holder: IpAddr, answer: Answer) {
        let Some(conn) = self.conns.get_mut(&id) else {
            // It was kept as a stranger until now: who asks and goes asks for no more than others.
            return self.one_stranger_less(holder);
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
        let Some(conn) = self.conns.get(&id) else { return };
        if refusal == Refusal::Credentials {
            self.attempts.add(now.mono, holder(conn.remote.ip()));
        }
    }
}
