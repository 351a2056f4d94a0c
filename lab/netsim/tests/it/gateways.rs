//! NATs that run a machine of their own, groups on links, and forwarded ports.

use std::time::Duration;

use machine::{Id, Transport};
use netsim::{Forward, Link, NodeId, PortTaken, World};

use crate::talker::{Talker, Told, bind, hears, told};

/// A NAT that runs a machine, two hosts behind it, a server outside.
struct Home {
    world: World<Talker>,
    nat: NodeId,
    hosts: [(NodeId, Id); 2],
    server: (NodeId, Id),
}

const SERVER: &str = "198.51.100.1:7";

impl Home {
    fn new(nat: &str) -> Self {
        let mut world = World::new(1);
        let internet = world.router("internet");
        let server = world.host("server", Talker::echo(), &["198.51.100.1", "2001:db8::1"]);
        world.link(server, internet, Link::with_latency(Duration::from_millis(5)));
        let inside = ["10.0.0.1/24", "fe80::1/64", "2001:db8:1::1/64"];
        let nat = world.nat("nat", nat.parse().unwrap(), &inside, &["203.0.113.1"]);
        world.gateway(nat, Talker::echo());
        world.link(nat.outside(), internet, Link::default());
        let hosts = [5, 6].map(|n| {
            let addresses =
                [format!("10.0.0.{n}/24"), format!("fe80::{n}/64"), format!("2001:db8:1::{n}/64")];
            let addresses = addresses.each_ref().map(String::as_str);
            let host = world.host(&format!("host{n}"), Talker::new(), &addresses);
            world.link(host, nat, Link::with_latency(Duration::from_millis(1)));
            host
        });
        world.start();
        let server = (server, bind(&mut world, server, "0.0.0.0:7"));
        let hosts = hosts.map(|host| (host, bind(&mut world, host, "0.0.0.0:5000")));
        world.run_for(Duration::from_secs(1));
        Self { world, nat, hosts, server }
    }

    /// Forwards a UDP port to the first host.
    fn forward(&mut self, outside_port: u16, secs: Option<u64>) -> Result<(), PortTaken> {
        let inside = "10.0.0.5:5000".parse().unwrap();
        let expires = secs.map(|secs| self.world.now().mono + Duration::from_secs(secs));
        let forward = Forward { protocol: Transport::Udp, outside_port, inside, expires };
        self.world.forward_port(self.nat, forward)
    }

    /// Whether the first host hears what the server sends to a port outside.
    fn comes_in(&mut self, port: u16) -> bool {
        let remote = format!("203.0.113.1:{port}");
        !hears(&mut self.world, self.server, &remote, self.hosts[0].0).is_empty()
    }
}

fn heard(told: Vec<Told>) -> Vec<(String, String)> {
    let heard = told.into_iter().filter_map(|told| match told {
        Told::Heard { local, remote, .. } => Some((local.to_string(), remote.to_string())),
        _ => None,
    });
    heard.collect()
}

fn pair(local: &str, remote: &str) -> Vec<(String, String)> {
    vec![(local.to_owned(), remote.to_owned())]
}

#[test]
fn a_gateway_is_reached_at_its_inside_addresses_by_datagrams_and_by_connections() {
    let mut home = Home::new("mapping=apd");
    for local in ["0.0.0.0:9", "[::]:9"] {
        bind(&mut home.world, home.nat, local);
    }
    home.world.verb(home.nat, |talker, _| talker.listen("0.0.0.0:80"));
    let v6 = home.world.verb(home.hosts[1].0, |talker, _| talker.bind_on(2, "[::]:5000"));
    home.world.run_for(Duration::from_secs(1));
    for (host, socket, gateway, port) in [
        (home.hosts[0].0, home.hosts[0].1, "10.0.0.1:9", "10.0.0.5:5000"),
        (home.hosts[1].0, home.hosts[1].1, "10.0.0.1:9", "10.0.0.6:5000"),
        (home.hosts[1].0, v6, "[fe80::1]:9", "[fe80::6]:5000"),
        (home.hosts[1].0, v6, "[2001:db8:1::1]:9", "[2001:db8:1::6]:5000"),
    ] {
        home.world.verb(host, |talker, _| talker.send(socket, gateway, b"MSG"));
        // The echo comes back from the address that was asked.
        assert_eq!(heard(told(&mut home.world, host, 1.0)), pair(port, gateway));
    }
    let conn = home.world.verb(home.hosts[1].0, |talker, _| talker.connect("10.0.0.1:80"));
    assert!(told(&mut home.world, home.hosts[1].0, 1.0).contains(&Told::Connected(conn)));
    // Not from outside, where the address is that of the hosts.
    assert!(hears(&mut home.world, home.server, "203.0.113.1:9", home.nat).is_empty());
    assert_eq!(home.world.nat_table(home.nat).stats.unmapped, 1);
}

