//! The state of one session (XEP-0166 §5 and §6).
//!
//! Values in, values out: [`Session::handle`] takes a step of the other side's and says what it means,
//! or which error answers it; the verbs make our own steps. A step travels as an IQ of type set; each
//! that `handle` does not refuse is to be acknowledged at once, before what follows from it is sent. What
//! came of our own is told by [`Session::handle_result`].
//!
//! ```text
//! initiate ─┐
//!           ├─ Pending ── accept ── Active ─┐
//! incoming ─┘     └───────── terminate ─────┴─ Ended
//! ```
//!
//! | step | in Pending | in Active |
//! |---|---|---|
//! | session-accept | from the responder | out of order |
//! | session-info, transport-info, description-info, content-remove, content-modify, session-terminate | yes | yes |
//! | transport-replace, one at a time; -accept and -reject to one of ours | yes | yes |
//! | content-add | agreed to by nobody here: acknowledged, then content-reject | the same |
//! | content-accept, content-reject | out of order: we add nothing | the same |
//! | security-info | not implemented | the same |
//!
//! What crosses is settled by XEP-0166 §7.2.16: of two initiations the one with the lower name goes on
//! ([`Session::glare`]), inside a session the initiator's step does.

use jid::Jid;

use super::{
    Action, Condition, Content, Creator, Group, Info, Jingle, Reason, Refusal, Senders, limits,
};
use crate::defaults::MAX_JINGLE_SESSION_CANDIDATES;
use crate::stanza::StanzaError;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is offered.
    Pending,
    /// It is agreed to.
    Active,
    /// It is over.
    Ended,
}

/// Why a step of ours is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not in this state, or not by us.
    #[error("{0} is out of order")]
    OutOfOrder(Action),
    /// One like it is under way.
    #[error("another {0} is under way")]
    Pending(Action),
    /// The session has no such content, or none is given.
    #[error("{0} without a content of the session's")]
    Content(Action),
}

/// What a step of the other side's means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The other side agrees to the session, and to these contents of it.
    Accepted {
        /// The contents, as the other side describes them. What is missing is not agreed to.
        contents: Vec<Content>,
        /// Which belong together.
        groups: Vec<Group>,
    },
    /// Something goes on over there.
    Info(Info),
    /// Candidates.
    Transport(Vec<Content>),
    /// Who sends has changed.
    Modified(Vec<Content>),
    /// Parameters have changed, for information.
    Described(Vec<Content>),
    /// Another transport is offered: [`Session::accept_transport`] or
    /// [`Session::reject_transport`].
    TransportOffered(Vec<Content>),
    /// The transport that we offered is agreed to; with the other side's.
    TransportAccepted(Vec<Content>),
    /// The transport that we offered is not agreed to.
    TransportRejected(Reason),
    /// Contents are gone.
    Removed(Vec<Content>),
    /// This is to be sent, as a request.
    Send(Jingle),
    /// A step of ours was refused, and has not happened.
    Refused(Action),
    /// The session is over.
    Ended(Reason),
}

/// Which of two crossing initiations goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glare {
    /// Ours. Theirs is refused.
    Ours,
    /// Theirs. Ours will be refused.
    Theirs,
}

/// Which of two crossing initiations goes on, each given by its name and its initiator.
#[must_use]
pub fn tie_break(ours: (&str, &Jid), theirs: (&str, &Jid)) -> Glare {
    //= XEP-0166 §7.2.16: the lower name wins, by octets; if they are equal, the lower initiator.
    if (ours.0, ours.1.as_str()) <= (theirs.0, theirs.1.as_str()) {
        Glare::Ours
    } else {
        Glare::Theirs
    }
}

/// One content of the session, as far as the session's state needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    creator: Creator,
    name: String,
    senders: Senders,
}

impl Place {
    fn of(content: &Content) -> Self {
        Self { creator: content.creator, name: content.name.clone(), senders: content.senders() }
    }

    fn is(&self, content: &Content) -> bool {
        self.creator == content.creator && self.name == content.name
    }
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    sid: String,
    us: Jid,
    peer: Jid,
    role: Creator,
    state: State,
    contents: Vec<Place>,
    /// Contents that we removed: what crossed their removal may still speak of them.
    removed: Vec<Place>,
    /// Candidates that the other side sent since its last transport.
    candidates: usize,
    /// Our content-modify that has no result yet.
    modifying: Option<Vec<Place>>,
    /// Our transport-replace that has no answer yet.
    replacing: bool,
    /// The other side's transport-replace that we have not answered.
    offered: bool,
}

