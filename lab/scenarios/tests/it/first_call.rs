//! The first call: Alice talks to Bob through two NATs.

use audio::similarity;
use phone::{EndKind, IceMode};
use scenarios::{Preset, Report, Spec, Who, run};

use crate::{VIAS, speaking};

fn assert_heard(report: &Report, spec: &Spec) {
    for (who, said) in [(Who::Bob, &spec.alice_says), (Who::Alice, &spec.bob_says)] {
        let heard = similarity(said, &report.side(who).heard.samples);
        assert!(heard.correlation >= 0.99, "{:?} {who:?} {heard:?}", spec.via);
        assert!(heard.coverage >= 0.95, "{:?} {who:?} {heard:?}", spec.via);
    }
}

fn mos(report: &Report, who: Who) -> f64 {
    report.side(who).stats.as_ref().and_then(|stats| stats.mos()).unwrap_or_default()
}

#[test]
fn alice_and_bob_hear_each_other() {
    for via in VIAS {
        let spec = Spec { via, ..speaking() };
        let report = run(&spec, |_| {});
        assert_heard(&report, &spec);
        for who in [Who::Alice, Who::Bob] {
            let (_, reason, _) = report.side(who).ended.clone().expect("the call ended");
            assert_eq!(reason.kind(), EndKind::HungUp, "{via:?} {who:?}");
            assert!(mos(&report, who) > 4.3);
        }
    }
}

/// What is told of a call over time: the steps in their order, and the quality second by second.
#[test]
fn a_call_is_told_in_its_steps() {
    for via in VIAS {
        let spec = Spec { via, ..speaking() };
        let report = run(&spec, |_| {});
        let alice = &report.alice;
        let steps = [
            alice.registered,
            report.dialled,
            alice.rang,
            report.taken,
            alice.answered,
            alice.path_since,
            alice.ended.as_ref().map(|(at, ..)| *at),
        ];
        assert!(steps.iter().all(Option::is_some), "{via:?} {steps:?}");
        assert!(steps.is_sorted(), "{via:?} {steps:?}");
        let signalling = report.signalling();
        assert_eq!(signalling.ringing, Some(alice.rang.unwrap() - report.dialled.unwrap()));
        assert!(
            signalling.answered.unwrap() >= spec.rtt && signalling.reachable.unwrap() >= spec.rtt
        );
        for who in [Who::Alice, Who::Bob] {
            let side = report.side(who);
            assert!(side.quality.len() >= 3, "{via:?} {who:?} {}", side.quality.len());
            assert!(side.quality.iter().map(|(at, _)| *at).is_sorted());
            assert!(side.quality.iter().map(|(_, stats)| stats.received).is_sorted());
            assert_eq!(
                side.quality.last().map(|(_, stats)| *stats),
                side.stats.as_deref().copied()
            );
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    for via in VIAS {
        let spec = Spec { via, alice_loss: 0.1, bob_loss: 0.1, capture: true, ..speaking() };
        let (one, two) = (run(&spec, |_| {}), run(&spec, |_| {}));
        assert_eq!(one.world.digest(), two.world.digest());
        assert!(one.pcapng() == two.pcapng());
        assert!(one.world.overheard().eq(two.world.overheard()));
        let other = run(&Spec { seed: 2, ..spec }, |_| {});
        assert_ne!(one.world.digest(), other.world.digest());
    }
}

#[test]
fn loss_one_way_spoils_that_way_only() {
    for (alice_loss, bob_loss) in [(0.1, 0.0), (0.0, 0.1)] {
        for seed in 1..=5 {
            let spec = Spec { alice_loss, bob_loss, seed, ..speaking() };
            let report = run(&spec, |_| {});
            let (bob, alice) = (mos(&report, Who::Bob), mos(&report, Who::Alice));
            let (spoilt, clean) = if alice_loss > 0.0 { (bob, alice) } else { (alice, bob) };
            assert!(clean > 4.3 && spoilt < 4.1, "seed {seed}: {spoilt} {clean}");
            let ended = |who: Who| report.side(who).ended.is_some();
            assert!(ended(Who::Alice) && ended(Who::Bob), "seed {seed}");
        }
    }
}

#[test]
fn without_ice_nobody_hears_anything_through_two_nats() {
    for via in VIAS {
        let spec = Spec { via, ice: IceMode::Off, ..speaking() };
        let report = run(&spec, |_| {});
        for who in [Who::Alice, Who::Bob] {
            let side = report.side(who);
            assert!(side.answered.is_some(), "{via:?}: the call was answered all the same");
            assert!(side.heard.samples.is_empty(), "{via:?}");
        }
    }
}

#[test]
fn without_ice_and_without_nats_they_hear_each_other() {
    for via in VIAS {
        let (alice, bob) = (Preset::Open.into(), Preset::Open.into());
        let spec = Spec { via, ice: IceMode::Off, alice, bob, ..speaking() };
        assert_heard(&run(&spec, |_| {}), &spec);
    }
}

/// At one packet in ten lost each way, some STUN answers come after the description is out: a later
/// offer brings their candidates, or they trickle.
#[test]
fn many_seeds_and_bad_lines_break_nothing() {
    for via in VIAS {
        for seed in 1..=40 {
            let spec = Spec { via, alice_loss: 0.1, bob_loss: 0.1, seed, ..speaking() };
            let report = run(&spec, |_| {});
            assert!(report.connected(), "{via:?}, seed {seed}");
            let ended = |who: Who| report.side(who).ended.is_some();
            assert!(ended(Who::Alice) && ended(Who::Bob), "{via:?}, seed {seed}");
        }
    }
}
