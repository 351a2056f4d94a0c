//! NATs by their axes.

use std::time::Duration;

use machine::{Icmp, Id, Transport};
use netsim::{FirewallSpec, Link, NodeId, Preset, World};

use crate::talker::{Talker, Told, bind, hears, told};

/// Two hosts behind one NAT (or behind several in a row), two servers outside.
struct Home {
    world: World<Talker>,
    nats: Vec<NodeId>,
    hosts: [(NodeId, Id); 2],
    servers: [(NodeId, Id); 2],
}

const SERVERS: [&str; 2] = ["198.51.100.1:7", "198.51.100.2:7"];

impl Home {
    fn new(nats: &[&str]) -> Self {
        let mut world = World::new(1);
        let internet = world.router("internet");
        let servers = ["198.51.100.1", "198.51.100.2"].map(|ip| {
            let host = world.host(ip, Talker::echo(), &[ip]);
            world.link(host, internet, Link::with_latency(Duration::from_millis(5)));
            host
        });
        // From the outside in; each NAT's outside address is in the network of the one before.
        let mut upstream = internet;
        let mut ids = Vec::new();
        for (n, nat) in nats.iter().rev().enumerate() {
            let outside =
                if n == 0 { "203.0.113.1".to_owned() } else { format!("10.{}.0.2/16", n - 1) };
            let inside = format!("10.{n}.0.1/16");
            let spec = nat.parse().unwrap();
            let nat = world.nat(&format!("nat{n}"), spec, &[&inside], &[&outside]);
            world.link(nat.outside(), upstream, Link::default());
            upstream = nat;
            ids.push(nat);
        }
        ids.reverse();
        let net = nats.len() - 1;
        let hosts = [5, 6].map(|last| {
            let ip = format!("10.{net}.0.{last}");
            let host = world.host(&ip, Talker::new(), &[&format!("{ip}/16")]);
            world.link(host, upstream, Link::default());
            host
        });
        world.start();
        let servers = servers.map(|server| (server, bind(&mut world, server, "0.0.0.0:7")));
        let hosts = hosts.map(|host| (host, bind(&mut world, host, "0.0.0.0:5000")));
        told(&mut world, hosts[0].0, 1.0);
        Self { world, nats: ids, hosts, servers }
    }

    /// The outside endpoint that `host` has for `server`.
    fn outside(&mut self, host: usize, server: usize) -> String {
        let seen =
            hears(&mut self.world, self.hosts[host], SERVERS[server], self.servers[server].0);
        assert_eq!(seen.len(), 1);
        seen[0].clone()
    }

    /// Whether `host` hears `server` when that one sends to `outside`.
    fn inbound(&mut self, server: usize, outside: &str, host: usize) -> bool {
        !hears(&mut self.world, self.servers[server], outside, self.hosts[host].0).is_empty()
    }
}

fn port(endpoint: &str) -> u16 {
    endpoint.rsplit(':').next().unwrap().parse().unwrap()
}

#[test]
fn mapping_decides_who_sees_the_same_port() {
    for (mapping, same_host, other_host) in
        [("ei", true, true), ("ad", true, false), ("apd", false, false)]
    {
        let mut home = Home::new(&[&format!("mapping={mapping},ports=sequential")]);
        let (alice, server) = (home.hosts[0], home.servers[0].0);
        let second_port = bind(&mut home.world, server, "0.0.0.0:8");
        let first = home.outside(0, 0);
        let other_port = hears(&mut home.world, alice, "198.51.100.1:8", server);
        assert_eq!(other_port == [first.clone()], same_host, "{mapping}");
        assert_eq!(home.outside(0, 1) == first, other_host, "{mapping}");
        _ = second_port;
    }
}

