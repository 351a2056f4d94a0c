//! Clients over TCP and TLS.

use std::time::Duration;

use machine::{Input, Machine, Transport};
use turn::server::defaults::{IDLE_CONNECTION, MEDIA_BYTES, UNPROVEN_FRAME_BYTES};
use turn::server::{Event, Refusal, Release};
use wayleave_turn as turn;

use crate::server_rig::{Client, Did, Over, Rig, at, config};

fn over(rig: &mut Rig, transport: Transport, user: &str) -> (Client, machine::Id) {
    let conn = rig.accept(transport, at("198.51.100.1:4000"));
    let mut client = Client::new(Over::Conn(conn), user);
    rig.take();
    client.greet(rig);
    (client, conn)
}

#[test]
fn data_over_connections_is_padded() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut rig = Rig::new();
        let (mut alice, conn) = over(&mut rig, transport, "alice");
        let relayed = alice.allocate(&mut rig);
        assert_eq!(alice.bind(&mut rig, 0x4000, "203.0.113.5:9").code(), 200);
        let peer = at("203.0.113.5:9");
        rig.peer_sends(relayed, peer, b"hello");
        assert_eq!(rig.written(conn), b"\x40\x00\x00\x05hello\0\0\0");
        rig.data(conn, b"\x40\x00\x00\x05hel");
        rig.data(conn, b"lo\0\0\0\x40\x00\x00\x04more");
        assert_eq!(rig.datagrams(), [(peer, b"hello".to_vec()), (peer, b"more".to_vec())]);
        // Without a channel it is an indication, whole as it is.
        alice.permit(&mut rig, &["203.0.113.6:0"]);
        rig.take();
        rig.peer_sends(relayed, at("203.0.113.6:9"), b"hello");
        assert!(alice.receive(&mut rig).unwrap().0.len().is_multiple_of(4));
        assert_eq!(rig.stats().allocated_over_streams, 1);
    }
}

#[test]
fn clients_over_udp_and_tcp_meet() {
    let mut rig = Rig::new();
    let (mut alice, conn) = over(&mut rig, Transport::Tls, "alice");
    let a = alice.allocate(&mut rig);
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    bob.greet(&mut rig);
    let b = bob.allocate(&mut rig);
    assert_eq!(alice.bind(&mut rig, 0x4000, &b.to_string()).code(), 200);
    assert_eq!(bob.bind(&mut rig, 0x4001, &a.to_string()).code(), 200);
    rig.take();
    rig.data(conn, b"\x40\x00\x00\x02hi\0\0");
    assert_eq!(rig.datagrams(), [(at("198.51.100.2:4000"), b"\x40\x01\x00\x02hi".to_vec())]);
    bob.send(&mut rig, b"\x40\x01\x00\x02ho");
    assert_eq!(rig.written(conn), b"\x40\x00\x00\x02ho\0\0");
}

#[test]
fn an_allocation_ends_with_its_connection() {
    let mut rig = Rig::new();
    let (mut alice, conn) = over(&mut rig, Transport::Tcp, "alice");
    alice.allocate(&mut rig);
    rig.close(conn);
    assert_eq!((rig.server.get().allocations(), rig.stats().connections), (0, 0));
    let cause = Release::Disconnected;
    assert!(matches!(rig.events.last(), Some(Event::Released { cause: c, .. }) if *c == cause));
}

#[test]
fn idle_connections_are_closed() {
    let mut rig = Rig::new();
    let (mut alice, conn) = over(&mut rig, Transport::Tcp, "alice");
    let idle = rig.accept(Transport::Tcp, at("198.51.100.1:4001"));
    alice.allocate(&mut rig);
    rig.take();
    rig.pass(IDLE_CONNECTION);
    assert_eq!(rig.take(), [Did::Close { id: idle }]);
    alice.refresh(&mut rig, 0);
    rig.take();
    rig.pass(IDLE_CONNECTION);
    assert_eq!(rig.take(), [Did::Close { id: conn }]);
    assert_eq!(rig.stats().connections, 0);
}

