use std::collections::BTreeMap;
use std::time::Duration;

use machine::{
    CloseReason, Endpoint, Entropy, FailKind, Icmp, Id, Ids, Input, Instant, Now, Output, Transport,
};

use super::locate::Destination;
use super::token::FlowName;
use super::{Flow, Route, Signal, Transports};
use crate::defaults;
use crate::stack::{Failure, Limits};

const SEC: Duration = Duration::from_secs(1);

struct Bench {
    transports: Transports,
    now: Now,
    conns: u64,
    udp: Id,
    tcp: Id,
}

fn at(text: &str) -> Endpoint {
    text.parse().unwrap()
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let entropy = Entropy::seeded(1);
        let external =
            BTreeMap::from([("10.0.0.5".parse().unwrap(), "203.0.113.7".parse().unwrap())]);
        let mut transports = Transports::new(external, limits, Ids::new(1), &entropy);
        let udp = transports.listen(Transport::Udp, at("10.0.0.5:5060"));
        let tcp = transports.listen(Transport::Tcp, at("10.0.0.5:5060"));
        let now = Now { mono: Instant::ORIGIN, unix: SEC };
        let mut bench = Self { transports, now, conns: 0, udp, tcp };
        assert!(!bench.transports.is_settled());
        bench.input(&Input::Bound { id: udp, local: at("10.0.0.5:5060") });
        bench.input(&Input::Bound { id: tcp, local: at("10.0.0.5:5060") });
        assert!(bench.transports.is_settled());
        bench.signals();
        bench.outputs();
        bench
    }

    fn input(&mut self, input: &Input<'_, ()>) {
        self.transports.handle_input(self.now, input);
    }

    fn accept(&mut self, remote: &str) -> Id {
        self.accept_at("10.0.0.5:5060", remote)
    }

    fn accept_at(&mut self, local: &str, remote: &str) -> Id {
        self.conns += 1;
        let conn = Id::accepted(self.tcp, self.conns);
        let (listener, local, remote) = (self.tcp, at(local), at(remote));
        self.input(&Input::Accepted { listener, conn, local, remote, room: 1000 });
        conn
    }

    fn data(&mut self, conn: Id, bytes: &[u8]) {
        self.input(&Input::Data { conn, bytes });
    }

    fn outputs(&mut self) -> Vec<(Output<(), ()>, Vec<u8>)> {
        let mut all = Vec::new();
        let mut buf = Vec::new();
        while let Some(output) = self.transports.poll_output(&mut buf) {
            all.push((output.map(|e| match e {}, |q| match q {}), std::mem::take(&mut buf)));
        }
        all
    }

    fn signals(&mut self) -> Vec<Signal> {
        std::iter::from_fn(|| self.transports.poll_signal()).collect()
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now.mono + time;
        while let Some(due) = self.transports.poll_timeout().filter(|due| *due <= end) {
            self.now.mono = due;
            self.transports.handle_timeout(self.now);
            assert!(self.transports.poll_timeout().is_none_or(|next| next > due));
        }
        self.now.mono = end;
    }
}

#[test]
fn connections_are_limited_in_all_and_by_address() {
    let limits = Limits { conns: 3, conns_per_address: 2, ..Limits::default() };
    let mut bench = Bench::new(limits);
    bench.accept("192.0.2.1:1");
    bench.accept("192.0.2.1:2");
    let third = bench.accept("192.0.2.1:3");
    assert_eq!(bench.outputs(), [(Output::Close { id: third }, vec![])]);
    let other = bench.accept("192.0.2.2:1");
    assert!(bench.outputs().is_empty());
    let one_too_many = bench.accept("192.0.2.3:1");
    assert_eq!(bench.outputs(), [(Output::Close { id: one_too_many }, vec![])]);
    assert_eq!((bench.transports.conns(), bench.transports.refused_conns), (3, 2));
    let to = Destination { transport: Transport::Tcp, remote: at("192.0.2.9:5060") };
    assert!(matches!(bench.transports.route(bench.now, to), Err(Failure::Overload)));
    bench.input(&Input::Closed { conn: other, reason: CloseReason::Peer });
    assert!(matches!(bench.transports.route(bench.now, to), Ok(Route::Opening(_))));
}

#[test]
fn idle_connections_are_closed_and_keepalives_hold_them() {
    let mut bench = Bench::new(Limits::default());
    let silent = bench.accept("192.0.2.1:1");
    let lively = bench.accept("192.0.2.1:2");
    bench.data(silent, b"\r\n\r\n");
    for _ in 0..8 {
        bench.data(lively, b"\r\n\r\n");
        bench.wait(defaults::CONN_IDLE / 4);
    }
    let outputs = bench.outputs();
    let pongs = outputs.iter().filter(|(_, bytes)| bytes == b"\r\n").count();
    assert_eq!(pongs, 9);
    assert!(outputs.contains(&(Output::Close { id: silent }, vec![])));
    assert_eq!(bench.transports.conns(), 1);
}

