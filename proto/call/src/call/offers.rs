//! Offers and answers: what a call says of itself, and what comes of what the other side says
//! (RFC 3264).

use connect::{Connect, RemoteIce, RemoteParameters, RemoteStream, SessionId};
use machine::Now;

use super::{Call, Error, Event, State};
use crate::description::{Content, Description, Direction, Ice, Transport};
use crate::negotiate::{self, Agreed};

impl Call {
    /// Takes the answer to our offer: the first one, or one to a later offer. An answer that was
    /// taken before (early, and again in the final response) changes nothing.
    ///
    /// # Errors
    /// If it does not fit the offer; the call stays as it was.
    pub fn handle_answer(
        &mut self,
        now: Now,
        connect: &mut Connect,
        answer: Description,
    ) -> Result<(), Error> {
        let Some(ours) = self.ours.as_ref().filter(|_| self.state != State::Ended) else {
            return Err(Error::State(self.state));
        };
        let agreed = negotiate::agree(ours, &answer)?;
        if self.theirs.as_ref() == Some(&answer) && self.agreed.as_ref() == Some(&agreed) {
            return Ok(());
        }
        self.adopt(now, connect, answer, agreed)
    }

    /// Answers a later offer at once; what it returns is the answer.
    ///
    /// # Errors
    /// If we cannot take it; the call stays as it was.
    pub fn handle_offer(
        &mut self,
        now: Now,
        connect: &mut Connect,
        offer: Description,
    ) -> Result<Description, Error> {
        if self.agreed.is_none() || self.state == State::Ended {
            return Err(Error::State(self.state));
        }
        let (index, capabilities) = (self.choose(&offer)?, &self.config.capabilities);
        let stream = offer.contents.get(index);
        //= RFC 8445 §9: who is asked to restart, by new credentials, restarts too.
        let ice_of =
            |content: &Content| content.transport.ice.as_ref().map(|ice| ice.credentials.clone());
        let before = self.theirs.as_ref().and_then(|t| t.contents.get(self.index)).and_then(ice_of);
        let restarts = before.is_some() && stream.and_then(ice_of) != before;
        if restarts {
            connect.restart(now, self.session);
        }
        let remote =
            stream.map(|content| remote_parameters(content, self.config.capabilities.rtcp_mux));
        if let Some(remote) = remote {
            connect.set_remote(now, self.session, &remote)?;
        }
        let transport = transport_of(connect, self.session, self.config.trickle);
        let answer = capabilities.answer(&offer, index, self.direction, transport);
        let agreed = negotiate::agree(&answer, &offer)?;
        self.index = index;
        self.ours = Some(answer.clone());
        self.adopt(now, connect, offer, agreed)?;
        Ok(answer)
    }

    /// Which content of a later offer is the call's: it stays where it is, whatever is beside it.
    fn choose(&self, offer: &Description) -> Result<usize, Error> {
        let capabilities = &self.config.capabilities;
        match offer.contents.get(self.index) {
            Some(content) if capabilities.takes(content) => Ok(self.index),
            _ => Ok(capabilities.choose(offer)?),
        }
    }

    /// Holds the call, or takes it back: an [`Event::Offer`] for the other side follows.
    ///
    /// # Errors
    /// If nothing is agreed on yet.
    pub fn hold(&mut self, connect: &Connect, on: bool) -> Result<(), Error> {
        if self.agreed.is_none() {
            return Err(Error::State(self.state));
        }
        //= RFC 3264 §8.4: to hold a stream is to offer it sendonly.
        self.direction = if on { Direction::SENDS } else { Direction::BOTH };
        let offer = self.offer(connect)?;
        self.events.push_back(Event::Offer(offer));
        Ok(())
    }

    /// What we offer now, for whoever asks for an offer.
    ///
    /// # Errors
    /// If nothing is agreed on yet.
    pub fn offer(&mut self, connect: &Connect) -> Result<Description, Error> {
        let Some(ours) = self.ours.as_mut().filter(|_| self.agreed.is_some()) else {
            return Err(Error::State(self.state));
        };
        if let Some(content) = ours.contents.get_mut(self.index) {
            content.direction = self.direction;
            content.transport = transport_of(connect, self.session, self.config.trickle);
        }
        Ok(ours.clone())
    }

