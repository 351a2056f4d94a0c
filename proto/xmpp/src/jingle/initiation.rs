//! A session proposed in messages (XEP-0353): rings every device of the callee's, needs no presence, and
//! tells which device takes it.

use jid::Jid;
use minidom::Element;
use xso::{AsXml, FromXml};

use super::reason::{Condition, Reason};
use super::session::{Glare, tie_break};
use super::{Creator, Error, rtp};
use crate::ns;

/// The payload of a message about a proposal.
#[derive(FromXml, AsXml, Clone, Debug, PartialEq, Eq)]
#[xml(namespace = ns::JINGLE_MESSAGE)]
pub enum Initiation {
    /// The caller asks.
    #[xml(name = "propose", on_unknown_attribute = Discard)]
    Propose {
        /// The proposal's name, which becomes the session's.
        #[xml(attribute)]
        id: String,
        /// What is proposed.
        #[xml(child(n = ..))]
        descriptions: Vec<rtp::Description>,
        /// What else it holds.
        #[xml(element(n = ..))]
        unknown: Vec<Element>,
    },
    /// A device of the callee's rings.
    #[xml(name = "ringing", on_unknown_attribute = Discard)]
    Ringing {
        /// The proposal's name.
        #[xml(attribute)]
        id: String,
    },
    /// A device of the callee's takes the call: it waits for the session-initiate.
    #[xml(name = "proceed", on_unknown_attribute = Discard)]
    Proceed {
        /// The proposal's name.
        #[xml(attribute)]
        id: String,
        /// What else it holds.
        #[xml(element(n = ..))]
        unknown: Vec<Element>,
    },
    /// The callee does not want it.
    #[xml(name = "reject", on_unknown_attribute = Discard)]
    Reject {
        /// The proposal's name.
        #[xml(attribute)]
        id: String,
        /// Why.
        #[xml(child(default))]
        reason: Option<Reason>,
        /// Because the other proposal of the two goes on.
        #[xml(flag(name = "tie-break"))]
        tie_break: bool,
        /// What else it holds.
        #[xml(element(n = ..))]
        unknown: Vec<Element>,
    },
    /// The caller takes it back.
    #[xml(name = "retract", on_unknown_attribute = Discard)]
    Retract {
        /// The proposal's name.
        #[xml(attribute)]
        id: String,
        /// Why.
        #[xml(child(default))]
        reason: Option<Reason>,
        /// What else it holds.
        #[xml(element(n = ..))]
        unknown: Vec<Element>,
    },
    /// The callee's device tells the callee's other devices that it took the call. Later versions of
    /// the XEP let them see the `<proceed/>` instead.
    #[xml(name = "accept", on_unknown_attribute = Discard)]
    Accept {
        /// The proposal's name.
        #[xml(attribute)]
        id: String,
    },
    /// The session is over.
    #[xml(name = "finish", on_unknown_attribute = Discard)]
    Finish {
        /// The proposal's name.
        #[xml(attribute)]
        id: String,
        /// Why.
        #[xml(child(default))]
        reason: Option<Reason>,
        /// What else it holds.
        #[xml(element(n = ..))]
        unknown: Vec<Element>,
    },
}

impl Initiation {
    /// The proposal's name.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Propose { id, .. }
            | Self::Ringing { id }
            | Self::Proceed { id, .. }
            | Self::Reject { id, .. }
            | Self::Retract { id, .. }
            | Self::Accept { id }
            | Self::Finish { id, .. } => id,
        }
    }

    /// Whether something of media type `media` is proposed.
    #[must_use]
    pub fn proposes(&self, media: &str) -> bool {
        match self {
            Self::Propose { descriptions, .. } => descriptions.iter().any(|d| d.media == media),
            _ => false,
        }
    }

    /// Children that are kept and not understood.
    #[must_use]
    pub fn unknown(&self) -> &[Element] {
        match self {
            Self::Propose { unknown, .. }
            | Self::Proceed { unknown, .. }
            | Self::Reject { unknown, .. }
            | Self::Retract { unknown, .. }
            | Self::Finish { unknown, .. } => unknown,
            Self::Ringing { .. } | Self::Accept { .. } => &[],
        }
    }
}

impl TryFrom<&Element> for Initiation {
    type Error = Error;

    fn try_from(element: &Element) -> Result<Self, Error> {
        Ok(xso::transform(element)?)
    }
}

