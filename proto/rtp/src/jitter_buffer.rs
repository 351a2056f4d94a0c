//! Packets in as they come, samples out on time.
//!
//! The buffer thinks in the sender's timestamps: a packet covers `[timestamp, timestamp + samples)`,
//! and every 20 ms the next 160 samples are played, whatever the packets' own length. Gaps are
//! concealed. The delay starts at three frames; it grows by one when packets keep coming late, and
//! shrinks in a quiet moment when all have come early for long. A sender whose clock runs faster or
//! slower than ours is followed by the same means.

use std::collections::BTreeMap;
use std::time::Duration;

use machine::Instant;

use crate::Concealer;
use crate::defaults::{
    CLOCK_RATE, FRAME, FRAME_SAMPLES, LATE_PACKETS_TO_GROW, LATE_WINDOW, MAX_BUFFERED_PACKETS,
    MAX_DELAY, MAX_PACKET_SAMPLES, QUIET_LEVEL, RESYNC_AFTER, RESYNC_LATE_PACKETS, SHRINK_AFTER,
    START_DELAY,
};

/// 20 ms of sound at 8 kHz.
pub type Frame = [i16; FRAME_SAMPLES];

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It will be played.
    Queued,
    /// It was there already.
    Duplicate,
    /// Its time had passed.
    Late,
    /// It began a new timeline; what was queued is gone.
    Resynchronised,
    /// There was no room, or it was empty or absurdly long.
    Refused,
}

/// Counters of a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Frames played.
    pub played: u64,
    /// Samples made up where nothing came in time.
    pub concealed_samples: u64,
    /// Packets that came too late.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets without room, empty or absurdly long.
    pub refused: u64,
    /// New timelines.
    pub resynchronised: u64,
    /// Frames inserted to grow the delay.
    pub grown: u64,
    /// Frames left out to shrink it.
    pub shrunk: u64,
}

/// Reorders packets and plays them out on a clock of its own.
#[derive(Clone, Debug, Default)]
pub struct JitterBuffer {
    line: Option<Timeline>,
    concealer: Concealer,
    stats: Stats,
}

/// Where play-out stands on the sender's timeline.
#[derive(Clone, Debug)]
struct Timeline {
    /// The first sample to be played next, as an extended timestamp.
    cursor: u64,
    /// When.
    next_play: Instant,
    started: bool,
    packets: BTreeMap<u64, Vec<i16>>,
    delay: Duration,
    grow: bool,
    /// When the last late packets came: fewer than make the delay grow.
    late: Vec<Instant>,
    late_in_a_row: u32,
    /// The least time that a packet had to spare, since when.
    spare: (Duration, Instant),
}

impl JitterBuffer {
    /// An empty buffer; the first packet starts its clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the samples of a packet that came at `now`.
    pub fn insert(&mut self, now: Instant, timestamp: u32, samples: &[i16]) -> Arrival {
        let arrival = self.place(now, timestamp, samples);
        match arrival {
            Arrival::Queued => {}
            Arrival::Duplicate => self.stats.duplicates += 1,
            Arrival::Late => self.stats.late += 1,
            Arrival::Resynchronised => self.stats.resynchronised += 1,
            Arrival::Refused => self.stats.refused += 1,
        }
        arrival
    }

    fn place(&mut self, now: Instant, timestamp: u32, samples: &[i16]) -> Arrival {
        if samples.is_empty() || samples.len() > MAX_PACKET_SAMPLES {
            return Arrival::Refused;
        }
        let Some(line) = &mut self.line else {
            self.line = Some(Timeline::starting(now, timestamp, samples));
            return Arrival::Queued;
        };
        let offset = timestamp.wrapping_sub(line.cursor as u32) as i32;
        if i64::from(offset) > samples_in(RESYNC_AFTER) {
            self.line = Some(Timeline::starting(now, timestamp, samples));
            return Arrival::Resynchronised;
        }
        let start = line.cursor.saturating_add_signed(i64::from(offset));
        if line.started && start + samples.len() as u64 <= line.cursor {
            line.late_in_a_row += 1;
            if line.late_in_a_row < RESYNC_LATE_PACKETS {
                line.note_late(now);
                return Arrival::Late;
            }
            self.line = Some(Timeline::starting(now, timestamp, samples));
            return Arrival::Resynchronised;
        }
        line.late_in_a_row = 0;
        line.queue(now, start, samples)
    }

