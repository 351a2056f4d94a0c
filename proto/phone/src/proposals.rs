//! Calls of ours that have no session yet: a device is looked for, and all of them are asked by message
//! (XEP-0353).

use call::media::Source;
use machine::Now;
use xmpp::jingle::initiation::ProposalEvent;
use xmpp::jingle::session::Glare;
use xmpp::jingle::{Condition, Initiation, Proposal};
use xmpp::stanza::StanzaError;
use xmpp::{BareJid, Jid};

use crate::defaults::MAX_PROPOSED;
use crate::event::{By, CallId};
use crate::phone::Phone;
use crate::reason::JingleEnd;
use crate::session::Session;
use crate::signalling::jingle::{Leg, Stage, tell};

/// A proposal that we made, which a device may go on with when it is too late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposed {
    account: usize,
    id: String,
    person: BareJid,
}

impl Phone {
    /// Looks which device a call of ours goes to. `hurry`: decides now.
    pub(crate) fn seek(&mut self, now: Now, call: CallId, hurry: bool) {
        let found = self.at_work(now, call).and_then(|(mut context, session)| {
            let (leg, call) = session.jingle_mut()?;
            leg.seek(&mut context, call, hurry).err()
        });
        match found {
            Some(end) => self.drop_session(now, call, end.into(), By::Them),
            None => self.remember_proposal(call),
        }
    }

    /// Keeps a proposal in mind, the last few of them.
    fn remember_proposal(&mut self, call: CallId) {
        let leg = self.sessions.get(&call).and_then(Session::jingle);
        let Some((account, proposal)) = leg.and_then(|leg| Some((leg.account, leg.proposal()?)))
        else {
            return;
        };
        let (id, person) = (proposal.id().to_owned(), proposal.peer().to_bare());
        self.proposed.truncate(MAX_PROPOSED - 1);
        self.proposed.push_front(Proposed { account, id, person });
    }

    /// More is known of somebody's devices.
    pub(crate) fn seek_again(&mut self, now: Now, account: usize, person: &BareJid) {
        let seeks = |leg: &Leg| {
            leg.account == account && matches!(&leg.stage, Stage::Seeking(to) if to == person)
        };
        for call in self.calls_whose(seeks) {
            self.seek(now, call, false);
        }
    }

    /// Takes an answer to a proposal of ours.
    pub(crate) fn proposal_answered(
        &mut self,
        now: Now,
        account: usize,
        from: &Jid,
        answer: &Initiation,
    ) {
        let waiting =
            |leg: &Leg| leg.account == account && matches!(leg.stage, Stage::Proposing(_));
        for call in self.calls_whose(waiting) {
            let Some((mut context, session)) = self.at_work(now, call) else { continue };
            let Some((leg, own)) = session.jingle_mut() else { continue };
            match leg.proposal_mut().and_then(|proposal| proposal.handle(from, answer)) {
                Some(ProposalEvent::Ringing) => {
                    leg.rings(now);
                    session.ringing(context.events);
                }
                Some(ProposalEvent::Proceed(device)) => leg.proceed(&mut context, own, device),
                Some(ProposalEvent::Rejected { reason, tie_break: false }) => {
                    let end = JingleEnd::terminated(&reason);
                    self.drop_session(now, call, end.into(), By::Them);
                }
                // With a tie-break theirs goes on, and comes. The others are for callees.
                Some(
                    ProposalEvent::Rejected { .. }
                    | ProposalEvent::Retracted(_)
                    | ProposalEvent::Elsewhere
                    | ProposalEvent::Contested,
                )
                | None => {}
            }
        }
        if matches!(answer, Initiation::Proceed { .. }) {
            self.turn_back(now, account, from, answer.id());
        }
    }

    /// A device goes on with a proposal of ours: unless it is the one that the call is with, it is told
    /// that it need not wait for the session.
    fn turn_back(&mut self, now: Now, account: usize, from: &Jid, id: &str) {
        let person = from.to_bare();
        let made = |proposed: &Proposed| {
            (proposed.account, proposed.id.as_str(), &proposed.person) == (account, id, &person)
        };
        let with = |leg: &Leg| leg.account == account && leg.sid == id && leg.is_with(from);
        if self.proposed.iter().any(made) && self.calls_whose(with).is_empty() {
            tell(now, &mut self.lines, account, from, &Proposal::take_back(id));
        }
    }

    /// A proposal of ours came back: its call is over.
    pub(crate) fn proposal_failed(
        &mut self,
        now: Now,
        account: usize,
        id: &str,
        error: &StanzaError,
    ) {
        let proposed = |leg: &Leg| {
            let proposing = matches!(leg.stage, Stage::Proposing(_));
            leg.account == account && proposing && leg.sid == id
        };
        let found = self.calls_whose(proposed).first().copied();
        if let Some(call) = found {
            self.drop_session(now, call, JingleEnd::refused(error).into(), By::Them);
        }
    }

    /// The call of ours that a proposal crossed, and which of the two goes on.
    pub(crate) fn crossed_by(
        &self,
        account: usize,
        from: &Jid,
        propose: &Initiation,
    ) -> Option<(CallId, Glare)> {
        self.sessions.values().find_map(|session| {
            let leg = session.jingle().filter(|leg| leg.account == account)?;
            Some((session.id, leg.proposal()?.glare(from, propose)?))
        })
    }

    /// A call of ours gives way to one that came: its name, and what it would have played. Whoever began
    /// the other one refuses ours; the devices that ring besides are told.
    pub(crate) fn give_way(&mut self, now: Now, call: CallId) -> Option<(CallId, Source)> {
        let (mut context, session) = self.at_work(now, call)?;
        let (leg, _) = session.jingle_mut()?;
        let source = leg.source.clone();
        if leg.proposal().is_some() {
            leg.end(&mut context, Condition::Cancel);
        }
        let mut session = self.sessions.remove(&call)?;
        session.call.end(now, &mut self.connect);
        Some((call, source))
    }
}
