//! What a client might say, line by line, to a server's stream.

use std::sync::Arc;

use machine::{Entropy, Now};

use super::{PASSWORD, at, both_bindings, keys, server_config};
use crate::sasl::base64;
use crate::stream::server::{Action, Config, End, Entry, Refusal, Stream};

/// A server's stream and somebody who types.
pub(super) struct Script {
    pub(super) stream: Stream,
    pub(super) now: Now,
    /// What the stream told its owner besides bytes.
    pub(super) said: Vec<Action>,
    wrote: String,
}

pub(super) const HEADER: &str = "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

impl Script {
    pub(super) fn new(entry: Entry) -> Self {
        Self::with(server_config(), entry)
    }

    pub(super) fn with(config: Config, entry: Entry) -> Self {
        let now = at(1000);
        let stream = Stream::new(Arc::new(config), entry, &Entropy::seeded(3), now);
        let mut script = Self { stream, now, said: Vec::new(), wrote: String::new() };
        if entry == Entry::DirectTls {
            script.stream.secured(now, both_bindings());
        }
        script
    }

    /// Under TLS, header and features done.
    pub(super) fn offered() -> Self {
        let mut script = Self::new(Entry::DirectTls);
        script.says(HEADER);
        script
    }

    /// Logged in and bound as `alice@example.org/x`.
    pub(super) fn bound() -> Self {
        Self::bound_with(server_config())
    }

    pub(super) fn bound_with(config: Config) -> Self {
        let mut script = Self::with(config, Entry::DirectTls);
        script.says(HEADER);
        script.says(&plain("alice", PASSWORD));
        script.says(HEADER);
        script.says(BIND);
        assert_eq!(script.stream.jid().map(|jid| jid.as_str()), Some("alice@example.org/x"));
        script.said.clear();
        script
    }

    /// Says something; returns what comes back.
    pub(super) fn says(&mut self, text: &str) -> String {
        self.sends(text.as_bytes())
    }

    pub(super) fn sends(&mut self, bytes: &[u8]) -> String {
        self.stream.handle_bytes(self.now, bytes);
        self.hears()
    }

    pub(super) fn hears(&mut self) -> String {
        while let Some(action) = self.stream.poll() {
            match action {
                Action::Write(bytes) => self.wrote += std::str::from_utf8(&bytes).unwrap(),
                Action::AskCredentials { user, .. } => {
                    self.stream.credentials(self.now, Ok(keys(user.as_str())));
                }
                Action::AskBind { user, resource } => {
                    let name = resource.as_ref().map_or("x", |resource| resource.as_str());
                    self.stream.bound(self.now, Ok(user.with_resource_str(name).unwrap()));
                }
                action => self.said.push(action),
            }
        }
        std::mem::take(&mut self.wrote)
    }

    pub(super) fn waits(&mut self, millis: u64) -> String {
        self.now = at(self.now.mono.as_millis() + millis);
        self.stream.handle_timeout(self.now);
        self.hears()
    }

    /// The stanzas that came out.
    pub(super) fn stanzas(&self) -> usize {
        self.said.iter().filter(|action| matches!(action, Action::Stanza(_))).count()
    }

    /// Checks that the stream ended as refused, once, with this condition; and that nothing more is
    /// taken, or said.
    pub(super) fn is_refused(&mut self, heard: &str, refusal: Refusal, condition: &str) {
        let error = format!("<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>");
        assert!(heard.contains(&format!("<stream:error>{error}")), "{heard}");
        assert!(heard.ends_with("</stream:error></stream:stream>"), "{heard}");
        let refusals = self.said.iter().filter(|action| matches!(action, Action::Refused(_)));
        assert_eq!(refusals.collect::<Vec<_>>(), [&Action::Refused(refusal)]);
        match self.said.last() {
            Some(Action::Closed(End::Refused(error))) => {
                assert_eq!(error.condition.name(), condition);
            }
            other => panic!("{other:?}"),
        }
        let said = self.said.len();
        assert_eq!(self.says("<message/></stream:stream>"), "");
        assert_eq!(self.waits(1_000_000), "");
        assert_eq!((self.said.len(), self.stream.poll_timeout()), (said, None));
    }
}

pub(super) fn plain(user: &str, password: &str) -> String {
    let message = base64::encode(format!("\0{user}\0{password}").as_bytes());
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>")
}

pub(super) const BIND: &str = "<iq id='b' type='set'>\
    <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
