//! Every error that the server answers with, one test each; each is counted by its cause.

use std::time::Duration;
use wayleave_turn as turn;

use machine::{FailKind, Transport};
use stun::{AttributeType, Method, PasswordAlgorithm};
use turn::server::{Limits, Refusal};
use turn::{Family, RelayTransport, TurnBuilder};

use crate::server_rig::{Client, Did, Over, Rig, at, config};

/// Asserts that a cause was counted once.
fn once(rig: &Rig, refusal: Refusal) {
    assert_eq!(rig.refused(refusal), 1, "{refusal:?} in {:?}", rig.stats());
}

#[test]
fn e300_while_draining_with_an_alternate() {
    let mut config = config();
    config.alternates = vec![at("192.0.2.99:3478"), at("[2001:db8::99]:3478")];
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    rig.verb(|server, now| server.drain(now));
    let reply = alice.allocate_with(&mut rig, |_| {});
    assert_eq!(reply.code(), 300);
    assert_eq!(reply.message().alternate_server(), Some(at("192.0.2.99:3478")));
    assert!(reply.message().verify_integrity(&alice.key()).is_ok(), "nobody can make it up");
    once(&rig, Refusal::Draining);
    let mut six = Client::udp("[2001:db8::7]:4000", "alice");
    six.greet(&mut rig);
    let reply = six.allocate_with(&mut rig, |_| {});
    assert_eq!(reply.message().alternate_server(), Some(at("[2001:db8::99]:3478")));
}

#[test]
fn e300_needs_an_alternate_else_508() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    rig.verb(|server, now| server.drain(now));
    assert_eq!(alice.allocate_with(&mut rig, |_| {}).code(), 508);
    once(&rig, Refusal::Draining);
}

#[test]
fn e400_for_what_is_malformed() {
    type Add = fn(&mut stun::Builder);
    let cases: &[(&str, Add)] = &[
        ("a lifetime of three bytes", |b| {
            b.attribute(AttributeType::LIFETIME, &[0; 3]);
        }),
        ("an empty EVEN-PORT", |b| {
            b.attribute(AttributeType::EVEN_PORT, &[]);
        }),
        ("a short token", |b| {
            b.attribute(AttributeType::RESERVATION_TOKEN, &[0; 7]);
        }),
        ("a token with EVEN-PORT", |b| {
            b.reservation_token([1; 8]).even_port(false);
        }),
        ("a token with a family", |b| {
            b.reservation_token([1; 8]).requested_address_family(Family::V4);
        }),
        ("both family attributes", |b| {
            b.requested_address_family(Family::V4).additional_address_family(Family::V6);
        }),
        ("a pair in two families", |b| {
            b.even_port(true).additional_address_family(Family::V6);
        }),
        ("IPv4 as the additional family", |b| {
            b.additional_address_family(Family::V4);
        }),
        ("a ticket that was never issued", |b| {
            b.mobility_ticket(b"ticket");
        }),
    ];
    for (what, add) in cases {
        let mut rig = Rig::new();
        let mut alice = Client::alice(&mut rig);
        assert_eq!(alice.allocate_with(&mut rig, add).code(), 400, "{what}");
        once(&rig, Refusal::BadRequest);
        assert_eq!(rig.server.get().allocations(), 0);
    }
}

#[test]
fn e400_for_what_is_missing() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let bare = alice.request(Method::ALLOCATE).finish();
    let reply = alice.ask_bytes(&mut rig, &bare);
    assert_eq!((reply.code(), reply.message().nonce()), (400, None), "too short for a challenge");
    // A transport, but TCP over UDP.
    let mut request = alice.request(Method::ALLOCATE);
    request.requested_transport(RelayTransport::Tcp);
    assert_eq!(alice.ask(&mut rig, request).code(), 400);
    alice.allocate(&mut rig);
    assert_eq!(alice.permit(&mut rig, &[]).code(), 400);
    let request = alice.request(Method::CHANNEL_BIND);
    assert_eq!(alice.ask(&mut rig, request).code(), 400);
    // Signed, but without a nonce.
    let mut request = alice.request(Method::REFRESH);
    request.username("alice").realm("example.org").integrity(&alice.key());
    let bytes = request.finish();
    assert_eq!(alice.ask_bytes(&mut rig, &bytes).code(), 400);
    // A peer whose address is cut short.
    let mut request = alice.request(Method::CREATE_PERMISSION);
    request.peer_address(at("203.0.113.5:9"));
    request.attribute(AttributeType::XOR_PEER_ADDRESS, &[0, 1, 2]);
    assert_eq!(alice.ask(&mut rig, request).code(), 400);
    assert_eq!(rig.refused(Refusal::BadRequest), 6);
}

