//! A core, phones, and a stranger who says what it is told.

use std::collections::VecDeque;
use std::time::Duration;

use machine::{
    BindKind, Endpoint, Entropy, Id, Ids, Input, Instant, Machine, Now, Output, Outputs,
};
use netsim::{Certificate, Direction, Happening, Link, LinkId, NatSpec, NodeId, Preset, World};
use server::{Answer, Memory, Question, Server};
use wayleave_phone as phone;
use xmpp::client::Client;

use phone::{Account, Address, CallId, Config, EndReason, Event, Phone, Secret, Source, Target};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);
pub(crate) const CORE: &str = "198.51.100.10";
const CORE_V6: &str = "2001:db8::10";
pub(crate) const STRANGER: &str = "192.0.2.66";

/// What lives on the hosts.
#[expect(clippy::large_enum_variant, reason = "a handful of hosts")]
pub(crate) enum Node {
    Core(Server),
    Phone(Phone),
    Stranger(Stranger),
    /// Another program's client, which says what it is told.
    Client(Box<Client>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Core(server::Event),
    Phone(Event),
    /// The stranger got this.
    Got(Vec<u8>),
    Client(Box<xmpp::client::Event>),
}

/// Two ports: 5060 for SIP, 4000 for media.
pub(crate) struct Stranger {
    sip: Id,
    outputs: Outputs<Said, Question>,
}

impl Stranger {
    fn new() -> Self {
        let mut ids = Ids::new(9);
        let mut outputs = Outputs::new();
        let [sip, media] = [ids.next_id(), ids.next_id()];
        for (id, port) in [(sip, 5060), (media, 4000)] {
            let local = format!("{STRANGER}:{port}").parse().unwrap();
            outputs.push(Output::Bind { id, kind: BindKind::Udp, local, interface: None });
        }
        Self { sip, outputs }
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
                if let Some(input) = input.map_answer(|_| None) {
                    phone.handle_input(now, input);
                }
            }
            Self::Client(client) => {
                if let Some(input) = input.map_answer(|_| None) {
                    client.handle_input(now, input);
                }
            }
            Self::Stranger(stranger) => {
                if let Input::Datagram { bytes, .. } = &input {
                    stranger.outputs.event(Said::Got(bytes.to_vec()));
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Core(core) => core.handle_timeout(now),
            Self::Phone(phone) => phone.handle_timeout(now),
            Self::Client(client) => client.handle_timeout(now),
            Self::Stranger(_) => {}
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Said, Question>> {
        match self {
            Self::Core(core) => Some(core.poll_output(buf)?.map(Said::Core, |q| q)),
            Self::Phone(phone) => {
                Some(phone.poll_output(buf)?.map(Said::Phone, |never| match never {}))
            }
            Self::Client(client) => {
                let said = |event| Said::Client(Box::new(event));
                Some(client.poll_output(buf)?.map(said, |never| match never {}))
            }
            Self::Stranger(stranger) => stranger.outputs.poll(buf),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Core(core) => core.poll_timeout(),
            Self::Phone(phone) => phone.poll_timeout(),
            Self::Client(client) => client.poll_timeout(),
            Self::Stranger(_) => None,
        }
    }
}

/// A phone and its way into the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handset {
    pub(crate) host: NodeId,
    pub(crate) nat: Option<NodeId>,
    uplink: LinkId,
}

/// The whole arrangement.
pub(crate) struct Lab {
    pub(crate) world: World<Node>,
    core_link: LinkId,
    stranger: NodeId,
    internet: NodeId,
    pub(crate) accounts: Memory,
    said: VecDeque<(Instant, NodeId, Said)>,
}

impl Lab {
    /// A core for `example.org`, whose users' passwords are their names.
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let ips = [CORE, CORE_V6].map(|ip| ip.parse().unwrap());
        let machine = Server::new(server::Config::new("example.org", ips), &Entropy::seeded(seed));
        let addresses = ["198.51.100.10/24", "2001:db8::10/64"];
        let core = world.host("core", Node::Core(machine), &addresses);
        let stranger = Node::Stranger(Stranger::new());
        let stranger = world.host("stranger", stranger, &["192.0.2.66/24"]);
        let internet = world.router("internet");
        let core_link = world.link(core, internet, Link::with_latency(MS * 5));
        world.link(stranger, internet, Link::with_latency(MS * 5));
        world.set_certificate(core, Certificate::new(&["example.org"]));
        let (mut accounts, said) = (Memory::new("example.org"), VecDeque::new());
        ["alice", "bob"].into_iter().for_each(|user| accounts.add(user, user));
        let mut lab = Self { world, core_link, stranger, internet, accounts, said };
        lab.run(MS * 100);
        lab
    }

