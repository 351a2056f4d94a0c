//! The sending half of a TCP connection: what waits, what is out, when to send it again.

use std::collections::VecDeque;
use std::time::Duration;

use machine::Instant;

use crate::defaults::{TCP_INITIAL_RTO, TCP_MAX_RTO, TCP_MIN_RTO, TCP_WINDOW};
use crate::packet::Segment;

/// Positions count from the first byte behind the SYN; the FIN stands behind the last byte.
#[derive(Debug)]
pub(super) struct Sender {
    iss: u32,
    mss: u16,
    /// The bytes from `acked` on.
    buffer: VecDeque<u8>,
    acked: u64,
    sent: u64,
    most_sent: u64,
    closing: bool,
    fin_acked: bool,
    peer_window: usize,
    congestion_window: usize,
    duplicates: u32,
    /// Until this position is acknowledged, every acknowledgement asks for the next hole.
    recover: Option<u64>,
    smoothed: Option<(Duration, Duration)>,
    timed: Option<(u64, Instant)>,
    rto: Duration,
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct News {
    /// It covers something new.
    pub(super) progress: bool,
    /// The peer's window was closed and has opened.
    pub(super) opened: bool,
    /// The first segment that is not acknowledged is lost: send it again.
    pub(super) again: bool,
}

impl Sender {
    pub(super) fn new(iss: u32, mss: u16) -> Self {
        Self {
            iss,
            mss,
            buffer: VecDeque::new(),
            acked: 0,
            sent: 0,
            most_sent: 0,
            closing: false,
            fin_acked: false,
            peer_window: usize::from(TCP_WINDOW),
            congestion_window: initial_window(mss),
            duplicates: 0,
            recover: None,
            smoothed: None,
            timed: None,
            rto: TCP_INITIAL_RTO,
        }
    }

    /// Takes the peer's SYN: what it can take.
    pub(super) fn start(&mut self, syn: &Segment) {
        // RFC 9293 §3.7.1: 536 when the peer does not say.
        self.mss = self.mss.min(syn.mss.unwrap_or(536));
        self.peer_window = usize::from(syn.window);
        self.congestion_window = initial_window(self.mss);
    }

    pub(super) const fn mss(&self) -> u16 {
        self.mss
    }

    pub(super) const fn rto(&self) -> Duration {
        self.rto
    }

    pub(super) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    pub(super) const fn initial_seq(&self) -> u32 {
        self.iss
    }

    pub(super) const fn first_seq(&self) -> u32 {
        self.iss.wrapping_add(1)
    }

    pub(super) const fn next_seq(&self) -> u32 {
        self.first_seq().wrapping_add(self.sent as u32)
    }

    pub(super) const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether the FIN and all before it have been acknowledged.
    pub(super) const fn is_done(&self) -> bool {
        self.fin_acked
    }

    pub(super) fn is_outstanding(&self) -> bool {
        !self.fin_acked && self.sent > self.acked
    }

    /// Whether bytes wait, and none of them fits into the peer's closed window.
    pub(super) fn is_held_back(&self) -> bool {
        self.peer_window == 0 && self.sent == self.acked && !self.buffer.is_empty()
    }

    /// One byte for a closed window: the answer tells whether it has opened.
    ///
    //= RFC 9293 §3.8.6.1: a sender probes a closed window with at least one byte of new data.
    pub(super) fn probe(&mut self) -> Option<(u32, u8, Vec<u8>)> {
        let byte = *self.buffer.front().filter(|_| self.is_held_back())?;
        self.most_sent = self.most_sent.max(self.sent + 1);
        Some((self.next_seq(), Segment::PSH, vec![byte]))
    }

    pub(super) fn queue(&mut self, bytes: &[u8]) {
        if !self.closing {
            self.buffer.extend(bytes);
        }
    }

    pub(super) const fn close(&mut self) {
        self.closing = true;
    }

    /// Uses smaller segments from now on; says whether that is a change.
    pub(super) const fn shrink(&mut self, mss: u16) -> bool {
        let smaller = mss < self.mss && mss > 0;
        if smaller {
            self.mss = mss;
        }
        smaller
    }

    /// Everything that is not acknowledged counts as lost (RFC 5681 §3.1).
    pub(super) fn rewind(&mut self) {
        self.sent = self.acked;
        self.congestion_window = usize::from(self.mss);
        self.timed = None;
        self.recover = None;
        self.duplicates = 0;
    }

