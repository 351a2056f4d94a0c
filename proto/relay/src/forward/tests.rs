use std::net::IpAddr;
use std::sync::Arc;

use machine::{Endpoint, Entropy, Id, Ids, Instant};
use proptest::collection::vec;
use proptest::prelude::*;
use stun::{AttributeType, Builder, Class, Message, Method, TransactionId};

use crate::{
    Cause, Change, Channel, Client, Flow, FlowId, Forward, HEADROOM_LEN, Limit, Packet, Permission,
    Reach, Relayed, Table, Tally,
};

const PEER_ADDRESS: AttributeType = AttributeType(0x0012);
const DATA: AttributeType = AttributeType(0x0013);
const NUMBER: u16 = 0x4001;
const NOW: Instant = Instant::from_nanos(1_000_000_000);
const UNTIL: Instant = Instant::from_nanos(601_000_000_000);

fn at(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// A table and what the tests know of it.
struct World {
    table: Table,
    ids: Ids,
    listener: Id,
}

impl World {
    fn new() -> Self {
        let mut ids = Ids::new(3);
        let listener = ids.next_id();
        Self { table: Table::new(&mut Entropy::seeded(1)), ids, listener }
    }

    fn replica() -> Self {
        Self { table: Table::replica(&mut Entropy::seeded(1)), ..Self::new() }
    }

    fn client(&self, remote: &str) -> Client {
        let (remote, local) = (at(remote), at("192.0.2.1:3478"));
        let local = if remote.is_ipv4() { local.ip() } else { at("[2001:db8::1]:3478").ip() };
        Client::Datagram { socket: self.listener, local, remote }
    }

    fn relayed(&mut self, external: &str) -> Relayed {
        let external = at(external);
        Relayed { socket: self.ids.next_id(), local: external, external }
    }

    fn set(&mut self, id: u64, flow: &Flow) {
        self.table.apply(Change::Set(FlowId(id), Arc::new(flow.clone())));
    }

    /// Has the table decide on a datagram of `client`; the decision and the bytes afterwards.
    fn client_sends(&mut self, now: Instant, client: Client, bytes: &[u8]) -> (Forward, Vec<u8>) {
        let (mut buf, end) = buffer(bytes);
        let mut packet = Packet::new(&mut buf, HEADROOM_LEN, end);
        let forward = self.table.from_client(now, client, &mut packet);
        (forward, packet.bytes().to_vec())
    }

    fn peer_sends(
        &mut self,
        now: Instant,
        socket: Id,
        remote: Endpoint,
        bytes: &[u8],
    ) -> (Forward, Vec<u8>) {
        let (mut buf, end) = buffer(bytes);
        let mut packet = Packet::new(&mut buf, HEADROOM_LEN, end);
        let forward = self.table.from_peer(now, socket, remote, &mut packet);
        (forward, packet.bytes().to_vec())
    }
}

/// `bytes` with room around them, and where they end.
fn buffer(bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut buf = vec![0xaa; HEADROOM_LEN];
    buf.extend(bytes);
    let end = buf.len();
    buf.resize(end + 4096, 0xaa);
    (buf, end)
}

fn permission(ip: IpAddr) -> Permission {
    Permission { ip, reach: Reach::Network, until: UNTIL }
}

fn channel(peer: Endpoint) -> Channel {
    Channel { number: NUMBER, peer, until: UNTIL }
}

fn channel_data(number: u16, data: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

fn send(peer: Endpoint, data: &[u8]) -> Builder {
    let mut send = Builder::indication(Method::new(0x006), TransactionId([9; 12]));
    send.xor_address(PEER_ADDRESS, peer).attribute(DATA, data);
    send
}

/// What a Data indication says.
fn data_indication(bytes: &[u8]) -> (Endpoint, Vec<u8>) {
    let message = Message::parse(bytes).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Indication, Method::new(0x007)));
    let data = message.attribute(DATA).unwrap().to_vec();
    (message.xor_address(PEER_ADDRESS).unwrap(), data)
}

