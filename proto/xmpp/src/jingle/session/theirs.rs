//! What the other side does in a session.

use jid::Jid;

use super::{Event, Place, Session, State};
use crate::jingle::{Action, Condition, Content, Creator, Jingle, Refusal, limits};
use crate::stanza::StanzaError;

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
            Action::DescriptionInfo => self.known(jingle).map(|_| Vec::new()),
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
        //= XEP-0166 §7.2.16: of two steps that cross, the initiator's goes on.
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
        let Err(error) = result else { return Vec::new() };
        if self.state == State::Ended {
            return Vec::new();
        }
        if action == Action::TransportReplace {
            self.replacing = false;
        }
        let fatal = matches!(action, Action::SessionInitiate | Action::SessionAccept);
        if fatal || Refusal::of(error) == Some(Refusal::UnknownSession) {
            self.state = State::Ended;
            return vec![Event::Ended(Condition::Gone.into())];
        }
        Vec::new()
    }
}