    /// The usual configuration of `user`'s phone.
    pub(crate) fn config(user: &str) -> Config {
        let address: Address = format!("sip:{user}@example.org").parse().unwrap();
        let account = Account {
            server: Some(phone::Server { host: CORE.to_owned(), port: None }),
            ..Account::new(address, Secret::from(user))
        };
        Config { accounts: vec![account], ..Config::default() }
    }

    /// The usual configuration of `user`'s phone over XMPP.
    pub(crate) fn config_xmpp(user: &str) -> Config {
        let address: Address = format!("xmpp:{user}@example.org").parse().unwrap();
        let mut config = Self::config(user);
        config.accounts[0].address = address;
        config
    }

    /// Alice and Bob, each in the other's roster, with phones 1 and 2 over XMPP.
    pub(crate) fn friends(&mut self) -> [Handset; 2] {
        self.accounts.befriend("alice", "bob");
        self.strangers()
    }

    /// Alice and Bob with phones 1 and 2 over XMPP, who know nothing of each other.
    pub(crate) fn strangers(&mut self) -> [Handset; 2] {
        [(1, "alice"), (2, "bob")].map(|(n, user)| {
            let handset = self.phone(n, Self::config_xmpp(user));
            self.register(handset);
            handset
        })
    }

    /// The same for a core at its IPv6 address.
    pub(crate) fn config_v6(user: &str) -> Config {
        let mut config = Self::config(user);
        config.accounts[0].server = Some(phone::Server { host: CORE_V6.to_owned(), port: None });
        config
    }

    /// A phone without a NAT, number `n`, at addresses of both families.
    pub(crate) fn phone(&mut self, n: u8, config: Config) -> Handset {
        let (v4, v6) = (format!("203.0.113.{n}/24"), format!("2001:db8:{n}::1/64"));
        self.phone_at(n, config, &[&v4, &v6])
    }

    /// A phone without a NAT, at these addresses.
    pub(crate) fn phone_at(&mut self, n: u8, config: Config, addresses: &[&str]) -> Handset {
        let name = format!("phone{n}");
        let host = self.world.host(&name, Self::node(n, config), addresses);
        let uplink = self.world.link(host, self.internet, Link::with_latency(MS * 5));
        self.run(MS * 10);
        Handset { host, nat: None, uplink }
    }

    /// A client of `user`'s that is online, at address `n`.
    pub(crate) fn client(&mut self, n: u8, user: &str) -> NodeId {
        let jid = xmpp::BareJid::new(&format!("{user}@example.org")).unwrap();
        let mut config = xmpp::client::Config::new(jid, user);
        config.server = Some((CORE.to_owned(), 5222));
        config.direct_tls = Some(false);
        let client = Client::new(config, Ids::new(1), &Entropy::seeded(u64::from(n)));
        let (node, address) = (Node::Client(Box::new(client)), format!("203.0.113.{n}/24"));
        let host = self.world.host("client", node, &[&address]);
        self.world.link(host, self.internet, Link::with_latency(MS * 5));
        self.run(MS * 10);
        self.on_client(host, Client::connect);
        self.run(SEC);
        let online = |event: &xmpp::client::Event| matches!(event, xmpp::client::Event::Online(_));
        assert!(self.take_client(host).iter().any(online), "not online");
        host
    }

    /// Calls a verb of a client.
    pub(crate) fn on_client<R>(
        &mut self,
        host: NodeId,
        mut verb: impl FnMut(&mut Client, Now) -> R,
    ) -> R {
        self.world.verb(host, |node, now| match node {
            Node::Client(client) => verb(client, now),
            _ => panic!("not a client"),
        })
    }

