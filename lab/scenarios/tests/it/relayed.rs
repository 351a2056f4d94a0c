//! Calls that find no direct way.

use std::time::Duration;

use audio::similarity;
use machine::Transport;
use phone::{CandidateKind, EndKind, IceMode};
use scenarios::{HangUp, Preset, Report, Spec, Via, Who, run};

use crate::{VIAS, speaking};

fn between(via: Via, alice: Preset, bob: Preset) -> Spec {
    Spec { via, alice: alice.into(), bob: bob.into(), ..speaking() }
}

fn assert_heard(report: &Report, spec: &Spec) {
    for (who, said) in [(Who::Bob, &spec.alice_says), (Who::Alice, &spec.bob_says)] {
        let side = report.side(who);
        let heard = similarity(said, &side.heard.samples);
        assert!(heard.correlation >= 0.99, "{who:?} {heard:?}");
        assert!(heard.coverage >= 0.95, "{who:?} {heard:?}");
        let stats = side.stats.as_ref().expect("statistics");
        assert_eq!((stats.lost, stats.late), (0, 0), "{who:?}");
        assert!(stats.mos().unwrap_or_default() > 4.0, "{who:?}: {stats:?}");
        let (_, reason, _) = side.ended.clone().expect("the call ended");
        assert_eq!(reason.kind(), EndKind::HungUp, "{who:?}");
    }
}

fn transports(report: &Report) -> [Transport; 2] {
    [&report.alice, &report.bob].map(|side| side.path.as_ref().expect("a path").transport)
}

#[test]
fn every_word_is_heard_over_udp_and_over_tcp() {
    use Preset::{PortRestricted, Symmetric, UdpBlocked};
    for (alice, bob, over) in [
        (Symmetric, Symmetric, [Transport::Udp, Transport::Udp]),
        (UdpBlocked, PortRestricted, [Transport::Tcp, Transport::Udp]),
        (PortRestricted, UdpBlocked, [Transport::Udp, Transport::Tcp]),
        (UdpBlocked, UdpBlocked, [Transport::Tcp, Transport::Tcp]),
    ] {
        for via in VIAS {
            let spec = between(via, alice, bob);
            let report = run(&spec, |_| {});
            assert_heard(&report, &spec);
            assert_eq!(transports(&report), over, "{via:?}: {alice} calls {bob}");
        }
    }
}

#[test]
fn who_wants_a_relay_and_nothing_else_shows_nothing_else() {
    let presets = [Preset::Open, Preset::UdpBlocked];
    for (via, preset) in VIAS.into_iter().flat_map(|via| presets.map(|preset| (via, preset))) {
        let spec = Spec { ice: IceMode::RelayOnly, ..between(via, preset, preset) };
        let report = run(&spec, |_| {});
        assert_heard(&report, &spec);
        for who in [Who::Alice, Who::Bob] {
            let candidates = &report.side(who).candidates;
            assert!(!candidates.is_empty());
            assert!(candidates.iter().all(|c| c.kind == CandidateKind::Relayed), "{candidates:?}");
        }
    }
}

#[test]
fn whoever_finds_no_udp_registers_within_seconds() {
    let spec = between(Via::Sip, Preset::UdpBlocked, Preset::UdpBlocked);
    let mut registered = Vec::new();
    run(&spec, |told| {
        if let scenarios::What::Phone(phone::Event::Registered { transport, .. }) = told.what {
            registered.push((told.now.mono, *transport));
        }
    });
    assert_eq!(registered.len(), 2);
    for (at, transport) in registered {
        assert_eq!(transport, Transport::Tcp);
        assert!(Duration::from_nanos(at.as_nanos()) < Duration::from_secs(4), "{at:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_packets_through_a_relay() {
    for via in VIAS {
        let spec = Spec {
            alice_loss: 0.02,
            bob_loss: 0.02,
            capture: true,
            ..between(via, Preset::UdpBlocked, Preset::Symmetric)
        };
        let (one, two) = (run(&spec, |_| {}), run(&spec, |_| {}));
        assert_eq!(one.world.digest(), two.world.digest());
        assert!(one.pcapng() == two.pcapng());
    }
}

/// Lost packets make everything take longer, TCP most of all; nothing breaks.
#[test]
fn many_seeds_and_bad_lines_break_nothing() {
    let pairs =
        [(Preset::Symmetric, Preset::Symmetric), (Preset::UdpBlocked, Preset::PortRestricted)];
    for (via, (alice, bob)) in VIAS.into_iter().flat_map(|via| pairs.map(|pair| (via, pair))) {
        for seed in 1..=10 {
            // Long enough for a last resort whose checks were lost to be chosen.
            let hang_up = HangUp::After(Who::Alice, Duration::from_secs(8));
            let (alice_loss, bob_loss) = (0.05, 0.05);
            let spec = Spec { alice_loss, bob_loss, seed, hang_up, ..between(via, alice, bob) };
            let report = run(&spec, |_| {});
            assert!(report.connected(), "{via:?}, seed {seed}: {alice} calls {bob}");
            let ended = |who: Who| report.side(who).ended.is_some();
            assert!(
                ended(Who::Alice) && ended(Who::Bob),
                "{via:?}, seed {seed}: {alice} calls {bob}"
            );
        }
    }
}
