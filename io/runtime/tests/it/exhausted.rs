//! When descriptors and ports end.

use std::net::TcpListener;

use machine::{BindKind, FailKind, Id, Input, Output};

use crate::elsewhere::{limited, networked};
use crate::probe::Run;

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test);
}

/// Binds until it fails; what was bound, and why no more was.
async fn bind_all(run: &mut Run, kind: BindKind, address: &str) -> (Vec<Id>, FailKind) {
    let mut bound = Vec::new();
    loop {
        match run.try_bind(kind, address).await {
            Ok((id, _)) => bound.push(id),
            Err(kind) => return (bound, kind),
        }
        assert!(bound.len() < 1000, "there is no limit");
    }
}

#[test]
fn descriptors() {
    if limited("exhausted::descriptors", "ulimit -n 64") {
        block_on(async {
            let mut run = Run::new().await;
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let remote = listener.local_addr().unwrap().into();
            let kinds =
                [BindKind::Udp, BindKind::SharedUdp, BindKind::RelayUdp, BindKind::TcpListener];
            for kind in kinds {
                let (bound, why) = bind_all(&mut run, kind, "127.0.0.1:0").await;
                assert_eq!(why, FailKind::OutOfResources);
                let id = run.connect(remote).await;
                let kind = FailKind::OutOfResources;
                assert_eq!(run.input().await, Input::Failed { id, kind });
                // What is given back serves again.
                for id in bound {
                    run.output(Output::Close { id }, &[]).await;
                }
            }
            let conn = run.connect(remote).await;
            assert!(matches!(run.input().await, Input::Connected { conn: at, .. } if at == conn));
        });
    }
}

#[test]
fn ports() {
    let setup = "ip link set lo up && echo 40000 40007 > /proc/sys/net/ipv4/ip_local_port_range";
    if networked("exhausted::ports", setup) {
        block_on(async {
            let mut run = Run::new().await;
            for kind in [BindKind::Udp, BindKind::TcpListener] {
                for address in ["127.0.0.1:0", "[::1]:0"] {
                    let (bound, why) = bind_all(&mut run, kind, address).await;
                    assert_eq!((bound.len(), why), (8, FailKind::OutOfResources));
                    for id in bound {
                        run.output(Output::Close { id }, &[]).await;
                    }
                }
            }
            let listener = TcpListener::bind("127.0.0.1:5000").unwrap();
            let remote = listener.local_addr().unwrap().into();
            let mut connected = 0;
            let why = loop {
                let id = run.connect(remote).await;
                match run.input().await {
                    Input::Connected { conn, .. } if conn == id => connected += 1,
                    Input::Failed { id: failed, kind } if failed == id => break kind,
                    other => panic!("{other:?}"),
                }
            };
            assert_eq!((connected, why), (8, FailKind::OutOfResources));
        });
    }
}
