//! Clients and a server in the simulated internet.

use std::time::Duration;

use machine::{Endpoint, Entropy, Ids, Input, Instant, Machine, Now, Output, RecordData};
use netsim::{Certificate, Happening, Link, NodeId, World};
use xmpp::client::{Client, Config, Error, Event, RequestError, Subscription};
use xmpp::sasl::Mechanism;
use xmpp::server::{self, Answer, Listener, Question, Server};
use xmpp::stanza::Condition;
use xmpp::{BareJid, Element, Jid, Stanza};

use crate::server_rig::{DOMAIN, Store, keys, password};

const SECOND: Duration = Duration::from_secs(1);
/// As many as a client derives with.
const ITERATIONS: u32 = 4096;
const V4: &str = "192.0.2.1";
const V6: &str = "2001:db8:1::1";

/// A host.
enum Node {
    Server(Box<Server>),
    Client(Box<Client>),
}

/// What a host tells.
#[derive(Clone, Debug, PartialEq)]
enum Told {
    Server(server::Event),
    Client(Box<Event>),
}

impl Machine for Node {
    type Event = Told;
    type Question = Question;
    type Answer = Answer;

    fn handle_input(&mut self, now: Now, input: Input<'_, Answer>) {
        match self {
            Self::Server(server) => server.handle_input(now, input),
            Self::Client(client) => {
                if let Some(input) = input.map_answer(|_| None) {
                    client.handle_input(now, input);
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Now) {
        match self {
            Self::Server(server) => server.handle_timeout(now),
            Self::Client(client) => client.handle_timeout(now),
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<Told, Question>> {
        Some(match self {
            Self::Server(server) => server.poll_output(buf)?.map(Told::Server, |question| question),
            Self::Client(client) => {
                client.poll_output(buf)?.map(|it| Told::Client(it.into()), |never| match never {})
            }
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Server(server) => server.poll_timeout(),
            Self::Client(client) => client.poll_timeout(),
        }
    }
}

/// A server with the users alice, bob, carol and dave, alice and bob being friends, and whoever is
/// added.
struct Net {
    world: World<Node>,
    server: NodeId,
    internet: NodeId,
    store: Store,
    clients: u16,
    /// What clients told that the test has not looked at.
    told: Vec<(NodeId, Event)>,
}

fn config(user: &str) -> Config {
    let jid = BareJid::new(&format!("{user}@{DOMAIN}")).unwrap();
    let mut config = Config::new(jid, password(user));
    config.features = vec![format!("urn:example:{user}")];
    config
}

fn bare(user: &str) -> BareJid {
    BareJid::new(&format!("{user}@{DOMAIN}")).unwrap()
}

fn jid(user: &str) -> Jid {
    bare(user).into()
}

impl Net {
    fn new() -> Self {
        let mut world = World::new(7);
        let internet = world.router("internet");
        let mut config = server::Config::new(DOMAIN, [7; 32]);
        config.iterations = ITERATIONS;
        for local in [Endpoint::UNSPECIFIED_V4, Endpoint::UNSPECIFIED_V6] {
            let listener = |direct_tls, port| Listener { direct_tls, local: local.with_port(port) };
            config.listeners.extend([listener(false, 5222), listener(true, 5223)]);
        }
        let make = || Box::new(Server::new(config.clone(), Ids::new(4), &Entropy::seeded(3)));
        let (it, twin) = (Node::Server(make()), Node::Server(make()));
        let addresses = [format!("{V4}/24"), format!("{V6}/64")];
        let server = world.host_with_twin("server", it, twin, &[&addresses[0], &addresses[1]]);
        world.set_certificate(server, Certificate::new(&[DOMAIN]));
        world.link(server, internet, Link::with_latency(Duration::from_millis(10)));
        let dns = world.dns();
        dns.address("xmpp.example.net", V4.parse::<std::net::IpAddr>().unwrap());
        dns.address("xmpp.example.net", V6.parse::<std::net::IpAddr>().unwrap());
        dns.service("_xmpp-client._tcp.example.org", "xmpp.example.net", 5222);
        let users = ["alice", "bob", "carol", "dave"];
        let users = users.map(|user| (user.to_owned(), keys(user, ITERATIONS))).into();
        let mut store = Store { users, ..Store::default() };
        store.befriend("alice", "bob");
        Self { world, server, internet, store, clients: 0, told: Vec::new() }
    }

    /// Adds a client, which connects.
    fn client(&mut self, config: Config) -> NodeId {
        self.clients += 1;
        let n = self.clients;
        let make = || {
            let entropy = Entropy::seeded(100 + u64::from(n));
            Node::Client(Box::new(Client::new(config.clone(), Ids::new(3), &entropy)))
        };
        let (name, addresses) =
            (format!("client{n}"), [format!("203.0.{n}.2/24"), format!("2001:db8:2:{n}::2/64")]);
        let (it, twin) = (make(), make());
        let node = self.world.host_with_twin(&name, it, twin, &[&addresses[0], &addresses[1]]);
        self.world.link(node, self.internet, Link::with_latency(Duration::from_millis(10)));
        self.world.start();
        self.verb(node, Client::connect);
        node
    }

    fn verb<R>(&mut self, node: NodeId, mut verb: impl FnMut(&mut Client, Now) -> R) -> R {
        self.world.verb(node, |node, now| match node {
            Node::Client(client) => verb(client, now),
            Node::Server(_) => panic!("no client"),
        })
    }

    fn look(&self, node: NodeId) -> &Client {
        match self.world.machine(node) {
            Node::Client(client) => client,
            Node::Server(_) => panic!("no client"),
        }
    }

    /// Lets time pass; the server's questions are answered from the store.
    fn pass(&mut self, time: Duration) {
        let deadline = self.world.now().mono + time;
        while let Some(happened) = self.world.next_before(deadline) {
            match happened.what {
                Happening::Event(Told::Client(event)) => self.told.push((happened.host, *event)),
                Happening::Event(Told::Server(_)) => {}
                Happening::Question(id, question) => {
                    let answer = self.store.know(question);
                    self.world.answer(self.server, id, answer);
                }
            }
        }
    }

    /// The next thing that a client tells and that `find` takes, within a minute.
    fn wait<T>(&mut self, node: NodeId, find: impl Fn(&Event) -> Option<T>) -> T {
        for _ in 0..600 {
            let here = self.told.iter().enumerate().filter(|(_, (host, _))| *host == node);
            let found = here.into_iter().find_map(|(at, (_, event))| Some((at, find(event)?)));
            if let Some((at, found)) = found {
                let mut here = 0..;
                self.told.retain(|(host, _)| here.next() > Some(at) || *host != node);
                return found;
            }
            self.pass(SECOND / 10);
        }
        panic!("nothing of the kind: {:?}", self.told);
    }

    /// Waits until a client is online and its presence is out; how it is.
    fn online(&mut self, node: NodeId) -> xmpp::client::Online {
        let online = self.wait(node, |event| match event {
            Event::Online(online) => Some(online.clone()),
            _ => None,
        });
        self.wait(node, |event| (*event == Event::Roster).then_some(()));
        online
    }

    fn offline(&mut self, node: NodeId) -> (Error, Option<Duration>) {
        self.wait(node, |event| match event {
            Event::Offline { reason, retry_in } => Some((reason.clone(), *retry_in)),
            _ => None,
        })
    }

    /// Waits until a client sees that somebody is there, or is not.
    fn sees(&mut self, node: NodeId, who: &str, there: bool) -> Jid {
        let account = bare(who);
        self.wait(node, |event| match event {
            Event::Presence { from, available, .. }
                if from.to_bare() == account && *available == there =>
            {
                Some(from.clone())
            }
            _ => None,
        })
    }

    fn port(&mut self, node: NodeId, up: bool) {
        self.world.set_up(node.port("eth0"), up);
    }
}

#[test]
fn two_friends_see_each_other_and_talk() {
    let mut net = Net::new();
    let alice = net.client(config("alice"));
    let online = net.online(alice);
    assert!(online.secured && !online.direct_tls && online.channel_bound);
    assert_eq!(online.mechanism, Mechanism::SCRAM_SHA_256_PLUS);
    let mut direct = config("bob");
    direct.server = Some(("xmpp.example.net".to_owned(), 5223));
    let bob = net.client(direct);
    assert!(net.online(bob).direct_tls);
    let seen = net.sees(alice, "bob", true);
    net.sees(bob, "alice", true);
    // What Bob can do.
    let full = seen.try_into_full().unwrap();
    net.wait(alice, |event| (*event == Event::Capabilities(full.clone())).then_some(()));
    assert_eq!(net.look(alice).supports(&full, "urn:example:bob"), Some(true));
    assert_eq!(net.look(alice).supports(&full, "urn:example:alice"), Some(false));
    assert_eq!(net.look(alice).resources(&bare("bob")).len(), 1);
    // What they say.
    let text = "Grüße & <b>Küsse</b>";
    net.verb(alice, |client, now| client.send_message(now, &jid("bob"), text)).unwrap();
    let from = net.wait(bob, |event| match event {
        Event::Message { from, body, .. } if body == text => Some(from.clone()),
        _ => None,
    });
    assert_eq!(Some(from), net.look(alice).jid().cloned().map(Jid::from));
    // What one asks the other.
    let to = Jid::from(full);
    let ask = Element::bare("ask", "urn:example:bob");
    let request =
        net.verb(alice, |client, now| client.request(now, to.clone(), ask.clone(), false)).unwrap();
    let iq = net.wait(bob, |event| match event {
        Event::Request { iq } => Some(iq.clone()),
        _ => None,
    });
    let answer = Element::bare("answer", "urn:example:bob");
    net.verb(bob, |client, now| client.respond(now, &iq, Ok(Some(answer.clone())))).unwrap();
    net.wait(alice, |event| match event {
        Event::Response { request: answered, result: Ok(Some(payload)) } => {
            (*answered == request && payload.is("answer", "urn:example:bob")).then_some(())
        }
        _ => None,
    });
    // Bob goes.
    net.verb(bob, Client::stop);
    net.wait(bob, |event| (*event == Event::Stopped).then_some(()));
    net.sees(alice, "bob", false);
    assert!(net.look(alice).resources(&bare("bob")).is_empty());
}

#[test]
fn nobody_is_there_to_be_told() {
    let mut net = Net::new();
    let alice = net.client(config("alice"));
    net.online(alice);
    let id =
        net.verb(alice, |client, now| client.send_message(now, &jid("nobody"), "hello?")).unwrap();
    let error = net.wait(alice, |event| match event {
        Event::MessageFailed { id: failed, error, .. } if *failed == id => Some(error.clone()),
        _ => None,
    });
    assert_eq!(error.condition, Condition::ServiceUnavailable);
    let ask = Element::bare("ask", "urn:example:bob");
    let to = Jid::new("bob@example.org/gone").unwrap();
    net.verb(alice, |client, now| client.request(now, to.clone(), ask.clone(), true)).unwrap();
    net.wait(alice, |event| match event {
        Event::Response { result: Err(RequestError::Refused(error)), .. } => {
            (error.condition == Condition::ServiceUnavailable).then_some(())
        }
        _ => None,
    });
}

#[test]
fn strangers_become_friends() {
    let mut net = Net::new();
    let (alice, carol) = (net.client(config("alice")), net.client(config("carol")));
    net.online(alice);
    net.online(carol);
    net.verb(alice, |client, now| client.save_contact(now, &bare("carol"), Some("Carol"), &[]))
        .unwrap();
    net.verb(alice, |client, now| client.subscribe(now, &bare("carol"))).unwrap();
    net.wait(carol, |event| match event {
        Event::Subscription { from, kind: Subscription::Subscribe, .. } => {
            (*from == bare("alice")).then_some(())
        }
        _ => None,
    });
    net.verb(carol, |client, now| client.approve(now, &bare("alice"))).unwrap();
    net.sees(alice, "carol", true);
    let contact = net.look(alice).contact(&bare("carol")).unwrap();
    assert!(contact.to && !contact.from && contact.name.as_deref() == Some("Carol"));
    net.verb(alice, |client, now| client.remove_contact(now, &bare("carol"))).unwrap();
    net.wait(alice, |event| (*event == Event::ContactRemoved(bare("carol"))).then_some(()));
}

#[test]
fn a_wrong_password_and_nobody() {
    let mut net = Net::new();
    let mut wrong = config("alice");
    wrong.password = "another".into();
    let (alice, nobody) = (net.client(wrong), net.client(config("nobody")));
    let (error, retry) = net.offline(alice);
    assert!(error.is_unauthorized() && retry.is_none(), "{error}");
    let told = net.offline(nobody);
    assert_eq!(told, (error, retry));
}

#[test]
fn a_certificate_for_somebody_else() {
    let mut net = Net::new();
    net.world.set_certificate(net.server, Certificate::new(&["xmpp.example.net"]));
    let alice = net.client(config("alice"));
    let (error, retry) = net.offline(alice);
    let Error::Certificate { domain, why, .. } = error else { panic!("{error}") };
    assert_eq!((domain.as_str(), retry), (DOMAIN, None));
    assert!(why.contains("xmpp.example.net"), "{why}");
    // Repaired, and asked for once more.
    net.world.set_certificate(net.server, Certificate::new(&[DOMAIN]));
    net.verb(alice, Client::connect);
    net.online(alice);
}

#[test]
fn without_services_and_over_ipv6() {
    let mut net = Net::new();
    let dns = net.world.dns();
    dns.remove("_xmpp-client._tcp.example.org");
    dns.address(DOMAIN, V6.parse::<std::net::IpAddr>().unwrap());
    let alice = net.client(config("alice"));
    let online = net.online(alice);
    assert_eq!(online.server, format!("[{V6}]:5222").parse().unwrap());
    assert!(online.local.is_ipv6());
}

#[test]
fn direct_tls_by_its_service() {
    let mut net = Net::new();
    let target = "xmpp.example.net".to_owned();
    let first = RecordData::Srv { priority: 0, weight: 0, port: 5223, target: target.clone() };
    let dns = net.world.dns();
    dns.remove("_xmpp-client._tcp.example.org");
    dns.add("_xmpps-client._tcp.example.org", first);
    let last = RecordData::Srv { priority: 1, weight: 0, port: 5222, target };
    dns.add("_xmpp-client._tcp.example.org", last);
    let alice = net.client(config("alice"));
    let online = net.online(alice);
    assert!(online.direct_tls && online.server.port() == 5223);
}

#[test]
fn comes_back_when_the_way_is_there_again() {
    let mut net = Net::new();
    let (alice, bob) = (net.client(config("alice")), net.client(config("bob")));
    net.online(alice);
    net.online(bob);
    net.sees(alice, "bob", true);
    // Bob's cable is pulled: he knows at once.
    net.port(bob, false);
    assert_eq!(net.offline(bob).0, Error::NetworkChanged);
    net.pass(SECOND * 30);
    net.port(bob, true);
    net.online(bob);
    // Another address: he comes back as soon as he has it.
    let port = bob.port("eth0");
    net.world.set_addresses(port, &["203.0.77.2/24"]);
    assert_eq!(net.offline(bob).0, Error::NetworkChanged);
}

#[test]
fn comes_back_when_the_server_is_there_again() {
    let mut net = Net::new();
    let mut patient = config("alice");
    patient.keepalive = SECOND * 60;
    let alice = net.client(patient);
    net.online(alice);
    // The server's cable is pulled: nobody tells the client, who finds out by itself.
    net.port(net.server, false);
    net.pass(SECOND * 85);
    assert!(matches!(net.offline(alice).0, Error::Silent | Error::Lost(_)));
    net.pass(SECOND * 60);
    let (error, retry) = net.offline(alice);
    assert!(retry.is_some());
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    net.port(net.server, true);
    net.pass(SECOND * 300);
    net.online(alice);
    assert_eq!(net.look(alice).stats().logins, 2);
}

#[test]
fn a_stanza_as_it_is() {
    let mut net = Net::new();
    let (alice, bob) = (net.client(config("alice")), net.client(config("bob")));
    net.online(alice);
    net.online(bob);
    let to = net.sees(alice, "bob", true);
    let propose = "<propose xmlns='urn:xmpp:jingle-message:0' id='c1'><x xmlns='y'>z</x></propose>";
    let propose: Element = propose.parse().unwrap();
    let kind = xmpp::stanza::MessageType::Chat;
    net.verb(alice, |client, now| {
        let message = Stanza::message(to.clone(), kind, [propose.clone()]);
        client.send(now, message)
    })
    .unwrap();
    net.wait(bob, |event| match event {
        Event::Stanza(stanza) => (stanza.payloads().next().map(String::from)
            == Some(String::from(&propose)))
        .then_some(()),
        _ => None,
    });
}
