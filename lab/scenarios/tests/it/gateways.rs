//! Calls between people whose NATs have gateways.

use std::time::Duration;

use scenarios::{Behaviour, HangUp, Preset, Spec, Who, run};

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
