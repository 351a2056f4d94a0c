//! The life of an allocation: families, ports, lifetimes, permissions, channels, data both ways.

use std::time::Duration;

use machine::{FailKind, Icmp, Input};
use stun::{AttributeType, Builder, Class, Message, Method, TransactionId};
use turn::server::{Event, Refusal, Release};
use turn::{Family, IcmpError, TurnBuilder, TurnMessage};
use wayleave_turn as turn;

use crate::server_rig::{Client, Did, Rig, at, config, core, core_v6};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_an_answer_tells() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |_| {});
    let message = reply.message();
    assert_eq!(message.xor_mapped_address(), Some(at("198.51.100.1:4000")));
    assert_eq!(message.lifetime(), Some(Duration::from_secs(600)));
    let relayed = reply.relayed();
    assert_eq!(relayed.ip(), core());
    assert!((49_152..=65_535).contains(&relayed.port()));
    assert_eq!(message.relayed_addresses().count(), 1);
    assert_eq!((message.reservation_token(), message.mobility_ticket()), (None, None));
    let user = "alice".to_owned();
    let client = at("198.51.100.1:4000");
    let transport = machine::Transport::Udp;
    assert_eq!(rig.events.last(), Some(&Event::Allocated { user, transport, client, relayed }));
}

#[test]
fn the_tables_know_before_the_client() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    assert!(matches!(rig.events[0], Event::Relay(relay::Change::Set(..))), "{:?}", rig.events);
    rig.events.clear();
    alice.refresh(&mut rig, 0);
    let [Event::Relay(relay::Change::Remove(_)), Event::Released { cause, .. }] = &rig.events[..]
    else {
        panic!("{:?}", rig.events)
    };
    assert_eq!(*cause, Release::Client);
}

#[test]
fn lifetimes_are_between_ours() {
    for (wanted, granted) in [(None, 600), (Some(1), 600), (Some(700), 700), (Some(9999), 3600)] {
        let mut rig = Rig::new();
        let mut alice = Client::alice(&mut rig);
        let reply = alice.allocate_with(&mut rig, |b| {
            if let Some(secs) = wanted {
                b.lifetime(Duration::from_secs(secs));
            }
        });
        assert_eq!(reply.message().lifetime(), Some(Duration::from_secs(granted)), "{wanted:?}");
        let reply = alice.refresh(&mut rig, wanted.unwrap_or(5));
        assert_eq!(reply.message().lifetime(), Some(Duration::from_secs(granted)));
        rig.pass(Duration::from_secs(granted) - SECOND);
        assert_eq!(rig.server.get().allocations(), 1);
        rig.pass(SECOND);
        assert_eq!(rig.server.get().allocations(), 0);
        let cause = Release::Expired;
        assert!(matches!(rig.events.last(), Some(Event::Released { cause: c, .. }) if *c == cause));
        assert_eq!(rig.bound.len(), 3, "its socket is closed");
    }
}

#[test]
fn a_repeated_allocate_gets_its_answer_again() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let mut request = alice.request(Method::ALLOCATE);
    request.requested_transport(turn::RelayTransport::Udp);
    let bytes = alice.sign(request);
    let first = alice.ask_bytes(&mut rig, &bytes);
    assert_eq!(alice.ask_bytes(&mut rig, &bytes), first);
    rig.pass(SECOND);
    let later = alice.ask_bytes(&mut rig, &bytes);
    assert_eq!((later.code(), later.relayed()), (200, first.relayed()));
    assert_eq!(later.message().lifetime(), Some(Duration::from_secs(599)));
    assert_eq!((rig.server.get().allocations(), rig.stats().allocated), (1, 1));
}

#[test]
fn a_refused_allocate_stays_refused() {
    let mut config = config();
    config.limits.allocations_per_user = 1;
    let mut rig = Rig::with(config);
    let mut first = Client::alice(&mut rig);
    first.allocate(&mut rig);
    let mut second = Client::udp("198.51.100.1:4001", "alice");
    second.greet(&mut rig);
    let mut request = second.request(Method::ALLOCATE);
    request.requested_transport(turn::RelayTransport::Udp);
    let bytes = second.sign(request);
    let refused = second.ask_bytes(&mut rig, &bytes);
    assert_eq!(refused.code(), 486);
    first.refresh(&mut rig, 0);
    // There would be room now, but its client may have heard the first answer.
    assert_eq!(second.ask_bytes(&mut rig, &bytes), refused);
    assert_eq!(rig.server.get().allocations(), 0);
    assert_eq!(second.allocate_with(&mut rig, |_| {}).code(), 200, "another transaction");
}

