//! Whatever the topology and whatever is done in it: no panic, no broken law, the same twice.

use std::time::Duration;

use machine::{Id, InterfaceKind};
use netsim::{Direction, FirewallSpec, Link, LinkId, NodeId, Preset, World};
use proptest::prelude::*;

use crate::talker::Talker;

/// Something that is done in a world; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Op {
    Bind(u8, u16),
    Listen(u8, u16),
    Send(u8, u8, u8, u16, u16),
    Connect(u8, u8, u16),
    Write(u8, u8, u16),
    Close(u8, u8),
    Wait(u16),
    SetLink(u8, bool, f64, u16),
    SetAddress(u8, u8),
    SetUp(u8, bool),
    RestartNats,
}

fn op() -> impl Strategy<Value = Op> {
    let port = || 1..6_u16;
    prop_oneof![
        3 => (any::<u8>(), port()).prop_map(|(host, port)| Op::Bind(host, port)),
        2 => (any::<u8>(), port()).prop_map(|(host, port)| Op::Listen(host, port)),
        6 => (any::<u8>(), any::<u8>(), any::<u8>(), port(), 0..3000_u16)
            .prop_map(|(from, socket, to, port, len)| Op::Send(from, socket, to, port, len)),
        4 => (any::<u8>(), any::<u8>(), port()).prop_map(|(from, to, port)| Op::Connect(from, to, port)),
        3 => (any::<u8>(), any::<u8>(), any::<u16>()).prop_map(|(host, id, len)| Op::Write(host, id, len)),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(host, id)| Op::Close(host, id)),
        4 => (0..20_000_u16).prop_map(Op::Wait),
        1 => (any::<u8>(), any::<bool>(), 0.0..0.5, 100..1500_u16)
            .prop_map(|(link, forward, loss, mtu)| Op::SetLink(link, forward, loss, mtu)),
        1 => (any::<u8>(), any::<u8>()).prop_map(|(host, last)| Op::SetAddress(host, last)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(host, up)| Op::SetUp(host, up)),
        1 => Just(Op::RestartNats),
    ]
}

/// Hosts behind chains of NATs or firewalls, all on one router.
struct Net {
    world: World<Talker>,
    hosts: Vec<(NodeId, String)>,
    links: Vec<LinkId>,
    nats: Vec<NodeId>,
    ids: Vec<Vec<Id>>,
}

impl Net {
    fn new(seed: u64, homes: &[(u8, u16)]) -> Self {
        let world = World::new(seed);
        let (hosts, links, nats) = (Vec::new(), Vec::new(), Vec::new());
        let mut net = Self { world, hosts, links, nats, ids: Vec::new() };
        let internet = net.world.router("internet");
        for (n, &(kind, mtu)) in homes.iter().enumerate() {
            net.home(internet, n, kind, mtu);
        }
        net.world.start();
        net
    }

    fn home(&mut self, internet: NodeId, n: usize, kind: u8, mtu: u16) {
        let link = Link::with_latency(Duration::from_millis(u64::from(kind)))
            .loss(f64::from(kind % 5) / 50.0)
            .jitter(Duration::from_millis(3))
            .reorder(0.05)
            .duplicate(0.05)
            .mtu(mtu);
        let preset = Preset::ALL[usize::from(kind) % Preset::ALL.len()];
        let mut upstream = internet;
        for (level, spec) in preset.nats().into_iter().rev().enumerate() {
            let spec = spec.hairpin(kind.is_multiple_of(2));
            let outside =
                if level == 0 { format!("203.0.113.{n}") } else { format!("10.{n}.{level}.2/24") };
            let inside = format!("10.{n}.{}.1/24", level + 1);
            let nat = self.world.nat(&format!("nat{n}.{level}"), spec, &[&inside], &[&outside]);
            self.links.push(self.world.link(nat.outside(), upstream, link.clone()));
            self.nats.push(nat);
            upstream = nat;
        }
        if kind.is_multiple_of(7) {
            let firewall = self.world.firewall("firewall", FirewallSpec::without_udp());
            self.links.push(self.world.link(firewall, upstream, link.clone()));
            upstream = firewall;
        }
        let ip = if upstream == internet || preset == Preset::Open {
            format!("198.51.100.{n}")
        } else {
            format!("10.{n}.{}.9", preset.nats().len())
        };
        let v6 = format!("2001:db8:{n}::1/64");
        let host = self.world.host(&format!("host{n}"), Talker::new(), &[&ip, &v6]);
        self.world.interface(host, "wg0", InterfaceKind::Tunnel, &["100.64.0.1/10"]);
        self.links.push(self.world.link(host, upstream, link));
        self.hosts.push((host, ip));
        self.ids.push(Vec::new());
    }

