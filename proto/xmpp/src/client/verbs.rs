//! What the owner of a client may do.

use machine::Now;

use super::config::Presence;
use super::control::{Client, State};
use super::event::{RequestId, SendError};
use super::resources::Resource;
use super::roster::{self, Contact};
use super::session::answer;
use super::stats::Stats;
use crate::stanza::{Kind, MessageType, PresenceType, StanzaError};
use crate::{BareJid, Element, FullJid, Jid, Stanza};

impl Client {
    /// Logs in, and stays logged in. Nothing happens to a client that is, or is about to be, and to
    /// one that is stopping.
    pub fn connect(&mut self, now: Now) {
        if matches!(self.state, State::Idle | State::Waiting) {
            self.backoff.reset();
            self.begin(now);
        }
    }

    /// Logs out in order: says that we go, closes the stream, then the connection.
    /// [`Event::Stopped`](super::Event::Stopped) follows.
    pub fn stop(&mut self, now: Now) {
        self.leave(now);
    }

    /// Who we are, once online.
    #[must_use]
    pub const fn jid(&self) -> Option<&FullJid> {
        self.session.me.as_ref()
    }

    /// The account.
    #[must_use]
    pub const fn account(&self) -> &BareJid {
        &self.config.jid
    }

    /// Whether logged in.
    #[must_use]
    pub const fn is_online(&self) -> bool {
        matches!(self.state, State::Online(_))
    }

    /// What was counted.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Sends a stanza as it is. A message with an id is remembered, so that its failure is told as
    /// [`Event::MessageFailed`](super::Event::MessageFailed).
    ///
    /// # Errors
    /// [`SendError::Offline`].
    pub fn send(&mut self, now: Now, stanza: Stanza) -> Result<(), SendError> {
        self.with_session(now, |session, context| {
            if matches!(stanza.kind(), Kind::Message(kind) if kind != MessageType::Error) {
                session.track(&stanza);
            }
            context.send.push(stanza);
        })
    }

    /// Sends a message of a conversation; returns its id.
    ///
    /// # Errors
    /// [`SendError::Offline`].
    pub fn send_message(&mut self, now: Now, to: &Jid, body: &str) -> Result<String, SendError> {
        self.with_session(now, |session, context| session.message(context, to, body))
    }

    /// Sets what others see of us, now and after each login to come.
    pub fn set_presence(&mut self, now: Now, presence: Presence) {
        self.config.presence = presence;
        // Offline there is nobody to tell; they are told after the next login.
        let _ = self.with_session(now, |session, context| session.tell_presence(context));
    }

    /// Sends a request, which asks or, with `set`, changes something; without `to`, to our own
    /// account at the server. An [`Event::Response`](super::Event::Response) follows, whatever
    /// happens.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn request(
        &mut self,
        now: Now,
        to: impl Into<Option<Jid>>,
        payload: Element,
        set: bool,
    ) -> Result<RequestId, SendError> {
        let to = to.into();
        self.with_session(now, |session, context| session.request(context, to, payload, set))?
    }

    /// Answers an [`Event::Request`](super::Event::Request).
    ///
    /// # Errors
    /// [`SendError::Offline`].
    pub fn respond(
        &mut self,
        now: Now,
        iq: &Stanza,
        result: Result<Option<Element>, StanzaError>,
    ) -> Result<(), SendError> {
        self.with_session(now, |_, context| context.send.push(answer(iq, result)))
    }

    /// Our contacts, as far as they are known: they stay so while offline.
    pub fn roster(&self) -> impl Iterator<Item = &Contact> {
        self.session.roster.iter()
    }

    /// One of them.
    #[must_use]
    pub fn contact(&self, jid: &BareJid) -> Option<&Contact> {
        self.session.roster.contact(jid)
    }

    /// Adds a contact, or changes what we call it.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn save_contact(
        &mut self,
        now: Now,
        jid: &BareJid,
        name: Option<&str>,
        groups: &[String],
    ) -> Result<RequestId, SendError> {
        self.request(now, None, roster::save(jid, name, groups), true)
    }

    /// Removes a contact, and the subscriptions of both sides with it (RFC 6121 §2.5).
    ///
    /// # Errors
    /// [`SendError`].
    pub fn remove_contact(&mut self, now: Now, jid: &BareJid) -> Result<RequestId, SendError> {
        self.request(now, None, roster::remove(jid), true)
    }

    /// Asks to see somebody's presence (RFC 6121 §3.1).
    ///
    /// # Errors
    /// [`SendError::Offline`].
    pub fn subscribe(&mut self, now: Now, jid: &BareJid) -> Result<(), SendError> {
        self.tell(now, jid, PresenceType::Subscribe)
    }

    /// Lets somebody see our presence (RFC 6121 §3.1, §3.4).
    ///
    /// # Errors
    /// [`SendError::Offline`].
    pub fn approve(&mut self, now: Now, jid: &BareJid) -> Result<(), SendError> {
        self.tell(now, jid, PresenceType::Subscribed)
    }

    /// Does not let somebody see our presence, or no longer (RFC 6121 §3.2).
    ///
    /// # Errors
    /// [`SendError::Offline`].
    pub fn refuse(&mut self, now: Now, jid: &BareJid) -> Result<(), SendError> {
        self.tell(now, jid, PresenceType::Unsubscribed)
    }

    /// Does not want to see somebody's presence any longer (RFC 6121 §3.3).
    ///
    /// # Errors
    /// [`SendError::Offline`].
    pub fn unsubscribe(&mut self, now: Now, jid: &BareJid) -> Result<(), SendError> {
        self.tell(now, jid, PresenceType::Unsubscribe)
    }

    /// Who of an account is there, those that get what is for all of them first. Kept are contacts
    /// whose presence we are subscribed to, and our own resources.
    #[must_use]
    pub fn resources(&self, account: &BareJid) -> Vec<&Resource> {
        self.session.resources.of(account)
    }

    /// Whether a resource that is there can do something; `None` where that is not known (yet).
    #[must_use]
    pub fn supports(&self, resource: &FullJid, feature: &str) -> Option<bool> {
        self.session.info(resource).map(|info| info.supports(feature))
    }

    fn tell(&mut self, now: Now, jid: &BareJid, kind: PresenceType) -> Result<(), SendError> {
        self.send(now, Stanza::presence(Jid::from(jid.clone()), kind, []))
    }
}
