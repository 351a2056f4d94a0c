//! The whole phone, with an account of SIP and one of XMPP, and cores and peers that keep to no rule.

use std::convert::Infallible;
use std::time::Duration;

use machine::{
    Checked, CloseReason, ConnectionBinding, Endpoint, Entropy, FailKind, Icmp, Id, Input,
    Interface, InterfaceAddress, InterfaceKind, Machine, Output, ResolveError, Transport,
};
use phone::{Account, Address, CallId, Config, Phone, Server, Source};
use sip::{Message, Method, Request, name};
use stun::{Builder, Key};

use super::ops::{Ops, at, status};

mod core;

use core::Core;

/// The bytes that a connection takes at once.
const ROOM: usize = 1 << 20;

/// The password that the peer's descriptions tell for ICE.
const ICE_PWD: &str = "0123456789012345678901";

/// Takes `bytes` as operations: datagrams, responses of any status, requests inside and outside
/// dialogs, stanzas of Jingle from friends and strangers, answers to STUN, what the owner does, time. The laws of the shape hold throughout.
pub fn run(bytes: &[u8]) {
    let mut ops = Ops(bytes);
    let mut world = World::new();
    while let Some(op) = ops.byte() {
        if world.step(op, &mut ops).is_none() {
            break;
        }
    }
    world.verb(|phone, now| phone.stop(now));
    world.pass(Duration::from_secs(10));
}

struct World {
    phone: Checked<Phone>,
    elapsed: Duration,
    sockets: Vec<(Id, Endpoint)>,
    branches: u64,
    /// The phone's last request, to be answered.
    request: Option<(Id, Request)>,
    /// Call-ID, and From and To as the other side writes them, of the last dialog.
    dialog: Option<[String; 3]>,
    /// The phone's STUN requests, to be answered.
    stun: Vec<(Id, Endpoint, Vec<u8>)>,
    core: Core,
}

type Outputs = Vec<(Output<phone::Event, Infallible>, Vec<u8>)>;

impl World {
    fn new() -> Self {
        let address: Address = "sip:alice@example.org".parse().expect("an address");
        let account = Account {
            server: Some(Server { host: "198.51.100.10".to_owned(), port: None }),
            transport: Some(Transport::Udp),
            ..Account::new(address, "swordfish".into())
        };
        let address: Address = "xmpp:alice@example.org".parse().expect("an address");
        let xmpp = Account {
            server: Some(Server { host: "198.51.100.10".to_owned(), port: None }),
            transport: Some(Transport::Tls),
            resource: Some("phone".to_owned()),
            ..Account::new(address, "swordfish".into())
        };
        let config = Config { accounts: vec![account, xmpp], ..Config::default() };
        let mut world = Self {
            phone: Checked::new(Phone::new(config, Entropy::seeded(1))),
            elapsed: Duration::ZERO,
            sockets: Vec::new(),
            branches: 0,
            request: None,
            dialog: None,
            stun: Vec::new(),
            core: Core::default(),
        };
        world.interfaces(10);
        world.verb(Phone::register);
        assert!(world.core.bound, "the account of XMPP is logged in");
        world
    }

    /// Does one operation; nothing when the bytes for it ran out.
    fn step(&mut self, op: u8, ops: &mut Ops<'_>) -> Option<()> {
        match op {
            0 => {
                let (which, from, bytes) = (ops.byte()?, ops.byte()?, ops.chunk()?);
                if let Some(&(socket, _)) = self.socket(which) {
                    self.datagram(socket, remote(from), bytes);
                }
            }
            1 => self.respond(ops.byte()?, ops.chunk()?),
            2 => self.ask(ops.byte()?, ops.chunk()?),
            3 => self.call(0, "sip:bob@example.org"),
            4 => self.decide(ops.byte()?),
            5 => self.pass(Duration::from_millis(u64::from(ops.byte()?) * 16)),
            6 => self.answer_stun(ops.byte()?, ops.byte()?),
            7 => self.interfaces(ops.byte()?),
            8 => self.verb(Phone::register),
            9 => {
                let (which, from) = (ops.byte()?, ops.byte()?);
                if let Some(&(socket, _)) = self.socket(which) {
                    let (remote, icmp) = (remote(from), Icmp::PortUnreachable);
                    self.input(Input::Unreachable { socket, remote, icmp });
                }
            }
            10 => {
                self.core.speak(ops.byte()?, ops.byte()?);
                self.settle();
            }
            11 => {
                self.core.say += &String::from_utf8_lossy(ops.chunk()?);
                self.settle();
            }
            12 => {
                let people = ["bob@example.org", "bob@example.org/b", "alice@example.org"];
                let to = people[usize::from(ops.byte()?) % people.len()];
                self.call(1, &format!("xmpp:{to}"));
            }
            13 => {
                self.core.answer(ops.byte()?);
                self.settle();
            }
            14 => {
                if let Some(conn) = self.core.conn.take() {
                    self.input(Input::Closed { conn, reason: CloseReason::Reset });
                }
            }
            _ => {}
        }
        Some(())
    }