#[test]
fn a_repeated_end_is_no_mismatch() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    let mut request = alice.request(Method::REFRESH);
    request.lifetime(Duration::ZERO);
    let bytes = alice.sign(request);
    let first = alice.ask_bytes(&mut rig, &bytes);
    assert_eq!(first.code(), 200);
    assert_eq!(first.message().lifetime(), Some(Duration::ZERO));
    assert_eq!(alice.ask_bytes(&mut rig, &bytes), first);
    assert_eq!(alice.refresh(&mut rig, 0).code(), 437);
}

#[test]
fn ipv6_and_both_families() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |b| {
        b.requested_address_family(Family::V6);
    });
    assert_eq!(reply.relayed().ip(), core_v6());
    let mut bob = Client::udp("[2001:db8::7]:4000", "bob");
    bob.greet(&mut rig);
    let reply = bob.allocate_with(&mut rig, |b| {
        b.additional_address_family(Family::V6);
    });
    let relayed: Vec<_> = reply.message().relayed_addresses().map(|at| at.ip()).collect();
    assert_eq!(relayed, [core(), core_v6()]);
    assert_eq!(bob.permit(&mut rig, &["203.0.113.5:0", "[2001:db8::5]:0"]).code(), 200);
    rig.take();
    bob.indicate(&mut rig, at("[2001:db8::5]:9"), b"six");
    bob.indicate(&mut rig, at("203.0.113.5:9"), b"four");
    let sent = rig.datagrams();
    assert_eq!(
        sent,
        [(at("[2001:db8::5]:9"), b"six".into()), (at("203.0.113.5:9"), b"four".into())]
    );
    // One of the two ends.
    let mut request = bob.request(Method::REFRESH);
    request.lifetime(Duration::ZERO).requested_address_family(Family::V4);
    assert_eq!(bob.ask(&mut rig, request).code(), 200);
    rig.take();
    bob.indicate(&mut rig, at("[2001:db8::5]:9"), b"six");
    bob.indicate(&mut rig, at("203.0.113.5:9"), b"four");
    assert_eq!(rig.datagrams(), [(at("[2001:db8::5]:9"), b"six".into())]);
    assert_eq!(bob.permit(&mut rig, &["203.0.113.5:0"]).code(), 443);
    assert_eq!(bob.refresh(&mut rig, 600).code(), 200);
    assert_eq!(bob.refresh(&mut rig, 0).code(), 200);
    assert_eq!(rig.server.get().allocations(), 1);
}

#[test]
fn families_end_one_by_one() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate_with(&mut rig, |b| {
        b.additional_address_family(Family::V6);
    });
    let mut request = alice.request(Method::REFRESH);
    request.lifetime(Duration::from_secs(1200)).requested_address_family(Family::V6);
    assert_eq!(alice.ask(&mut rig, request).code(), 200);
    rig.pass(Duration::from_secs(601));
    assert_eq!((rig.server.get().allocations(), rig.bound.len()), (1, 4));
    assert_eq!(alice.permit(&mut rig, &["203.0.113.5:0"]).code(), 443);
    assert_eq!(alice.permit(&mut rig, &["[2001:db8::5]:0"]).code(), 200);
    rig.pass(Duration::from_secs(600));
    assert_eq!((rig.server.get().allocations(), rig.bound.len()), (0, 3));
}

