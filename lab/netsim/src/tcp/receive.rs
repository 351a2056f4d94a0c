//! The receiving half of a TCP connection: bytes back in order.

use std::collections::BTreeMap;

use crate::defaults::{TCP_OUT_OF_ORDER_LIMIT, TCP_WINDOW};

/// Positions count from the first byte behind the SYN.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    first_seq: u32,
    next: u64,
    ahead: BTreeMap<u64, Vec<u8>>,
    ahead_len: usize,
    fin_at: Option<u64>,
    /// The peer's FIN has come, and all before it.
    pub(super) finished: bool,
    /// Bytes in order that nobody has read.
    pub(super) ready: Vec<u8>,
    /// Nobody reads for now: what is ready takes room in the window.
    pub(super) paused: bool,
}

impl Receiver {
    pub(super) const fn start(&mut self, irs: u32) {
        self.first_seq = irs.wrapping_add(1);
    }

    /// The acknowledgement number that we send.
    pub(super) fn next_seq(&self) -> u32 {
        self.first_seq.wrapping_add(self.next as u32).wrapping_add(u32::from(self.finished))
    }

    /// The receive window that we announce. Its right edge never goes back (RFC 9293 §3.8.6):
    /// unread bytes narrow it by as much as they moved its left one.
    pub(super) fn window(&self) -> u16 {
        let unread = if self.paused { self.ready.len() } else { 0 };
        TCP_WINDOW.saturating_sub(u16::try_from(unread).unwrap_or(u16::MAX))
    }

    pub(super) fn is_expected(&self, seq: u32) -> bool {
        seq == self.next_seq()
    }

    pub(super) fn take(&mut self, seq: u32, payload: &[u8], fin: bool) {
        if self.finished {
            return;
        }
        let distance = i64::from(
            seq.wrapping_sub(self.first_seq.wrapping_add(self.next as u32)).cast_signed(),
        );
        let Some(start) = self.next.checked_add_signed(distance) else { return };
        if fin {
            self.fin_at = Some(start + payload.len() as u64);
        }
        self.place(start, self.in_window(start, payload));
        while let Some(entry) = self.ahead.first_entry() {
            if *entry.key() > self.next {
                break;
            }
            let (start, bytes) = entry.remove_entry();
            self.ahead_len -= bytes.len();
            self.append(start, &bytes);
        }
        self.finished = self.fin_at == Some(self.next);
    }

    /// What of `payload` lies within the window; a probe of a closed one has nothing there.
    fn in_window<'a>(&self, start: u64, payload: &'a [u8]) -> &'a [u8] {
        let edge = self.next + u64::from(self.window());
        let room = usize::try_from(edge.saturating_sub(start)).unwrap_or(usize::MAX);
        payload.get(..room).unwrap_or(payload)
    }

    fn place(&mut self, start: u64, payload: &[u8]) {
        if start <= self.next {
            self.append(start, payload);
        } else if self.ahead_len + payload.len() <= TCP_OUT_OF_ORDER_LIMIT {
            let known = self.ahead.get(&start).map_or(0, Vec::len);
            if payload.len() > known {
                self.ahead_len += payload.len() - known;
                self.ahead.insert(start, payload.to_vec());
            }
        }
    }

    /// Appends what is new of `payload`, which starts at or before the end.
    fn append(&mut self, start: u64, payload: &[u8]) {
        let known = usize::try_from(self.next - start).unwrap_or(usize::MAX);
        if let Some(new) = payload.get(known..) {
            self.ready.extend_from_slice(new);
            self.next += new.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Receiver;
    use crate::defaults::{TCP_OUT_OF_ORDER_LIMIT, TCP_WINDOW};

    fn receiver() -> Receiver {
        let mut receiver = Receiver::default();
        // The numbers turn over behind the first byte.
        receiver.start(u32::MAX - 1);
        receiver
    }

    #[test]
    fn bytes_come_out_in_order_whatever_comes_twice_or_overlaps() {
        let sent: Vec<u8> = (0..100).collect();
        let mut receiver = receiver();
        for (from, to) in [(40, 60), (40, 50), (20, 45), (90, 100), (0, 20), (10, 30), (60, 90)] {
            let seq = u32::MAX.wrapping_add(from as u32);
            receiver.take(seq, &sent[from..to], to == sent.len());
            assert!(receiver.ready == sent[..receiver.ready.len()]);
        }
        assert!(receiver.ready == sent && receiver.finished);
        assert_eq!((receiver.ahead_len, receiver.next_seq()), (0, 100));
    }

    #[test]
    fn what_nobody_reads_closes_the_window() {
        let mut receiver = receiver();
        receiver.paused = true;
        let window = usize::from(TCP_WINDOW);
        let segment = vec![7; 1000];
        for start in (0..2 * window).step_by(segment.len()) {
            receiver.take(u32::MAX.wrapping_add(start as u32), &segment, false);
            assert_eq!(usize::from(receiver.window()) + receiver.ready.len(), window);
        }
        assert_eq!((receiver.ready.len(), receiver.window(), receiver.ahead_len), (window, 0, 0));
        // The end takes no room.
        receiver.take(receiver.next_seq(), &[], true);
        assert!(receiver.finished);
    }

    #[test]
    fn what_comes_too_early_is_held_to_a_limit() {
        let mut receiver = receiver();
        let segment = [7; 1000];
        for n in 0..2 * TCP_OUT_OF_ORDER_LIMIT / segment.len() {
            let seq = u32::MAX.wrapping_add(1 + (n * segment.len()) as u32);
            receiver.take(seq, &segment, false);
        }
        // The first byte of the window is still missing.
        assert_eq!((receiver.ahead_len, receiver.ready.len()), (TCP_OUT_OF_ORDER_LIMIT - 1, 0));
        receiver.take(u32::MAX, &[7], false);
        assert_eq!((receiver.ready.len(), receiver.ahead_len), (TCP_OUT_OF_ORDER_LIMIT, 0));
    }
}