    fn call(&mut self, account: usize, to: &str) {
        let (to, source) = (to.parse().expect("an address"), Source::looped(vec![1; 8]));
        self.verb(|phone, now| {
            let _ = phone.call(now, account, &to, source.clone());
        });
    }

    fn socket(&self, which: u8) -> Option<&(Id, Endpoint)> {
        self.sockets.get(usize::from(which) % self.sockets.len().max(1))
    }

    /// What the owner does with a call.
    fn decide(&mut self, choice: u8) {
        let calls: Vec<CallId> = self.phone.get().calls().collect();
        let Some(&call) = calls.get(usize::from(choice >> 3) % calls.len().max(1)) else { return };
        self.verb(|phone, now| match choice & 7 {
            0 | 1 => phone.answer(now, call, Source::silence()),
            2 => phone.hang_up(now, call),
            3 => phone.reject(now, call, true),
            4 => phone.hold(now, call, true),
            5 => phone.hold(now, call, false),
            _ => {}
        });
    }

    /// A response of any status to the phone's last request, with a body if there is one.
    fn respond(&mut self, code: u8, body: &[u8]) {
        let Some((socket, request)) = self.request.clone() else { return };
        let status = status(code);
        let mut response = request.response(status);
        response.set_to_tag("theirs");
        match (request.method.clone(), status.code()) {
            (_, 401 | 407) => {
                let challenge = "Digest realm=\"example.org\", nonce=\"n\", qop=\"auth\"";
                response.headers.push(name::PROXY_AUTHENTICATE, challenge);
                response.headers.push(name::WWW_AUTHENTICATE, challenge);
            }
            (Method::Register, _) => {
                response.headers.copy_from(&request.headers, name::CONTACT);
            }
            (Method::Invite, _) => self.remember(&response.headers, true),
            _ => {}
        }
        if request.method != Method::Register {
            response.headers.push(name::CONTACT, "<sip:bob@203.0.113.4:5060>");
        }
        if !body.is_empty() {
            response = response.with_body("application/sdp", body);
        }
        self.datagram(socket, core(), &response.to_bytes());
    }

    /// Notes the dialog that a message made, written as the other side will write it.
    fn remember(&mut self, headers: &sip::Headers, ours: bool) {
        let text = |field| headers.first(field).unwrap_or_default().to_owned();
        let (from, to) = (text(name::FROM), text(name::TO));
        let (from, to) = if ours { (to, from) } else { (from, to) };
        self.dialog = Some([text(name::CALL_ID), from, to]);
    }

    /// A request from the core; the flags say whether it is for the phone's contact and whether it is
    /// part of the last dialog.
    fn ask(&mut self, flags: u8, bytes: &[u8]) {
        let Some(&(socket, _)) = self.sockets.first() else { return };
        let Ok(Message::Request(mut request)) = Message::parse(bytes) else {
            self.datagram(socket, core(), bytes);
            return;
        };
        // A CANCEL has the branch of what it cancels.
        self.branches += u64::from(request.method != Method::Cancel);
        request.headers.remove_first(name::VIA);
        let via = format!("SIP/2.0/UDP {};branch=z9hG4bK{}", core(), self.branches);
        request.headers.push_front(name::VIA, via);
        let contact = self.request.as_ref().and_then(|(_, r)| r.contact().ok());
        if flags & 1 == 0
            && let Some(contact) = contact
        {
            request.uri = contact.0.uri;
        }
        if flags & 2 != 0
            && let Some([call_id, from, to]) = &self.dialog
        {
            request.headers.set(name::CALL_ID, call_id);
            request.headers.set(name::FROM, from);
            request.headers.set(name::TO, to);
        }
        self.datagram(socket, core(), &request.to_bytes());
    }

    /// An answer to a STUN request of the phone's: what a server says, or what the peer says who
    /// knows the password.
    fn answer_stun(&mut self, which: u8, seen: u8) {
        if self.stun.is_empty() {
            return;
        }
        let (socket, to, bytes) = self.stun.remove(usize::from(which) % self.stun.len());
        let request = stun::Message::parse(&bytes).expect("what is sent is read");
        let mut answer = Builder::success(&request);
        answer.xor_mapped_address(remote(seen));
        if request.integrity().is_some() {
            answer.integrity(&Key::short_term(ICE_PWD));
        }
        self.datagram(socket, to, &answer.fingerprint().finish());
    }

    fn interfaces(&mut self, host: u8) {
        let ip = [192, 168, 1, host].into();
        let addresses =
            vec![InterfaceAddress { ip, prefix_len: 24, temporary: false, deprecated: false }];
        let (name, kind) = ("eth0".to_owned(), InterfaceKind::Physical);
        self.input(Input::Interfaces(vec![Interface {
            index: 1,
            name,
            kind,
            addresses,
            routers: Vec::new(),
        }]));
    }

    fn datagram(&mut self, socket: Id, remote: Endpoint, bytes: &[u8]) {
        let local = self.sockets.iter().find(|(id, _)| *id == socket).map(|(_, local)| *local);
        let Some(local) = local else { return };
        let (ecn, segment_size) = (None, None);
        self.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
    }

