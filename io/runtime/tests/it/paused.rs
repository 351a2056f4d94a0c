//! Connections that the machine has stopped reading.

use std::io::{ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};

use machine::{BindKind, CloseReason, Id, Input, Output, TlsRole};
use runtime::Config;

use crate::probe::{Run, Seen};
use crate::tcp::{hears, pair};
use crate::tls::{NAME, identity, tls};

/// A connection of the probe to a stream of the test.
async fn to_us(run: &mut Run) -> (Id, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let conn = run.connect(listener.local_addr().unwrap().into()).await;
    assert!(matches!(run.input().await, Input::Connected { .. }));
    (conn, listener.accept().unwrap().0)
}

/// Writes until the kernel takes no more, which it does since nobody reads; what was written.
fn fill(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_nonblocking(true).unwrap();
    let mut written = Vec::new();
    loop {
        let chunk: Vec<u8> = (0..10_000_usize).map(|n| ((written.len() + n) % 251) as u8).collect();
        match stream.write(&chunk) {
            Ok(n) => written.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => return written,
            Err(e) => panic!("{e}"),
        }
    }
}

#[tokio::test]
async fn nothing_is_read_and_the_peer_has_to_wait() {
    let mut run = Run::new().await;
    let (conn, mut peer) = to_us(&mut run).await;
    run.output(Output::Pause { conn, paused: true }, &[]).await;
    let written = fill(&mut peer);
    // A round trip through the driver, which would have read by now.
    let (socket, here) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    run.send(socket, here, b"meanwhile").await;
    assert!(matches!(run.input().await, Input::Datagram { .. }));
    run.output(Output::Pause { conn, paused: false }, &[]).await;
    hears(&mut run, conn, &written, false).await;
    // And the connection is read as before.
    peer.write_all(b"more").unwrap();
    hears(&mut run, conn, b"more", false).await;
}

#[tokio::test]
async fn the_other_direction_flows_on() {
    let mut run = Run::new().await;
    let (a, b) = pair(&mut run, "127.0.0.1:0").await;
    run.output(Output::Pause { conn: a, paused: true }, &[]).await;
    run.output(Output::Write { conn: b }, b"for later").await;
    run.output(Output::Write { conn: a }, b"now").await;
    hears(&mut run, b, b"now", false).await;
    run.output(Output::Pause { conn: a, paused: false }, &[]).await;
    hears(&mut run, a, b"for later", false).await;
}

#[tokio::test]
async fn the_end_waits_behind_what_was_not_read() {
    let mut run = Run::new().await;
    let (conn, mut peer) = to_us(&mut run).await;
    run.output(Output::Pause { conn, paused: true }, &[]).await;
    peer.write_all(b"last words").unwrap();
    drop(peer);
    run.output(Output::Pause { conn, paused: false }, &[]).await;
    hears(&mut run, conn, b"last words", true).await;
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_told_all_the_same() {
    let mut run = Run::new().await;
    let (conn, peer) = to_us(&mut run).await;
    run.output(Output::Pause { conn, paused: true }, &[]).await;
    socket2::SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    drop(peer);
    assert_eq!(run.input().await, Input::Closed { conn, reason: CloseReason::Reset });
}

#[tokio::test(start_paused = true)]
async fn one_that_stands_is_left_alone() {
    let mut run = Run::new().await;
    let (conn, mut peer) = to_us(&mut run).await;
    run.output(Output::Pause { conn, paused: true }, &[]).await;
    tokio::time::advance(10 * runtime::defaults::PAUSED_INTERVAL).await;
    peer.write_all(b"patience").unwrap();
    run.output(Output::Pause { conn, paused: false }, &[]).await;
    hears(&mut run, conn, b"patience", false).await;
}

#[tokio::test]
async fn closing_forgets_the_pause() {
    let mut run = Run::new().await;
    let (conn, mut peer) = to_us(&mut run).await;
    run.output(Output::Pause { conn, paused: true }, &[]).await;
    fill(&mut peer);
    run.verb(move |m| {
        m.outputs.push(Output::Close { id: conn });
        // Of no effect on what is closed.
        m.outputs.push(Output::Pause { conn, paused: true });
    })
    .await;
    // The end comes through, since what still arrives is read and thrown away.
    peer.set_nonblocking(false).unwrap();
    let end = tokio::task::spawn_blocking(move || std::io::Read::read(&mut peer, &mut [0; 8]));
    assert!(matches!(end.await.unwrap(), Ok(0)));
    assert!(!run.stop().await.iter().any(|seen| matches!(seen, Seen::Input(Input::Data { .. }))));
}

#[tokio::test]
async fn under_tls_too() {
    let (identity, roots) = identity();
    let config = Config { tls: tls(roots, &identity), ..Config::default() };
    let mut run = Run::with(config).await;
    let (server, client) = pair(&mut run, "127.0.0.1:0").await;
    run.verb(move |m| {
        let alpn = Vec::new();
        m.outputs.push(Output::StartTls { conn: server, role: TlsRole::Server, alpn });
        let role = TlsRole::Client { name: NAME.to_owned() };
        m.outputs.push(Output::StartTls { conn: client, role, alpn: Vec::new() });
    })
    .await;
    for _ in 0..2 {
        assert!(matches!(run.input().await, Input::Secured { .. }));
    }
    let (socket, here) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    let written: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = written.clone();
    run.verb(move |m| {
        m.outputs.push(Output::Pause { conn: server, paused: true });
        m.outputs.write(client, &written);
    })
    .await;
    run.send(socket, here, b"meanwhile").await;
    loop {
        match run.input().await {
            Input::Writable { .. } => {}
            Input::Datagram { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    run.output(Output::Pause { conn: server, paused: false }, &[]).await;
    hears(&mut run, server, &expected, false).await;
}

#[tokio::test]
async fn a_handshake_reads_what_waited() {
    let (identity, roots) = identity();
    let config = Config { tls: tls(roots, &identity), ..Config::default() };
    let mut run = Run::with(config).await;
    let (server, client) = pair(&mut run, "127.0.0.1:0").await;
    run.output(Output::Pause { conn: server, paused: true }, &[]).await;
    let role = TlsRole::Client { name: NAME.to_owned() };
    run.output(Output::StartTls { conn: client, role, alpn: Vec::new() }, &[]).await;
    let role = TlsRole::Server;
    run.output(Output::StartTls { conn: server, role, alpn: Vec::new() }, &[]).await;
    for _ in 0..2 {
        assert!(matches!(run.input().await, Input::Secured { .. }));
    }
    run.output(Output::Write { conn: client }, b"sealed").await;
    hears(&mut run, server, b"sealed", false).await;
}
