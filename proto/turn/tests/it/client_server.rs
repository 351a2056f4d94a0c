//! The client and our server in the simulated internet: every feature over every transport.

use std::time::Duration;

use machine::{Endpoint, Icmp, Instant, Transport};
use netsim::{Direction, FirewallSpec, Link, NodeId, Preset};
use turn::client::{Cause, Config, Event, Families};
use turn::{Family, RelayTransport};

use super::client_world::{Net, SECOND, SERVER, Told, client_config, peer, server, server_config};

const MINUTE: Duration = Duration::from_secs(60);

fn ways() -> impl Iterator<Item = (Transport, bool)> {
    [Transport::Udp, Transport::Tcp, Transport::Tls]
        .into_iter()
        .flat_map(|transport| [(transport, false), (transport, true)])
}

fn received(peer: Endpoint, channel: bool, payload: &[u8]) -> (Event, Vec<u8>) {
    (Event::Received { peer, channel }, payload.to_vec())
}

/// There and back between a client and the peer, by indication and by channel.
fn talk(net: &mut Net, client: NodeId, relayed: Endpoint) {
    let peer = peer(relayed.is_ipv6());
    net.verb(client, |client, now| client.permit(now, peer.ip())).unwrap();
    assert_eq!(net.events(client), [(Event::Permitted { peer: peer.ip() }, vec![])]);
    net.verb(client, |client, now| client.send(now, peer, b"echo this")).unwrap();
    assert_eq!(net.events(client), [received(peer, false, b"re: echo this")]);
    net.verb(client, |client, now| client.bind_channel(now, peer)).unwrap();
    assert_eq!(net.events(client), [(Event::ChannelBound { peer }, vec![])]);
    net.verb(client, |client, now| client.send(now, peer, b"echo that")).unwrap();
    assert_eq!(net.events(client), [received(peer, true, b"re: echo that")]);
    // The peer sees the relayed address.
    net.verb(client, |client, now| client.send(now, peer, b"!")).unwrap();
    let heard = net.run(SECOND, net.peer);
    assert_eq!(heard, [Told::Heard(relayed, b"!".to_vec())]);
}

#[test]
fn packets_over_every_transport_and_family() {
    for (transport, v6) in ways() {
        for families in [Families::V4, Families::V6, Families::Both] {
            let mut net = Net::new(server_config());
            let config = Config { families, ..client_config(server(transport, v6)) };
            let client = net.client(config);
            net.world.start();
            let allocation = net.allocated(client);
            assert_eq!(allocation.reflexive.is_ipv6(), v6);
            let wanted = match families {
                Families::V4 => vec![Family::V4],
                Families::V6 => vec![Family::V6],
                Families::Both => vec![Family::V4, Family::V6],
            };
            let given: Vec<_> =
                allocation.relayed.iter().map(|relayed| Family::of(relayed.ip())).collect();
            assert_eq!(given, wanted);
            for relayed in allocation.relayed {
                talk(&mut net, client, relayed);
            }
            net.verb(client, |client, now| client.close(now));
            assert_eq!(net.events(client), [(Event::Ended, vec![])]);
            assert_eq!(net.allocations(), 0, "{transport:?}");
        }
    }
}

#[test]
fn an_allocation_lives_as_long_as_it_is_wanted() {
    for (transport, v6) in ways() {
        let mut net = Net::new(server_config());
        let client = net.client(client_config(server(transport, v6)));
        net.world.start();
        net.allocated(client);
        let (with_channel, without) = (peer(false), Endpoint::new([198, 51, 100, 8], 1));
        net.verb(client, |client, now| {
            client.bind_channel(now, with_channel).unwrap();
            client.permit(now, without.ip()).unwrap();
        });
        net.run(MINUTE * 90, client);
        net.verb(client, |client, now| client.send(now, with_channel, b"echo still")).unwrap();
        assert_eq!(net.events(client), [received(with_channel, true, b"re: echo still")]);
        // A peer that is released is cut off when its permission ends.
        net.verb(client, |client, _| client.release(with_channel.ip()));
        net.run(MINUTE * 11, client);
        let relayed = net.verb(client, |client, _| client.allocation().unwrap().relayed[0]);
        net.peer_verb(|peer| peer.send(relayed, b"anybody there?"));
        assert!(net.events(client).is_empty());
    }
}

