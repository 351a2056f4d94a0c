//! The TURN server and clients that know their passwords, against a small model of who may send to
//! whom.
//!
//! The model has no wire, no keys and no timers: four maps and the rules of RFC 8656. After every
//! operation the server must have answered with the code that the model says, and every packet must
//! have gone where the model says, in the form that it says, or nowhere. A replica of the server's
//! table, as data planes have it, is told the same changes, and must forward as the model says or
//! leave the packet to the server.

use std::collections::BTreeMap;
use std::time::Duration;

use machine::{
    Checked, CloseReason, Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output,
    Transport,
};
use relay::{Client, Forward, HEADROOM_LEN, Packet, Table};
use stun::{AttributeType, Builder, Class, Key, Message, Method, PasswordAlgorithm, TransactionId};
use turn::server::{Answer, Config, Event, Keys, Listener, Question, Server, User};
use turn::{ChannelData, RelayTransport, TurnBuilder, TurnMessage};

const REALM: &str = "example.org";
const CLIENTS: usize = 3;
/// The client that comes over TCP.
const OVER_TCP: usize = 2;
/// The client that asks for mobility, and moves.
const MOBILE: usize = 1;
const CORE: [u8; 4] = [192, 0, 2, 1];

/// Takes `bytes` as operations.
pub fn run(bytes: &[u8]) {
    let mut world = World::new();
    let mut ops = bytes.iter().copied();
    while world.step(&mut ops).is_some() {}
    // Whatever happened, in the end nothing is left.
    world.pass(Duration::from_secs(4000));
    let stats = world.server.get().stats();
    assert_eq!(stats.allocations, 0, "every allocation ends");
    assert_eq!(world.sockets.len(), 1, "and its socket is closed");
    assert_eq!((stats.connections, world.server.poll_timeout()), (0, None));
}

/// What a client has, as the model sees it.
#[derive(Debug)]
struct Allocation {
    relayed: Endpoint,
    until: Duration,
    permissions: BTreeMap<std::net::IpAddr, Duration>,
    channels: BTreeMap<u16, (Endpoint, Duration)>,
}

impl Allocation {
    fn permits(&self, peer: Endpoint, now: Duration) -> bool {
        self.permissions.get(&peer.ip()).is_some_and(|until| *until > now)
    }

    fn channel_to(&self, peer: Endpoint, now: Duration) -> Option<u16> {
        let live = |(_, (to, until)): &(_, &(Endpoint, Duration))| *to == peer && *until > now;
        self.channels.iter().find(live).map(|(number, _)| *number)
    }
}

/// Something that arrived somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Arrived {
    AtPeer { peer: Endpoint, from: Endpoint, data: Vec<u8> },
    AtClient { client: usize, from: Endpoint, data: Vec<u8>, channel: Option<u16> },
}

struct World {
    server: Checked<Server>,
    elapsed: Duration,
    listener: Endpoint,
    udp: Option<Id>,
    tcp: Option<Id>,
    conn: Option<Id>,
    accepted: u64,
    sockets: BTreeMap<Id, Endpoint>,
    nonces: [Vec<u8>; CLIENTS],
    transactions: u64,
    payloads: u8,
    arrived: Vec<Arrived>,
    replies: Vec<Vec<u8>>,
    model: [Option<Allocation>; CLIENTS],
    replica: Table,
    /// Where the mobile client is.
    place: Endpoint,
    /// Where it has said that it moves to, and until when it has to confirm it.
    moving: Option<(Endpoint, Duration)>,
    places: u8,
    ticket: Vec<u8>,
    /// What the replica does with the packet that the server was given.
    forward: Option<(Forward, Vec<u8>)>,
}

