//! Every kind of NAT against every other: the table of the talk, without relays.

use std::fmt::Write as _;
use std::time::Duration;

use connect::Event;
use netsim::Preset;

use crate::town::{ALICE, BOB, Plan, Town};

/// Whether a direct path exists: one side at least must let the other's packets in.
pub(crate) fn possible(alice: Preset, bob: Preset) -> bool {
    if alice == Preset::UdpBlocked || bob == Preset::UdpBlocked {
        return false;
    }
    let symmetric = |preset| {
        matches!(
            preset,
            Preset::Symmetric | Preset::SymmetricSequential | Preset::SymmetricThenCone
        )
    };
    let picky = |preset| preset == Preset::PortRestricted || symmetric(preset);
    !(symmetric(alice) && picky(bob) || picky(alice) && symmetric(bob))
}

#[test]
fn every_preset_against_every_preset() {
    let mut table = String::new();
    for alice in Preset::ALL {
        for bob in Preset::ALL {
            let access = [alice.name(), bob.name()];
            let mut town = Town::new(&Plan { access, ..Plan::default() });
            let sessions = town.gather();
            town.exchange(sessions, Duration::from_millis(20));
            let answered = town.now();
            let connected = town.settle();
            assert_eq!(connected, possible(alice, bob), "{alice} against {bob}");
            let writable = town.events[ALICE].iter().find_map(|(at, event)| {
                matches!(event, Event::Writable { .. }).then(|| *at - answered)
            });
            if let Some(writable) = writable {
                // Ta 50 ms and 40 ms of round trip: the first media leaves within some of them.
                assert!(
                    writable < Duration::from_millis(800),
                    "{alice} against {bob}: {writable:?}"
                );
                write!(table, "{:>4}", writable.as_millis()).unwrap();
            } else {
                table.push_str("   -");
            }
            if connected {
                let (a, b) = (town.path(ALICE).unwrap(), town.path(BOB).unwrap());
                assert!(!a.relayed && !b.relayed);
                assert_eq!((a.local, a.remote), (b.remote, b.local), "{alice} against {bob}");
            }
        }
        table.push('\n');
    }
    println!("milliseconds from the answer to the first media\n{table}");
}
