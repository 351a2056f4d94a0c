//! Every kind of NAT against every other, over SIP and over XMPP: one table.

use std::fmt::Write as _;
use std::time::Duration;

use scenarios::topology::can_be_direct;
use scenarios::{Access, HangUp, Preset, Report, Spec, Via, Who, run};

use crate::VIAS;

fn call(via: Via, alice: Preset, bob: Preset, turn: bool) -> Report {
    // Long enough for the last resort to be chosen.
    let hang_up = HangUp::After(Who::Alice, Duration::from_secs(5));
    let (alice, bob) = (alice.into(), bob.into());
    run(&Spec { via, alice, bob, turn, hang_up, ..Spec::default() }, |_| {})
}

/// `direct srflx-prflx udp`: the types as Alice sees them, over what her packets and Bob's leave
/// their hosts where that is not the same.
fn way(report: &Report) -> String {
    let (Some(alice), Some(bob)) = (&report.alice.path, &report.bob.path) else {
        return "no path".to_owned();
    };
    let name = |kind: Option<phone::CandidateKind>| kind.map_or("?", |kind| kind.name());
    let way = format!("{}-{}", name(alice.local_type), name(alice.remote_type));
    let over = [alice, bob].map(|path| format!("{:?}", path.transport).to_lowercase());
    let over = if over[0] == over[1] { over[0].clone() } else { over.join("/") };
    let how = if alice.relayed { "relayed" } else { "direct" };
    format!("{how:<7} {way:<11} {over:<7}")
}

/// `4 checks  4.8 rtt`: the checks of both, the round trips from receipt of the answer to the first
/// media heard there.
fn cost(report: &Report) -> String {
    let checks = |who: Who| {
        report.side(who).explanation.as_ref().map_or(0, |explanation| explanation.checks_sent)
    };
    let checks = checks(Who::Alice) + checks(Who::Bob);
    if !report.connected() {
        return format!("{checks:>3} checks");
    }
    let rtts = report.alice.time_to_media().unwrap_or_default().as_secs_f64() / 0.040;
    format!("{checks:>3} checks {rtts:>5.1} rtt")
}

/// The table of all pairs of presets; `check` looks at each.
fn table(turn: bool, check: impl Fn(Preset, Preset, &Report)) -> String {
    let mut table = String::from("RTT 40 ms, no loss, Ta 50 ms, seed 1\n\n");
    let head = format!("{:<20} {:<20} {:<50} {}", "Alice", "Bob", "over SIP", "over XMPP");
    let _ = writeln!(table, "{head}\n");
    for alice in Preset::ALL {
        for bob in Preset::ALL {
            let cells = VIAS.map(|via| {
                let report = call(via, alice, bob, turn);
                check(alice, bob, &report);
                (way(&report), cost(&report))
            });
            // The call is the same, whatever carries its signalling.
            assert_eq!(cells[0].0, cells[1].0, "{alice} calls {bob}");
            let cells = cells.map(|(way, cost)| format!("{way:<27} {cost}"));
            let line = format!("{alice:<20} {bob:<20} {:<50} {}", cells[0], cells[1]);
            let _ = writeln!(table, "{}", line.trim_end());
        }
    }
    table
}

fn is_relayed(report: &Report) -> [Option<bool>; 2] {
    [&report.alice, &report.bob].map(|side| side.path.as_ref().map(|path| path.relayed))
}

#[test]
fn every_pair_of_nats() {
    let table = table(true, |alice, bob, report| {
        assert!(report.connected(), "{alice} calls {bob}");
        // A relay is the last resort: where there is a direct way, that is the one.
        let direct = can_be_direct(&Access::from(alice), &Access::from(bob));
        assert_eq!(is_relayed(report), [Some(!direct); 2], "{alice} calls {bob}");
    });
    insta::assert_snapshot!(table);
}

#[test]
fn every_pair_of_nats_without_turn() {
    let table = table(false, |alice, bob, report| {
        let direct = can_be_direct(&Access::from(alice), &Access::from(bob));
        assert_eq!(is_relayed(report), [direct.then_some(false); 2], "{alice} calls {bob}");
    });
    insta::assert_snapshot!(table);
}

/// Whoever answers at once does so while candidates still trickle: the same comes of it.
#[test]
fn every_pair_of_nats_and_an_answer_at_once() {
    for alice in Preset::ALL {
        for bob in Preset::ALL {
            let hang_up = HangUp::After(Who::Alice, Duration::from_secs(5));
            let direct = can_be_direct(&alice.into(), &bob.into());
            let (ring, via) = (Duration::ZERO, Via::Xmpp);
            let (access, other) = (alice.into(), bob.into());
            let spec = Spec { via, ring, hang_up, alice: access, bob: other, ..Spec::default() };
            let report = run(&spec, |_| {});
            assert_eq!(is_relayed(&report), [Some(!direct); 2], "{alice} calls {bob}");
        }
    }
}
