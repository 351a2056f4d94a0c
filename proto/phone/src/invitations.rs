//! Calls that are proposed to us by message (XEP-0353): they ring, and have no session yet.
//!
//! ```text
//! propose ── Open ──┬── the owner answers: proceed ── Wanted ──┬── session-initiate ── a session
//!                   ├── the owner refuses: reject              └── the caller takes it back
//!                   └── the caller takes it back, or another device of ours takes it
//! ```
//!
//! Two devices of ours may answer at once. The caller chooses one, and takes the proposal back from the
//! other; one that is never told gives it up soon after it heard of its rival.
//!
//! What a phone says by itself tells that somebody is there, and at which address: it is said to those
//! alone who may see our presence (RFC 6121 §13). For others it rings in silence, and is not busy.

use call::media::Source;
use machine::{Instant, Now};
use xmpp::jingle::initiation::ProposalEvent;
use xmpp::jingle::session::Glare;
use xmpp::jingle::{Condition, Initiation, Proposal};
use xmpp::{Jid, Stanza, ns};

use crate::account::Line;
use crate::defaults::{CONTEST_LIMIT, INITIATE_LIMIT, RING_LIMIT};
use crate::event::{By, CallId, Event};
use crate::phone::Phone;
use crate::reason::JingleEnd;
use crate::signalling::jingle::tell;
use crate::steps::Arrival;

/// One of them.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) account: usize,
    pub(crate) proposal: Proposal,
    wish: Wish,
    /// When it is given up.
    pub(crate) deadline: Instant,
}

/// What the owner wants.
#[derive(Debug)]
enum Wish {
    /// Nothing yet.
    Open,
    /// To talk: the session may come.
    Wanted {
        /// What is played then.
        source: Source,
        /// Another device of ours has answered too.
        contested: bool,
    },
    /// Not to talk any more, after having answered: the session that comes is refused.
    Gone,
}

impl Invitation {
    /// Whether the owner knows of it.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.wish, Wish::Gone)
    }

    /// Whether the owner has answered.
    pub(crate) const fn is_wanted(&self) -> bool {
        matches!(self.wish, Wish::Wanted { .. })
    }

    /// Another device of ours has answered too: the session comes soon, or it comes there.
    fn contest(&mut self, now: Now) {
        if let Wish::Wanted { contested, .. } = &mut self.wish {
            *contested = true;
            self.deadline = self.deadline.min(now.mono + CONTEST_LIMIT);
        }
    }

    /// How it ends when the caller takes it back, or nobody says anything more.
    fn end(&self, otherwise: JingleEnd) -> JingleEnd {
        match self.wish {
            Wish::Wanted { contested: true, .. } => JingleEnd::Elsewhere,
            _ => otherwise,
        }
    }
}

impl Phone {
    /// A message that is none to read: about a proposal, perhaps.
    pub(crate) fn handle_proposals(
        &mut self,
        now: Now,
        account: usize,
        from: &Jid,
        message: &Stanza,
    ) {
        let payload = message.payloads().find(|payload| payload.has_ns(ns::JINGLE_MESSAGE));
        let Some(Ok(said)) = payload.map(Initiation::try_from) else { return };
        if matches!(said, Initiation::Propose { .. }) {
            let sent = message.kept_since();
            let age = sent.map(|sent| now.unix.saturating_sub(sent)).unwrap_or_default();
            // What somebody kept for us has rung out.
            if age < RING_LIMIT {
                self.handle_propose(now, account, from, &said);
            }
            return;
        }
        self.proposal_answered(now, account, from, &said);
        let mut ended = Vec::new();
        for (call, invitation) in &mut self.invitations {
            if invitation.account != account {
                continue;
            }
            match invitation.proposal.handle(from, &said) {
                None => {}
                Some(ProposalEvent::Contested) => invitation.contest(now),
                Some(ProposalEvent::Elsewhere) => ended.push((*call, JingleEnd::Elsewhere)),
                Some(_) => ended.push((*call, invitation.end(JingleEnd::Abandoned))),
            }
        }
        for (call, end) in ended {
            self.end_invitation(call, end, By::Them);
        }
    }

    fn handle_propose(&mut self, now: Now, account: usize, from: &Jid, propose: &Initiation) {
        let Some(us) = self.lines.get(account).and_then(Line::jid).cloned() else { return };
        let ours = us.to_bare() == from.to_bare();
        let known = self.invitations.values().any(|invitation| {
            invitation.proposal.peer() == from && invitation.proposal.id() == propose.id()
        });
        // Another device of ours may know what to do with what is not for the ear.
        if ours || known || self.is_stopping() || !propose.proposes("audio") {
            return;
        }
        let Some(proposal) = Proposal::incoming(us.into(), from.clone(), propose) else { return };
        match self.crossed_by(account, from, propose) {
            Some((_, Glare::Ours)) => {
                let answer = Proposal::yield_to(propose);
                tell(now, &mut self.lines, account, from, &answer);
            }
            Some((call, Glare::Theirs)) => {
                if let Some((call, source)) = self.give_way(now, call) {
                    self.keep_invitation(now, account, call, proposal);
                    self.accept_invitation(now, call, source);
                }
            }
            None => self.invite(now, account, proposal),
        }
    }

