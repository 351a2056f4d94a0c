//! A core, a store that answers it, phones, and a stranger who says what it is told.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use machine::journal::{Recorder, replay};
use machine::{
    BindKind, Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs, Transport,
};
use netsim::{Certificate, Happening, Link, NatSpec, NodeId, Preset, World};
use sip::ua::{self, Account, AccountId, UserAgent};
use wayleave_server as server;

use server::{Answer, Config, Keys, Memory, Question, SavedAddress, Server};

use crate::relay_client::RelayClient;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);
pub(crate) const CORE: &str = "198.51.100.10";
const CORE_V6: &str = "2001:db8::10";

type Sink = Box<dyn FnMut(&[u8])>;

/// What lives on the hosts.
#[expect(clippy::large_enum_variant, reason = "a handful of hosts")]
pub(crate) enum Node {
    Core(Recorder<Server, Sink>),
    Phone(Phone),
    Stranger(Stranger),
    Relayed(RelayClient),
    Chatter(xmpp::client::Client),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Core(server::Event),
    Phone(ua::Event),
    /// The stranger got this.
    Got(String),
    /// A client of the relay.
    Relayed(Box<turn::client::Event>),
    /// A client of XMPP.
    Chatter(Box<xmpp::client::Event>),
}

/// A user agent and the outputs that are its owner's: nothing but events.
pub(crate) struct Phone {
    pub(crate) agent: UserAgent,
    outputs: Outputs<Said, Question>,
    /// Whether it answers every call at once.
    pub(crate) answers: bool,
}

impl Phone {
    fn drain(&mut self, now: Now) {
        while let Some(event) = self.agent.poll_event() {
            if let ua::Event::Incoming { call, .. } = event
                && self.answers
            {
                self.agent.answer(now, call, ua::Body::sdp("answer"));
            }
            if let ua::Event::KeepaliveDue { flow, .. } = &event {
                // A Binding request by hand: the server answers with our address.
                let id = stun::TransactionId::random(&mut Entropy::seeded(now.mono.as_nanos()));
                let request = stun::Builder::request(stun::Method::BINDING, id).finish();
                self.outputs.datagram(flow.id, flow.remote, &request);
            }
            self.outputs.event(Said::Phone(event));
        }
    }
}

/// Sends what it is told and tells what it gets.
pub(crate) struct Stranger {
    ids: Ids,
    udp: Option<Id>,
    conn: Option<Id>,
    to_send: VecDeque<Vec<u8>>,
    outputs: Outputs<Said, Question>,
}

impl Stranger {
    fn new() -> Self {
        let mut ids = Ids::new(9);
        let mut outputs = Outputs::new();
        let id = ids.next_id();
        let (kind, local) = (BindKind::Udp, "0.0.0.0:5090".parse().unwrap());
        outputs.push(Output::Bind { id, kind, local, interface: None });
        Self { ids, udp: Some(id), conn: None, to_send: VecDeque::new(), outputs }
    }

    fn say(&mut self, remote: Endpoint, bytes: &[u8]) {
        self.outputs.datagram(self.udp.unwrap(), remote, bytes);
    }

    fn say_over_tcp(&mut self, remote: Endpoint, bytes: &[u8]) {
        let id = self.ids.next_id();
        self.to_send.push_back(bytes.to_vec());
        self.conn = Some(id);
        self.outputs.push(Output::Connect { id, local: None, remote });
    }

    fn input(&mut self, input: &Input<'_, Answer>) {
        match input {
            Input::Datagram { bytes, .. } | Input::Data { bytes, .. } => {
                self.outputs.event(Said::Got(String::from_utf8_lossy(bytes).into_owned()));
            }
            Input::Connected { conn, room, .. } | Input::Writable { conn, room } => {
                let Some(mut bytes) = self.to_send.pop_front() else { return };
                let rest = bytes.split_off((*room).min(bytes.len()));
                self.outputs.write(*conn, &bytes);
                if !rest.is_empty() {
                    self.to_send.push_front(rest);
                }
            }
            _ => {}
        }
    }
}