/// One proposal, from either end.
///
/// ```text
/// caller: Proposed ─ Ringing ─ Proceeding     callee: Proposed ─ Ringing ─ Proceeding ─ Over
///               └─────────┴─ Over                           └─────────┴─ Over
/// ```
///
/// Two devices of the callee's may both proceed before either hears of the other. The session comes to
/// one of them; the caller takes the proposal back from the other one ([`Proposal::take_back`]), which is
/// [contested](ProposalEvent::Contested) meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    id: String,
    role: Creator,
    us: Jid,
    /// Whom the caller asked, or the device that asks.
    peer: Jid,
    state: ProposalState,
}

/// How far a proposal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposalState {
    /// It was sent.
    Proposed,
    /// It rings.
    Ringing,
    /// The callee's device takes the call: the session follows, between these two.
    Proceeding(Jid),
    /// It came to nothing.
    Over,
}

/// What a message did to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposalEvent {
    /// To the caller: it rings over there.
    Ringing,
    /// To the caller: begin the session with this device.
    Proceed(Jid),
    /// To the caller: not wanted. With a tie-break: the other side's own proposal goes on.
    Rejected {
        /// Why.
        reason: Reason,
        /// Whether the other side's proposal goes on instead.
        tie_break: bool,
    },
    /// To the callee: the caller took it back.
    Retracted(Reason),
    /// To the callee: another device of the callee's took the call or rejected it.
    Elsewhere,
    /// To the callee: another device took the call as well. The session comes to one of the two.
    Contested,
}

impl Proposal {
    /// The caller's: we ask `peer`, mostly a bare address.
    #[must_use]
    pub fn propose(us: Jid, peer: Jid, id: &str, media: &str) -> (Self, Initiation) {
        let (id, role, state) = (id.to_owned(), Creator::Initiator, ProposalState::Proposed);
        let description = rtp::Description { media: media.to_owned(), ..Default::default() };
        let propose = Initiation::Propose {
            id: id.clone(),
            descriptions: vec![description],
            unknown: Vec::new(),
        };
        (Self { id, role, us, peer, state }, propose)
    }

    /// The callee's: `from` asks us. `None` if that is no proposal, or one that passes a limit.
    #[must_use]
    pub fn incoming(us: Jid, from: Jid, initiation: &Initiation) -> Option<Self> {
        let Initiation::Propose { id, descriptions, .. } = initiation else { return None };
        let within = id.len() <= crate::defaults::MAX_JINGLE_STRING_BYTES
            && descriptions.len() <= crate::defaults::MAX_JINGLE_CONTENTS;
        let (id, role, state) = (id.clone(), Creator::Responder, ProposalState::Proposed);
        within.then_some(Self { id, role, us, peer: from, state })
    }

    /// Its name, and the session's.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who we are in it.
    #[must_use]
    pub const fn role(&self) -> Creator {
        self.role
    }

    /// Whom the caller asked, or the device that asks.
    #[must_use]
    pub const fn peer(&self) -> &Jid {
        &self.peer
    }

    /// How far it is.
    #[must_use]
    pub const fn state(&self) -> &ProposalState {
        &self.state
    }

    /// The callee's telephone rings; `None` if that is not to be said (any more).
    pub fn ringing(&mut self) -> Option<Initiation> {
        let asked = self.role == Creator::Responder && self.state == ProposalState::Proposed;
        asked.then(|| {
            self.state = ProposalState::Ringing;
            Initiation::Ringing { id: self.id.clone() }
        })
    }

    /// The callee takes the call; `None` if it is not on offer (any more).
    pub fn proceed(&mut self) -> Option<Initiation> {
        (self.role == Creator::Responder && self.is_open()).then(|| {
            self.state = ProposalState::Proceeding(self.peer.clone());
            Initiation::Proceed { id: self.id.clone(), unknown: Vec::new() }
        })
    }

    /// The callee does not want it; `None` if it is not on offer (any more).
    pub fn reject(&mut self, reason: Reason) -> Option<Initiation> {
        (self.role == Creator::Responder && self.is_open()).then(|| {
            self.state = ProposalState::Over;
            let (id, reason) = (self.id.clone(), Some(reason));
            Initiation::Reject { id, reason, tie_break: false, unknown: Vec::new() }
        })
    }

    /// The caller takes it back; `None` if it is too late, and a session-terminate says it.
    pub fn retract(&mut self, reason: Reason) -> Option<Initiation> {
        (self.role == Creator::Initiator && self.is_open()).then(|| {
            self.state = ProposalState::Over;
            Initiation::Retract { id: self.id.clone(), reason: Some(reason), unknown: Vec::new() }
        })
    }

