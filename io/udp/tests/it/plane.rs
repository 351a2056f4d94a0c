//! What a plane does with packets, sockets and errors.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use machine::{BindKind, Endpoint, Icmp, Ids};
use relay::{Cause, Change, FlowId};
use stun::{Builder, Message, Method, TransactionId};
use wayleave_udp::{Arrival, Arrivals, Plane, PlaneConfig, Socket, Transmit};

use crate::world::{World, alone, channel_data, local, next, soon};

/// Every arrival until `enough`.
fn arrivals(world: &mut World, mut each: impl FnMut(Arrival<'_>), enough: impl Fn() -> bool) {
    let mut batch = Arrivals::default();
    let all = soon(|| {
        let mut cx = Context::from_waker(Waker::noop());
        if world.incoming.poll_receive(&mut cx, &mut batch).is_ready() {
            batch.iter().for_each(&mut each);
        }
        enough()
    });
    assert!(all, "they come");
}

#[test]
fn both_ways_over_every_shard_and_family() {
    let _alone = alone();
    for mut world in [World::new(1), World::new(3), World::v6(2)] {
        for id in 0..20 {
            let (client, peer) = (world.socket(), world.socket());
            let relayed = world.flow(id, &client, &[local(&peer)]);
            // There at once: the change was told before the packet was sent.
            world.send(&client, &channel_data(b"there"));
            assert_eq!(next(&peer), (b"there".to_vec(), relayed.external));
            peer.send_to(b"and back", SocketAddr::from(relayed.external)).unwrap();
            assert_eq!(next(&client), (channel_data(b"and back"), world.server));
        }
        assert!(soon(|| {
            let relay = world.plane.counters().relay;
            (relay.client_to_peer.packets, relay.peer_to_client.packets) == (20, 20)
        }));
    }
}

#[test]
fn a_listener_on_every_address_answers_from_the_one_that_was_asked() {
    let _alone = alone();
    for ip in ["127.0.0.1", "127.0.0.2", "::1"].map(|ip| ip.parse().unwrap()) {
        let mut world = World::at(2, ip, true);
        let (client, peer) = (world.socket(), world.socket());
        let relayed = world.flow(1, &client, &[local(&peer)]);
        world.send(&client, &channel_data(b"there"));
        assert_eq!(next(&peer).0, b"there");
        peer.send_to(b"back", SocketAddr::from(relayed.external)).unwrap();
        assert_eq!(next(&client), (channel_data(b"back"), world.server));
    }
}

#[test]
fn between_two_clients_without_a_socket_between() {
    let _alone = alone();
    let mut world = World::new(2);
    let (a, b) = (world.socket(), world.socket());
    let relayed_a = world.flow(1, &a, &[]);
    let relayed_b = world.flow(2, &b, &[relayed_a.external]);
    world.allow(1, &[relayed_b.external]);
    world.send(&a, &channel_data(b"hello"));
    assert_eq!(next(&b), (channel_data(b"hello"), world.server));
    assert!(soon(|| world.plane.counters().relay.client_to_client.packets == 1));
}

#[test]
fn what_was_removed_forwards_nothing() {
    let _alone = alone();
    let mut world = World::new(1);
    let (a, b, peer) = (world.socket(), world.socket(), world.socket());
    world.flow(1, &a, &[local(&peer)]);
    world.flow(2, &b, &[local(&peer)]);
    world.send(&a, &channel_data(b"1"));
    assert_eq!(next(&peer).0, b"1");
    world.plane.apply(Change::Remove(FlowId(1)));
    world.send(&a, &channel_data(b"2"));
    world.send(&b, &channel_data(b"3"));
    assert_eq!(next(&peer).0, b"3");
    assert!(soon(|| world.plane.counters().relay.drops(Cause::NoFlow) == 1));
}

#[test]
fn trains_go_through_whole_or_in_pieces() {
    let _alone = alone();
    let mut world = World::new(1);
    let peers = [world.socket(), world.socket()];
    let client = Socket::bind("127.0.0.1:0".parse().unwrap(), None).unwrap();
    let relayed = world.flow(1, client.owner(), &peers.each_ref().map(local));
    let send = |bytes: &[u8], size| {
        let transmit =
            Transmit { source: None, remote: world.server, segment_size: Some(size), bytes };
        assert_eq!(client.send(transmit).unwrap(), bytes.len());
    };
    let data: Vec<Vec<u8>> = (0..8_u8).map(|n| vec![n; 1000]).collect();
    let framed: Vec<Vec<u8>> = data.iter().map(|data| channel_data(data)).collect();
    send(&framed.concat(), 1004);
    data.iter().for_each(|data| assert_eq!(next(&peers[0]), (data.clone(), relayed.external)));
    // Two channels in one train.
    let mut other = channel_data(b"other");
    other[1] += 1;
    send(&[channel_data(b"first"), other].concat(), 9);
    assert_eq!(next(&peers[0]).0, b"first");
    assert_eq!(next(&peers[1]).0, b"other");
    // Binding requests in one train.
    let binding = |n| Builder::request(Method::BINDING, TransactionId([n; 12])).finish();
    send(&[binding(1), binding(2)].concat(), 20);
    client.owner().set_nonblocking(false).unwrap();
    let ids = [next(client.owner()), next(client.owner())];
    let ids = ids.map(|(bytes, _)| Message::parse(&bytes).unwrap().id());
    assert_eq!(ids, [TransactionId([1; 12]), TransactionId([2; 12])]);
    // And the other way.
    let peer = Socket::adopt(peers[0].try_clone().unwrap()).unwrap();
    let bytes = data.concat();
    let transmit = Transmit {
        source: None,
        remote: relayed.external,
        segment_size: Some(1000),
        bytes: &bytes,
    };
    assert_eq!(peer.send(transmit).unwrap(), bytes.len());
    // This client takes trains whole.
    let mut got = Vec::new();
    while got.len() < framed.concat().len() {
        got.extend(next(client.owner()).0);
    }
    assert!(got == framed.concat());
}

#[test]
fn bindings_are_answered_by_the_shard() {
    let _alone = alone();
    let world = World::v6(2);
    let client = world.socket();
    let request = Builder::request(Method::BINDING, TransactionId([7; 12])).finish();
    world.send(&client, &request);
    let (answer, from) = next(&client);
    let answer = Message::parse(&answer).unwrap();
    assert_eq!((answer.reflexive_address(), from), (Some(local(&client)), world.server));
    assert!(soon(|| world.plane.counters().bindings == 1));
    assert_eq!(world.plane.counters().control, 0);
}

#[test]
fn requests_come_to_control_and_are_answered_by_it() {
    let _alone = alone();
    let mut world = World::new(2);
    let client = world.socket();
    let allocate = Builder::request(Method::new(3), TransactionId([7; 12])).finish();
    world.send(&client, &allocate);
    let (listener, server, plane) = (world.listener, world.server, world.plane.clone());
    let got = std::cell::Cell::new(false);
    let each = |arrival: Arrival<'_>| {
        let bytes = &allocate[..];
        let remote = local(&client);
        let expected = Arrival::Datagram {
            socket: listener,
            local: server,
            remote,
            segment_size: None,
            relayed: false,
            bytes,
        };
        assert_eq!(arrival, expected);
        let transmit = Transmit { source: None, remote, segment_size: None, bytes: b"401" };
        assert_eq!(plane.send(listener, transmit, false).unwrap(), 3);
        got.set(true);
    };
    arrivals(&mut world, each, || got.get());
    assert_eq!(next(&client), (b"401".to_vec(), world.server));
    assert!(soon(|| world.plane.counters().control == 1));
}

