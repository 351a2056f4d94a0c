//! TLS handshakes, between two connections of the same machine.

use machine::{CloseReason, ConnectionBinding, FailKind, Id, Input, Output, TlsRole};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use runtime::{Certificates, Config, Identity, Pin, Roots, Tls, Trust};

use crate::probe::Run;
use crate::tcp::{hears, pair};

pub(crate) const NAME: &str = "server.example";

/// A certificate for [`NAME`], shown and trusted.
pub(crate) fn identity() -> (Identity, Roots) {
    let names = vec![NAME.to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let der = cert.der().to_vec();
    let identity = Identity { chain: vec![der.clone()], key: signing_key.serialize_der() };
    (identity, Roots::Only(vec![der]))
}

pub(crate) fn tls(roots: Roots, identity: &Identity) -> Tls {
    Tls { roots, certificates: Certificates::new(identity).unwrap() }
}

async fn running(tls: Tls) -> Run {
    Run::with(Config { tls, ..Config::default() }).await
}

/// Starts TLS on both sides of a connection.
async fn start(run: &mut Run, name: &str, offered: &str) -> (Id, Id) {
    let (server, client) = pair(run, "127.0.0.1:0").await;
    let alpn = vec![b"other".to_vec(), b"probe".to_vec()];
    let accept = Output::StartTls { conn: server, role: TlsRole::Server, alpn };
    run.output(accept, &[]).await;
    let (role, alpn) = (TlsRole::Client { name: name.to_owned() }, vec![offered.into()]);
    run.output(Output::StartTls { conn: client, role, alpn }, &[]).await;
    (server, client)
}

/// What the two handshakes came to.
async fn failures(run: &mut Run) -> Vec<(Id, FailKind)> {
    let mut failures = Vec::new();
    while failures.len() < 2 {
        match run.input().await {
            Input::Failed { id, kind } => failures.push((id, kind)),
            Input::Secured { .. } => {}
            // A client of TLS 1.3 is done before its server has refused.
            Input::Closed { conn, reason } => {
                failures.push((conn, FailKind::Other(format!("{reason:?}"))));
            }
            other => panic!("{other:?}"),
        }
    }
    failures
}

#[tokio::test]
async fn both_sides_agree() {
    let (identity, roots) = identity();
    let chain = identity.chain.clone();
    let mut run = running(tls(roots, &identity)).await;
    let (server, client) = start(&mut run, NAME, "probe").await;
    let mut bindings = Vec::new();
    while bindings.len() < 2 {
        let secured = run.input().await;
        let Input::Secured { conn, peer_certs, alpn, binding, room } = secured else {
            panic!("{secured:?}");
        };
        assert_eq!(alpn.as_deref(), Some(&b"probe"[..]));
        assert_eq!(peer_certs, if conn == client { chain.clone() } else { Vec::new() });
        assert!(room > 0);
        bindings.push(binding);
    }
    assert_eq!(bindings[0], bindings[1]);
    let ConnectionBinding { exporter, server_end_point } = &bindings[0];
    assert_eq!(exporter.as_ref().map(Vec::len), Some(32));
    // An ECDSA certificate on P-256 is signed with SHA-256.
    assert_eq!(server_end_point.as_ref().map(Vec::len), Some(32));

    run.output(Output::Write { conn: client }, b"sealed").await;
    hears(&mut run, server, b"sealed", false).await;
    let large: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = large.clone();
    run.verb(move |m| {
        m.outputs.write(server, &large);
        m.outputs.push(Output::Close { id: server });
    })
    .await;
    hears(&mut run, client, &expected, true).await;
}

#[tokio::test]
async fn what_was_written_before_goes_out_in_the_clear() {
    let (identity, roots) = identity();
    let mut run = running(tls(roots, &identity)).await;
    let (server, client) = pair(&mut run, "127.0.0.1:0").await;
    run.verb(move |m| {
        m.outputs.write(server, b"go");
        let role = TlsRole::Server;
        m.outputs.push(Output::StartTls { conn: server, role, alpn: Vec::new() });
    })
    .await;
    hears(&mut run, client, b"go", false).await;
    let role = TlsRole::Client { name: NAME.to_owned() };
    run.output(Output::StartTls { conn: client, role, alpn: Vec::new() }, &[]).await;
    for _ in 0..2 {
        assert!(matches!(run.input().await, Input::Secured { alpn: None, .. }));
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_or_of_strangers_is_refused() {
    let (_, strangers) = identity();
    let (identity, roots) = identity();
    for (roots, name) in [(roots, "other.example"), (strangers, NAME)] {
        let mut run = running(tls(roots, &identity)).await;
        let (_, client) = start(&mut run, name, "probe").await;
        let failures = failures(&mut run).await;
        let (_, kind) = failures.iter().find(|(id, _)| *id == client).unwrap();
        assert!(matches!(kind, FailKind::Certificate(_)), "{kind:?}");
    }
}

#[tokio::test]
async fn a_refused_certificate_can_be_pinned() {
    let (identity, _) = identity();
    let mut run = running(tls(identity_of_strangers(), &identity)).await;
    let (_, client) = start(&mut run, NAME, "probe").await;
    let failures = failures(&mut run).await;
    let (_, kind) = failures.iter().find(|(id, _)| *id == client).unwrap();
    let FailKind::Certificate(text) = kind else { panic!("{kind:?}") };
    let pin = Pin::for_refusal(text).unwrap();
    assert_eq!(pin, Pin::new(NAME, &identity.chain[0]).unwrap());

    let trust = Trust { anchors: Vec::new(), pins: vec![pin] };
    let mut run = running(tls(Roots::SystemAnd(trust), &identity)).await;
    assert_eq!(shown(&mut run).await.2, identity.chain);
}

fn identity_of_strangers() -> Roots {
    identity().1
}

#[tokio::test]
async fn without_a_common_protocol_there_is_no_connection() {
    let (identity, roots) = identity();
    let mut run = running(tls(roots, &identity)).await;
    let (server, _) = start(&mut run, NAME, "unheard-of").await;
    let failures = failures(&mut run).await;
    let (_, kind) = failures.iter().find(|(id, _)| *id == server).unwrap();
    assert!(matches!(kind, FailKind::Tls(_)), "{kind:?}");
}

#[tokio::test]
async fn without_a_certificate_nobody_is_accepted() {
    let mut run = running(Tls { roots: identity().1, certificates: Certificates::none() }).await;
    let (server, _) = start(&mut run, NAME, "probe").await;
    let failures = failures(&mut run).await;
    let (_, kind) = failures.iter().find(|(id, _)| *id == server).unwrap();
    assert_eq!(*kind, FailKind::Tls("there is no certificate to show".to_owned()));
}

#[tokio::test]
async fn a_peer_that_talks_something_else_fails() {
    let (identity, roots) = identity();
    let mut run = running(tls(roots, &identity)).await;
    let (server, client) = pair(&mut run, "127.0.0.1:0").await;
    let role = TlsRole::Server;
    run.output(Output::StartTls { conn: server, role, alpn: Vec::new() }, &[]).await;
    run.output(Output::Write { conn: client }, b"GET / HTTP/1.1\r\n\r\n").await;
    loop {
        match run.input().await {
            Input::Failed { id, kind: FailKind::Tls(_) } if id == server => break,
            Input::Writable { .. } | Input::Data { .. } => {}
            Input::Closed { reason: CloseReason::Peer | CloseReason::Reset, .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// A handshake between the two sides; the client's certificates of the server.
async fn shown(run: &mut Run) -> (Id, Id, Vec<Vec<u8>>) {
    let (server, client) = start(run, NAME, "probe").await;
    let mut certs = Vec::new();
    for _ in 0..2 {
        let Input::Secured { conn, peer_certs, .. } = run.input().await else { panic!("secured") };
        if conn == client {
            certs = peer_certs;
        }
    }
    (server, client, certs)
}

#[tokio::test]
async fn a_certificate_is_replaced_while_connections_are_open() {
    let ((first, Roots::Only(mut trusted)), (second, Roots::Only(also))) = (identity(), identity())
    else {
        panic!("own roots");
    };
    trusted.extend(also);
    let certificates = Certificates::new(&first).unwrap();
    let tls = Tls { roots: Roots::Only(trusted), certificates: certificates.clone() };
    let mut run = running(tls).await;
    let (server, client, certs) = shown(&mut run).await;
    assert_eq!(certs, first.chain);

    // One that cannot be shown changes nothing.
    let mixed = Identity { chain: second.chain.clone(), key: first.key.clone() };
    for bad in [mixed, Identity { chain: Vec::new(), key: first.key.clone() }] {
        certificates.replace(&bad).unwrap_err();
    }
    let garbage = Identity { chain: second.chain.clone(), key: b"no key".to_vec() };
    assert!(certificates.replace(&garbage).unwrap_err().to_string().contains("cannot be used"));
    assert_eq!(shown(&mut run).await.2, first.chain);

    certificates.replace(&second).unwrap();
    assert_eq!(shown(&mut run).await.2, second.chain);
    run.output(Output::Write { conn: client }, b"still here").await;
    hears(&mut run, server, b"still here", false).await;
}

#[tokio::test]
async fn a_certificate_can_come_later() {
    let (identity, roots) = identity();
    let certificates = Certificates::none();
    assert!(!certificates.is_some());
    let mut run = running(Tls { roots, certificates: certificates.clone() }).await;
    let (server, _) = start(&mut run, NAME, "probe").await;
    assert!(failures(&mut run).await.iter().any(|(id, _)| *id == server));
    certificates.replace(&identity).unwrap();
    assert_eq!(shown(&mut run).await.2, identity.chain);
}