impl Session {
    /// Begins a session named `sid`, and says how to tell the other side.
    ///
    /// # Errors
    /// If there are no contents.
    pub fn initiate(
        us: Jid,
        peer: Jid,
        sid: &str,
        contents: Vec<Content>,
        groups: Vec<Group>,
    ) -> Result<(Self, Jingle), Error> {
        if contents.is_empty() {
            return Err(Error::Content(Action::SessionInitiate));
        }
        let session = Self::new(us, peer, sid, Creator::Initiator, &contents);
        let mut initiate = session.step(Action::SessionInitiate);
        //= XEP-0166 §7.1: an initiate names its initiator.
        initiate.initiator = Some(session.us.clone());
        (initiate.contents, initiate.groups) = (contents, groups);
        Ok((session, initiate))
    }

    /// The session that `from` begins with a session-initiate.
    ///
    /// Whether its contents are of use is for the caller to see, who ends the session if not.
    ///
    /// # Errors
    /// The error to answer with.
    pub fn incoming(us: Jid, from: Jid, initiate: &Jingle) -> Result<Self, Refusal> {
        if initiate.action != Action::SessionInitiate {
            return Err(Refusal::UnknownSession);
        }
        limits::check(initiate)?;
        let ours = |content: &Content| content.creator == Creator::Initiator;
        let named = !initiate.sid.is_empty() && all_differ(&initiate.contents);
        if initiate.contents.is_empty() || !named || !initiate.contents.iter().all(ours) {
            return Err(Refusal::BadRequest);
        }
        let mut session =
            Self::new(us, from, &initiate.sid, Creator::Responder, &initiate.contents);
        session.count(&initiate.contents)?;
        Ok(session)
    }

    fn new(us: Jid, peer: Jid, sid: &str, role: Creator, contents: &[Content]) -> Self {
        Self {
            sid: sid.to_owned(),
            us,
            peer,
            role,
            state: State::Pending,
            contents: contents.iter().map(Place::of).collect(),
            removed: Vec::new(),
            candidates: 0,
            modifying: None,
            replacing: false,
            offered: false,
        }
    }

    /// Its name, unique with this peer.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// Our address in it.
    #[must_use]
    pub const fn us(&self) -> &Jid {
        &self.us
    }

    /// The other side's address: steps go there, and are taken from nobody else.
    #[must_use]
    pub const fn peer(&self) -> &Jid {
        &self.peer
    }

    /// Who we are in it.
    #[must_use]
    pub const fn role(&self) -> Creator {
        self.role
    }

    /// How far it is.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Who sends a content; `None` if the session has none of that name.
    #[must_use]
    pub fn senders(&self, creator: Creator, name: &str) -> Option<Senders> {
        let mut places = self.contents.iter();
        places.find(|place| place.creator == creator && place.name == name).map(|p| p.senders)
    }

    /// Whether a step named `sid` from `from` belongs to it.
    #[must_use]
    pub fn is_between(&self, from: &Jid, sid: &str) -> bool {
        self.sid == sid && self.peer == *from
    }

    /// Whether `initiate`, which came from `from`, crossed this session's own, and which goes on.
    ///
    /// If [`Glare::Ours`] does, answer with [`Refusal::TieBreak`]. If [`Glare::Theirs`] does, ours is
    /// about to be refused: take theirs, at once, since both want to talk.
    #[must_use]
    pub fn glare(&self, from: &Jid, initiate: &Jingle) -> Option<Glare> {
        let crossed = self.role == Creator::Initiator
            && self.state == State::Pending
            && initiate.action == Action::SessionInitiate
            && self.peer.to_bare() == from.to_bare();
        crossed.then(|| tie_break((&self.sid, &self.us), (&initiate.sid, from)))
    }
}

/// What the other side does.
impl Session {
    /// Takes a step of the other side's. If it is not refused, it is to be acknowledged before
    /// anything that the events ask for is sent.
    ///
    /// # Errors
    /// The error to answer with; nothing has changed then.
    pub fn handle(&mut self, from: &Jid, jingle: &Jingle) -> Result<Vec<Event>, Refusal> {
        if !self.is_between(from, &jingle.sid) || self.state == State::Ended {
            return Err(Refusal::UnknownSession);
        }
        limits::check(jingle)?;
        match jingle.action {
            Action::SessionInitiate | Action::ContentAccept | Action::ContentReject => {
                Err(Refusal::OutOfOrder)
            }
            Action::SecurityInfo => Err(Refusal::NotImplemented),
            Action::SessionAccept => self.accepted(jingle),
            Action::SessionInfo => Self::informed(jingle),
            Action::SessionTerminate => {
                self.state = State::Ended;
                Ok(vec![Event::Ended(jingle.reason.clone().unwrap_or_default())])
            }
            Action::ContentAdd => self.added(jingle),
            Action::ContentModify => self.modified(jingle),
            Action::ContentRemove => self.removed(jingle),
            Action::DescriptionInfo => Ok(vec![Event::Described(self.known(jingle)?)]),
            Action::TransportInfo => {
                let contents = self.known(jingle)?;
                self.count(&jingle.contents)?;
                Ok(vec![Event::Transport(contents)])
            }
            Action::TransportReplace => self.transport_offered(jingle),
            Action::TransportAccept | Action::TransportReject => self.transport_answered(jingle),
        }
    }