impl World {
    fn new() -> Self {
        let listener = Endpoint::new(CORE, 3478);
        let mut config = Config::new(REALM, [CORE.into()]);
        config.listeners = [Transport::Udp, Transport::Tcp]
            .map(|transport| Listener { transport, local: listener })
            .to_vec();
        let server = || Server::new(config.clone(), Ids::new(3), &Entropy::seeded(1));
        let mut world = Self {
            server: Checked::with_twin(server(), server()),
            elapsed: Duration::from_secs(1),
            listener,
            udp: None,
            tcp: None,
            conn: None,
            accepted: 0,
            sockets: BTreeMap::new(),
            nonces: Default::default(),
            transactions: 0,
            payloads: 0,
            arrived: Vec::new(),
            replies: Vec::new(),
            model: Default::default(),
            replica: Table::replica(&mut Entropy::seeded(2)),
            place: address(MOBILE),
            moving: None,
            places: 0,
            ticket: Vec::new(),
            forward: None,
        };
        world.settle();
        world
    }

    fn now(&self) -> Now {
        Now { mono: Instant::ORIGIN + self.elapsed, unix: self.elapsed }
    }

    /// Does one operation; nothing when the bytes for it ran out.
    fn step(&mut self, ops: &mut impl Iterator<Item = u8>) -> Option<()> {
        let op = ops.next()?;
        let (client, what) = (usize::from(ops.next()?) % CLIENTS, ops.next()?);
        match op % 11 {
            0 => self.allocate(client, what),
            1 => self.refresh(client, what),
            2 => self.permit(client, what),
            3 => self.bind(client, what, ops.next()?),
            4 | 5 => self.send(client, what, op % 2 == 0),
            6 => self.send_on_channel(client, what),
            7 => self.peer_sends(client, what),
            8 => self.pass(Duration::from_secs(u64::from(what) * 4)),
            9 => self.disturb(client, what, ops),
            _ => self.move_on(what),
        }
        assert!(self.replies.is_empty(), "nobody is answered twice");
        Some(())
    }

    /// A peer: of two strangers with two ports each, a private one, our listener, or the relayed
    /// address of a client.
    fn peer(&self, which: u8) -> Endpoint {
        match which % 9 {
            n @ 0..=3 => Endpoint::new([203, 0, 113, 5 + n / 2], 9 + u16::from(n % 2)),
            4 => Endpoint::new([10, 0, 0, 1], 9),
            5 => self.listener,
            n => {
                let relayed = self.model[usize::from(n - 6)].as_ref().map(|a| a.relayed);
                relayed.unwrap_or(Endpoint::new(CORE, 50_000))
            }
        }
    }

    fn live(&self, client: usize) -> Option<&Allocation> {
        self.model[client].as_ref().filter(|allocation| allocation.until > self.elapsed)
    }

    fn allocate(&mut self, client: usize, secs: u8) {
        let secs = u64::from(secs) * 16;
        let expected = if self.live(client).is_some() { 437 } else { 200 };
        let reply = self.ask(client, Method::ALLOCATE, |request| {
            request.requested_transport(RelayTransport::Udp).lifetime(Duration::from_secs(secs));
            if client == MOBILE {
                request.mobility_ticket(&[]);
            }
        });
        assert_eq!(code(&reply), expected);
        if expected == 200 {
            let message = Message::parse(&reply).expect("a success");
            let relayed = message.relayed_addresses().next().expect("a relayed address");
            let until = self.elapsed + Duration::from_secs(secs.clamp(600, 3600));
            let (permissions, channels) = (BTreeMap::new(), BTreeMap::new());
            if client == MOBILE {
                self.ticket = message.mobility_ticket().expect("a ticket").to_vec();
            }
            self.model[client] = Some(Allocation { relayed, until, permissions, channels });
        }
    }

    fn refresh(&mut self, client: usize, secs: u8) {
        let secs = u64::from(secs) * 16;
        let expected = if self.live(client).is_some() { 200 } else { 437 };
        let reply = self.ask(client, Method::REFRESH, |request| {
            request.lifetime(Duration::from_secs(secs));
        });
        assert_eq!(code(&reply), expected);
        let until = self.elapsed + Duration::from_secs(secs.clamp(600, 3600));
        match &mut self.model[client] {
            place if secs == 0 => {
                *place = None;
                self.moving.take_if(|_| client == MOBILE);
            }
            Some(allocation) if expected == 200 => allocation.until = until,
            _ => {}
        }
    }

