//! Datagrams that may not be fragmented, on a path too narrow for them.

use machine::{BindKind, Entropy, Icmp, Input, Output};
use runtime::Config;
use udp::{Plane, PlaneConfig};

use crate::elsewhere::networked;
use crate::probe::Run;

/// The least that IPv6 allows (RFC 8200 §5).
const MTU: u16 = 1280;

#[test]
fn too_big_is_told_and_whatever_may_be_cut_passes() {
    let test = "narrow::too_big_is_told_and_whatever_may_be_cut_passes";
    if !networked(test, &format!("ip link set lo up mtu {MTU}")) {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for kind in [BindKind::Udp, BindKind::RelayUdp] {
            for address in ["127.0.0.1:0", "[::1]:0"] {
                whole_and_cut(Run::new().await, kind, address).await;
            }
        }
        let (clock, entropy) = (|| runtime::now().mono, Entropy::seeded(1));
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let entropy = entropy.clone();
            let plane = Plane::start(PlaneConfig { shards: 1, clock, entropy }).unwrap();
            let config = Config { plane: Some(plane), ..Config::default() };
            whole_and_cut(Run::with(config).await, BindKind::RelayUdp, address).await;
        }
    });
}

async fn whole_and_cut(mut run: Run, kind: BindKind, address: &str) {
    let (socket, _) = run.bind(kind, address).await;
    let (other, remote) = run.bind(BindKind::Udp, address).await;
    for _ in 0..3 {
        for dont_fragment in [true, false] {
            let (source, segment_size) = (None, None);
            let datagram = Output::Datagram { socket, source, remote, segment_size, dont_fragment };
            run.output(datagram, &[7; 2 * MTU as usize]).await;
            match run.input().await {
                Input::Unreachable { socket: at, remote: to, icmp } if dont_fragment => {
                    assert_eq!((at, to, icmp), (socket, remote, Icmp::TooBig { mtu: MTU }));
                }
                Input::Datagram { socket: at, bytes, .. } if !dont_fragment => {
                    assert_eq!((at, bytes.len()), (other, 2 * usize::from(MTU)));
                }
                input => panic!("{kind:?} {address} {dont_fragment}: {input:?}"),
            }
        }
    }
}
