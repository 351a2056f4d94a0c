//! A server without a world: what it binds is bound, what it asks is answered, what it sends is kept
//! to be looked at.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use wayleave_turn as turn;

use machine::{
    BindKind, Checked, CloseReason, ConnectionBinding, Endpoint, Entropy, FailKind, Id, Ids, Input,
    Instant, Machine, Now, Output, Transport,
};
use stun::{Builder, Class, Key, Message, Method, PasswordAlgorithm, TransactionId};
use turn::server::{Answer, Config, Event, Keys, Listener, Question, Refusal, Server, Stats, User};
use turn::{TurnBuilder, TurnMessage};

/// The realm.
pub(crate) const REALM: &str = "example.org";
/// The room that connections announce.
pub(crate) const ROOM: usize = 1 << 20;

/// What the server did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Datagram { socket: Id, remote: Endpoint, dont_fragment: bool, bytes: Vec<u8> },
    Write { conn: Id, bytes: Vec<u8> },
    Connect { id: Id, local: Option<Endpoint>, remote: Endpoint },
    Pause { conn: Id, paused: bool },
    StartTls { conn: Id },
    Close { id: Id },
}

pub(crate) struct Rig {
    pub(crate) server: Checked<Server>,
    elapsed: Duration,
    pub(crate) listeners: BTreeMap<Transport, (Id, Endpoint)>,
    pub(crate) did: Vec<Did>,
    pub(crate) events: Vec<Event>,
    /// Sockets and listeners of relayed addresses.
    pub(crate) bound: BTreeMap<Id, (BindKind, Endpoint)>,
    /// What the next binds fail with.
    pub(crate) faults: VecDeque<FailKind>,
    /// Whether questions wait.
    pub(crate) hold: bool,
    pub(crate) questions: VecDeque<(Id, Question)>,
    pub(crate) asked: usize,
    conns: u64,
}

/// The address of our listeners and relayed addresses.
pub(crate) fn core() -> std::net::IpAddr {
    [192, 0, 2, 1].into()
}

pub(crate) fn core_v6() -> std::net::IpAddr {
    "2001:db8::1".parse().unwrap()
}

pub(crate) fn at(text: &str) -> Endpoint {
    text.parse().unwrap()
}