    /// The mobile client comes back elsewhere, or confirms that it has.
    fn move_on(&mut self, what: u8) {
        if let Some((place, _)) = self.moving.take() {
            self.place = place;
            return match what % 2 {
                0 => self.send(MOBILE, what, false),
                _ => self.permit(MOBILE, what),
            };
        }
        if self.live(MOBILE).is_none() {
            return;
        }
        self.places = (self.places + 1) % 100;
        let place = Endpoint::new([198, 51, 100, 100 + self.places], 4000);
        let ticket = self.ticket.clone();
        self.moving = Some((place, self.elapsed + Duration::from_secs(30)));
        let reply = self.ask_from(MOBILE, place, Method::REFRESH, |request| {
            request.mobility_ticket(&ticket);
        });
        assert_eq!(code(&reply), 200);
        let message = Message::parse(&reply).expect("a success");
        self.ticket = message.mobility_ticket().expect("a new ticket").to_vec();
        if let Some(allocation) = &mut self.model[MOBILE] {
            allocation.until = self.elapsed + Duration::from_secs(600);
        }
    }

    /// Where a client is.
    fn place(&self, client: usize) -> Endpoint {
        if client == MOBILE { self.place } else { address(client) }
    }

    /// Permissions for the peers of a mask.
    fn permit(&mut self, client: usize, mask: u8) {
        let peers: Vec<Endpoint> =
            (0..8).filter(|n| mask >> n & 1 == 1).map(|n| self.peer(n)).collect();
        let expected = match self.live(client) {
            None => 437,
            Some(_) if peers.iter().any(|peer| peer.ip().to_string() == "10.0.0.1") => 403,
            Some(_) if peers.is_empty() => 400,
            Some(_) => 200,
        };
        let reply = self.ask(client, Method::CREATE_PERMISSION, |request| {
            for peer in &peers {
                request.peer_address(*peer);
            }
        });
        assert_eq!(code(&reply), expected);
        let until = self.elapsed + Duration::from_secs(300);
        if let Some(allocation) = self.model[client].as_mut().filter(|_| expected == 200) {
            allocation.permissions.extend(peers.iter().map(|peer| (peer.ip(), until)));
        }
    }

    fn bind(&mut self, client: usize, number: u8, peer: u8) {
        let (number, peer, now) = (0x4000 + u16::from(number % 4), self.peer(peer), self.elapsed);
        let resting = |until: Duration| until + Duration::from_secs(300) > now;
        let expected = match self.live(client) {
            None => 437,
            Some(allocation) => {
                let conflict = allocation.channels.iter().any(|(other, (to, until))| {
                    resting(*until) && (*other == number) != (*to == peer)
                });
                match conflict {
                    true => 400,
                    false if peer.ip().to_string() == "10.0.0.1" => 403,
                    false => 200,
                }
            }
        };
        let reply = self.ask(client, Method::CHANNEL_BIND, |request| {
            let value = [number.to_be_bytes(), [0; 2]].concat();
            request.attribute(AttributeType::CHANNEL_NUMBER, &value).peer_address(peer);
        });
        assert_eq!(code(&reply), expected);
        if let Some(allocation) = self.model[client].as_mut().filter(|_| expected == 200) {
            allocation.permissions.insert(peer.ip(), now + Duration::from_secs(300));
            allocation.channels.retain(|_, (_, until)| resting(*until));
            allocation.channels.insert(number, (peer, now + Duration::from_secs(600)));
        }
    }

    /// What the model says of data from a client to a peer.
    fn to_peer(&self, client: usize, peer: Endpoint, data: &[u8]) -> Option<Arrived> {
        let (now, data) = (self.elapsed, data.to_vec());
        let sender = self.live(client).filter(|sender| sender.permits(peer, now))?;
        let from = sender.relayed;
        let behind = |n: &usize| self.live(*n).is_some_and(|other| other.relayed == peer);
        match (0..CLIENTS).find(behind) {
            Some(client) => self.to_client(client, from, data),
            None if peer.ip() == self.listener.ip() => None,
            None => Some(Arrived::AtPeer { peer, from, data }),
        }
    }