    fn accepted(&mut self, jingle: &Jingle) -> Result<Vec<Event>, Refusal> {
        if self.role != Creator::Initiator || self.state != State::Pending {
            return Err(Refusal::OutOfOrder);
        }
        let contents = self.known(jingle)?;
        self.count(&jingle.contents)?;
        self.state = State::Active;
        self.contents = contents.iter().map(Place::of).collect();
        let groups = jingle.groups.clone();
        Ok(vec![Event::Accepted { contents, groups }])
    }

    fn informed(jingle: &Jingle) -> Result<Vec<Event>, Refusal> {
        match &jingle.info {
            Some(info) => Ok(vec![Event::Info(info.clone())]),
            //= XEP-0166 §6.8: an empty session-info asks whether the session lives.
            None if jingle.unknown.is_empty() => Ok(Vec::new()),
            None => Err(Refusal::UnsupportedInfo),
        }
    }

    //= XEP-0166 §7.2.2: what is added is agreed to or rejected after the acknowledgement.
    fn added(&self, jingle: &Jingle) -> Result<Vec<Event>, Refusal> {
        let known = jingle.contents.iter().any(|content| self.place(content).is_some());
        let theirs = |content: &Content| content.creator != self.role;
        if jingle.contents.is_empty() || known || !jingle.contents.iter().all(theirs) {
            return Err(Refusal::BadRequest);
        }
        let mut reject = self.step(Action::ContentReject);
        reject.contents = jingle.contents.iter().map(Content::bare).collect();
        reject.reason = Some(Condition::UnsupportedApplications.into());
        Ok(vec![Event::Send(reject)])
    }

    fn modified(&mut self, jingle: &Jingle) -> Result<Vec<Event>, Refusal> {
        let contents = self.known(jingle)?;
        if contents.iter().any(|content| content.senders.is_none()) {
            return Err(Refusal::BadRequest);
        }
        //= XEP-0166 §7.2.16: of two steps that cross, the initiator's goes on.
        if self.modifying.is_some() && self.role == Creator::Initiator {
            return Err(Refusal::TieBreak);
        }
        contents.iter().for_each(|content| self.set(&Place::of(content)));
        Ok(vec![Event::Modified(contents)])
    }

    fn removed(&mut self, jingle: &Jingle) -> Result<Vec<Event>, Refusal> {
        let contents = self.known(jingle)?;
        self.contents.retain(|place| !contents.iter().any(|content| place.is(content)));
        let mut events = vec![Event::Removed(contents)];
        //= XEP-0166 §7.2.5: a session without contents is ended.
        if self.contents.is_empty() {
            self.state = State::Ended;
            let reason = jingle.reason.clone().unwrap_or_else(|| Condition::Success.into());
            let mut terminate = self.step(Action::SessionTerminate);
            terminate.reason = Some(reason.clone());
            events.extend([Event::Send(terminate), Event::Ended(reason)]);
        }
        Ok(events)
    }

    fn transport_offered(&mut self, jingle: &Jingle) -> Result<Vec<Event>, Refusal> {
        let contents = self.known(jingle)?;
        if self.replacing && self.role == Creator::Initiator {
            return Err(Refusal::TieBreak);
        }
        if self.offered {
            return Err(Refusal::OutOfOrder);
        }
        self.restart_count(&jingle.contents);
        self.offered = true;
        Ok(vec![Event::TransportOffered(contents)])
    }

    fn transport_answered(&mut self, jingle: &Jingle) -> Result<Vec<Event>, Refusal> {
        if !self.replacing {
            return Err(Refusal::OutOfOrder);
        }
        let contents = self.known(jingle)?;
        if jingle.action == Action::TransportReject {
            self.replacing = false;
            return Ok(vec![Event::TransportRejected(jingle.reason.clone().unwrap_or_default())]);
        }
        self.restart_count(&jingle.contents);
        self.replacing = false;
        Ok(vec![Event::TransportAccepted(contents)])
    }

