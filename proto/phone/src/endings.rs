//! How calls over Jingle end: by what the owner does, because the way of signalling ends, or because
//! nobody says anything.

use call::call::Error as CallFailure;
use call::negotiate;
use machine::{Instant, Now};
use xmpp::Jid;
use xmpp::jingle::{Condition, Reason, State};

use crate::event::{By, CallId, EndReason};
use crate::phone::Phone;
use crate::reason::JingleEnd;
use crate::session::Session;
use crate::signalling::jingle::{Leg, Stage};

/// What the owner does.
impl Phone {
    /// Hangs up, as it fits the state of the call and why it is.
    pub(crate) fn hang_up_jingle(&mut self, now: Now, call: CallId) {
        let Some(session) = self.sessions.get(&call) else { return };
        let Some(leg) = session.jingle() else { return };
        let (condition, end) = match (&session.fate, session.is_answered()) {
            (Some(fate), _) => (condition_of(fate), JingleEnd::Lost),
            (None, true) => (Condition::Success, JingleEnd::HungUp),
            (None, false) if leg.is_called() => {
                (Condition::Decline, JingleEnd::Rejected { busy: false })
            }
            (None, false) => (Condition::Cancel, JingleEnd::Cancelled),
        };
        self.end_jingle(now, call, condition, end, By::Us);
    }

    /// Refuses a session that came.
    pub(crate) fn reject_jingle(&mut self, now: Now, call: CallId, busy: bool) {
        let rings = |session: &Session| {
            let leg = session.jingle().filter(|leg| leg.is_called());
            let session = leg.and_then(Leg::session);
            session.is_some_and(|session| session.state() == State::Pending)
        };
        if self.sessions.get(&call).is_some_and(rings) {
            let condition = if busy { Condition::Busy } else { Condition::Decline };
            self.end_jingle(now, call, condition, JingleEnd::Rejected { busy }, By::Us);
        }
    }

    fn end_jingle(&mut self, now: Now, call: CallId, condition: Condition, end: JingleEnd, by: By) {
        if let Some((mut context, session)) = self.at_work(now, call)
            && let Some((leg, _)) = session.jingle_mut()
        {
            leg.end(&mut context, condition);
        }
        self.drop_session(now, call, end.into(), by);
    }
}

/// What becomes of calls when the way of signalling ends, or nobody says anything.
impl Phone {
    /// The stream of an account is gone. Calls that were answered go on: media need no signalling.
    pub(crate) fn lose_stream(&mut self, now: Now, account: usize) {
        let sessions = self.sessions.values();
        let pending = sessions.filter(|session| {
            let ours = session.jingle().is_some_and(|leg| leg.account == account);
            ours && !session.is_answered()
        });
        for call in pending.map(|session| session.id).collect::<Vec<_>>() {
            self.drop_session(now, call, JingleEnd::Offline.into(), By::Them);
        }
        self.lose_invitations(account);
    }

    /// Somebody's device, or all of them, went. A call that was answered goes on.
    pub(crate) fn lose_peer(&mut self, now: Now, account: usize, who: &Jid) {
        let gone: Vec<CallId> = self
            .sessions
            .values()
            .filter(|session| !session.is_answered())
            .filter(|session| {
                session.jingle().is_some_and(|leg| leg.account == account && leg.is_with(who))
            })
            .map(|session| session.id)
            .collect();
        for call in gone {
            let reason = Reason::from(Condition::Gone);
            let leg = self.sessions.get(&call).and_then(Session::jingle);
            let end = leg.map_or(JingleEnd::Lost, |leg| end_of(&reason, leg.is_called(), false));
            self.drop_session(now, call, end.into(), By::Them);
        }
    }

    /// Decides what has waited for long enough.
    pub(crate) fn handle_deadlines(&mut self, now: Now) {
        let due = |leg: &Leg| leg.deadline.is_some_and(|at| at <= now.mono);
        for call in self.calls_whose(due) {
            let leg = self.sessions.get(&call).and_then(Session::jingle);
            if leg.is_some_and(|leg| matches!(leg.stage, Stage::Seeking(_))) {
                self.seek(now, call, true);
            } else {
                self.end_jingle(now, call, Condition::Timeout, JingleEnd::TimedOut, By::Us);
            }
        }
        self.handle_invitation_deadlines(now);
    }

    /// When something has waited for long enough.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.sessions.values();
        let legs = sessions.filter_map(|session| session.jingle()?.deadline);
        legs.chain(self.invitations.values().map(|invitation| invitation.deadline)).min()
    }
}

/// What the end that the other side gave means. `called`: it called us.
pub(crate) fn end_of(reason: &Reason, called: bool, answered: bool) -> JingleEnd {
    match reason.condition {
        Some(Condition::Success) => JingleEnd::HungUp,
        Some(Condition::Cancel | Condition::Gone) if called && !answered => JingleEnd::Abandoned,
        Some(Condition::Cancel) if answered => JingleEnd::HungUp,
        _ => JingleEnd::terminated(reason),
    }
}

/// What the other side is told of an end that is nobody's wish.
const fn condition_of(fate: &EndReason) -> Condition {
    match fate {
        EndReason::NoPath | EndReason::Silent => Condition::ConnectivityError,
        EndReason::Call(CallFailure::Negotiation(negotiate::Error::Keying)) => {
            Condition::SecurityError
        }
        EndReason::Call(CallFailure::Negotiation(_)) => Condition::IncompatibleParameters,
        EndReason::Call(_) => Condition::FailedTransport,
        EndReason::Description => Condition::FailedApplication,
        EndReason::Signalling(_) | EndReason::Jingle(_) => Condition::GeneralError,
    }
}
