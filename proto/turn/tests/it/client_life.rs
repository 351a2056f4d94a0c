//! An allocation's life: what is sent and received, what is refreshed, how it moves and ends.

use std::time::Duration;

use machine::Machine;
use machine::{CloseReason, Endpoint, Icmp, Id, Input};
use proptest::collection::vec;
use proptest::prelude::*;
use stun::{Builder, Method, TransactionId};
use turn::client::defaults::{MAX_CONNECTIONS, MAX_MEDIA_AHEAD_BYTES, MAX_MEDIA_BYTES, MAX_PEERS};
use turn::client::{Cause, Config, Event, SendError, Server};
use turn::{
    ChannelData, ChannelNumber, Family, IcmpError, RelayTransport, TurnBuilder, TurnMessage,
};

use super::client_script::{Port, Reply, Rig, config, endpoint, peer, relayed, server};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn over(server: Server) -> Rig {
    let mut rig = Rig::allocated(config([server]));
    rig.verb(|client, now| client.permit(now, peer().ip())).unwrap();
    rig.take();
    rig
}

fn bound(server: Server) -> Rig {
    let mut rig = Rig::allocated(config([server]));
    rig.verb(|client, now| client.bind_channel(now, peer())).unwrap();
    assert_eq!(rig.take(), [Event::ChannelBound { peer: peer() }]);
    rig
}

fn transports() -> [Server; 3] {
    [Server::udp(server()), Server::tcp(server()), Server::tls(server(), "turn.example.org")]
}

#[test]
fn what_was_given() {
    for given in transports() {
        let rig = Rig::allocated(config([given.clone()]));
        let allocation = rig.client.get().allocation().unwrap();
        assert_eq!(allocation.server, given);
        assert_eq!(allocation.relayed(Family::V4), Some(relayed()));
        assert_eq!(allocation.relayed(Family::V6), None);
        assert_eq!(allocation.reflexive, endpoint("10.0.0.2:1001"));
        assert_eq!(allocation.local, endpoint("10.0.0.2:1001"));
        assert!(!allocation.mobile);
    }
}

#[test]
fn packets_by_indication() {
    for server in transports() {
        let mut rig = over(server);
        rig.verb(|client, now| client.send(now, peer(), b"hello")).unwrap();
        rig.verb(|client, now| client.send(now, peer(), b"")).unwrap();
        let expected = [(Some(peer()), b"hello".to_vec()), (Some(peer()), vec![])];
        assert_eq!(rig.script().relayed, expected);
        rig.data_from(peer(), b"and back");
        let received = Event::Received { peer: peer(), channel: false };
        assert_eq!(rig.events, [(received, b"and back".to_vec())]);
    }
}

#[test]
fn packets_by_channel() {
    for server in transports() {
        let mut rig = bound(server);
        for length in 0..6 {
            rig.verb(|client, now| client.send(now, peer(), &b"hello"[..length])).unwrap();
            assert_eq!(rig.script().relayed[length], (None, b"hello"[..length].to_vec()));
        }
        let mut bytes = Vec::new();
        let data = b"and back";
        ChannelData { number: ChannelNumber::FIRST, data }.write(true, &mut bytes);
        rig.deliver(&bytes);
        let received = Event::Received { peer: peer(), channel: true };
        assert_eq!(rig.events, [(received, b"and back".to_vec())]);
        // A channel brings a permission, and another port of the peer has only that.
        let other = peer().with_port(9);
        rig.verb(|client, now| client.send(now, other, b"!")).unwrap();
        assert_eq!(rig.script().relayed.last(), Some(&(Some(other), b"!".to_vec())));
    }
}

