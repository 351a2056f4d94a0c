//! Both ends of an XMPP stream, somebody in the middle who says whatever comes to mind, and owners
//! that answer in any order.
//!
//! The password is right or wrong, and nobody in the middle knows it. Whatever happens: the server
//! authenticates nobody without it, a client that uses SCRAM is online with the true server alone,
//! no stanza comes out of a stream before a resource is bound, what is written is XML, what is kept
//! is bounded, and a stream ends once.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crypto::Secret;
use machine::{ConnectionBinding, Entropy, Now};
use xmpp::sasl::keys::Decoy;
use xmpp::sasl::{Mechanism, Policy, ScramKeys};
use xmpp::stanza::{self, MessageType, PresenceType};
use xmpp::stream::{client, server};
use xmpp::xml::{self, Parser};
use xmpp::{BareJid, DomainPart, FullJid, NodePart, ResourcePart, Stanza};

use super::ops::{Ops, at};

const PASSWORD: &str = "what nobody guesses 5e0c";

static KEYS: LazyLock<ScramKeys> = LazyLock::new(|| {
    ScramKeys::derive(PASSWORD, b"a salt of theirs", 4096).expect("a password may be like that")
});

/// What might well be said to a server. None of it holds the password.
const TO_SERVER: &[&str] = &[
    "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' xmlns='jabber:client' \
     xmlns:stream='http://etherx.jabber.org/streams'>",
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAHdyb25n</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>\
     bixuPWFsaWNlLHI9MDEyMzQ1Njc4OWFiY2RlZg==</auth>",
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdz</response>",
    "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<iq id='1' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>x</resource>\
     </bind></iq>",
    "<message to='bob@example.org'><body>hello</body></message>",
    "<presence from='bob@example.org'/>",
    "<iq type='get'/>",
    "<message to='@'/>",
    "</stream:stream>",
    "<stream:error/>",
    " ",
];

/// What might well be said to a client.
const TO_CLIENT: &[&str] = &[
    "<?xml version='1.0'?><stream:stream from='example.org' id='1' version='1.0' \
     xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1\
     </mechanism><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
    "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>",
    "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>cj0x</challenge>",
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>dj1BQUFB</success>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>",
    "<message from='bob@example.org'><body>hello</body></message>",
    "<iq type='get' from='bob@example.org'/>",
    "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "</stream:stream>",
    " ",
];

/// Takes `bytes` as operations; the first one says how the two are set up.
pub fn run(bytes: &[u8]) {
    let mut ops = Ops(bytes);
    let Some(setup) = ops.byte() else { return };
    let mut world = World::new(setup);
    while world.step(&mut ops).is_some() {
        world.settle();
    }
    // Whatever happened, both come to an end when they are told to.
    world.client.end(world.now());
    world.server.end(world.now(), None);
    world.settle();
    world.pass(Duration::from_secs(3600));
    world.settle();
    assert_eq!((world.ended_client, world.ended_server), (true, true));
}

struct World {
    client: client::Stream,
    server: server::Stream,
    right: bool,
    elapsed: Duration,
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    asked: Option<NodePart>,
    asked_bind: Option<BareJid>,
    wants_tls: (bool, bool),
    authenticated: bool,
    bound: Option<FullJid>,
    online: bool,
    ended_client: bool,
    ended_server: bool,
    /// What the server heard and said, in bytes.
    heard: usize,
    said: usize,
    /// Reads what the server and the client write.
    readers: (Parser, Parser),
}