    /// What the model says of data from a peer to a client.
    fn to_client(&self, client: usize, from: Endpoint, data: Vec<u8>) -> Option<Arrived> {
        let receiver = self.live(client).filter(|to| to.permits(from, self.elapsed))?;
        let channel = receiver.channel_to(from, self.elapsed);
        Some(Arrived::AtClient { client, from, data, channel })
    }

    fn payload(&mut self) -> Vec<u8> {
        self.payloads = self.payloads.wrapping_add(1);
        vec![self.payloads; usize::from(self.payloads % 7)]
    }

    fn send(&mut self, client: usize, peer: u8, dont_fragment: bool) {
        let (peer, data) = (self.peer(peer), self.payload());
        let expected = self.to_peer(client, peer, &data);
        let mut indication = Builder::indication(Method::SEND, TransactionId([7; 12]));
        indication.peer_address(peer).data(&data);
        if dont_fragment {
            indication.dont_fragment();
        }
        self.give(client, &indication.finish());
        self.expect(expected);
    }

    fn send_on_channel(&mut self, client: usize, number: u8) {
        let (number, data) = (0x4000 + u16::from(number % 4), self.payload());
        let channel = self.live(client).and_then(|allocation| allocation.channels.get(&number));
        let peer = channel.filter(|(_, until)| *until > self.elapsed).map(|(peer, _)| *peer);
        let expected = peer.and_then(|peer| self.to_peer(client, peer, &data));
        let mut bytes = Vec::new();
        let number = turn::ChannelNumber::new(number).expect("a number of a channel");
        ChannelData { number, data: &data }.write(client == OVER_TCP, &mut bytes);
        self.give(client, &bytes);
        self.expect(expected);
    }

    /// A peer sends to the relayed address of a client.
    fn peer_sends(&mut self, client: usize, peer: u8) {
        let (remote, bytes) = (self.peer(peer % 4), self.payload());
        let Some(local) = self.model[client].as_ref().map(|allocation| allocation.relayed) else {
            return;
        };
        let Some((&socket, _)) = self.sockets.iter().find(|(_, at)| **at == local) else { return };
        let expected = self.to_client(client, remote, bytes.clone());
        let (ecn, segment_size, bytes) = (None, None, &bytes[..]);
        let now = self.now().mono;
        self.replicate(bytes, |table, packet| table.from_peer(now, socket, remote, packet));
        self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
        self.expect(expected);
    }

    /// Bytes of no meaning, from a client or a stranger; or the end of the connection.
    fn disturb(&mut self, client: usize, what: u8, ops: &mut impl Iterator<Item = u8>) {
        if client == OVER_TCP {
            if let Some(conn) = self.conn.take() {
                self.input(Input::Closed { conn, reason: CloseReason::Peer });
            }
            self.model[OVER_TCP] = None;
            return;
        }
        let bytes: Vec<u8> = ops.take(usize::from(what) % 48).collect();
        self.give(client, &bytes);
        // A request is refused, a Binding request answered, and by chance it was good data.
        self.replies.clear();
        let arrived = std::mem::take(&mut self.arrived);
        self.compare(&arrived);
    }

    fn expect(&mut self, expected: Option<Arrived>) {
        let arrived = std::mem::take(&mut self.arrived);
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(arrived, expected, "{:?}", self.model);
        self.compare(&expected);
    }

