//! A client whose address changes keeps its relayed address (RFC 8016).

use std::time::Duration;

use machine::Transport;
use stun::{Builder, Method};
use turn::server::defaults::MOVE_LIFETIME;
use turn::{TurnBuilder, TurnMessage};
use wayleave_turn as turn;

use crate::server_rig::{Client, Over, Reply, Rig, at};

fn mobile(b: &mut Builder) {
    b.mobility_ticket(&[]);
}

fn ticket(reply: &Reply) -> Vec<u8> {
    reply.message().mobility_ticket().expect("there is a ticket").to_vec()
}

/// The same client elsewhere.
fn elsewhere(rig: &mut Rig, client: &Client, over: Over) -> Client {
    let mut moved = Client { over, ..client.called(&client.user) };
    moved.greet(rig);
    moved
}

fn refresh(client: &mut Client, rig: &mut Rig, ticket: &[u8]) -> Reply {
    let mut request = client.request(Method::REFRESH);
    request.mobility_ticket(ticket);
    client.ask(rig, request)
}

/// An allocation with a permission for a peer, and its ticket.
fn begin(rig: &mut Rig) -> (Client, machine::Endpoint, Vec<u8>) {
    let mut alice = Client::alice(rig);
    let reply = alice.allocate_with(rig, mobile);
    assert_eq!(alice.bind(rig, 0x4000, "203.0.113.5:9").code(), 200);
    (alice, reply.relayed(), ticket(&reply))
}

#[test]
fn who_does_not_ask_gets_no_ticket() {
    let mut rig = Rig::new();
    let mut alice = Client::alice(&mut rig);
    let reply = alice.allocate_with(&mut rig, |_| {});
    assert_eq!(reply.message().mobility_ticket(), None);
}

#[test]
fn the_old_address_is_served_until_the_new_one_is_heard_of() {
    let mut rig = Rig::new();
    let (mut alice, relayed, old) = begin(&mut rig);
    let mut moved = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.77:5000")));
    let reply = refresh(&mut moved, &mut rig, &old);
    assert_eq!(reply.code(), 200);
    assert_ne!(ticket(&reply), old);
    let peer = at("203.0.113.5:9");
    let data = b"\x40\x00\x00\x05hello".to_vec();
    rig.peer_sends(relayed, peer, b"hello");
    assert_eq!(rig.datagrams(), [(at("198.51.100.1:4000"), data.clone())], "still there");
    alice.send(&mut rig, &data);
    assert_eq!(rig.datagrams(), [(peer, b"hello".to_vec())]);
    // Data from the new address confirms it, and is forwarded.
    moved.send(&mut rig, &data);
    assert_eq!(rig.datagrams(), [(peer, b"hello".to_vec())]);
    rig.peer_sends(relayed, peer, b"hello");
    assert_eq!(rig.datagrams(), [(at("198.51.100.77:5000"), data.clone())]);
    alice.send(&mut rig, &data);
    assert_eq!(rig.datagrams(), [], "the old one is a stranger's now");
    assert_eq!(alice.refresh(&mut rig, 600).code(), 437);
    assert_eq!(moved.refresh(&mut rig, 600).code(), 200);
    assert_eq!(rig.stats().moved, 1);
}

#[test]
fn a_request_confirms_as_well() {
    let mut rig = Rig::new();
    let (alice, relayed, old) = begin(&mut rig);
    let mut moved = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.77:5000")));
    refresh(&mut moved, &mut rig, &old);
    assert_eq!(moved.permit(&mut rig, &["203.0.113.6:0"]).code(), 200);
    rig.take();
    rig.peer_sends(relayed, at("203.0.113.5:9"), b"hello");
    assert_eq!(rig.datagrams()[0].0, at("198.51.100.77:5000"));
}

#[test]
fn a_lost_answer_is_given_again() {
    let mut rig = Rig::new();
    let (alice, _, old) = begin(&mut rig);
    let mut moved = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.77:5000")));
    let mut request = moved.request(Method::REFRESH);
    request.mobility_ticket(&old);
    let bytes = moved.sign(request);
    let first = moved.ask_bytes(&mut rig, &bytes);
    let second = moved.ask_bytes(&mut rig, &bytes);
    assert_eq!(first, second, "the same ticket, too");
    assert_eq!(rig.stats().moved, 0, "a repeated Refresh confirms nothing");
    // And from a third address with the ticket that it knows.
    let mut third = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.78:5000")));
    let reply = refresh(&mut third, &mut rig, &old);
    assert_eq!((reply.code(), ticket(&reply)), (200, ticket(&first)));
    third.permit(&mut rig, &["203.0.113.6:0"]);
    assert_eq!(rig.stats().moved, 1);
    assert_eq!(moved.refresh(&mut rig, 600).code(), 437);
}