    /// What came of a step of ours: acknowledged, or refused.
    pub fn handle_result(
        &mut self,
        action: Action,
        result: Result<(), &StanzaError>,
    ) -> Vec<Event> {
        let modifying = match action {
            Action::ContentModify => self.modifying.take(),
            _ => None,
        };
        let Err(error) = result else {
            modifying.iter().flatten().for_each(|place| self.set(place));
            return Vec::new();
        };
        if self.state == State::Ended {
            return Vec::new();
        }
        if action == Action::TransportReplace {
            self.replacing = false;
        }
        let mut events = vec![Event::Refused(action)];
        let fatal = matches!(action, Action::SessionInitiate | Action::SessionAccept);
        if fatal || Refusal::of(error) == Some(Refusal::UnknownSession) {
            self.state = State::Ended;
            events.push(Event::Ended(Condition::Gone.into()));
        }
        events
    }
}

/// What we do.
impl Session {
    /// Agrees to the session, and to these contents of it.
    ///
    /// # Errors
    /// If we are not the one who is asked (any more), or it has no such contents.
    pub fn accept(&mut self, contents: Vec<Content>, groups: Vec<Group>) -> Result<Jingle, Error> {
        if self.role != Creator::Responder || self.state != State::Pending {
            return Err(Error::OutOfOrder(Action::SessionAccept));
        }
        let mut accept = self.about(Action::SessionAccept, contents)?;
        self.state = State::Active;
        self.contents = accept.contents.iter().map(Place::of).collect();
        //= XEP-0166 §7.1: an accept names its responder.
        accept.responder = Some(self.us.clone());
        accept.groups = groups;
        Ok(accept)
    }

    /// Says what goes on here: ringing, hold, mute, or nothing to see whether the session lives.
    ///
    /// # Errors
    /// If the session is over.
    pub fn info(&self, info: Option<Info>) -> Result<Jingle, Error> {
        self.check_open(Action::SessionInfo)?;
        Ok(Jingle { info, ..self.step(Action::SessionInfo) })
    }

    /// Sends candidates, each in its content.
    ///
    /// # Errors
    /// If the session is over, or has no such contents.
    pub fn transport_info(&self, contents: Vec<Content>) -> Result<Jingle, Error> {
        self.check_open(Action::TransportInfo)?;
        self.about(Action::TransportInfo, contents)
    }

    /// Changes who sends the contents.
    ///
    /// # Errors
    /// If the session is over or has no such contents, if we are asked and have not accepted, or if
    /// such a change has no result yet.
    pub fn modify(&mut self, contents: &[Content]) -> Result<Jingle, Error> {
        self.check_open(Action::ContentModify)?;
        // Until it accepts, the responder has said nothing: its accept says who sends.
        if self.role == Creator::Responder && self.state == State::Pending {
            return Err(Error::OutOfOrder(Action::ContentModify));
        }
        if self.modifying.is_some() {
            return Err(Error::Pending(Action::ContentModify));
        }
        let named =
            |content: &Content| Content { senders: Some(content.senders()), ..content.bare() };
        let modify = self.about(Action::ContentModify, contents.iter().map(named).collect())?;
        self.modifying = Some(modify.contents.iter().map(Place::of).collect());
        Ok(modify)
    }

    /// Removes contents, but not all of them: that is [`Session::terminate`].
    ///
    /// # Errors
    /// If the session is over, or has no such contents, or no others.
    pub fn remove(&mut self, contents: &[Content], reason: Reason) -> Result<Jingle, Error> {
        self.check_open(Action::ContentRemove)?;
        let contents = contents.iter().map(Content::bare).collect();
        let remove = self.about(Action::ContentRemove, contents)?;
        let left = |place: &Place| !remove.contents.iter().any(|content| place.is(content));
        if !self.contents.iter().any(left) {
            return Err(Error::Content(Action::ContentRemove));
        }
        let (left, gone) = std::mem::take(&mut self.contents).into_iter().partition(left);
        self.contents = left;
        self.removed.extend::<Vec<Place>>(gone);
        Ok(Jingle { reason: Some(reason), ..remove })
    }

    /// Offers other transports for the contents; a restart of ICE is one (XEP-0176 §5.9).
    ///
    /// # Errors
    /// If the session is over or has no such contents, or another offer, of either side's, has no
    /// answer yet.
    pub fn replace_transport(&mut self, contents: Vec<Content>) -> Result<Jingle, Error> {
        self.check_open(Action::TransportReplace)?;
        if self.replacing || self.offered {
            return Err(Error::Pending(Action::TransportReplace));
        }
        let replace = self.about(Action::TransportReplace, contents)?;
        self.replacing = true;
        Ok(replace)
    }

