//! A server without a world: what it binds is bound, what it asks is answered from a store in memory,
//! what it writes is kept to be looked at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use machine::{
    Checked, CloseReason, ConnectionBinding, Endpoint, Entropy, FailKind, Id, Ids, Input, Instant,
    Machine, Now, Output,
};
use xmpp::sasl::base64;
use xmpp::server::{
    Answer, Config, Event, Listener, Question, Refusal, RosterItem, ScramKey, ScramKeys, Server,
    Stats, Subscription,
};
use xmpp::{BareJid, Element, ns, sasl};

/// The domain.
pub(crate) const DOMAIN: &str = "example.org";
/// The room that connections announce.
pub(crate) const ROOM: usize = 1 << 40;
/// A few rounds: the tests derive many keys.
const ITERATIONS: u32 = 16;
/// What every header begins with.
pub(crate) const HEADER: &str = "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// What the world keeps.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) users: BTreeMap<String, ScramKeys>,
    pub(crate) rosters: BTreeMap<String, BTreeMap<BareJid, RosterItem>>,
    /// Whether nothing can be asked or kept.
    pub(crate) broken: bool,
    pub(crate) saved: usize,
}

pub(crate) struct Rig {
    pub(crate) server: Checked<Server>,
    elapsed: Duration,
    listeners: BTreeMap<bool, (Id, Endpoint)>,
    pub(crate) events: Vec<Event>,
    pub(crate) store: Store,
    /// Whether questions wait.
    pub(crate) hold: bool,
    pub(crate) questions: VecDeque<(Id, Question)>,
    /// Whether handshakes wait.
    pub(crate) hold_tls: bool,
    written: BTreeMap<Id, Vec<u8>>,
    pub(crate) closed: BTreeSet<Id>,
    pub(crate) paused: BTreeSet<Id>,
    pub(crate) tls: BTreeSet<Id>,
    conns: u64,
}

pub(crate) fn at(text: &str) -> Endpoint {
    text.parse().unwrap()
}

pub(crate) fn jid(user: &str) -> BareJid {
    BareJid::new(&format!("{user}@{DOMAIN}")).unwrap()
}

pub(crate) fn config() -> Config {
    let mut config = Config::new(DOMAIN, [7; 32]);
    config.iterations = ITERATIONS;
    config.limits.derivations_per_second = 1_000_000;
    config.listeners = vec![
        Listener { direct_tls: false, local: at("192.0.2.1:5222") },
        Listener { direct_tls: true, local: at("192.0.2.1:5223") },
    ];
    config
}

/// The password of a user.
pub(crate) fn password(user: &str) -> String {
    format!("{user}-secret")
}

pub(crate) fn keys(user: &str, iterations: u32) -> ScramKeys {
    let salt = format!("salt-of-{user:-<8}");
    let keys = sasl::ScramKeys::derive(&password(user), salt.as_bytes(), iterations).unwrap();
    let key = |keys: &sasl::Keys| ScramKey {
        salt: keys.salt.clone(),
        iterations: keys.iterations,
        stored_key: keys.stored_key.reveal().to_vec(),
        server_key: keys.server_key.reveal().to_vec(),
    };
    ScramKeys { sha1: key(&keys.sha1), sha256: key(&keys.sha256) }
}

impl Store {
    pub(crate) fn know(&mut self, question: Question) -> Answer {
        if self.broken {
            return Answer::Failed;
        }
        match question {
            Question::Credentials { user } => Answer::Credentials(self.users.get(&user).cloned()),
            Question::Roster { user } => Answer::Roster(
                self.users
                    .get(&user)
                    .map(|_| self.rosters.entry(user).or_default().values().cloned().collect()),
            ),
            Question::SaveItem { user, item } => {
                self.saved += 1;
                self.rosters.entry(user).or_default().insert(item.contact.clone(), item);
                Answer::Saved(true)
            }
            Question::RemoveItem { user, contact } => {
                self.saved += 1;
                self.rosters.entry(user).or_default().remove(&contact);
                Answer::Saved(true)
            }
        }
    }

    /// What is kept of a contact.
    pub(crate) fn item(&self, user: &str, contact: &str) -> Option<&RosterItem> {
        self.rosters.get(user)?.get(&jid(contact))
    }