/// A flow with a permission for `peer` and a channel to it; its client and its socket.
fn one_flow(world: &mut World, peer: Endpoint) -> (Flow, Client, Relayed) {
    let client = world.client("198.51.100.7:4000");
    let relayed =
        world.relayed(if peer.is_ipv4() { "192.0.2.1:50000" } else { "[2001:db8::1]:50000" });
    let mut flow = Flow::new(client, relayed, UNTIL);
    flow.permit(permission(peer.ip()));
    flow.bind(channel(peer));
    world.set(1, &flow);
    (flow, client, relayed)
}

fn to(relayed: Relayed, remote: Endpoint) -> Forward {
    Forward::Send { socket: relayed.socket, source: relayed.local.ip(), remote }
}

fn back(client: Client) -> Forward {
    match client {
        Client::Datagram { socket, local, remote } => {
            Forward::Send { socket, source: local, remote }
        }
        Client::Stream { conn } => Forward::Write { conn },
    }
}

#[test]
fn both_ways_on_a_channel() {
    for peer in ["203.0.113.5:9000", "[2001:db8:5::5]:9000"].map(at) {
        let mut world = World::new();
        let (_, client, relayed) = one_flow(&mut world, peer);
        let sent = world.client_sends(NOW, client, &channel_data(NUMBER, b"hello"));
        assert_eq!(sent, (to(relayed, peer), b"hello".to_vec()));
        // Over UDP there may be padding.
        let padded = [channel_data(NUMBER, b"hello"), vec![0; 3]].concat();
        assert_eq!(
            world.client_sends(NOW, client, &padded),
            (to(relayed, peer), b"hello".to_vec())
        );
        let got = world.peer_sends(NOW, relayed.socket, peer, b"hi");
        assert_eq!(got, (back(client), channel_data(NUMBER, b"hi")));
        // Nothing is data too.
        let got = world.peer_sends(NOW, relayed.socket, peer, b"");
        assert_eq!(got, (back(client), channel_data(NUMBER, b"")));
        let counters = world.table.counters();
        assert_eq!(counters.client_to_peer, Tally { packets: 2, bytes: 10 });
        assert_eq!(counters.peer_to_client, Tally { packets: 2, bytes: 2 });
        assert_eq!(counters.dropped(), 0);
    }
}

#[test]
fn both_ways_in_indications() {
    for peer in ["203.0.113.5:9000", "[2001:db8:5::5]:9000"].map(at) {
        let mut world = World::new();
        let (flow, client, relayed) = one_flow(&mut world, peer);
        // The channel is for another port.
        let peer = peer.with_port(1234);
        for data in [&b"12345"[..], b"", b"1234"] {
            let sent = world.client_sends(NOW, client, &send(peer, data).finish());
            assert_eq!(sent, (to(relayed, peer), data.to_vec()));
            let (forward, bytes) = world.peer_sends(NOW, relayed.socket, peer, data);
            assert_eq!((forward, data_indication(&bytes)), (back(client), (peer, data.to_vec())));
        }
        // What may be ignored is, before the data and behind it.
        let mut decorated = Builder::indication(Method::new(0x006), TransactionId([9; 12]));
        decorated
            .software("x")
            .attribute(DATA, b"data")
            .xor_address(PEER_ADDRESS, peer)
            .fingerprint();
        let sent = world.client_sends(NOW, client, &decorated.finish());
        assert_eq!(sent, (to(relayed, peer), b"data".to_vec()));
        // A channel that has ended binds nothing.
        let mut flow = flow;
        flow.bind(Channel { until: NOW, ..channel(peer) });
        world.set(1, &flow);
        let (_, bytes) = world.peer_sends(NOW, relayed.socket, peer, b"data");
        assert_eq!(data_indication(&bytes), (peer, b"data".to_vec()));
    }
}

