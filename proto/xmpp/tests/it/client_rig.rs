//! A client without a world: a server that says what the test wants it to say.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use machine::{
    Checked, CloseReason, ConnectionBinding, Endpoint, Entropy, FailKind, Id, Ids, Input, Instant,
    Machine as _, Now, Output, Record, RecordData, RecordKind, ResolveError, TlsRole,
};
use xmpp::client::{Client, Config, Error, Event, SendError};
use xmpp::sasl::server::{Decoy, Login, Reply};
use xmpp::sasl::{Mechanism, ScramKeys, base64};
use xmpp::xml::{Frame, Limits, Parser, attribute};
use xmpp::{BareJid, Element, Stanza, ns};

pub(crate) const DOMAIN: &str = "example.org";
pub(crate) const SERVER: &str = "192.0.2.1:5222";
pub(crate) const ME: &str = "alice@example.org/desk";
const ROOM: usize = 1 << 20;
const HEADER: &str = "<?xml version='1.0'?><stream:stream from='example.org' id='s1' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

pub(crate) fn config() -> Config {
    let mut config = Config::new(BareJid::new("alice@example.org").unwrap(), "secret");
    config.features = vec!["urn:example:talk".to_owned()];
    config
}

/// What TLS gives to bind to.
pub(crate) fn binding() -> ConnectionBinding {
    ConnectionBinding { exporter: Some(vec![7; 32]), server_end_point: None }
}

/// What the client did that the test has not looked at.
pub(crate) struct Rig {
    pub(crate) client: Checked<Client>,
    pub(crate) now: Now,
    pub(crate) events: VecDeque<Event>,
    pub(crate) lookups: VecDeque<(Id, String)>,
    pub(crate) connects: VecDeque<(Id, Endpoint)>,
    pub(crate) handshakes: VecDeque<(Id, String, Vec<Vec<u8>>)>,
    pub(crate) closed: Vec<Id>,
    written: Vec<u8>,
    parser: Parser,
    /// The connection that stands.
    pub(crate) conn: Option<Id>,
    /// Whether a mechanism with channel binding was offered.
    plus: bool,
    ids: u32,
}

impl Rig {
    pub(crate) fn new(config: Config) -> Self {
        let client = |config| Client::new(config, Ids::new(3), &Entropy::seeded(7));
        Self {
            client: Checked::with_twin(client(config.clone()), client(config)),
            now: Now { mono: Instant::from_nanos(1), unix: Duration::from_secs(1_700_000_000) },
            events: VecDeque::new(),
            lookups: VecDeque::new(),
            connects: VecDeque::new(),
            handshakes: VecDeque::new(),
            closed: Vec::new(),
            written: Vec::new(),
            parser: Parser::new(Limits::CLIENT),
            conn: None,
            plus: false,
            ids: 0,
        }
    }

    fn drain(&mut self) {
        let mut buf = Vec::new();
        while let Some(output) = self.client.poll_output(&mut buf) {
            match output {
                Output::Resolve { id, name, kinds } => {
                    assert_eq!(name.starts_with('_'), kinds == [RecordKind::Srv]);
                    self.lookups.push_back((id, name));
                }
                Output::Connect { id, remote, .. } => self.connects.push_back((id, remote)),
                Output::Write { conn } => {
                    assert_eq!(Some(conn), self.conn);
                    self.written.extend_from_slice(&buf);
                }
                Output::StartTls { conn, role: TlsRole::Client { name }, alpn } => {
                    self.handshakes.push_back((conn, name, alpn));
                }
                Output::Close { id } => {
                    self.closed.push(id);
                    if self.conn == Some(id) {
                        self.conn = None;
                    }
                }
                Output::Event(event) => self.events.push_back(event),
                other => panic!("{other:?}"),
            }
            buf.clear();
        }
    }

    pub(crate) fn input(&mut self, input: Input<'_, Infallible>) {
        self.client.handle_input(self.now, input);
        self.drain();
    }

    pub(crate) fn verb<R>(&mut self, verb: impl FnMut(&mut Client, Now) -> R) -> R {
        let result = self.client.verb(self.now, verb);
        self.drain();
        result
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= end) {
            self.now.mono = self.now.mono.max(due);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.now.mono = end;
    }

    pub(crate) fn event(&mut self) -> Event {
        self.events.pop_front().expect("an event")
    }