    /// Lets two users see each other.
    pub(crate) fn befriend(&mut self, one: &str, other: &str) {
        for (user, contact) in [(one, other), (other, one)] {
            let (listed, subscription) = (true, Subscription::Both);
            let item = RosterItem { listed, subscription, ..RosterItem::new(jid(contact)) };
            self.rosters.entry(user.to_owned()).or_default().insert(jid(contact), item);
        }
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    /// A server with the users alice, bob, carol and dave.
    pub(crate) fn with(config: Config) -> Self {
        let server = || Server::new(config.clone(), Ids::new(4), &Entropy::seeded(7));
        let users = ["alice", "bob", "carol", "dave"];
        let mut rig = Self {
            server: Checked::with_twin(server(), server()),
            elapsed: Duration::from_secs(1_000_000),
            listeners: BTreeMap::new(),
            events: Vec::new(),
            store: Store {
                users: users.map(|user| (user.to_owned(), keys(user, config.iterations))).into(),
                ..Store::default()
            },
            hold: false,
            questions: VecDeque::new(),
            hold_tls: false,
            written: BTreeMap::new(),
            closed: BTreeSet::new(),
            paused: BTreeSet::new(),
            tls: BTreeSet::new(),
            conns: 0,
        };
        rig.settle();
        rig
    }

    pub(crate) fn now(&self) -> Now {
        Now { mono: Instant::ORIGIN + self.elapsed, unix: self.elapsed }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.server.get().stats()
    }

    pub(crate) fn refused(&self, refusal: Refusal) -> u64 {
        self.stats().refused(refusal)
    }

    pub(crate) fn verb(&mut self, mut verb: impl FnMut(&mut Server, Now)) {
        self.server.verb(self.now(), |server, now| verb(server, now));
        self.settle();
    }

    /// Lets time pass from deadline to deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(next) = self.server.poll_timeout()
            && next <= Instant::ORIGIN + end
        {
            self.elapsed = self.elapsed.max(Duration::from_nanos(next.as_nanos()));
            self.server.handle_timeout(self.now());
            self.settle();
        }
        self.elapsed = end;
    }

    pub(crate) fn input(&mut self, input: Input<'_, Answer>) {
        self.server.handle_input(self.now(), input);
        self.settle();
    }

    /// A connection to one of the listeners, from an address.
    pub(crate) fn accept(&mut self, direct_tls: bool, remote: Endpoint, room: usize) -> Id {
        let (listener, local) = self.listeners[&direct_tls];
        self.conns += 1;
        let conn = Id::accepted(listener, self.conns);
        self.input(Input::Accepted { listener, conn, local, remote, room });
        conn
    }

    /// A connection over direct TLS from an address of its own.
    pub(crate) fn connect(&mut self) -> Id {
        let n = self.conns as u8;
        self.accept(true, Endpoint::new([198, 51, 100, n], 40_000), ROOM)
    }