#[test]
fn a_flow_is_known_by_both_of_its_addresses() {
    let mut bench = Bench::new(Limits::default());
    let (locals, remote) = (["10.0.0.5:5060", "10.0.0.6:5060"], "192.0.2.1:1");
    let [one, other] = locals.map(|local| bench.accept_at(local, remote));
    let name = |local| FlowName { transport: Transport::Tcp, local: at(local), remote: at(remote) };
    let found =
        |bench: &Bench| locals.map(|local| bench.transports.find(name(local)).map(|flow| flow.id));
    assert_eq!(found(&bench), [Some(one), Some(other)]);
    // One that ends takes the other along no more than the other way round.
    bench.input(&Input::Closed { conn: other, reason: CloseReason::Peer });
    assert_eq!(found(&bench), [Some(one), None]);
    let to = Destination { transport: Transport::Tcp, remote: at(remote) };
    let route = bench.transports.route(bench.now, to);
    assert!(matches!(route, Ok(Route::Ready(Flow { id, .. })) if id == one));
}

#[test]
fn who_connects_says_something_soon() {
    let mut bench = Bench::new(Limits::default());
    let (silent, slow) = (bench.accept("192.0.2.1:1"), bench.accept("192.0.2.1:2"));
    bench.data(slow, b"OPTIONS sip:x SIP/2.0\r\n");
    let to = Destination { transport: Transport::Tcp, remote: at("192.0.2.9:5060") };
    let Ok(Route::Opening(ours)) = bench.transports.route(bench.now, to) else { panic!() };
    bench.input(&Input::Connected {
        conn: ours,
        local: at("10.0.0.5:40000"),
        remote: to.remote,
        room: 1000,
    });
    bench.outputs();
    bench.wait(defaults::FIRST_MESSAGE);
    let closed = [silent, slow].map(|id| (Output::Close { id }, vec![]));
    assert_eq!(bench.outputs(), closed);
    assert_eq!(bench.transports.conns(), 1, "what we opened may wait for us");
}

#[test]
fn a_network_of_ipv6_is_one_address() {
    let limits = Limits { conns_per_address: 2, ..Limits::default() };
    let mut bench = Bench::new(limits);
    let first = bench.accept("[2001:db8::1]:1");
    bench.accept("[2001:db8::2]:1");
    let third = bench.accept("[2001:db8::ffff:0:0:3]:1");
    assert_eq!(bench.outputs(), [(Output::Close { id: third }, vec![])]);
    bench.accept("[2001:db8:0:1::1]:1");
    bench.input(&Input::Closed { conn: first, reason: CloseReason::Peer });
    bench.accept("[2001:db8::4]:1");
    assert!(bench.outputs().is_empty());
}

#[test]
fn bytes_without_a_message_do_not_keep_a_connection() {
    let mut bench = Bench::new(Limits::default());
    let conn = bench.accept("192.0.2.1:1");
    bench.data(conn, b"OPTIONS sip:x SIP/2.0\r\n");
    for _ in 0..20 {
        bench.wait(defaults::CONN_IDLE / 10);
        bench.data(conn, b"X: y\r\n");
    }
    assert_eq!(bench.transports.conns(), 0);
}

#[test]
fn a_peer_that_does_not_read_loses_messages_whole() {
    let mut bench = Bench::new(Limits::default());
    let conn = bench.accept("192.0.2.1:1");
    let flow = Flow {
        transport: Transport::Tcp,
        id: conn,
        local: at("10.0.0.5:5060"),
        remote: at("192.0.2.1:1"),
    };
    let message = vec![b'x'; 60_000];
    let sent = (0..10).filter(|_| bench.transports.send(&flow, &message).is_ok()).count();
    assert_eq!(sent, 4);
    assert_eq!(bench.transports.dropped, 6);
    bench.input(&Input::Writable { conn, room: 1_000_000 });
    let bytes: usize = bench.outputs().iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(bytes, 4 * message.len());
}

#[test]
fn a_connection_that_does_not_open_is_given_up() {
    let mut bench = Bench::new(Limits::default());
    let to = Destination { transport: Transport::Tcp, remote: at("192.0.2.9:5060") };
    let Ok(Route::Opening(conn)) = bench.transports.route(bench.now, to) else { panic!() };
    // Who comes second waits for the same connection.
    assert!(matches!(bench.transports.route(bench.now, to), Ok(Route::Opening(c)) if c == conn));
    bench.outputs();
    bench.wait(defaults::CONNECT_TIMEOUT);
    assert_eq!(bench.outputs(), [(Output::Close { id: conn }, vec![])]);
    assert!(matches!(bench.signals()[..], [Signal::OpenFailed { conn: c }] if c == conn));
    let Ok(Route::Opening(conn)) = bench.transports.route(bench.now, to) else { panic!() };
    bench.input(&Input::Failed { id: conn, kind: FailKind::Refused });
    assert!(matches!(bench.signals()[..], [Signal::OpenFailed { .. }]));
}