#[test]
fn what_is_no_turn_is_cut_off() {
    for bytes in
        [&b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"[..], b"\x16\x03\x01\x02\0", b"\xff"]
    {
        let mut rig = Rig::new();
        let conn = rig.accept(Transport::Tcp, at("198.51.100.1:4000"));
        rig.data(conn, bytes);
        let cut_off = rig.take() == [Did::Close { id: conn }];
        // "GE" reads as ChannelData, of which there may be more to come.
        assert_eq!(cut_off, bytes[0] != b'G', "{bytes:?}");
        assert_eq!(rig.refused(Refusal::Frame), u64::from(cut_off));
        rig.pass(IDLE_CONNECTION);
        assert_eq!(rig.stats().connections, 0);
    }
}

#[test]
fn a_stranger_cannot_fill_our_memory() {
    let mut rig = Rig::new();
    let conn = rig.accept(Transport::Tcp, at("198.51.100.1:4000"));
    rig.data(conn, &[&b"\x40\x00\xff\xff"[..], &[0; UNPROVEN_FRAME_BYTES - 4]].concat());
    assert_eq!(rig.take(), []);
    rig.data(conn, b"x");
    assert_eq!(rig.take(), [Did::Close { id: conn }]);
    assert_eq!(rig.refused(Refusal::Frame), 1);
}

#[test]
fn connections_have_limits() {
    let mut config = config();
    config.limits.connections = 3;
    config.limits.connections_per_address = 2;
    let mut rig = Rig::with(config);
    let mut closed = Vec::new();
    for remote in
        ["198.51.100.1:1", "198.51.100.1:2", "198.51.100.1:3", "198.51.100.2:1", "198.51.100.3:1"]
    {
        let conn = rig.accept(Transport::Tcp, at(remote));
        closed.push(rig.take() == [Did::Close { id: conn }]);
    }
    assert_eq!(closed, [false, false, true, false, true]);
    assert_eq!(rig.refused(Refusal::ConnectionLimit), 2);
    // Who hangs up makes room.
    let mut config = crate::server_rig::config();
    config.limits.connections_per_address = 1;
    let mut rig = Rig::with(config);
    for _ in 0..3 {
        let conn = rig.accept(Transport::Tcp, at("198.51.100.1:1"));
        assert_eq!(rig.take(), []);
        rig.close(conn);
    }
}

#[test]
fn media_that_would_wait_is_dropped_and_answers_are_not() {
    let mut rig = Rig::new();
    let (mut alice, conn) = over(&mut rig, Transport::Tcp, "alice");
    let relayed = alice.allocate(&mut rig);
    alice.bind(&mut rig, 0x4000, "203.0.113.5:9");
    rig.input(Input::Writable { conn, room: 0 });
    for _ in 0..100 {
        rig.peer_sends(relayed, at("203.0.113.5:9"), &[0; 1000]);
    }
    let drops = rig.stats().stream_drops;
    assert!((60..=70).contains(&drops), "{drops} of 100 with {MEDIA_BYTES} to wait");
    let request = alice.request(stun::Method::REFRESH);
    let bytes = alice.sign(request);
    rig.data(conn, &bytes);
    rig.take();
    rig.input(Input::Writable { conn, room: 1 << 20 });
    let written = rig.written(conn);
    assert_eq!(written.len(), 1004 * (100 - drops as usize) + written.len() % 1004);
    assert_ne!(written.len() % 1004, 0, "the answer came as well");
    assert_eq!(rig.stats().stream_drops, drops);
}

#[test]
fn answers_to_who_is_gone_go_nowhere() {
    let mut rig = Rig::new();
    let (mut alice, conn) = over(&mut rig, Transport::Tcp, "alice");
    rig.hold = true;
    let mut request = alice.request(stun::Method::ALLOCATE);
    turn::TurnBuilder::requested_transport(&mut request, turn::RelayTransport::Udp);
    let bytes = alice.sign(request);
    rig.data(conn, &bytes);
    rig.close(conn);
    rig.take();
    rig.answer();
    assert_eq!(rig.take(), []);
    assert_eq!(rig.server.get().allocations(), 0);
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.server.poll_timeout(), None);
}