pub(crate) fn config() -> Config {
    let mut config = Config::new(REALM, [core(), core_v6()]);
    let listener = |transport, port| Listener { transport, local: Endpoint::new(core(), port) };
    config.listeners = vec![
        listener(Transport::Udp, 3478),
        listener(Transport::Tcp, 3478),
        listener(Transport::Tls, 5349),
    ];
    config
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let server = || Server::new(config.clone(), Ids::new(3), &Entropy::seeded(7));
        let mut rig = Self {
            server: Checked::with_twin(server(), server()),
            elapsed: Duration::from_secs(1_000_000),
            listeners: BTreeMap::new(),
            did: Vec::new(),
            events: Vec::new(),
            bound: BTreeMap::new(),
            faults: VecDeque::new(),
            hold: false,
            questions: VecDeque::new(),
            asked: 0,
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

    /// A datagram to the listener.
    pub(crate) fn datagram(&mut self, remote: Endpoint, bytes: &[u8]) {
        let (socket, local) = self.listeners[&Transport::Udp];
        self.datagram_to(socket, local, remote, bytes);
    }

    pub(crate) fn datagram_to(
        &mut self,
        socket: Id,
        local: Endpoint,
        remote: Endpoint,
        bytes: &[u8],
    ) {
        let (ecn, segment_size) = (None, None);
        self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
    }

    /// A datagram from a peer to a relayed address.
    pub(crate) fn peer_sends(&mut self, relayed: Endpoint, peer: Endpoint, bytes: &[u8]) {
        let socket = self.socket_at(relayed);
        self.datagram_to(socket, relayed, peer, bytes);
    }

    /// The socket that is bound to an address.
    pub(crate) fn socket_at(&self, local: Endpoint) -> Id {
        let found = self.bound.iter().find(|(_, (_, at))| *at == local);
        *found.unwrap_or_else(|| panic!("nothing is bound to {local}")).0
    }

    /// A connection to one of the listeners.
    pub(crate) fn accept(&mut self, transport: Transport, remote: Endpoint) -> Id {
        let (listener, local) = self.listeners[&transport];
        self.accept_at(listener, local, remote)
    }

    pub(crate) fn accept_at(&mut self, listener: Id, local: Endpoint, remote: Endpoint) -> Id {
        self.conns += 1;
        let conn = Id::accepted(listener, self.conns);
        self.input(Input::Accepted { listener, conn, local, remote, room: ROOM });
        if self.did.contains(&Did::StartTls { conn }) {
            let binding = ConnectionBinding::default();
            let (peer_certs, alpn) = (Vec::new(), None);
            self.input(Input::Secured { conn, peer_certs, alpn, binding, room: ROOM });
        }
        conn
    }

    pub(crate) fn data(&mut self, conn: Id, bytes: &[u8]) {
        self.input(Input::Data { conn, bytes });
    }

    pub(crate) fn close(&mut self, conn: Id) {
        self.input(Input::Closed { conn, reason: CloseReason::Peer });
    }

    /// What it did since this was called last.
    pub(crate) fn take(&mut self) -> Vec<Did> {
        std::mem::take(&mut self.did)
    }

    /// The datagrams that it sent since, to where and what.
    pub(crate) fn datagrams(&mut self) -> Vec<(Endpoint, Vec<u8>)> {
        let datagram = |did| match did {
            Did::Datagram { remote, bytes, .. } => Some((remote, bytes)),
            _ => None,
        };
        self.take().into_iter().filter_map(datagram).collect()
    }

    /// What it wrote to a connection since.
    pub(crate) fn written(&mut self, to: Id) -> Vec<u8> {
        let (to_it, rest) = self
            .take()
            .into_iter()
            .partition::<Vec<_>, _>(|did| matches!(did, Did::Write { conn, .. } if *conn == to));
        self.did = rest;
        let bytes = |did| match did {
            Did::Write { bytes, .. } => bytes,
            _ => Vec::new(),
        };
        to_it.into_iter().flat_map(bytes).collect()
    }

    /// Answers the oldest question.
    pub(crate) fn answer(&mut self) {
        if let Some((id, question)) = self.questions.pop_front() {
            self.input(Input::Answer { id, answer: know(&question) });
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
            self.obey(output, bytes, todo);
        }
    }

    fn obey(
        &mut self,
        output: Output<Event, Question>,
        bytes: Vec<u8>,
        todo: &mut VecDeque<Input<'static, Answer>>,
    ) {
        match output {
            Output::Bind { id, kind, local, .. } => {
                let is_listener = matches!(local.port(), 3478 | 5349);
                match (is_listener, self.faults.pop_front()) {
                    (false, Some(kind)) => todo.push_back(Input::Failed { id, kind }),
                    _ => {
                        let taken = self.bound.values().any(|bound| *bound == (kind, local));
                        assert!(!taken, "{local} is bound twice");
                        self.bound.insert(id, (kind, local));
                        todo.push_back(Input::Bound { id, local });
                    }
                }
            }
            Output::Ask { id, question } => {
                self.asked += 1;
                if self.hold {
                    self.questions.push_back((id, question));
                } else {
                    todo.push_back(Input::Answer { id, answer: know(&question) });
                }
            }
            Output::Event(Event::Listening { id, transport, local }) => {
                self.listeners.insert(transport, (id, local));
            }
            Output::Event(event) => self.events.push(event),
            Output::Datagram { socket, remote, dont_fragment, .. } => {
                assert!(self.bound.contains_key(&socket), "it sends from what it has");
                self.did.push(Did::Datagram { socket, remote, dont_fragment, bytes });
            }
            Output::Write { conn } => self.did.push(Did::Write { conn, bytes }),
            Output::Connect { id, local, remote } => {
                self.did.push(Did::Connect { id, local, remote });
            }
            Output::Pause { conn, paused } => self.did.push(Did::Pause { conn, paused }),
            Output::StartTls { conn, .. } => self.did.push(Did::StartTls { conn }),
            Output::Close { id } => {
                self.bound.remove(&id);
                self.did.push(Did::Close { id });
            }
            Output::Resolve { .. } => panic!("it looks nothing up"),
        }
    }
}

/// The users that there are; the password of each is its name and `-secret`.
const USERS: [&str; 3] = ["alice", "bob", "alice@example.org"];

fn know(question: &Question) -> Answer {
    let Question::Credentials { user, realm } = question;
    let is_it = |name: &&&str| match user {
        User::Name(user) => user == **name,
        User::Hash(hash) => *hash == stun::integrity::userhash(name, realm),
    };
    if *user == User::Name("broken".to_owned()) {
        return Answer::Failed;
    }
    Answer::Credentials(USERS.iter().find(is_it).map(|name| {
        let password = format!("{name}-secret");
        Keys::derive(name, realm, password.as_bytes())
    }))
}

/// How a client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Udp(Endpoint),
    Conn(Id),
}