    /// The error of the next event, and when the client comes back.
    pub(crate) fn offline(&mut self) -> (Error, Option<Duration>) {
        match self.event() {
            Event::Offline { reason, retry_in } => (reason, retry_in),
            other => panic!("{other:?}"),
        }
    }

    /// Answers every look-up, also those that follow.
    pub(crate) fn resolve(&mut self, dns: impl Fn(&str) -> Result<Vec<RecordData>, ResolveError>) {
        while let Some((id, name)) = self.lookups.pop_front() {
            let record = |data| Record { name: name.clone(), ttl_secs: 60, data };
            let records = dns(&name).map(|records| records.into_iter().map(record).collect());
            self.input(Input::Resolved { id, records });
        }
    }

    /// Answers look-ups so that the server is found for want of services.
    pub(crate) fn resolve_plainly(&mut self) {
        self.resolve(|name| match name {
            DOMAIN => Ok(vec![RecordData::Address("192.0.2.1".parse().unwrap())]),
            _ => Err(ResolveError::NoSuchName),
        });
    }

    /// The next connection stands.
    pub(crate) fn connect(&mut self) {
        let (conn, remote) = self.connects.pop_front().expect("a connection");
        assert_eq!(remote, SERVER.parse().unwrap());
        self.connect_to(conn, remote);
    }

    pub(crate) fn connect_to(&mut self, conn: Id, remote: Endpoint) {
        self.conn = Some(conn);
        self.written.clear();
        let local = "10.0.0.1:50000".parse().unwrap();
        self.input(Input::Connected { conn, local, remote, room: ROOM });
    }

    /// The next connection does not come to stand.
    pub(crate) fn fail(&mut self, kind: FailKind) {
        let (id, _) = self.connects.pop_front().expect("a connection");
        self.input(Input::Failed { id, kind });
    }

    pub(crate) fn close(&mut self, reason: CloseReason) {
        let conn = self.conn.take().expect("a connection");
        self.input(Input::Closed { conn, reason });
    }

    /// The server says this.
    pub(crate) fn say(&mut self, xml: &str) {
        let conn = self.conn.expect("a connection");
        self.input(Input::Data { conn, bytes: xml.as_bytes() });
        if let (Some(conn), true) = (self.conn, self.written.len() > ROOM / 2) {
            self.input(Input::Writable { conn, room: ROOM });
        }
    }

    /// What the client has written since, with headers left out.
    pub(crate) fn sent(&mut self) -> Vec<Element> {
        let written = std::mem::take(&mut self.written);
        if written.starts_with(b"<?xml") {
            self.parser = Parser::new(Limits::CLIENT);
        }
        self.parser.push(&written);
        let mut elements = Vec::new();
        while let Some(frame) = self.parser.next() {
            match frame.expect("the client writes what can be read") {
                Frame::Element(element) => elements.push(element),
                Frame::Open(header) => assert_eq!(header.to.as_deref(), Some(DOMAIN)),
                Frame::Close => elements.push(Element::bare("closed", ns::STREAMS)),
            }
        }
        elements
    }

