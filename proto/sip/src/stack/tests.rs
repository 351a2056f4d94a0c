use std::time::Duration;

use crypto::Secret;
use machine::{Entropy, Ids, Input, RecordData, Transport};

use super::{Config, Event, Failure, Stack, Target, TransactionId};
use crate::message::Request;
use crate::method::Method;
use crate::status::Status;
use crate::testing::Net;
use crate::transport::Flow;

const MS: Duration = Duration::from_millis(1);
const SEC: Duration = Duration::from_secs(1);

fn stack(seed: u64, listeners: &[(Transport, &str)]) -> Stack {
    let mut stack = Stack::new(Config::default(), Ids::new(3), Entropy::seeded(seed));
    for (transport, at) in listeners {
        stack.listen(*transport, at.parse().unwrap());
    }
    stack
}

/// Alice at 10.0.0.1 and Bob at 10.0.0.2, both on UDP and TCP port 5060.
fn pair() -> Net<Stack> {
    let both = [(Transport::Udp, "0.0.0.0:5060"), (Transport::Tcp, "0.0.0.0:5060")];
    let mut net = Net::new([("10.0.0.1", stack(1, &both)), ("10.0.0.2", stack(2, &both))]);
    net.run(MS);
    for index in 0..2 {
        assert!(matches!(event(&mut net, index), Some(Event::Listening { .. })));
        assert!(matches!(event(&mut net, index), Some(Event::Listening { .. })));
    }
    net
}

fn event(net: &mut Net<Stack>, index: usize) -> Option<Event> {
    net.on(index, |stack, _| stack.poll_event())
}

fn request(method: Method, uri: &str) -> Request {
    let from = "<sip:alice@a.test>;tag=a".parse().unwrap();
    let to = "<sip:bob@b.test>".parse().unwrap();
    Request::with_essentials(method, uri.parse().unwrap(), &from, &to, "c1", 1)
}

fn send(net: &mut Net<Stack>, request: Request) -> TransactionId {
    net.on(0, |stack, now| stack.send_request(now, request, Target::Uri))
}

fn incoming(net: &mut Net<Stack>) -> (TransactionId, Request) {
    loop {
        match event(net, 1) {
            Some(Event::Request { transaction, request, .. }) => return (transaction, request),
            Some(_) => {}
            None => panic!("no request: {:#?}", net.log),
        }
    }
}

fn respond(net: &mut Net<Stack>, transaction: TransactionId, request: &Request, status: Status) {
    let mut response = request.response(status);
    response.set_to_tag("b");
    net.on(1, |stack, now| stack.respond(now, transaction, &response));
}

fn statuses(net: &mut Net<Stack>) -> Vec<u16> {
    let mut seen = Vec::new();
    while let Some(event) = event(net, 0) {
        if let Event::Response { response, .. } = event {
            seen.push(response.status.code());
        }
    }
    seen
}

#[test]
fn a_request_and_its_response_over_udp() {
    let mut net = pair();
    send(&mut net, request(Method::Options, "sip:bob@10.0.0.2"));
    net.run(30 * MS);
    let (transaction, request) = incoming(&mut net);
    let via = request.via().unwrap();
    assert_eq!(via.received().map(|ip| ip.to_string()).as_deref(), Some("10.0.0.1"));
    assert_eq!(via.rport(), Some(5060));
    respond(&mut net, transaction, &request, Status::OK);
    net.run(40 * SEC);
    assert_eq!(statuses(&mut net), [200]);
    assert_eq!(net.log.len(), 2);
    assert!(matches!(event(&mut net, 1), Some(Event::ServerEnded { unacknowledged: false, .. })));
    let stats = net.nodes[0].part.stats();
    assert_eq!((stats.clients, stats.sent, stats.received), (0, 1, 1));
    assert_eq!(net.nodes[1].part.stats().servers, 0);
}

#[test]
fn a_lost_request_is_sent_again_and_answered_once() {
    let mut net = pair();
    let mut lost = 0;
    net.lose = Box::new(move |line| {
        lost += 1;
        line.contains("OPTIONS") && lost <= 2
    });
    send(&mut net, request(Method::Options, "sip:bob@10.0.0.2"));
    net.run(2 * SEC);
    let (transaction, request) = incoming(&mut net);
    respond(&mut net, transaction, &request, Status::OK);
    net.run(10 * SEC);
    assert_eq!(net.count("OPTIONS"), 3);
    assert_eq!(statuses(&mut net), [200]);
}

