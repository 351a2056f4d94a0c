//! What goes on while a client is logged in: who is there, what is asked, what is said.

mod inbound;

pub(super) use inbound::answer;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use machine::{Entropy, Now, Outputs, Timers};

use super::caps::{Caps, Learnt, Ver};
use super::config::{Config, Presence};
use super::control::Timer;
use super::defaults::{MAX_SENT, PING};
use super::disco::{self, Info};
use super::event::{Event, RequestError, RequestId, SendError};
use super::requests::{Purpose, Requests};
use super::resources::{Resource, Resources};
use super::roster::{self, Roster};
use super::stats::Stats;
use crate::stanza::{MessageType, PresenceType};
use crate::{BareJid, Element, FullJid, Jid, Stanza, ns};

/// The length of the ids of our stanzas: nobody guesses one.
const ID_LEN: usize = 14;

/// What a session does its work with.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) now: Now,
    pub(super) config: &'a Config,
    pub(super) out: &'a mut Outputs<Event, Infallible>,
    pub(super) timers: &'a mut Timers<Timer>,
    pub(super) entropy: &'a mut Entropy,
    pub(super) stats: &'a mut Stats,
    /// What is to be sent.
    pub(super) send: &'a mut Vec<Stanza>,
}

/// One login after the other: the roster and what is known of capabilities outlast a connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) me: Option<FullJid>,
    pub(super) roster: Roster,
    pub(super) resources: Resources,
    pub(super) caps: Caps,
    requests: Requests,
    /// Messages whose failure can be told: id and receiver.
    sent: VecDeque<(String, Jid)>,
    /// What we answer when we are asked what we are.
    info: Info,
    ver: Option<Ver>,
    /// Whether our presence was sent, so that it has to be taken back.
    present: bool,
    /// Whether the roster has been asked for and answered.
    ready: bool,
    next_request: u64,
}

impl Session {
    pub(super) fn new(config: &Config) -> Self {
        let mut features = config.features.clone();
        features.extend([ns::CAPS, ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING].map(str::to_owned));
        features.sort();
        features.dedup();
        let identities = vec![config.identity.clone()];
        let info = Info { identities, features, forms: Vec::new() };
        let ver = Ver::of(&info, &config.caps_node);
        Self {
            me: None,
            roster: Roster::default(),
            resources: Resources::default(),
            caps: ver.clone().map(|ver| Caps::knowing(ver, info.clone())).unwrap_or_default(),
            requests: Requests::default(),
            sent: VecDeque::new(),
            ver,
            info,
            present: false,
            ready: false,
            next_request: 0,
        }
    }

    /// Logged in.
    ///
    //= RFC 6121 §2.2: the roster is asked for before our presence is sent, so that nobody's answer
    //= comes before we know who they are.
    pub(super) fn begin(&mut self, context: &mut Context<'_>, me: FullJid) {
        self.me = Some(me);
        let timeout = context.config.request_timeout;
        self.ask(context, None, roster::fetch(), false, Purpose::Roster, timeout);
    }

    /// The connection is gone: nobody is there, and nothing will be answered.
    pub(super) fn end(&mut self, context: &mut Context<'_>) {
        self.me = None;
        (self.present, self.ready) = (false, false);
        self.resources.clear();
        self.caps.disconnected();
        self.sent.clear();
        for purpose in self.requests.take() {
            if let Purpose::Owner(request) = purpose {
                let result = Err(RequestError::Offline);
                context.out.event(Event::Response { request, result });
            }
        }
    }

    /// Sends a request of the owner's.
    pub(super) fn request(
        &mut self,
        context: &mut Context<'_>,
        to: Option<Jid>,
        payload: Element,
        set: bool,
    ) -> Result<RequestId, SendError> {
        if self.requests.is_full() {
            return Err(SendError::Full);
        }
        let request = RequestId(self.next_request);
        self.next_request += 1;
        let timeout = context.config.request_timeout;
        self.ask(context, to, payload, set, Purpose::Owner(request), timeout);
        Ok(request)
    }

    fn ask(
        &mut self,
        context: &mut Context<'_>,
        to: Option<Jid>,
        payload: Element,
        set: bool,
        purpose: Purpose,
        timeout: Duration,
    ) {
        let id = context.entropy.token(ID_LEN);
        let make = if set { Stanza::iq_set } else { Stanza::iq_get };
        context.send.push(make(to.clone(), &id, payload));
        context.timers.set(Timer::Request(id.clone()), context.now.mono + timeout);
        self.requests.insert(id, to, purpose);
    }

    /// Sends a message with a body; returns its id.
    pub(super) fn message(&mut self, context: &mut Context<'_>, to: &Jid, body: &str) -> String {
        let body = Element::builder("body", ns::CLIENT).append(in_xml(body)).build();
        let mut message = Stanza::message(to.clone(), MessageType::Chat, [body]);
        let id = context.entropy.token(ID_LEN);
        message.set_id(&id);
        self.track(&message);
        context.send.push(message);
        id
    }

    /// Remembers a message, so that its failure can be told.
    pub(super) fn track(&mut self, message: &Stanza) {
        if let (Some(id), Some(to)) = (message.id(), message.to()) {
            if self.sent.len() >= MAX_SENT {
                self.sent.pop_front();
            }
            self.sent.push_back((id.to_owned(), to.clone()));
        }
    }