    /// The next segment that may go out: sequence number, flags, payload.
    pub(super) fn next_segment(&mut self, now: Instant) -> Option<(u32, u8, Vec<u8>)> {
        if self.fin_acked {
            return None;
        }
        let end = self.acked + self.buffer.len() as u64;
        let window = self.peer_window.min(self.congestion_window) as u64;
        let until = end.min(self.acked + window);
        let seq = self.next_seq();
        if self.sent < until {
            let from = (self.sent - self.acked) as usize;
            let len = ((until - self.sent) as usize).min(usize::from(self.mss));
            let payload: Vec<u8> = self.buffer.range(from..from + len).copied().collect();
            let fresh = self.sent >= self.most_sent;
            self.sent += len as u64;
            if fresh && self.timed.is_none() {
                self.timed = Some((self.sent, now));
            }
            self.most_sent = self.most_sent.max(self.sent);
            let push = if self.sent == end { Segment::PSH } else { 0 };
            return Some((seq, push, payload));
        }
        if self.closing && self.sent == end {
            self.sent += 1;
            self.most_sent = self.most_sent.max(self.sent);
            return Some((seq, Segment::FIN, Vec::new()));
        }
        None
    }

    /// The first segment that is not acknowledged, once more.
    pub(super) fn first_segment(&mut self) -> Option<(u32, u8, Vec<u8>)> {
        if !self.is_outstanding() {
            return None;
        }
        self.timed = None;
        let seq = self.first_seq().wrapping_add(self.acked as u32);
        let len = self.buffer.len().min(usize::from(self.mss));
        if len == 0 {
            return Some((seq, Segment::FIN, Vec::new()));
        }
        Some((seq, Segment::PSH, self.buffer.range(..len).copied().collect()))
    }

    pub(super) fn acknowledge(&mut self, now: Instant, segment: &Segment) -> News {
        let Some(position) = self.position(segment.ack) else { return News::default() };
        if position < self.acked {
            // Late: its window is of the past too.
            return News::default();
        }
        let held_back = self.is_held_back();
        self.peer_window = usize::from(segment.window);
        let opened = held_back && self.peer_window > 0;
        if position == self.acked {
            return News { opened, ..self.duplicate(segment) };
        }
        self.sample(now, position);
        self.duplicates = 0;
        let data = ((position - self.acked) as usize).min(self.buffer.len());
        self.buffer.drain(..data);
        self.acked += data as u64;
        self.fin_acked = position > self.acked;
        self.sent = self.sent.max(position);
        self.congestion_window =
            (self.congestion_window + data.min(usize::from(self.mss))).min(usize::from(TCP_WINDOW));
        if self.recover.is_some_and(|recover| position >= recover) {
            self.recover = None;
        }
        News { progress: true, opened, again: self.recover.is_some() }
    }

    /// RFC 5681 §3.2: three acknowledgements of the same position mean that a segment is lost.
    fn duplicate(&mut self, segment: &Segment) -> News {
        let counts =
            self.is_outstanding() && segment.payload.is_empty() && !segment.has(Segment::FIN);
        if !counts {
            return News::default();
        }
        self.duplicates += 1;
        if self.duplicates != 3 || self.recover.is_some() {
            return News::default();
        }
        self.recover = Some(self.most_sent);
        let half = (self.sent - self.acked) as usize / 2;
        self.congestion_window = half.max(2 * usize::from(self.mss));
        News { again: true, ..News::default() }
    }

    /// RFC 6298 §2, with the samples of segments that were sent once.
    fn sample(&mut self, now: Instant, position: u64) {
        let Some((end, at)) = self.timed else { return };
        if position < end {
            return;
        }
        self.timed = None;
        let rtt = now - at;
        let (smoothed, variation) = match self.smoothed {
            None => (rtt, rtt / 2),
            Some((smoothed, variation)) => {
                let error = smoothed.abs_diff(rtt);
                ((smoothed * 7 + rtt) / 8, (variation * 3 + error) / 4)
            }
        };
        self.smoothed = Some((smoothed, variation));
        self.rto = (smoothed + variation * 4).clamp(TCP_MIN_RTO, TCP_MAX_RTO);
    }

    /// The position that an acknowledgement number names, if it has been sent.
    fn position(&self, ack: u32) -> Option<u64> {
        let base = self.first_seq().wrapping_add(self.acked as u32);
        let distance = i64::from(ack.wrapping_sub(base).cast_signed());
        let position = self.acked.checked_add_signed(distance)?;
        (position <= self.most_sent).then_some(position)
    }
}

/// RFC 6928.
fn initial_window(mss: u16) -> usize {
    10 * usize::from(mss)
}
