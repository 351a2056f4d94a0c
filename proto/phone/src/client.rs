//! What the events of an account's XMPP client mean for the account, and what the phone has it do:
//! messages and presence (RFC 6121). What is about calls goes on to `steps` and
//! `invitations`.

use machine::{Machine, Now, Transport};
use xmpp::client::{Client, Event as Told, Online, RequestError, Subscription};
use xmpp::stanza::{Condition, Kind, MessageType};
use xmpp::{BareJid, Element, Jid, ns};

use crate::account::{Line, Login, Route};
use crate::address::{Protocol, Target};
use crate::defaults::PRESENCE_LIMIT;
use crate::event::{Event, MessageId};
use crate::phone::{Phone, Timer};
use crate::signalling::jingle::PROPOSE;

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The configuration has no such account.
    #[error("there is no account {0}")]
    NoAccount(usize),
    /// The account speaks another protocol than whom it is to write to, or one in which messages are
    /// not built.
    #[error("an account of {} cannot write to an address of {}", .0.name(), .1.name())]
    OtherProtocol(Protocol, Protocol),
    /// The account is not connected to its core.
    #[error("not connected")]
    NotConnected,
}

/// Where a core that has STUN and TURN has it (RFC 8489 §18.6).
const STUN_PORT: u16 = 3478;

