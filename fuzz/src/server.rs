//! The whole network core, and strangers and users that keep to no rule; users of the relay and of
//! XMPP too.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use crypto::scram::{self, Hash};
use machine::{
    BindKind, Checked, CloseReason, ConnectionBinding, Endpoint, Entropy, FailKind, Id, Input,
    Machine, Output, ResolveError,
};
use server::{
    Answer, BareJid, Config, Keys, Question, RosterItem, ScramKey, ScramKeys, Server, user_hash,
};
use sip::auth::client::{Client, Login};
use sip::{Message, Method, Request, Response, name};
use stun::long_term::Verdict;
use stun::{Builder, Credentials, LongTerm, TransactionId};
use turn::{ChannelNumber, Family, RelayTransport, TurnBuilder as _};

use super::ops::{Ops, at, status};

const DOMAIN: &str = "example.org";
const ROOM: usize = 1 << 20;
/// The namespace of what TURN opens.
const TURN: u16 = 2;
/// Of what XMPP opens.
const XMPP: u16 = 4;

/// What Alice and Bob are checked with, which is the same.
static SCRAM: LazyLock<ScramKeys> = LazyLock::new(|| {
    let key = |hash| {
        let (salt, iterations) = (b"their salt".to_vec(), 1);
        let keys = scram::derive(hash, b"swordfish", &salt, iterations);
        let (stored_key, server_key) = (keys.stored_key.reveal(), keys.server_key.reveal());
        let (stored_key, server_key) = (stored_key.to_vec(), server_key.to_vec());
        ScramKey { salt, iterations, stored_key, server_key }
    };
    ScramKeys { sha1: key(Hash::Sha1), sha256: key(Hash::Sha256) }
});

/// How Alice and Bob log in, with the right password, by PLAIN: the header twice, between them this.
const LOGINS: [&str; 2] = ["AGFsaWNlAHN3b3JkZmlzaA==", "AGJvYgBzd29yZGZpc2g="];
const HEADER: &str = "<stream:stream to='example.org' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";

/// What a user of XMPP might well say.
const STANZAS: [&str; 16] = [
    "<presence/>",
    "<presence type='unavailable'/>",
    "<iq id='1' type='get'><query xmlns='jabber:iq:roster'/></iq>",
    "<iq id='2' type='set'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' name='B'>\
     <group>g</group></item></query></iq>",
    "<iq id='3' type='set'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' \
     subscription='remove'/></query></iq>",
    "<presence to='bob@example.org' type='subscribe'/>",
    "<presence to='alice@example.org' type='subscribed'/>",
    "<presence to='bob@example.org' type='unsubscribe'/>",
    "<presence to='alice@example.org' type='unsubscribed'/>",
    "<presence to='nobody@example.org' type='subscribe'/>",
    "<message to='bob@example.org' type='chat'><body>hello</body></message>",
    "<message to='alice@example.org/1' type='chat'><body>hello</body></message>",
    "<iq id='4' type='set' to='bob@example.org/2'><jingle xmlns='urn:xmpp:jingle:1' sid='s' \
     action='session-initiate'/></iq>",
    "<iq id='4' type='result' to='alice@example.org/1'/>",
    "<iq id='5' type='get' to='example.org'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    "<message to='somebody@example.com'><body>hello</body></message></stream:stream>",
];

/// Takes `bytes` as operations: datagrams and streams of strangers, requests of users that answer
/// their challenges, connections that end, time. The laws of the shape hold throughout.
pub fn run(bytes: &[u8]) {
    let mut ops = Ops(bytes);
    let mut world = World::new();
    while let Some(op) = ops.byte() {
        if world.step(op, &mut ops).is_none() {
            break;
        }
    }
    world.pass(Duration::from_secs(100));
}