    fn apply(&mut self, op: &Op) {
        let hosts = self.hosts.len();
        let at = |n: u8| usize::from(n) % hosts;
        match *op {
            Op::Bind(host, port) => {
                let id = self.world.verb(self.hosts[at(host)].0, |talker, _| {
                    talker.bind(&format!("0.0.0.0:{port}"))
                });
                self.ids[at(host)].push(id);
            }
            Op::Listen(host, port) => {
                let id = self.world.verb(self.hosts[at(host)].0, |talker, _| {
                    talker.listen(&format!("[::]:{port}"));
                    talker.listen(&format!("0.0.0.0:{port}"))
                });
                self.ids[at(host)].push(id);
            }
            Op::Send(from, socket, to, port, len) => {
                let remote = self.address(at(to), port, len % 3 == 0);
                if let Some(id) = self.id(at(from), socket) {
                    let bytes = vec![1; usize::from(len)];
                    self.world.verb(self.hosts[at(from)].0, |t, _| t.send(id, &remote, &bytes));
                }
            }
            Op::Connect(from, to, port) => {
                let remote = self.address(at(to), port, port % 2 == 0);
                let id = self.world.verb(self.hosts[at(from)].0, |t, _| t.connect(&remote));
                self.ids[at(from)].push(id);
            }
            Op::Write(host, id, len) => {
                if let Some(id) = self.id(at(host), id) {
                    let bytes = vec![2; usize::from(len)];
                    self.world.verb(self.hosts[at(host)].0, |t, _| t.write_if_open(id, &bytes));
                }
            }
            Op::Close(host, id) => {
                if let Some(id) = self.id(at(host), id) {
                    self.world.verb(self.hosts[at(host)].0, |t, _| t.close(id));
                }
            }
            Op::Wait(millis) => {
                self.world.run_for(Duration::from_millis(u64::from(millis)));
            }
            Op::SetLink(link, forward, loss, mtu) => {
                let link = self.links[usize::from(link) % self.links.len()];
                let way = if forward { Direction::Forward } else { Direction::Backward };
                self.world.set_link(link, way, Link::default().loss(loss).mtu(mtu));
            }
            Op::SetAddress(host, last) => {
                let port = self.hosts[at(host)].0.port("eth0");
                self.world.set_addresses(port, &[&format!("198.51.101.{last}/24")]);
            }
            Op::SetUp(host, up) => self.world.set_up(self.hosts[at(host)].0.port("eth0"), up),
            Op::RestartNats => self.nats.iter().for_each(|nat| self.world.restart_nat(*nat)),
        }
    }

    fn id(&self, host: usize, n: u8) -> Option<Id> {
        let ids = &self.ids[host];
        ids.get(usize::from(n) % ids.len().max(1)).copied()
    }

    /// Where `host` may be found: its own address, or the port of one of its mappings.
    fn address(&self, host: usize, port: u16, v6: bool) -> String {
        if v6 {
            return format!("[2001:db8:{host}::1]:{port}");
        }
        let nats = self.nats.iter().rev();
        let mappings = nats.flat_map(|nat| self.world.nat_table(*nat).mappings);
        let mapping = { mappings }.find(|m| m.outside.to_string().starts_with("203."));
        match mapping {
            Some(mapping) if port.is_multiple_of(2) => mapping.outside.to_string(),
            _ => format!("{}:{port}", self.hosts[host].1),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_world_breaks_a_law_and_every_world_repeats(
        seed in any::<u64>(),
        homes in prop::collection::vec((any::<u8>(), 300..1500_u16), 1..5),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        let run = || {
            let mut net = Net::new(seed, &homes);
            ops.iter().for_each(|op| net.apply(op));
            net.world.run_for(Duration::from_mins(10));
            (net.world.digest(), net.world.stats())
        };
        prop_assert_eq!(run(), run());
    }
}
