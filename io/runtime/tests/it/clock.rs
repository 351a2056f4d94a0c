//! Timers, in tokio's virtual time.

use std::time::Duration;

use crate::probe::{Run, Seen};

/// What a timer of tokio's is late at most: it counts in whole milliseconds.
const LATE_MAX: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn timers_are_precise_and_do_not_drift() {
    let mut run = Run::new().await;
    let start = runtime::now().mono + Duration::from_micros(300);
    for n in 1..=50 {
        let at = start + Duration::from_millis(20) * n;
        run.verb(move |m| m.timeout = Some(at)).await;
        assert_eq!(run.seen().await, Seen::Timeout(at));
        let late = runtime::now().mono.saturating_since(at);
        assert!(late <= LATE_MAX, "timer {n} was {late:?} late");
    }
}
