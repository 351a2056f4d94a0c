//! Limits of what users can fill, those that no other test reaches.

use std::time::Duration;

use machine::{Input, Transport};
use stun::{AttributeType, Method};
use turn::TurnBuilder;
use turn::server::Refusal;
use turn::server::defaults::{
    PEERS_PER_REQUEST, QUESTION, RESERVATIONS, WAITING_PER_ADDRESS, WAITING_REQUEST_BYTES,
    WAITING_REQUESTS,
};
use wayleave_turn as turn;

use crate::server_rig::{Client, Rig, at, config};

#[test]
fn peers_of_one_request() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    let mut ask = |count: usize| {
        let peers = vec!["203.0.113.5:0"; count];
        alice.permit(&mut rig, &peers).code()
    };
    assert_eq!(ask(PEERS_PER_REQUEST), 200);
    assert_eq!(ask(PEERS_PER_REQUEST + 1), 508);
}

#[test]
fn reserved_ports() {
    let mut config = config();
    config.limits.allocations_per_user = usize::MAX;
    config.limits.allocations_per_address = usize::MAX;
    let mut rig = Rig::with(config);
    let pair = |b: &mut stun::Builder| {
        b.even_port(true);
    };
    let mut alice = Client::alice(&mut rig);
    for _ in 0..RESERVATIONS {
        assert_eq!(alice.allocate_with(&mut rig, pair).code(), 200);
        assert_eq!(alice.refresh(&mut rig, 0).code(), 200);
    }
    assert_eq!(alice.allocate_with(&mut rig, pair).code(), 508);
    assert_eq!(alice.allocate_with(&mut rig, |_| {}).code(), 200, "others are to be had");
}

#[test]
fn requests_that_wait_for_keys() {
    let mut rig = Rig::new();
    rig.hold = true;
    for n in 0..WAITING_REQUESTS / WAITING_PER_ADDRESS {
        let mut client = Client::udp(&format!("198.51.100.{n}:4000"), "alice");
        client.greet(&mut rig);
        for _ in 0..WAITING_PER_ADDRESS {
            let mut request = client.request(Method::ALLOCATE);
            request.requested_transport(turn::RelayTransport::Udp);
            let bytes = client.sign(request);
            client.send(&mut rig, &bytes);
        }
    }
    assert_eq!(rig.questions.len(), WAITING_REQUESTS);
    let mut late = Client::udp("203.0.113.9:4000", "bob");
    late.greet(&mut rig);
    assert_eq!(late.allocate_with(&mut rig, |_| {}).code(), 508);
    rig.answer();
    let mut request = late.request(Method::ALLOCATE);
    request.requested_transport(turn::RelayTransport::Udp);
    let bytes = late.sign(request);
    late.send(&mut rig, &bytes);
    assert_eq!(rig.questions.len(), WAITING_REQUESTS, "there is room for one again");
}

#[test]
fn questions_have_a_deadline() {
    const MS: Duration = Duration::from_millis(1);
    let mut rig = Rig::new();
    rig.hold = true;
    let mut alice = Client::alice(&mut rig);
    let mut request = alice.request(Method::ALLOCATE);
    request.requested_transport(turn::RelayTransport::Udp);
    let bytes = alice.sign(request);
    alice.send(&mut rig, &bytes);
    rig.pass(QUESTION - MS);
    assert_eq!((alice.receive(&mut rig), rig.stats().waiting), (None, 1));
    rig.pass(MS);
    assert_eq!(alice.receive(&mut rig).map(|reply| reply.code()), Some(500));
    assert_eq!(rig.stats().waiting, 0);
    // What is said of it later counts for nothing.
    rig.answer();
    assert_eq!((alice.receive(&mut rig), rig.server.get().allocations()), (None, 0));
    rig.hold = false;
    alice.allocate(&mut rig);
}

#[test]
fn long_requests_do_not_wait() {
    let mut rig = Rig::new();
    rig.hold = true;
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |b| {
        b.attribute(AttributeType::SOFTWARE, &vec![b'x'; WAITING_REQUEST_BYTES]);
    });
    assert_eq!(reply.code(), 508);
    assert_eq!(rig.questions.len(), 0);
}

#[test]
fn trains_are_taken_apart() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    assert_eq!(alice.bind(&mut rig, 0x4000, "203.0.113.5:9").code(), 200);
    let (socket, local) = rig.listeners[&Transport::Udp];
    let (remote, ecn, segment_size) = (at("198.51.100.1:4000"), None, Some(8));
    let bytes = b"\x40\x00\x00\x04abcd\x40\x00\x00\x04efgh\x40\x00\x00\x01i";
    rig.input(Input::Datagram { socket, local, remote, ecn, segment_size, bytes });
    let sent: Vec<Vec<u8>> = rig.datagrams().into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(sent, [b"abcd".to_vec(), b"efgh".to_vec(), b"i".to_vec()]);
    assert_eq!(rig.refused(Refusal::Unintelligible), 0);
}
