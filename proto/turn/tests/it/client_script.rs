//! A scripted server and a driver in memory, for what no sound server would do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use machine::{
    Checked, ConnectionBinding, Endpoint, Entropy, FailKind, Id, Ids, Input, Instant, Machine, Now,
    Output,
};
use stun::{
    AttributeType, Builder, Class, Credentials, ErrorCode, Integrity, Key, Message, Method,
    PasswordAlgorithm, TransactionId,
};
use turn::client::{Client, Config, Event, Server};
use turn::{ChannelData, Family, Frame, Framer, TurnBuilder, TurnMessage};

pub(crate) const REALM: &str = "example.org";
pub(crate) const TICKET: &[u8] = b"ticket";

pub(crate) fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

pub(crate) fn server() -> Endpoint {
    endpoint("192.0.2.1:3478")
}

pub(crate) fn peer() -> Endpoint {
    endpoint("198.51.100.7:4000")
}

pub(crate) fn relayed() -> Endpoint {
    endpoint("203.0.113.9:50000")
}

pub(crate) fn config(servers: impl IntoIterator<Item = Server>) -> Config {
    Config {
        servers: servers.into_iter().collect(),
        credentials: Some(Credentials::new("alice", "swordfish").unwrap()),
        ..Config::default()
    }
}

/// What the script does with one request.
pub(crate) enum Reply {
    /// What a sound server does.
    Sound,
    /// An error, authenticated if the request was.
    Error(u16),
    /// An error with one more attribute.
    ErrorWith(u16, AttributeType, Vec<u8>),
    /// 300 with this alternate server.
    Alternate(Endpoint),
    /// Nothing.
    Silence,
}

/// A server that does as it is told, and else what is right.
pub(crate) struct Script {
    pub(crate) nonce: Vec<u8>,
    pub(crate) password: &'static str,
    /// The replies to the next requests of a method that are authenticated.
    pub(crate) replies: BTreeMap<Method, VecDeque<Reply>>,
    /// Requests that were answered, challenges not counted.
    pub(crate) log: Vec<(Method, Vec<u8>)>,
    /// Datagrams for peers.
    pub(crate) relayed: Vec<(Option<Endpoint>, Vec<u8>)>,
    /// Requests in all.
    pub(crate) requests: usize,
    pub(crate) indications: Vec<Method>,
    pub(crate) has_v6: bool,
    pub(crate) challenges: bool,
    connections: u32,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            nonce: b"nonce-1".to_vec(),
            password: "swordfish",
            replies: BTreeMap::new(),
            log: Vec::new(),
            relayed: Vec::new(),
            requests: 0,
            indications: Vec::new(),
            has_v6: true,
            challenges: true,
            connections: 0,
        }
    }
}

impl Script {
    pub(crate) fn reply(&mut self, method: Method, reply: Reply) -> &mut Self {
        self.replies.entry(method).or_default().push_back(reply);
        self
    }

    pub(crate) fn count(&self, method: Method) -> usize {
        self.log.iter().filter(|(logged, _)| *logged == method).count()
    }

    /// The last request of `method`.
    pub(crate) fn last(&self, method: Method) -> Message<'_> {
        let found = self.log.iter().rfind(|(logged, _)| *logged == method);
        Message::parse(&found.expect("such a request").1).unwrap()
    }

    fn answer(&mut self, bytes: &[u8], remote: Endpoint) -> Option<Vec<u8>> {
        if let Some(packet) = ChannelData::parse(bytes) {
            self.relayed.push((None, packet.data.to_vec()));
            return None;
        }
        let request = Message::parse(bytes).expect("clients send STUN or ChannelData");
        if request.class() == Class::Indication {
            self.indications.push(request.method());
            if let Some(data) = request.data() {
                self.relayed.push((request.peer_address(), data.to_vec()));
            }
            return None;
        }
        self.requests += 1;
        let key = Key::long_term(PasswordAlgorithm::Md5, "alice", REALM, self.password.as_bytes());
        let key = key.unwrap();
        let challenge =
            |code| Some(Builder::error(&request, code).realm(REALM).nonce(&self.nonce).finish());
        if self.challenges {
            match request.verify_integrity(&key) {
                _ if request.integrity().is_none() => return challenge(401),
                _ if request.nonce() != Some(&self.nonce) => return challenge(438),
                Err(_) => return challenge(401),
                Ok(_) => {}
            }
        }
        self.log.push((request.method(), bytes.to_vec()));
        let next = self.replies.get_mut(&request.method()).and_then(VecDeque::pop_front);
        let mut response = self.respond(next.unwrap_or(Reply::Sound), &request, remote)?;
        if self.challenges {
            response.integrity_of(Integrity::Sha1, &key);
        }
        Some(response.finish())
    }

    fn respond(
        &mut self,
        reply: Reply,
        request: &Message<'_>,
        remote: Endpoint,
    ) -> Option<Builder> {
        let mut error = Builder::new(Class::Error, request.method(), request.id());
        match reply {
            Reply::Silence => return None,
            Reply::Error(code) => {
                error.error_code(ErrorCode::new(code));
            }
            Reply::ErrorWith(code, kind, value) => {
                error.error_code(ErrorCode::new(code)).attribute(kind, &value);
            }
            Reply::Alternate(other) => {
                error.error_code(ErrorCode::new(300)).alternate_server(other);
            }
            Reply::Sound => return Some(self.sound(request, remote)),
        }
        Some(error)
    }

    fn sound(&mut self, request: &Message<'_>, remote: Endpoint) -> Builder {
        let mut response = Builder::success(request);
        let lifetime = request.lifetime().unwrap_or(Duration::from_secs(600));
        match request.method() {
            Method::ALLOCATE => {
                assert!(request.requested_transport().is_some());
                let only_v6 = request.requested_address_family() == Some(Ok(Family::V6));
                if !only_v6 {
                    response.relayed_address(relayed());
                }
                let additional = request.additional_address_family().is_some();
                if only_v6 || additional && self.has_v6 {
                    response.relayed_address(endpoint("[2001:db8::9]:50000"));
                } else if additional {
                    let error = ErrorCode::new(440);
                    response.address_error(turn::AddressError { family: Family::V6, error });
                }
                response.lifetime(lifetime).xor_mapped_address(remote);
                if request.mobility_ticket().is_some() {
                    response.mobility_ticket(TICKET);
                }
                if request.even_port() == Some(true) {
                    response.reservation_token(*b"reserved");
                }
            }
            Method::REFRESH => {
                response.lifetime(lifetime).xor_mapped_address(remote);
                if let Some(ticket) = request.mobility_ticket() {
                    assert_eq!(ticket, TICKET);
                    response.mobility_ticket(TICKET);
                }
            }
            Method::CONNECT => {
                self.connections += 1;
                response.connection_id(self.connections);
            }
            _ => {}
        }
        response
    }
}