#[test]
fn nobody_answers() {
    let mut net = pair();
    net.lose = Box::new(|_| true);
    let id = send(&mut net, request(Method::Invite, "sip:bob@10.0.0.2"));
    net.run(31 * SEC);
    assert!(event(&mut net, 0).is_none());
    net.run(2 * SEC);
    assert!(
        matches!(event(&mut net, 0), Some(Event::TimedOut { transaction }) if transaction == id)
    );
    assert_eq!(net.count("INVITE"), 7);
    assert_eq!(net.nodes[0].part.stats().clients, 0);
}

#[test]
fn icmp_ends_the_wait() {
    let mut net = pair();
    send(&mut net, request(Method::Options, "sip:bob@10.0.0.2:5099"));
    net.run(SEC);
    let failure = Failure::Unreachable;
    assert!(matches!(event(&mut net, 0), Some(Event::Failed { failure: f, .. }) if f == failure));
}

#[test]
fn an_invite_gets_a_100_by_itself_and_its_refusal_is_acknowledged() {
    let mut net = pair();
    send(&mut net, request(Method::Invite, "sip:bob@10.0.0.2"));
    net.run(SEC);
    let (transaction, request) = incoming(&mut net);
    respond(&mut net, transaction, &request, Status::BUSY_HERE);
    net.run(60 * SEC);
    assert_eq!(statuses(&mut net), [100, 486]);
    assert_eq!(net.count("ACK sip:bob@10.0.0.2"), 1);
    assert!(matches!(event(&mut net, 1), Some(Event::ServerEnded { unacknowledged: false, .. })));
}

#[test]
fn a_refusal_that_is_never_acknowledged() {
    let mut net = pair();
    net.lose = Box::new(|line| line.contains("ACK"));
    send(&mut net, request(Method::Invite, "sip:bob@10.0.0.2"));
    net.run(30 * MS);
    let (transaction, request) = incoming(&mut net);
    respond(&mut net, transaction, &request, Status::BUSY_HERE);
    net.run(60 * SEC);
    assert_eq!(statuses(&mut net), [486]);
    assert_eq!(net.count("486"), 11);
    assert_eq!(net.count("ACK"), 11);
    assert!(matches!(event(&mut net, 1), Some(Event::ServerEnded { unacknowledged: true, .. })));
}

#[test]
fn every_2xx_is_told_and_its_ack_passes_through() {
    let mut net = pair();
    send(&mut net, request(Method::Invite, "sip:bob@10.0.0.2"));
    net.run(30 * MS);
    let (transaction, invite) = incoming(&mut net);
    respond(&mut net, transaction, &invite, Status::OK);
    respond(&mut net, transaction, &invite, Status::OK);
    net.run(SEC);
    assert_eq!(statuses(&mut net), [200, 200]);
    let ack = request(Method::Ack, "sip:bob@10.0.0.2");
    net.on(0, |stack, now| stack.send_ack(now, ack, Target::Uri));
    net.run(SEC);
    assert!(matches!(event(&mut net, 1), Some(Event::Ack { .. })));
    assert_eq!(net.nodes[0].part.stats().clients, 1);
    net.run(40 * SEC);
    assert_eq!(net.nodes[0].part.stats().clients, 0);
}

#[test]
fn a_cancel_waits_for_a_provisional_response() {
    let mut net = pair();
    let id = send(&mut net, request(Method::Invite, "sip:bob@10.0.0.2"));
    net.on(0, |stack, now| stack.cancel(now, id));
    net.run(100 * MS);
    assert_eq!(net.count("CANCEL"), 0);
    net.run(SEC);
    assert_eq!(net.count("CANCEL sip:bob@10.0.0.2"), 1);
    let (transaction, request) = incoming(&mut net);
    assert!(
        matches!(event(&mut net, 1), Some(Event::Cancelled { transaction: t }) if t == transaction)
    );
    respond(&mut net, transaction, &request, Status::REQUEST_TERMINATED);
    net.run(60 * SEC);
    assert_eq!(statuses(&mut net), [100, 487]);
    assert_eq!(net.count("SIP/2.0 200"), 1);
}

#[test]
fn a_cancel_of_nothing_gets_481() {
    let mut net = pair();
    let cancel = request(Method::Cancel, "sip:bob@10.0.0.2");
    send(&mut net, cancel);
    net.run(SEC);
    assert_eq!(statuses(&mut net), [481]);
}