impl Phone {
    /// Writes `text` to somebody. [`Event::MessageFailed`] follows if it comes back.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub fn send_message(
        &mut self,
        now: Now,
        account: usize,
        to: &Target,
        text: &str,
    ) -> Result<MessageId, MessageError> {
        let (client, to) = self.correspondent(account, to)?;
        let sent = client.send_message(now, to, text).map_err(|_| MessageError::NotConnected);
        self.run(now);
        sent.map(MessageId)
    }

    /// Asks the core whether it is there. [`Event::Pinged`] follows; a core takes things in their order,
    /// so that its answer says that it has all that was sent before. The last ping of an account is the
    /// one that is told of.
    //= XEP-0199 §4.2: from a client to its server
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn ping(&mut self, now: Now, account: usize) -> Result<(), MessageError> {
        let line = self.lines.get_mut(account).ok_or(MessageError::NoAccount(account))?;
        let Login::Xmpp(connection) = &mut line.login else {
            return Err(MessageError::OtherProtocol(Protocol::Sip, Protocol::Xmpp));
        };
        let server = Jid::from(BareJid::from_parts(None, connection.client.account().domain()));
        let ping = Element::bare("ping", ns::PING);
        let asked = connection.client.request(now, server, ping, false);
        let asked = asked.map(|request| connection.ping = Some(request));
        self.run(now);
        asked.map_err(|_| MessageError::NotConnected)
    }

    /// Asks to see somebody's presence.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn subscribe(&mut self, now: Now, account: usize, to: &Target) -> Result<(), MessageError> {
        let (client, to) = self.correspondent(account, to)?;
        let asked = client.subscribe(now, &to.to_bare());
        self.run(now);
        asked.map_err(|_| MessageError::NotConnected)
    }

    /// Lets somebody who asked see our presence.
    ///
    /// # Errors
    /// If it cannot be told.
    pub fn approve(&mut self, now: Now, account: usize, to: &Target) -> Result<(), MessageError> {
        let (client, to) = self.correspondent(account, to)?;
        let told = client.approve(now, &to.to_bare());
        self.run(now);
        told.map_err(|_| MessageError::NotConnected)
    }

    /// The client that writes to somebody.
    fn correspondent<'a>(
        &mut self,
        account: usize,
        to: &'a Target,
    ) -> Result<(&mut Client, &'a Jid), MessageError> {
        let line = self.lines.get_mut(account).ok_or(MessageError::NoAccount(account))?;
        match (&mut line.login, to) {
            (Login::Xmpp(connection), Target::Xmpp(jid)) => Ok((&mut connection.client, jid)),
            (Login::Xmpp(_), _) => Err(MessageError::OtherProtocol(Protocol::Xmpp, to.protocol())),
            (Login::Sip(_), _) => Err(MessageError::OtherProtocol(Protocol::Sip, to.protocol())),
        }
    }

    /// Carries what the clients want and say; whether there was nothing.
    pub(crate) fn drain_clients(&mut self, now: Now, buf: &mut Vec<u8>) -> bool {
        let mut quiet = true;
        for account in 0..self.lines.len() {
            loop {
                buf.clear();
                let client = self.lines.get_mut(account).and_then(Line::client_mut);
                let Some(output) = client.and_then(|client| client.poll_output(buf)) else { break };
                quiet = false;
                match output.split() {
                    Ok(effect) => self.outputs.push_with(effect, buf),
                    Err(event) => self.handle_client(now, account, event),
                }
            }
        }
        buf.clear();
        quiet
    }

    fn handle_client(&mut self, now: Now, account: usize, event: Told) {
        match event {
            Told::Online(online) => self.log_in(now, account, online),
            Told::Offline { reason, retry_in } => {
                self.log_out(account);
                self.lose_stream(now, account);
                let reason = reason.into();
                self.events.push_back(Event::RegistrationFailed { account, reason, retry_in });
            }
            Told::Stopped => {
                self.log_out(account);
                self.lose_stream(now, account);
                self.unregistering.remove(&account);
            }
            Told::Message { from, body, .. } => {
                let from = format!("xmpp:{from}");
                self.events.push_back(Event::Message { account, from, text: body });
            }
            Told::MessageFailed { id, error, .. } => match id.strip_prefix(PROPOSE) {
                Some(id) => self.proposal_failed(now, account, id, &error),
                None => {
                    let (message, reason) = (MessageId(id), error.to_string());
                    let condition = error.condition;
                    let failed = Event::MessageFailed { account, message, condition, reason };
                    self.events.push_back(failed);
                }
            },
            Told::Presence { from, available, .. } => {
                self.handle_presence(now, account, &from, available);
            }
            Told::Capabilities(device) => self.seek_again(now, account, &device.to_bare()),
            Told::Subscription { from, kind: Subscription::Subscribe, .. } => {
                let from = format!("xmpp:{from}");
                self.events.push_back(Event::SubscriptionAsked { account, from });
            }
            Told::Request { iq } => match iq.payload("jingle", ns::JINGLE) {
                Some(payload) => self.handle_jingle(now, account, &iq, payload),
                //= RFC 6120 §8.4: what is not understood is answered so.
                None => {
                    if let Some(client) = self.lines.get_mut(account).and_then(Line::client_mut) {
                        let refusal = Err(Condition::ServiceUnavailable.into());
                        let _ = client.respond(now, &iq, refusal);
                    }
                }
            },
            Told::Response { request, result } => {
                let connection = self.lines.get_mut(account).and_then(Line::connection);
                let pinged = connection.and_then(|it| it.ping.take_if(|ping| *ping == request));
                if pinged.is_some() {
                    // A core that does not know what a ping is says so: it is there.
                    let answered = matches!(result, Ok(_) | Err(RequestError::Refused(_)));
                    return self.events.push_back(Event::Pinged { account, answered });
                }
                self.handle_result(now, account, request, result.map(drop));
            }
            Told::Stanza(stanza) => {
                let is_message =
                    matches!(stanza.kind(), Kind::Message(kind) if kind != MessageType::Error);
                if let Some(from) = stanza.from().filter(|_| is_message) {
                    self.handle_proposals(now, account, from, &stanza);
                }
            }
            Told::Subscription { .. }
            | Told::Roster
            | Told::Contact(_)
            | Told::ContactRemoved(_) => {}
        }
    }

    /// Logged in. Nobody reaches us before the server has seen our presence, so that the owner is told
    /// when that comes back.
    fn log_in(&mut self, now: Now, account: usize, online: Online) {
        let Some(line) = self.lines.get_mut(account) else { return };
        let stun = online.server.with_port(STUN_PORT);
        line.route = Some(Route { server: online.server, stun, ours: online.local.ip() });
        if let Some(connection) = line.connection() {
            connection.untold = Some(online);
        }
        self.timers.set(Timer::Presence(account), now.mono + PRESENCE_LIMIT);
    }

    fn log_out(&mut self, account: usize) {
        self.timers.cancel(&Timer::Presence(account));
        let Some(line) = self.lines.get_mut(account) else { return };
        line.route = None;
        if let Some(connection) = line.connection() {
            connection.untold = None;
        }
    }

    /// Tells once for each login that the account can be reached.
    pub(crate) fn tell_registered(&mut self, account: usize) {
        self.timers.cancel(&Timer::Presence(account));
        let connection = self.lines.get_mut(account).and_then(Line::connection);
        let Some(online) = connection.and_then(|connection| connection.untold.take()) else {
            return;
        };
        let transport = if online.secured { Transport::Tls } else { Transport::Tcp };
        let (server, reflexive, expires) = (online.server, None, None);
        let event = Event::Registered { account, server, transport, reflexive, expires };
        self.events.push_back(event);
    }

    fn handle_presence(&mut self, now: Now, account: usize, from: &Jid, available: bool) {
        let line = self.lines.get(account);
        if available && line.and_then(Line::jid).is_some_and(|us| us == from) {
            self.tell_registered(account);
            return;
        }
        if !available {
            self.lose_peer(now, account, from);
        }
        let who = format!("xmpp:{from}");
        self.events.push_back(Event::PresenceChanged { account, who, available });
    }
}