impl World {
    fn new(setup: u8) -> Self {
        let direct_tls = setup & 1 == 1;
        let right = setup & 2 == 2;
        let domain = DomainPart::new("example.org").expect("a domain").into_owned();
        let mut decoy = Decoy::new([7; 32]);
        decoy.iterations = 4096;
        let config = server::Config::new(domain, decoy);
        let resource = ResourcePart::new("phone").expect("a resource").into_owned();
        let mechanism = Mechanism::ALL[usize::from(setup >> 2) % Mechanism::ALL.len()];
        let login = client::Config {
            account: BareJid::new("alice@example.org").expect("an address"),
            password: Secret::new(if right { PASSWORD } else { "wrong" }),
            resource: Some(resource),
            policy: Policy { allow: vec![mechanism], at_least: None },
            direct_tls,
            allow_plaintext: setup & 0x80 != 0,
        };
        let entry = if direct_tls { server::Entry::DirectTls } else { server::Entry::StartTls };
        let now = at(Duration::from_secs(1));
        let mut world = Self {
            client: client::Stream::new(login, &Entropy::seeded(1), now),
            server: server::Stream::new(Arc::new(config), entry, &Entropy::seeded(2), now),
            right,
            elapsed: Duration::from_secs(1),
            to_server: Vec::new(),
            to_client: Vec::new(),
            asked: None,
            asked_bind: None,
            wants_tls: (direct_tls, direct_tls),
            authenticated: false,
            bound: None,
            online: false,
            ended_client: false,
            ended_server: false,
            heard: 0,
            said: 0,
            readers: (Parser::new(xml::Limits::SERVER), Parser::new(xml::Limits::SERVER)),
        };
        world.client.connected(now);
        world.settle();
        world
    }

    fn now(&self) -> Now {
        at(self.elapsed)
    }

    /// Does one operation; nothing when the bytes for it ran out.
    fn step(&mut self, ops: &mut Ops<'_>) -> Option<()> {
        let (op, what) = (ops.byte()?, ops.byte()?);
        match op % 14 {
            0 | 1 => {
                let bytes = take(&mut self.to_server, what);
                self.tell_server(&bytes);
            }
            2 | 3 => {
                let bytes = take(&mut self.to_client, what);
                self.client.handle_bytes(self.now(), &bytes);
            }
            4 => self.tell_server(TO_SERVER[usize::from(what) % TO_SERVER.len()].as_bytes()),
            5 => {
                let said = TO_CLIENT[usize::from(what) % TO_CLIENT.len()];
                self.client.handle_bytes(self.now(), said.as_bytes());
            }
            6 if what % 2 == 0 => self.tell_server(ops.chunk()?),
            6 => self.client.handle_bytes(self.now(), ops.chunk()?),
            7 => self.secure(what),
            8 | 9 => self.answer(what),
            10 => self.send(what),
            11 => self.pass(Duration::from_millis(u64::from(what) * 200)),
            12 => self.server.hold(self.now(), what % 2 == 0),
            _ => self.end(what),
        }
        Some(())
    }

    fn tell_server(&mut self, bytes: &[u8]) {
        self.heard += bytes.len();
        self.server.handle_bytes(self.now(), bytes);
    }

    /// TLS between the two, or, with somebody in the middle, with each of them.
    fn secure(&mut self, what: u8) {
        let binding = |n: u8| ConnectionBinding {
            exporter: (what & 4 == 0).then(|| vec![n; 32]),
            server_end_point: (what & 8 == 0).then(|| vec![n; 32]),
        };
        let middle = what & 16 != 0;
        if std::mem::take(&mut self.wants_tls.0) {
            self.to_server.clear();
            self.readers.0 = Parser::new(xml::Limits::SERVER);
            self.client.secured(self.now(), binding(1));
        }
        if std::mem::take(&mut self.wants_tls.1) {
            self.to_client.clear();
            self.readers.1 = Parser::new(xml::Limits::SERVER);
            self.server.secured(self.now(), binding(1 + u8::from(middle)));
        }
    }

    fn answer(&mut self, what: u8) {
        if let Some(user) = self.asked.take() {
            let keys = match what % 8 {
                0 => Err(()),
                1 => Ok(None),
                _ => Ok((user.as_str() == "alice").then(|| KEYS.clone())),
            };
            self.server.credentials(self.now(), keys);
        } else if let Some(user) = self.asked_bind.take() {
            let jid = user.with_resource_str("bound").expect("a resource");
            let full = stanza::StanzaError::from(stanza::Condition::ResourceConstraint);
            let jid = if what.is_multiple_of(8) { Err(full) } else { Ok(jid) };
            self.bound = jid.as_ref().ok().cloned();
            self.server.bound(self.now(), jid);
        } else {
            // An answer that nobody waits for.
            self.server.credentials(self.now(), Ok(Some(KEYS.clone())));
        }
    }

