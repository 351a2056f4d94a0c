//! The exerciser in the simulator.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use machine::{Endpoint, InterfaceKind};
use netsim::{Certificate, Happening, Link, NodeId, Tap, TapId, World};

use crate::exerciser::{Event, Exerciser, INPUTS, OUTPUTS, Plan};

/// A server and a client with two addresses, a router between them.
struct Pair {
    world: World<Exerciser>,
    server: NodeId,
    client: NodeId,
    source: IpAddr,
    tap: TapId,
}

const NAME: &str = "server.example";

impl Pair {
    fn new(seed: u64, server: &str, client: [&str; 2], link: &Link) -> Self {
        let mut world = World::new(seed);
        let ip: IpAddr = server.parse().unwrap();
        let twins = || Exerciser::server(ip);
        let server = world.host_with_twin("server", twins(), twins(), &[server]);
        let entropy = world.entropy("client");
        let twins = || Exerciser::client(entropy.clone());
        let client_id = world.host_with_twin("client", twins(), twins(), &[client[0]]);
        world.interface(client_id, "eth1", InterfaceKind::Physical, &[client[1]]);
        let router = world.router("router");
        let far = world.link(server, router, link.clone());
        world.link(client_id, router, link.clone());
        world.link(client_id, router, link.clone());
        world.dns().address(NAME, ip);
        world.set_certificate(server, Certificate::new(&[NAME]));
        let tap = world.tap(Tap::Link(far)).unwrap();
        let source = client[1].split('/').next().unwrap().parse().unwrap();
        Self { world, server, client: client_id, source, tap }
    }

    fn v4(seed: u64, link: &Link) -> Self {
        Self::new(seed, "198.51.100.10", ["203.0.113.1/24", "203.0.113.2/24"], link)
    }

    /// Runs the whole script; what the client did.
    fn run(&mut self) -> Vec<(&'static str, String)> {
        self.world.start();
        let mut done = Vec::new();
        let end = self.world.now().mono + Duration::from_hours(1);
        while let Some(happened) = self.world.next_before(end) {
            match happened.what {
                Happening::Event(Event::Ready { udp, tcp }) => self.begin(udp, tcp),
                Happening::Event(Event::Did(what, outcome)) => done.push((what, outcome)),
                Happening::Event(Event::Done) => return done,
                Happening::Event(Event::Wrong(what)) => panic!("{what} (after {done:?})"),
                Happening::Event(Event::InterfacesChanged(_)) => {}
                Happening::Question(id, question) => {
                    self.world.answer(happened.host, id, question.answer());
                }
            }
        }
        panic!("not done in an hour, after {done:?}");
    }

    fn begin(&mut self, udp: Endpoint, tcp: Endpoint) {
        let plan =
            Plan { source: self.source, udp, tcp, name: NAME.to_owned(), flood_len: 1 << 20 };
        self.world.verb(self.client, |client, now| client.begin(now, plan.clone()));
    }
}

fn link() -> Link {
    Link::with_latency(Duration::from_millis(10))
}

/// Everything that goes wrong on a link at once.
fn bad_link() -> Link {
    link().loss(0.05).jitter(Duration::from_millis(5)).reorder(0.05).duplicate(0.05).mtu(576)
}

#[test]
fn every_kind_of_input_and_output() {
    let mut pair = Pair::v4(1, &link());
    let did = pair.run();
    let expected = [
        ("interfaces", "some"),
        ("bind", "a port"),
        ("bind a taken address", "in use"),
        ("bind a foreign address", "not available"),
        ("datagram from a chosen source", "as chosen"),
        ("train of datagrams", "cut"),
        ("datagram kept whole", "arrived"),
        ("unreachable", "port"),
        ("resolve", "an address"),
        ("resolve nothing", "an error"),
        ("ask", "the right answer"),
        ("listen", "a port"),
        ("accept", "hello"),
        ("refused", "refused"),
        ("echo", "there and back"),
        ("backpressure", "waited for room"),
        ("pause", "held back, then all of it"),
        ("tls", "secured"),
    ];
    assert_eq!(did, expected.map(|(what, outcome)| (what, outcome.to_owned())));
    let machines = [pair.world.machine(pair.server), pair.world.machine(pair.client)];
    let seen: BTreeSet<_> = machines.iter().flat_map(|machine| machine.seen()).copied().collect();
    let given: BTreeSet<_> = machines.iter().flat_map(|machine| machine.given()).copied().collect();
    assert_eq!(seen, BTreeSet::from(INPUTS));
    assert_eq!(given, BTreeSet::from(OUTPUTS));
}

#[test]
fn over_ipv6() {
    let (server, client) = ("2001:db8:a::1", ["2001:db8:b::1/64", "2001:db8:b::2/64"]);
    assert_eq!(Pair::new(2, server, client, &link()).run().len(), 18);
}

#[test]
fn over_bad_links() {
    for seed in 0..10 {
        assert_eq!(Pair::v4(seed, &bad_link()).run().len(), 18, "seed {seed}");
    }
}

#[test]
fn same_seed_same_packets_to_the_byte() {
    let run = |seed| {
        let mut pair = Pair::v4(seed, &bad_link());
        pair.run();
        (pair.world.digest(), pair.world.pcapng(&[pair.tap]))
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn interface_changes_are_told() {
    let mut pair = Pair::v4(3, &link());
    pair.run();
    let client = pair.client;
    pair.world.set_addresses(client.port("eth1"), &["203.0.113.3/24", "2001:db8:b::3/64"]);
    pair.world.set_up(client.port("eth0"), false);
    let told = pair.world.run_for(Duration::from_secs(1));
    let counts: Vec<_> = told
        .into_iter()
        .filter_map(|happened| match happened.what {
            Happening::Event(Event::InterfacesChanged(count)) => Some(count),
            _ => None,
        })
        .collect();
    // Two of loopback, one of eth0, two of eth1; then without eth0's.
    assert_eq!(counts, [5, 4]);
}
