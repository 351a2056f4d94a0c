//! TCP relaying (RFC 6062).

use std::time::Duration;

use machine::{Endpoint, FailKind, Id, Input, Transport};
use stun::{Class, Method};
use turn::server::Refusal;
use turn::server::defaults::{
    PEER_CONNECTIONS, SPLICE_MAX_BYTES, SPLICE_PAUSE_BYTES, UNBOUND_LIFETIME,
};
use turn::{Family, RelayTransport, TurnBuilder, TurnMessage};
use wayleave_turn as turn;

use crate::server_rig::{Client, Did, Over, ROOM, Reply, Rig, at, config};

/// A client with a TCP allocation.
fn begin(rig: &mut Rig, user: &str, remote: &str) -> (Client, Endpoint) {
    let conn = rig.accept(Transport::Tcp, at(remote));
    let mut client = Client::new(Over::Conn(conn), user);
    client.greet(rig);
    let mut request = client.request(Method::ALLOCATE);
    request.requested_transport(RelayTransport::Tcp);
    let reply = client.ask(rig, request);
    assert_eq!(reply.code(), 200);
    (client, reply.relayed())
}

/// Sends a Connect and gives the connection that it opens.
fn connect(rig: &mut Rig, client: &mut Client, peer: &str) -> (Id, Endpoint) {
    let mut request = client.request(Method::CONNECT);
    request.peer_address(at(peer));
    let bytes = client.sign(request);
    rig.take();
    client.send(rig, &bytes);
    match rig.take().as_slice() {
        [Did::Connect { id, local: Some(local), remote }] => {
            assert_eq!(*remote, at(peer));
            (*id, *local)
        }
        did => panic!("{did:?}"),
    }
}

fn connected(rig: &mut Rig, conn: Id, local: Endpoint, remote: &str) {
    rig.input(Input::Connected { conn, local, remote: at(remote), room: ROOM });
}

/// Binds a connection of its own to a peer's.
fn bind(rig: &mut Rig, client: &Client, number: u32) -> (Id, Reply) {
    let conn = rig.accept(Transport::Tcp, at("198.51.100.1:4444"));
    let mut data = Client { over: Over::Conn(conn), ..client.called(&client.user) };
    let mut request = data.request(Method::CONNECTION_BIND);
    request.connection_id(number);
    let bytes = data.sign(request);
    data.send(rig, &bytes);
    (conn, data.receive_first(rig).unwrap())
}

/// A connection to a peer, joined to one of the client's.
fn joined(rig: &mut Rig) -> (Id, Id) {
    let (mut alice, relayed) = begin(rig, "alice", "198.51.100.1:4000");
    let (peer, local) = connect(rig, &mut alice, "203.0.113.5:9");
    assert_eq!(local, relayed);
    connected(rig, peer, local, "203.0.113.5:9");
    let reply = alice.receive(rig).unwrap();
    let number = reply.message().connection_id().unwrap();
    let (conn, reply) = bind(rig, &alice, number);
    assert_eq!(reply.code(), 200);
    assert!(rig.take().contains(&Did::Pause { conn: peer, paused: false }));
    (conn, peer)
}

#[test]
fn out_to_a_peer() {
    let mut rig = Rig::new();
    let (conn, peer) = joined(&mut rig);
    rig.data(conn, b"hello");
    assert_eq!(rig.written(peer), b"hello");
    rig.data(peer, b"there");
    assert_eq!(rig.written(conn), b"there");
    assert_eq!(rig.stats().spliced_bytes, 10);
    rig.close(peer);
    assert_eq!(rig.take(), [Did::Close { id: conn }]);
    assert_eq!((rig.stats().connections, rig.stats().peer_connections), (1, 0));
}

#[test]
fn in_from_a_peer() {
    let mut rig = Rig::new();
    let (mut alice, relayed) = begin(&mut rig, "alice", "198.51.100.1:4000");
    let listener = rig.socket_at(relayed);
    let stranger = rig.accept_at(listener, relayed, at("203.0.113.5:7"));
    assert_eq!(rig.take().last(), Some(&Did::Close { id: stranger }), "without a permission");
    assert_eq!(rig.refused(Refusal::PeerUnpermitted), 1);
    assert_eq!(alice.permit(&mut rig, &["203.0.113.5:0"]).code(), 200);
    rig.take();
    let peer = rig.accept_at(listener, relayed, at("203.0.113.5:9"));
    assert!(rig.did.contains(&Did::Pause { conn: peer, paused: true }));
    let attempt = alice.receive(&mut rig).unwrap();
    let message = attempt.message();
    assert_eq!(
        (message.class(), message.method()),
        (Class::Indication, Method::CONNECTION_ATTEMPT)
    );
    assert_eq!(message.peer_address(), Some(at("203.0.113.5:9")));
    // What it had sent by then is not lost.
    rig.data(peer, b"early");
    let (conn, reply) = bind(&mut rig, &alice, message.connection_id().unwrap());
    assert_eq!(reply.code(), 200);
    assert_eq!(rig.written(conn), b"early");
    rig.close(conn);
    assert_eq!(rig.take().last(), Some(&Did::Close { id: peer }));
}