#[test]
fn trains() {
    for server in transports() {
        let mut channel = bound(server.clone());
        channel.verb(|client, now| client.send_train(now, peer(), 4, b"aaaabbbbcc")).unwrap();
        let mut indication = over(server);
        indication.verb(|client, now| client.send_train(now, peer(), 4, b"aaaabbbbcc")).unwrap();
        for rig in [&mut channel, &mut indication] {
            let packets: Vec<_> = rig.script().relayed.iter().map(|(_, data)| &data[..]).collect();
            assert_eq!(packets, [&b"aaaa"[..], b"bbbb", b"cc"]);
        }
    }
    // And one that arrives.
    let mut rig = bound(Server::udp(server()));
    let mut bytes = Vec::new();
    for data in [&b"aaaa"[..], b"bbbb", b"cc"] {
        ChannelData { number: ChannelNumber::FIRST, data }.write(false, &mut bytes);
    }
    let (socket, local, remote) = (rig.links()[0], endpoint("10.0.0.2:1001"), server());
    let (ecn, segment_size) = (None, Some(8));
    rig.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes: &bytes });
    let packets: Vec<_> = rig.events.iter().map(|(_, data)| &data[..]).collect();
    assert_eq!(packets, [&b"aaaa"[..], b"bbbb", b"cc"]);
}

#[test]
fn what_cannot_be_sent() {
    let mut rig = Rig::new(config([Server::udp(server())]));
    let sent = rig.client.verb(rig.now, |client, now| client.send(now, peer(), b"hello"));
    assert_eq!(sent, Err(SendError::NotAllocated));
    rig.run();
    let sent = rig.verb(|client, now| client.send(now, peer(), b"hello"));
    assert_eq!(sent, Err(SendError::NotPermitted));
    let mut rig = over(Server::udp(server()));
    let sent = rig.verb(|client, now| client.send(now, peer(), &[0; 65_401]));
    assert_eq!(sent, Err(SendError::TooLong));
}

#[test]
fn what_does_not_count() {
    let mut rig = over(Server::udp(server()));
    // A peer without a permission, another sender than the server, an unknown channel.
    rig.data_from(endpoint("198.51.100.8:4000"), b"stranger");
    let mut indication = Builder::indication(Method::DATA, TransactionId([5; 12]));
    let bytes = indication.peer_address(peer()).data(b"forged").finish();
    let (socket, local) = (rig.links()[0], endpoint("10.0.0.2:1001"));
    let remote = endpoint("192.0.2.1:3479");
    let (ecn, segment_size) = (None, None);
    rig.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes: &bytes });
    rig.deliver(b"\x40\x07\x00\x01x");
    let mut indication = Builder::indication(Method::DATA, TransactionId([5; 12]));
    indication.peer_address(peer()).data(b"odd");
    indication.attribute(stun::AttributeType(0x7777), b"");
    let odd = indication.finish();
    rig.deliver(&odd);
    let mut response = Builder::new(stun::Class::Success, Method::REFRESH, TransactionId([5; 12]));
    let unasked = response.finish();
    rig.deliver(&unasked);
    assert!(rig.take().is_empty());
}

#[test]
fn what_the_network_says_about_a_peer() {
    let mut rig = over(Server::udp(server()));
    let error = IcmpError::new(Icmp::TooBig { mtu: 1280 }, Family::V4);
    let mut indication = Builder::indication(Method::DATA, TransactionId([5; 12]));
    let bytes = indication.peer_address(peer()).icmp(error).finish();
    rig.deliver(&bytes);
    assert_eq!(rig.take(), [Event::Icmp { peer: peer(), error }]);
    assert_eq!(error.icmp(Family::V4), Some(Icmp::TooBig { mtu: 1280 }));
}

#[test]
fn datagrams_that_must_not_be_fragmented() {
    let wishes = Config { dont_fragment: true, ..config([Server::udp(server())]) };
    let mut rig = Rig::allocated(wishes);
    assert!(rig.script().last(Method::ALLOCATE).dont_fragment());
}

#[test]
fn a_port_and_the_next() {
    let wishes = Config { even_port: Some(true), ..config([Server::udp(server())]) };
    let rig = Rig::allocated(wishes);
    assert_eq!(rig.client.get().allocation().unwrap().reservation, Some(*b"reserved"));
    let wishes = Config { reservation: Some(*b"reserved"), ..config([Server::udp(server())]) };
    let mut rig = Rig::allocated(wishes);
    assert_eq!(rig.script().last(Method::ALLOCATE).reservation_token(), Some(*b"reserved"));
}

