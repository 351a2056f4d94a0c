//! TCP connections.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};

use machine::{BindKind, CloseReason, Endpoint, FailKind, Id, Input, Output};
use runtime::defaults::WRITE_BUFFER_LEN;

use crate::probe::{Run, Seen};

/// A connection of the probe to itself: the accepted side and the connecting side.
pub(crate) async fn pair(run: &mut Run, address: &str) -> (Id, Id) {
    let (bound, at) = run.bind(BindKind::TcpListener, address).await;
    let wanted = run.connect(at).await;
    let (mut accepted, mut connected) = (None, None);
    while accepted.is_none() || connected.is_none() {
        match run.input().await {
            Input::Accepted { listener, conn, local, room, .. } => {
                assert_eq!((listener, local, room), (bound, at, WRITE_BUFFER_LEN));
                accepted = Some(conn);
            }
            Input::Connected { conn, remote, room, .. } => {
                assert_eq!((conn, remote, room), (wanted, at, WRITE_BUFFER_LEN));
                connected = Some(conn);
            }
            other => panic!("{other:?}"),
        }
    }
    (accepted.unwrap(), connected.unwrap())
}

/// Waits until `conn` has heard `expected` and, if told so, its end.
pub(crate) async fn hears(run: &mut Run, conn: Id, expected: &[u8], end: bool) {
    let mut heard = Vec::new();
    let mut closed = false;
    while heard.len() < expected.len() || closed != end {
        match run.input().await {
            Input::Data { conn: at, bytes } if at == conn => heard.extend_from_slice(bytes),
            Input::Closed { conn: at, reason: CloseReason::Peer } if at == conn => closed = true,
            Input::Writable { room, .. } => assert!(room <= WRITE_BUFFER_LEN),
            other => panic!("{other:?}"),
        }
    }
    assert!(heard == expected, "the bytes that were written, in order");
}

#[tokio::test]
async fn bytes_both_ways_in_both_families() {
    let mut run = Run::new().await;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let (a, b) = pair(&mut run, address).await;
        run.output(Output::Write { conn: a }, b"to b").await;
        hears(&mut run, b, b"to b", false).await;
        run.output(Output::Write { conn: b }, b"to a").await;
        hears(&mut run, a, b"to a", false).await;
    }
}

#[tokio::test]
async fn what_was_written_before_close_is_delivered() {
    let mut run = Run::new().await;
    let (a, b) = pair(&mut run, "127.0.0.1:0").await;
    let payload: Vec<u8> = (0..WRITE_BUFFER_LEN).map(|n| (n % 251) as u8).collect();
    let expected = payload.clone();
    run.verb(move |m| {
        m.outputs.write(a, &payload);
        m.outputs.push(Output::Close { id: a });
    })
    .await;
    hears(&mut run, b, &expected, true).await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_takes_no_memory() {
    const LEN: usize = 64 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = Endpoint::from(listener.local_addr().unwrap());
    let mut run = Run::new().await;
    // The connection asserts that the machine never has more than its room.
    run.verb(|m| m.pour = LEN).await;
    run.connect(at).await;
    let count = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buf = vec![0; 1 << 20];
        let mut count = 0;
        loop {
            match stream.read(&mut buf).unwrap() {
                0 => return count,
                n => count += n,
            }
        }
    });
    assert_eq!(count.await.unwrap(), LEN);
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut run = Run::new().await;
    let id = run.connect(closed.into()).await;
    assert_eq!(run.input().await, Input::Failed { id, kind: FailKind::Refused });
}

#[tokio::test]
async fn a_reset_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut run = Run::new().await;
    let conn = run.connect(listener.local_addr().unwrap().into()).await;
    assert!(matches!(run.input().await, Input::Connected { .. }));
    let (stream, _) = listener.accept().unwrap();
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(run.input().await, Input::Closed { conn, reason: CloseReason::Reset });
}

#[tokio::test]
async fn the_source_address_is_chosen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut run = Run::new().await;
    let id = run.id();
    let remote = listener.local_addr().unwrap().into();
    let local = Some("127.0.0.9:0".parse().unwrap());
    run.output(Output::Connect { id, local, remote }, &[]).await;
    let Input::Connected { local, .. } = run.input().await else { panic!("a connection") };
    assert_eq!(local.ip(), "127.0.0.9".parse::<std::net::IpAddr>().unwrap());
    assert_eq!(Endpoint::from(listener.accept().unwrap().1), local);
}

#[tokio::test]
async fn after_close_nothing_is_heard() {
    let mut run = Run::new().await;
    let (a, b) = pair(&mut run, "127.0.0.1:0").await;
    run.verb(move |m| {
        m.outputs.write(b, b"too late");
        m.outputs.push(Output::Close { id: a });
    })
    .await;
    hears(&mut run, b, b"", true).await;
    let rest = run.stop().await;
    assert!(!rest.iter().any(|seen| matches!(seen, Seen::Input(Input::Data { .. }))), "{rest:?}");
}

#[tokio::test]
async fn connections_go_out_from_a_listeners_port() {
    let mut run = Run::new().await;
    let mut open = Vec::new();
    for ip in ["127.0.0.1", "[::1]"] {
        let (listener, relayed) = run.bind(BindKind::TcpListener, &format!("{ip}:0")).await;
        let peers: Vec<_> =
            (0..20).map(|_| TcpListener::bind(format!("{ip}:0")).unwrap()).collect();
        for peer in &peers {
            let (id, remote) = (run.id(), peer.local_addr().unwrap().into());
            run.output(Output::Connect { id, local: Some(relayed), remote }, &[]).await;
            let Input::Connected { local, .. } = run.input().await else { panic!("connected") };
            assert_eq!(local, relayed);
            let (stream, from) = peer.accept().unwrap();
            assert_eq!(Endpoint::from(from), relayed);
            open.push(stream);
        }
        // To one peer there is one connection from one port.
        let (again, remote) = (run.id(), peers[0].local_addr().unwrap().into());
        run.output(Output::Connect { id: again, local: Some(relayed), remote }, &[]).await;
        let kind = FailKind::AddressNotAvailable;
        assert_eq!(run.input().await, Input::Failed { id: again, kind });
        // The listener goes on, and its port is nobody else's.
        open.push(TcpStream::connect(std::net::SocketAddr::from(relayed)).unwrap());
        let Input::Accepted { listener: at, .. } = run.input().await else { panic!("accepted") };
        assert_eq!(at, listener);
        let second = run.try_bind(BindKind::TcpListener, &relayed.to_string()).await;
        assert_eq!(second, Err(FailKind::AddressInUse));
        // Closed, it can be opened again while its connections stand.
        run.output(Output::Close { id: listener }, &[]).await;
        run.bind(BindKind::TcpListener, &relayed.to_string()).await;
    }
}