#[test]
fn e446_and_e447() {
    let mut rig = Rig::new();
    let (mut alice, _) = begin(&mut rig, "alice", "198.51.100.1:4000");
    let (peer, _) = connect(&mut rig, &mut alice, "203.0.113.5:9");
    let mut again = alice.request(Method::CONNECT);
    again.peer_address(at("203.0.113.5:9"));
    assert_eq!(alice.ask(&mut rig, again).code(), 446);
    assert_eq!(rig.refused(Refusal::ConnectionExists), 1);
    rig.input(Input::Failed { id: peer, kind: FailKind::Refused });
    assert_eq!(alice.receive(&mut rig).unwrap().code(), 447);
    let (peer, _) = connect(&mut rig, &mut alice, "203.0.113.5:9");
    rig.pass(Duration::from_secs(30));
    assert!(rig.did.contains(&Did::Close { id: peer }));
    assert_eq!(alice.receive(&mut rig).unwrap().code(), 447);
    assert_eq!(rig.refused(Refusal::ConnectionFailed), 2);
    assert_eq!(rig.stats().peer_connections, 0);
}

#[test]
fn who_may_connect_where() {
    let mut rig = Rig::new();
    let (mut alice, _) = begin(&mut rig, "alice", "198.51.100.1:4000");
    let mut ask = |rig: &mut Rig, peer: Option<&str>| {
        let mut request = alice.request(Method::CONNECT);
        if let Some(peer) = peer {
            request.peer_address(at(peer));
        }
        alice.ask(rig, request).code()
    };
    assert_eq!(ask(&mut rig, None), 400);
    assert_eq!(ask(&mut rig, Some("10.0.0.1:80")), 403);
    assert_eq!(ask(&mut rig, Some("[2001:db8::5]:80")), 443);
    assert_eq!(ask(&mut rig, Some("192.0.2.1:3478")), 403, "our own listener");
    // Over UDP there is no TCP allocation.
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    bob.greet(&mut rig);
    let mut request = bob.request(Method::CONNECT);
    request.peer_address(at("203.0.113.5:9"));
    assert_eq!(bob.ask(&mut rig, request).code(), 437);
    bob.allocate(&mut rig);
    let mut request = bob.request(Method::CONNECT);
    request.peer_address(at("203.0.113.5:9"));
    assert_eq!(bob.ask(&mut rig, request).code(), 400);
}

#[test]
fn relayed_addresses_of_ours_can_be_connected_to() {
    let mut rig = Rig::new();
    let (mut alice, a) = begin(&mut rig, "alice", "198.51.100.1:4000");
    let (mut bob, b) = begin(&mut rig, "bob", "198.51.100.2:4000");
    assert_eq!(bob.permit(&mut rig, &[&a.to_string()]).code(), 200);
    let (out, _) = connect(&mut rig, &mut alice, &b.to_string());
    let listener = rig.socket_at(b);
    let incoming = rig.accept_at(listener, b, a);
    assert_ne!(out, incoming);
    let attempt = bob.receive(&mut rig).unwrap();
    assert_eq!(attempt.message().peer_address(), Some(a));
}

#[test]
fn connections_that_nobody_binds_are_closed() {
    let mut rig = Rig::new();
    let (mut alice, _) = begin(&mut rig, "alice", "198.51.100.1:4000");
    let (peer, local) = connect(&mut rig, &mut alice, "203.0.113.5:9");
    connected(&mut rig, peer, local, "203.0.113.5:9");
    let number = alice.receive(&mut rig).unwrap().message().connection_id().unwrap();
    rig.pass(UNBOUND_LIFETIME);
    assert!(rig.did.contains(&Did::Close { id: peer }));
    assert_eq!(bind(&mut rig, &alice, number).1.code(), 400);
}

