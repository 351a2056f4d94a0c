//! Order, loss, lateness, adaptation.

use std::time::Duration;

use machine::Instant;
use proptest::prelude::*;

use super::{Arrival, Frame, JitterBuffer};
use crate::defaults::{
    FRAME, FRAME_SAMPLES, LATE_PACKETS_TO_GROW, MAX_BUFFERED_PACKETS, MAX_DELAY, START_DELAY,
};

const FIRST: u32 = u32::MAX - 500;

fn at(millis: u64) -> Instant {
    Instant::ORIGIN + Duration::from_millis(millis)
}

/// Packet `n` of a stream in which every sample tells its place.
fn packet(n: u32) -> (u32, Vec<i16>) {
    let start = n * FRAME_SAMPLES as u32;
    let samples = (0..FRAME_SAMPLES as u32).map(|k| ((start + k) % 10_000) as i16 + 1000).collect();
    (FIRST.wrapping_add(start), samples)
}

fn insert(buffer: &mut JitterBuffer, millis: u64, n: u32) -> Arrival {
    let (timestamp, samples) = packet(n);
    buffer.insert(at(millis), timestamp, &samples)
}

fn play_until(buffer: &mut JitterBuffer, millis: u64, heard: &mut Vec<Frame>) {
    while let Some(due) = buffer.poll_timeout().filter(|due| *due <= at(millis)) {
        heard.push(buffer.play(due).unwrap());
    }
}

/// Sends packet `n` at `20 n`, arriving `delay(n)` later, or not at all.
fn run(count: u32, delay: impl Fn(u32) -> Option<u64>) -> (JitterBuffer, Vec<Frame>) {
    let mut arrivals: Vec<(u64, u32)> =
        (0..count).filter_map(|n| Some((u64::from(n) * 20 + delay(n)?, n))).collect();
    arrivals.sort_unstable();
    let (mut buffer, mut heard) = (JitterBuffer::new(), Vec::new());
    for (millis, n) in arrivals {
        play_until(&mut buffer, millis, &mut heard);
        insert(&mut buffer, millis, n);
    }
    (buffer, heard)
}

fn frame_of(n: u32) -> Vec<i16> {
    packet(n).1
}

#[test]
fn plays_in_order_after_the_delay() {
    let (buffer, heard) = run(100, |_| Some(30));
    assert_eq!(heard.len(), 97);
    assert!(heard.iter().enumerate().all(|(n, frame)| frame[..] == frame_of(n as u32)));
    assert_eq!(buffer.stats().concealed_samples, 0);
    assert_eq!(buffer.delay(), START_DELAY);
}

#[test]
fn reordering_and_duplicates_do_not_show() {
    let swapped = |n: u32| Some(if n % 5 == 2 { 55 } else { 5 });
    let (mut buffer, heard) = run(100, swapped);
    assert!(heard.iter().enumerate().all(|(n, frame)| frame[..] == frame_of(n as u32)));
    assert_eq!(insert(&mut buffer, 1985, 99), Arrival::Duplicate);
}

#[test]
fn the_first_packet_may_come_second() {
    let (_, heard) = run(50, |n| Some(if n == 0 { 30 } else { 5 }));
    assert!(heard.iter().enumerate().all(|(n, frame)| frame[..] == frame_of(n as u32)));
}

#[test]
fn a_lost_packet_is_made_up_and_the_rest_stays_in_place() {
    let (buffer, heard) = run(50, |n| (n != 20).then_some(5));
    assert_eq!(buffer.stats().concealed_samples, FRAME_SAMPLES as u64);
    // Beside the lost frame only the first milliseconds after it differ.
    for (n, frame) in heard.iter().enumerate().filter(|(n, _)| *n != 20) {
        let from = if n == 21 { 32 } else { 0 };
        assert_eq!(frame[from..], frame_of(n as u32)[from..]);
    }
    assert!(heard[20].iter().any(|&sample| sample != 0));
}