#[test]
fn one_family_of_two_is_better_than_none() {
    let both = |b: &mut Builder| {
        b.additional_address_family(Family::V6);
    };
    let mut config = config();
    config.relays.truncate(1);
    let mut rig = Rig::with(config);
    let reply = Client::alice(&mut rig).allocate_with(&mut rig, both);
    let error = reply.message().address_error().unwrap();
    assert_eq!((reply.code(), error.family, error.error.code), (200, Family::V6, 440));
    assert_eq!(reply.relayed().ip(), core());

    let mut config = crate::server_rig::config();
    config.relays.remove(0);
    let mut rig = Rig::with(config);
    let reply = Client::alice(&mut rig).allocate_with(&mut rig, both);
    let error = reply.message().address_error().unwrap();
    assert_eq!((reply.code(), error.family, error.error.code), (200, Family::V4, 440));

    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    rig.faults.extend([FailKind::AddressInUse, FailKind::OutOfResources]);
    let reply = alice.allocate_with(&mut rig, both);
    let error = reply.message().address_error().unwrap();
    assert_eq!((reply.code(), error.family, error.error.code), (200, Family::V6, 508));

    // No IPv4 socket, no IPv4 port: IPv6 alone.
    let mut config = crate::server_rig::config();
    config.ports = 50_000..=50_000;
    let (mut failing, mut full) = (Rig::new(), Rig::with(config));
    failing.faults.extend([FailKind::OutOfResources]);
    Client::alice(&mut full).allocate(&mut full);
    for rig in [&mut failing, &mut full] {
        let mut bob = Client::udp("198.51.100.2:4000", "bob");
        bob.greet(rig);
        let reply = bob.allocate_with(rig, both);
        let error = reply.message().address_error().unwrap();
        assert_eq!((reply.code(), error.family, error.error.code), (200, Family::V4, 508));
        assert_eq!(reply.message().relayed_addresses().count(), 1);
        assert_eq!(reply.relayed().ip(), core_v6());
        assert_eq!(bob.permit(rig, &["[2001:db8::5]:0"]).code(), 200);
        assert_eq!(bob.permit(rig, &["203.0.113.5:0"]).code(), 443);
        assert_eq!(bob.refresh(rig, 0).code(), 200);
        // Neither is to be had.
        rig.faults.extend([FailKind::OutOfResources, FailKind::OutOfResources]);
        assert_eq!(bob.allocate_with(rig, both).code(), 508);
        rig.faults.clear();
    }
}

#[test]
fn ports_that_others_have_are_passed_over() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    rig.faults.extend(vec![FailKind::AddressInUse; 5]);
    alice.allocate(&mut rig);
    assert_eq!(rig.bound.len(), 4);
    alice.refresh(&mut rig, 0);
    rig.faults.extend(vec![FailKind::AddressInUse; 100]);
    assert_eq!(alice.allocate_with(&mut rig, |_| {}).code(), 508, "not for ever");
}

#[test]
fn even_ports_and_the_one_above() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |b| {
        b.even_port(false);
    });
    assert_eq!((reply.relayed().port() % 2, reply.message().reservation_token()), (0, None));
    let mut rtp = Client::udp("198.51.100.1:4001", "alice");
    rtp.greet(&mut rig);
    let reply = rtp.allocate_with(&mut rig, |b| {
        b.even_port(true);
    });
    let (even, token) = (reply.relayed(), reply.message().reservation_token().unwrap());
    assert_eq!(even.port() % 2, 0);
    // Somebody else's token is none.
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    bob.greet(&mut rig);
    let with_token = |b: &mut Builder| {
        b.reservation_token(token);
    };
    assert_eq!(bob.allocate_with(&mut rig, with_token).code(), 508);
    let mut rtcp = Client::udp("198.51.100.1:4002", "alice");
    rtcp.greet(&mut rig);
    let reply = rtcp.allocate_with(&mut rig, with_token);
    assert_eq!(reply.relayed(), even.with_port(even.port() + 1));
    // It is good once.
    let mut again = Client::udp("198.51.100.1:4003", "alice");
    again.greet(&mut rig);
    assert_eq!(again.allocate_with(&mut rig, with_token).code(), 508);
}

#[test]
fn a_reserved_port_is_not_kept_for_ever() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |b| {
        b.even_port(true);
    });
    let token = reply.message().reservation_token().unwrap();
    assert_eq!(rig.bound.len(), 5);
    rig.pass(Duration::from_secs(30));
    assert_eq!(rig.bound.len(), 4);
    let mut late = Client::udp("198.51.100.1:4001", "alice");
    late.greet(&mut rig);
    let reply = late.allocate_with(&mut rig, |b| {
        b.reservation_token(token);
    });
    assert_eq!(reply.code(), 508);
}

#[test]
fn reserved_ports_count_as_allocations() {
    let mut config = config();
    config.limits.allocations_per_user = 2;
    let mut rig = Rig::with(config);
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |b| {
        b.even_port(true);
    });
    let token = reply.message().reservation_token().unwrap();
    let mut second = Client::udp("198.51.100.1:4001", "alice");
    second.greet(&mut rig);
    assert_eq!(second.allocate_with(&mut rig, |_| {}).code(), 486);
    let reply = second.allocate_with(&mut rig, |b| {
        b.reservation_token(token);
    });
    assert_eq!(reply.code(), 200);
    alice.refresh(&mut rig, 0);
    second.refresh(&mut rig, 0);
    alice.allocate(&mut rig);
    let reply = second.allocate_with(&mut rig, |b| {
        b.even_port(true);
    });
    assert_eq!(reply.code(), 486, "a pair is two");
    second.allocate(&mut rig);
}

