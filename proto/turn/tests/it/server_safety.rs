//! What strangers get out of the server, and what users cannot reach through it.

use std::time::Duration;

use machine::{Endpoint, Transport};
use stun::{Builder, Method, TransactionId};
use turn::server::defaults::MAX_AMPLIFICATION;
use turn::server::{Config, Refusal, RelayAddress};
use turn::{RelayTransport, TurnBuilder, TurnMessage};
use wayleave_turn as turn;

use crate::server_rig::{Client, Over, Rig, at, config, core};

fn bare_allocate() -> Vec<u8> {
    let mut request = Builder::request(Method::ALLOCATE, TransactionId([1; 12]));
    request.requested_transport(RelayTransport::Udp).finish()
}

/// Bytes out for bytes in.
fn amplification(remote: &str, request: &[u8]) -> f64 {
    let mut rig = Rig::new();
    rig.datagram(at(remote), request);
    let out: usize = rig.datagrams().iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(out > 0, "it is answered");
    out as f64 / request.len() as f64
}

#[test]
fn a_challenge_is_short() {
    let request = bare_allocate();
    assert_eq!(request.len(), 28);
    let mut rig = Rig::new();
    rig.datagram(at("198.51.100.1:4000"), &request);
    let answer = rig.datagrams().remove(0).1;
    assert!(answer.len() <= 109, "{} bytes", answer.len());
    assert!(amplification("198.51.100.1:4000", &request) <= 3.9);
}

#[test]
fn what_a_long_realm_costs_is_known() {
    let long = |length: usize| format!("{}.example", "x".repeat(length - 8));
    for (realm, within) in
        [("example.org".to_owned(), true), (long(24), true), (long(25), false), (long(253), false)]
    {
        let mut config = config();
        config.realms = vec![realm.clone()];
        let factor = config.amplification();
        assert_eq!(factor <= MAX_AMPLIFICATION, within, "{realm}: {factor}");
        let mut rig = Rig::with(config);
        rig.datagram(at("198.51.100.1:4000"), &bare_allocate());
        let answer = rig.datagrams().remove(0).1;
        assert!((answer.len() as f64 / 28.0 - factor).abs() < 1e-9, "{realm}: {}", answer.len());
        // Honest clients are served.
        let mut alice = Client::udp("198.51.100.1:4000", "alice");
        alice.realm = realm;
        alice.greet(&mut rig);
        alice.allocate(&mut rig);
    }
    let mut bare = Config::new("example.org", []);
    bare.algorithms.clear();
    assert!(bare.amplification() < config().amplification());
}

#[test]
fn no_short_request_is_answered_by_a_long_challenge() {
    let methods = [
        Method::ALLOCATE,
        Method::REFRESH,
        Method::CREATE_PERMISSION,
        Method::CHANNEL_BIND,
        Method::CONNECT,
        Method::CONNECTION_BIND,
    ];
    for method in methods {
        let request = Builder::request(method, TransactionId([1; 12])).finish();
        assert!(amplification("198.51.100.1:4000", &request) <= 1.4, "{method:?}");
    }
    // With a ticket it may be honest, and is long enough.
    let mut request = Builder::request(Method::REFRESH, TransactionId([1; 12]));
    let request = request.mobility_ticket(&[1; 16]).finish();
    assert!(amplification("198.51.100.1:4000", &request) <= 3.9);
    // Signed with nothing that is ours.
    let mut request = Builder::request(Method::REFRESH, TransactionId([1; 12]));
    request.username("a").realm("b").nonce(b"c").integrity(&stun::Key::short_term("d"));
    let request = request.finish();
    assert!(amplification("198.51.100.1:4000", &request) <= 3.9);
}