#[test]
fn wishes_from_before_the_allocation_are_fulfilled() {
    let mut rig = Rig::new(config([Server::udp(server())]));
    let gone = endpoint("198.51.100.8:1");
    rig.client.verb(rig.now, |client, now| {
        client.permit(now, gone.ip()).unwrap();
        client.permit(now, peer().ip()).unwrap();
        client.bind_channel(now, peer()).unwrap();
        client.release(gone.ip());
    });
    rig.run();
    let events = rig.take();
    let [Event::Allocated(_), Event::Permitted { .. }, Event::ChannelBound { .. }] = &events[..]
    else {
        panic!("{events:?}")
    };
}

#[test]
fn everything_is_refreshed_in_time() {
    for server in transports() {
        let mut rig = bound(server);
        rig.verb(|client, now| client.permit(now, endpoint("198.51.100.8:1").ip())).unwrap();
        rig.advance(MINUTE * 60);
        let script = rig.script();
        // An allocation of 600 s, permissions of 300 s and channels of 600 s, an hour long.
        let (refreshes, permits) =
            (script.count(Method::REFRESH), script.count(Method::CREATE_PERMISSION));
        assert!((8..=9).contains(&refreshes), "{refreshes}");
        assert!((16..=18).contains(&permits), "{permits}");
        assert!((8..=9).contains(&script.count(Method::CHANNEL_BIND)));
        assert_eq!(script.last(Method::CREATE_PERMISSION).peer_addresses().count(), 2);
        assert!(rig.client.get().allocation().is_some());
        rig.take();
        rig.verb(|client, _| client.release(peer().ip()));
        let bindings = rig.script().count(Method::CHANNEL_BIND);
        rig.advance(MINUTE * 15);
        assert_eq!(rig.script().count(Method::CHANNEL_BIND), bindings);
        assert_eq!(rig.script().last(Method::CREATE_PERMISSION).peer_addresses().count(), 1);
    }
}

#[test]
fn a_short_lifetime_is_kept_up() {
    let wishes = Config { lifetime: Some(SECOND * 30), ..config([]) };
    let mut rig = Rig::allocated(wishes);
    rig.advance(MINUTE * 5);
    let refreshes = rig.script().count(Method::REFRESH);
    assert!((13..=15).contains(&refreshes), "{refreshes}");
    // Even one of no time at all costs no more than a request a second.
    let wishes = Config { lifetime: Some(Duration::ZERO), ..config([]) };
    let mut rig = Rig::allocated(wishes);
    rig.advance(MINUTE);
    assert!(rig.script().count(Method::REFRESH) <= 60);
}

#[test]
fn the_flow_through_nats_is_kept_alive() {
    let mut rig = Rig::allocated(config([]));
    rig.advance(MINUTE);
    assert_eq!(rig.script().indications, [Method::BINDING; 3]);
    // Not while something is sent anyway, and not over TCP.
    let mut rig = bound(Server::udp(server()));
    for _ in 0..60 {
        rig.verb(|client, now| client.send(now, peer(), b"hello")).unwrap();
        rig.advance(SECOND);
    }
    assert!(rig.script().indications.is_empty());
    let mut rig = Rig::allocated(config([Server::tcp(server())]));
    rig.advance(MINUTE);
    assert!(rig.script().indications.is_empty());
}

#[test]
fn a_released_allocation() {
    for server in transports() {
        let mut rig = bound(server);
        rig.verb(|client, now| client.close(now));
        assert_eq!(rig.take(), [Event::Ended]);
        assert_eq!(rig.script().last(Method::REFRESH).lifetime(), Some(Duration::ZERO));
        assert!(rig.client.get().is_over() && rig.links().is_empty());
        assert_eq!(rig.client.get().allocation(), None);
        rig.advance(MINUTE * 10);
        assert!(rig.take().is_empty());
        let sent = rig.verb(|client, now| client.send(now, peer(), b"hello"));
        assert_eq!(sent, Err(SendError::NotAllocated));
    }
}