#[test]
fn two_clients_by_their_relayed_addresses() {
    for (transport, v6) in ways() {
        let mut net = Net::new(server_config());
        let alice = net.client(client_config(server(transport, v6)));
        let bob = net.client(client_config(server(Transport::Udp, !v6)));
        net.world.start();
        net.run(SECOND * 2, alice);
        let address = |net: &mut Net, client| {
            net.verb(client, |client, _| client.allocation().unwrap().relayed[0])
        };
        let (at_alice, at_bob) = (address(&mut net, alice), address(&mut net, bob));
        net.verb(alice, |client, now| client.permit(now, at_bob.ip())).unwrap();
        net.run(SECOND, alice);
        // One side's permission is not enough.
        net.verb(alice, |client, now| client.send(now, at_bob, b"too soon")).unwrap();
        assert!(net.events(bob).is_empty());
        net.verb(bob, |client, now| client.bind_channel(now, at_alice)).unwrap();
        net.run(SECOND, bob);
        net.verb(alice, |client, now| client.send(now, at_bob, b"hello bob")).unwrap();
        assert_eq!(net.events(bob), [received(at_alice, true, b"hello bob")]);
        net.verb(bob, |client, now| client.send(now, at_alice, b"hello alice")).unwrap();
        assert_eq!(net.events(alice), [received(at_bob, false, b"hello alice")]);
    }
}

#[test]
fn connections_to_and_from_a_peer() {
    for (transport, v6) in ways().filter(|(transport, _)| *transport != Transport::Udp) {
        for families in [Families::V4, Families::V6] {
            let mut net = Net::new(server_config());
            let relay = RelayTransport::Tcp;
            let config = Config { relay, families, ..client_config(server(transport, v6)) };
            let client = net.client(config);
            net.world.start();
            let relayed = net.allocated(client).relayed[0];
            let peer = peer(relayed.is_ipv6());
            net.verb(client, |client, now| client.permit(now, peer.ip())).unwrap();
            net.events(client);
            // Ours to the peer's.
            let conn = net.verb(client, |client, now| client.connect_peer(now, peer)).unwrap();
            let events = net.events(client);
            assert!(
                matches!(events[..], [(Event::PeerConnected { conn: c, peer: p, .. }, _)]
                    if c == conn && p == peer),
                "{events:?}"
            );
            net.verb(client, |client, now| client.write_peer(now, conn, b"echo")).unwrap();
            let events = net.events(client);
            let data = (Event::PeerData { conn }, b"re: echo".to_vec());
            assert!(events.contains(&data), "{events:?}");
            // The peer's to ours.
            net.peer_verb(|peer| peer.connect(relayed));
            let events = net.events(client);
            let [(Event::PeerConnecting { conn, peer: who }, _)] = events[..] else {
                panic!("{events:?}")
            };
            assert_eq!(who.ip(), peer.ip());
            net.verb(client, |client, now| client.accept_peer(now, conn)).unwrap();
            let events = net.events(client);
            let [(Event::PeerConnected { .. }, _), (Event::PeerData { .. }, hello)] = &events[..]
            else {
                panic!("{events:?}")
            };
            assert_eq!(hello, b"hello from a peer");
            net.verb(client, |client, now| client.close(now));
            assert!(matches!(net.events(client).last(), Some((Event::Ended, _))));
            assert_eq!(net.allocations(), 0);
        }
    }
}

#[test]
fn an_allocation_moves_with_its_client() {
    for (transport, v6) in ways() {
        let mut net = Net::new(server_config());
        let config = Config { mobility: true, ..client_config(server(transport, v6)) };
        let client = net.client(config);
        net.world.start();
        let allocation = net.allocated(client);
        assert!(allocation.mobile);
        talk(&mut net, client, allocation.relayed[0]);
        // Another address, and the client notices by itself.
        net.world.set_addresses(client.port("eth0"), &["203.0.1.77/24", "2001:db8:2:1::77/64"]);
        let events = net.run(SECOND * 30, client);
        let moved = |told: &Told| matches!(told, Told::Client(Event::Moved { .. }, _));
        assert_eq!(events.iter().filter(|told| moved(told)).count(), 1, "{transport:?} {events:?}");
        let now = net.verb(client, |client, _| client.allocation().cloned()).unwrap();
        assert_eq!(now.relayed, allocation.relayed);
        // What was permitted and bound still is.
        net.verb(client, |client, now| client.send(now, peer(false), b"echo on")).unwrap();
        assert_eq!(net.events(client), [received(peer(false), true, b"re: echo on")]);
        net.peer_verb(|peer| peer.send(allocation.relayed[0], b"still there?"));
        assert_eq!(net.events(client), [received(peer(false), true, b"still there?")]);
        net.run(MINUTE * 30, client);
        assert_eq!(net.allocations(), 1);
        net.verb(client, |client, now| client.close(now));
        net.run(SECOND * 5, client);
        assert_eq!(net.allocations(), 0);
    }
}

#[test]
fn an_even_port_and_the_one_reserved_with_it() {
    let mut net = Net::new(server_config());
    let way = server(Transport::Udp, false);
    let config = Config { even_port: Some(true), ..client_config(way.clone()) };
    let first = net.client(config);
    net.world.start();
    let allocation = net.allocated(first);
    let port = allocation.relayed[0].port();
    assert!(port.is_multiple_of(2));
    let config = Config { reservation: allocation.reservation, ..client_config(way) };
    let second = net.client(config);
    net.world.start();
    assert_eq!(net.allocated(second).relayed[0].port(), port + 1);
}

