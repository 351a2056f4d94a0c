//! Calls that are proposed to us by message (XEP-0353): they ring, and have no session yet.
//!
//! ```text
//! propose ── Open ──┬── the owner answers: proceed ── Wanted ── session-initiate ── a session
//!                   ├── the owner refuses: reject
//!                   └── the caller takes it back, or another device of ours takes it
//! ```

use call::media::Source;
use machine::{Instant, Now};
use xmpp::jingle::initiation::ProposalEvent;
use xmpp::jingle::session::Glare;
use xmpp::jingle::{Condition, Initiation, Proposal};
use xmpp::{Jid, Stanza, ns};

use crate::account::Line;
use crate::defaults::{INITIATE_LIMIT, RING_LIMIT};
use crate::event::{By, CallId, Event};
use crate::phone::Phone;
use crate::reason::JingleEnd;
use crate::signalling::jingle::tell;

/// One of them.
#[derive(Debug)]
pub(crate) struct Invitation {
    account: usize,
    proposal: Proposal,
    wish: Wish,
    /// When it is given up.
    pub(crate) deadline: Instant,
}

/// What the owner wants.
#[derive(Debug)]
enum Wish {
    /// Nothing yet.
    Open,
    /// To talk, and to play this: the session may come.
    Wanted(Source),
    /// Not to talk any more, after having answered: the session that comes is refused.
    Gone,
}

impl Invitation {
    /// Whether the owner knows of it.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.wish, Wish::Open | Wish::Wanted(_))
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
            self.handle_propose(now, account, from, &said);
            return;
        }
        self.proposal_answered(now, account, from, &said);
        let heard: Vec<(CallId, ProposalEvent)> = self
            .invitations
            .iter_mut()
            .filter(|(_, invitation)| invitation.account == account)
            .filter_map(|(call, invitation)| {
                Some((*call, invitation.proposal.handle(from, &said)?))
            })
            .collect();
        for (call, event) in heard {
            let end = match event {
                ProposalEvent::Elsewhere => JingleEnd::Elsewhere,
                _ => JingleEnd::Abandoned,
            };
            self.end_invitation(call, end, By::Them);
        }
    }

    fn handle_propose(&mut self, now: Now, account: usize, from: &Jid, propose: &Initiation) {
        let own = self.lines.get(account).and_then(Line::jid);
        let ours = own.is_some_and(|own| own.to_bare() == from.to_bare());
        let known = self.invitations.values().any(|invitation| {
            invitation.proposal.peer() == from && invitation.proposal.id() == propose.id()
        });
        if ours || known || self.is_stopping() {
            return;
        }
        match self.proposals_cross(now, account, from, propose) {
            Some(Glare::Ours | Glare::Theirs) => {}
            // Another device of ours may know what to do with it.
            None if !propose.proposes("audio") => {}
            None => self.invite(now, account, from, propose, None),
        }
    }

    /// A proposal rings, or is taken at once, as `wanted` by a call of that name.
    pub(crate) fn invite(
        &mut self,
        now: Now,
        account: usize,
        from: &Jid,
        propose: &Initiation,
        wanted: Option<(CallId, Source)>,
    ) {
        let Some(us) = self.lines.get(account).and_then(Line::jid).cloned() else { return };
        let Some(mut proposal) = Proposal::incoming(us.into(), from.clone(), propose) else {
            return;
        };
        if wanted.is_none() && self.is_full() {
            if let Some(busy) = proposal.reject(Condition::Busy.into()) {
                tell(now, &mut self.lines, account, from, &busy);
            }
            return;
        }
        if let Some(ringing) = proposal.ringing().filter(|_| wanted.is_none()) {
            tell(now, &mut self.lines, account, from, &ringing);
        }
        let (deadline, wish) = (now.mono + RING_LIMIT, Wish::Open);
        let invitation = Invitation { account, proposal, wish, deadline };
        match wanted {
            Some((call, source)) => {
                self.invitations.insert(call, invitation);
                self.accept_invitation(now, call, source);
            }
            None => {
                let (call, _) = self.next_call();
                self.invitations.insert(call, invitation);
                let (from, display_name) = (format!("xmpp:{from}"), String::new());
                self.events.push_back(Event::Incoming { call, account, from, display_name });
            }
        }
    }

    /// The owner takes it.
    pub(crate) fn accept_invitation(&mut self, now: Now, call: CallId, source: Source) {
        let Some(invitation) = self.invitations.get_mut(&call) else { return };
        if let Some(proceed) = invitation.proposal.proceed() {
            invitation.wish = Wish::Wanted(source);
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
        if let Some(reject) = invitation.proposal.reject(condition.into()) {
            let (account, peer) = (invitation.account, invitation.proposal.peer().clone());
            tell(now, &mut self.lines, account, &peer, &reject);
            self.tell_own(now, account, &reject);
            self.end_invitation(call, JingleEnd::Rejected { busy }, By::Us);
        } else {
            invitation.wish = Wish::Gone;
            let reason = JingleEnd::HungUp.into();
            self.events.push_back(Event::Ended { call, reason, by: By::Us });
        }
    }

    /// Tells our account's other devices that they need not ring any longer.
    fn tell_own(&mut self, now: Now, account: usize, said: &Initiation) {
        let own = self.lines.get(account).and_then(Line::jid).map(|own| own.to_bare().into());
        if let Some(own) = own {
            tell(now, &mut self.lines, account, &own, said);
        }
    }

    /// The session that a proposal promised has come: the call that wants it, if one does.
    ///
    /// # Errors
    /// Why it is not wanted any more.
    pub(crate) fn take_invitation(
        &mut self,
        account: usize,
        from: &Jid,
        sid: &str,
    ) -> Result<Option<(CallId, Source)>, Condition> {
        let admits = |(_, invitation): &(&CallId, &Invitation)| {
            invitation.account == account && invitation.proposal.admits(from, sid)
        };
        let call = self.invitations.iter().find(admits).map(|(call, _)| *call);
        let Some((call, invitation)) = call.and_then(|c| Some((c, self.invitations.remove(&c)?)))
        else {
            return Ok(None);
        };
        match invitation.wish {
            Wish::Wanted(source) => Ok(Some((call, source))),
            Wish::Open => Ok(None),
            Wish::Gone => Err(Condition::Decline),
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
            self.end_invitation(call, JingleEnd::TimedOut, By::Us);
        }
    }

    /// Nobody took it here.
    fn tell_expired(&mut self, now: Now, call: CallId) {
        let Some(invitation) = self.invitations.get_mut(&call) else { return };
        if let Some(reject) = invitation.proposal.reject(Condition::Timeout.into()) {
            let (account, peer) = (invitation.account, invitation.proposal.peer().clone());
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
