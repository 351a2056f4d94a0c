//! Two legs and a wire between them.

use std::time::Duration;

use machine::{Entropy, Instant, Now};

use super::{Leg, Output, Source};
use crate::description::{Codec, Direction};
use crate::negotiate::Agreed;

fn now(millis: u64) -> Now {
    let since = Duration::from_millis(millis);
    Now { mono: Instant::ORIGIN + since, unix: Duration::from_secs(1_700_000_000) + since }
}

fn agreed(direction: Direction) -> Agreed {
    Agreed {
        index: 0,
        send: Codec::pcma(),
        receive: vec![Codec::pcmu(), Codec::pcma(), Codec::telephone_event(101)],
        telephone_event: Some(Codec::telephone_event(101)),
        direction,
        packet_time: Duration::from_millis(20),
        rtcp_mux: true,
    }
}

/// A sound that can be told from itself at any other time.
fn sound(count: i32) -> Vec<i16> {
    (0..count).map(|n| ((n * n / 7) % 20_000 - 10_000) as i16).collect()
}

struct Wire {
    legs: [Leg; 2],
    heard: [Vec<i16>; 2],
    ended: [usize; 2],
    flying: Vec<(u64, usize, Vec<u8>)>,
    millis: u64,
    sent: u64,
}

impl Wire {
    fn new(sources: [Source; 2]) -> Self {
        let [a, b] = sources;
        let mut legs = [Leg::new(a, Entropy::seeded(1)), Leg::new(b, Entropy::seeded(2))];
        for leg in &mut legs {
            assert!(leg.agree(now(0), agreed(Direction::BOTH)));
            leg.start(now(0));
        }
        let (heard, flying) = (Default::default(), Vec::new());
        Self { legs, heard, ended: [0; 2], flying, millis: 0, sent: 0 }
    }

    /// Runs on; `lose` drops packets from the first to the second by number.
    fn run(&mut self, millis: u64, lose: impl Fn(u64) -> bool) {
        let end = self.millis + millis;
        while self.millis < end {
            let now = now(self.millis);
            for at in 0..2 {
                if self.legs[at].poll_timeout().is_some_and(|due| due <= now.mono) {
                    self.legs[at].handle_timeout(now);
                    let next = self.legs[at].poll_timeout();
                    assert!(next.is_none_or(|next| next > now.mono), "law 3");
                }
                while let Some(output) = self.legs[at].poll_output() {
                    match output {
                        Output::Rtp(bytes) => {
                            self.sent += u64::from(at == 0);
                            if at == 1 || !lose(self.sent) {
                                self.flying.push((self.millis + 30, 1 - at, bytes));
                            }
                        }
                        Output::Rtcp(bytes) => self.flying.push((self.millis + 30, 1 - at, bytes)),
                        Output::Heard(frame) => self.heard[at].extend(*frame),
                        Output::SourceEnded => self.ended[at] += 1,
                        Output::Goodbye => self.ended[at] += 100,
                    }
                }
            }
            for (_, to, bytes) in self.flying.extract_if(.., |(at, ..)| *at == self.millis) {
                self.legs[to].handle_input(now, &bytes);
            }
            self.millis += 1;
        }
    }
}

fn close(heard: &[i16], sent: &[i16]) -> bool {
    heard.len() >= sent.len() && heard.iter().zip(sent).all(|(a, b)| a.abs_diff(*b) <= 300)
}

#[test]
fn what_one_plays_the_other_hears() {
    let mut wire = Wire::new([Source::once(sound(16_000)), Source::silence()]);
    wire.run(3000, |_| false);
    assert!(close(&wire.heard[1], &sound(16_000)));
    assert!(wire.heard[1][16_000..].iter().all(|sample| sample.abs() <= 8));
    assert_eq!(wire.ended, [1, 0]);
    let stats = wire.legs[1].stats();
    assert_eq!((stats.lost, stats.late, stats.unplayable), (0, 0, 0));
    assert!(stats.received >= 148 && stats.sent == 150, "{stats:?}");
    assert!(stats.mos().unwrap() > 4.3, "{stats:?}");
    assert!(stats.jitter <= Duration::from_millis(1));
}

