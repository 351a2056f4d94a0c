//! A machine that keeps the laws passes, and one that breaks a law is stopped.

use std::time::Duration;

use super::Checked;
use crate::{Endpoint, Ids, Input, Instant, Machine, Now, Output, Outputs};

/// Answers a look-up's result with a datagram and an event, and rings once a second.
struct Clock {
    number: u8,
    next: Instant,
    /// Whether a timeout moves the next one.
    goes_on: bool,
    outputs: Outputs<u8, ()>,
}

impl Clock {
    fn new(number: u8) -> Self {
        Self { number, next: secs(1).mono, goes_on: true, outputs: Outputs::new() }
    }
}

impl Machine for Clock {
    type Event = u8;
    type Question = ();
    type Answer = ();

    fn handle_input(&mut self, _: Now, _: Input<'_, ()>) {
        let socket = Ids::new(0).next_id();
        self.outputs.datagram(socket, Endpoint::UNSPECIFIED_V4, &[self.number]);
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.goes_on {
            self.next = now.mono + Duration::from_secs(1);
        }
    }

    fn poll_output(&mut self, buf: &mut Vec<u8>) -> Option<Output<u8, ()>> {
        self.outputs.poll(buf)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.next)
    }
}

fn secs(secs: u64) -> Now {
    let since = Duration::from_secs(secs);
    Now { mono: Instant::ORIGIN + since, unix: since }
}

fn told(clock: &mut Checked<Clock>, now: Now) {
    clock.handle_input(now, Input::Interfaces(Vec::new()));
}

/// Drains it; the payloads, one after the other. The buffer is not empty at first.
fn drain(clock: &mut Checked<Clock>) -> Vec<u8> {
    let mut buf = vec![99];
    while clock.poll_output(&mut buf).is_some() {}
    buf.split_off(1)
}

#[test]
fn who_keeps_the_laws_passes() {
    let mut clock = Checked::with_twin(Clock::new(7), Clock::new(7));
    for at in 0..10 {
        told(&mut clock, secs(at));
        assert_eq!(drain(&mut clock), [7]);
        if clock.poll_timeout().is_some_and(|due| due <= secs(at).mono) {
            clock.handle_timeout(secs(at));
            assert_eq!(drain(&mut clock), []);
        }
    }
    clock.verb(secs(10), |clock, now| clock.next = now.mono);
    drain(&mut clock);
    assert_eq!(clock.poll_timeout(), Some(secs(10).mono), "the twin's verb was called as well");
    assert_eq!(clock.get().number, 7);
}

#[test]
#[should_panic(expected = "law 1")]
fn outputs_left_undrained() {
    let mut clock = Checked::new(Clock::new(7));
    told(&mut clock, secs(0));
    told(&mut clock, secs(0));
}

#[test]
#[should_panic(expected = "law 1")]
fn outputs_left_before_a_verb() {
    let mut clock = Checked::new(Clock::new(7));
    told(&mut clock, secs(0));
    clock.verb(secs(0), |_, _| ());
}

#[test]
#[should_panic(expected = "law 2")]
fn a_clock_that_goes_back() {
    let mut clock = Checked::new(Clock::new(7));
    told(&mut clock, secs(2));
    drain(&mut clock);
    told(&mut clock, secs(1));
}

#[test]
#[should_panic(expected = "law 3")]
fn a_timer_that_stays_due() {
    let mut clock = Checked::new(Clock { goes_on: false, ..Clock::new(7) });
    clock.handle_timeout(secs(1));
    drain(&mut clock);
}

#[test]
#[should_panic(expected = "law 5: to the byte")]
fn a_twin_that_says_something_else() {
    let mut clock = Checked::with_twin(Clock::new(7), Clock::new(8));
    told(&mut clock, secs(0));
    drain(&mut clock);
}

#[test]
#[should_panic(expected = "law 5: the same inputs give the same outputs")]
fn a_twin_that_does_something_else() {
    let mut clock = Checked::with_twin(Clock::new(7), Clock::new(7));
    let mut first = true;
    clock.verb(secs(0), |clock, _| {
        if std::mem::take(&mut first) {
            clock.outputs.event(1);
        }
    });
    drain(&mut clock);
}

#[test]
#[should_panic(expected = "law 5: the same timers")]
fn a_twin_with_other_timers() {
    let late = Clock { next: secs(2).mono, ..Clock::new(7) };
    let clock = Checked::with_twin(Clock::new(7), late);
    let _ = clock.poll_timeout();
}