#[test]
fn ports_are_preserved_counted_drawn_or_listed() {
    let mut home = Home::new(&["ports=preserve"]);
    assert_eq!(home.outside(0, 0), "203.0.113.1:5000");
    // The second host wants the same port and gets the next one.
    assert_eq!(home.outside(1, 0), "203.0.113.1:5001");

    let mut home = Home::new(&["ports=sequential,mapping=apd"]);
    let (first, second) = (port(&home.outside(0, 0)), port(&home.outside(0, 1)));
    assert_eq!(second, first + 1);

    let mut home = Home::new(&["ports=random,mapping=apd"]);
    let (first, second) = (port(&home.outside(0, 0)), port(&home.outside(0, 1)));
    assert!(first >= 1024 && second >= 1024 && first.abs_diff(second) > 1);

    let mut home = Home::new(&["ports=list:9391,mapping=apd"]);
    assert_eq!(home.outside(0, 0), "203.0.113.1:9391");
    // The list is used up: nothing gets through, and the NAT counts it.
    let (alice, server) = (home.hosts[0], home.servers[1].0);
    assert!(hears(&mut home.world, alice, SERVERS[1], server).is_empty());
    assert_eq!(home.world.nat_table(home.nats[0]).stats.exhausted, 1);
}

#[test]
fn hairpinning_is_an_axis() {
    for (hairpin, expected) in [("on", vec!["203.0.113.1:5000"]), ("off", vec![])] {
        let mut home = Home::new(&[&format!("filtering=ei,hairpin={hairpin}")]);
        home.outside(0, 0);
        let other = home.outside(1, 0);
        // The other host sees the external source address (RFC 4787 REQ-9a).
        let (alice, bob) = (home.hosts[0], home.hosts[1].0);
        assert_eq!(hears(&mut home.world, alice, &other, bob), expected);
        let stats = home.world.nat_table(home.nats[0]).stats;
        assert_eq!(
            (stats.hairpinned, stats.not_hairpinned),
            if hairpin == "on" { (1, 0) } else { (0, 1) }
        );
    }
}

#[test]
fn hairpinning_obeys_the_filter() {
    let mut home = Home::new(&["filtering=apd,hairpin=on"]);
    let (first, other) = (home.outside(0, 0), home.outside(1, 0));
    let [alice, bob] = home.hosts;
    assert!(hears(&mut home.world, alice, &other, bob.0).is_empty());
    assert_eq!(hears(&mut home.world, bob, &first, alice.0), [other]);
}

#[test]
fn inside_hosts_reach_each_other_without_translation() {
    let mut home = Home::new(&["filtering=apd"]);
    let [alice, bob] = home.hosts;
    assert_eq!(hears(&mut home.world, alice, "10.0.0.6:5000", bob.0), ["10.0.0.5:5000"]);
    assert!(home.world.nat_table(home.nats[0]).mappings.is_empty());
}

#[test]
fn mappings_expire_and_are_refreshed_from_inside() {
    let mut home = Home::new(&["filtering=ei,lifetime=30s"]);
    let outside = home.outside(0, 0);
    for _ in 0..5 {
        home.world.run_for(Duration::from_secs(15));
        assert_eq!(home.outside(0, 0), outside);
    }
    assert!(home.inbound(1, &outside, 0));
    // Nothing from inside for longer than the lifetime; packets from outside do not help.
    home.world.run_for(Duration::from_secs(15));
    assert!(!home.inbound(1, &outside, 0));
    let table = home.world.nat_table(home.nats[0]);
    assert!(table.mappings.is_empty());
    assert_eq!(table.stats.unmapped, 1);
}

#[test]
fn packets_from_outside_refresh_where_the_axis_says_so() {
    let mut home = Home::new(&["filtering=apd,lifetime=30s,refresh=both"]);
    let outside = home.outside(0, 0);
    for _ in 0..5 {
        home.world.run_for(Duration::from_secs(15));
        assert!(home.inbound(0, &outside, 0));
    }
}