#[test]
fn a_release_that_nobody_confirms() {
    let mut rig = Rig::allocated(config([]));
    rig.ports.insert(server(), Port::Silent);
    rig.verb(|client, now| client.close(now));
    rig.advance(SECOND * 3);
    assert_eq!(rig.take(), [Event::Ended]);
    assert!(rig.links().is_empty());
    // Before there was an allocation.
    for begun in [Server::udp(server()), Server::tcp(server())] {
        let mut rig = Rig::new(config([begun]));
        rig.ports.insert(server(), Port::Silent);
        rig.run();
        rig.verb(|client, now| client.close(now));
        rig.advance(SECOND * 3);
        assert_eq!(rig.take(), [Event::Ended]);
        assert!(rig.links().is_empty());
    }
}

/// Fills the buffer to the server, and says how many packets were taken.
fn congest(rig: &mut Rig, conn: Id, room: usize) -> usize {
    rig.input(Input::Writable { conn, room });
    let before = rig.script().relayed.len();
    for n in 0..200_u8 {
        rig.verb(|client, now| client.send(now, peer(), &[n; 1000])).unwrap();
    }
    rig.script().relayed.len() - before
}

#[test]
fn old_media_is_dropped_on_a_congested_connection() {
    let mut rig = bound(Server::tcp(server()));
    let conn = rig.links()[0];
    // The room of an empty buffer, of which little is filled with what cannot be taken back.
    let taken = congest(&mut rig, conn, 100_000);
    assert_eq!(taken, MAX_MEDIA_AHEAD_BYTES / 1004);
    // Soon there is room: of what waited the newest is sent.
    rig.advance(Duration::from_millis(100));
    rig.script().relayed.clear();
    rig.input(Input::Writable { conn, room: 100_000 });
    let first = rig.script().relayed[0].1[0];
    assert_eq!(usize::from(first), 200 - MAX_MEDIA_BYTES / 1004);
    // Late there is room: what waited is of no use.
    rig.advance(SECOND);
    rig.script().relayed.clear();
    rig.input(Input::Writable { conn, room: 100_000 });
    assert!(rig.script().relayed.is_empty());
    rig.verb(|client, now| client.send(now, peer(), b"now")).unwrap();
    assert_eq!(rig.script().relayed, [(None, b"now".to_vec())]);
}

#[test]
fn without_any_room_requests_wait_and_media_does_not() {
    let mut rig = bound(Server::tcp(server()));
    let conn = rig.links()[0];
    rig.input(Input::Writable { conn, room: 0 });
    rig.verb(|client, now| client.permit(now, endpoint("198.51.100.8:1").ip())).unwrap();
    rig.verb(|client, now| client.send(now, peer(), b"late")).unwrap();
    assert!(rig.take().is_empty());
    rig.advance(SECOND);
    rig.input(Input::Writable { conn, room: 1000 });
    assert!(matches!(&rig.take()[..], [Event::Permitted { .. }]));
    assert!(rig.script().relayed.is_empty());
}

fn mobile(server: Server) -> Rig {
    let mut rig = Rig::allocated(Config { mobility: true, ..config([server]) });
    assert!(rig.client.get().allocation().unwrap().mobile);
    rig.verb(|client, now| client.bind_channel(now, peer())).unwrap();
    rig.take();
    rig
}

#[test]
fn an_allocation_comes_along() {
    for server in transports() {
        let mut rig = mobile(server);
        let before = rig.links();
        rig.verb(|client, now| client.move_to(now, None, None)).unwrap();
        let reflexive = Some(endpoint("10.0.0.2:1002"));
        assert_eq!(rig.take(), [Event::Moved { reflexive }]);
        assert!(rig.links().len() == 1 && rig.links() != before);
        let allocation = rig.client.get().allocation().unwrap();
        assert_eq!(allocation.relayed, [relayed()]);
        rig.verb(|client, now| client.send(now, peer(), b"hello")).unwrap();
        assert_eq!(rig.script().relayed, [(None, b"hello".to_vec())]);
        rig.advance(MINUTE * 30);
        assert!(rig.client.get().allocation().is_some());
    }
}