    /// What a client has told since it was last asked.
    pub(crate) fn take_client(&mut self, client: NodeId) -> Vec<xmpp::client::Event> {
        self.pick(|_, host, said| match said {
            Said::Client(event) if host == client => Some((**event).clone()),
            _ => None,
        })
    }

    /// A phone behind a NAT of its own.
    pub(crate) fn phone_behind(&mut self, n: u8, config: Config, preset: Preset) -> Handset {
        let [spec]: [NatSpec; 1] = preset.nats().try_into().unwrap();
        let (name, outside) = (format!("phone{n}"), format!("203.0.113.{n}/24"));
        let host = self.world.host(&name, Self::node(n, config), &["192.168.0.12/24"]);
        let nat = format!("nat{n}");
        let nat = self.world.nat(&nat, spec, &["192.168.0.254/24"], &[&outside]);
        self.world.link(host, nat, Link::default());
        let uplink = self.world.link(nat.outside(), self.internet, Link::with_latency(MS * 5));
        self.run(MS * 10);
        Handset { host, nat: Some(nat), uplink }
    }

    fn node(n: u8, config: Config) -> Node {
        Node::Phone(Phone::new(config, Entropy::seeded(u64::from(n))))
    }

    /// A phone of `user`'s that is registered.
    pub(crate) fn registered(&mut self, n: u8, user: &str) -> Handset {
        let handset = self.phone(n, Self::config(user));
        self.register(handset);
        handset
    }

    pub(crate) fn register(&mut self, handset: Handset) {
        self.on(handset, |phone, now| phone.register(now));
        self.run(SEC);
        let registered = |event: &Event| matches!(event, Event::Registered { .. });
        assert!(self.take(handset).iter().any(registered), "not registered");
    }

    /// Calls a verb of a phone.
    pub(crate) fn on<R>(
        &mut self,
        handset: Handset,
        mut verb: impl FnMut(&mut Phone, Now) -> R,
    ) -> R {
        self.world.verb(handset.host, |node, now| match node {
            Node::Phone(phone) => verb(phone, now),
            _ => panic!("not a phone"),
        })
    }

    /// Calls somebody and plays a tone.
    pub(crate) fn call(&mut self, from: Handset, to: &str) -> CallId {
        let to: Target = to.parse().unwrap();
        self.on(from, |phone, now| phone.call(now, 0, &to, tone())).unwrap()
    }

    /// Lets `bob` take the call that has come, and plays a tone.
    pub(crate) fn answer(&mut self, bob: Handset) -> CallId {
        let incoming = self.take(bob).into_iter().find_map(|event| match event {
            Event::Incoming { call, .. } => Some(call),
            _ => None,
        });
        let call = incoming.expect("a call");
        self.on(bob, |phone, now| phone.answer(now, call, tone()));
        call
    }

    /// Alice, at phone 1, and Bob, at phone 2, speak with each other.
    pub(crate) fn conversation(&mut self) -> [(Handset, CallId); 2] {
        let (alice, bob) = (self.registered(1, "alice"), self.registered(2, "bob"));
        self.connect(alice, bob)
    }

    /// Two registered phones speak with each other.
    pub(crate) fn connect(&mut self, alice: Handset, bob: Handset) -> [(Handset, CallId); 2] {
        self.talk(alice, bob, "sip:bob@example.org")
    }

    /// One calls the other, who answers: they hear each other.
    pub(crate) fn talk(
        &mut self,
        alice: Handset,
        bob: Handset,
        to: &str,
    ) -> [(Handset, CallId); 2] {
        let ours = self.call(alice, to);
        self.run(SEC);
        let theirs = self.answer(bob);
        self.run(SEC * 2);
        for handset in [alice, bob] {
            let events = self.take(handset);
            for wanted in ["Answered", "Path", "FirstMedia"] {
                let came = |event: &Event| format!("{event:?}").starts_with(wanted);
                assert!(events.iter().any(came), "no {wanted}");
            }
        }
        [(alice, ours), (bob, theirs)]
    }

