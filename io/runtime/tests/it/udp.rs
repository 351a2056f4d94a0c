//! UDP sockets.

use machine::{BindKind, Endpoint, FailKind, Icmp, Input, Output};

use crate::probe::Run;

#[tokio::test]
async fn the_destination_is_known_and_the_source_is_chosen() {
    let mut run = Run::new().await;
    let (wide, bound) = run.bind(BindKind::Udp, "0.0.0.0:0").await;
    let (narrow, here) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    let there: Endpoint = format!("127.0.0.2:{}", bound.port()).parse().unwrap();

    run.send(narrow, there, b"to the second address").await;
    let Input::Datagram { socket, local, remote, bytes, segment_size, .. } = run.input().await
    else {
        panic!("a datagram");
    };
    assert_eq!((socket, local, remote), (wide, there, here));
    assert_eq!((bytes, segment_size), (&b"to the second address"[..], None));

    let third: std::net::IpAddr = "127.0.0.3".parse().unwrap();
    let source = Some(third);
    let answer = Output::Datagram {
        socket: wide,
        source,
        remote: here,
        segment_size: None,
        dont_fragment: false,
    };
    run.output(answer, b"from the third").await;
    let Input::Datagram { socket, remote, .. } = run.input().await else { panic!("a datagram") };
    assert_eq!(socket, narrow);
    assert_eq!(remote, Endpoint::new(third, bound.port()));
}

#[tokio::test]
async fn one_port_in_both_families() {
    let mut run = Run::new().await;
    // Another test may have the port in one family.
    let (v6, v4, bound) = loop {
        let (v6, bound) = run.bind(BindKind::Udp, "[::]:0").await;
        let v4 = run.try_bind(BindKind::Udp, &format!("0.0.0.0:{}", bound.port())).await;
        match v4 {
            Ok((v4, _)) => break (v6, v4, bound),
            Err(kind) => assert_eq!(kind, FailKind::AddressInUse),
        }
    };
    for (socket, to) in [(v6, "[::1]"), (v4, "127.0.0.1")] {
        let to: Endpoint = format!("{to}:{}", bound.port()).parse().unwrap();
        run.send(socket, to, b"x").await;
        let Input::Datagram { socket: at, local, remote, .. } = run.input().await else {
            panic!("a datagram");
        };
        assert_eq!((at, local, remote), (socket, to, to));
    }
}

#[tokio::test]
async fn trains_arrive_whole() {
    let mut run = Run::new().await;
    let (a, _) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    let (b, to) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    let payload: Vec<u8> = (0..4_500_u32).map(|n| (n / 1000) as u8).collect();
    let train = Output::Datagram {
        socket: a,
        source: None,
        remote: to,
        segment_size: Some(1000),
        dont_fragment: false,
    };
    run.output(train, &payload).await;
    let mut datagrams = Vec::new();
    while datagrams.len() < 5 {
        let Input::Datagram { socket, segment_size, bytes, .. } = run.input().await else {
            panic!("a datagram");
        };
        assert_eq!(socket, b);
        datagrams.extend(bytes.chunks(segment_size.unwrap_or(bytes.len())));
    }
    assert_eq!(datagrams, payload.chunks(1000).collect::<Vec<_>>());
}

#[tokio::test]
async fn empty_and_large_datagrams() {
    let mut run = Run::new().await;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (socket, to) = run.bind(BindKind::Udp, address).await;
        for len in [0, 1, 60_000] {
            let payload = vec![7; len];
            run.send(socket, to, &payload).await;
            let Input::Datagram { bytes, .. } = run.input().await else { panic!("a datagram") };
            assert_eq!(bytes, payload);
        }
    }
}

#[tokio::test]
async fn a_bind_that_fails_says_why() {
    let mut run = Run::new().await;
    let (_, taken) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    let again = run.try_bind(BindKind::Udp, &taken.to_string()).await;
    assert_eq!(again, Err(FailKind::AddressInUse));
    let foreign = run.try_bind(BindKind::Udp, "203.0.113.1:0").await;
    assert_eq!(foreign, Err(FailKind::AddressNotAvailable));
    let foreign = run.try_bind(BindKind::TcpListener, "203.0.113.1:0").await;
    assert_eq!(foreign, Err(FailKind::AddressNotAvailable));
}

#[tokio::test]
async fn of_a_closed_socket_nothing_is_heard() {
    let mut run = Run::new().await;
    let (a, to) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    run.output(Output::Close { id: a }, &[]).await;
    let (b, _) = run.bind(BindKind::Udp, &to.to_string()).await;
    run.send(a, to, b"from a socket that is gone").await;
    run.send(b, to, b"alive").await;
    let Input::Datagram { socket, bytes, .. } = run.input().await else { panic!("a datagram") };
    assert_eq!((socket, bytes), (b, &b"alive"[..]));
}

#[tokio::test]
async fn a_port_that_nobody_has_is_told() {
    let mut run = Run::new().await;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // Discard, which nobody serves; a port of our own may go to another test.
        let nobody = address.parse::<Endpoint>().unwrap().with_port(9);
        for kind in [BindKind::Udp, BindKind::SharedUdp, BindKind::RelayUdp] {
            let (socket, here) = run.bind(kind, address).await;
            run.send(socket, nobody, b"hello?").await;
            let expected =
                Input::Unreachable { socket, remote: nobody, icmp: Icmp::PortUnreachable };
            assert_eq!(run.input().await, expected);
            // What is sent and what arrives meanwhile does not suffer.
            run.verb(move |m| {
                m.outputs.datagram(socket, nobody, b"hello?");
                m.outputs.datagram(socket, here, b"myself");
                m.outputs.datagram(socket, nobody, b"hello?");
                m.outputs.datagram(socket, here, b"me too");
            })
            .await;
            let (mut heard, mut told) = (Vec::new(), 0);
            while heard.len() < 2 || told < 2 {
                match run.input().await {
                    Input::Datagram { bytes, .. } => heard.push(bytes),
                    input if input == expected => told += 1,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(heard, [&b"myself"[..], b"me too"]);
        }
    }
}

#[tokio::test]
async fn whole_datagrams_pass_where_they_fit() {
    let mut run = Run::new().await;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (socket, to) = run.bind(BindKind::Udp, address).await;
        for dont_fragment in [true, false, true] {
            let (source, segment_size) = (None, None);
            let datagram =
                Output::Datagram { socket, source, remote: to, segment_size, dont_fragment };
            run.output(datagram, &[7; 1200]).await;
            let Input::Datagram { bytes, .. } = run.input().await else { panic!("a datagram") };
            assert_eq!(bytes, [7; 1200]);
        }
    }
}