#[test]
fn a_cancelled_invite_that_is_never_answered_ends() {
    let mut net = pair();
    let id = send(&mut net, request(Method::Invite, "sip:bob@10.0.0.2"));
    net.run(SEC);
    net.on(0, |stack, now| stack.cancel(now, id));
    net.run(40 * SEC);
    assert_eq!(statuses(&mut net), [100]);
    assert_eq!(net.nodes[0].part.stats().clients, 0);
}

#[test]
fn large_requests_take_a_stream_and_fall_back() {
    for no_tcp in [false, true] {
        let mut net = pair();
        net.no_tcp = no_tcp;
        let large =
            request(Method::Message, "sip:bob@10.0.0.2").with_body("text/plain", [b'x'; 1400]);
        send(&mut net, large);
        net.run(SEC);
        let (transaction, request) = incoming(&mut net);
        assert_eq!(request.body.len(), 1400);
        respond(&mut net, transaction, &request, Status::OK);
        net.run(SEC);
        assert_eq!(statuses(&mut net), [200]);
        assert_eq!(net.count("TCP"), if no_tcp { 0 } else { 2 });
    }
}

#[test]
fn a_stream_is_used_again_and_needs_no_retransmission() {
    let mut net = pair();
    for _ in 0..2 {
        send(&mut net, request(Method::Options, "sip:bob@10.0.0.2;transport=tcp"));
        net.run(5 * SEC);
        let (transaction, request) = incoming(&mut net);
        respond(&mut net, transaction, &request, Status::OK);
        net.run(SEC);
        assert_eq!(statuses(&mut net), [200]);
    }
    assert_eq!(net.count("OPTIONS"), 2);
    assert_eq!(net.nodes[0].part.stats().conns, 1);
}

#[test]
fn names_are_resolved_and_dead_places_passed_over() {
    let mut net = pair();
    let srv = |priority, target: &str| RecordData::Srv {
        priority,
        weight: 0,
        port: 5060,
        target: target.to_owned(),
    };
    let address = |ip: &str| vec![RecordData::Address(ip.parse().unwrap())];
    let dead_first = vec![srv(1, "dead.b.test"), srv(2, "live.b.test")];
    net.zone.insert("_sip._udp.b.test".to_owned(), dead_first);
    net.zone.insert("dead.b.test".to_owned(), address("10.0.0.9"));
    net.zone.insert("live.b.test".to_owned(), address("10.0.0.2"));
    send(&mut net, request(Method::Options, "sip:bob@b.test"));
    net.run(SEC);
    let (transaction, request) = incoming(&mut net);
    respond(&mut net, transaction, &request, Status::OK);
    net.run(SEC);
    assert_eq!(statuses(&mut net), [200]);
    assert_eq!(net.count("10.0.0.9"), 1);
    send(&mut net, self::request(Method::Options, "sip:bob@nowhere.test"));
    net.run(SEC);
    let failure = Failure::NoSuchHost;
    assert!(matches!(event(&mut net, 0), Some(Event::Failed { failure: f, .. }) if f == failure));
}

#[test]
fn what_is_broken_gets_a_400_and_the_stack_goes_on() {
    let mut net = pair();
    let mut broken = request(Method::Options, "sip:bob@10.0.0.2");
    broken.headers.remove("From");
    send(&mut net, broken);
    net.run(SEC);
    assert_eq!(statuses(&mut net), [400]);
    send(&mut net, request(Method::Options, "sip:bob@10.0.0.2"));
    net.run(SEC);
    incoming(&mut net);
}

#[test]
fn what_is_too_large_for_a_stream_gets_a_513() {
    let mut net = pair();
    let large = request(Method::Message, "sip:bob@10.0.0.2;transport=tcp");
    send(&mut net, large.with_body("text/plain", vec![b'x'; 70_000]));
    net.run(SEC);
    assert_eq!(statuses(&mut net), [513]);
    send(&mut net, request(Method::Options, "sip:bob@10.0.0.2;transport=tcp"));
    net.run(SEC);
    incoming(&mut net);
}

#[test]
fn a_response_finds_its_way_over_a_new_connection() {
    let mut net = pair();
    send(&mut net, request(Method::Options, "sip:bob@10.0.0.2;transport=tcp"));
    net.run(SEC);
    let Some(Event::Request { transaction, flow, request }) = event(&mut net, 1) else {
        panic!("no request");
    };
    net.on(1, |stack, now| stack.close(now, flow.id));
    respond(&mut net, transaction, &request, Status::OK);
    net.run(SEC);
    assert_eq!(net.count("TCP 10.0.0.2 > 10.0.0.1 SIP/2.0 200 OK"), 1);
    // The client has given up: it cannot know that the server would come back.
    let failure = Failure::Connection;
    assert!(matches!(event(&mut net, 0), Some(Event::Failed { failure: f, .. }) if f == failure));
}