    /// Asks the server whether it is there; once at a time.
    ///
    //= XEP-0199 §4.2: from a client to its server.
    pub(super) fn ping(&mut self, context: &mut Context<'_>) {
        if self.requests.any(|purpose| *purpose == Purpose::Ping) {
            return;
        }
        let server = Jid::from(BareJid::from_parts(None, context.config.jid.domain()));
        let ping = Element::bare("ping", ns::PING);
        self.ask(context, Some(server), ping, false, Purpose::Ping, PING);
    }

    /// A request's time is up. Says whether it was the server's ping.
    pub(super) fn expired(&mut self, context: &mut Context<'_>, id: &str) -> bool {
        match self.requests.expire(id) {
            Some(Purpose::Ping) => return true,
            Some(Purpose::Owner(request)) => {
                let result = Err(RequestError::TimedOut);
                context.out.event(Event::Response { request, result });
            }
            Some(Purpose::Roster) => self.roster_done(context),
            Some(Purpose::Caps(jid, ver)) => self.learn(context, &jid, &ver, None),
            None => {}
        }
        false
    }

    /// The roster is known, or will not be.
    fn roster_done(&mut self, context: &mut Context<'_>) {
        self.ready = true;
        self.tell_presence(context);
    }

    /// Sends our presence as it is to be, once the roster is there.
    pub(super) fn tell_presence(&mut self, context: &mut Context<'_>) {
        let presence = &context.config.presence;
        if !self.ready || (presence.hidden && !self.present) {
            return;
        }
        context.send.push(self.presence(presence));
        self.present = !presence.hidden;
    }

    /// Takes our presence back, on leaving.
    pub(super) fn leave(&mut self, context: &mut Context<'_>) {
        if std::mem::take(&mut self.present) {
            context.send.push(Stanza::presence(None, PresenceType::Unavailable, []));
        }
    }

    fn presence(&self, presence: &Presence) -> Stanza {
        if presence.hidden {
            return Stanza::presence(None, PresenceType::Unavailable, []);
        }
        let text = |name: &str, text: &str| {
            Element::builder(name, ns::CLIENT).append(in_xml(text)).build()
        };
        let show = presence.show.name().map(|show| text("show", show));
        let status = presence.status.as_deref().map(|status| text("status", status));
        let priority = presence.priority;
        let priority = (priority != 0).then(|| text("priority", &priority.to_string()));
        //= XEP-0115 §6.2: the hash goes with every presence of a resource that is there.
        let caps = self.ver.as_ref().map(Ver::element);
        let payloads = show.into_iter().chain(status).chain(priority).chain(caps);
        Stanza::presence(None, PresenceType::Available, payloads)
    }

    /// What a resource can do, as far as it is known.
    pub(super) fn info(&self, jid: &FullJid) -> Option<&Info> {
        let resource = self.resources.resource(jid)?;
        resource.own.as_ref().or_else(|| self.caps.known(resource.ver.as_ref()?))
    }

    /// A resource is there, or changed.
    fn arrived(&mut self, context: &mut Context<'_>, resource: Resource) {
        let (jid, ver) = (resource.jid.clone(), resource.ver.clone());
        let Ok(before) = self.resources.insert(resource) else {
            context.stats.resources_refused += 1;
            return;
        };
        let before = before.and_then(|before| before.ver);
        if before == ver {
            return;
        }
        if let Some(before) = before {
            self.caps.untold(&before, &jid);
        }
        match ver {
            Some(ver) if self.caps.told(&ver, &jid) => {
                context.out.event(Event::Capabilities(jid));
            }
            Some(_) => self.ask_caps(context),
            None => {}
        }
    }

    /// A resource is gone.
    fn departed(&mut self, resource: &Resource) {
        if let Some(ver) = &resource.ver {
            self.caps.untold(ver, &resource.jid);
        }
    }

    fn ask_caps(&mut self, context: &mut Context<'_>) {
        while !self.requests.is_full() {
            let Some((ver, jid)) = self.caps.next_question() else { return };
            let question = disco::question(Some(&ver.node()));
            let (to, timeout) = (Some(Jid::from(jid.clone())), context.config.request_timeout);
            self.ask(context, to, question, false, Purpose::Caps(jid, ver), timeout);
        }
    }

    /// Somebody said what they can do, or did not.
    fn learn(&mut self, context: &mut Context<'_>, jid: &FullJid, ver: &Ver, info: Option<Info>) {
        match self.caps.answered(ver, jid, info) {
            Learnt::ForAll(all) => {
                all.into_iter().for_each(|jid| context.out.event(Event::Capabilities(jid)));
            }
            Learnt::ForOne(info) => {
                context.stats.caps_mismatched += 1;
                let resource = self.resources.resource_mut(jid);
                if let Some(resource) = resource.filter(|it| it.ver.as_ref() == Some(ver)) {
                    resource.own = Some(info);
                    context.out.event(Event::Capabilities(jid.clone()));
                }
            }
            Learnt::Nothing => {}
        }
        self.ask_caps(context);
    }
}

/// Text as XML can carry it (XML 1.0 §2.2): what it cannot is replaced.
fn in_xml(text: &str) -> String {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if allowed(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}