#[test]
fn what_is_odd_is_for_control_and_is_left_as_it_is() {
    let peer = at("203.0.113.5:9000");
    let mut world = World::new();
    let (_, client, _) = one_flow(&mut world, peer);
    let mut dont_fragment = send(peer, b"data");
    dont_fragment.attribute(AttributeType(0x001a), &[]);
    let mut unknown = send(peer, b"data");
    unknown.attribute(AttributeType(0x7f00), &[]);
    let mut no_data = Builder::indication(Method::new(0x006), TransactionId([9; 12]));
    no_data.xor_address(PEER_ADDRESS, peer);
    let mut no_peer = Builder::indication(Method::new(0x006), TransactionId([9; 12]));
    no_peer.attribute(DATA, b"data");
    let refresh = Builder::request(Method::new(0x004), TransactionId([9; 12])).finish();
    let mut odd = [dont_fragment, unknown, no_data, no_peer].map(|mut b| b.finish()).to_vec();
    odd.push(refresh);
    odd.push(Builder::indication(Method::BINDING, TransactionId([9; 12])).finish());
    for bytes in odd {
        assert_eq!(world.client_sends(NOW, client, &bytes), (Forward::Control, bytes));
    }
    assert_eq!(world.table.counters().dropped(), 0);
}

#[test]
fn every_cause() {
    let peer = at("203.0.113.5:9000");
    let mut world = World::new();
    let (mut flow, client, relayed) = one_flow(&mut world, peer);
    let data = channel_data(NUMBER, b"data");
    let expect = |world: &mut World, now, client, bytes: &[u8], cause| {
        let before = world.table.counters().drops(cause);
        let dropped = world.client_sends(now, client, bytes);
        assert_eq!(dropped, (Forward::Drop(cause), bytes.to_vec()));
        assert_eq!(world.table.counters().drops(cause), before + 1);
    };
    let stranger = world.client("198.51.100.7:4001");
    expect(&mut world, NOW, stranger, &data, Cause::NoFlow);
    expect(&mut world, NOW, stranger, &send(peer, b"x").finish(), Cause::NoFlow);
    expect(&mut world, UNTIL, client, &data, Cause::NoChannel);
    for malformed in
        [&b""[..], b"\x40\x01\x00", b"\x40\x01\x00\x05data", b"\x80abc", b"\x01\x01\x00\x00"]
    {
        expect(&mut world, NOW, client, malformed, Cause::Malformed);
    }
    expect(&mut world, NOW, client, &channel_data(NUMBER + 1, b"x"), Cause::NoChannel);
    let other = at("203.0.113.6:9000");
    expect(&mut world, NOW, client, &send(other, b"x").finish(), Cause::NoPermission);
    let six = at("[2001:db8:5::5]:9000");
    flow.permit(permission(six.ip()));
    flow.set_until(NOW);
    world.set(1, &flow);
    expect(&mut world, NOW, client, &data, Cause::Expired);
    flow.set_until(UNTIL);
    world.set(1, &flow);
    expect(&mut world, NOW, client, &send(six, b"x").finish(), Cause::Family);
    flow.permit(Permission { until: NOW, ..permission(peer.ip()) });
    world.set(1, &flow);
    expect(&mut world, NOW, client, &data, Cause::NoPermission);
    flow.permit(Permission { reach: Reach::Relayed, ..permission(peer.ip()) });
    flow.set_limit(Some(Arc::new(Limit::new(8))));
    world.set(1, &flow);
    expect(&mut world, NOW, client, &data, Cause::OurOwn);
    flow.permit(permission(peer.ip()));
    world.set(1, &flow);
    assert_eq!(world.client_sends(NOW, client, &data).0, to(relayed, peer));
    expect(&mut world, NOW, client, &data, Cause::Limit);
    // The longest datagram grows no more.
    let long = vec![0; 65_507];
    assert_eq!(world.peer_sends(NOW, relayed.socket, peer, &long).0, Forward::Drop(Cause::TooLong));
    world.table.apply(Change::Remove(FlowId(1)));
    expect(&mut world, NOW, client, &data, Cause::NoFlow);
    let from = world.peer_sends(NOW, relayed.socket, peer, b"x");
    assert_eq!(from.0, Forward::Drop(Cause::NoFlow));
    assert!(world.table.is_empty());
}