    /// The caller takes the proposal named `id` back from a device that would go on with it too late:
    /// another one was faster, or the caller has given up.
    #[must_use]
    pub fn take_back(id: &str) -> Initiation {
        let (id, reason) = (id.to_owned(), Some(Condition::Cancel.into()));
        Initiation::Retract { id, reason, unknown: Vec::new() }
    }

    /// Takes a message of the other side's, or of another device of our own account's. Messages of
    /// others and about other proposals do nothing.
    pub fn handle(&mut self, from: &Jid, initiation: &Initiation) -> Option<ProposalEvent> {
        let waits = match self.role {
            Creator::Initiator => self.is_open(),
            // What the callee took may still be taken back, until the session comes.
            Creator::Responder => self.state != ProposalState::Over,
        };
        if initiation.id() != self.id || !waits {
            return None;
        }
        let theirs = from.to_bare() == self.peer.to_bare();
        match self.role {
            Creator::Initiator if theirs => self.handle_answer(from, initiation),
            Creator::Responder if from.to_bare() == self.us.to_bare() => {
                self.handle_own(from, initiation)
            }
            Creator::Responder if *from == self.peer => match initiation {
                Initiation::Retract { reason, .. } | Initiation::Finish { reason, .. } => {
                    self.state = ProposalState::Over;
                    let reason = reason.clone().unwrap_or_else(|| Condition::Cancel.into());
                    Some(ProposalEvent::Retracted(reason))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn handle_answer(&mut self, from: &Jid, initiation: &Initiation) -> Option<ProposalEvent> {
        match initiation {
            Initiation::Ringing { .. } => {
                let first = self.state == ProposalState::Proposed;
                self.state = ProposalState::Ringing;
                first.then_some(ProposalEvent::Ringing)
            }
            Initiation::Proceed { .. } => {
                self.state = ProposalState::Proceeding(from.clone());
                Some(ProposalEvent::Proceed(from.clone()))
            }
            Initiation::Reject { reason, tie_break, .. } => {
                self.state = ProposalState::Over;
                let reason = reason.clone().unwrap_or_else(|| Condition::Decline.into());
                Some(ProposalEvent::Rejected { reason, tie_break: *tie_break })
            }
            _ => None,
        }
    }

    fn handle_own(&mut self, from: &Jid, initiation: &Initiation) -> Option<ProposalEvent> {
        let settled = match initiation {
            Initiation::Proceed { .. } | Initiation::Accept { .. } | Initiation::Finish { .. } => {
                true
            }
            // A device that is busy speaks for itself alone.
            Initiation::Reject { reason, .. } => {
                reason.as_ref().and_then(|reason| reason.condition.as_ref())
                    != Some(&Condition::Busy)
            }
            _ => false,
        };
        if !settled || *from == self.us {
            return None;
        }
        if !self.is_open() {
            return Some(ProposalEvent::Contested);
        }
        self.state = ProposalState::Over;
        Some(ProposalEvent::Elsewhere)
    }

    /// Whether a session-initiate named `sid` from `from` is the one that we, the callee, wait for.
    #[must_use]
    pub fn admits(&self, from: &Jid, sid: &str) -> bool {
        let proceeding = matches!(self.state, ProposalState::Proceeding(_));
        self.role == Creator::Responder && proceeding && *from == self.peer && sid == self.id
    }

    /// Whether `other`, a proposal that came from `from`, crossed this one of ours, and which goes on.
    ///
    /// If [`Glare::Ours`] does, answer with [`Proposal::yield_to`]; if [`Glare::Theirs`] does, ours is
    /// to be taken back and theirs is to be taken at once, since both want to talk.
    #[must_use]
    pub fn glare(&self, from: &Jid, other: &Initiation) -> Option<Glare> {
        let proposes = matches!(other, Initiation::Propose { .. });
        let crossed = self.role == Creator::Initiator
            && self.is_open()
            && proposes
            && from.to_bare() == self.peer.to_bare();
        crossed.then(|| tie_break((&self.id, &self.us), (other.id(), from)))
    }

    /// The answer to a proposal that yields to one of ours.
    #[must_use]
    pub fn yield_to(theirs: &Initiation) -> Initiation {
        Initiation::Reject {
            id: theirs.id().to_owned(),
            reason: Some(Condition::Expired.into()),
            tie_break: true,
            unknown: Vec::new(),
        }
    }

    /// Whether it has not come to anything yet.
    fn is_open(&self) -> bool {
        matches!(self.state, ProposalState::Proposed | ProposalState::Ringing)
    }
}