#[test]
fn bindings_are_the_owners_and_good_once() {
    let mut rig = Rig::new();
    let (mut alice, _) = begin(&mut rig, "alice", "198.51.100.1:4000");
    let (peer, local) = connect(&mut rig, &mut alice, "203.0.113.5:9");
    connected(&mut rig, peer, local, "203.0.113.5:9");
    let number = alice.receive(&mut rig).unwrap().message().connection_id().unwrap();
    let mut bob = alice.called("bob");
    bob.greet(&mut rig);
    assert_eq!(bind(&mut rig, &bob, number).1.code(), 441);
    assert_eq!(bind(&mut rig, &alice, number ^ 1).1.code(), 400);
    assert_eq!(bind(&mut rig, &alice, number).1.code(), 200);
    assert_eq!(bind(&mut rig, &alice, number).1.code(), 400);
    // Not on the connection of the allocation, and not over UDP.
    let mut request = alice.request(Method::CONNECTION_BIND);
    request.connection_id(number);
    assert_eq!(alice.ask(&mut rig, request).code(), 400);
    let mut udp = Client { over: Over::Udp(at("198.51.100.1:4000")), ..alice.called("alice") };
    let mut request = udp.request(Method::CONNECTION_BIND);
    request.connection_id(number);
    assert_eq!(udp.ask(&mut rig, request).code(), 400);
}

#[test]
fn peers_connections_have_a_limit() {
    let mut rig = Rig::new();
    let (mut alice, _) = begin(&mut rig, "alice", "198.51.100.1:4000");
    for n in 0..PEER_CONNECTIONS {
        connect(&mut rig, &mut alice, &format!("203.0.113.5:{}", 100 + n));
    }
    let mut request = alice.request(Method::CONNECT);
    request.peer_address(at("203.0.113.5:9"));
    assert_eq!(alice.ask(&mut rig, request).code(), 508);
}

#[test]
fn peers_connections_have_a_limit_for_a_user_and_for_all() {
    let mut config = config();
    config.limits.peer_connections_per_user = 2;
    config.limits.peer_connections = 3;
    let mut rig = Rig::with(config);
    let (mut alice, _) = begin(&mut rig, "alice", "198.51.100.1:4000");
    let (mut again, _) = begin(&mut rig, "alice", "198.51.100.1:4001");
    let (mut bob, relayed) = begin(&mut rig, "bob", "198.51.100.2:4000");
    let refused = |rig: &mut Rig, client: &mut Client| {
        let mut request = client.request(Method::CONNECT);
        request.peer_address(at("203.0.113.5:9"));
        client.ask(rig, request).code()
    };
    let (first, _) = connect(&mut rig, &mut alice, "203.0.113.5:1");
    connect(&mut rig, &mut again, "203.0.113.5:2");
    assert_eq!(refused(&mut rig, &mut alice), 486);
    assert_eq!(refused(&mut rig, &mut again), 486);
    connect(&mut rig, &mut bob, "203.0.113.5:3");
    assert_eq!(refused(&mut rig, &mut bob), 508);
    // A peer's own is closed.
    assert_eq!(bob.permit(&mut rig, &["203.0.113.5:0"]).code(), 200);
    rig.take();
    let listener = rig.socket_at(relayed);
    let peer = rig.accept_at(listener, relayed, at("203.0.113.5:4"));
    assert_eq!(rig.take(), [Did::Close { id: peer }]);
    assert_eq!((rig.refused(Refusal::Quota), rig.refused(Refusal::Capacity)), (2, 2));
    // What ends makes room: one connection, or all of an allocation.
    rig.input(Input::Failed { id: first, kind: FailKind::Refused });
    rig.take();
    connect(&mut rig, &mut bob, "203.0.113.5:5");
    assert_eq!(again.refresh(&mut rig, 0).code(), 200);
    connect(&mut rig, &mut alice, "203.0.113.5:6");
    assert_eq!(bob.refresh(&mut rig, 0).code(), 200);
    connect(&mut rig, &mut alice, "203.0.113.5:7");
    assert_eq!(refused(&mut rig, &mut alice), 486);
    assert_eq!(rig.stats().peer_connections, 2);
}

#[test]
fn families_end_one_by_one_with_what_they_had() {
    let mut rig = Rig::new();
    let conn = rig.accept(Transport::Tcp, at("198.51.100.1:4000"));
    let mut alice = Client::new(Over::Conn(conn), "alice");
    alice.greet(&mut rig);
    let mut request = alice.request(Method::ALLOCATE);
    request.requested_transport(RelayTransport::Tcp).additional_address_family(Family::V6);
    let reply = alice.ask(&mut rig, request);
    let relayed: Vec<Endpoint> = reply.message().relayed_addresses().collect();
    let [v4, v6] = relayed[..] else { panic!("{relayed:?}") };
    let (four, local) = connect(&mut rig, &mut alice, "203.0.113.5:9");
    assert_eq!(local, v4);
    connected(&mut rig, four, v4, "203.0.113.5:9");
    let (six, local) = connect(&mut rig, &mut alice, "[2001:db8::5]:9");
    assert_eq!(local, v6);
    rig.take();
    let (mut bob, _) = begin(&mut rig, "bob", "198.51.100.2:4000");
    let listener = rig.socket_at(v4);
    let mut request = alice.request(Method::REFRESH);
    request.lifetime(Duration::ZERO).requested_address_family(Family::V4);
    let bytes = alice.sign(request);
    rig.take();
    alice.send(&mut rig, &bytes);
    for (id, closed) in [(listener, true), (four, true), (six, false)] {
        assert_eq!(rig.did.contains(&Did::Close { id }), closed, "{id:?}");
    }
    assert_eq!(rig.stats().peer_connections, 1);
    assert_eq!(alice.receive_first(&mut rig).unwrap().code(), 200);
    // Nobody connects to what is no relayed address any more.
    let mut request = bob.request(Method::CONNECT);
    request.peer_address(v4);
    assert_eq!(bob.ask(&mut rig, request).code(), 403);
    assert_eq!(alice.refresh(&mut rig, 0).code(), 200);
    assert_eq!(rig.stats().peer_connections, 0);
}