#[test]
fn requests_of_strangers_are_for_control() {
    let mut world = World::new();
    let stranger = world.client("198.51.100.7:4001");
    let allocate = Builder::request(Method::new(0x003), TransactionId([9; 12])).finish();
    assert_eq!(world.client_sends(NOW, stranger, &allocate).0, Forward::Control);
    assert_eq!(world.table.counters(), &crate::Counters::default());
}

/// Two flows of ours, each with a permission for the other's address.
fn two_flows(world: &mut World) -> ([Flow; 2], [Client; 2], [Relayed; 2]) {
    let clients = [world.client("198.51.100.7:4000"), world.client("198.51.100.8:4000")];
    let relayed = ["192.0.2.1:50000", "192.0.2.1:50001"].map(|external| {
        // Behind a 1:1 NAT: peers see another address than the socket's.
        let external = at(external);
        let local = Endpoint::new(at("10.0.0.1:0").ip(), external.port());
        Relayed { socket: world.ids.next_id(), local, external }
    });
    let flows = [0, 1].map(|n| {
        let mut flow = Flow::new(clients[n], relayed[n], UNTIL);
        flow.permit(Permission {
            reach: Reach::Relayed,
            ..permission(relayed[1 - n].external.ip())
        });
        flow
    });
    world.set(1, &flows[0]);
    world.set(2, &flows[1]);
    (flows, clients, relayed)
}

#[test]
fn between_two_flows_of_ours() {
    let mut world = World::new();
    let (mut flows, clients, relayed) = two_flows(&mut world);
    // In indications, both ways.
    let (forward, bytes) =
        world.client_sends(NOW, clients[0], &send(relayed[1].external, b"hello").finish());
    let expected = (relayed[0].external, b"hello".to_vec());
    assert_eq!((forward, data_indication(&bytes)), (back(clients[1]), expected));
    // From channel to channel.
    flows[0].bind(Channel { number: 0x4005, ..channel(relayed[1].external) });
    flows[1].bind(Channel { number: 0x4006, ..channel(relayed[0].external) });
    world.set(1, &flows[0]);
    world.set(2, &flows[1]);
    let got = world.client_sends(NOW, clients[0], &channel_data(0x4005, b"hello"));
    assert_eq!(got, (back(clients[1]), channel_data(0x4006, b"hello")));
    assert_eq!(world.table.counters().client_to_client, Tally { packets: 2, bytes: 10 });
    // A port of ours where no flow lives is reached through no socket.
    let sip = relayed[1].external.with_port(5060);
    let got = world.client_sends(NOW, clients[0], &send(sip, b"INVITE").finish());
    assert_eq!(got.0, Forward::Drop(Cause::OurOwn));
}

#[test]
fn between_flows_both_have_to_agree() {
    let mut world = World::new();
    let (flows, clients, relayed) = two_flows(&mut world);
    let hello = send(relayed[1].external, b"hello").finish();
    let silent = Flow::new(clients[0], relayed[0], UNTIL);
    for (id, flow) in [(1, &silent), (2, &Flow::new(clients[1], relayed[1], UNTIL))] {
        world.set(id, flow);
        let got = world.client_sends(NOW, clients[0], &hello);
        assert_eq!(got.0, Forward::Drop(Cause::NoPermission));
        world.set(id, &flows[id as usize - 1]);
    }
    assert_eq!(world.client_sends(NOW, clients[0], &hello).0, back(clients[1]));
    // The receiver's limit and its end count as well.
    let mut limited = flows[1].clone();
    limited.set_limit(Some(Arc::new(Limit::new(8))));
    world.set(2, &limited);
    assert_eq!(world.client_sends(NOW, clients[0], &hello).0, back(clients[1]));
    assert_eq!(world.client_sends(NOW, clients[0], &hello).0, Forward::Drop(Cause::Limit));
    limited.set_until(NOW);
    world.set(2, &limited);
    assert_eq!(world.client_sends(NOW, clients[0], &hello).0, Forward::Drop(Cause::Expired));
    world.table.apply(Change::Remove(FlowId(2)));
    assert_eq!(world.client_sends(NOW, clients[0], &hello).0, Forward::Drop(Cause::OurOwn));
}

