//! What the TURN server keeps of its clients, in bytes counted by the allocator: nothing of who is
//! gone, nothing of who never proved an address, little of who is there. In virtual time.

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use machine::{Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Transport};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use stun::{Builder, Key, Message, Method, PasswordAlgorithm, TransactionId};
use turn::server::{Answer, Config, Event, Keys, Listener, Question, Server, User};
use turn::{ChannelNumber, RelayTransport, TurnBuilder};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test counts at a time.
static ALONE: Mutex<()> = Mutex::new(());

const REALM: &str = "example.org";
const CORE: [u8; 4] = [192, 0, 2, 1];
const PEER: [u8; 4] = [203, 0, 113, 5];

/// Bytes that are allocated now.
fn live_bytes() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}

struct World {
    server: Server,
    elapsed: Duration,
    listener: Option<Id>,
    key: Key,
    transactions: u64,
    buf: Vec<u8>,
    /// The last message that went to a client.
    last: Vec<u8>,
    relayed: BTreeMap<Id, Endpoint>,
}

impl World {
    fn new() -> Self {
        let mut config = Config::new(REALM, [CORE.into()]);
        let local = Endpoint::new(CORE, 3478);
        config.listeners = vec![Listener { transport: Transport::Udp, local }];
        config.limits.allocations_per_user = usize::MAX;
        let key = Key::long_term(PasswordAlgorithm::Md5, "alice", REALM, b"swordfish");
        let mut world = Self {
            server: Server::new(config, Ids::new(3), &Entropy::seeded(1)),
            elapsed: Duration::ZERO,
            listener: None,
            key: key.expect("MD5 is known"),
            transactions: 0,
            buf: Vec::with_capacity(1 << 16),
            last: Vec::with_capacity(1 << 16),
            relayed: BTreeMap::new(),
        };
        world.settle();
        world
    }

    fn now(&self) -> Now {
        Now { mono: Instant::ORIGIN + self.elapsed, unix: self.elapsed }
    }

    fn datagram(&mut self, remote: Endpoint, bytes: &[u8]) {
        let socket = self.listener.expect("it listens");
        let (local, ecn, segment_size) = (Endpoint::new(CORE, 3478), None, None);
        let input = Input::Datagram { socket, local, remote, ecn, segment_size, bytes };
        self.server.handle_input(self.now(), input);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            self.buf.clear();
            let Some(output) = self.server.poll_output(&mut self.buf) else { return };
            if let Some(input) = self.obey(output) {
                self.server.handle_input(self.now(), input);
            }
        }
    }

    fn obey(&mut self, output: Output<Event, Question>) -> Option<Input<'static, Answer>> {
        match output {
            Output::Bind { id, local, .. } => {
                if self.listener.is_none() {
                    self.listener = Some(id);
                } else {
                    self.relayed.insert(id, local);
                }
                Some(Input::Bound { id, local })
            }
            Output::Ask { id, question } => {
                let Question::Credentials { user, realm } = question;
                let known = user == User::Name("alice".to_owned());
                let keys = known.then(|| Keys::derive("alice", &realm, b"swordfish"));
                Some(Input::Answer { id, answer: Answer::Credentials(keys) })
            }
            Output::Datagram { .. } => {
                self.last.clear();
                self.last.extend_from_slice(&self.buf);
                None
            }
            Output::Close { id } => {
                self.relayed.remove(&id);
                None
            }
            _ => None,
        }
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
    }

    fn request(&mut self, method: Method) -> Builder {
        self.transactions += 1;
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.transactions.to_be_bytes());
        Builder::request(method, TransactionId(id))
    }

    fn ask(&mut self, remote: Endpoint, nonce: &[u8], mut request: Builder) {
        request.username("alice").realm(REALM).nonce(nonce).integrity(&self.key);
        self.datagram(remote, &request.finish());
        let answer = Message::parse(&self.last).expect("an answer");
        assert_eq!(answer.class(), stun::Class::Success, "{answer:?}");
    }

    /// A client that allocates, permits, binds a channel, sends and is never heard of again.
    fn visit(&mut self, remote: Endpoint) {
        let mut request = self.request(Method::ALLOCATE);
        request.requested_transport(RelayTransport::Udp);
        self.datagram(remote, &request.finish());
        let challenge = Message::parse(&self.last).expect("a challenge");
        let nonce = challenge.nonce().expect("with a nonce").to_vec();
        let mut request = self.request(Method::ALLOCATE);
        request.requested_transport(RelayTransport::Udp);
        self.ask(remote, &nonce, request);
        let mut request = self.request(Method::CREATE_PERMISSION);
        request.peer_address(Endpoint::new(PEER, 9));
        self.ask(remote, &nonce, request);
        let mut request = self.request(Method::CHANNEL_BIND);
        request.channel_number(ChannelNumber::FIRST).peer_address(Endpoint::new(PEER, 9));
        self.ask(remote, &nonce, request);
        self.datagram(remote, b"\x40\x00\x00\x05hello");
        assert_eq!(self.last, b"hello");
    }

    fn generation(&mut self, clients: u32) {
        for n in 0..clients {
            self.visit(Endpoint::new([198, 51, (n >> 8) as u8, n as u8], 4000));
        }
    }
}

#[test]
fn who_vanishes_leaves_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = World::new();
    let mut live = Vec::with_capacity(20);
    for _ in 0..20 {
        world.generation(100);
        world.pass(Duration::from_secs(1000));
        assert_eq!((world.server.allocations(), world.relayed.len()), (0, 0));
        live.push(live_bytes());
    }
    // The first generations find out how large the maps become; from then on nothing grows.
    let (third, last) = (live[2], live[19]);
    assert!(last <= third, "it grew from {third} to {last} bytes: {live:?}");
}

#[test]
fn who_proves_nothing_leaves_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = World::new();
    let mut request = Builder::request(Method::ALLOCATE, TransactionId([1; 12]));
    let bare = request.requested_transport(RelayTransport::Udp).finish();
    let mut request = Builder::request(Method::ALLOCATE, TransactionId([1; 12]));
    request.requested_transport(RelayTransport::Udp).username("alice").realm(REALM);
    let forged = request.nonce(b"obMatJos2AAAA").integrity(&world.key.clone()).finish();
    let binding = Builder::request(Method::BINDING, TransactionId([1; 12])).finish();
    let packets: [&[u8]; 4] = [&bare, &forged, &binding, b"\x40\x00\x00\x05hello"];
    let mut spoof = |packets_each: u32| {
        for n in 0..packets_each {
            let remote = Endpoint::new((0x0100_0000 + n * 251).to_be_bytes(), 4000);
            packets.iter().for_each(|bytes| world.datagram(remote, bytes));
        }
        live_bytes()
    };
    spoof(10);
    // The test's own harness may keep something in the meantime, but not in every window.
    let kept = [0; 4].map(|_| -spoof(0) + spoof(50_000));
    assert!(kept.contains(&0), "{kept:?} bytes kept of 200,000 packets each");
}

#[test]
fn who_is_there_takes_little() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = World::new();
    let before = live_bytes();
    world.generation(5000);
    assert_eq!(world.server.allocations(), 5000);
    world.pass(Duration::from_secs(60));
    // The test's own map of sockets takes some of it.
    let each = (live_bytes() - before) / 5000;
    println!("{each} bytes an allocation with a permission and a channel");
    assert!(each <= 22_000 / 4, "{each} bytes an allocation");
}
