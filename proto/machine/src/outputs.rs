//! The queue behind `poll_output`.

use std::collections::VecDeque;
use std::ops::Range;

use crate::{Endpoint, Id, Output};

/// Outputs waiting to be polled, payloads in one arena that is reused.
#[derive(Debug)]
pub struct Outputs<E, Q> {
    queue: VecDeque<(Output<E, Q>, Range<usize>)>,
    arena: Vec<u8>,
}

impl<E, Q> Default for Outputs<E, Q> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), arena: Vec::new() }
    }
}

impl<E, Q> Outputs<E, Q> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues an output without payload.
    pub fn push(&mut self, output: Output<E, Q>) {
        self.push_with(output, &[]);
    }

    /// Queues an event.
    pub fn event(&mut self, event: E) {
        self.push(Output::Event(event));
    }

    /// Queues an output with its payload.
    pub fn push_with(&mut self, output: Output<E, Q>, payload: &[u8]) {
        let start = self.arena.len();
        self.arena.extend_from_slice(payload);
        self.queue.push_back((output, start..self.arena.len()));
    }

    /// Queues one datagram from `socket` to `remote`.
    pub fn datagram(&mut self, socket: Id, remote: Endpoint, payload: &[u8]) {
        let output = Output::Datagram {
            socket,
            source: None,
            remote,
            segment_size: None,
            dont_fragment: false,
        };
        self.push_with(output, payload);
    }

    /// Queues bytes for a connection. The caller has checked the room.
    pub fn write(&mut self, conn: Id, payload: &[u8]) {
        self.push_with(Output::Write { conn }, payload);
    }

    /// Implements `poll_output`: the next output, its payload appended to `buf`.
    pub fn poll(&mut self, buf: &mut Vec<u8>) -> Option<Output<E, Q>> {
        let (output, payload) = self.queue.pop_front()?;
        buf.extend_from_slice(&self.arena[payload]);
        if self.queue.is_empty() {
            self.arena.clear();
        }
        Some(output)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Outputs;
    use crate::{Endpoint, Ids, Output};

    #[test]
    fn each_output_comes_with_its_payload_and_the_arena_is_used_again() {
        let id = Ids::new(3).next_id();
        let mut outputs = Outputs::<&str, ()>::new();
        let mut capacity = None;
        for _ in 0..100 {
            outputs.datagram(id, Endpoint::UNSPECIFIED_V4, b"one");
            outputs.event("nothing to send");
            outputs.write(id, b"two and more");
            assert!(!outputs.is_empty());
            let mut polled = Vec::new();
            let mut buf = vec![0];
            while let Some(output) = outputs.poll(&mut buf) {
                // What stood in the buffer stays.
                polled.push((output, buf.split_off(1)));
            }
            let (source, remote, segment_size) = (None, Endpoint::UNSPECIFIED_V4, None);
            let expected = [
                (
                    Output::Datagram {
                        socket: id,
                        source,
                        remote,
                        segment_size,
                        dont_fragment: false,
                    },
                    b"one".to_vec(),
                ),
                (Output::Event("nothing to send"), vec![]),
                (Output::Write { conn: id }, b"two and more".to_vec()),
            ];
            assert_eq!(polled, expected);
            assert!(outputs.is_empty() && outputs.arena.is_empty());
            let now = outputs.arena.capacity();
            assert_eq!(*capacity.get_or_insert(now), now);
        }
    }
}
