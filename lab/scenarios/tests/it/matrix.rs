//! Every kind of NAT against every other: one table.

use std::fmt::Write as _;

use scenarios::topology::can_be_direct;
use scenarios::{Access, Preset, Report, Spec, Who, run};

fn call(alice: Preset, bob: Preset) -> Report {
    let spec = Spec { alice: alice.into(), bob: bob.into(), ..Spec::default() };
    run(&spec, |_| {})
}

/// `direct srflx-prflx  4 checks  4.8 rtt`: the types as Alice sees them, the checks of both, the
/// round trips from receipt of the answer to the first media heard there.
fn cell(report: &Report) -> String {
    let checks = |who: Who| {
        report.side(who).explanation.as_ref().map_or(0, |explanation| explanation.checks_sent)
    };
    let checks = checks(Who::Alice) + checks(Who::Bob);
    let (Some(path), true) = (&report.alice.path, report.connected()) else {
        return format!("no path              {checks:>3} checks");
    };
    let name = |kind: Option<phone::CandidateKind>| kind.map_or("?", |kind| kind.name());
    let way = format!("{}-{}", name(path.local_type), name(path.remote_type));
    let rtts = report.alice.time_to_media().unwrap_or_default().as_secs_f64() / 0.040;
    let how = if path.relayed { "relayed" } else { "direct" };
    format!("{how} {way:<13} {checks:>3} checks {rtts:>5.1} rtt")
}

#[test]
fn every_pair_of_nats() {
    let mut table = String::from("RTT 40 ms, no loss, Ta 50 ms, seed 1; ICE as SIP carries it\n\n");
    for alice in Preset::ALL {
        for bob in Preset::ALL {
            let report = call(alice, bob);
            let direct = can_be_direct(&Access::from(alice), &Access::from(bob));
            assert_eq!(report.connected(), direct, "{alice} calls {bob}");
            let paths = [&report.alice.path, &report.bob.path];
            assert!(paths.into_iter().flatten().all(|path| !path.relayed), "{alice} calls {bob}");
            let _ = writeln!(table, "{alice:<20} {bob:<20} {}", cell(&report));
        }
    }
    insta::assert_snapshot!(table);
}