#[test]
fn a_flow_may_send_to_itself() {
    let mut world = World::new();
    let (mut flow, client, relayed) = one_flow(&mut world, at("203.0.113.5:9000"));
    flow.permit(Permission { reach: Reach::Relayed, ..permission(relayed.external.ip()) });
    world.set(1, &flow);
    let got = world.client_sends(NOW, client, &send(relayed.external, b"echo").finish());
    assert_eq!(
        (got.0, data_indication(&got.1)),
        (back(client), (relayed.external, b"echo".to_vec()))
    );
}

#[test]
fn streams_are_written_to_and_replicas_ask() {
    let peer = at("203.0.113.5:9000");
    for (mut world, writes) in [(World::new(), true), (World::replica(), false)] {
        let (flow, _, relayed) = one_flow(&mut world, peer);
        let conn = Id::accepted(world.listener, 1);
        let mut flow = flow;
        flow.set_client(Client::Stream { conn });
        flow.set_limit(Some(Arc::new(Limit::new(8))));
        world.set(1, &flow);
        let got = world.peer_sends(NOW, relayed.socket, peer, b"data");
        let written = (Forward::Write { conn }, channel_data(NUMBER, b"data"));
        // What control decides on again costs nothing of the limit here.
        assert_eq!(got, if writes { written } else { (Forward::Control, b"data".to_vec()) });
        assert_eq!(
            world.peer_sends(NOW, relayed.socket, at("203.0.113.6:1"), b"x").0,
            Forward::Drop(Cause::NoPermission)
        );
        let sent = world.client_sends(NOW, Client::Stream { conn }, &channel_data(NUMBER, b"data"));
        assert_eq!(sent, (to(relayed, peer), b"data".to_vec()));
    }
}

#[test]
fn flows_move_and_leave_nothing_behind() {
    let peer = at("203.0.113.5:9000");
    let mut world = World::new();
    let (mut flow, before, relayed) = one_flow(&mut world, peer);
    let data = channel_data(NUMBER, b"data");
    let after = world.client("198.51.100.99:1");
    flow.set_client(after);
    let six = world.relayed("[2001:db8::1]:50001");
    flow.add_relayed(six);
    world.set(1, &flow);
    assert_eq!(world.client_sends(NOW, before, &data).0, Forward::Drop(Cause::NoFlow));
    assert_eq!(world.client_sends(NOW, after, &data).0, to(relayed, peer));
    // A new flow takes the old 5-tuple and relayed address before the old one is removed.
    let second = Flow::new(after, relayed, UNTIL);
    world.set(2, &second);
    world.table.apply(Change::Remove(FlowId(1)));
    assert_eq!(world.client_sends(NOW, after, &data).0, Forward::Drop(Cause::NoChannel));
    world.table.apply(Change::Remove(FlowId(2)));
    world.table.apply(Change::Remove(FlowId(2)));
    assert!(world.table.is_empty() && world.table.clients.is_empty());
    assert!(world.table.sockets.is_empty() && world.table.behind(relayed.external).is_none());
}