#[test]
fn e400_for_channels_that_contradict_each_other() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    assert_eq!(alice.bind(&mut rig, 0x4000, "203.0.113.5:9").code(), 200);
    assert_eq!(alice.bind(&mut rig, 0x4000, "203.0.113.5:9").code(), 200, "again");
    assert_eq!(alice.bind(&mut rig, 0x4000, "203.0.113.5:10").code(), 400, "another peer");
    assert_eq!(alice.bind(&mut rig, 0x4001, "203.0.113.5:9").code(), 400, "another number");
    assert_eq!(alice.bind(&mut rig, 0x3fff, "203.0.113.6:9").code(), 400, "no channel's number");
    assert_eq!(alice.bind(&mut rig, 0x8000, "203.0.113.6:9").code(), 400);
    assert_eq!(alice.bind(&mut rig, 0x7fff, "203.0.113.6:9").code(), 200, "RFC 5766 has it");
    assert_eq!(rig.refused(Refusal::BadRequest), 4);
}

#[test]
fn e401_without_and_with_wrong_credentials() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    once(&rig, Refusal::Challenged);
    alice.password = "guess".to_owned();
    let wrong = alice.allocate_with(&mut rig, |_| {});
    let mut nobody = alice.called("nobody");
    let unknown = nobody.allocate_with(&mut rig, |_| {});
    assert_eq!((wrong.code(), unknown.code()), (401, 401));
    // Both look the same.
    let id = wrong.message().id();
    let mut same = unknown.0.clone();
    same[8..20].copy_from_slice(&id.0);
    assert_eq!(wrong.0, same);
    assert_eq!(rig.refused(Refusal::Credentials), 2);
    // A realm that is not ours is answered with one that is.
    alice.realm = "example.com".to_owned();
    let reply = alice.allocate_with(&mut rig, |_| {});
    assert_eq!((reply.code(), reply.message().realm()), (401, Some("example.org")));
    assert_eq!(rig.asked, 2, "nobody is asked about foreign realms");
}

#[test]
fn e403_for_forbidden_peers() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    assert_eq!(alice.permit(&mut rig, &["10.0.0.1:0"]).code(), 403);
    assert_eq!(alice.bind(&mut rig, 0x4000, "127.0.0.1:3478").code(), 403);
    // One forbidden, none permitted.
    assert_eq!(alice.permit(&mut rig, &["203.0.113.5:0", "169.254.169.254:80"]).code(), 403);
    assert_eq!(rig.refused(Refusal::PeerForbidden), 3);
    alice.indicate(&mut rig, at("203.0.113.5:9"), b"hello");
    assert_eq!(rig.datagrams(), []);
}

#[test]
fn e403_for_channels_on_connections() {
    let mut rig = Rig::new();
    let conn = rig.accept(Transport::Tcp, at("198.51.100.1:4000"));
    let mut alice = Client::new(Over::Conn(conn), "alice");
    alice.greet(&mut rig);
    let mut request = alice.request(Method::ALLOCATE);
    request.requested_transport(RelayTransport::Tcp);
    assert_eq!(alice.ask(&mut rig, request).code(), 200);
    assert_eq!(alice.bind(&mut rig, 0x4000, "203.0.113.5:9").code(), 403);
    once(&rig, Refusal::Forbidden);
}

#[test]
fn e405_where_nobody_moves() {
    let mut config = config();
    config.mobility = false;
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |b| {
        b.mobility_ticket(&[]);
    });
    assert_eq!(reply.code(), 405);
    once(&rig, Refusal::MobilityForbidden);
}

#[test]
fn e420_lists_what_is_unknown() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |b| {
        b.attribute(AttributeType(0x7ffe), &[1]).attribute(AttributeType(0xfffe), &[1]);
    });
    let unknown: Vec<_> = reply.message().unknown_attributes().collect();
    assert_eq!((reply.code(), unknown), (420, vec![AttributeType(0x7ffe)]));
    once(&rig, Refusal::UnknownAttribute);
}