#[test]
fn an_address_that_goes_away_moves_the_allocation() {
    let mut rig = mobile(Server::udp(server()));
    rig.data_from(peer(), b"so that we know our address");
    rig.take();
    rig.input(Input::Interfaces(vec![]));
    assert!(matches!(&rig.take()[..], [Event::Moved { .. }]));
    let mut rig = mobile(Server::tcp(server()));
    let conn = rig.links()[0];
    rig.input(Input::Closed { conn, reason: CloseReason::Reset });
    assert!(matches!(&rig.take()[..], [Event::Moved { .. }]));
    // Where it is not mobile, the address may return.
    let mut rig = bound(Server::udp(server()));
    rig.input(Input::Interfaces(vec![]));
    assert!(rig.take().is_empty() && rig.client.get().allocation().is_some());
}

#[test]
fn a_move_that_fails() {
    let mut rig = mobile(Server::udp(server()));
    rig.script().reply(Method::REFRESH, Reply::Error(437));
    rig.verb(|client, now| client.move_to(now, None, None)).unwrap();
    assert!(matches!(&rig.take()[..], [Event::Failed(failure)] if failure.cause == Cause::Lost));
    // There is no network for a while, or for too long.
    for (secs, lost) in [(25, false), (31, true)] {
        let mut rig = mobile(Server::tcp(server()));
        rig.ports.insert(server(), Port::Refused);
        let conn = rig.links()[0];
        rig.closed.insert(conn);
        rig.input(Input::Closed { conn, reason: CloseReason::Reset });
        rig.verb(|client, now| client.permit(now, endpoint("198.51.100.8:1").ip())).unwrap();
        rig.advance(SECOND * secs);
        rig.ports.insert(server(), Port::Open);
        rig.advance(SECOND * 2);
        let events = rig.take();
        if lost {
            assert!(matches!(&events[..], [Event::Failed(it)] if it.cause == Cause::AddressLost));
            assert!(rig.links().is_empty());
        } else {
            // What was asked meanwhile is asked again.
            let [Event::Moved { .. }, Event::Permitted { .. }] = &events[..] else {
                panic!("{events:?}")
            };
        }
    }
    // Moving on before the first move is done.
    let mut rig = mobile(Server::tcp(server()));
    rig.ports.insert(server(), Port::Silent);
    rig.verb(|client, now| client.move_to(now, None, None)).unwrap();
    rig.ports.insert(server(), Port::Open);
    rig.verb(|client, now| client.move_to(now, None, None)).unwrap();
    assert!(matches!(&rig.take()[..], [Event::Moved { .. }]));
    assert_eq!(rig.links().len(), 1);
}

fn tcp_relay(server: Server) -> Rig {
    let mut rig = Rig::allocated(Config { relay: RelayTransport::Tcp, ..config([server]) });
    rig.verb(|client, now| client.permit(now, peer().ip())).unwrap();
    rig.take();
    rig
}

fn to_peer(rig: &mut Rig, conn: Id) {
    rig.to_peers.insert(conn, Vec::new());
}