#[test]
fn what_is_sent_to_a_group_reaches_the_link_and_no_farther() {
    let mut home = Home::new("hairpin=off");
    let group = ["239.255.255.250:1900", "[ff02::c]:1900"];
    for local in ["0.0.0.0:1900", "[::]:1900"] {
        bind(&mut home.world, home.nat, local);
        bind(&mut home.world, home.server.0, local);
    }
    let (host, v4) = home.hosts[0];
    let v6 = home.world.verb(host, |talker, _| talker.bind_on(2, "[::]:5000"));
    home.world.run_for(Duration::from_secs(1));
    for (socket, group, gateway, host_at) in [
        (v4, group[0], "10.0.0.1:1900", "10.0.0.5:5000"),
        (v6, group[1], "[fe80::1]:1900", "[fe80::5]:5000"),
    ] {
        home.world.verb(host, |talker, _| talker.send(socket, group, b"SEARCH"));
        let happened = home.world.run_for(Duration::from_secs(1));
        let of = |node| {
            let of = happened.iter().filter(move |happened| happened.host == node);
            heard(
                of.filter_map(|h| {
                    if let netsim::Happening::Event(told) = &h.what {
                        Some(told.clone())
                    } else {
                        None
                    }
                })
                .collect(),
            )
        };
        assert_eq!(of(home.nat), pair(group, host_at));
        assert_eq!(of(host), pair(host_at, gateway));
        assert!(of(home.server.0).is_empty() && of(home.hosts[1].0).is_empty());
    }
    // What a gateway announces reaches every host inside.
    let everybody = home.hosts.map(|(host, _)| host);
    for host in everybody {
        bind(&mut home.world, host, "0.0.0.0:5350");
    }
    let socket = bind(&mut home.world, home.nat, "0.0.0.0:5351");
    home.world.run_for(Duration::from_secs(1));
    for host in everybody {
        home.world.verb(home.nat, |talker, _| talker.send(socket, "224.0.0.1:5350", b"NEWS"));
        assert_eq!(
            heard(told(&mut home.world, host, 1.0)),
            pair("224.0.0.1:5350", "10.0.0.1:5351")
        );
    }
}

#[test]
fn hosts_know_their_routers() {
    let home = Home::new("hairpin=off");
    let routers = |host| home.world.machine(host).routers.iter().map(ToString::to_string);
    let expected = ["10.0.0.1", "fe80::1", "2001:db8:1::1"];
    assert_eq!(routers(home.hosts[0].0).collect::<Vec<_>>(), expected);
    assert_eq!(routers(home.server.0).count() + routers(home.nat).count(), 0);
}

#[test]
fn a_forwarded_port_lets_everybody_in_and_is_the_way_out() {
    let mut home = Home::new("mapping=apd,filtering=apd,ports=random,hairpin=on");
    assert!(!home.comes_in(4000));
    home.forward(4000, None).unwrap();
    assert!(home.comes_in(4000));
    let seen = hears(&mut home.world, home.hosts[0], SERVER, home.server.0);
    assert_eq!(seen, ["203.0.113.1:4000"]);
    // The neighbour's packets are turned around, and its own mapping gets another port.
    let [alice, bob] = home.hosts;
    assert_eq!(hears(&mut home.world, bob, "203.0.113.1:4000", alice.0).len(), 1);
    let neighbour = home.world.nat_table(home.nat).mappings[0].outside;
    assert_ne!(neighbour.port(), 4000);
    // A port that somebody else inside has is not to be had.
    let bobs = "10.0.0.6:5000".parse().unwrap();
    assert_eq!(home.forward(neighbour.port(), None), Err(PortTaken(bobs)));
    assert_eq!(home.world.forwarded_ports(home.nat).len(), 1);
    let forward = home.world.forwarded_ports(home.nat)[0];
    assert!(home.world.unforward_port(home.nat, &forward).is_some());
    assert!(!home.comes_in(4000));
}