#[test]
fn loss_in_one_direction_costs_that_direction() {
    let mut wire = Wire::new([Source::looped(sound(999)), Source::looped(sound(999))]);
    wire.run(20_000, |n| n % 10 == 0);
    let [alice, bob] = wire.legs.each_ref().map(Leg::stats);
    assert_eq!(alice.lost, 0);
    assert!((95..=105).contains(&bob.lost), "{bob:?}");
    assert!(alice.mos().unwrap() > 4.3 && bob.mos().unwrap() < 3.7, "{alice:?} {bob:?}");
    assert!(bob.concealed >= Duration::from_millis(1800), "{bob:?}");
    let rtt = alice.round_trip.unwrap();
    assert!((59..=62).contains(&rtt.as_millis()), "{rtt:?}");
    assert!(alice.remote_lost.unwrap() > 50 && bob.remote_lost == Some(0));
}

#[test]
fn directions_start_and_stop_the_flow() {
    let mut wire = Wire::new([Source::looped(sound(999)), Source::silence()]);
    wire.run(1000, |_| false);
    // Alice holds: she sends on, Bob is silent.
    wire.legs[0].agree(now(1000), agreed(Direction::SENDS));
    wire.legs[1].agree(now(1000), agreed(Direction::RECEIVES));
    let sent = wire.legs[1].stats().sent;
    wire.run(1000, |_| false);
    assert_eq!(wire.legs[1].stats().sent, sent);
    assert_eq!(wire.legs[0].stats().sent, 100);
    wire.legs[0].agree(now(2000), agreed(Direction::BOTH));
    wire.legs[1].agree(now(2000), agreed(Direction::BOTH));
    wire.run(1000, |_| false);
    assert_eq!(wire.legs[1].stats().sent, sent + 50);
    assert_eq!(wire.legs[0].stats().lost, 0);
}

#[test]
fn goodbye_is_said_and_heard() {
    let mut wire = Wire::new([Source::silence(), Source::silence()]);
    wire.run(500, |_| false);
    wire.legs[0].stop(now(500));
    wire.run(500, |_| false);
    assert_eq!(wire.ended, [0, 100]);
    assert_eq!(wire.legs[0].poll_timeout(), None);
}

#[test]
fn other_codecs_are_not_played() {
    let mut leg = Leg::new(Source::silence(), Entropy::seeded(1));
    let opus = Codec { name: "opus".to_owned(), clock_rate: 48_000, ..Codec::pcmu() };
    assert!(!leg.agree(now(0), Agreed { send: opus, ..agreed(Direction::BOTH) }));
    assert!(leg.agree(now(0), agreed(Direction::BOTH)));
    let mut event = Vec::new();
    let packet = rtp::Packet { payload_type: 101, payload: &[1, 0, 0, 0], ..Default::default() };
    packet.write(&mut event);
    leg.handle_input(now(0), &event);
    leg.handle_input(now(0), b"rubbish");
    leg.handle_input(now(0), &[0x80, 200]);
    leg.handle_input(now(0), &[]);
    assert_eq!((leg.stats().received, leg.stats().unplayable), (1, 1));
    assert_eq!(leg.poll_timeout(), None);
}

#[test]
fn a_host_that_slept_does_not_catch_up_for_long() {
    let mut leg = Leg::new(Source::silence(), Entropy::seeded(1));
    leg.agree(now(0), agreed(Direction::BOTH));
    leg.start(now(0));
    leg.handle_timeout(now(3_600_000));
    assert!(leg.stats().sent < 60);
    assert!(leg.poll_timeout().unwrap() > now(3_600_000).mono);
}
