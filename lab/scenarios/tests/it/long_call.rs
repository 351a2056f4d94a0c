//! A call that lasts longer than the NATs remember it.

use std::time::Duration;

use phone::EndKind;
use scenarios::{Access, HangUp, Spec, Via, Who, run};

use crate::{VIAS, speaking};

const LENGTH: Duration = Duration::from_secs(90);

#[test]
fn ninety_seconds_through_nats_that_forget_after_thirty() {
    let nat: Access = "mapping=ei,filtering=apd,lifetime=30s".parse().unwrap();
    for (via, hanger) in VIAS.into_iter().flat_map(|via| [(via, Who::Alice), (via, Who::Bob)]) {
        let mut spec = Spec {
            via,
            alice: nat.clone(),
            bob: nat.clone(),
            hang_up: HangUp::After(hanger, LENGTH),
            capture: true,
            ..speaking()
        };
        spec.twins = false;
        let report = run(&spec, |_| {});
        for who in [Who::Alice, Who::Bob] {
            let side = report.side(who);
            let (at, reason, by) = side.ended.clone().expect("the call ended");
            assert_eq!(reason.kind(), EndKind::HungUp, "{via:?} {who:?}");
            assert_eq!(by == phone::By::Us, who == hanger);
            // Heard from the first word to the last: no gap, nothing made up.
            let since = side.heard.since.expect("something was heard");
            let heard = Duration::from_millis(side.heard.samples.len() as u64 / 8);
            let lasted = at.saturating_since(since);
            assert!(lasted > LENGTH - Duration::from_secs(1));
            assert!(heard + Duration::from_millis(200) > lasted, "{heard:?} of {lasted:?}");
            let stats = side.stats.as_ref().expect("statistics");
            assert_eq!((stats.lost, stats.late), (0, 0), "{who:?}");
            assert!(stats.concealed < Duration::from_millis(100), "{:?}", stats.concealed);
        }
        if via == Via::Sip {
            assert_eq!(answers(&report), 1, "a 200 to INVITE is sent once");
        }
    }
}

/// How often a 200 to an INVITE left Bob's host.
fn answers(report: &scenarios::Report) -> usize {
    let bob = report.topology.taps.iter().find(|(who, _)| *who == Who::Bob).expect("a tap").1;
    let sent = report.world.captured().filter(|packet| {
        let has = |needle: &[u8]| packet.bytes.windows(needle.len()).any(|w| w == needle);
        packet.tap == bob
            && packet.inbound == Some(false)
            && has(b"SIP/2.0 200 ")
            && has(b" INVITE\r\n")
    });
    sent.count()
}