struct World {
    server: Checked<Server>,
    elapsed: Duration,
    udp: Vec<(Id, Endpoint)>,
    /// Sockets of relayed addresses.
    relays: Vec<(Id, Endpoint)>,
    /// Of SIP, of TURN, and of XMPP with STARTTLS and direct TLS.
    listeners: Vec<(Id, Endpoint)>,
    conns: Vec<Id>,
    accepted: u64,
    /// What is kept for users of XMPP, by their addresses.
    rosters: BTreeMap<String, Vec<RosterItem>>,
    users: [Client; 2],
    relayed: [LongTerm; 2],
    /// The last message of STUN that TURN sent.
    answer: Option<Vec<u8>>,
    branches: u64,
    /// The last challenge that went out.
    challenge: Option<Response>,
    /// The last request that was forwarded, to be answered.
    forwarded: Option<Request>,
    /// What the callee learned from Record-Route, with the token that only the core can make.
    route: Option<String>,
}

type Outputs = Vec<(Output<server::Event, Question>, Vec<u8>)>;

impl World {
    fn new() -> Self {
        let mut config = Config::new(DOMAIN, [[198, 51, 100, 10].into()]);
        config.turn.allow_peers = vec!["203.0.113.0/24".parse().expect("a prefix")];
        let entropy = Entropy::seeded(1);
        let client = |user: &str| Client::new(Login::new(user, "swordfish"), entropy.fork(user));
        let users = [client("alice"), client("bob")];
        let relayed = ["alice", "bob"].map(|user| {
            let password = b"swordfish".as_slice();
            LongTerm::new(Credentials::new(user, password).expect("a short name"))
        });
        let mut world = Self {
            server: Checked::new(Server::new(config, &entropy)),
            elapsed: Duration::ZERO,
            udp: Vec::new(),
            relays: Vec::new(),
            listeners: Vec::new(),
            conns: Vec::new(),
            accepted: 0,
            rosters: BTreeMap::new(),
            users,
            relayed,
            answer: None,
            branches: 0,
            challenge: None,
            forwarded: None,
            route: None,
        };
        world.settle();
        assert!(world.udp.len() == 2 && world.listeners.len() == 4, "it listens");
        world
    }

    /// Does one operation; nothing when the bytes for it ran out.
    fn step(&mut self, op: u8, ops: &mut Ops<'_>) -> Option<()> {
        match op {
            0 | 1 => {
                let (from, bytes) = (ops.byte()?, ops.chunk()?);
                self.datagram(self.udp[usize::from(op)], remote(from), bytes);
            }
            2 => {
                let (from, bytes) = (ops.byte()?, ops.chunk()?);
                self.ask(from, bytes);
            }
            3 => self.accept(0, remote(ops.byte()?)),
            8 => self.accept(1, remote(ops.byte()?)),
            9 => {
                let (from, kind, with) = (ops.byte()?, ops.byte()?, ops.byte()?);
                self.relay(from, None, |id| build(id, kind, with));
            }
            10 => {
                let (which, from, kind, with) =
                    (ops.byte()?, ops.byte()?, ops.byte()?, ops.byte()?);
                if let Some(conn) = self.conn(which).filter(|conn| conn.namespace() == TURN) {
                    self.relay(from, Some(conn), |id| build(id, kind, with));
                }
            }
            11 => {
                let (which, from, bytes) = (ops.byte()?, ops.byte()?, ops.chunk()?);
                let count = self.relays.len().max(1);
                if let Some(&at) = self.relays.get(usize::from(which) % count) {
                    self.datagram(at, remote(from), bytes);
                }
            }
            4 => {
                let (which, bytes) = (ops.byte()?, ops.chunk()?);
                if let Some(conn) = self.conn(which) {
                    self.input(Input::Data { conn, bytes });
                }
            }
            5 => {
                let which = ops.byte()?;
                if let Some(conn) = self.conn(which) {
                    self.conns.retain(|other| *other != conn);
                    self.input(Input::Closed { conn, reason: CloseReason::Peer });
                }
            }
            12 => {
                let how = ops.byte()?;
                self.accept(2 + usize::from(how & 1), remote(how >> 1));
            }
            13 => self.log_in(ops.byte()?),
            14 => {
                let (which, what) = (ops.byte()?, ops.byte()?);
                let said = STANZAS[usize::from(what) % STANZAS.len()].as_bytes();
                if let Some(conn) = self.conn(which).filter(|conn| conn.namespace() == XMPP) {
                    self.input(Input::Data { conn, bytes: said });
                }
            }
            7 => self.respond(ops.byte()?, ops.byte()?),
            6 => self.pass(Duration::from_millis(u64::from(ops.byte()?) * 128)),
            _ => {}
        }
        Some(())
    }