#[test]
fn flows_that_we_rely_on_are_kept_alive() {
    let mut bench = Bench::new(Limits::default());
    let to = Destination { transport: Transport::Tcp, remote: at("192.0.2.9:5060") };
    let Ok(Route::Opening(conn)) = bench.transports.route(bench.now, to) else { panic!() };
    let (local, remote) = (at("10.0.0.5:40000"), to.remote);
    bench.input(&Input::Connected { conn, local, remote, room: 1000 });
    let stream = Flow { transport: Transport::Tcp, id: conn, local, remote };
    let udp = Flow { transport: Transport::Udp, id: bench.udp, local: at("10.0.0.5:5060"), remote };
    bench.transports.keep_alive(bench.now, stream);
    bench.transports.keep_alive(bench.now, udp);
    bench.signals();
    bench.outputs();
    bench.wait(defaults::KEEPALIVE);
    assert_eq!(bench.outputs(), [(Output::Write { conn }, b"\r\n\r\n".to_vec())]);
    assert!(matches!(bench.signals()[..], [Signal::KeepaliveDue { flow }] if flow == udp));
    bench.data(conn, b"\r\n");
    bench.wait(defaults::PONG_TIMEOUT);
    assert!(bench.transports.is_alive(&stream));
    // The next ping has no answer: the flow has failed.
    bench.wait(defaults::KEEPALIVE + defaults::PONG_TIMEOUT);
    assert!(!bench.transports.is_alive(&stream));
    let lost = |signal: &Signal| matches!(signal, Signal::Lost { flow } if *flow == stream);
    assert!(bench.signals().iter().any(lost));
    bench.transports.let_go(&udp);
    bench.wait(defaults::KEEPALIVE * 2);
    assert!(bench.signals().is_empty());
}

#[test]
fn names_of_flows_and_of_us() {
    let mut bench = Bench::new(Limits::default());
    let conn = bench.accept("192.0.2.1:1");
    let name = |transport, remote| FlowName { transport, local: at("10.0.0.5:5060"), remote };
    let stream = bench.transports.find(name(Transport::Tcp, at("192.0.2.1:1"))).unwrap();
    assert_eq!(stream.id, conn);
    assert_eq!(bench.transports.find(name(Transport::Tcp, at("192.0.2.1:2"))), None);
    let udp = bench.transports.find(name(Transport::Udp, at("192.0.2.1:2"))).unwrap();
    assert_eq!(udp.id, bench.udp);
    assert_eq!(bench.transports.advertised(&udp), at("203.0.113.7:5060"));
    assert!(bench.transports.is_local("203.0.113.7".parse().unwrap(), 5060));
    assert!(bench.transports.is_local("10.0.0.5".parse().unwrap(), 5060));
    assert!(!bench.transports.is_local("10.0.0.5".parse().unwrap(), 5061));
}

#[test]
fn trains_keepalives_and_icmp() {
    let mut bench = Bench::new(Limits::default());
    let (socket, local, remote) = (bench.udp, at("10.0.0.5:5060"), at("192.0.2.1:1"));
    let datagram = |bytes, segment_size| Input::Datagram {
        socket,
        local,
        remote,
        ecn: None,
        segment_size,
        bytes,
    };
    bench.input(&datagram(b"abcdefgh", Some(3)));
    let messages: Vec<_> = bench
        .signals()
        .into_iter()
        .map(|signal| match signal {
            Signal::Message { bytes, .. } => bytes,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(messages, [&b"abc"[..], b"def", b"gh"]);
    for nothing in [&b""[..], b"\r\n\r\n", b"\0\0\0\0"] {
        bench.input(&datagram(nothing, None));
    }
    let unreachable = |icmp| Input::Unreachable { socket, remote, icmp };
    bench.input(&unreachable(Icmp::TooBig { mtu: 1280 }));
    assert!(bench.signals().is_empty());
    bench.input(&unreachable(Icmp::PortUnreachable));
    assert!(matches!(bench.signals()[..], [Signal::Unreachable { .. }]));
}

#[test]
fn a_stream_that_is_no_sip_is_broken() {
    let mut bench = Bench::new(Limits::default());
    let conn = bench.accept("192.0.2.1:1");
    bench.data(conn, &[0x16, 3, 1, 0, 5]);
    assert!(matches!(bench.signals()[..], [Signal::Broken { owed: None, .. }]));
}