/// What became of the connections that a client opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// They open.
    Open,
    /// They are refused.
    Refused,
    /// Nobody answers.
    Silent,
}

/// A client, the driver under it, and the servers that it talks to.
pub(crate) struct Rig {
    pub(crate) client: Checked<Client>,
    pub(crate) now: Now,
    pub(crate) servers: BTreeMap<Endpoint, Script>,
    pub(crate) ports: BTreeMap<Endpoint, Port>,
    pub(crate) events: Vec<(Event, Vec<u8>)>,
    pub(crate) open: BTreeMap<Id, (Endpoint, Endpoint)>,
    pub(crate) closed: BTreeSet<Id>,
    pub(crate) room: usize,
    /// Bytes that the client wrote to connections that are a peer's.
    pub(crate) to_peers: BTreeMap<Id, Vec<u8>>,
    streams: BTreeMap<Id, Framer>,
    waiting: VecDeque<(Id, Waiting)>,
    next_port: u16,
}

enum Waiting {
    Bound,
    Connected,
    Secured,
    Failed(FailKind),
    Message(Vec<u8>),
}

impl Rig {
    pub(crate) fn new(config: Config) -> Self {
        let now = Now { mono: Instant::ORIGIN, unix: Duration::from_secs(1_800_000_000) };
        let client = Client::new(now, config.clone(), Ids::new(9), Entropy::seeded(1));
        let twin = Client::new(now, config, Ids::new(9), Entropy::seeded(1));
        Self {
            client: Checked::with_twin(client, twin),
            now,
            servers: BTreeMap::new(),
            ports: BTreeMap::new(),
            events: Vec::new(),
            open: BTreeMap::new(),
            closed: BTreeSet::new(),
            room: 100_000,
            to_peers: BTreeMap::new(),
            streams: BTreeMap::new(),
            waiting: VecDeque::new(),
            next_port: 1000,
        }
    }

    /// A client with one sound server over UDP, which has just allocated.
    pub(crate) fn allocated(mut config: Config) -> Self {
        if config.servers.is_empty() {
            config.servers = vec![Server::udp(server())];
        }
        let mut rig = Self::new(config);
        rig.run();
        assert!(rig.client.get().allocation().is_some(), "{:?}", rig.events);
        rig.events.clear();
        rig
    }

    pub(crate) fn script(&mut self) -> &mut Script {
        self.servers.entry(server()).or_default()
    }

    pub(crate) fn verb<R>(&mut self, mut verb: impl FnMut(&mut Client, Now) -> R) -> R {
        let result = self.client.verb(self.now, &mut verb);
        self.run();
        result
    }

    pub(crate) fn input(&mut self, input: Input<'_, Infallible>) {
        self.client.handle_input(self.now, input);
        self.run();
    }

    /// A message from the server at `remote` over the oldest open link.
    pub(crate) fn deliver(&mut self, bytes: &[u8]) {
        let (&id, &(local, remote)) =
            self.open.iter().find(|(id, _)| !self.closed.contains(id)).expect("an open link");
        if self.streams.contains_key(&id) {
            self.input(Input::Data { conn: id, bytes });
        } else {
            let (ecn, segment_size) = (None, None);
            self.input(Input::Datagram { socket: id, local, remote, ecn, segment_size, bytes });
        }
    }

