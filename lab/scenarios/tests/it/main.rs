//! Calls across the topologies of the talk.

mod first_call;
mod gateways;
mod long_call;
mod matrix;
mod relayed;

use std::sync::Arc;

use scenarios::{Spec, Via};

/// So many seconds of a rising tone, which fits itself at one place only.
fn voice(from_hz: f64, secs: u32) -> Arc<[i16]> {
    let sample = |n: u32| {
        let t = f64::from(n) / 8000.0;
        (8000.0 * (std::f64::consts::TAU * (from_hz + 100.0 * t) * t).sin()) as i16
    };
    (0..8000 * secs).map(sample).collect()
}

/// Two people who say something for three seconds, each machine with a twin.
fn speaking() -> Spec {
    Spec { alice_says: voice(300.0, 3), bob_says: voice(500.0, 3), twins: true, ..Spec::default() }
}

/// Each signalling.
const VIAS: [Via; 2] = [Via::Sip, Via::Xmpp];
