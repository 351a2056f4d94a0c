//! The first call: Alice talks to Bob through two NATs.

use std::sync::Arc;

use wayleave_scenarios::{Spec, Told, run};

/// Two seconds of a rising tone, which fits itself at one place only.
fn voice(from_hz: f64) -> Arc<[i16]> {
    let sample = |n: u32| {
        let t = f64::from(n) / 8000.0;
        (8000.0 * (std::f64::consts::TAU * (from_hz + 100.0 * t) * t).sin()) as i16
    };
    (0..16_000).map(sample).collect()
}

fn spec() -> Spec {
    Spec { alice_says: voice(300.0), bob_says: voice(500.0), twins: true, ..Spec::default() }
}

#[test]
fn alice_talks_to_bob_through_two_nats() {
    let report = run(&spec(), |told: &Told<'_>| {
        println!("{:?} {} {:?}", told.now.mono, told.who.name(), told.what);
    });
    assert!(report.connected());
}