impl Machine for Node {
    type Event = Said;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match self {
            Self::Core(core) => core.handle_input(now, input),
            Self::Phone(phone) => {
                if let Input::Datagram { socket, local, remote, bytes, .. } = &input
                    && let Ok(message) = stun::Message::parse(bytes)
                {
                    let flow = sip::transport::Flow {
                        transport: Transport::Udp,
                        id: *socket,
                        local: *local,
                        remote: *remote,
                    };
                    if let Some(reflexive) = message.reflexive_address() {
                        phone.agent.keepalive_answered(now, flow, reflexive);
                    }
                } else {
                    phone.agent.handle_input(now, &input);
                }
                phone.drain(now);
            }
            Self::Stranger(stranger) => stranger.input(&input),
            Self::Relayed(client) => client.handle_input(now, input),
            Self::Chatter(client) => {
                if let Some(input) = input.map_answer(|_| None) {
                    client.handle_input(now, input);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Core(core) => core.handle_timeout(now),
            Self::Phone(phone) => {
                phone.agent.handle_timeout(now);
                phone.drain(now);
            }
            Self::Stranger(_) => {}
            Self::Relayed(client) => client.handle_timeout(now),
            Self::Chatter(client) => client.handle_timeout(now),
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Said, Question>> {
        match self {
            Self::Core(core) => core.poll_output(buf).map(|o| o.map(Said::Core, |q| q)),
            Self::Phone(phone) => match phone.agent.poll_output(buf) {
                Some(output) => Some(output.map(|e| match e {}, |q| match q {})),
                None => phone.outputs.poll(buf),
            },
            Self::Stranger(stranger) => stranger.outputs.poll(buf),
            Self::Relayed(client) => client.poll_output(buf),
            Self::Chatter(client) => {
                let output = client.poll_output(buf)?;
                Some(output.map(|e| Said::Chatter(Box::new(e)), |never| match never {}))
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Core(core) => core.poll_timeout(),
            Self::Phone(phone) => phone.agent.poll_timeout(),
            Self::Stranger(_) => None,
            Self::Relayed(client) => client.poll_timeout(),
            Self::Chatter(client) => client.poll_timeout(),
        }
    }
}

/// The whole arrangement.
pub(crate) struct Lab {
    pub(crate) world: World<Node>,
    pub(crate) core: NodeId,
    pub(crate) stranger: NodeId,
    internet: NodeId,
    config: Config,
    seed: u64,
    journal: Rc<RefCell<Vec<u8>>>,
    ipv6: bool,
    /// Passwords by user name; the domain is `example.org`.
    pub(crate) passwords: BTreeMap<String, String>,
    pub(crate) saved: BTreeMap<String, SavedAddress>,
    /// Whether the store keeps what it is told.
    pub(crate) store_works: bool,
    /// Whether the store tells keys.
    pub(crate) store_tells: bool,
    /// What the store never answers.
    pub(crate) is_mute: fn(&Question) -> bool,
    /// The NAT next to each phone, by user.
    pub(crate) nats: BTreeMap<String, NodeId>,
    pub(crate) said: VecDeque<(NodeId, Said)>,
    pub(crate) asked: Vec<Question>,
    /// What XMPP asks for.
    pub(crate) memory: Memory,
}

impl Lab {
    /// A core for `example.org` with the users alice, bob and carol.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, Config::new("example.org", [CORE.parse().unwrap()]), BTreeMap::new())
    }

    /// A core on IPv6, and phones that know nothing else.
    pub(crate) fn over_ipv6(seed: u64) -> Self {
        let config = Config::new("example.org", [CORE_V6.parse().unwrap()]);
        Self { ipv6: true, ..Self::with(seed, config, BTreeMap::new()) }
    }

    pub(crate) fn with(seed: u64, config: Config, saved: BTreeMap<String, SavedAddress>) -> Self {
        let mut world = World::new(seed);
        let journal = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&journal);
        let sink: Sink = Box::new(move |bytes| sink.borrow_mut().extend_from_slice(bytes));
        let machine = Server::new(config.clone(), &Entropy::seeded(seed));
        let node = Node::Core(Recorder::new(machine, sink));
        let core = world.host("core", node, &["198.51.100.10/24", "2001:db8::10/64"]);
        world.set_certificate(core, Certificate::new(&["example.org"]));
        let stranger = Node::Stranger(Stranger::new());
        let stranger = world.host("stranger", stranger, &["192.0.2.66/24"]);
        let internet = world.router("internet");
        world.link(core, internet, Link::with_latency(MS * 5));
        world.link(stranger, internet, Link::with_latency(MS * 5));
        let users = ["alice", "bob", "carol"];
        let mut lab = Self {
            world,
            core,
            stranger,
            internet,
            config,
            seed,
            journal,
            ipv6: false,
            passwords: users.map(|user| (user.to_owned(), format!("{user}'s secret"))).into(),
            saved,
            store_works: true,
            store_tells: true,
            is_mute: |_| false,
            nats: BTreeMap::new(),
            said: VecDeque::new(),
            asked: Vec::new(),
            memory: Memory::new("example.org"),
        };
        lab.passwords.iter().for_each(|(user, password)| lab.memory.add(user, password));
        lab.run(MS * 100);
        lab
    }

    /// A phone behind a NAT of this kind, not registered yet. `n` tells phones apart.
    pub(crate) fn phone(
        &mut self,
        n: u8,
        user: &str,
        preset: Preset,
        more: &str,
    ) -> (NodeId, AccountId) {
        let entropy = Entropy::seeded(self.seed ^ u64::from(n) << 32);
        let mut agent = UserAgent::new(ua::Config::default(), Ids::new(1), &entropy);
        let any = if self.ipv6 { "[::]:5060" } else { "0.0.0.0:5060" };
        agent.listen(Transport::Udp, any.parse().unwrap());
        let address: sip::Uri = format!("sip:{user}@example.org").parse().unwrap();
        let mut account =
            Account::new(address.as_sip().unwrap().clone(), format!("{user}'s secret"));
        let core = if self.ipv6 { &format!("[{CORE_V6}]") } else { CORE };
        account.server = Some(format!("sip:{core}{more}").parse().unwrap());
        account.instance = format!("urn:uuid:00000000-0000-4000-8000-0000000000{n:02x}");
        let id = agent.add_account(account);
        let node = Node::Phone(Phone { agent, outputs: Outputs::new(), answers: true });
        let host = self.join(n, user, node, preset);
        self.run(MS * 10);
        (host, id)
    }

    /// A host behind a NAT of this kind.
    pub(crate) fn join(&mut self, n: u8, user: &str, node: Node, preset: Preset) -> NodeId {
        let specs: Vec<NatSpec> = preset.nats();
        if specs.is_empty() {
            let v4 = format!("203.0.113.{n}/24");
            let v6 = format!("2001:db8:{n}::1/64");
            let host = self.world.host(user, node, &[if self.ipv6 { &v6 } else { &v4 }]);
            self.world.link(host, self.internet, Link::with_latency(MS * 5));
            host
        } else {
            let host = self.world.host(user, node, &["192.168.0.12/24"]);
            let mut inner = (host, None);
            let count = specs.len();
            for (level, spec) in specs.into_iter().enumerate() {
                let inside = if level == 0 { "192.168.0.254/24" } else { "172.16.0.254/24" };
                let outside = if level + 1 == count {
                    format!("203.0.113.{n}/24")
                } else {
                    "172.16.0.12/24".to_owned()
                };
                let name = format!("nat{level}.{user}");
                let nat = self.world.nat(&name, spec, &[inside], &[&outside]);
                match inner.1 {
                    None => self.world.link(inner.0, nat, Link::default()),
                    Some(()) => self.world.link(inner.0.outside(), nat, Link::default()),
                };
                self.nats.entry(user.to_owned()).or_insert(nat);
                inner = (nat, Some(()));
            }
            self.world.link(inner.0.outside(), self.internet, Link::with_latency(MS * 5));
            host
        }
    }

    /// A phone that is registered.
    pub(crate) fn registered(&mut self, n: u8, user: &str, preset: Preset) -> (NodeId, AccountId) {
        self.registered_over(n, user, preset, "")
    }

    pub(crate) fn registered_over(
        &mut self,
        n: u8,
        user: &str,
        preset: Preset,
        more: &str,
    ) -> (NodeId, AccountId) {
        let (host, account) = self.phone(n, user, preset, more);
        self.on(host, |agent, now| agent.register(now, account));
        self.run(SEC);
        let registered = |event: &ua::Event| matches!(event, ua::Event::Registered { .. });
        assert!(self.phone_said(host).iter().any(registered), "{user} is not registered");
        (host, account)
    }

    /// Calls a verb of a phone.
    pub(crate) fn on<R>(
        &mut self,
        host: NodeId,
        mut verb: impl FnMut(&mut UserAgent, Now) -> R,
    ) -> R {
        self.world.verb(host, |node, now| match node {
            Node::Phone(phone) => {
                let result = verb(&mut phone.agent, now);
                phone.drain(now);
                result
            }
            _ => panic!("not a phone"),
        })
    }

    pub(crate) fn set_answers(&mut self, host: NodeId, answers: bool) {
        self.world.verb(host, |node, _| match node {
            Node::Phone(phone) => phone.answers = answers,
            _ => panic!("not a phone"),
        });
    }

    pub(crate) fn run(&mut self, time: Duration) {
        self.world.start();
        let deadline = self.world.now().mono + time;
        while let Some(happened) = self.world.next_before(deadline) {
            match happened.what {
                Happening::Event(event) => self.said.push_back((happened.host, event)),
                Happening::Question(_, question) if (self.is_mute)(&question) => {
                    self.asked.push(question);
                }
                Happening::Question(id, question) => {
                    let answer = self.answer(&question);
                    self.asked.push(question);
                    self.world.answer(happened.host, id, answer);
                }
            }
        }
    }

    fn answer(&mut self, question: &Question) -> Answer {
        match question {
            Question::Credentials { .. } if !self.store_tells => Answer::Failed,
            Question::Credentials { user, realm } => {
                let local = user.strip_suffix("@example.org").unwrap_or(user);
                let password = self.passwords.get(local);
                Answer::Credentials(password.map(|password| Keys::derive(user, realm, password)))
            }
            Question::HashedCredentials { .. } if !self.store_tells => Answer::Failed,
            Question::HashedCredentials { hash, realm } => {
                let forms = |local: &String| [local.clone(), format!("{local}@example.org")];
                let hidden = |user: &String| server::user_hash(user, realm) == *hash;
                let keys = self.passwords.iter().find_map(|(local, password)| {
                    let user = forms(local).into_iter().find(hidden)?;
                    Some(Keys::derive(&user, realm, password))
                });
                Answer::Credentials(keys)
            }
            Question::LoadBindings => Answer::Bindings(self.saved.values().cloned().collect()),
            Question::SaveBindings(saved) => {
                if self.store_works {
                    self.saved.insert(saved.address.clone(), saved.clone());
                }
                Answer::Saved(self.store_works)
            }
            Question::ScramCredentials { .. } if !self.store_tells => Answer::Failed,
            Question::SaveContact { .. } | Question::RemoveContact { .. } if !self.store_works => {
                Answer::Saved(false)
            }
            question => self.memory.answer(question),
        }
    }

    /// What a phone has said since the last time.
    pub(crate) fn phone_said(&mut self, host: NodeId) -> Vec<ua::Event> {
        let (theirs, others) = self.said.drain(..).partition::<Vec<_>, _>(|(h, _)| *h == host);
        self.said = others.into();
        let phone = |(_, said)| match said {
            Said::Phone(event) => Some(event),
            _ => None,
        };
        theirs.into_iter().filter_map(phone).collect()
    }

    /// What the core has said since the last time.
    pub(crate) fn core_said(&mut self) -> Vec<server::Event> {
        let core = self.core;
        let (theirs, others) = self.said.drain(..).partition::<Vec<_>, _>(|(h, _)| *h == core);
        self.said = others.into();
        let event = |(_, said)| match said {
            Said::Core(event) => Some(event),
            _ => None,
        };
        theirs.into_iter().filter_map(event).collect()
    }

    pub(crate) fn server(&self) -> &Server {
        match self.world.machine(self.core) {
            Node::Core(core) => core.get(),
            _ => panic!("not the core"),
        }
    }

    /// The stranger sends this from its UDP socket, and gets what comes back within a second.
    pub(crate) fn say(&mut self, message: &str) -> Vec<String> {
        self.say_to(&format!("{CORE}:5060"), message.replace('\n', "\r\n").as_bytes())
    }

    pub(crate) fn say_to(&mut self, remote: &str, bytes: &[u8]) -> Vec<String> {
        let remote = remote.parse().unwrap();
        self.world.verb(self.stranger, |node, _| match node {
            Node::Stranger(stranger) => stranger.say(remote, bytes),
            _ => panic!("not the stranger"),
        });
        self.got()
    }

    pub(crate) fn say_over_tcp(&mut self, message: &str) -> Vec<String> {
        let remote = format!("{CORE}:5060").parse().unwrap();
        let bytes = message.replace('\n', "\r\n").into_bytes();
        self.world.verb(self.stranger, |node, _| match node {
            Node::Stranger(stranger) => stranger.say_over_tcp(remote, &bytes),
            _ => panic!("not the stranger"),
        });
        self.got()
    }

    fn got(&mut self) -> Vec<String> {
        self.run(SEC);
        let stranger = self.stranger;
        let (theirs, others) = self.said.drain(..).partition::<Vec<_>, _>(|(h, _)| *h == stranger);
        self.said = others.into();
        let got = |(_, said)| match said {
            Said::Got(text) => Some(text),
            _ => None,
        };
        theirs.into_iter().filter_map(got).collect()
    }

    /// The core still serves: a call between two fresh registrations goes through.
    pub(crate) fn assert_serves(&mut self) {
        let (alice, account) = self.registered(201, "alice", Preset::PortRestricted);
        let (bob, _) = self.registered(202, "bob", Preset::PortRestricted);
        let to: sip::Uri = "sip:bob@example.org".parse().unwrap();
        let body = ua::Body::sdp("offer");
        let call =
            self.on(alice, |agent, now| agent.invite(now, account, to.clone(), body.clone()));
        self.run(SEC);
        let answered = |event: &ua::Event| matches!(event, ua::Event::Answered { .. });
        assert!(self.phone_said(alice).iter().any(answered), "the core does not serve");
        self.on(alice, |agent, now| agent.hangup(now, call));
        self.run(SEC);
        let ended = |event: &ua::Event| matches!(event, ua::Event::Ended { .. });
        assert!(self.phone_said(bob).iter().any(ended), "the core does not serve");
    }

    /// The inputs recorded so far give the same outputs again, byte for byte.
    pub(crate) fn assert_replays(self) -> usize {
        let Self { world, journal, config, seed, .. } = self;
        drop(world);
        let mut again = Server::new(config, &Entropy::seeded(seed));
        let journal = journal.borrow();
        replay(&journal, &mut again).unwrap()
    }
}

/// The first line of a message.
pub(crate) fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or("")
}