#[test]
fn e437_with_and_without_an_allocation() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    assert_eq!(alice.refresh(&mut rig, 600).code(), 437);
    assert_eq!(alice.permit(&mut rig, &["203.0.113.5:0"]).code(), 437);
    assert_eq!(alice.bind(&mut rig, 0x4000, "203.0.113.5:9").code(), 437);
    alice.allocate(&mut rig);
    assert_eq!(alice.allocate_with(&mut rig, |_| {}).code(), 437);
    // Without credentials: no challenge for requests that cannot be honest.
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    let bare = bob.request(Method::REFRESH).finish();
    let reply = bob.ask_bytes(&mut rig, &bare);
    assert_eq!((reply.code(), reply.message().nonce()), (437, None));
    assert_eq!(rig.refused(Refusal::AllocationMismatch), 5);
}

#[test]
fn e438_when_the_nonce_is_stale() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    rig.pass(Duration::from_secs(590));
    assert_eq!(alice.refresh(&mut rig, 3600).code(), 200);
    rig.pass(Duration::from_secs(3500));
    let reply = alice.refresh(&mut rig, 3600);
    assert_eq!(reply.code(), 438);
    once(&rig, Refusal::StaleNonce);
    assert_eq!(reply.message().realm(), Some("example.org"));
    alice.nonce = reply.message().nonce().unwrap().to_vec();
    assert_eq!(alice.refresh(&mut rig, 3600).code(), 200);
    // Somebody else's nonce is not good here.
    let mut thief = Client { over: Over::Udp(at("198.51.100.9:1")), ..alice.clone() };
    let reply = thief.allocate_with(&mut rig, |_| {});
    assert_eq!(reply.code(), 438);
}

#[test]
fn e440_for_families_that_are_not_served() {
    let mut config = config();
    config.relays.truncate(1);
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    let six = |b: &mut stun::Builder| {
        b.requested_address_family(Family::V6);
    };
    assert_eq!(alice.allocate_with(&mut rig, six).code(), 440);
    let unknown = |b: &mut stun::Builder| {
        b.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[3, 0, 0, 0]);
    };
    assert_eq!(alice.allocate_with(&mut rig, unknown).code(), 440);
    assert_eq!(rig.refused(Refusal::AddressFamily), 2);
}

#[test]
fn e441_for_another_user() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    let mut bob = alice.called("bob");
    assert_eq!(bob.permit(&mut rig, &["203.0.113.5:0"]).code(), 441);
    assert_eq!(bob.refresh(&mut rig, 0).code(), 441);
    assert_eq!(rig.refused(Refusal::WrongCredentials), 2);
    assert_eq!(alice.refresh(&mut rig, 600).code(), 200);
}

#[test]
fn e442_for_transports_that_are_not_served() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let mut request = alice.request(Method::ALLOCATE);
    request.requested_transport(RelayTransport::Unknown(132));
    assert_eq!(alice.ask(&mut rig, request).code(), 442);
    once(&rig, Refusal::TransportProtocol);
}

#[test]
fn e443_for_peers_of_the_other_family() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    assert_eq!(alice.permit(&mut rig, &["[2001:db8::5]:0"]).code(), 443);
    assert_eq!(alice.bind(&mut rig, 0x4000, "[2001:db8::5]:9").code(), 443);
    let mut request = alice.request(Method::REFRESH);
    request.requested_address_family(Family::V6);
    assert_eq!(alice.ask(&mut rig, request).code(), 443);
    assert_eq!(rig.refused(Refusal::PeerFamily), 3);
}

#[test]
fn e486_for_more_than_one_may_have() {
    let mut config = config();
    config.limits =
        Limits { allocations_per_user: 2, allocations_per_address: 3, ..Limits::default() };
    let mut rig = Rig::with(config);
    let mut clients: Vec<Client> =
        (0..5).map(|n| Client::udp(&format!("198.51.100.1:{}", 4000 + n), "alice")).collect();
    clients[2].user = "bob".to_owned();
    clients[2].password = "bob-secret".to_owned();
    clients[4].user = "bob".to_owned();
    clients[4].password = "bob-secret".to_owned();
    let mut codes = Vec::new();
    for client in &mut clients {
        client.greet(&mut rig);
        codes.push(client.allocate_with(&mut rig, |_| {}).code());
    }
    // Two for each user, three for the address.
    assert_eq!(codes, [200, 200, 200, 486, 486]);
    assert_eq!(rig.refused(Refusal::Quota), 2);
    assert_eq!(clients[0].refresh(&mut rig, 0).code(), 200);
    assert_eq!(clients[3].allocate_with(&mut rig, |_| {}).code(), 200);
}