    /// When [`Self::play`] is due next; `None` before the first packet.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.line.as_ref().map(|line| line.next_play)
    }

    /// The next frame, if it is due at `now`. To be called until `None`.
    pub fn play(&mut self, now: Instant) -> Option<Frame> {
        let line = self.line.as_mut().filter(|line| line.next_play <= now)?;
        // A driver that slept for long need not replay what nobody heard.
        if now - line.next_play > RESYNC_AFTER {
            line.next_play = now;
        }
        line.next_play += FRAME;
        line.started = true;
        self.stats.played += 1;
        let mut frame = [0; FRAME_SAMPLES];
        if std::mem::take(&mut line.grow) {
            self.stats.grown += 1;
            self.stats.concealed_samples += FRAME_SAMPLES as u64;
            self.concealer.conceal(&mut frame);
            return Some(frame);
        }
        if line.may_shrink(now) {
            self.stats.shrunk += 1;
            line.skip();
        }
        self.stats.concealed_samples += line.fill(&mut frame, &mut self.concealer);
        Some(frame)
    }

    /// Drops everything: the next packet starts anew.
    pub fn restart(&mut self) {
        self.line = None;
    }

    /// The present play-out delay; zero before the first packet.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.line.as_ref().map_or(Duration::ZERO, |line| line.delay)
    }

    /// Its counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }
}

impl Timeline {
    fn starting(now: Instant, timestamp: u32, samples: &[i16]) -> Self {
        // One whole turn up, so that earlier timestamps stay positive.
        let cursor = (1 << 32) + u64::from(timestamp);
        Self {
            cursor,
            next_play: now + START_DELAY,
            started: false,
            packets: BTreeMap::from([(cursor, samples.to_vec())]),
            delay: START_DELAY,
            grow: false,
            late: Vec::new(),
            late_in_a_row: 0,
            spare: (Duration::MAX, now),
        }
    }

    fn queue(&mut self, now: Instant, start: u64, samples: &[i16]) -> Arrival {
        if self.packets.contains_key(&start) {
            return Arrival::Duplicate;
        }
        if self.packets.len() == MAX_BUFFERED_PACKETS {
            return Arrival::Refused;
        }
        if !self.started {
            self.cursor = self.cursor.min(start);
        }
        let ahead = Duration::from_secs(start.saturating_sub(self.cursor)) / CLOCK_RATE;
        self.spare.0 = self.spare.0.min((self.next_play - now) + ahead);
        self.packets.insert(start, samples.to_vec());
        Arrival::Queued
    }

    /// Counts a late packet; enough of them make the delay grow.
    fn note_late(&mut self, now: Instant) {
        self.late.retain(|at| now - *at < LATE_WINDOW);
        self.late.push(now);
        self.spare = (Duration::ZERO, now);
        if self.late.len() < LATE_PACKETS_TO_GROW {
            return;
        }
        self.late.clear();
        if self.delay + FRAME <= MAX_DELAY {
            self.delay += FRAME;
            self.grow = true;
        }
    }

    /// Whether the next frame may be left out: all packets came early for long, and it is quiet (or
    /// so much is queued that waiting for quiet would be worse).
    fn may_shrink(&mut self, now: Instant) -> bool {
        let (spare, since) = self.spare;
        if now - since < SHRINK_AFTER || spare == Duration::MAX {
            return false;
        }
        if spare < START_DELAY + FRAME {
            self.spare = (Duration::MAX, now);
            return false;
        }
        let end = self.cursor + FRAME_SAMPLES as u64;
        let next = self.packets.range(..end).flat_map(|(_, samples)| samples);
        let quiet = next.clone().all(|sample| sample.saturating_abs() < QUIET_LEVEL);
        if quiet || spare > MAX_DELAY {
            self.spare = (Duration::MAX, now);
            self.delay = self.delay.saturating_sub(FRAME).max(START_DELAY);
            return true;
        }
        false
    }

    /// Leaves a frame out.
    fn skip(&mut self) {
        self.cursor += FRAME_SAMPLES as u64;
        self.forget_played();
    }

    /// Fills `frame` from the cursor on and moves it; says how many samples were made up.
    fn fill(&mut self, frame: &mut Frame, concealer: &mut Concealer) -> u64 {
        let mut made_up = 0;
        let mut rest = frame.as_mut_slice();
        while !rest.is_empty() {
            let (run, came) = self.next_run(rest.len());
            let (part, behind) = rest.split_at_mut(run);
            match came {
                Some(samples) => {
                    part.copy_from_slice(&samples[..run]);
                    concealer.heard(part);
                }
                None => {
                    concealer.conceal(part);
                    made_up += run as u64;
                }
            }
            rest = behind;
            self.cursor += run as u64;
            self.forget_played();
        }
        made_up
    }

    /// How far the next stretch goes (at most `most`), and its samples unless it is a gap.
    fn next_run(&self, most: usize) -> (usize, Option<&[i16]>) {
        match self.packets.first_key_value() {
            Some((&start, samples)) if start <= self.cursor => {
                let rest = &samples[(self.cursor - start) as usize..];
                (rest.len().min(most), Some(rest))
            }
            Some((&start, _)) => (most.min((start - self.cursor) as usize), None),
            None => (most, None),
        }
    }

    fn forget_played(&mut self) {
        while let Some(entry) = self.packets.first_entry() {
            if entry.key() + entry.get().len() as u64 > self.cursor {
                break;
            }
            entry.remove();
        }
    }
}

const fn samples_in(duration: Duration) -> i64 {
    (duration.as_millis() as i64) * (CLOCK_RATE as i64) / 1000
}

#[cfg(test)]
mod tests;