#[test]
fn who_does_not_confirm_stays() {
    let mut rig = Rig::new();
    let (mut alice, relayed, old) = begin(&mut rig);
    let mut moved = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.77:5000")));
    refresh(&mut moved, &mut rig, &old);
    rig.pass(MOVE_LIFETIME);
    moved.send(&mut rig, b"\x40\x00\x00\x05hello");
    assert_eq!(rig.datagrams(), []);
    rig.peer_sends(relayed, at("203.0.113.5:9"), b"hello");
    assert_eq!(rig.datagrams()[0].0, at("198.51.100.1:4000"));
    assert_eq!(alice.refresh(&mut rig, 600).code(), 200);
    // The ticket is still good.
    assert_eq!(refresh(&mut moved, &mut rig, &old).code(), 200);
}

#[test]
fn tickets_are_the_owners() {
    let mut rig = Rig::new();
    let (alice, _, old) = begin(&mut rig);
    let mut bob = Client::udp("198.51.100.2:4000", "bob");
    bob.greet(&mut rig);
    assert_eq!(refresh(&mut bob, &mut rig, &old).code(), 441);
    let mut moved = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.77:5000")));
    let mut forged = old.clone();
    forged[3] ^= 1;
    assert_eq!(refresh(&mut moved, &mut rig, &forged).code(), 400);
    assert_eq!(refresh(&mut moved, &mut rig, &old[..15]).code(), 400);
    assert_eq!(refresh(&mut moved, &mut rig, &[]).code(), 437);
    assert_eq!(rig.stats().moved, 0);
}

#[test]
fn an_allocation_can_be_ended_from_elsewhere() {
    let mut rig = Rig::new();
    let (alice, _, old) = begin(&mut rig);
    let mut moved = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.77:5000")));
    let mut request = moved.request(Method::REFRESH);
    request.mobility_ticket(&old).lifetime(Duration::ZERO);
    assert_eq!(moved.ask(&mut rig, request).code(), 200);
    assert_eq!(rig.server.get().allocations(), 0);
    assert_eq!(refresh(&mut moved, &mut rig, &old).code(), 400);
    assert_eq!(moved.allocate_with(&mut rig, |_| {}).code(), 200);
}

#[test]
fn from_a_lost_connection_to_another_and_to_udp() {
    let mut rig = Rig::new();
    let conn = rig.accept(Transport::Tcp, at("198.51.100.1:4000"));
    let mut alice = Client::new(Over::Conn(conn), "alice");
    alice.greet(&mut rig);
    let reply = alice.allocate_with(&mut rig, mobile);
    let relayed = reply.relayed();
    alice.bind(&mut rig, 0x4000, "203.0.113.5:9");
    rig.close(conn);
    assert_eq!(rig.server.get().allocations(), 1, "it waits");
    rig.take();
    rig.peer_sends(relayed, at("203.0.113.5:9"), b"lost");
    assert_eq!(rig.take(), []);
    let again = rig.accept(Transport::Tls, at("198.51.100.77:5000"));
    rig.take();
    let mut moved = elsewhere(&mut rig, &alice, Over::Conn(again));
    let reply = refresh(&mut moved, &mut rig, &ticket(&reply));
    assert_eq!(reply.code(), 200);
    rig.peer_sends(relayed, at("203.0.113.5:9"), b"here");
    assert_eq!(rig.written(again), b"\x40\x00\x00\x04here");
    // And on to UDP while the connection lasts.
    let mut third = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.78:5000")));
    assert_eq!(refresh(&mut third, &mut rig, &ticket(&reply)).code(), 200);
    third.send(&mut rig, b"\x40\x00\x00\x05hello");
    rig.take();
    rig.peer_sends(relayed, at("203.0.113.5:9"), b"here");
    assert_eq!(rig.datagrams()[0].0, at("198.51.100.78:5000"));
    rig.pass(Duration::from_secs(61));
    assert_eq!((rig.stats().connections, rig.server.get().allocations()), (0, 1));
}

#[test]
fn who_never_comes_back_is_forgotten() {
    let mut rig = Rig::new();
    let conn = rig.accept(Transport::Tcp, at("198.51.100.1:4000"));
    let mut alice = Client::new(Over::Conn(conn), "alice");
    alice.greet(&mut rig);
    alice.allocate_with(&mut rig, mobile);
    rig.close(conn);
    rig.pass(Duration::from_secs(600));
    assert_eq!((rig.server.get().allocations(), rig.bound.len()), (0, 3));
}

#[test]
fn a_connection_lost_during_the_move_confirms_it() {
    let mut rig = Rig::new();
    let conn = rig.accept(Transport::Tcp, at("198.51.100.1:4000"));
    let mut alice = Client::new(Over::Conn(conn), "alice");
    alice.greet(&mut rig);
    let reply = alice.allocate_with(&mut rig, mobile);
    alice.bind(&mut rig, 0x4000, "203.0.113.5:9");
    let mut moved = elsewhere(&mut rig, &alice, Over::Udp(at("198.51.100.77:5000")));
    refresh(&mut moved, &mut rig, &ticket(&reply));
    rig.close(conn);
    rig.take();
    rig.peer_sends(reply.relayed(), at("203.0.113.5:9"), b"hello");
    assert_eq!(rig.datagrams()[0].0, at("198.51.100.77:5000"));
}