#[test]
fn what_the_network_says_about_a_peer() {
    let mut net = Net::new(server_config());
    let client = net.client(client_config(server(Transport::Udp, false)));
    net.world.start();
    net.allocated(client);
    let nobody = peer(false).with_port(4001);
    net.verb(client, |client, now| client.permit(now, nobody.ip())).unwrap();
    net.events(client);
    net.verb(client, |client, now| client.send(now, nobody, b"anybody?")).unwrap();
    let events = net.events(client);
    let [(Event::Icmp { peer, error }, _)] = events[..] else { panic!("{events:?}") };
    assert_eq!((peer, error.icmp(Family::V4)), (nobody, Some(Icmp::PortUnreachable)));
}

#[test]
fn peers_that_are_none_of_ours_to_reach() {
    let mut net = Net::new(server_config());
    let client = net.client(client_config(server(Transport::Udp, false)));
    net.world.start();
    net.allocated(client);
    for (peer, code) in [("10.0.0.1", 403), ("127.0.0.9", 403), ("2001:db8:3::7", 443)] {
        let peer = Endpoint::new(peer.parse::<std::net::IpAddr>().unwrap(), 4000);
        net.verb(client, |client, now| client.bind_channel(now, peer)).unwrap();
        let events = net.events(client);
        let [(Event::PeerRefused { cause, .. }, _)] = &events[..] else { panic!("{events:?}") };
        assert_eq!(cause.code(), Some(code), "{peer}");
    }
}

#[test]
fn a_quota_and_a_full_server() {
    for (set, code) in [
        ((|limits| limits.allocations_per_user = 1) as fn(&mut turn::server::Limits), 486),
        (|limits| limits.allocations = 1, 508),
    ] {
        let mut config = server_config();
        set(&mut config.limits);
        let mut net = Net::new(config);
        let first = net.client(client_config(server(Transport::Udp, false)));
        net.world.start();
        net.allocated(first);
        let second = net.client(client_config(server(Transport::Tcp, false)));
        net.world.start();
        let events = net.events(second);
        let Some((Event::Waiting { failure, .. }, _)) = events.last() else { panic!("{events:?}") };
        assert_eq!(failure.cause.code(), Some(code));
        // It comes by itself once there is room.
        net.verb(first, |client, now| client.close(now));
        let told = net.run(MINUTE * 2, second);
        assert!(matches!(told.last(), Some(Told::Client(Event::Allocated(_), _))), "{told:?}");
    }
}

#[test]
fn a_server_that_drains_names_another() {
    for (transport, v6) in ways() {
        let mut config = server_config();
        let elsewhere =
            Endpoint::new(SERVER[usize::from(v6)].parse::<std::net::IpAddr>().unwrap(), 9);
        config.alternates = vec![elsewhere];
        let mut net = Net::new(config);
        net.world.start();
        net.run(SECOND, net.server);
        net.server_verb(|server, now| server.drain(now));
        let client = net.client(client_config(server(transport, v6)));
        net.world.start();
        let told = net.run(MINUTE, client);
        let Some(Told::Client(Event::Failed(failure), _)) = told.last() else { panic!("{told:?}") };
        // There is nobody at the other server, and the failure is its own.
        assert_eq!(failure.server.endpoint, elsewhere, "{told:?}");
        assert!(failure.cause.code().is_none());
    }
}

#[test]
fn a_wrong_password() {
    for (transport, v6) in ways() {
        let mut net = Net::new(server_config());
        let credentials = Some(stun::Credentials::new("alice", "wrong").unwrap());
        let config = Config { credentials, ..client_config(server(transport, v6)) };
        let client = net.client(config);
        net.world.start();
        let events = net.events(client);
        let Some((Event::Failed(failure), _)) = events.last() else { panic!("{events:?}") };
        assert!(matches!(failure.cause, Cause::Credentials(_)));
    }
}

#[test]
fn a_certificate_for_another_name() {
    let mut net = Net::new(server_config());
    let mut server = server(Transport::Tls, false);
    server.name = "turn.example.com".to_owned();
    let client = net.client(client_config(server));
    net.world.start();
    let events = net.events(client);
    let Some((Event::Failed(failure), _)) = events.last() else { panic!("{events:?}") };
    assert!(failure.cause.remedy().contains("certificate"), "{failure}");
}