#[test]
fn one_of_a_pair_fails_and_another_pair_is_taken() {
    for faults in [vec![FailKind::AddressInUse], vec![]] {
        let mut rig = Rig::new();
        let mut alice = Client::alice(&mut rig);
        rig.faults.extend(faults);
        let reply = alice.allocate_with(&mut rig, |b| {
            b.even_port(true);
        });
        assert!(reply.message().reservation_token().is_some());
        assert_eq!((reply.relayed().port() % 2, rig.bound.len()), (0, 5));
    }
}

#[test]
fn permissions_let_addresses_through_for_five_minutes() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let relayed = alice.allocate(&mut rig);
    let peer = at("203.0.113.5:9");
    rig.peer_sends(relayed, peer, b"too early");
    alice.indicate(&mut rig, peer, b"too early");
    assert_eq!(rig.datagrams(), []);
    assert_eq!(alice.permit(&mut rig, &["203.0.113.5:0", "203.0.113.6:1"]).code(), 200);
    rig.peer_sends(relayed, peer, b"hello");
    let reply = alice.receive(&mut rig).unwrap();
    let message = reply.message();
    assert_eq!((message.class(), message.method()), (Class::Indication, Method::DATA));
    assert_eq!((message.peer_address(), message.data()), (Some(peer), Some(&b"hello"[..])));
    // Any port of the address, no other address.
    rig.peer_sends(relayed, at("203.0.113.5:10"), b"hello");
    rig.peer_sends(relayed, at("203.0.113.7:9"), b"hello");
    assert_eq!(rig.datagrams().len(), 1);
    alice.indicate(&mut rig, peer, b"there");
    assert_eq!(rig.datagrams(), [(peer, b"there".to_vec())]);
    rig.pass(Duration::from_secs(299));
    rig.peer_sends(relayed, peer, b"hello");
    assert_eq!(rig.datagrams().len(), 1);
    rig.pass(SECOND);
    rig.peer_sends(relayed, peer, b"hello");
    alice.indicate(&mut rig, peer, b"there");
    assert_eq!(rig.datagrams(), []);
}

#[test]
fn channels_last_ten_minutes_and_rest_five() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let relayed = alice.allocate(&mut rig);
    alice.refresh(&mut rig, 3600);
    let peer = at("203.0.113.5:9");
    assert_eq!(alice.bind(&mut rig, 0x4001, "203.0.113.5:9").code(), 200);
    alice.send(&mut rig, b"\x40\x01\x00\x05hello");
    assert_eq!(rig.datagrams(), [(peer, b"hello".to_vec())]);
    rig.peer_sends(relayed, peer, b"there");
    assert_eq!(rig.datagrams(), [(at("198.51.100.1:4000"), b"\x40\x01\x00\x05there".to_vec())]);
    // Its permission lasts five minutes alone.
    rig.pass(Duration::from_secs(301));
    alice.send(&mut rig, b"\x40\x01\x00\x05hello");
    assert_eq!(rig.datagrams(), []);
    assert_eq!(alice.permit(&mut rig, &["203.0.113.5:0"]).code(), 200);
    alice.send(&mut rig, b"\x40\x01\x00\x05hello");
    assert_eq!(rig.datagrams().len(), 1);
    rig.pass(Duration::from_secs(299));
    assert_eq!(alice.permit(&mut rig, &["203.0.113.5:0"]).code(), 200);
    alice.send(&mut rig, b"\x40\x01\x00\x05hello");
    assert_eq!(rig.datagrams(), [], "the channel has ended");
    // For five minutes neither is bound otherwise.
    assert_eq!(alice.bind(&mut rig, 0x4001, "203.0.113.6:9").code(), 400);
    assert_eq!(alice.bind(&mut rig, 0x4002, "203.0.113.5:9").code(), 400);
    rig.pass(Duration::from_secs(300));
    assert_eq!(alice.bind(&mut rig, 0x4001, "203.0.113.6:9").code(), 200);
    assert_eq!(alice.bind(&mut rig, 0x4002, "203.0.113.5:9").code(), 200);
}