/// What a train is after the table has decided.
fn train(
    bytes: &[u8],
    size: usize,
    decide: impl FnOnce(&mut Packet<'_>) -> Forward,
) -> (Forward, Vec<Vec<u8>>) {
    let (mut buf, end) = buffer(bytes);
    let mut packet = Packet::train(&mut buf, HEADROOM_LEN, end, Some(size));
    let forward = decide(&mut packet);
    (forward, packet.datagrams().map(<[u8]>::to_vec).collect())
}

#[test]
fn trains_stay_together() {
    let peer = at("203.0.113.5:9000");
    let mut world = World::new();
    let (mut flow, client, relayed) = one_flow(&mut world, peer);
    let data: Vec<Vec<u8>> =
        [&[1; 50][..], &[2; 50], &[3; 50], &[4; 7]].map(<[u8]>::to_vec).to_vec();
    let framed: Vec<Vec<u8>> = data.iter().map(|data| channel_data(NUMBER, data)).collect();
    let out = train(&framed.concat(), 54, |p| world.table.from_client(NOW, client, p));
    assert_eq!(out, (to(relayed, peer), data.clone()));
    let out = train(&data.concat(), 50, |p| world.table.from_peer(NOW, relayed.socket, peer, p));
    assert_eq!(out, (back(client), framed.clone()));
    // Padding goes.
    let padded: Vec<u8> =
        framed[..3].iter().flat_map(|f| [f.as_slice(), &[0; 2]].concat()).collect();
    let out = train(&padded, 56, |p| world.table.from_client(NOW, client, p));
    assert_eq!(out, (to(relayed, peer), data[..3].to_vec()));
    // Data indications are padded, each with an id of its own.
    let other = peer.with_port(1);
    let (forward, out) =
        train(&data.concat(), 50, |p| world.table.from_peer(NOW, relayed.socket, other, p));
    assert_eq!(forward, back(client));
    let read: Vec<_> = out.iter().map(|bytes| data_indication(bytes)).collect();
    assert_eq!(read, data.iter().map(|data| (other, data.clone())).collect::<Vec<_>>());
    assert_ne!(out[0][8..20], out[1][8..20]);
    // From channel to channel nothing moves.
    flow.permit(Permission { reach: Reach::Relayed, ..permission(relayed.external.ip()) });
    flow.bind(Channel { number: NUMBER + 1, ..channel(relayed.external) });
    world.set(1, &flow);
    let own: Vec<Vec<u8>> = data.iter().map(|data| channel_data(NUMBER + 1, data)).collect();
    let out = train(&own.concat(), 54, |p| world.table.from_client(NOW, client, p));
    assert_eq!(out, (back(client), own));
    assert_eq!(world.table.counters().client_to_peer, Tally { packets: 7, bytes: 307 });
}

#[test]
fn trains_that_do_not_stay_together() {
    let peer = at("203.0.113.5:9000");
    let mut world = World::new();
    let (_, client, relayed) = one_flow(&mut world, peer);
    let trains: [&[&[u8]]; 4] = [
        // Two channels.
        &[&channel_data(NUMBER, b"data"), &channel_data(NUMBER + 1, b"data")],
        // Two lengths, one being padded.
        &[&channel_data(NUMBER, b"data"), b"\x40\x01\x00\x03da__", &channel_data(NUMBER, b"data")],
        // Indications.
        &[&send(peer, b"data").finish(), &send(peer, b"data").finish()],
        // A datagram that is cut off.
        &[&channel_data(NUMBER, b"data"), b"\x40\x01\x00\x05data"],
    ];
    for datagrams in trains {
        let bytes = datagrams.concat();
        let (forward, out) =
            train(&bytes, datagrams[0].len(), |p| world.table.from_client(NOW, client, p));
        assert_eq!((forward, out.concat()), (Forward::Split, bytes));
    }
    // No room for so many headers in one train.
    let long = vec![0; 65_000];
    let (forward, _) = train(&long, 400, |p| world.table.from_peer(NOW, relayed.socket, peer, p));
    assert_eq!(forward, Forward::Split);
    assert_eq!(world.table.counters(), &crate::Counters::default());
}

#[test]
fn a_train_that_is_split_is_charged_once() {
    let peer = at("203.0.113.5:9000");
    let mut world = World::new();
    let (mut flow, _, relayed) = one_flow(&mut world, peer);
    // Room for the datagrams of the train, and not for twice as much.
    flow.set_limit(Some(Arc::new(Limit::new(2 * 80_000))));
    world.set(1, &flow);
    let long = vec![0; 65_000];
    let (forward, _) = train(&long, 400, |p| world.table.from_peer(NOW, relayed.socket, peer, p));
    assert_eq!(forward, Forward::Split);
    for datagram in long.chunks(400) {
        let (forward, _) = world.peer_sends(NOW, relayed.socket, peer, datagram);
        assert_eq!(forward, back(flow.client()));
    }
}

#[test]
fn counters_add_up() {
    let peer = at("203.0.113.5:9000");
    let mut world = World::new();
    let (_, client, _) = one_flow(&mut world, peer);
    world.client_sends(NOW, client, &channel_data(NUMBER, b"data"));
    world.client_sends(NOW, client, b"");
    let counters = *world.table.counters();
    assert_eq!(crate::Counters::from_array(counters.to_array()), counters);
    let twice = counters.plus(&counters);
    assert_eq!((twice.client_to_peer.bytes, twice.drops(Cause::Malformed)), (8, 2));
    let names: std::collections::BTreeSet<_> = Cause::ALL.map(Cause::name).into();
    assert_eq!(names.len(), Cause::ALL.len());
    assert!(Cause::ALL.into_iter().enumerate().all(|(n, cause)| cause as usize == n));
}

proptest! {
    /// No bytes panic, from whoever they come, in a train or alone, with or without room.
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in vec(any::<u8>(), 0..200),
        first in prop::sample::select(vec![0x00, 0x40, 0x80]),
        size in 0..64_usize,
        start in 0..100_usize,
    ) {
        let peer = at("203.0.113.5:9000");
        let mut world = World::new();
        let (_, client, relayed) = one_flow(&mut world, peer);
        let mut bytes = bytes;
        if let [t0, t1, ..] = bytes.as_mut_slice() {
            (*t0, *t1) = (first, *t1 & 0x1f);
        }
        let end = bytes.len();
        let mut packet = Packet::train(&mut bytes, start, end, Some(size));
        world.table.from_client(NOW, client, &mut packet);
        let mut packet = Packet::train(&mut bytes, start, end, Some(size));
        world.table.from_peer(NOW, relayed.socket, peer, &mut packet);
    }

    /// What goes out as one train is what would go out one by one.
    #[test]
    fn a_train_is_its_datagrams(
        len in 0..60_usize, last in 0..60_usize, count in 1..20_usize, bound: bool, v6: bool,
    ) {
        let peer = at(if v6 { "[2001:db8:5::5]:9000" } else { "203.0.113.5:9000" });
        let mut world = World::new();
        let (_, client, relayed) = one_flow(&mut world, peer);
        let peer = if bound { peer } else { peer.with_port(1) };
        let mut data = vec![vec![7; len]; count];
        data.push(vec![8; last.min(len)]);
        // Of indications the ids differ.
        let strip = |mut bytes: Vec<u8>| { if !bound { bytes[8..20].fill(0); } bytes };
        let alone: Vec<_> = data.iter()
            .map(|data| strip(world.peer_sends(NOW, relayed.socket, peer, data).1))
            .collect();
        let (forward, out) =
            train(&data.concat(), len, |p| world.table.from_peer(NOW, relayed.socket, peer, p));
        if v6 && !bound {
            // The address is hidden by the id.
            prop_assert!(forward == back(client) || len == 0 || last == 0);
        } else if len > 0 && last > 0 {
            prop_assert_eq!(forward, back(client));
            prop_assert_eq!(out.into_iter().map(strip).collect::<Vec<_>>(), alone);
        }
        let framed: Vec<_> = data.iter().map(|data| channel_data(NUMBER, data)).collect();
        let alone: Vec<_> =
            framed.iter().map(|framed| world.client_sends(NOW, client, framed).1).collect();
        let (forward, out) =
            train(&framed.concat(), len + 4, |p| world.table.from_client(NOW, client, p));
        if forward != Forward::Split {
            prop_assert_eq!(out, alone);
        } else {
            prop_assert!(len == 0 || last == 0);
        }
    }
}