#[test]
fn the_network_says_that_nobody_is_there() {
    let _alone = alone();
    for mut world in [World::new(2), World::v6(1)] {
        let client = world.socket();
        let gone = local(&world.socket());
        let relayed = world.flow(1, &client, &[gone]);
        let told = std::cell::Cell::new(false);
        let expected = Arrival::Unreachable {
            socket: relayed.socket,
            remote: gone,
            icmp: Icmp::PortUnreachable,
        };
        world.send(&client, &channel_data(b"anybody?"));
        let each = |arrival: Arrival<'_>| {
            assert_eq!(arrival, expected);
            told.set(true);
        };
        arrivals(&mut world, each, || told.get());
        // The socket goes on: what the network said costs no datagram.
        let peer = world.socket();
        world.allow(1, &[local(&peer)]);
        let mut data = channel_data(b"you");
        data[1] += 1;
        world.send(&client, &channel_data(b"anybody?"));
        world.send(&client, &data);
        assert_eq!(next(&peer).0, b"you");
    }
}

#[test]
fn addresses_are_taken_by_one_plane_and_free_after_it() {
    let _alone = alone();
    let mut world = World::new(2);
    let mut ids = Ids::new(9);
    let config = PlaneConfig {
        shards: 2,
        clock: || machine::Instant::ORIGIN,
        entropy: machine::Entropy::seeded(1),
    };
    let (other, _incoming) = Plane::start(config).unwrap();
    let taken = other.bind(ids.next_id(), BindKind::SharedUdp, world.server, None);
    assert_eq!(taken.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let client = world.socket();
    let relayed = world.flow(1, &client, &[]);
    let bind =
        |ids: &mut Ids, at: Endpoint, kind| other.bind(ids.next_id(), kind, at, None).is_ok();
    assert!(!bind(&mut ids, relayed.local, BindKind::RelayUdp));
    world.plane.close(relayed.socket);
    assert!(soon(|| bind(&mut ids, relayed.local, BindKind::RelayUdp)));
    let transmit =
        Transmit { source: None, remote: world.server, segment_size: None, bytes: b"late" };
    let late = world.plane.send(relayed.socket, transmit, false);
    assert_eq!(late.unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let (server, World { plane, mut incoming, .. }) = (world.server, world);
    drop(plane);
    assert!(bind(&mut ids, server, BindKind::SharedUdp));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(incoming.poll_receive(&mut cx, &mut Arrivals::default()), Poll::Ready(None));
}

#[test]
fn a_socket_that_was_bound_before() {
    let _alone = alone();
    let mut world = World::new(2);
    let inherited = world.socket();
    let (client, peer) = (world.socket(), world.socket());
    world.listener = world.ids.next_id();
    world.server = world.plane.adopt(world.listener, BindKind::SharedUdp, inherited).unwrap();
    world.flow(1, &client, &[local(&peer)]);
    world.send(&client, &channel_data(b"there"));
    assert_eq!(next(&peer).0, b"there");
    let other = world.plane.adopt(world.ids.next_id(), BindKind::Udp, world.socket());
    assert_eq!(other.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_peer_that_is_sent_to_for_long_changes_nothing_that_is_seen() {
    let _alone = alone();
    for mut world in [World::new(1), World::new(2), World::v6(1)] {
        let (client, peers) = (world.socket(), [world.socket(), world.socket()]);
        let relayed = world.flow(1, &client, &peers.each_ref().map(local));
        let mut other = channel_data(b"there");
        other[1] += 1;
        for (peer, data) in [(&peers[0], channel_data(b"there")), (&peers[1], other)] {
            for _ in 0..100 {
                world.send(&client, &data);
                assert_eq!(next(peer), (b"there".to_vec(), relayed.external));
            }
            // From this peer and from the other, wherever the kernel puts it.
            for peer in &peers {
                peer.send_to(b"back", SocketAddr::from(relayed.external)).unwrap();
                assert_eq!(next(&client).0[4..], *b"back");
            }
        }
        let gone = local(&peers[1]);
        drop(peers);
        world.send(&client, &channel_data(b"anybody?"));
        let told = std::cell::Cell::new(false);
        let each = |arrival: Arrival<'_>| {
            if let Arrival::Unreachable { socket, remote, icmp } = arrival {
                let port = Icmp::PortUnreachable;
                assert_eq!((socket, remote.ip(), icmp), (relayed.socket, gone.ip(), port));
                told.set(true);
            }
        };
        arrivals(&mut world, each, || told.get());
        // The address is free when the socket is closed, the connected one with it.
        world.plane.close(relayed.socket);
        let bound = || Socket::bind(relayed.local, None).is_ok();
        assert!(soon(bound));
    }
}

/// A flood at one socket neither keeps the others of its shard waiting nor the plane from ending.
#[test]
fn a_flooded_socket_is_one_of_many() {
    let _alone = alone();
    let mut world = World::new(1);
    let (flooder, client) = (world.socket(), world.socket());
    let relayed = SocketAddr::from(world.flow(1, &client, &[]).local);
    let request = Builder::request(Method::BINDING, TransactionId([7; 12])).finish();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // What the kernel has no room for is lost, as it may be.
                let _ = flooder.send_to(b"flood", relayed);
            }
        });
        world.send(&client, &request);
        let answered = next(&client).0.len() > 20;
        let counted = soon(|| world.plane.counters().bindings == 1);
        drop(world);
        stop.store(true, Ordering::Relaxed);
        assert!(answered && counted);
    });
}