/// A client that can do what it likes.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) over: Over,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) realm: String,
    pub(crate) nonce: Vec<u8>,
    /// The algorithms that it echoes and the one that it chooses; as RFC 5389 if none.
    pub(crate) algorithms: Option<(Vec<PasswordAlgorithm>, PasswordAlgorithm)>,
    pub(crate) anonymous: bool,
    pub(crate) ids: u64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply(pub(crate) Vec<u8>);

impl Reply {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::parse(&self.0).expect("answers can be read")
    }

    /// The code of an error; 200 of a success.
    pub(crate) fn code(&self) -> u16 {
        match self.message().class() {
            Class::Success => 200,
            _ => self.message().error_code().expect("an error has a code").code,
        }
    }

    /// The relayed address.
    pub(crate) fn relayed(&self) -> Endpoint {
        self.message().relayed_addresses().next().expect("there is a relayed address")
    }
}

impl Client {
    pub(crate) fn new(over: Over, user: &str) -> Self {
        Self {
            over,
            user: user.to_owned(),
            password: format!("{user}-secret"),
            realm: REALM.to_owned(),
            nonce: Vec::new(),
            algorithms: None,
            anonymous: false,
            ids: 0,
        }
    }

    pub(crate) fn udp(remote: &str, user: &str) -> Self {
        Self::new(Over::Udp(at(remote)), user)
    }

    /// Somebody else in the same place, who knows what this one was challenged with.
    pub(crate) fn called(&self, user: &str) -> Self {
        let (user, password) = (user.to_owned(), format!("{user}-secret"));
        Self { user, password, ids: self.ids + 1_000_000, ..self.clone() }
    }

    /// Alice, challenged.
    pub(crate) fn alice(rig: &mut Rig) -> Self {
        let mut alice = Self::udp("198.51.100.1:4000", "alice");
        alice.greet(rig);
        alice
    }