#[test]
fn a_connection_to_a_peer() {
    for server in [Server::tcp(server()), Server::tls(server(), "turn.example.org")] {
        let mut rig = tcp_relay(server);
        let conn = rig.verb(|client, now| client.connect_peer(now, peer())).unwrap();
        let room = rig.script().last(Method::CONNECTION_BIND).as_bytes().len();
        // The stale half of the room is what the request took.
        let connected = Event::PeerConnected { conn, peer: peer(), room: rig.room - room };
        assert_eq!(rig.take(), [connected]);
        to_peer(&mut rig, conn);
        let written = rig.verb(|client, now| client.write_peer(now, conn, b"hello")).unwrap();
        assert_eq!((written, &rig.to_peers[&conn][..]), (5, &b"hello"[..]));
        rig.input(Input::Data { conn, bytes: b"and back" });
        assert_eq!(rig.events, [(Event::PeerData { conn }, b"and back".to_vec())]);
        rig.take();
        rig.input(Input::Writable { conn, room: 7 });
        assert_eq!(rig.take(), [Event::PeerWritable { conn, room: 7 }]);
        let written = rig.verb(|client, now| client.write_peer(now, conn, b"much more"));
        assert_eq!(written, Ok(7));
        rig.input(Input::Closed { conn, reason: CloseReason::Peer });
        assert_eq!(rig.take(), [Event::PeerClosed { conn }]);
        let written = rig.verb(|client, now| client.write_peer(now, conn, b"hello"));
        assert_eq!(written, Err(SendError::NoConnection));
        // Datagrams are another kind of allocation's.
        let sent = rig.verb(|client, now| client.send(now, peer(), b"hello"));
        assert_eq!(sent, Err(SendError::Unsupported));
    }
}

fn knock(rig: &mut Rig, peer: Endpoint) {
    let mut attempt = Builder::indication(Method::CONNECTION_ATTEMPT, TransactionId([5; 12]));
    let bytes = attempt.peer_address(peer).connection_id(77).finish();
    rig.deliver(&bytes);
}

#[test]
fn a_connection_from_a_peer() {
    let mut rig = tcp_relay(Server::tcp(server()));
    knock(&mut rig, endpoint("198.51.100.8:1"));
    assert!(rig.take().is_empty());
    knock(&mut rig, peer());
    let events = rig.take();
    let [Event::PeerConnecting { conn, peer: who }] = events[..] else { panic!("{events:?}") };
    assert_eq!(who, peer());
    rig.verb(|client, now| client.accept_peer(now, conn)).unwrap();
    assert!(matches!(&rig.take()[..], [Event::PeerConnected { .. }]));
    assert_eq!(rig.script().last(Method::CONNECTION_BIND).connection_id(), Some(77));
    let again = rig.verb(|client, now| client.accept_peer(now, conn));
    assert_eq!(again, Err(SendError::NoConnection));
    rig.verb(|client, now| client.close_peer(now, conn));
    assert!(rig.closed.contains(&conn));
    // One that nobody takes, and one that is refused.
    knock(&mut rig, peer());
    rig.advance(SECOND * 31);
    assert!(matches!(&rig.take()[..], [Event::PeerConnecting { .. }, Event::PeerClosed { .. }]));
}

