use std::time::Duration;

use machine::Instant;

use super::{Output, Timing, Transaction};
use crate::{Builder, Class, Message, Method, TransactionId};

const ID: TransactionId = TransactionId([7; 12]);

fn transaction(timing: Timing) -> Transaction {
    let request = Builder::request(Method::BINDING, ID).finish();
    Transaction::new(Instant::ORIGIN, request, timing)
}

/// Runs it to its end: when it sent, in milliseconds, and when it gave up.
fn run(transaction: &mut Transaction) -> (Vec<u64>, u64) {
    let (mut now, mut sent, mut buf) = (Instant::ORIGIN, Vec::new(), Vec::new());
    loop {
        while let Some(output) = transaction.poll_output(&mut buf) {
            match output {
                Output::Send => sent.push(now.as_millis()),
                Output::TimedOut => return (sent, now.as_millis()),
            }
            assert_eq!(buf, transaction.request());
            buf.clear();
        }
        now = transaction.poll_timeout().unwrap();
        transaction.handle_timeout(now);
    }
}

/// RFC 8489 §6.2.1 gives these times for its defaults.
#[test]
fn udp_retransmits_at_the_times_of_the_rfc() {
    let (sent, end) = run(&mut transaction(Timing::UDP));
    assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
    assert_eq!(end, 39_500);
}

#[test]
fn an_rto_of_ones_own_scales_everything() {
    let (sent, end) = run(&mut transaction(Timing::udp(Duration::from_millis(1000))));
    assert_eq!(sent, [0, 1000, 3000, 7000, 15_000, 31_000, 63_000]);
    assert_eq!(end, 79_000);
}

#[test]
fn reliable_transports_are_sent_once() {
    assert_eq!(run(&mut transaction(Timing::RELIABLE)), (vec![0], 39_500));
}

#[test]
fn after_the_end_nothing_happens() {
    let mut transaction = transaction(Timing::UDP);
    run(&mut transaction);
    transaction.handle_timeout(Instant::from_nanos(u64::MAX));
    assert_eq!(transaction.poll_output(&mut Vec::new()), None);
    assert_eq!(transaction.poll_timeout(), None);
}

#[test]
fn a_cancelled_one_waits_to_the_same_end() {
    let mut transaction = transaction(Timing::UDP);
    let mut buf = Vec::new();
    assert_eq!(transaction.poll_output(&mut buf), Some(Output::Send));
    transaction.cancel();
    transaction.cancel();
    assert_eq!(run(&mut transaction), (vec![], 39_500));
    assert_eq!(transaction.sent(), 1);
}

#[test]
fn a_late_driver_sends_once_and_counts_from_then() {
    let mut transaction = transaction(Timing::UDP);
    let mut buf = Vec::new();
    transaction.poll_output(&mut buf);
    let late = Instant::ORIGIN + Duration::from_secs(10);
    transaction.handle_timeout(late);
    assert_eq!(transaction.poll_output(&mut buf), Some(Output::Send));
    assert_eq!(transaction.poll_output(&mut buf), None);
    assert_eq!(transaction.poll_timeout(), Some(late + Duration::from_secs(1)));
}

#[test]
fn round_trips_follow_karns_rule() {
    let mut transaction = transaction(Timing::UDP);
    let mut buf = Vec::new();
    let now = Instant::ORIGIN + Duration::from_millis(40);
    assert_eq!(transaction.round_trip(now), None);
    transaction.poll_output(&mut buf);
    assert_eq!(transaction.round_trip(now), Some(Duration::from_millis(40)));
    let now = Instant::ORIGIN + Duration::from_millis(500);
    transaction.handle_timeout(now);
    transaction.poll_output(&mut buf);
    assert_eq!(transaction.round_trip(now), None);
}

#[test]
fn only_its_own_responses_match() {
    let transaction = transaction(Timing::UDP);
    let matches = |class, method, id| {
        let bytes = Builder::new(class, method, id).finish();
        transaction.matches(&Message::parse(&bytes).unwrap())
    };
    assert!(matches(Class::Success, Method::BINDING, ID));
    assert!(matches(Class::Error, Method::BINDING, ID));
    assert!(!matches(Class::Request, Method::BINDING, ID));
    assert!(!matches(Class::Indication, Method::BINDING, ID));
    assert!(!matches(Class::Success, Method::new(3), ID));
    assert!(!matches(Class::Success, Method::BINDING, TransactionId([8; 12])));
}