    /// Agrees to the other side's transport-replace, with our own transports.
    ///
    /// # Errors
    /// If none is on offer, or the session has no such contents.
    pub fn accept_transport(&mut self, contents: Vec<Content>) -> Result<Jingle, Error> {
        if self.state == State::Ended || !self.offered {
            return Err(Error::OutOfOrder(Action::TransportAccept));
        }
        let accept = self.about(Action::TransportAccept, contents)?;
        self.offered = false;
        Ok(accept)
    }

    /// Does not agree to the other side's transport-replace.
    ///
    /// # Errors
    /// If none is on offer, or the session has no such contents.
    pub fn reject_transport(
        &mut self,
        contents: &[Content],
        reason: Reason,
    ) -> Result<Jingle, Error> {
        if self.state == State::Ended || !self.offered {
            return Err(Error::OutOfOrder(Action::TransportReject));
        }
        let contents = contents.iter().map(Content::bare).collect();
        let reject = self.about(Action::TransportReject, contents)?;
        self.offered = false;
        Ok(Jingle { reason: Some(reason), ..reject })
    }

    /// Ends the session.
    ///
    /// # Errors
    /// If it is over already.
    pub fn terminate(&mut self, reason: Reason) -> Result<Jingle, Error> {
        self.check_open(Action::SessionTerminate)?;
        self.state = State::Ended;
        Ok(Jingle { reason: Some(reason), ..self.step(Action::SessionTerminate) })
    }
}

/// Helpers.
impl Session {
    fn step(&self, action: Action) -> Jingle {
        Jingle::new(action, &self.sid)
    }

    /// A step about contents of the session.
    fn about(&self, action: Action, contents: Vec<Content>) -> Result<Jingle, Error> {
        self.all_known(&contents).map_err(|_| Error::Content(action))?;
        Ok(Jingle { contents, ..self.step(action) })
    }

    fn check_open(&self, action: Action) -> Result<(), Error> {
        if self.state == State::Ended { Err(Error::OutOfOrder(action)) } else { Ok(()) }
    }

    fn place(&self, content: &Content) -> Option<&Place> {
        self.contents.iter().find(|place| place.is(content))
    }

    /// At least one content, each of the session's, none twice.
    fn all_known(&self, contents: &[Content]) -> Result<(), Refusal> {
        if contents.is_empty() || !all_differ(contents) {
            return Err(Refusal::BadRequest);
        }
        let known = contents.iter().all(|content| self.place(content).is_some());
        if known { Ok(()) } else { Err(Refusal::UnknownContent) }
    }

    /// The contents of a step of the other side's, but for those that we removed meanwhile.
    fn known(&self, jingle: &Jingle) -> Result<Vec<Content>, Refusal> {
        if jingle.contents.is_empty() || !all_differ(&jingle.contents) {
            return Err(Refusal::BadRequest);
        }
        let gone = |content: &Content| self.removed.iter().any(|place| place.is(content));
        let (known, unknown): (Vec<&Content>, Vec<_>) =
            jingle.contents.iter().partition(|content| self.place(content).is_some());
        if known.is_empty() || !unknown.into_iter().all(gone) {
            return Err(Refusal::UnknownContent);
        }
        Ok(known.into_iter().cloned().collect())
    }

    /// Counts the candidates of a step.
    fn count(&mut self, contents: &[Content]) -> Result<(), Refusal> {
        let sum = self.candidates + candidate_count(contents);
        if sum > MAX_JINGLE_SESSION_CANDIDATES {
            return Err(Refusal::TooMuch);
        }
        self.candidates = sum;
        Ok(())
    }

    /// Counts from anew: another transport begins with these.
    fn restart_count(&mut self, contents: &[Content]) {
        self.candidates = candidate_count(contents);
    }

    fn set(&mut self, to: &Place) {
        let mut places = self.contents.iter_mut();
        if let Some(place) = places.find(|p| p.creator == to.creator && p.name == to.name) {
            place.senders = to.senders;
        }
    }
}

fn candidate_count(contents: &[Content]) -> usize {
    let transports = contents.iter().filter_map(|content| content.transport.as_ref());
    transports.map(super::Transport::candidate_count).sum()
}

/// Whether no content stands there twice.
fn all_differ(contents: &[Content]) -> bool {
    let mut rest = contents;
    while let Some((first, others)) = rest.split_first() {
        if others.iter().any(|other| other.same_as(first)) {
            return false;
        }
        rest = others;
    }
    true
}

#[cfg(test)]
mod tests;