#[test]
fn a_filter_closes_while_the_mapping_lives() {
    let mut home = Home::new(&["filtering=apd,lifetime=30s"]);
    let outside = home.outside(0, 0);
    home.world.run_for(Duration::from_secs(15));
    assert_eq!(home.outside(0, 1), outside);
    home.world.run_for(Duration::from_secs(10));
    assert!(home.inbound(1, &outside, 0));
    assert!(!home.inbound(0, &outside, 0));
}

#[test]
fn a_restart_forgets() {
    let mut home = Home::new(&["filtering=ei"]);
    let outside = home.outside(0, 0);
    home.world.restart_nat(home.nats[0]);
    assert!(!home.inbound(0, &outside, 0));
}

#[test]
fn nested_nats_translate_twice() {
    for (presets, reaches) in [
        ([Preset::FullCone, Preset::FullCone], true),
        ([Preset::Symmetric, Preset::FullCone], false),
        ([Preset::FullCone, Preset::PortRestricted], false),
    ] {
        let specs = presets.map(|preset| preset.nats()[0].to_string());
        let mut home = Home::new(&[&specs[0], &specs[1]]);
        let outside = home.outside(0, 0);
        assert!(outside.starts_with("203.0.113.1:"));
        let inner = home.world.nat_table(home.nats[0]).mappings;
        let outer = home.world.nat_table(home.nats[1]).mappings;
        assert_eq!(inner[0].outside, outer[0].inside);
        assert_eq!(outer[0].outside.to_string(), outside);
        assert!(home.inbound(0, &outside, 0));
        assert_eq!(home.inbound(1, &outside, 0), reaches, "{presets:?}");
    }
}

#[test]
fn icmp_errors_come_back_through_nats() {
    let mut home = Home::new(&["filtering=apd", "filtering=apd"]);
    let (alice, socket) = home.hosts[0];
    home.world.verb(alice, |talker, _| talker.send(socket, "198.51.100.1:9", b"nobody"));
    let expected = Told::Unreachable("198.51.100.1:9".parse().unwrap(), Icmp::PortUnreachable);
    assert_eq!(told(&mut home.world, alice, 1.0), [expected]);
    // And from inside to outside: the host behind has closed its socket.
    let outside = home.outside(0, 0);
    home.world.verb(alice, |talker, _| talker.close(socket));
    let (server, server_socket) = home.servers[0];
    home.world.verb(server, |talker, _| talker.send(server_socket, &outside, b"late"));
    let expected = Told::Unreachable(outside.parse().unwrap(), Icmp::PortUnreachable);
    assert_eq!(told(&mut home.world, server, 1.0), [expected]);
}

#[test]
fn tcp_has_mappings_of_its_own() {
    let mut home = Home::new(&["filtering=apd,lifetime=30s"]);
    let (alice, (server, _)) = (home.hosts[0].0, home.servers[0]);
    home.world.verb(server, |talker, _| talker.listen("0.0.0.0:80"));
    let conn = home.world.verb(alice, |talker, _| talker.connect("198.51.100.1:80"));
    assert_eq!(told(&mut home.world, alice, 1.0), [Told::Connected(conn)]);
    // The connection outlives UDP's lifetime.
    home.world.run_for(Duration::from_hours(1));
    home.world.verb(alice, |talker, _| talker.write(conn, b"still here"));
    let heard = told(&mut home.world, server, 1.0);
    assert!(matches!(&heard[..], [Told::Data(_, bytes)] if bytes == b"still here"));
    let table = home.world.nat_table(home.nats[0]);
    assert_eq!(table.mappings.len(), 1);
    assert_eq!(table.mappings[0].protocol, Transport::Tcp);
    // Closed by both, it goes within minutes.
    home.world.verb(alice, |talker, _| talker.close(conn));
    home.world.run_for(Duration::from_mins(5));
    assert!(home.world.nat_table(home.nats[0]).mappings.is_empty());
}