/// Servers over UDP, TCP and TLS, behind a firewall and a NAT.
fn behind(spec: Option<FirewallSpec>, preset: Preset) -> (Net, NodeId) {
    let mut net = Net::new(server_config());
    let servers = [Transport::Udp, Transport::Tcp, Transport::Tls].map(|way| server(way, false));
    let config = Config { servers: servers.into(), ..client_config(server(Transport::Udp, false)) };
    let client = net.lone_client(config, &["192.168.0.2/24"]);
    let nat = preset.nats().remove(0);
    let nat = net.world.nat("nat", nat, &["192.168.0.254/24"], &["203.0.113.1/24"]);
    net.world.link(client, nat, Link::default());
    let outside = Link::with_latency(Duration::from_millis(10));
    match spec {
        Some(spec) => {
            let firewall = net.world.firewall("firewall", spec);
            net.world.link(nat.outside(), firewall, Link::default());
            net.world.link(firewall, net.internet, outside);
        }
        None => {
            net.world.link(nat.outside(), net.internet, outside);
        }
    }
    net.world.start();
    (net, client)
}

#[test]
fn the_best_way_that_is_open() {
    let (mut net, client) = behind(None, Preset::Symmetric);
    let allocation = net.allocated(client);
    assert_eq!(allocation.server.transport, Transport::Udp);
    talk(&mut net, client, allocation.relayed[0]);
    // The NAT forgets nothing, though nobody speaks for an hour.
    net.run(MINUTE * 60, client);
    net.peer_verb(|peer| peer.send(allocation.relayed[0], b"long time no see"));
    assert_eq!(net.events(client), [received(peer(false), true, b"long time no see")]);
}

#[test]
fn a_firewall_that_lets_no_udp_through() {
    // Silently, or with an ICMP error that spares the wait.
    for (rejects, soon) in [(false, 900), (true, 300)] {
        let spec = FirewallSpec { rejects, ..FirewallSpec::without_udp() };
        let (mut net, client) = behind(Some(spec), Preset::PortRestricted);
        let told = net.run(Duration::from_millis(soon), client);
        let Some(Told::Client(Event::Allocated(allocation), _)) = told.last() else {
            panic!("{told:?}")
        };
        assert_eq!(allocation.server.transport, Transport::Tcp);
        let relayed = allocation.relayed[0];
        talk(&mut net, client, relayed);
        net.run(SECOND * 20, client);
        assert_eq!(net.allocations(), 1);
    }
}

#[test]
fn attempts_that_lost_leave_nothing_behind() {
    // A round trip that is longer than the time between two attempts: all three are made.
    let mut net = Net::new(server_config());
    let servers = [Transport::Udp, Transport::Tcp, Transport::Tls].map(|way| server(way, false));
    let config = Config { servers: servers.into(), ..client_config(server(Transport::Udp, false)) };
    let client = net.lone_client(config, &["203.0.113.2/24"]);
    net.world.link(client, net.internet, Link::with_latency(Duration::from_millis(600)));
    net.world.start();
    let told = net.run(SECOND * 30, client);
    let allocated = |told: &&Told| matches!(told, Told::Client(Event::Allocated(_), _));
    assert_eq!(told.iter().filter(allocated).count(), 1, "{told:?}");
    assert_eq!(net.allocations(), 1);
}

/// Half a minute of voice over TLS through a link that loses packets, all of them for five seconds:
/// how many packets arrived within a second, and how many later.
fn voice(loss: f64, outage: bool) -> [usize; 2] {
    let mut net = Net::new(server_config());
    let client = net.lone_client(client_config(server(Transport::Tls, false)), &["203.0.113.2/24"]);
    let link = Link::with_latency(Duration::from_millis(30));
    let link_id = net.world.link(client, net.internet, link.clone());
    net.world.start();
    net.allocated(client);
    net.verb(client, |client, now| client.bind_channel(now, peer(false))).unwrap();
    net.events(client);
    let mut heard = [0, 0];
    for n in 0..1500 {
        let lost = if outage && (500..750).contains(&n) { 1.0 } else { loss };
        net.world.set_link(link_id, Direction::Forward, link.clone().loss(lost));
        net.verb(client, |client, now| {
            let sent = [&now.mono.as_nanos().to_be_bytes()[..], &[0; 164]].concat();
            client.send(now, peer(false), &sent)
        })
        .unwrap();
        for (at, bytes) in net.heard(Duration::from_millis(20)) {
            let sent = Instant::from_nanos(u64::from_be_bytes(*bytes.first_chunk().unwrap()));
            heard[usize::from(at - sent > SECOND)] += 1;
        }
    }
    heard
}

#[test]
fn a_congested_connection_loses_media_rather_than_time() {
    for loss in [0.0, 0.02, 0.1] {
        let [in_time, late] = voice(loss, false);
        assert!(in_time > 1480 && late == 0, "{loss}: {in_time} {late}");
    }
    // What was on its way when the outage began comes late; TCP leaves no choice there.
    let [in_time, late] = voice(0.0, true);
    assert!(in_time > 1150 && late < 20, "{in_time} {late}");
}
