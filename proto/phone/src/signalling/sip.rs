//! A call over SIP: its descriptions travel as SDP in the bodies of requests (RFC 3261 §13, §14).

use call::map::sdp;
use call::{Call, Description};
use connect::Connect;
use machine::{Entropy, Now};
use sip::ua::Body;

use super::Context;
use crate::Uri;
use crate::event::EndReason;

/// What is to be done with the next description that the call gives out.
#[derive(Debug)]
enum Next {
    /// Call somebody with it.
    Invite {
        /// The account that calls.
        account: usize,
        /// Whom.
        to: Uri,
    },
    /// Answer the INVITE with it, once the owner answers.
    Answer {
        /// The owner has answered.
        wanted: bool,
    },
    /// Offer it to change the call.
    Reinvite,
}

/// One call's signalling.
#[derive(Debug)]
pub(crate) struct Leg {
    /// Its name in the user agent; none before the INVITE is sent.
    pub(crate) id: Option<sip::ua::CallId>,
    next: Next,
    sdp: sdp::Session,
    /// What was said last: our offer, if the owner answers after it was gathered.
    said: Option<Body>,
    /// The offer of an incoming call is ours to make.
    offers: bool,
}

impl Leg {
    /// A call of ours.
    pub(crate) fn outgoing(account: usize, to: Uri, entropy: &Entropy) -> Self {
        let sdp = sdp::Session::new(&mut entropy.fork("phone.sdp"));
        Self { id: None, next: Next::Invite { account, to }, sdp, said: None, offers: false }
    }

    /// A call that came: with the dialogue that its offer began, or without an offer.
    pub(crate) fn incoming(
        id: sip::ua::CallId,
        sdp: Option<sdp::Session>,
        entropy: &Entropy,
    ) -> Self {
        let offers = sdp.is_none();
        let sdp = sdp.unwrap_or_else(|| sdp::Session::new(&mut entropy.fork("phone.sdp")));
        Self { id: Some(id), next: Next::Answer { wanted: false }, sdp, said: None, offers }
    }

    /// Reads what the other side says.
    fn read(&mut self, body: &Body) -> Result<Description, EndReason> {
        let (description, _) = self.sdp.read(&body.bytes).map_err(|_| EndReason::Description)?;
        Ok(description)
    }

    fn write(&mut self, description: &Description) -> Body {
        let (bytes, _) = self.sdp.write(description);
        let body = Body::sdp(bytes);
        self.said = Some(body.clone());
        body
    }

    /// Reads the answer to an offer of ours; `None` if nothing new was said.
    pub(crate) fn read_answer(
        &mut self,
        call: &Call,
        body: Option<&Body>,
    ) -> Result<Option<Description>, EndReason> {
        let Some(body) = body else {
            // Nothing new; but an offer in our 200 is answered in the ACK (RFC 3261 §13.2.1).
            let owed = self.offers && call.agreed().is_none();
            return if owed { Err(EndReason::Description) } else { Ok(None) };
        };
        self.read(body).map(Some)
    }

    /// Takes a later offer; the answer to it, or an offer of ours where there is none.
    pub(crate) fn handle_reoffer(
        &mut self,
        now: Now,
        call: &mut Call,
        connect: &mut Connect,
        body: Option<&Body>,
    ) -> Result<Body, EndReason> {
        match body {
            Some(body) => {
                let offer = self.read(body)?;
                let answer = call.handle_offer(now, connect, offer)?;
                Ok(self.write(&answer))
            }
            //= RFC 3261 §14.2: whoever asks for an offer gets one of all that we are willing to do.
            None => {
                let offer = call.offer(connect)?;
                Ok(self.write(&offer))
            }
        }
    }

    /// The owner answers a call that came.
    pub(crate) fn answer(
        &mut self,
        now: Now,
        call: &mut Call,
        connect: &mut Connect,
    ) -> Result<(), EndReason> {
        if let Next::Answer { wanted } = &mut self.next {
            *wanted = true;
            if !self.offers {
                call.answer(now, connect)?;
            }
        }
        Ok(())
    }

    /// Carries a description to the other side. Whether that answers the call.
    pub(crate) fn say(&mut self, context: &mut Context<'_>, description: &Description) -> bool {
        let body = self.write(description);
        match (&self.next, self.id) {
            (Next::Invite { account, to }, None) => {
                let account = context.lines.get(*account).and_then(|line| line.sip());
                if let Some(account) = account {
                    self.id = Some(context.agent.invite(context.now, account, to.clone(), body));
                    self.next = Next::Reinvite;
                }
            }
            (Next::Answer { wanted: true }, Some(id)) => {
                self.next = Next::Reinvite;
                context.agent.answer(context.now, id, body);
                return true;
            }
            // Without an offer in the INVITE, ours is gathered while it rings.
            (Next::Answer { wanted: false }, _) => {}
            (Next::Reinvite, Some(id)) => context.agent.reinvite(context.now, id, body),
            _ => {}
        }
        false
    }

    /// An incoming call without an offer was answered before or after ours was gathered.
    pub(crate) fn offer_in_answer(&mut self, now: Now, agent: &mut sip::ua::UserAgent) {
        if let (true, Next::Answer { wanted: true }, Some(id), Some(offer)) =
            (self.offers, &self.next, self.id, &self.said)
        {
            agent.answer(now, id, offer.clone());
            self.next = Next::Reinvite;
        }
    }
}