#[test]
fn nor_is_one_in_the_name_of_a_client() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    for method in
        [Method::REFRESH, Method::CREATE_PERMISSION, Method::CHANNEL_BIND, Method::CONNECT]
    {
        let reply =
            alice.ask_bytes(&mut rig, &Builder::request(method, TransactionId([1; 12])).finish());
        assert_eq!((reply.code(), reply.0.len()), (400, 28), "{method:?}");
        let mut request = Builder::request(method, TransactionId([2; 12]));
        let request = request.lifetime(Duration::from_secs(600)).finish();
        let reply = alice.ask_bytes(&mut rig, &request);
        assert_eq!(reply.code(), 401, "{method:?}");
        assert!(reply.0.len() as f64 / request.len() as f64 <= MAX_AMPLIFICATION);
    }
    // Nobody forges what comes over a connection.
    let mut bob =
        Client::new(Over::Conn(rig.accept(Transport::Tcp, at("198.51.100.2:4000"))), "bob");
    bob.greet(&mut rig);
    bob.allocate(&mut rig);
    let request = Builder::request(Method::REFRESH, TransactionId([1; 12])).finish();
    assert_eq!(bob.ask_bytes(&mut rig, &request).code(), 401);
}

#[test]
fn binding_answers_are_what_the_protocol_needs() {
    let request = Builder::request(Method::BINDING, TransactionId([1; 12])).finish();
    assert!(amplification("198.51.100.1:4000", &request) <= 1.6);
    assert!(amplification("[2001:db8::7]:4000", &request) <= 2.2);
}

#[test]
fn a_prefix_gets_so_much_and_no_more() {
    let mut config = config();
    config.limits.unproven_bytes_per_second = 1000;
    let mut rig = Rig::with(config);
    let send = |rig: &mut Rig, net: u8| {
        for host in 0..250 {
            rig.datagram(Endpoint::new([198, 51, net, host], 4000), &bare_allocate());
        }
        rig.datagrams().iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
    };
    let burst = send(&mut rig, 100);
    assert!((3800..=4000).contains(&burst), "{burst}");
    assert!((3800..=4000).contains(&send(&mut rig, 101)), "others are not concerned");
    assert_eq!(send(&mut rig, 100), 0);
    rig.pass(Duration::from_secs(1));
    assert!((900..=1100).contains(&send(&mut rig, 100)));
    assert!(rig.refused(Refusal::UnprovenLimit) > 0);
}

#[test]
fn nothing_is_kept_of_whom_is_not_proven() {
    let mut rig = Rig::new();
    let before = format!("{:?}", rig.server.get());
    let mut signed = Builder::request(Method::ALLOCATE, TransactionId([1; 12]));
    signed.requested_transport(RelayTransport::Udp).username("alice").realm("example.org");
    signed.nonce(b"obMatJos2AAAA").integrity(&stun::Key::short_term("x"));
    let signed = signed.finish();
    for n in 0..2000_u32 {
        let remote = Endpoint::new(n.to_be_bytes(), 4000);
        let request = if n % 2 == 0 { &bare_allocate() } else { &signed };
        rig.datagram(remote, request);
        rig.datagram(remote, b"\x40\x00\x00\x05hello");
        rig.take();
    }
    assert_eq!(rig.asked, 0, "nobody is looked up");
    assert_eq!(machine::Machine::poll_timeout(&rig.server), None, "nor is anything remembered");
    // Everything that the server has is as before, but for what it counted and its scratch buffer.
    let after = format!("{:?}", rig.server.get());
    let state = |text: &str| {
        let from = text.find("wildcards:").unwrap();
        let counters = text.find("counters:").unwrap();
        (text[from..counters].to_owned(), text[text.find("writes:").unwrap()..].to_owned())
    };
    assert_eq!(state(&after), state(&before));
}

