//! What came of one source: sequence extension, loss and jitter (RFC 3550 A.1, A.3, A.8).

use std::time::Duration;

use machine::{Instant, Now};

use crate::rtcp::{ReportBlock, SenderInfo};
use crate::{Packet, defaults};

/// Statistics of one source, as a receiver keeps them.
#[derive(Clone, Debug)]
pub struct Reception {
    ssrc: u32,
    clock_rate: u32,
    highest: u16,
    cycles: u32,
    base: u32,
    restart: Option<u16>,
    received: u64,
    reported: (u64, u64),
    transit: u32,
    /// Jitter in sixteenths of a tick, as A.8 keeps it.
    jitter: u32,
    last_report: Option<(u32, Instant)>,
}

/// Where a sequence number lies.
enum Place {
    /// Where it may.
    InRange,
    /// Far off, behind one that was far off too: the source began anew.
    Restart,
    /// Far off.
    OutOfRange,
}

impl Reception {
    /// Statistics that begin with `packet`, which came at `now`. The clock runs at `clock_rate`
    /// ticks a second.
    #[must_use]
    pub fn new(now: Now, packet: &Packet<'_>, clock_rate: u32) -> Self {
        Self {
            ssrc: packet.ssrc,
            clock_rate,
            highest: packet.sequence,
            cycles: 0,
            base: u32::from(packet.sequence),
            restart: None,
            received: 1,
            reported: (0, 0),
            transit: ticks(now.mono, clock_rate).wrapping_sub(packet.timestamp),
            jitter: 0,
            last_report: None,
        }
    }

    /// The source.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Counts a packet; false if its sequence number is out of any range and it is to be dropped.
    pub fn receive(&mut self, now: Now, packet: &Packet<'_>) -> bool {
        match self.extend(packet.sequence) {
            Place::InRange => self.count(now, packet),
            Place::Restart => {
                let last_report = self.last_report;
                *self = Self { last_report, ..Self::new(now, packet, self.clock_rate) };
            }
            Place::OutOfRange => return false,
        }
        true
    }

    fn count(&mut self, now: Now, packet: &Packet<'_>) {
        self.received += 1;
        //= RFC 3550 A.8: J += |D| - ((J + 8) >> 4), in sixteenths.
        let transit = ticks(now.mono, self.clock_rate).wrapping_sub(packet.timestamp);
        let difference = transit.wrapping_sub(self.transit) as i32;
        self.transit = transit;
        let gain = difference.unsigned_abs().wrapping_sub((self.jitter + 8) >> 4);
        self.jitter = self.jitter.wrapping_add(gain).min(u32::MAX >> 4);
    }

    /// The `update_seq` of A.1 for an accepted source.
    fn extend(&mut self, sequence: u16) -> Place {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead < defaults::MAX_DROPOUT {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.highest = sequence;
        } else if ahead <= u16::MAX - defaults::MAX_MISORDER {
            //= RFC 3550 A.1: a jump is believed when the next packet continues it.
            if self.restart == Some(sequence) {
                return Place::Restart;
            }
            self.restart = Some(sequence.wrapping_add(1));
            return Place::OutOfRange;
        }
        self.restart = None;
        Place::InRange
    }

    /// Notes a sender report of this source, for LSR and DLSR.
    pub fn reported(&mut self, now: Now, info: &SenderInfo) {
        self.last_report = Some((info.middle(), now.mono));
    }

    /// The highest sequence number with its cycles.
    #[must_use]
    pub const fn highest_sequence(&self) -> u32 {
        self.cycles.wrapping_add(self.highest as u32)
    }

    /// Packets that came, duplicates and late ones included.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Packets that should have come.
    #[must_use]
    pub const fn expected(&self) -> u64 {
        self.highest_sequence().wrapping_sub(self.base) as u64 + 1
    }

    /// Packets that did not come; negative with duplicates (A.3).
    #[must_use]
    pub const fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    /// The share of packets that did not come, 0 to 1.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.lost().max(0) as f64 / self.expected() as f64
    }

    /// Interarrival jitter.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        let ticks = f64::from(self.jitter) / 16.0;
        Duration::from_secs_f64(ticks / f64::from(self.clock_rate.max(1)))
    }

    /// The report block about this source, and the start of the next period.
    pub fn report(&mut self, now: Now) -> ReportBlock {
        let (expected, received) = (self.expected(), self.received);
        let period = expected.saturating_sub(self.reported.0);
        let lost = period as i64 - received.saturating_sub(self.reported.1) as i64;
        self.reported = (expected, received);
        //= RFC 3550 A.3: the fraction is zero when duplicates outweigh loss.
        let fraction = match (period, lost) {
            (0, _) | (_, i64::MIN..=0) => 0,
            (period, lost) => ((lost as u64) * 256 / period).min(255) as u8,
        };
        let (last_report, delay_since) = match self.last_report {
            Some((middle, at)) => (middle, short_ntp(now.mono - at)),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction,
            cumulative_lost: self.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.highest_sequence(),
            jitter: self.jitter >> 4,
            last_report,
            delay_since,
        }
    }
}

/// An instant in ticks of a clock, wrapped to 32 bits.
pub(crate) fn ticks(at: Instant, clock_rate: u32) -> u32 {
    (u128::from(at.as_nanos()) * u128::from(clock_rate) / 1_000_000_000) as u32
}

/// A duration in 65,536ths of a second, as DLSR counts.
pub(crate) fn short_ntp(duration: Duration) -> u32 {
    u32::try_from((duration.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}

/// The round trip that a report block implies at `now`: A - LSR - DLSR (RFC 3550 §6.4.1).
///
/// `None` without a sender report to refer to, and when the numbers make no sense.
#[must_use]
pub fn round_trip(now: Now, block: &ReportBlock) -> Option<Duration> {
    if block.last_report == 0 {
        return None;
    }
    let middle = (now.ntp() >> 16) as u32;
    let rtt = middle.wrapping_sub(block.last_report).wrapping_sub(block.delay_since);
    // A wall clock that stepped, or a lie, shows as a round trip of hours.
    (rtt < 60 << 16).then(|| Duration::from_nanos((u64::from(rtt) * 1_000_000_000) >> 16))
}