    /// A proposal rings.
    fn invite(&mut self, now: Now, account: usize, mut proposal: Proposal) {
        let from = proposal.peer().clone();
        let seen = self.lines.get(account).is_some_and(|line| line.is_seen_by(&from));
        let said = if self.has_room_for(account, &from) {
            let ringing = proposal.ringing();
            let (call, _) = self.next_call();
            self.keep_invitation(now, account, call, proposal);
            let (from, display_name) = (format!("xmpp:{from}"), String::new());
            self.events.push_back(Event::Incoming { call, account, from, display_name });
            ringing
        } else {
            proposal.reject(Condition::Busy.into()).filter(|_| !self.has_other_phone(account))
        };
        if let Some(said) = said.filter(|_| seen) {
            tell(now, &mut self.lines, account, &from, &said);
        }
    }

    fn keep_invitation(&mut self, now: Now, account: usize, call: CallId, proposal: Proposal) {
        let (deadline, wish) = (now.mono + RING_LIMIT, Wish::Open);
        self.invitations.insert(call, Invitation { account, proposal, wish, deadline });
    }

    /// Whether another device of ours rings by what is proposed to all of them: one that is busy then
    /// leaves the answer to it.
    fn has_other_phone(&self, account: usize) -> bool {
        self.lines.get(account).is_some_and(Line::has_other_phone)
    }

    /// The owner takes it.
    pub(crate) fn accept_invitation(&mut self, now: Now, call: CallId, source: Source) {
        let Some(invitation) = self.invitations.get_mut(&call) else { return };
        if let Some(proceed) = invitation.proposal.proceed() {
            invitation.wish = Wish::Wanted { source, contested: false };
            invitation.deadline = now.mono + INITIATE_LIMIT;
            let (account, peer) = (invitation.account, invitation.proposal.peer().clone());
            let accept = Initiation::Accept { id: invitation.proposal.id().to_owned() };
            tell(now, &mut self.lines, account, &peer, &proceed);
            self.tell_own(now, account, &accept);
        }
    }

    /// The owner does not want it, or not any more.
    pub(crate) fn reject_invitation(&mut self, now: Now, call: CallId, busy: bool) {
        let Some(invitation) = self.invitations.get_mut(&call) else { return };
        if !invitation.is_open() {
            return;
        }
        let condition = if busy { Condition::Busy } else { Condition::Decline };
        let (account, peer) = (invitation.account, invitation.proposal.peer().clone());
        let Some(reject) = invitation.proposal.reject(condition.into()) else {
            invitation.wish = Wish::Gone;
            let reason = JingleEnd::HungUp.into();
            self.events.push_back(Event::Ended { call, reason, by: By::Us });
            return;
        };
        if !busy {
            tell(now, &mut self.lines, account, &peer, &reject);
            self.tell_own(now, account, &reject);
        } else if !self.has_other_phone(account) {
            tell(now, &mut self.lines, account, &peer, &reject);
        }
        self.end_invitation(call, JingleEnd::Rejected { busy }, By::Us);
    }

    /// Tells our account's other devices that they need not ring any longer.
    fn tell_own(&mut self, now: Now, account: usize, said: &Initiation) {
        let own = self.lines.get(account).and_then(Line::jid).map(|own| own.to_bare().into());
        if let Some(own) = own {
            tell(now, &mut self.lines, account, &own, said);
        }
    }

    /// What the session named `sid` is to the owner, which may be one that was proposed.
    pub(crate) fn take_invitation(&mut self, account: usize, from: &Jid, sid: &str) -> Arrival {
        // Who does not wait for our answer to a proposal means the same call all the same.
        let promised = |(_, invitation): &(&CallId, &Invitation)| {
            let proposal = &invitation.proposal;
            invitation.account == account && proposal.peer() == from && proposal.id() == sid
        };
        let call = self.invitations.iter().find(promised).map(|(call, _)| *call);
        let Some((call, invitation)) = call.and_then(|c| Some((c, self.invitations.remove(&c)?)))
        else {
            return Arrival::New;
        };
        match invitation.wish {
            Wish::Wanted { source, .. } => Arrival::Wanted(call, source),
            Wish::Open => Arrival::Rings(call),
            Wish::Gone => Arrival::Unwanted,
        }
    }

    /// The stream of an account is gone, and what was proposed on it.
    pub(crate) fn lose_invitations(&mut self, account: usize) {
        let ours = self.invitations.iter().filter(|(_, known)| known.account == account);
        for call in ours.map(|(call, _)| *call).collect::<Vec<_>>() {
            self.end_invitation(call, JingleEnd::Offline, By::Them);
        }
    }

    pub(crate) fn handle_invitation_deadlines(&mut self, now: Now) {
        let due = self.invitations.iter().filter(|(_, known)| known.deadline <= now.mono);
        for call in due.map(|(call, _)| *call).collect::<Vec<_>>() {
            self.tell_expired(now, call);
            let end = self.invitations.get(&call).map(|known| known.end(JingleEnd::TimedOut));
            self.end_invitation(call, end.unwrap_or(JingleEnd::TimedOut), By::Us);
        }
    }

    /// Nobody took it here.
    fn tell_expired(&mut self, now: Now, call: CallId) {
        let Some(invitation) = self.invitations.get_mut(&call) else { return };
        let (account, peer) = (invitation.account, invitation.proposal.peer().clone());
        let reject = invitation.proposal.reject(Condition::Timeout.into());
        let seen = self.lines.get(account).is_some_and(|line| line.is_seen_by(&peer));
        if let Some(reject) = reject.filter(|_| seen) {
            tell(now, &mut self.lines, account, &peer, &reject);
        }
    }

    fn end_invitation(&mut self, call: CallId, end: JingleEnd, by: By) {
        let invitation = self.invitations.remove(&call);
        if invitation.is_some_and(|invitation| invitation.is_open()) {
            self.events.push_back(Event::Ended { call, reason: end.into(), by });
        }
    }
}
