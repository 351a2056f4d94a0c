//! What we do in a session.

use super::{Error, Place, Session, State};
use crate::jingle::{Action, Content, Creator, Group, Info, Jingle, Reason};

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