    /// Has the replica decide on a packet.
    fn replicate(
        &mut self,
        bytes: &[u8],
        decide: impl FnOnce(&mut Table, &mut Packet<'_>) -> Forward,
    ) {
        let mut buf = [&[0; HEADROOM_LEN], bytes, &[0; 4]].concat();
        let mut packet = Packet::new(&mut buf, HEADROOM_LEN, HEADROOM_LEN + bytes.len());
        let forward = decide(&mut self.replica, &mut packet);
        self.forward = Some((forward, packet.bytes().to_vec()));
    }

    /// The replica did the same as the server, or left it to the server.
    fn compare(&mut self, expected: &[Arrived]) {
        match self.forward.take() {
            Some((Forward::Send { socket, remote, .. }, bytes)) => {
                self.datagram_arrives(socket, remote, &bytes);
                assert_eq!(std::mem::take(&mut self.arrived), expected, "the replica forwards");
            }
            Some((Forward::Drop(cause), _)) => {
                assert_eq!(expected, [], "the replica drops it: {cause:?}");
            }
            Some((Forward::Write { .. }, _)) => panic!("a replica has no connections"),
            Some((Forward::Control | Forward::Split, _)) | None => {}
        }
    }

    /// Asks as a client does: with its nonce, and again with a new one if that is stale.
    fn ask(&mut self, client: usize, method: Method, add: impl Fn(&mut Builder)) -> Vec<u8> {
        self.ask_from(client, self.place(client), method, add)
    }

    fn ask_from(
        &mut self,
        client: usize,
        place: Endpoint,
        method: Method,
        add: impl Fn(&mut Builder),
    ) -> Vec<u8> {
        for _ in 0..3 {
            self.transactions += 1;
            let mut id = [0; 12];
            id[4..].copy_from_slice(&self.transactions.to_be_bytes());
            let mut request = Builder::request(method, TransactionId(id));
            add(&mut request);
            let user = user(client);
            request.username(user).realm(REALM).nonce(&self.nonces[client]);
            let algorithm = PasswordAlgorithm::Md5;
            let key = Key::long_term(algorithm, user, REALM, b"swordfish").expect("MD5 is known");
            request.integrity(&key);
            self.give_from(client, place, &request.finish());
            let reply = self.replies.pop().expect("a request is answered");
            self.forward = None;
            if code(&reply) != 438 {
                return reply;
            }
            let message = Message::parse(&reply).expect("a challenge");
            self.nonces[client] = message.nonce().expect("with a nonce").to_vec();
        }
        panic!("a nonce that was just given is good");
    }

    /// Gives bytes of a client's to the server.
    fn give(&mut self, client: usize, bytes: &[u8]) {
        self.give_from(client, self.place(client), bytes);
    }

    fn give_from(&mut self, client: usize, remote: Endpoint, bytes: &[u8]) {
        if client == OVER_TCP {
            let conn = self.connect();
            return self.input(Input::Data { conn, bytes });
        }
        let Some(socket) = self.udp else { return };
        let local = self.listener;
        let (ecn, segment_size, now) = (None, None, self.now().mono);
        let from = Client::Datagram { socket, local: local.ip(), remote };
        self.replicate(bytes, |table, packet| table.from_client(now, from, packet));
        self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
    }

    fn connect(&mut self) -> Id {
        if let Some(conn) = self.conn {
            return conn;
        }
        let listener = self.tcp.expect("it listens");
        self.accepted += 1;
        let conn = Id::accepted(listener, self.accepted);
        self.conn = Some(conn);
        let (local, remote, room) = (self.listener, address(OVER_TCP), 1 << 30);
        self.input(Input::Accepted { listener, conn, local, remote, room });
        conn
    }

    fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(next) = self.server.poll_timeout()
            && next <= Instant::ORIGIN + end
        {
            self.elapsed = self.elapsed.max(Duration::from_nanos(next.as_nanos()));
            self.server.handle_timeout(self.now());
            self.settle();
        }
        self.elapsed = end;
        for allocation in &mut self.model {
            allocation.take_if(|allocation| allocation.until <= end);
        }
        let there = self.model[MOBILE].is_some();
        self.moving.take_if(|(_, until)| *until <= end || !there);
    }

    fn input(&mut self, input: Input<'_, Answer>) {
        self.server.handle_input(self.now(), input);
        self.settle();
    }

