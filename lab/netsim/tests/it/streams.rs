//! TCP and the model of TLS.

use std::time::Duration;

use machine::{CloseReason, FailKind, Id, TlsRole};
use netsim::{Certificate, Direction, Link, LinkId, NodeId, World, defaults};

use crate::talker::{Talker, Told, told};

pub(crate) struct Line {
    pub(crate) world: World<Talker>,
    pub(crate) a: NodeId,
    pub(crate) b: NodeId,
    pub(crate) link: LinkId,
}

impl Line {
    pub(crate) fn new(seed: u64, link: Link) -> Self {
        let mut world = World::new(seed);
        let a = world.host("a", Talker::new(), &["192.0.2.1/24"]);
        let b = world.host("b", Talker::new(), &["192.0.2.2/24"]);
        let link = world.link(a, b, link);
        world.start();
        world.verb(b, |talker, _| talker.listen("0.0.0.0:80"));
        told(&mut world, b, 1.0);
        Self { world, a, b, link }
    }

    /// A connection from `a` to `b`: both names of it.
    pub(crate) fn open(&mut self) -> (Id, Id) {
        let ours = self.world.verb(self.a, |talker, _| talker.connect("192.0.2.2:80"));
        let happened = self.world.run_for(Duration::from_mins(2));
        let accepted = happened.iter().find_map(|happened| match happened.what {
            netsim::Happening::Event(Told::Accepted(id, _)) => Some(id),
            _ => None,
        });
        (ours, accepted.expect("the connection is accepted"))
    }

    pub(crate) fn data(&mut self, host: NodeId, secs: f64) -> Vec<u8> {
        let told = told(&mut self.world, host, secs);
        told.into_iter()
            .flat_map(|told| if let Told::Data(_, bytes) = told { bytes } else { Vec::new() })
            .collect()
    }
}

pub(crate) fn latency() -> Link {
    Link::with_latency(Duration::from_millis(20))
}

pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 256) as u8).collect()
}

#[test]
fn a_handshake_takes_a_round_trip_and_closing_is_in_order() {
    let mut line = Line::new(1, latency());
    let ours = line.world.verb(line.a, |talker, _| talker.connect("192.0.2.2:80"));
    assert_eq!(told(&mut line.world, line.a, 0.039), []);
    assert_eq!(told(&mut line.world, line.a, 0.001), [Told::Connected(ours)]);
    line.world.verb(line.a, |talker, _| {
        talker.write(ours, b"last words");
        talker.close(ours);
    });
    let told = told(&mut line.world, line.b, 1.0);
    assert!(matches!(
        &told[..],
        [Told::Accepted(a, _), Told::Data(b, words), Told::Closed(c, CloseReason::Peer)]
            if a == b && b == c && words == b"last words"
    ));
}

#[test]
fn refused_and_unanswered_attempts_fail() {
    let mut line = Line::new(1, latency());
    let refused = line.world.verb(line.a, |talker, _| talker.connect("192.0.2.2:81"));
    assert_eq!(told(&mut line.world, line.a, 1.0), [Told::Failed(refused, FailKind::Refused)]);
    line.world.set_link(line.link, Direction::Forward, latency().loss(1.0));
    let lost = line.world.verb(line.a, |talker, _| talker.connect("192.0.2.2:80"));
    assert_eq!(told(&mut line.world, line.a, 62.0), []);
    assert_eq!(told(&mut line.world, line.a, 2.0), [Told::Failed(lost, FailKind::TimedOut)]);
}

#[test]
fn everything_arrives_in_order_whatever_the_link_does() {
    let bad = latency().loss(0.1).reorder(0.1).duplicate(0.1).jitter(Duration::from_millis(10));
    for (seed, link) in [latency(), bad.clone(), bad.clone().mtu(576), bad].into_iter().enumerate()
    {
        let mut line = Line::new(seed as u64, link);
        let (ours, theirs) = line.open();
        let sent = bytes(300_000);
        line.world.verb(line.a, |talker, _| talker.write(ours, &sent));
        line.world.verb(line.b, |talker, _| talker.write(theirs, &sent[..50_000]));
        let happened = line.world.run_for(Duration::from_mins(10));
        let heard = |host: NodeId| -> Vec<u8> {
            let data = happened.iter().filter(|happened| happened.host == host);
            data.flat_map(|happened| match &happened.what {
                netsim::Happening::Event(Told::Data(_, bytes)) => bytes.clone(),
                _ => Vec::new(),
            })
            .collect()
        };
        assert!(heard(line.b) == sent, "seed {seed}: {} bytes", heard(line.b).len());
        assert!(heard(line.a) == sent[..50_000], "seed {seed}: {} bytes", heard(line.a).len());
    }
}

#[test]
fn a_dead_peer_is_noticed() {
    let mut line = Line::new(1, latency());
    let (ours, _) = line.open();
    line.world.set_link(line.link, Direction::Forward, latency().loss(1.0));
    line.world.verb(line.a, |talker, _| talker.write(ours, b"hello?"));
    let told = told(&mut line.world, line.a, 600.0);
    assert_eq!(told, [Told::Closed(ours, CloseReason::TimedOut)]);
}