#[test]
fn our_own_listeners_are_no_peers() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    // The address may be permitted, for relayed addresses are there, too.
    assert_eq!(alice.permit(&mut rig, &["192.0.2.1:0"]).code(), 200);
    assert_eq!(alice.bind(&mut rig, 0x4000, "192.0.2.1:3478").code(), 200);
    rig.take();
    alice.indicate(&mut rig, at("192.0.2.1:3478"), b"hello");
    alice.indicate(&mut rig, at("192.0.2.1:22"), b"hello");
    alice.send(&mut rig, b"\x40\x00\x00\x05hello");
    assert_eq!(rig.take(), []);
    assert_eq!(rig.stats().relay.drops(relay::Cause::OurOwn), 3);
}

#[test]
fn relayed_addresses_of_ours_meet_without_the_network() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let a = alice.allocate(&mut rig);
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    bob.greet(&mut rig);
    let b = bob.allocate(&mut rig);
    let to_b = b.to_string();
    assert_eq!(alice.bind(&mut rig, 0x4000, &to_b).code(), 200);
    rig.take();
    alice.send(&mut rig, b"\x40\x00\x00\x05hello");
    assert_eq!(rig.take(), [], "Bob has given no permission");
    assert_eq!(bob.permit(&mut rig, &[&a.to_string()]).code(), 200);
    alice.send(&mut rig, b"\x40\x00\x00\x05hello");
    let reply = bob.receive(&mut rig).unwrap();
    assert_eq!(reply.message().peer_address(), Some(a));
    assert_eq!(reply.message().data(), Some(&b"hello"[..]));
    assert_eq!(rig.take(), []);
    assert_eq!(rig.stats().relay.client_to_client.packets, 1);
    // Who is gone is no longer reached, nor is who gets the port next.
    bob.refresh(&mut rig, 0);
    rig.take();
    alice.send(&mut rig, b"\x40\x00\x00\x05hello");
    assert_eq!(rig.take(), []);
}

#[test]
fn behind_a_nat_the_external_address_is_ours() {
    let mut config = config();
    let external = [203, 0, 113, 77].into();
    config.relays = vec![RelayAddress { local: core(), external }];
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    let a = alice.allocate(&mut rig);
    assert_eq!(a.ip(), external);
    let local = Endpoint::new(core(), a.port());
    assert!(rig.bound.values().any(|(_, bound)| *bound == local), "bound inside");
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    bob.greet(&mut rig);
    let b = bob.allocate(&mut rig);
    assert_eq!(alice.permit(&mut rig, &[&b.to_string()]).code(), 200);
    assert_eq!(bob.permit(&mut rig, &[&a.to_string()]).code(), 200);
    rig.take();
    alice.indicate(&mut rig, b, b"hello");
    assert_eq!(bob.receive(&mut rig).unwrap().message().peer_address(), Some(a));
    alice.indicate(&mut rig, Endpoint::new(external, 3478), b"hello");
    assert_eq!(rig.take(), []);
}

#[test]
fn allowed_peers_are_allowed() {
    let mut config = config();
    config.allow_peers = vec!["10.0.0.0/8".parse().unwrap(), "192.0.2.1".parse().unwrap()];
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    assert_eq!(alice.permit(&mut rig, &["10.1.1.1:0", "192.0.2.1:0"]).code(), 200);
    assert_eq!(alice.permit(&mut rig, &["172.16.0.1:0"]).code(), 403);
    rig.take();
    alice.indicate(&mut rig, at("192.0.2.1:5060"), b"hello");
    assert_eq!(rig.datagrams().len(), 1);
}

#[test]
fn bandwidth_has_a_limit() {
    let mut config = config();
    config.limits.bytes_per_second = Some(10_000);
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    alice.permit(&mut rig, &["203.0.113.5:0"]);
    rig.take();
    for _ in 0..100 {
        alice.indicate(&mut rig, at("203.0.113.5:9"), &[0; 1000]);
    }
    assert!((4..=6).contains(&rig.datagrams().len()), "half a second's worth");
    rig.pass(Duration::from_secs(1));
    alice.indicate(&mut rig, at("203.0.113.5:9"), &[0; 1000]);
    assert_eq!(rig.datagrams().len(), 1);
}