#[test]
fn e500_when_keys_cannot_be_looked_up() {
    let mut rig = Rig::new();
    let mut broken = Client::udp("198.51.100.1:4000", "broken");
    broken.greet(&mut rig);
    assert_eq!(broken.allocate_with(&mut rig, |_| {}).code(), 500);
    once(&rig, Refusal::ServerError);
    assert_eq!(broken.allocate_with(&mut rig, |_| {}).code(), 500);
    assert_eq!(rig.asked, 2, "a failure is not remembered");
}

#[test]
fn e508_when_ports_end() {
    let mut config = config();
    config.ports = 50_000..=50_001;
    let mut rig = Rig::with(config);
    let mut codes = Vec::new();
    for n in 0..3 {
        let mut client = Client::udp(&format!("198.51.100.1:{}", 4000 + n), "alice");
        client.greet(&mut rig);
        codes.push(client.allocate_with(&mut rig, |_| {}).code());
    }
    assert_eq!(codes, [200, 200, 508]);
    once(&rig, Refusal::Capacity);
}

#[test]
fn e508_when_descriptors_end() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    rig.faults.push_back(FailKind::OutOfResources);
    assert_eq!(alice.allocate_with(&mut rig, |_| {}).code(), 508);
    once(&rig, Refusal::Capacity);
    assert_eq!(rig.server.get().allocations(), 0);
    assert_eq!(rig.bound.len(), 3, "the listeners alone");
    alice.allocate(&mut rig);
}

#[test]
fn e508_for_more_than_there_may_be_in_all() {
    let mut config = config();
    config.limits.allocations = 1;
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    bob.greet(&mut rig);
    assert_eq!(bob.allocate_with(&mut rig, |_| {}).code(), 508);
}

#[test]
fn e508_for_too_many_permissions_and_channels() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    for n in 0..turn::server::defaults::PERMISSIONS {
        assert_eq!(alice.permit(&mut rig, &[&format!("203.0.113.{n}:0")]).code(), 200);
    }
    assert_eq!(alice.permit(&mut rig, &["203.0.113.250:0"]).code(), 508);
    assert_eq!(alice.permit(&mut rig, &["203.0.113.1:0"]).code(), 200, "known ones can be renewed");
    for n in 0..turn::server::defaults::CHANNELS as u16 {
        assert_eq!(alice.bind(&mut rig, 0x4000 + n, &format!("203.0.113.1:{}", 9 + n)).code(), 200);
    }
    assert_eq!(alice.bind(&mut rig, 0x5000, "203.0.113.1:7").code(), 508);
    assert_eq!(rig.refused(Refusal::Capacity), 2);
}

#[test]
fn a_token_of_nobody_is_508() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |b| {
        b.reservation_token([1; 8]);
    });
    assert_eq!(reply.code(), 508);
}

#[test]
fn algorithms_that_were_tampered_with_are_400() {
    use PasswordAlgorithm::{Md5, Sha256};
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    for (algorithms, code) in
        [(vec![Md5], 400), (vec![Md5, Sha256], 400), (vec![Sha256], 400), (vec![Sha256, Md5], 200)]
    {
        let chosen = *algorithms.first().unwrap();
        alice.algorithms = Some((algorithms, chosen));
        assert_eq!(alice.allocate_with(&mut rig, |_| {}).code(), code);
    }
    // One of the two attributes alone.
    let mut request = alice.request(Method::REFRESH);
    request.username("alice").realm("example.org").nonce(&alice.nonce);
    request.password_algorithm(Sha256).integrity_sha256(&alice.key());
    let bytes = request.finish();
    assert_eq!(alice.ask_bytes(&mut rig, &bytes).code(), 400);
    assert_eq!(rig.refused(Refusal::BadRequest), 4);
}

#[test]
fn what_is_no_request_of_ours_gets_no_answer() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let unknown = alice.request(Method::new(0x77)).finish();
    alice.send(&mut rig, &unknown);
    alice.send(&mut rig, b"");
    alice.send(&mut rig, b"\0");
    alice.send(&mut rig, &[0xff; 100]);
    alice.send(&mut rig, b"\x40\x00\x00\x05hello");
    let answer =
        stun::Builder::new(stun::Class::Success, Method::ALLOCATE, stun::TransactionId([1; 12]));
    alice.send(&mut rig, &{ answer }.finish());
    assert!(!rig.did.iter().any(|did| matches!(did, Did::Datagram { .. })));
}