/// Two stacks of which Bob's takes two requests at once, and Alice's sends three.
fn small() -> Net<Stack> {
    let limits = super::Limits { clients: 3, servers: 2, ..super::Limits::default() };
    let stack = |seed| {
        let config = Config { limits, ..Config::default() };
        let mut stack = Stack::new(config, Ids::new(3), Entropy::seeded(seed));
        stack.listen(Transport::Udp, "0.0.0.0:5060".parse().unwrap());
        stack
    };
    let mut net = Net::new([("10.0.0.1", stack(1)), ("10.0.0.2", stack(2))]);
    net.run(MS);
    event(&mut net, 0);
    event(&mut net, 1);
    net
}

#[test]
fn too_many_requests_get_a_503_and_those_before_go_on() {
    let mut net = small();
    for _ in 0..3 {
        send(&mut net, request(Method::Options, "sip:bob@10.0.0.2"));
    }
    net.run(100 * MS);
    assert_eq!(statuses(&mut net), [503]);
    assert_eq!(net.nodes[1].part.stats().overload, 1);
    for _ in 0..2 {
        let (transaction, request) = incoming(&mut net);
        respond(&mut net, transaction, &request, Status::OK);
    }
    net.run(100 * MS);
    assert_eq!(statuses(&mut net), [200, 200]);
}

#[test]
fn too_many_requests_of_our_own_fail_at_once() {
    let mut net = small();
    for _ in 0..4 {
        send(&mut net, request(Method::Options, "sip:bob@10.0.0.2"));
    }
    let failure = Failure::Overload;
    assert!(matches!(event(&mut net, 0), Some(Event::Failed { failure: f, .. }) if f == failure));
}

#[test]
fn an_answer_given_once_leaves_nothing() {
    let mut net = pair();
    send(&mut net, request(Method::Invite, "sip:bob@10.0.0.2"));
    net.run(30 * MS);
    let (transaction, request) = incoming(&mut net);
    let response = request.response(Status::FORBIDDEN);
    net.on(1, |stack, now| stack.respond_once(now, transaction, &response));
    assert_eq!(net.nodes[1].part.stats().servers, 0);
    net.run(40 * SEC);
    assert_eq!(statuses(&mut net), [403]);
    assert_eq!(net.count("SIP/2.0 403"), 1);
}

/// Alice falls back to streams; Bob listens on both transports.
fn falling_back() -> Net<Stack> {
    let config =
        Config { fallback_after: Some(crate::defaults::FALLBACK_AFTER), ..Config::default() };
    let mut alice = Stack::new(config, Ids::new(3), Entropy::seeded(1));
    alice.listen(Transport::Udp, "0.0.0.0:5060".parse().unwrap());
    let both = [(Transport::Udp, "0.0.0.0:5060"), (Transport::Tcp, "0.0.0.0:5060")];
    let mut net = Net::new([("10.0.0.1", alice), ("10.0.0.2", stack(2, &both))]);
    net.run(MS);
    for index in [0, 1, 1] {
        assert!(matches!(event(&mut net, index), Some(Event::Listening { .. })));
    }
    net
}

#[test]
fn where_udp_is_dropped_in_silence_tcp_is_tried_soon() {
    let mut net = falling_back();
    net.lose = Box::new(|line| line.starts_with("UDP"));
    send(&mut net, request(Method::Register, "sip:10.0.0.2"));
    net.run(2490 * MS);
    assert_eq!((net.count("UDP 10.0.0.1"), net.count("TCP 10.0.0.1")), (3, 0), "{:?}", net.log);
    net.run(60 * MS);
    let (transaction, request) = incoming(&mut net);
    respond(&mut net, transaction, &request, Status::OK);
    net.run(40 * SEC);
    assert_eq!(statuses(&mut net), [200]);
    assert_eq!((net.count("UDP 10.0.0.1"), net.count("TCP 10.0.0.1")), (3, 1), "{:?}", net.log);
    assert_eq!(net.nodes[0].part.stats().clients, 0);
}