    /// Everything that happens without time passing.
    pub(crate) fn run(&mut self) {
        loop {
            self.drain();
            let Some((id, waiting)) = self.waiting.pop_front() else { return };
            if self.closed.contains(&id) {
                continue;
            }
            let (local, remote) = self.open[&id];
            let room = self.room;
            let input = match &waiting {
                Waiting::Bound => Input::Bound { id, local },
                Waiting::Connected => Input::Connected { conn: id, local, remote, room },
                Waiting::Secured => Input::Secured {
                    conn: id,
                    peer_certs: vec![],
                    alpn: None,
                    binding: ConnectionBinding::default(),
                    room,
                },
                Waiting::Failed(kind) => {
                    self.closed.insert(id);
                    Input::Failed { id, kind: kind.clone() }
                }
                Waiting::Message(bytes) if self.streams.contains_key(&id) => {
                    Input::Data { conn: id, bytes }
                }
                Waiting::Message(bytes) => Input::Datagram {
                    socket: id,
                    local,
                    remote,
                    ecn: None,
                    segment_size: None,
                    bytes,
                },
            };
            self.client.handle_input(self.now, input);
        }
    }

    fn drain(&mut self) {
        let mut buf = Vec::new();
        while let Some(output) = self.client.poll_output(&mut buf) {
            let payload = std::mem::take(&mut buf);
            match output {
                Output::Bind { id, .. } => {
                    self.next_port += 1;
                    let local = Endpoint::new([10, 0, 0, 2], self.next_port);
                    self.open.insert(id, (local, server()));
                    self.waiting.push_back((id, Waiting::Bound));
                }
                Output::Connect { id, remote, .. } => {
                    self.next_port += 1;
                    let local = Endpoint::new([10, 0, 0, 2], self.next_port);
                    self.open.insert(id, (local, remote));
                    match self.ports.get(&remote).unwrap_or(&Port::Open) {
                        Port::Open => {
                            self.streams.insert(id, Framer::new(70_000));
                            self.waiting.push_back((id, Waiting::Connected));
                        }
                        Port::Refused => {
                            self.waiting.push_back((id, Waiting::Failed(FailKind::Refused)));
                        }
                        Port::Silent => {}
                    }
                }
                Output::StartTls { conn, .. } => {
                    self.waiting.push_back((conn, Waiting::Secured));
                }
                Output::Datagram { socket, remote, segment_size, .. } => {
                    let (local, to) = self.open.get_mut(&socket).expect("a bound socket");
                    *to = remote;
                    let local = *local;
                    let length = segment_size.unwrap_or(payload.len());
                    for packet in payload.chunks(length) {
                        self.serve(socket, local, remote, packet);
                    }
                }
                Output::Write { conn } => self.written(conn, &payload),
                Output::Close { id } => assert!(self.closed.insert(id), "{id:?} closed twice"),
                Output::Event(event) => self.events.push((event, payload)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn written(&mut self, conn: Id, bytes: &[u8]) {
        assert!(bytes.len() <= self.room, "within the room");
        if let Some(written) = self.to_peers.get_mut(&conn) {
            written.extend_from_slice(bytes);
            return;
        }
        let (local, remote) = self.open[&conn];
        let framer = self.streams.get_mut(&conn).expect("a connection");
        framer.push(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = framer.next_frame().unwrap() {
            match frame {
                Frame::Stun(bytes) => frames.push(bytes.to_vec()),
                Frame::ChannelData(data) => {
                    let mut bytes = Vec::new();
                    data.write(true, &mut bytes);
                    frames.push(bytes);
                }
            }
        }
        for frame in frames {
            self.serve(conn, local, remote, &frame);
        }
    }

    fn serve(&mut self, id: Id, local: Endpoint, remote: Endpoint, bytes: &[u8]) {
        if self.ports.get(&remote) == Some(&Port::Silent) {
            return;
        }
        let script = self.servers.entry(remote).or_default();
        if let Some(answer) = script.answer(bytes, local) {
            self.waiting.push_back((id, Waiting::Message(answer)));
        }
    }

    /// Lets `duration` pass.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let until = self.now.mono + duration;
        self.run();
        while let Some(due) = self.client.poll_timeout().filter(|due| *due <= until) {
            self.now.mono = due.max(self.now.mono);
            self.client.handle_timeout(self.now);
            self.run();
        }
        self.now.mono = until;
    }

    /// Takes the events since the last time.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events).into_iter().map(|(event, _)| event).collect()
    }

    /// The links that are open.
    pub(crate) fn links(&self) -> Vec<Id> {
        self.open.keys().filter(|id| !self.closed.contains(id)).copied().collect()
    }

    /// A Data indication.
    pub(crate) fn data_from(&mut self, peer: Endpoint, data: &[u8]) {
        let mut indication = Builder::indication(Method::DATA, TransactionId([5; 12]));
        indication.peer_address(peer).data(data);
        self.deliver(&indication.finish());
    }
}