#[test]
fn late_data_of_a_closed_connection_is_reset() {
    let mut line = Line::new(1, latency());
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.close(theirs));
    assert_eq!(told(&mut line.world, line.a, 30.0), [Told::Closed(ours, CloseReason::Peer)]);
}

#[test]
fn ports_of_closed_connections_serve_again() {
    let mut line = Line::new(1, latency());
    for _ in 0..50 {
        let (ours, _) = line.open();
        line.world.verb(line.a, |talker, _| talker.close(ours));
    }
}

#[test]
fn connections_go_out_from_a_listeners_port() {
    let mut line = Line::new(1, latency());
    let relayed = "192.0.2.1:5000";
    line.world.verb(line.a, |talker, _| talker.listen(relayed));
    for port in 90..95 {
        line.world.verb(line.b, |talker, _| talker.listen(&format!("0.0.0.0:{port}")));
    }
    line.world.run_for(Duration::from_secs(1));
    for port in 90..95 {
        let remote = format!("192.0.2.2:{port}");
        let connect = |talker: &mut Talker, _| talker.connect_from(Some(relayed), &remote);
        let ours = line.world.verb(line.a, connect);
        let accepted = told(&mut line.world, line.b, 1.0);
        assert!(matches!(&accepted[..], [Told::Accepted(_, from)] if from.to_string() == relayed));
        // To one peer there is one connection from one port.
        let again = line.world.verb(line.a, connect);
        let kind = FailKind::AddressNotAvailable;
        assert_eq!(told(&mut line.world, line.a, 1.0), [Told::Failed(again, kind)]);
        assert_ne!(ours, again);
    }
    line.world.verb(line.b, |talker, _| talker.connect(relayed));
    assert!(matches!(told(&mut line.world, line.a, 1.0)[..], [Told::Accepted(..)]));
}

#[test]
fn a_host_holds_so_many_connections_and_no_more() {
    const PORTS: usize = 8;
    let mut line = Line::new(1, latency());
    let c = line.world.host("c", Talker::new(), &["192.0.2.3/24"]);
    line.world.interface(line.b, "eth1", machine::InterfaceKind::Physical, &["192.0.2.4/24"]);
    line.world.link(c, line.b, latency());
    line.world.start();
    for port in 0..PORTS {
        line.world.verb(line.b, |talker, _| talker.listen(&format!("0.0.0.0:{}", 1000 + port)));
    }
    for n in 0..defaults::TCP_CONNECTION_LIMIT {
        let remote = format!("192.0.2.2:{}", 1000 + n % PORTS);
        line.world.verb(line.a, |talker, _| talker.connect(&remote));
    }
    let opened = told(&mut line.world, line.a, 1.0);
    assert_eq!(opened.len(), defaults::TCP_CONNECTION_LIMIT);
    assert!(opened.iter().all(|told| matches!(told, Told::Connected(_))));
    let ours = line.world.verb(line.a, |talker, _| talker.connect("192.0.2.2:1000"));
    let full = Told::Failed(ours, FailKind::OutOfResources);
    assert_eq!(told(&mut line.world, line.a, 1.0), [full]);
    let theirs = line.world.verb(c, |talker, _| talker.connect("192.0.2.4:1000"));
    assert_eq!(told(&mut line.world, c, 1.0), [Told::Failed(theirs, FailKind::Refused)]);
}

/// A handshake with this certificate, name and protocols on both sides; what both sides were told.
pub(crate) fn handshake(
    certificate: Option<Certificate>,
    name: &str,
    alpn: [&[&str]; 2],
) -> (Line, (Id, Id), [Vec<Told>; 2]) {
    let mut line = Line::new(1, latency());
    if let Some(certificate) = certificate {
        line.world.set_certificate(line.b, certificate);
    }
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.start_tls(theirs, TlsRole::Server, alpn[1]));
    let role = TlsRole::Client { name: name.to_owned() };
    line.world.verb(line.a, |talker, _| talker.start_tls(ours, role.clone(), alpn[0]));
    let (a, b) = (line.a, line.b);
    let happened = line.world.run_for(Duration::from_secs(5));
    let of = |host: NodeId| {
        let mine = happened.iter().filter(|happened| happened.host == host);
        mine.filter_map(|happened| match &happened.what {
            netsim::Happening::Event(told) => Some(told.clone()),
            netsim::Happening::Question(..) => None,
        })
        .collect()
    };
    (line, (ours, theirs), [of(a), of(b)])
}