#[test]
fn whoever_is_slow_over_udp_is_waited_for_when_tcp_leads_nowhere() {
    let mut net = falling_back();
    net.no_tcp = true;
    net.lose = Box::new({
        let mut lost = 0;
        move |line| {
            lost += usize::from(line.contains("REGISTER"));
            lost <= 5
        }
    });
    send(&mut net, request(Method::Register, "sip:10.0.0.2"));
    net.run(10 * SEC);
    let (transaction, request) = incoming(&mut net);
    respond(&mut net, transaction, &request, Status::OK);
    net.run(SEC);
    assert_eq!(statuses(&mut net), [200], "{:?}", net.log);
}

#[test]
fn a_transport_that_is_named_is_kept_to_and_an_invite_rings_once() {
    for (method, uri) in
        [(Method::Register, "sip:10.0.0.2;transport=udp"), (Method::Invite, "sip:10.0.0.2")]
    {
        let mut net = falling_back();
        net.lose = Box::new(|line| line.starts_with("UDP"));
        send(&mut net, request(method, uri));
        net.run(40 * SEC);
        assert_eq!(net.count("TCP"), 0, "{:?}", net.log);
        assert!(matches!(event(&mut net, 0), Some(Event::TimedOut { .. })));
    }
}

proptest::proptest! {
    /// Whatever comes, in whatever order, over datagrams and a stream: no panic, nothing left.
    #[test]
    fn any_bytes(packets in proptest::collection::vec(any_packet(), 1..40)) {
        let mut net = pair();
        let udp = net.nodes[1].part.listen(Transport::Udp, "0.0.0.0:5070".parse().unwrap());
        let tcp = net.nodes[1].part.listen(Transport::Tcp, "0.0.0.0:5070".parse().unwrap());
        net.run(MS);
        let conn = machine::Id::accepted(tcp, 999);
        let (local, remote) = ("10.0.0.2:5070".parse().unwrap(), "10.0.0.9:9".parse().unwrap());
        let (ecn, segment_size, room) = (None, None, 100);
        let accepted = Input::Accepted { listener: tcp, conn, local, remote, room };
        net.on(1, |stack, now| stack.handle_input::<()>(now, &accepted));
        for (stream, bytes) in &packets {
            let input = if *stream {
                Input::Data { conn, bytes }
            } else {
                Input::Datagram { socket: udp, local, remote, ecn, segment_size, bytes }
            };
            net.on(1, |stack, now| stack.handle_input::<()>(now, &input));
            while let Some(event) = event(&mut net, 1) {
                if let Event::Request { transaction, request, .. } = event {
                    let ok = request.response(Status::OK);
                    net.on(1, |stack, now| stack.respond(now, transaction, &ok));
                }
            }
            net.run(10 * MS);
        }
        net.run(70 * SEC);
        let stats = net.nodes[1].part.stats();
        proptest::prop_assert_eq!((stats.clients, stats.servers), (0, 0));
    }
}

/// Bytes at random, or a message with a few bytes changed.
fn any_packet() -> impl proptest::strategy::Strategy<Value = (bool, Vec<u8>)> {
    use proptest::prelude::*;
    let methods = prop_oneof![
        Just(Method::Invite),
        Just(Method::Ack),
        Just(Method::Cancel),
        Just(Method::Options),
    ];
    let message = (methods, 0..3u8, proptest::collection::vec((0..400usize, any::<u8>()), 0..3))
        .prop_map(|(method, branch, changes)| {
            let via = format!("SIP/2.0/UDP 10.0.0.9:9;branch=z9hG4bK{branch};rport");
            let mut bytes = request(method, "sip:bob@10.0.0.2").with_header("Via", via).to_bytes();
            for (at, byte) in changes {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
            }
            bytes
        });
    let noise = proptest::collection::vec(any::<u8>(), 0..200);
    (any::<bool>(), prop_oneof![message, noise])
}

#[test]
fn tokens_of_flows_outlive_a_stack_that_keeps_its_secret() {
    let stack = |secret: Option<&str>, seed| {
        let config = Config { secret: secret.map(Secret::new), ..Config::default() };
        Stack::new(config, Ids::new(1), Entropy::seeded(seed))
    };
    let flow = Flow {
        transport: Transport::Udp,
        id: Ids::new(1).next_id(),
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "198.51.100.7:40000".parse().unwrap(),
    };
    let token = stack(Some("kept"), 1).flow_token(&flow, "call");
    let opened = stack(Some("kept"), 2).open_token(&token, "call");
    assert_eq!(opened.map(|name| name.remote), Some(flow.remote));
    for other in [stack(Some("other"), 1), stack(None, 1)] {
        assert_eq!(other.open_token(&token, "call"), None);
    }
}
