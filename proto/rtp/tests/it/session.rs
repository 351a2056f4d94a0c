//! Two sessions talk to each other.

use std::time::Duration;

use machine::{Entropy, Instant, Now};
use rtp::session::{Received, Report};
use rtp::{Packet, Session, is_rtcp};

fn now(millis: u64) -> Now {
    let since = Duration::from_millis(millis);
    Now { mono: Instant::ORIGIN + since, unix: Duration::from_secs(1_700_000_000) + since }
}

fn session(seed: u64) -> Session {
    let mut session = Session::new(8000, "user@example.org", Entropy::seeded(seed));
    session.start(now(0));
    session
}

fn rtp(session: &mut Session, millis: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    session.send(now(millis), 0, false, 160, &[0xff; 160], &mut bytes);
    bytes
}

fn report(session: &mut Session, millis: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    session.handle_timeout(now(millis), &mut bytes);
    (!bytes.is_empty()).then_some(bytes)
}

#[test]
fn reports_measure_loss_and_round_trip() {
    let (mut alice, mut bob) = (session(1), session(2));
    let mut heard = Vec::new();
    // 20 ms each way; one of Alice's packets in ten is lost.
    let mut wire: Vec<(u64, bool, Vec<u8>)> = Vec::new();
    for millis in 0..20_000 {
        if millis % 20 == 0 {
            let packet = rtp(&mut alice, millis);
            if millis % 200 != 100 {
                wire.push((millis + 20, true, packet));
            }
            wire.push((millis + 20, false, rtp(&mut bob, millis)));
        }
        wire.extend(report(&mut alice, millis).map(|bytes| (millis + 20, true, bytes)));
        wire.extend(report(&mut bob, millis).map(|bytes| (millis + 20, false, bytes)));
        for (_, to_bob, bytes) in wire.extract_if(.., |(at, ..)| *at == millis) {
            let receiver = if to_bob { &mut bob } else { &mut alice };
            if is_rtcp(&bytes) {
                let reports = receiver.receive_report(now(millis), &bytes).unwrap();
                heard.extend(reports.into_iter().filter(|_| !to_bob));
            } else {
                assert!(matches!(receiver.receive(now(millis), &bytes), Ok(Received::Packet(_))));
            }
        }
    }
    let rtt = alice.round_trip().unwrap().as_secs_f64();
    assert!((rtt - 0.040).abs() < 0.001, "{rtt}");
    let remote = alice.remote().unwrap();
    assert!((24..=27).contains(&remote.fraction_lost), "{remote:?}");
    assert!(matches!(heard.last(), Some(Report::Quality(block)) if block.cumulative_lost > 50));
    assert!((bob.reception().unwrap().loss() - 0.1).abs() < 0.01);
    assert_eq!(bob.remote().unwrap().cumulative_lost, 0);
    assert!((3..=10).contains(&alice.stats().reports_sent), "{:?}", alice.stats());
}

#[test]
fn our_own_and_strangers_packets_are_dropped() {
    let (mut alice, mut bob, mut eve) = (session(1), session(2), session(3));
    let own = rtp(&mut alice, 0);
    assert_eq!(alice.receive(now(0), &own), Ok(Received::Dropped));
    let first = rtp(&mut bob, 0);
    assert!(matches!(alice.receive(now(0), &first), Ok(Received::Packet(_))));
    let stray = rtp(&mut eve, 0);
    assert_eq!(alice.receive(now(1), &stray), Ok(Received::Dropped));
    let second = rtp(&mut bob, 20);
    assert!(matches!(alice.receive(now(20), &second), Ok(Received::Packet(_))));
    // A source that goes on takes over.
    let one = rtp(&mut eve, 20);
    assert_eq!(alice.receive(now(20), &one), Ok(Received::Dropped));
    let two = rtp(&mut eve, 40);
    assert!(matches!(alice.receive(now(40), &two), Ok(Received::NewSource(_))));
    assert_eq!(alice.stats().source_changes, 1);
}

#[test]
fn a_silent_party_sends_receiver_reports_and_no_bye() {
    let (mut alice, mut bob) = (session(1), session(2));
    let mut out = Vec::new();
    alice.goodbye(now(0), &mut out);
    assert!(out.is_empty());
    let mut alice = session(1);
    for n in 0..10 {
        let bytes = rtp(&mut bob, n * 20);
        alice.receive(now(n * 20), &bytes).unwrap();
    }
    let due = alice.poll_timeout().unwrap();
    let bytes = report(&mut alice, due.as_millis() + 1).unwrap();
    assert_eq!(bytes[1], 201);
    out.clear();
    bob.goodbye(now(9000), &mut out);
    assert_eq!(alice.receive_report(now(9000), &out), Ok(vec![Report::Goodbye]));
    assert_eq!(bob.poll_timeout(), None);
}

#[test]
fn silence_moves_the_timestamp() {
    let mut alice = session(1);
    let before = rtp(&mut alice, 0);
    alice.skip(1600);
    let after = rtp(&mut alice, 220);
    let (before, after) = (Packet::parse(&before).unwrap(), Packet::parse(&after).unwrap());
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 1760);
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
}

#[test]
fn a_source_that_begins_anew_is_reported_on() {
    let (mut alice, mut bob) = (session(1), session(2));
    let due = |bob: &Session| bob.poll_timeout().unwrap().as_millis() + 1;
    for n in 0..100 {
        let bytes = rtp(&mut alice, n * 20);
        bob.receive(now(n * 20), &bytes).unwrap();
    }
    let at = due(&bob);
    assert!(report(&mut bob, at).is_some());
    // The same source, far ahead: two packets that follow each other.
    let mut packet = rtp(&mut alice, at);
    for sequence in [30_000_u16, 30_001] {
        let far = Packet::parse(&packet).unwrap().sequence.wrapping_add(sequence);
        packet[2..4].copy_from_slice(&far.to_be_bytes());
        bob.receive(now(at), &packet).unwrap();
        packet[2..4].copy_from_slice(&far.wrapping_sub(sequence).to_be_bytes());
    }
    let at = due(&bob);
    let bytes = report(&mut bob, at).unwrap();
    let reports = alice.receive_report(now(at), &bytes).unwrap();
    assert!(matches!(&reports[..], [Report::Quality(block)] if block.cumulative_lost == 0));
}