#[test]
fn connections_that_fail() {
    let mut rig = tcp_relay(Server::tcp(server()));
    rig.script().reply(Method::CONNECT, Reply::Error(447));
    rig.verb(|client, now| client.connect_peer(now, peer())).unwrap();
    rig.script().reply(Method::CONNECTION_BIND, Reply::Error(400));
    rig.verb(|client, now| client.connect_peer(now, peer())).unwrap();
    rig.ports.insert(server(), Port::Refused);
    rig.verb(|client, now| client.connect_peer(now, peer())).unwrap();
    rig.script().reply(Method::CONNECTION_BIND, Reply::Silence);
    rig.ports.insert(server(), Port::Open);
    rig.verb(|client, now| client.connect_peer(now, peer())).unwrap();
    rig.advance(SECOND * 11);
    let events = rig.take();
    let causes: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::PeerRefused { peer: refused, cause } => {
                assert_eq!(*refused, peer());
                cause.code()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(causes, [Some(447), Some(400), None, None]);
    assert_eq!(rig.links().len(), 1);
}

#[test]
fn connections_are_limited_and_end_with_the_allocation() {
    let mut rig = tcp_relay(Server::tcp(server()));
    for n in 0..MAX_CONNECTIONS {
        let peer = peer().with_port(n as u16);
        rig.verb(|client, now| client.connect_peer(now, peer)).unwrap();
    }
    let one_more = rig.verb(|client, now| client.connect_peer(now, peer()));
    assert_eq!(one_more, Err(SendError::TooManyPeers));
    rig.take();
    knock(&mut rig, peer());
    assert!(rig.take().is_empty());
    rig.verb(|client, now| client.close(now));
    let events = rig.take();
    let closed = events.iter().filter(|event| matches!(event, Event::PeerClosed { .. })).count();
    assert_eq!((closed, events.last()), (MAX_CONNECTIONS, Some(&Event::Ended)));
    assert!(rig.links().is_empty());
}

#[test]
fn wishes_are_limited_before_and_after() {
    let ip = |n: usize| std::net::IpAddr::from([198, 51, (n >> 8) as u8, n as u8]);
    let mut rig = Rig::new(config([Server::udp(server())]));
    rig.client.verb(rig.now, |client, now| {
        (0..MAX_PEERS).for_each(|n| client.permit(now, ip(n)).unwrap());
        assert_eq!(client.permit(now, ip(MAX_PEERS)), Err(SendError::TooManyPeers));
    });
    rig.run();
    assert_eq!(rig.take().len(), 1 + MAX_PEERS);
    let one_more = rig.verb(|client, now| client.permit(now, ip(MAX_PEERS)));
    assert_eq!(one_more, Err(SendError::TooManyPeers));
    // Their refresh takes few requests.
    rig.advance(MINUTE * 4);
    assert_eq!(rig.script().count(Method::CREATE_PERMISSION), MAX_PEERS + MAX_PEERS / 32);
}

proptest! {
    /// Whatever a server sends, over UDP and over TCP.
    #[test]
    fn arbitrary_bytes_never_panic(
        chunks in vec(vec(any::<u8>(), 0..60), 0..20), stream: bool, times in vec(0..90_u64, 20),
    ) {
        let server = if stream { Server::tcp(server()) } else { Server::udp(server()) };
        let mut rig = bound(server);
        for (chunk, time) in chunks.iter().zip(times) {
            if rig.links().is_empty() {
                break;
            }
            rig.deliver(chunk);
            rig.advance(SECOND * time as u32);
        }
    }

    /// Whatever a server answers: well-formed messages with attributes of any kind.
    #[test]
    fn arbitrary_answers_never_panic(
        answers in vec((0..13_u16, 0..4_u8, vec((0..0x30_u16, vec(any::<u8>(), 0..12)), 0..6)), 0..20),
        relay_tcp: bool,
    ) {
        let server = if relay_tcp { Server::tcp(server()) } else { Server::udp(server()) };
        let relay = if relay_tcp { RelayTransport::Tcp } else { RelayTransport::Udp };
        let mut rig = Rig::new(Config { credentials: None, relay, ..config([server]) });
        rig.script().challenges = false;
        for (method, ..) in &answers {
            rig.script().reply(Method::new(*method), Reply::Silence);
        }
        rig.run();
        for (method, class, attributes) in answers {
            let class = match class {
                0 => stun::Class::Request,
                1 => stun::Class::Indication,
                2 => stun::Class::Success,
                _ => stun::Class::Error,
            };
            // The id of whatever was asked last, so that it is believed.
            let id = rig.script().log.last().map_or(TransactionId([0; 12]), |(_, bytes)| {
                stun::Message::parse(bytes).unwrap().id()
            });
            let mut message = Builder::new(class, Method::new(method), id);
            for (kind, value) in attributes {
                let kind = if kind < 0x28 { kind } else { 0x8000 | kind & 7 };
                if kind != 8 && kind != 0x1c {
                    message.attribute(stun::AttributeType(kind), &value);
                }
            }
            let bytes = message.finish();
            if rig.links().is_empty() {
                break;
            }
            rig.deliver(&bytes);
            let _ = rig.client.verb(rig.now, |client, now| client.permit(now, peer().ip()));
            let _ = rig.client.poll_timeout();
            rig.run();
            rig.advance(SECOND);
        }
    }
}