    pub(crate) fn send(&mut self, conn: Id, text: &str) {
        self.bytes(conn, text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, conn: Id, bytes: &[u8]) {
        self.input(Input::Data { conn, bytes });
    }

    pub(crate) fn room(&mut self, conn: Id, room: usize) {
        self.input(Input::Writable { conn, room });
    }

    /// The client's connection ends.
    pub(crate) fn hang_up(&mut self, conn: Id) {
        self.input(Input::Closed { conn, reason: CloseReason::Reset });
    }

    pub(crate) fn secure(&mut self, conn: Id) {
        let binding = ConnectionBinding { exporter: Some(vec![9; 32]), server_end_point: None };
        let (peer_certs, alpn) = (Vec::new(), None);
        self.input(Input::Secured { conn, peer_certs, alpn, binding, room: ROOM });
    }

    pub(crate) fn fail(&mut self, id: Id, kind: FailKind) {
        self.input(Input::Failed { id, kind });
    }

    /// Logs a user in over direct TLS, with PLAIN, and binds a resource.
    pub(crate) fn login(&mut self, user: &str, resource: &str) -> Id {
        let conn = self.connect();
        self.log_in(conn, user);
        self.bind(conn, resource);
        let text = self.text(conn);
        assert!(text.contains(&format!("<jid>{user}@{DOMAIN}/{resource}</jid>")), "{text}");
        conn
    }

    /// Logs a user in who is available at once; what it is told of others is left to be read.
    pub(crate) fn online(&mut self, user: &str, resource: &str) -> Id {
        let conn = self.login(user, resource);
        self.send(conn, "<presence/>");
        conn
    }

    /// Authenticates on a new stream under TLS.
    pub(crate) fn log_in(&mut self, conn: Id, user: &str) {
        self.send(conn, HEADER);
        self.send(conn, &plain(user, &password(user)));
        let text = self.text(conn);
        assert!(text.contains("<success "), "{text}");
        self.send(conn, HEADER);
    }

    pub(crate) fn bind(&mut self, conn: Id, resource: &str) {
        self.send(
            conn,
            &format!(
                "<iq type='set' id='bind'><bind xmlns='{}'><resource>{resource}</resource></bind>\
                 </iq>",
                ns::BIND
            ),
        );
    }

    /// What was written to a connection since.
    pub(crate) fn text(&mut self, conn: Id) -> String {
        String::from_utf8(self.written.remove(&conn).unwrap_or_default()).unwrap()
    }

    /// The same as elements, without a header, up to the end of the stream.
    pub(crate) fn elements(&mut self, conn: Id) -> Vec<Element> {
        let text = self.text(conn);
        let text = text.trim_end_matches("</stream:stream>");
        let whole =
            format!("<all xmlns='{}' xmlns:stream='{}'>{text}</all>", ns::CLIENT, ns::STREAMS);
        let whole: Element = whole.parse().unwrap_or_else(|error| panic!("{error} in {text}"));
        whole.children().cloned().collect()
    }

    /// The same in short: `message(chat) from alice@example.org/phone: hello`.
    pub(crate) fn read(&mut self, conn: Id) -> Vec<String> {
        self.elements(conn).iter().map(short).collect()
    }

    /// Forgets what was written to everybody.
    pub(crate) fn clear(&mut self) {
        self.written.clear();
    }

    /// Answers the oldest question.
    pub(crate) fn answer(&mut self) {
        if let Some((id, question)) = self.questions.pop_front() {
            let answer = self.store.know(question);
            self.input(Input::Answer { id, answer });
        }
    }

    fn settle(&mut self) {
        let mut todo = VecDeque::new();
        self.drain(&mut todo);
        while let Some(input) = todo.pop_front() {
            self.server.handle_input(self.now(), input);
            self.drain(&mut todo);
        }
    }

    fn drain(&mut self, todo: &mut VecDeque<Input<'static, Answer>>) {
        let mut bytes = Vec::new();
        while let Some(output) = self.server.poll_output(&mut bytes) {
            let bytes = std::mem::take(&mut bytes);
            self.obey(output, &bytes, todo);
        }
    }

    fn obey(
        &mut self,
        output: Output<Event, Question>,
        bytes: &[u8],
        todo: &mut VecDeque<Input<'static, Answer>>,
    ) {
        match output {
            Output::Bind { id, local, .. } => todo.push_back(Input::Bound { id, local }),
            Output::Ask { id, question } if self.hold => self.questions.push_back((id, question)),
            Output::Ask { id, question } => {
                let answer = self.store.know(question);
                todo.push_back(Input::Answer { id, answer });
            }
            Output::Event(Event::Listening { id, direct_tls, local }) => {
                self.listeners.insert(direct_tls, (id, local));
            }
            Output::Event(event) => self.events.push(event),
            Output::Write { conn } => {
                assert!(!self.closed.contains(&conn), "nothing is written after the end");
                self.written.entry(conn).or_default().extend_from_slice(bytes);
            }
            Output::Pause { conn, paused } => {
                let changed =
                    if paused { self.paused.insert(conn) } else { self.paused.remove(&conn) };
                assert!(changed, "it says what has changed");
            }
            Output::StartTls { conn, .. } => {
                self.tls.insert(conn);
                if !self.hold_tls {
                    let exporter = Some(vec![9; 32]);
                    let binding = ConnectionBinding { exporter, server_end_point: None };
                    let (peer_certs, alpn, room) = (Vec::new(), None, ROOM);
                    todo.push_back(Input::Secured { conn, peer_certs, alpn, binding, room });
                }
            }
            Output::Close { id } => {
                self.closed.insert(id);
            }
            other => panic!("a server does not {other:?}"),
        }
    }
}

/// `<auth/>` with PLAIN.
pub(crate) fn plain(user: &str, password: &str) -> String {
    let message = base64::encode(format!("\0{user}\0{password}").as_bytes());
    format!("<auth xmlns='{}' mechanism='PLAIN'>{message}</auth>", ns::SASL)
}

/// A stanza in a line.
pub(crate) fn short(element: &Element) -> String {
    let attr = |name: &'static str| element.attr(name);
    let mut line = element.name().to_owned();
    if let Some(type_) = attr("type") {
        line += &format!("({type_})");
    }
    if let Some(from) = attr("from") {
        line += &format!(" from {from}");
    }
    let texts = element.children().map(|child| match child.name() {
        "error" => child.children().map(Element::name).collect::<Vec<_>>().join(" "),
        "query" if child.has_ns(ns::ROSTER) && child.children().count() > 0 => {
            let items = child.children().map(|item| {
                let ask = item.attr("ask").map(|_| "+ask").unwrap_or_default();
                format!("{}={}{ask}", item.attr("jid").unwrap(), item.attr("subscription").unwrap())
            });
            items.collect::<Vec<_>>().join(" ")
        }
        _ if child.children().count() == 0 && !child.text().is_empty() => child.text(),
        name => name.to_owned(),
    });
    let texts: Vec<String> = texts.collect();
    if !texts.is_empty() {
        line += &format!(": {}", texts.join(", "));
    }
    line
}
