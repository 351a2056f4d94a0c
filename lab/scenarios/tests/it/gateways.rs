//! Calls between people whose NATs have gateways.

use std::time::Duration;

use scenarios::{Behaviour, HangUp, Preset, Report, Spec, Via, Who, run};

use crate::VIAS;

#[test]
fn a_gateway_stands_in_nobodys_way() {
    for via in VIAS {
        for behaviour in [Behaviour::all(), Behaviour::none()] {
            let spec = Spec {
                via,
                alice: Preset::Symmetric.into(),
                bob: Preset::Double.into(),
                alice_gateway: Some(behaviour.clone()),
                bob_gateway: Some(behaviour.clone()),
                hang_up: HangUp::After(Who::Alice, Duration::from_secs(5)),
                twins: true,
                ..Spec::default()
            };
            let report = run(&spec, |_| {});
            assert!(report.connected(), "{via:?} {behaviour:?}");
        }
    }
}

/// A call between two people behind symmetric NATs, which find each other by a relay alone.
fn call(via: Via, alice: Option<Behaviour>, bob: Option<Behaviour>, turn: bool) -> Report {
    let spec = Spec {
        via,
        alice: Preset::Symmetric.into(),
        bob: Preset::Symmetric.into(),
        alice_gateway: alice,
        bob_gateway: bob,
        turn,
        hang_up: HangUp::After(Who::Alice, Duration::from_secs(5)),
        twins: true,
        ..Spec::default()
    };
    run(&spec, |_| {})
}

fn behaviours() -> [Behaviour; 4] {
    ["pcp", "natpmp", "upnp1", "upnp2"].map(|name| name.parse().expect("a behaviour"))
}

#[test]
fn a_gateway_on_either_side_spares_the_relay() {
    for via in VIAS {
        for behaviour in behaviours() {
            let gateway = Some(behaviour.clone());
            for (alice, bob) in [(&gateway, &gateway), (&gateway, &None), (&None, &gateway)] {
                for turn in [false, true] {
                    let report = call(via, alice.clone(), bob.clone(), turn);
                    let name = format!("{via:?} {alice:?} {bob:?} turn {turn}");
                    assert!(report.connected(), "{name}");
                    for side in [&report.alice, &report.bob] {
                        let path = side.path.as_ref().expect("a path");
                        assert!(!path.relayed, "{name}: {path:?}");
                    }
                }
            }
        }
        // The same without a gateway has no way but the relay.
        assert!(!call(via, None, None, false).connected());
    }
}

#[test]
fn the_gateway_is_named_and_left_as_it_was_found() {
    for behaviour in behaviours() {
        let report = call(Via::Sip, Some(behaviour.clone()), None, true);
        let explanation = report.alice.explanation.as_ref().expect("an explanation");
        let mapped = explanation.local.iter().map(|(_, candidate)| candidate.origin.to_string());
        let mapped: Vec<String> = mapped.filter(|origin| origin.contains("gateway")).collect();
        assert!(!mapped.is_empty(), "{behaviour:?}: {:?}", explanation.local);
        assert!(mapped.iter().all(|origin| origin.contains("192.168.0.254")), "{mapped:?}");
        let (nat, _) = report.topology.alice.nats[0];
        let forwarded = report.world.forwarded_ports(nat);
        assert!(forwarded.is_empty(), "{behaviour:?}: {forwarded:?}");
    }
}