#[test]
fn a_forwarded_port_ends_with_its_lease_and_with_a_restart() {
    let mut home = Home::new("mapping=apd,filtering=apd,ports=preserve");
    home.forward(4000, Some(60)).unwrap();
    home.world.run_for(Duration::from_secs(40));
    assert!(home.comes_in(4000));
    // Asked for again it goes on.
    home.forward(4000, Some(60)).unwrap();
    home.world.run_for(Duration::from_secs(45));
    assert!(home.comes_in(4000));
    home.world.run_for(Duration::from_secs(10));
    assert!(!home.comes_in(4000));
    assert!(home.world.forwarded_ports(home.nat).is_empty());
    home.forward(4000, None).unwrap();
    home.world.restart_nat(home.nat);
    assert!(!home.comes_in(4000));
}

#[test]
fn over_ipv6_answers_come_in_and_what_has_a_pinhole() {
    for (axis, open) in [("v6=open", true), ("v6=closed", false)] {
        let mut home = Home::new(axis);
        let (host, server) = (home.hosts[0].0, home.server.0);
        let [inside, outside] = ["[2001:db8:1::5]:5000", "[2001:db8::1]:7"];
        let at_host = bind(&mut home.world, host, "[::]:5000");
        let at_server = bind(&mut home.world, server, "[::]:7");
        let comes_in =
            |world: &mut World<Talker>| !hears(world, (server, at_server), inside, host).is_empty();
        assert_eq!(comes_in(&mut home.world), open, "{axis}");
        let expires = Some(home.world.now().mono + Duration::from_secs(60));
        let inside_at = inside.parse().unwrap();
        let pinhole =
            Forward { protocol: Transport::Udp, outside_port: 5000, inside: inside_at, expires };
        home.world.forward_port(home.nat, pinhole).unwrap();
        assert!(comes_in(&mut home.world), "{axis}");
        home.world.unforward_port(home.nat, &pinhole);
        assert_eq!(comes_in(&mut home.world), open, "{axis}");
        // The answer to what goes out comes in.
        assert_eq!(hears(&mut home.world, (host, at_host), outside, host), [outside]);
        assert!(comes_in(&mut home.world), "{axis}");
        home.world.run_for(Duration::from_mins(3));
        assert_eq!(comes_in(&mut home.world), open, "{axis}");
    }
}

#[test]
fn an_application_level_gateway_changes_sip_and_nothing_else() {
    let mut home = Home::new("alg=on");
    let sip = bind(&mut home.world, home.server.0, "0.0.0.0:5060");
    _ = sip;
    let (host, socket) = home.hosts[0];
    for (port, text, expected) in [
        (
            5060,
            "OPTIONS sip:x SIP/2.0\r\nVia: 10.0.0.5:5000\r\n\r\n",
            "OPTIONS sip:x SIP/2.0\r\nVia: 203.0.113.1:5000\r\n\r\n",
        ),
        (5060, "10.0.0.5:5000", "10.0.0.5:5000"),
        (
            7,
            "OPTIONS sip:x SIP/2.0\r\nVia: 10.0.0.5:5000\r\n\r\n",
            "OPTIONS sip:x SIP/2.0\r\nVia: 10.0.0.5:5000\r\n\r\n",
        ),
    ] {
        let to = format!("198.51.100.1:{port}");
        home.world.verb(host, |talker, _| talker.send(socket, &to, text.as_bytes()));
        let told = told(&mut home.world, home.server.0, 1.0);
        let bytes = told.iter().find_map(|told| match told {
            Told::Heard { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        });
        assert_eq!(bytes, Some(expected.as_bytes()));
    }
}