    /// The one thing that the client has written since.
    pub(crate) fn sent_one(&mut self) -> Element {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    /// The one stanza that the client has written since.
    pub(crate) fn sent_stanza(&mut self) -> Stanza {
        Stanza::parse(self.sent_one()).expect("a stanza")
    }

    /// Header and features.
    pub(crate) fn offer(&mut self, features: &str) {
        assert_eq!(self.sent(), []);
        self.say(&format!("{HEADER}<stream:features>{features}</stream:features>"));
    }

    /// STARTTLS, up to the handshake.
    pub(crate) fn start_tls(&mut self) {
        self.offer(&format!("<starttls xmlns='{}'><required/></starttls>", ns::TLS));
        assert!(self.sent_one().is("starttls", ns::TLS));
        self.say(&format!("<proceed xmlns='{}'/>", ns::TLS));
    }

    /// The handshake is done.
    pub(crate) fn secure(&mut self) {
        let (conn, name, _) = self.handshakes.pop_front().expect("a handshake");
        assert_eq!((Some(conn), name.as_str()), (self.conn, DOMAIN));
        let (peer_certs, alpn) = (Vec::new(), None);
        self.input(Input::Secured { conn, peer_certs, alpn, binding: binding(), room: ROOM });
    }

    pub(crate) fn offer_mechanisms(&mut self, names: &[&str]) {
        self.plus = names.iter().any(|name| name.ends_with("-PLUS"));
        let names: String =
            names.iter().map(|name| format!("<mechanism>{name}</mechanism>")).collect();
        self.offer(&format!("<mechanisms xmlns='{}'>{names}</mechanisms>", ns::SASL));
    }

    /// SASL by whatever the client takes; the account has `password`.
    pub(crate) fn authenticate(&mut self, password: &str) -> Mechanism {
        let auth = self.sent_one();
        assert!(auth.is("auth", ns::SASL), "{auth:?}");
        let mechanism = Mechanism::from_name(attribute(&auth, "mechanism").unwrap()).unwrap();
        let initial = base64::decode(&auth.text()).unwrap();
        let tls = if self.plus { binding() } else { ConnectionBinding::default() };
        let mut login = Login::start(mechanism, Some(&tls), &initial).unwrap();
        assert_eq!(login.user(), "alice");
        let keys = ScramKeys::derive(password, b"some sixteen byt", 4096);
        let decoy = Decoy::new([1; 32]);
        let mut reply = login.credentials(keys, "alice", &decoy, &mut Entropy::seeded(4));
        loop {
            let say = |name: &str, bytes: &[u8]| {
                format!("<{name} xmlns='{}'>{}</{name}>", ns::SASL, base64::encode(bytes))
            };
            match reply {
                Ok(Reply::Challenge(challenge)) => {
                    self.say(&say("challenge", &challenge));
                    let response = self.sent_one();
                    assert!(response.is("response", ns::SASL));
                    reply = login.response(&base64::decode(&response.text()).unwrap());
                }
                Ok(Reply::Success(data)) => {
                    self.say(&say("success", &data));
                    return mechanism;
                }
                Err(error) => {
                    let condition = error.condition();
                    self.say(&format!("<failure xmlns='{}'><{condition}/></failure>", ns::SASL));
                    return mechanism;
                }
            }
        }
    }

    pub(crate) fn bind(&mut self) {
        self.offer(&format!("<bind xmlns='{}'/>", ns::BIND));
        let bind = self.sent_stanza();
        assert!(bind.payload("bind", ns::BIND).is_some());
        let id = bind.id().unwrap();
        self.say(&format!(
            "<iq type='result' id='{id}'><bind xmlns='{}'><jid>{ME}</jid></bind></iq>",
            ns::BIND
        ));
    }

    /// From the connection to being online.
    pub(crate) fn log_in(&mut self) {
        self.start_tls();
        self.secure();
        self.offer_mechanisms(&["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]);
        assert_eq!(self.authenticate("secret"), Mechanism::SCRAM_SHA_256_PLUS);
        self.bind();
        match self.event() {
            Event::Online(online) => assert_eq!(online.jid.as_str(), ME),
            other => panic!("{other:?}"),
        }
    }

    /// From nothing to being online, with these items in the roster.
    pub(crate) fn come_online(&mut self, roster: &str) {
        self.verb(Client::connect);
        self.resolve_plainly();
        self.connect();
        self.log_in();
        self.give_roster(roster);
    }

    /// The roster is asked for and comes; then our presence is told.
    pub(crate) fn give_roster(&mut self, roster: &str) {
        let fetch = self.sent_stanza();
        assert!(fetch.payload("query", ns::ROSTER).is_some());
        let id = fetch.id().unwrap();
        self.say(&format!(
            "<iq type='result' id='{id}'><query xmlns='jabber:iq:roster'>{roster}</query></iq>"
        ));
        assert_eq!(self.event(), Event::Roster);
        let presence = self.sent_stanza();
        assert_eq!((presence.type_(), presence.to()), (None, None));
    }

    /// The server says a stanza, with a new id; returns the id.
    pub(crate) fn ask(&mut self, from: &str, type_: &str, payload: &str) -> String {
        self.ids += 1;
        let id = format!("ask-{}", self.ids);
        self.say(&format!("<iq from='{from}' to='{ME}' type='{type_}' id='{id}'>{payload}</iq>"));
        id
    }

    pub(crate) fn send(&mut self, stanza: &Stanza) -> Result<(), SendError> {
        self.verb(|client, now| client.send(now, stanza.clone()))
    }
}