    fn conn(&self, which: u8) -> Option<Id> {
        self.conns.get(usize::from(which) % self.conns.len().max(1)).copied()
    }

    /// Alice or Bob logs in over XMPP, and binds a resource of two.
    fn log_in(&mut self, who: u8) {
        self.accept(3, remote(who));
        let Some(&conn) = self.conns.last() else { return };
        let (login, resource) = (LOGINS[usize::from(who & 1)], 1 + (who >> 1 & 1));
        let auth = format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{login}</auth>"
        );
        let bind = format!(
            "<iq id='b' type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>\
             {resource}</resource></bind></iq>"
        );
        for said in [HEADER, &auth, HEADER, &bind] {
            if self.conns.contains(&conn) {
                self.input(Input::Data { conn, bytes: said.as_bytes() });
            }
        }
    }

    /// A request of Alice's or Bob's to the relay, sent, and sent again with the answer to its
    /// challenge.
    fn relay(&mut self, from: u8, conn: Option<Id>, build: impl Fn(u64) -> Builder) {
        let user = usize::from(from & 1);
        for _ in 0..2 {
            self.branches += 1;
            let mut request = build(self.branches);
            self.relayed[user].authenticate(&mut request);
            let request = request.finish();
            self.answer = None;
            match conn {
                Some(conn) => self.input(Input::Data { conn, bytes: &request }),
                None => self.datagram(self.udp[1], remote(from), &request),
            }
            let Some(answer) = self.answer.take() else { return };
            let (Ok(request), Ok(answer)) =
                (stun::Message::parse(&request), stun::Message::parse(&answer))
            else {
                return;
            };
            if self.relayed[user].handle_response(&request, &answer) != Verdict::Retry {
                return;
            }
        }
    }

    /// A datagram to one of the core's sockets: SIP's, TURN's, or that of a relayed address.
    fn datagram(&mut self, (socket, local): (Id, Endpoint), remote: Endpoint, bytes: &[u8]) {
        let (ecn, segment_size) = (None, None);
        self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
    }

    /// A request of Alice's or Bob's, sent, and sent again with the answer to its challenge.
    fn ask(&mut self, from: u8, bytes: &[u8]) {
        let Ok(Message::Request(mut request)) = Message::parse(bytes) else {
            self.datagram(self.udp[0], remote(from), bytes);
            return;
        };
        self.send(from, &mut request);
        let Some(challenge) = self.challenge.take() else { return };
        let user = &mut self.users[usize::from(from & 1)];
        if user.handle_challenge(&request, &challenge).is_ok() {
            user.authorize(&mut request);
            self.send(from, &mut request);
        }
    }

    fn send(&mut self, from: u8, request: &mut Request) {
        self.branches += 1;
        let host = remote(from);
        let via = format!("SIP/2.0/UDP {host};branch=z9hG4bK{};rport", self.branches);
        request.headers.remove_first(name::VIA);
        request.headers.push_front(name::VIA, via);
        if request.headers.contains(name::ROUTE)
            && let Some(route) = &self.route
        {
            request.headers.set(name::ROUTE, route);
        }
        self.datagram(self.udp[0], host, &request.to_bytes());
    }

    /// A response to what was forwarded last, of any status.
    fn respond(&mut self, from: u8, code: u8) {
        let Some(request) = &self.forwarded else { return };
        let mut response = request.response(status(code));
        response.set_to_tag("theirs");
        response.headers.copy_from(&request.headers, name::RECORD_ROUTE);
        response.headers.push(name::CONTACT, format!("<sip:{}>", remote(from)));
        self.datagram(self.udp[0], remote(from), &response.to_bytes());
    }

    fn accept(&mut self, service: usize, remote: Endpoint) {
        let Some(&(listener, local)) = self.listeners.get(service) else { return };
        self.accepted += 1;
        let conn = Id::accepted(listener, self.accepted);
        self.conns.push(conn);
        self.input(Input::Accepted { listener, conn, local, remote, room: ROOM });
    }

    /// Lets time pass from deadline to deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(next) = self.server.poll_timeout()
            && next <= at(end).mono
        {
            self.elapsed = self.elapsed.max(Duration::from_nanos(next.as_nanos()));
            self.server.handle_timeout(at(self.elapsed));
            self.settle();
        }
        self.elapsed = end;
    }

    fn input(&mut self, input: Input<'_, Answer>) {
        self.server.handle_input(at(self.elapsed), input);
        self.settle();
    }

    /// Does what the server wants done, until it wants no more.
    fn settle(&mut self) {
        let mut todo = self.drain();
        let mut rounds = 0;
        while !todo.is_empty() {
            rounds += 1;
            assert!(rounds < 1000, "it comes to rest");
            for (output, payload) in std::mem::take(&mut todo) {
                if let Some(input) = self.obey(output, &payload) {
                    self.server.handle_input(at(self.elapsed), input);
                    todo.extend(self.drain());
                }
            }
        }
    }

    fn drain(&mut self) -> Outputs {
        let (mut outputs, mut buf) = (Vec::new(), Vec::new());
        while let Some(output) = self.server.poll_output(&mut buf) {
            outputs.push((output, std::mem::take(&mut buf)));
        }
        outputs
    }

    fn obey(
        &mut self,
        output: Output<server::Event, Question>,
        payload: &[u8],
    ) -> Option<Input<'static, Answer>> {
        match output {
            Output::Bind { id, kind, local, .. } => {
                let bound = match kind {
                    BindKind::RelayUdp => &mut self.relays,
                    BindKind::TcpListener => &mut self.listeners,
                    BindKind::Udp | BindKind::SharedUdp => &mut self.udp,
                };
                bound.push((id, local));
                Some(Input::Bound { id, local })
            }
            Output::Connect { id, local, remote } if id.namespace() == TURN => {
                self.conns.push(id);
                let local = local.unwrap_or(Endpoint::UNSPECIFIED_V4);
                Some(Input::Connected { conn: id, local, remote, room: ROOM })
            }
            Output::Connect { id, .. } => Some(Input::Failed { id, kind: FailKind::Refused }),
            Output::Resolve { id, .. } => {
                Some(Input::Resolved { id, records: Err(ResolveError::NoSuchName) })
            }
            Output::Ask { id, question } => {
                Some(Input::Answer { id, answer: self.know(&question) })
            }
            Output::Close { id } => {
                self.conns.retain(|conn| *conn != id);
                self.relays.retain(|(relay, _)| *relay != id);
                None
            }
            Output::Datagram { socket: id, .. } | Output::Write { conn: id } => {
                if id.namespace() == XMPP {
                    assert!(std::str::from_utf8(payload).is_ok(), "XML is text");
                } else if id.namespace() == TURN {
                    // What is relayed may be anything.
                    self.answer = stun::is_stun(payload).then(|| payload.to_vec());
                } else {
                    self.read(payload);
                }
                None
            }
            Output::StartTls { conn, .. } => {
                let binding = ConnectionBinding { exporter: None, server_end_point: None };
                let (peer_certs, alpn) = (Vec::new(), None);
                Some(Input::Secured { conn, peer_certs, alpn, binding, room: ROOM })
            }
            Output::Pause { .. } | Output::Event(_) => None,
        }
    }

    /// What the world knows: two users, no bindings, and the rosters that it was given.
    fn know(&mut self, question: &Question) -> Answer {
        let is_user = |address: &str| matches!(address, "alice@example.org" | "bob@example.org");
        match question {
            Question::Credentials { user, realm } => {
                let known = matches!(user.as_str(), "alice" | "bob");
                Answer::Credentials(known.then(|| Keys::derive(user, realm, "swordfish")))
            }
            Question::HashedCredentials { hash, realm } => {
                let known =
                    ["alice", "bob"].into_iter().find(|user| user_hash(user, realm) == *hash);
                Answer::Credentials(known.map(|user| Keys::derive(user, realm, "swordfish")))
            }
            Question::LoadBindings => Answer::Bindings(Vec::new()),
            Question::SaveBindings(_) => Answer::Saved(true),
            Question::ScramCredentials { address } => {
                Answer::ScramCredentials(is_user(address).then(|| SCRAM.clone()))
            }
            Question::Roster { address } => {
                let roster = || self.rosters.get(address).cloned().unwrap_or_default();
                Answer::Roster(is_user(address).then(roster))
            }
            Question::SaveContact { address, item } => {
                self.forget(address, &item.contact);
                self.rosters.entry(address.clone()).or_default().push(item.clone());
                Answer::Saved(true)
            }
            Question::RemoveContact { address, contact } => {
                self.forget(address, contact);
                Answer::Saved(true)
            }
        }
    }

    fn forget(&mut self, address: &str, contact: &BareJid) {
        if let Some(roster) = self.rosters.get_mut(address) {
            roster.retain(|item| item.contact != *contact);
        }
    }

    /// What goes out is readable; challenges are kept for whom they were meant.
    fn read(&mut self, payload: &[u8]) {
        let stun = payload.first().is_some_and(|&first| first < 4);
        if stun || payload.iter().all(|b| matches!(b, b'\r' | b'\n')) {
            return;
        }
        match Message::parse(payload).expect("what is sent is read") {
            Message::Response(response) if matches!(response.status.code(), 401 | 407) => {
                self.challenge = Some(response);
            }
            Message::Response(_) => {}
            Message::Request(request) => {
                if let Some(route) = request.headers.first(name::RECORD_ROUTE) {
                    self.route = Some(route.to_owned());
                }
                if request.method != Method::Ack {
                    self.forwarded = Some(request);
                }
            }
        }
    }
}