#[test]
fn late_packets_make_it_grow_within_bounds() {
    let (buffer, heard) = run(2000, |n| Some(if n % 10 == 3 { 95 } else { 5 }));
    let stats = buffer.stats();
    assert!(stats.late >= 3 && stats.grown >= 2, "{stats:?}");
    assert!(buffer.delay() > START_DELAY && buffer.delay() <= MAX_DELAY);
    let last: usize = heard.len() - 400;
    assert!(heard[last..].windows(2).all(|pair| pair[0][159] != pair[1][0]));
    let half = |n: u32| match n % 2 {
        0 => Some(5),
        _ => (n < 1900).then_some(900),
    };
    let (hopeless, _) = run(2000, half);
    assert!(hopeless.delay() + FRAME > MAX_DELAY && hopeless.delay() <= MAX_DELAY);
    let late = &hopeless.line.as_ref().unwrap().late;
    assert!(late.len() < LATE_PACKETS_TO_GROW, "late packets do not pile up: {}", late.len());
}

#[test]
fn it_shrinks_again_when_the_network_calms() {
    let quiet = [10_i16; FRAME_SAMPLES];
    let mut buffer = JitterBuffer::new();
    for n in 0..4000_u32 {
        let millis = u64::from(n) * 20 + if n < 200 && n % 10 == 3 { 95 } else { 5 };
        while let Some(due) = buffer.poll_timeout().filter(|due| *due <= at(millis)) {
            buffer.play(due);
        }
        buffer.insert(at(millis), n * 160, &quiet);
    }
    assert!(buffer.stats().grown > 0);
    assert_eq!(buffer.delay(), START_DELAY);
}

#[test]
fn a_new_timeline_is_followed() {
    let (mut buffer, _) = run(50, |_| Some(5));
    assert_eq!(
        buffer.insert(at(1005), FIRST.wrapping_add(9_000_000), &[1; 160]),
        Arrival::Resynchronised
    );
    // Backwards: believed after a few packets.
    let arrivals: Vec<_> = (0..6)
        .map(|n| {
            while buffer.poll_timeout().is_some_and(|due| due <= at(1065 + n * 20)) {
                buffer.play(at(1065 + n * 20));
            }
            buffer.insert(at(1065 + n * 20), 100_000 + n as u32 * 160, &[1; 160])
        })
        .collect();
    assert_eq!(arrivals[3..5], [Arrival::Late, Arrival::Resynchronised]);
}

#[test]
fn other_packet_lengths_play_too() {
    let mut buffer = JitterBuffer::new();
    let whole: Vec<i16> = (0..2400).map(|n| n as i16).collect();
    let mut heard = Vec::new();
    for (n, chunk) in whole.chunks(240).enumerate() {
        play_until(&mut buffer, n as u64 * 30, &mut heard);
        buffer.insert(at(n as u64 * 30), n as u32 * 240, chunk);
    }
    play_until(&mut buffer, 340, &mut heard);
    assert_eq!(heard.concat()[..2400], whole);
}

#[test]
fn a_flood_finds_a_limit() {
    let mut buffer = JitterBuffer::new();
    let refused =
        (0..1000_u32).filter(|n| buffer.insert(at(0), n * 5, &[1; 5]) == Arrival::Refused).count();
    assert_eq!(refused, 1000 - MAX_BUFFERED_PACKETS);
    assert_eq!(buffer.insert(at(0), 0, &[]), Arrival::Refused);
    assert_eq!(buffer.insert(at(0), 0, &[0; 1601]), Arrival::Refused);
}

#[test]
fn silence_goes_on_when_nothing_comes() {
    let (mut buffer, mut heard) = run(10, |_| Some(5));
    play_until(&mut buffer, 2000, &mut heard);
    assert_eq!(heard.len(), 97);
    assert_eq!(heard[96], [0; FRAME_SAMPLES]);
}

proptest! {
    /// Whatever comes, in whatever order: no panic, a frame every 20 ms, a bounded buffer.
    #[test]
    fn anything_goes(packets in proptest::collection::vec((any::<u32>(), 0..2000_usize, 0..100_u64), 1..200)) {
        let (mut buffer, mut millis, mut frames) = (JitterBuffer::new(), 0, 0_u64);
        for (timestamp, length, step) in packets {
            millis += step;
            while buffer.play(at(millis)).is_some() {
                frames += 1;
            }
            buffer.insert(at(millis), timestamp >> (timestamp % 24), &vec![7; length]);
            prop_assert!(buffer.poll_timeout().is_none_or(|due| due + FRAME > at(millis)));
        }
        prop_assert_eq!(buffer.stats().played, frames);
    }
}