    fn send(&mut self, what: u8) {
        let stanza = match what % 3 {
            0 => Stanza::message(None, MessageType::Chat, []),
            _ => Stanza::presence(None, PresenceType::Available, []),
        };
        if what.is_multiple_of(2) {
            self.client.send(&stanza);
        } else {
            // What the owner has to say is no answer.
            self.heard += 100;
            self.server.send(&stanza);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.elapsed += time;
        let now = self.now();
        let due = |at: Option<machine::Instant>| at.is_some_and(|at| at <= now.mono);
        for _ in 0..4 {
            if due(self.client.poll_timeout()) {
                self.client.handle_timeout(now);
            }
            if due(self.server.poll_timeout()) {
                self.server.handle_timeout(now);
            }
        }
        assert!(!due(self.client.poll_timeout()) && !due(self.server.poll_timeout()));
    }

    fn end(&mut self, what: u8) {
        match what % 8 {
            0 => self.client.end(self.now()),
            1 => self.server.end(self.now(), None),
            2 => {
                let error = xmpp::stream::Condition::SystemShutdown.into();
                self.server.end(self.now(), Some(error));
            }
            _ => {}
        }
    }

    /// Carries out what both want, and holds it against what may be.
    fn settle(&mut self) {
        while let Some(action) = self.server.poll() {
            assert!(!self.ended_server, "{action:?} after the end");
            self.obey_server(action);
        }
        while let Some(action) = self.client.poll() {
            assert!(!self.ended_client, "{action:?} after the end");
            self.obey_client(action);
        }
        let limits = server::Limits::default();
        let kept = self.server.kept_bytes();
        assert!(kept <= limits.unread_bytes + limits.xml.stanza_bytes, "{kept} bytes are kept");
        assert!(self.said <= 4096 + 64 * self.heard, "answers stay small");
    }

    fn obey_server(&mut self, action: server::Action) {
        match action {
            server::Action::Write(bytes) => {
                self.said += bytes.len();
                is_xml(&mut self.readers.1, &bytes);
                self.to_client.extend(bytes);
            }
            server::Action::StartTls => self.wants_tls.1 = true,
            server::Action::AskCredentials { user, .. } => self.asked = Some(user),
            server::Action::Authenticated { user, .. } => {
                assert!(self.right, "nobody is authenticated without the password");
                assert!(self.server.is_secured() && user.as_str() == "alice@example.org");
                self.authenticated = true;
            }
            server::Action::AskBind { user, .. } => {
                assert!(self.authenticated && user.as_str() == "alice@example.org");
                self.asked_bind = Some(user);
            }
            server::Action::Stanza(stanza) => {
                let jid = self.bound.as_ref().expect("a resource is bound");
                assert!(self.authenticated && stanza.from().is_some_and(|from| from == jid));
            }
            server::Action::Closed(_) => self.ended_server = true,
            server::Action::Pause(_) | server::Action::Refused(_) => {}
        }
    }

    fn obey_client(&mut self, action: client::Action) {
        match action {
            client::Action::Write(bytes) => {
                is_xml(&mut self.readers.0, &bytes);
                self.to_server.extend(bytes);
            }
            client::Action::StartTls => self.wants_tls.0 = true,
            client::Action::Online { mechanism, .. } => {
                let plain = mechanism == Mechanism::Plain;
                assert!(plain || self.authenticated, "only the true server has proven itself");
                self.online = true;
            }
            client::Action::Stanza(_) => assert!(self.online, "no stanza comes before"),
            client::Action::Failed(_) => {}
            client::Action::Closed => self.ended_client = true,
        }
    }
}

/// The first bytes of a queue; all of them for the highest number.
fn take(queue: &mut Vec<u8>, what: u8) -> Vec<u8> {
    let n = if what == u8::MAX { queue.len() } else { usize::from(what).min(queue.len()) };
    queue.drain(..n).collect()
}

/// Checks that what an end writes is a stream. A header begins another one.
fn is_xml(reader: &mut Parser, bytes: &[u8]) {
    if bytes.starts_with(b"<?xml") {
        *reader = Parser::new(xml::Limits::SERVER);
    }
    reader.push(bytes);
    while let Some(next) = reader.next() {
        assert!(next.is_ok(), "{next:?} is written: {}", String::from_utf8_lossy(bytes));
    }
    assert_eq!(reader.waiting(), 0);
}