/// A request to the relay: `kind` chooses the method, `with` the attributes.
fn build(id: u64, kind: u8, with: u8) -> Builder {
    use stun::Method as M;
    const METHODS: [M; 8] = [
        M::ALLOCATE,
        M::REFRESH,
        M::CREATE_PERMISSION,
        M::CHANNEL_BIND,
        M::CONNECT,
        M::CONNECTION_BIND,
        M::BINDING,
        M::ALLOCATE,
    ];
    let id = TransactionId::random(&mut Entropy::seeded(id));
    let method = METHODS[usize::from(kind & 7)];
    let mut request = Builder::request(method, id);
    let (low, bit) = (kind >> 3, |n: u8| with & (1 << n) != 0);
    if method == M::ALLOCATE {
        let tcp = bit(0);
        request.requested_transport(if tcp { RelayTransport::Tcp } else { RelayTransport::Udp });
    }
    if bit(1) {
        request.peer_address(remote(low));
    }
    if bit(2) {
        request.lifetime(Duration::from_secs(u64::from(low) * 60));
    }
    if bit(3)
        && let Some(number) = ChannelNumber::new(0x4000 + u16::from(low & 3))
    {
        request.channel_number(number);
    }
    if bit(4) {
        request.even_port(low & 1 == 1);
    }
    if bit(5) {
        request.requested_address_family(if low & 1 == 1 { Family::V6 } else { Family::V4 });
    }
    if bit(6) {
        request.mobility_ticket(&[]);
    }
    if bit(7) {
        request.connection_id(u32::from(low));
    }
    request
}

fn remote(host: u8) -> Endpoint {
    Endpoint::new([203, 0, 113, host >> 1], 5060 + u16::from(host & 1))
}