    /// Lets time pass; the store answers meanwhile.
    pub(crate) fn run(&mut self, duration: Duration) {
        self.world.start();
        let end = self.world.now().mono + duration;
        while let Some(happened) = self.world.next_before(end) {
            match happened.what {
                Happening::Event(said) => {
                    self.said.push_back((happened.now.mono, happened.host, said));
                }
                Happening::Question(id, question) => {
                    let answer = self.accounts.answer(&question);
                    self.world.answer(happened.host, id, answer);
                }
            }
        }
    }

    /// Takes out of what was said whatever `pick` wants.
    fn pick<T>(&mut self, pick: impl Fn(Instant, NodeId, &Said) -> Option<T>) -> Vec<T> {
        let mut picked = Vec::new();
        self.said.retain(|(at, host, said)| match pick(*at, *host, said) {
            Some(found) => {
                picked.push(found);
                false
            }
            None => true,
        });
        picked
    }

    /// Forgets what was said so far.
    pub(crate) fn take_all(&mut self) {
        self.said.clear();
    }

    /// What a phone has told since it was last asked.
    pub(crate) fn take(&mut self, handset: Handset) -> Vec<Event> {
        self.take_timed(handset).into_iter().map(|(_, event)| event).collect()
    }

    pub(crate) fn take_timed(&mut self, handset: Handset) -> Vec<(Instant, Event)> {
        self.pick(|at, host, said| match said {
            Said::Phone(event) if host == handset.host => Some((at, event.clone())),
            _ => None,
        })
    }

    /// What the core has told since it was last asked.
    pub(crate) fn take_core(&mut self) -> Vec<server::Event> {
        self.pick(|_, _, said| match said {
            Said::Core(event) => Some(event.clone()),
            _ => None,
        })
    }

    /// What the stranger got since it was last asked.
    pub(crate) fn take_stranger(&mut self) -> Vec<Vec<u8>> {
        self.pick(|_, _, said| match said {
            Said::Got(bytes) => Some(bytes.clone()),
            _ => None,
        })
    }

    /// The stranger's SIP among it.
    pub(crate) fn take_sip(&mut self) -> Vec<String> {
        let texts = self.take_stranger().into_iter().filter_map(|b| String::from_utf8(b).ok());
        texts.filter(|text| text.contains("SIP/2.0")).collect()
    }

    /// The stranger says something from its SIP port.
    pub(crate) fn say(&mut self, remote: Endpoint, text: &str) {
        let stranger = self.stranger;
        self.world.verb(stranger, |node, _| match node {
            Node::Stranger(stranger) => {
                stranger.outputs.datagram(stranger.sip, remote, text.as_bytes());
            }
            _ => panic!("not the stranger"),
        });
    }

    /// Cuts the wire of a phone, both ways.
    pub(crate) fn cut(&mut self, handset: Handset) {
        self.set_loss(handset.uplink, 1.0);
    }

    /// Cuts the core's wire.
    pub(crate) fn cut_core(&mut self) {
        self.set_loss(self.core_link, 1.0);
    }

    /// Mends it.
    pub(crate) fn mend_core(&mut self) {
        self.set_loss(self.core_link, 0.0);
    }

    fn set_loss(&mut self, link: LinkId, loss: f64) {
        for direction in [Direction::Forward, Direction::Backward] {
            let settings = self.world.link_settings(link, direction).clone().loss(loss);
            self.world.set_link(link, direction, settings);
        }
    }
}

/// A second of 440 Hz, over and over.
fn tone() -> Source {
    let sample = |n: u32| (f64::from(n) * 440.0 * std::f64::consts::TAU / 8000.0).sin() * 8000.0;
    Source::looped((0..8000).map(|n| sample(n) as i16).collect::<Vec<_>>())
}

/// Why a call ended, if it did.
pub(crate) fn ended(events: &[Event]) -> Option<(EndReason, phone::By)> {
    events.iter().find_map(|event| match event {
        Event::Ended { reason, by, .. } => Some((reason.clone(), *by)),
        _ => None,
    })
}

/// How much sound was heard that is more than silence, in frames.
pub(crate) fn heard(events: &[Event]) -> usize {
    let loud = |event: &&Event| match event {
        Event::Heard { samples, .. } => samples.iter().any(|sample| sample.abs() > 1000),
        _ => false,
    };
    events.iter().filter(loud).count()
}