    /// Our description as it stands now, if it was given out: with the candidates that were found
    /// since, of which nobody needs to be told one by one then.
    pub fn describe(&mut self, connect: &Connect) -> Option<Description> {
        let transport = transport_of(connect, self.session, self.config.trickle);
        let ours = self.ours.as_mut()?;
        if let Some(content) = ours.contents.get_mut(self.index) {
            content.transport = transport;
        }
        Some(ours.clone())
    }

    /// Looks for a path anew, with new credentials: an [`Event::Offer`] for the other side follows.
    /// The present path is used meanwhile.
    ///
    /// # Errors
    /// If nothing is agreed on yet.
    pub fn restart(&mut self, now: Now, connect: &mut Connect) -> Result<(), Error> {
        if self.agreed.is_none() {
            return Err(Error::State(self.state));
        }
        connect.restart(now, self.session);
        let offer = self.offer(connect)?;
        self.events.push_back(Event::Offer(offer));
        Ok(())
    }

    /// The other side refused our later offer: what was agreed before holds on.
    pub fn keep_terms(&mut self) {
        let Some(agreed) = &self.agreed else { return };
        let held = !agreed.direction.receives && agreed.direction.sends;
        self.direction = if held { Direction::SENDS } else { Direction::BOTH };
        let content = self.ours.as_mut().and_then(|ours| ours.contents.get_mut(self.index));
        if let Some(content) = content {
            content.direction = self.direction;
        }
    }

    /// Says what is to be said first, once enough is known of our side.
    pub(super) fn speak(&mut self, now: Now, connect: &mut Connect) -> Result<(), Error> {
        if self.ours.is_some() || !self.is_ready(connect) {
            return Ok(());
        }
        let (capabilities, trickle) = (&self.config.capabilities, self.config.trickle);
        match (self.state, &self.theirs) {
            (State::Offering | State::Ringing, None) => {
                let transport = transport_of(connect, self.session, trickle);
                let offer = capabilities.offer(self.direction, transport);
                self.leg.expect(capabilities.codecs.clone());
                self.ours = Some(offer.clone());
                self.events.push_back(Event::Offer(offer));
                Ok(())
            }
            (State::Answered, Some(offer)) => {
                let transport = transport_of(connect, self.session, trickle);
                let answer = capabilities.answer(offer, self.index, self.direction, transport);
                let agreed = negotiate::agree(&answer, offer)?;
                let offer = offer.clone();
                self.ours = Some(answer.clone());
                self.events.push_back(Event::Answer(answer));
                self.adopt(now, connect, offer, agreed)
            }
            _ => Ok(()),
        }
    }

    /// Takes what was agreed: the session learns where the other side is, the leg what to send.
    fn adopt(
        &mut self,
        now: Now,
        connect: &mut Connect,
        theirs: Description,
        agreed: Agreed,
    ) -> Result<(), Error> {
        if let Some(content) = theirs.contents.get(agreed.index) {
            let remote = remote_parameters(content, self.config.capabilities.rtcp_mux);
            connect.set_remote(now, self.session, &remote)?;
        }
        if !self.leg.agree(now, agreed.clone()) {
            return Err(negotiate::Error::NothingInCommon.into());
        }
        self.theirs = Some(theirs);
        self.index = agreed.index;
        self.agreed = Some(agreed);
        if self.state < State::Connecting {
            self.enter(State::Connecting);
            self.tell_late(connect);
        }
        self.drain(now, connect);
        Ok(())
    }
}

/// What our side of the session is, for a description.
fn transport_of(connect: &Connect, session: SessionId, trickle: bool) -> Transport {
    let Some(local) = connect.local(session) else { return Transport::default() };
    let Some(stream) = local.streams.into_iter().next() else { return Transport::default() };
    let ice = local.credentials.map(|credentials| Ice {
        credentials,
        lite: false,
        complete: local.gathered || !trickle,
        candidates: stream.candidates,
    });
    Transport { ice, defaults: stream.defaults }
}

/// What the other side's content means for the session.
fn remote_parameters(content: &Content, rtcp_mux: bool) -> RemoteParameters {
    let Transport { ice, defaults } = &content.transport;
    let components = if content.rtcp_mux && rtcp_mux { 1 } else { 2 };
    let stream = RemoteStream {
        components,
        candidates: ice.as_ref().map(|ice| ice.candidates.clone()).unwrap_or_default(),
        defaults: defaults.clone(),
    };
    let ice = ice.as_ref().map(|ice| RemoteIce {
        credentials: ice.credentials.clone(),
        lite: ice.lite,
        complete: ice.complete,
    });
    RemoteParameters { ice, streams: vec![Some(stream)] }
}