#[test]
fn dont_fragment_reaches_the_network() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let relayed = alice.allocate(&mut rig);
    alice.permit(&mut rig, &["203.0.113.5:0"]);
    rig.take();
    let mut send = Builder::indication(Method::SEND, TransactionId([9; 12]));
    let bytes = send.peer_address(at("203.0.113.5:9")).data(b"whole").dont_fragment().finish();
    alice.send(&mut rig, &bytes);
    let socket = rig.socket_at(relayed);
    let (remote, bytes) = (at("203.0.113.5:9"), b"whole".to_vec());
    assert_eq!(rig.take(), [Did::Datagram { socket, remote, dont_fragment: true, bytes }]);
    // Nobody else's permission helps.
    let mut send = Builder::indication(Method::SEND, TransactionId([9; 12]));
    let bytes = send.peer_address(at("203.0.113.6:9")).data(b"whole").dont_fragment().finish();
    alice.send(&mut rig, &bytes);
    // What must be understood and is not drops it.
    let mut send = Builder::indication(Method::SEND, TransactionId([9; 12]));
    send.peer_address(at("203.0.113.5:9")).data(b"whole").dont_fragment();
    let bytes = send.attribute(AttributeType(0x7ffe), &[]).finish();
    alice.send(&mut rig, &bytes);
    assert_eq!(rig.take(), []);
    assert_eq!(rig.refused(Refusal::UnknownAttribute), 1);
    // What has no data is nothing.
    let mut send = Builder::indication(Method::SEND, TransactionId([9; 12]));
    let bytes = send.peer_address(at("203.0.113.5:9")).dont_fragment().finish();
    alice.send(&mut rig, &bytes);
    assert_eq!((rig.take(), rig.refused(Refusal::Unintelligible)), (vec![], 1));
}

#[test]
fn icmp_errors_reach_the_client() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let relayed = alice.allocate(&mut rig);
    let socket = rig.socket_at(relayed);
    let peer = at("203.0.113.5:9");
    let icmp = Icmp::TooBig { mtu: 1280 };
    rig.input(Input::Unreachable { socket, remote: peer, icmp });
    assert_eq!(rig.take(), [], "without a permission");
    alice.permit(&mut rig, &["203.0.113.5:0"]);
    rig.input(Input::Unreachable { socket, remote: peer, icmp });
    let reply = alice.receive(&mut rig).unwrap();
    let message = reply.message();
    assert_eq!((message.class(), message.method()), (Class::Indication, Method::DATA));
    assert_eq!((message.peer_address(), message.data()), (Some(peer), None));
    assert_eq!(message.icmp(), Some(IcmpError { kind: 3, code: 4, data: 1280 }));
}

#[test]
fn requests_while_sockets_are_bound() {
    // A driver that takes its time: nothing is bound before the next input.
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    rig.hold = true;
    let mut request = alice.request(Method::ALLOCATE);
    request.requested_transport(turn::RelayTransport::Udp);
    let bytes = alice.sign(request);
    alice.send(&mut rig, &bytes);
    alice.send(&mut rig, &bytes);
    assert_eq!((rig.asked, rig.questions.len()), (1, 1), "a repeated request waits once");
    assert_eq!(alice.receive(&mut rig), None);
    rig.answer();
    let first = alice.receive(&mut rig).unwrap();
    assert_eq!(first.code(), 200);
    assert_eq!(alice.ask_bytes(&mut rig, &bytes), first);
    assert_eq!(rig.asked, 1);
}

#[test]
fn a_binding_request_is_answered() {
    let mut rig = Rig::new();
    let request = Builder::request(Method::BINDING, TransactionId([1; 12])).finish();
    let remote = at("198.51.100.1:4000");
    rig.datagram(remote, &request);
    let sent = rig.datagrams();
    assert_eq!(Message::parse(&sent[0].1).unwrap().xor_mapped_address(), Some(remote));
    assert_eq!(rig.stats().bindings, 1);
}

#[test]
fn draining_ends_with_the_last_allocation() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    alice.allocate(&mut rig);
    rig.verb(|server, now| server.drain(now));
    assert!(!rig.events.contains(&Event::Drained));
    assert_eq!(alice.refresh(&mut rig, 600).code(), 200, "who has one keeps it");
    alice.refresh(&mut rig, 0);
    assert_eq!(rig.events.last(), Some(&Event::Drained));
    let mut idle = Rig::new();
    idle.verb(|server, now| server.drain(now));
    assert_eq!(idle.events.last(), Some(&Event::Drained));
    assert_eq!(idle.refused(Refusal::Draining), 0);
}