#[test]
fn tls_binds_both_sides_and_hides_what_they_say() {
    let certificate = Certificate::new(&["b.example"]);
    let (mut line, (ours, theirs), [a, b]) =
        handshake(Some(certificate), "B.example", [&["x", "sip"], &["sip"]]);
    let ([Told::Secured(id_a, binding_a, alpn_a)], [Told::Secured(id_b, binding_b, alpn_b)]) =
        (&a[..], &b[..])
    else {
        panic!("{a:?} {b:?}");
    };
    assert_eq!((*id_a, *id_b), (ours, theirs));
    assert_eq!(binding_a, binding_b);
    assert_eq!(binding_a.exporter.as_ref().map(Vec::len), Some(32));
    assert_eq!((alpn_a.as_deref(), alpn_b.as_deref()), (Some(&b"sip"[..]), Some(&b"sip"[..])));
    let tap = line.world.tap(netsim::Tap::Link(line.link)).unwrap();
    let secret = bytes(100_000);
    line.world.verb(line.a, |talker, _| talker.write(ours, &secret));
    line.world.verb(line.b, |talker, _| talker.write(theirs, b"a short secret"));
    let (a, b) = (line.a, line.b);
    let from_a = line.data(b, 60.0);
    assert!(from_a == secret);
    line.world.verb(line.b, |talker, _| talker.write(theirs, b"a short secret"));
    assert_eq!(line.data(a, 1.0), b"a short secret");
    let capture = line.world.pcapng(&[tap]);
    let shows = |text: &[u8]| capture.windows(text.len()).any(|window| window == text);
    assert!(!shows(b"a short secret") && !shows(&secret[..32]));
}

/// Who said what under TLS: the port that it came from, and how it begins.
fn overheard(line: &Line) -> Vec<(u16, Vec<u8>)> {
    let said = line.world.overheard().filter_map(|overheard| match overheard {
        netsim::Overheard::Plaintext(said) => Some(said),
        netsim::Overheard::Packet(_) => None,
    });
    said.map(|said| (said.local.port(), said.bytes.to_vec())).collect()
}

#[test]
fn what_tls_carries_is_overheard_at_a_tapped_host_in_order() {
    let certificate = Certificate::new(&["b.example"]);
    let runs = [(); 2].map(|()| {
        let (mut line, (ours, theirs), _) =
            handshake(Some(certificate.clone()), "b.example", [&[], &[]]);
        let (a, b) = (line.a, line.b);
        line.world.verb(a, |talker, _| talker.write(ours, b"before anybody listened"));
        line.world.run_for(Duration::from_secs(1));
        line.world.tap(netsim::Tap::Interface(a, "eth0")).unwrap();
        line.world.verb(a, |talker, _| talker.write(ours, b"who is there?"));
        line.world.verb(b, |talker, _| talker.write(theirs, b"no tap is here"));
        line.world.run_for(Duration::from_secs(1));
        line.world.tap(netsim::Tap::Interface(b, "eth0")).unwrap();
        line.world.verb(b, |talker, _| talker.write(theirs, b"me"));
        line.world.verb(a, |talker, _| talker.write(ours, b"aha"));
        line.world.run_for(Duration::from_secs(1));
        let port = overheard(&line)[0].0;
        let said: [(u16, &[u8]); 3] = [(port, b"who is there?"), (80, b"me"), (port, b"aha")];
        assert_eq!(overheard(&line), said.map(|(port, said)| (port, said.to_vec())));
        // What carries it follows it, and shows nothing of it.
        let first = line.world.overheard().position(|overheard| {
            matches!(overheard, netsim::Overheard::Packet(packet) if packet.inbound == Some(false))
        });
        assert_eq!(first, Some(1));
        assert!(line.world.captured().all(|packet| !packet.bytes.ends_with(b"aha")));
        line.world.digest()
    });
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn certificates_are_judged_by_their_names() {
    let expired = Certificate::new(&["b.example"]).with_trouble("expired");
    for (certificate, name, expected) in [
        (Some(expired), "b.example", FailKind::Certificate("expired".to_owned())),
        (
            Some(Certificate::new(&["b.example"])),
            "c.example",
            FailKind::Certificate("the certificate is for b.example, not for c.example".to_owned()),
        ),
        (None, "b.example", FailKind::Tls("the peer says: no certificate".to_owned())),
    ] {
        let (_, (ours, theirs), [a, b]) = handshake(certificate, name, [&[], &[]]);
        assert_eq!(a, [Told::Failed(ours, expected)]);
        assert!(matches!(&b[..], [Told::Failed(id, FailKind::Tls(_))] if *id == theirs), "{b:?}");
    }
}

#[test]
fn no_protocol_in_common_fails() {
    let certificate = Some(Certificate::new(&["b.example"]));
    let (_, (ours, _), [a, _]) = handshake(certificate, "b.example", [&["h2"], &["sip"]]);
    let text = "the peer says: no application protocol".to_owned();
    assert_eq!(a, [Told::Failed(ours, FailKind::Tls(text))]);
}

#[test]
fn plaintext_in_place_of_a_handshake_closes_the_connection() {
    let mut line = Line::new(1, latency());
    line.world.set_certificate(line.b, Certificate::new(&["b.example"]));
    let (ours, theirs) = line.open();
    line.world.verb(line.b, |talker, _| talker.start_tls(theirs, TlsRole::Server, &[]));
    line.world.verb(line.a, |talker, _| talker.write(ours, b"STARTTLS injection"));
    let text = "what came is not TLS".to_owned();
    let b = told(&mut line.world, line.b, 1.0);
    assert_eq!(b, [Told::Failed(theirs, FailKind::Tls(text))]);
}