    /// Lets time pass from deadline to deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        while let Some(next) = self.phone.poll_timeout()
            && next <= at(end).mono
        {
            self.elapsed = self.elapsed.max(Duration::from_nanos(next.as_nanos()));
            self.phone.handle_timeout(at(self.elapsed));
            self.settle();
        }
        self.elapsed = end;
    }

    fn input(&mut self, input: Input<'_, ()>) {
        self.phone.handle_input(at(self.elapsed), input);
        self.settle();
    }

    fn verb(&mut self, mut verb: impl FnMut(&mut Phone, machine::Now)) {
        self.phone.verb(at(self.elapsed), |phone, now| verb(phone, now));
        self.settle();
    }

    /// Does what the phone wants done, until it wants no more.
    fn settle(&mut self) {
        let mut todo = self.drain();
        let mut rounds = 0;
        while !todo.is_empty() || self.core.conn.is_some() && !self.core.say.is_empty() {
            rounds += 1;
            assert!(rounds < 1000, "it comes to rest");
            for (output, payload) in std::mem::take(&mut todo) {
                if let Some(input) = self.obey(output, &payload) {
                    self.phone.handle_input(at(self.elapsed), input);
                    todo.extend(self.drain());
                }
            }
            let said = std::mem::take(&mut self.core.say);
            if let Some(conn) = self.core.conn.filter(|_| !said.is_empty()) {
                let bytes = said.as_bytes();
                self.phone.handle_input(at(self.elapsed), Input::Data { conn, bytes });
                todo.extend(self.drain());
            }
        }
    }

    fn drain(&mut self) -> Outputs {
        let (mut outputs, mut buf) = (Vec::new(), Vec::new());
        while let Some(output) = self.phone.poll_output(&mut buf) {
            outputs.push((output, std::mem::take(&mut buf)));
        }
        outputs
    }

    fn obey(
        &mut self,
        output: Output<phone::Event, Infallible>,
        payload: &[u8],
    ) -> Option<Input<'static, ()>> {
        match output {
            Output::Bind { id, local, .. } => {
                let ip =
                    if local.ip().is_unspecified() { [192, 168, 1, 10].into() } else { local.ip() };
                let port =
                    if local.port() == 0 { 40_000 + id.as_u64() as u16 } else { local.port() };
                let local = Endpoint::new(ip, port);
                self.sockets.push((id, local));
                Some(Input::Bound { id, local })
            }
            Output::Connect { id, remote, .. } if id.namespace() == core::NAMESPACE => {
                self.core.connected(id);
                let local = Endpoint::new([192, 168, 1, 10], 50_000);
                Some(Input::Connected { conn: id, local, remote, room: ROOM })
            }
            Output::StartTls { conn, .. } => {
                let binding = ConnectionBinding { exporter: None, server_end_point: None };
                let (peer_certs, alpn) = (Vec::new(), None);
                Some(Input::Secured { conn, peer_certs, alpn, binding, room: ROOM })
            }
            Output::Write { conn } if Some(conn) == self.core.conn => {
                self.core.read(std::str::from_utf8(payload).expect("XML is text"));
                Some(Input::Writable { conn, room: ROOM })
            }
            Output::Connect { id, .. } => Some(Input::Failed { id, kind: FailKind::Refused }),
            Output::Resolve { id, .. } => {
                Some(Input::Resolved { id, records: Err(ResolveError::NoSuchName) })
            }
            Output::Close { id } => {
                self.core.conn = self.core.conn.filter(|conn| *conn != id);
                self.sockets.retain(|(other, _)| *other != id);
                None
            }
            Output::Datagram { socket, remote, .. } => {
                self.read(socket, remote, payload);
                None
            }
            _ => None,
        }
    }

    /// What goes out is readable, and kept to be answered.
    fn read(&mut self, socket: Id, remote: Endpoint, payload: &[u8]) {
        match payload {
            [0..4, ..] => {
                let message = stun::Message::parse(payload).expect("what is sent is read");
                if message.class() == stun::Class::Request && self.stun.len() < 64 {
                    self.stun.push((socket, remote, payload.to_vec()));
                }
            }
            [128..192, ..] | [b'\r' | b'\n', ..] => {}
            _ => match Message::parse(payload).expect("what is sent is read") {
                Message::Request(request) if request.method != Method::Ack => {
                    self.request = Some((socket, request));
                }
                Message::Response(response) if response.cseq().is_ok_and(|c| is_invite(&c)) => {
                    self.remember(&response.headers, false);
                }
                _ => {}
            },
        }
    }
}

fn is_invite(cseq: &sip::CSeq) -> bool {
    cseq.method == Method::Invite
}

fn core() -> Endpoint {
    Endpoint::new([198, 51, 100, 10], 5060)
}

fn remote(host: u8) -> Endpoint {
    if host == 0 {
        core()
    } else {
        Endpoint::new([203, 0, 113, host >> 1], 4000 + u16::from(host & 1))
    }
}