    /// A request with an id of its own.
    pub(crate) fn request(&mut self, method: Method) -> Builder {
        self.ids += 1;
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.ids.to_be_bytes());
        Builder::request(method, TransactionId(id))
    }

    pub(crate) fn key(&self) -> Key {
        let algorithm = self.algorithms.as_ref().map_or(PasswordAlgorithm::Md5, |(_, a)| *a);
        Key::long_term(algorithm, &self.user, &self.realm, self.password.as_bytes()).unwrap()
    }

    /// Signs a request.
    pub(crate) fn sign(&self, mut request: Builder) -> Vec<u8> {
        if self.anonymous {
            request.userhash(&stun::integrity::userhash(&self.user, &self.realm));
        } else {
            request.username(&self.user);
        }
        request.realm(&self.realm).nonce(&self.nonce);
        match &self.algorithms {
            Some((offered, chosen)) => {
                request.password_algorithms(offered).password_algorithm(*chosen);
                request.integrity_sha256(&self.key());
            }
            None => {
                request.integrity(&self.key());
            }
        }
        request.finish()
    }

    /// Sends bytes.
    pub(crate) fn send(&self, rig: &mut Rig, bytes: &[u8]) {
        match self.over {
            Over::Udp(remote) => rig.datagram(remote, bytes),
            Over::Conn(conn) => rig.data(conn, bytes),
        }
    }

    /// What came for it: exactly one message, or none.
    pub(crate) fn receive(&self, rig: &mut Rig) -> Option<Reply> {
        let mine = |did: &Did| match (did, self.over) {
            (Did::Datagram { remote, .. }, Over::Udp(own)) => *remote == own,
            (Did::Write { conn, .. }, Over::Conn(own)) => *conn == own,
            _ => false,
        };
        let (mine, rest) = rig.take().into_iter().partition::<Vec<_>, _>(mine);
        rig.did = rest;
        assert!(mine.len() <= 1, "at most one came: {mine:?}");
        mine.into_iter().next().map(|did| match did {
            Did::Datagram { bytes, .. } | Did::Write { bytes, .. } => Reply(bytes),
            _ => unreachable!("filtered above"),
        })
    }

    /// What came for it first; the rest stays.
    pub(crate) fn receive_first(&self, rig: &mut Rig) -> Option<Reply> {
        let mine =
            |did: &Did| matches!(did, Did::Write { conn, .. } if Over::Conn(*conn) == self.over);
        match rig.did.remove(rig.did.iter().position(mine)?) {
            Did::Write { bytes, .. } => Some(Reply(bytes)),
            _ => None,
        }
    }

    /// Sends bytes and receives the answer.
    pub(crate) fn ask_bytes(&self, rig: &mut Rig, bytes: &[u8]) -> Reply {
        self.send(rig, bytes);
        self.receive(rig).expect("there is an answer")
    }

    /// Sends a signed request and receives the answer, which is signed as well.
    pub(crate) fn ask(&self, rig: &mut Rig, request: Builder) -> Reply {
        let bytes = self.sign(request);
        self.ask_bytes(rig, &bytes)
    }

    /// Learns a nonce.
    pub(crate) fn greet(&mut self, rig: &mut Rig) -> Reply {
        let mut request = self.request(Method::ALLOCATE);
        request.requested_transport(turn::RelayTransport::Udp);
        let reply = self.ask_bytes(rig, &request.finish());
        assert_eq!(reply.code(), 401);
        self.nonce = reply.message().nonce().unwrap().to_vec();
        reply
    }

    /// Asks for an allocation.
    pub(crate) fn allocate_with(&mut self, rig: &mut Rig, add: impl FnOnce(&mut Builder)) -> Reply {
        let mut request = self.request(Method::ALLOCATE);
        request.requested_transport(turn::RelayTransport::Udp);
        add(&mut request);
        self.ask(rig, request)
    }

    /// Gets an allocation.
    pub(crate) fn allocate(&mut self, rig: &mut Rig) -> Endpoint {
        let reply = self.allocate_with(rig, |_| {});
        assert_eq!(reply.code(), 200);
        assert!(reply.message().verify_integrity(&self.key()).is_ok(), "it is signed");
        reply.relayed()
    }

    pub(crate) fn refresh(&mut self, rig: &mut Rig, secs: u64) -> Reply {
        let mut request = self.request(Method::REFRESH);
        request.lifetime(Duration::from_secs(secs));
        self.ask(rig, request)
    }

    pub(crate) fn permit(&mut self, rig: &mut Rig, peers: &[&str]) -> Reply {
        let mut request = self.request(Method::CREATE_PERMISSION);
        for peer in peers {
            request.peer_address(at(peer));
        }
        self.ask(rig, request)
    }

    pub(crate) fn bind(&mut self, rig: &mut Rig, number: u16, peer: &str) -> Reply {
        let mut request = self.request(Method::CHANNEL_BIND);
        request.attribute(
            stun::AttributeType::CHANNEL_NUMBER,
            &[number.to_be_bytes(), [0; 2]].concat(),
        );
        request.peer_address(at(peer));
        self.ask(rig, request)
    }

    /// A Send indication.
    pub(crate) fn indicate(&mut self, rig: &mut Rig, peer: Endpoint, data: &[u8]) {
        self.ids += 1;
        let mut indication = Builder::indication(Method::SEND, TransactionId([9; 12]));
        let bytes = indication.peer_address(peer).data(data).finish();
        self.send(rig, &bytes);
    }
}