#[test]
fn a_nat_forgets_a_silent_tcp_connection() {
    let mut home = Home::new(&["tcp-lifetime=1m"]);
    let (alice, server) = (home.hosts[0].0, home.servers[0].0);
    home.world.verb(server, |talker, _| talker.listen("0.0.0.0:80"));
    home.world.verb(alice, |talker, _| talker.connect("198.51.100.1:80"));
    let accepted = told(&mut home.world, server, 1.0);
    let Some(&Told::Accepted(conn, _)) = accepted.last() else { panic!("{accepted:?}") };
    home.world.run_for(Duration::from_mins(2));
    home.world.verb(server, |talker, _| talker.write(conn, b"are you there?"));
    let end = told(&mut home.world, server, 600.0);
    assert_eq!(end, [Told::Closed(conn, machine::CloseReason::TimedOut)]);
}

#[test]
fn ipv6_passes_as_it_is() {
    let mut world = World::new(1);
    let alice = world.host("alice", Talker::new(), &["192.168.0.2/24", "2001:db8:1::2/64"]);
    let server = world.host("server", Talker::new(), &["2001:db8:2::1/64"]);
    let spec = Preset::Symmetric.nats().remove(0);
    let nat = world.nat("nat", spec, &["192.168.0.1/24", "2001:db8:1::1/64"], &["203.0.113.1"]);
    world.link(alice, nat, Link::default());
    world.link(server, nat.outside(), Link::default());
    world.start();
    let socket = bind(&mut world, alice, "[::]:5000");
    let server_socket = bind(&mut world, server, "[::]:7");
    let seen = hears(&mut world, (alice, socket), "[2001:db8:2::1]:7", server);
    assert_eq!(seen, ["[2001:db8:1::2]:5000"]);
    let back = hears(&mut world, (server, server_socket), &seen[0], alice);
    assert_eq!(back, ["[2001:db8:2::1]:7"]);
}

#[test]
fn a_firewall_without_udp_lets_tcp_through() {
    for (rejects, expected) in [(false, vec![]), (true, vec![Icmp::Prohibited])] {
        let mut world = World::new(1);
        let alice = world.host("alice", Talker::new(), &["203.0.113.5"]);
        let server = world.host("server", Talker::echo(), &["198.51.100.1"]);
        let spec = FirewallSpec { rejects, ..FirewallSpec::without_udp() };
        let firewall = world.firewall("firewall", spec);
        world.link(alice, firewall, Link::default());
        world.link(firewall, server, Link::default());
        world.start();
        let socket = bind(&mut world, alice, "0.0.0.0:0");
        bind(&mut world, server, "0.0.0.0:7");
        world.verb(server, |talker, _| talker.listen("0.0.0.0:80"));
        world.run_for(Duration::from_secs(1));
        world.verb(alice, |talker, _| talker.send(socket, "198.51.100.1:7", b"udp"));
        let told_by_udp = told(&mut world, alice, 1.0);
        let remote = "198.51.100.1:7".parse().unwrap();
        let expected: Vec<_> =
            expected.into_iter().map(|icmp| Told::Unreachable(remote, icmp)).collect();
        assert_eq!(told_by_udp, expected);
        let conn = world.verb(alice, |talker, _| talker.connect("198.51.100.1:80"));
        assert_eq!(told(&mut world, alice, 1.0), [Told::Connected(conn)]);
    }
}

#[test]
fn a_table_prints_as_on_the_slides() {
    let mut home = Home::new(&["filtering=ad,lifetime=30s"]);
    home.outside(0, 0);
    let text = home.world.nat_table(home.nats[0]).to_string();
    assert_eq!(
        text,
        "mapping=ei,filtering=ad,ports=preserve,hairpin=off,lifetime=30s\n\
         \x20   inside                outside               active connections\n\
         udp 10.0.0.5:5000         203.0.113.1:5000      198.51.100.1:7\n\
         out 1 in 1 hairpinned 0 filtered 0 unmapped 0 exhausted 0 not hairpinned 0\n"
    );
}
