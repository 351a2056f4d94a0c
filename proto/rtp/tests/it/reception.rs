//! Sequence extension, loss and jitter, as RFC 3550 Appendix A has them.

use std::time::Duration;

use machine::{Instant, Now};
use rtp::reception::round_trip;
use rtp::rtcp::{ReportBlock, SenderInfo};
use rtp::{Packet, Reception};

fn now(millis: u64) -> Now {
    let since = Duration::from_millis(millis);
    Now { mono: Instant::ORIGIN + since, unix: Duration::from_secs(1_700_000_000) + since }
}

fn packet(sequence: u16, timestamp: u32) -> Packet<'static> {
    Packet { sequence, timestamp, ssrc: 7, ..Packet::default() }
}

/// Packets `first..first + count` of 20 ms, but for those that `lost` names.
fn stream(first: u16, count: u16, lost: impl Fn(u16) -> bool) -> Reception {
    let mut reception = Reception::new(now(0), &packet(first, 0), 8000);
    for n in (1..count).filter(|n| !lost(*n)) {
        let packet = packet(first.wrapping_add(n), u32::from(n) * 160);
        assert!(reception.receive(now(u64::from(n) * 20), &packet));
    }
    reception
}

#[test]
fn numbers_extend_over_the_turn() {
    let mut reception = stream(65_530, 100, |_| false);
    assert_eq!(reception.highest_sequence(), 65_536 + 93);
    assert_eq!((reception.expected(), reception.lost()), (100, 0));
    assert!(reception.receive(now(3000), &packet(65_535, 5 * 160)), "late but in range");
    assert_eq!(reception.lost(), -1);
}

#[test]
fn loss_is_counted_and_reported_by_period() {
    let mut reception = stream(10, 101, |n| n < 50 && n % 5 == 1);
    assert_eq!((reception.expected(), reception.lost()), (101, 10));
    let first = reception.report(now(2020));
    assert_eq!((first.fraction_lost, first.cumulative_lost), ((10 * 256 / 101) as u8, 10));
    for n in 101..201_u16 {
        reception.receive(now(u64::from(n) * 20), &packet(10 + n, u32::from(n) * 160));
    }
    let second = reception.report(now(4020));
    assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 10));
    assert!((reception.loss() - 10.0 / 201.0).abs() < 1e-9);
}

#[test]
fn a_jump_needs_two_packets() {
    let mut reception = stream(0, 10, |_| false);
    assert!(!reception.receive(now(200), &packet(20_000, 0)));
    assert!(reception.receive(now(200), &packet(10, 1600)), "the old range goes on");
    assert!(!reception.receive(now(220), &packet(20_000, 0)));
    assert!(reception.receive(now(240), &packet(20_001, 160)));
    assert_eq!((reception.highest_sequence(), reception.expected()), (20_001, 1));
    assert_eq!(reception.jitter(), Duration::ZERO, "the jump of the timestamps is no jitter");
}

#[test]
fn jitter_follows_the_formula() {
    assert_eq!(stream(0, 200, |_| false).jitter(), Duration::ZERO);
    // Every other packet 8 ms late: |D| is 64 ticks each time, and J converges to it.
    let mut reception = Reception::new(now(0), &packet(0, 0), 8000);
    for n in 1..500_u16 {
        let late = u64::from(n % 2) * 8;
        reception.receive(now(u64::from(n) * 20 + late), &packet(n, u32::from(n) * 160));
    }
    let millis = reception.jitter().as_secs_f64() * 1000.0;
    assert!((7.8..=8.0).contains(&millis), "{millis}");
    assert!((62..=64).contains(&reception.report(now(10_000)).jitter));
}

#[test]
fn round_trips_come_from_lsr_and_dlsr() {
    let sent = SenderInfo { ntp: now(1000).ntp(), ..SenderInfo::default() };
    let mut reception = stream(0, 10, |_| false);
    assert_eq!(reception.report(now(1000)).last_report, 0);
    reception.reported(now(1030), &sent);
    let block = reception.report(now(3530));
    assert_eq!(block.last_report, sent.middle());
    let rtt = round_trip(now(3580), &block).unwrap();
    assert!((rtt.as_secs_f64() - 0.080).abs() < 0.001, "{rtt:?}");
    assert_eq!(round_trip(now(3580), &ReportBlock::default()), None);
    assert_eq!(round_trip(now(2000), &block), None, "nonsense");
}