#[test]
fn nobody_is_read_faster_than_the_other_takes() {
    let mut rig = Rig::new();
    let (conn, peer) = joined(&mut rig);
    for (from, to) in [(peer, conn), (conn, peer)] {
        rig.input(Input::Writable { conn: to, room: 0 });
        rig.take();
        let chunk = vec![7; 16 * 1024];
        let mut sent = 0;
        while !rig.did.contains(&Did::Pause { conn: from, paused: true }) {
            rig.data(from, &chunk);
            sent += chunk.len();
            assert!(sent <= 2 * SPLICE_PAUSE_BYTES, "it stops reading");
        }
        // What was read by then is kept.
        rig.data(from, &chunk);
        sent += chunk.len();
        rig.take();
        rig.input(Input::Writable { conn: to, room: sent });
        assert!(rig.did.contains(&Did::Pause { conn: from, paused: false }));
        assert_eq!(rig.written(to).len(), sent);
    }
    // Who goes on regardless is cut off.
    rig.input(Input::Writable { conn, room: 0 });
    for _ in 0..=SPLICE_MAX_BYTES / 65_536 {
        rig.data(peer, &[7; 65_536]);
    }
    assert!(rig.did.contains(&Did::Close { id: conn }));
    assert_eq!(rig.stats().peer_connections, 0);
}

#[test]
fn what_waits_is_written_before_the_end() {
    let mut rig = Rig::new();
    let (conn, peer) = joined(&mut rig);
    rig.input(Input::Writable { conn, room: 0 });
    rig.data(peer, b"last words");
    rig.close(peer);
    assert_eq!(rig.take(), []);
    rig.input(Input::Writable { conn, room: 100 });
    let did = rig.take();
    let (bytes, id) = (b"last words".to_vec(), conn);
    assert_eq!(did, [Did::Write { conn, bytes }, Did::Close { id }]);
}

#[test]
fn the_end_of_an_allocation_closes_all() {
    let mut rig = Rig::new();
    let (mut alice, relayed) = begin(&mut rig, "alice", "198.51.100.1:4000");
    let listener = rig.socket_at(relayed);
    let (peer, local) = connect(&mut rig, &mut alice, "203.0.113.5:9");
    connected(&mut rig, peer, local, "203.0.113.5:9");
    let number = alice.receive(&mut rig).unwrap().message().connection_id().unwrap();
    let (conn, _) = bind(&mut rig, &alice, number);
    rig.take();
    assert_eq!(alice.refresh(&mut rig, 0).code(), 200);
    for id in [listener, peer, conn] {
        assert!(rig.did.contains(&Did::Close { id }), "{id:?}");
    }
    assert_eq!(rig.stats().peer_connections, 0);
}

#[test]
fn permissions_of_tcp_allocations_are_no_tables_business() {
    let mut rig = Rig::new();
    let (mut alice, _) = begin(&mut rig, "alice", "198.51.100.1:4000");
    alice.permit(&mut rig, &["203.0.113.5:0"]);
    let relay = |event: &&turn::server::Event| matches!(event, turn::server::Event::Relay(_));
    assert_eq!(rig.events.iter().filter(relay).count(), 0);
    alice.indicate(&mut rig, at("203.0.113.5:9"), b"hello");
    assert_eq!(rig.datagrams(), []);
}

#[test]
fn spliced_bytes_have_a_limit() {
    let mut config = config();
    config.limits.bytes_per_second = Some(10_000);
    let mut rig = Rig::with(config);
    let (conn, peer) = joined(&mut rig);
    for from in [conn, peer] {
        rig.data(from, &[7; 4000]);
        assert!(!rig.did.contains(&Did::Pause { conn: from, paused: true }));
        rig.data(from, &[7; 4000]);
        assert!(rig.did.contains(&Did::Pause { conn: from, paused: true }));
        rig.take();
        rig.pass(Duration::from_millis(299));
        assert_eq!(rig.take(), []);
        rig.pass(Duration::from_millis(1));
        assert_eq!(rig.take(), [Did::Pause { conn: from, paused: false }]);
    }
}
