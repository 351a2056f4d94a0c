//! Stopping.

use std::io::Read as _;
use std::net::TcpListener;

use machine::{BindKind, Endpoint, Input};
use tokio::net::UdpSocket;

use crate::probe::Run;

#[tokio::test]
async fn what_was_written_is_delivered_before_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut run = Run::new().await;
    let conn = run.connect(listener.local_addr().unwrap().into()).await;
    assert!(matches!(run.input().await, Input::Connected { .. }));
    let (socket, at) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    let to = Endpoint::from(peer.local_addr().unwrap());
    run.verb(move |m| {
        m.outputs.datagram(socket, to, b"goodbye");
        m.outputs.write(conn, b"farewell");
    })
    .await;
    let reader = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    run.stop().await;
    assert_eq!(reader.await.unwrap(), "farewell");
    let mut buf = [0; 16];
    let (len, from) = peer.recv_from(&mut buf).await.unwrap();
    assert_eq!((&buf[..len], Endpoint::from(from)), (&b"goodbye"[..], at));
}

#[tokio::test]
async fn ports_are_free_after_the_end() {
    let mut run = Run::new().await;
    let (_, at) = run.bind(BindKind::Udp, "127.0.0.1:0").await;
    let (_, listener) = run.bind(BindKind::TcpListener, "127.0.0.1:0").await;
    run.connect(listener).await;
    run.stop().await;
    let mut run = Run::new().await;
    run.bind(BindKind::Udp, &at.to_string()).await;
    run.bind(BindKind::TcpListener, &listener.to_string()).await;
}

#[tokio::test]
async fn peers_that_keep_their_connection_are_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut run = Run::new().await;
    run.connect(listener.local_addr().unwrap().into()).await;
    assert!(matches!(run.input().await, Input::Connected { .. }));
    let (peer, _) = listener.accept().unwrap();
    let begun = std::time::Instant::now();
    run.stop().await;
    assert!(begun.elapsed() < runtime::defaults::LINGER);
    drop(peer);
}