    fn settle(&mut self) {
        let mut buf = Vec::new();
        let mut todo = Vec::new();
        loop {
            while let Some(output) = self.server.poll_output(&mut buf) {
                let bytes = std::mem::take(&mut buf);
                todo.extend(self.obey(output, &bytes));
            }
            if todo.is_empty() {
                return;
            }
            self.server.handle_input(self.now(), todo.remove(0));
        }
    }

    fn obey(
        &mut self,
        output: Output<Event, Question>,
        bytes: &[u8],
    ) -> Option<Input<'static, Answer>> {
        match output {
            Output::Bind { id, kind, local, .. } => {
                match (kind.is_udp(), self.udp) {
                    (false, _) => self.tcp = Some(id),
                    (true, None) => {
                        self.udp = Some(id);
                        self.sockets.insert(id, local);
                    }
                    (true, Some(_)) => {
                        self.sockets.insert(id, local);
                    }
                }
                Some(Input::Bound { id, local })
            }
            Output::Ask { id, question } => Some(Input::Answer { id, answer: know(&question) }),
            Output::Datagram { socket, remote, .. } => {
                self.datagram_arrives(socket, remote, bytes);
                None
            }
            Output::Event(Event::Relay(change)) => {
                self.replica.apply(change);
                None
            }
            Output::Write { .. } => {
                self.arrive(OVER_TCP, bytes);
                None
            }
            Output::Close { id } => {
                self.sockets.remove(&id);
                self.conn.take_if(|conn| *conn == id);
                None
            }
            _ => None,
        }
    }

    fn datagram_arrives(&mut self, socket: Id, remote: Endpoint, bytes: &[u8]) {
        let from = self.sockets[&socket];
        if self.moving.is_some_and(|(place, _)| place == remote) {
            let message = Message::parse(bytes).expect("what is sent is read");
            assert!(message.class().is_response(), "data goes where the client is");
            return self.replies.push(bytes.to_vec());
        }
        match (0..OVER_TCP).find(|client| self.place(*client) == remote) {
            Some(client) if from == self.listener => self.arrive(client, bytes),
            _ => {
                let data = bytes.to_vec();
                self.arrived.push(Arrived::AtPeer { peer: remote, from, data });
            }
        }
    }

    /// Something arrived at a client.
    fn arrive(&mut self, client: usize, bytes: &[u8]) {
        if let Some(packet) = ChannelData::parse(bytes) {
            assert!(client != OVER_TCP || bytes.len().is_multiple_of(4), "streams are padded");
            let number = packet.number.value();
            let allocation = self.model[client].as_ref().expect("a channel has an allocation");
            let (from, channel) = (allocation.channels[&number].0, Some(number));
            let data = packet.data.to_vec();
            return self.arrived.push(Arrived::AtClient { client, from, data, channel });
        }
        let message = Message::parse(bytes).expect("what is sent is read");
        if message.class() != Class::Indication {
            return self.replies.push(bytes.to_vec());
        }
        let from = message.peer_address().expect("data has a peer");
        let data = message.data().expect("and data").to_vec();
        self.arrived.push(Arrived::AtClient { client, from, data, channel: None });
    }
}

fn user(client: usize) -> &'static str {
    ["alice", "bob", "carol"][client]
}

fn address(client: usize) -> Endpoint {
    Endpoint::new([198, 51, 100, client as u8], 4000)
}

fn know(question: &Question) -> Answer {
    match question {
        Question::Credentials { user: User::Name(name), realm } => {
            let known = (0..CLIENTS).any(|client| user(client) == name);
            Answer::Credentials(known.then(|| Keys::derive(name, realm, b"swordfish")))
        }
        Question::Credentials { user: User::Hash(_), .. } => Answer::Credentials(None),
    }
}

/// The code of an answer; 200 of a success.
fn code(reply: &[u8]) -> u16 {
    let message = Message::parse(reply).expect("an answer");
    match message.class() {
        Class::Success => 200,
        _ => message.error_code().expect("an error has a code").code,
    }
}
