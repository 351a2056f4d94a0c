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
//! We change who sends by hold alone (XEP-0167 §8), and remove no content of a session that goes on; the
//! other side may. What its description-info says is for information, and nothing follows from it.
//!
//! | file | what |
//! |---|---|
//! | this | the state, and what both halves share |
//! | `theirs` | what the other side does |
//! | `ours` | what we do |
//!
//! What crosses is settled by XEP-0166 §7.2.16: of two initiations the one with the lower name goes on
//! ([`Session::glare`]), inside a session the initiator's step does.

use jid::Jid;

use super::{Action, Content, Creator, Group, Info, Jingle, Reason, Refusal, Senders, limits};
use crate::defaults::MAX_JINGLE_SESSION_CANDIDATES;

mod ours;
mod theirs;

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
    /// Candidates that the other side sent since its last transport.
    candidates: usize,
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
            candidates: 0,
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
    /// Only what the same two devices begin crosses: another device of the peer's does not know of ours.
    ///
    /// If [`Glare::Ours`] does, answer with [`Refusal::TieBreak`]. If [`Glare::Theirs`] does, ours is
    /// about to be refused: take theirs, at once, since both want to talk.
    #[must_use]
    pub fn glare(&self, from: &Jid, initiate: &Jingle) -> Option<Glare> {
        let crossed = self.role == Creator::Initiator
            && self.state == State::Pending
            && initiate.action == Action::SessionInitiate
            && self.peer == *from;
        crossed.then(|| tie_break((&self.sid, &self.us), (&initiate.sid, from)))
    }
}

/// What both halves need.
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

    /// The contents of a step of the other side's.
    fn known(&self, jingle: &Jingle) -> Result<Vec<Content>, Refusal> {
        self.all_known(&jingle.contents)?;
        Ok(jingle.contents.clone())
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
