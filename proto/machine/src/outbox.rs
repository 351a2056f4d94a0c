//! A bounded write queue for one connection.

use std::collections::VecDeque;

use crate::{Id, Outputs};

/// Messages waiting for room on one connection.
///
/// A machine writes at most the room that was announced; the rest waits here, up to a limit, and
/// what does not fit is refused whole, so that the stream never carries half a message.
#[derive(Debug)]
pub struct Outbox {
    conn: Id,
    room: usize,
    waiting: VecDeque<u8>,
    limit: usize,
}

/// The outbox is full: the peer does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer does not read: its write queue is full")]
pub struct Full;

impl Outbox {
    /// A queue for `conn` with `room` bytes announced, holding back at most `limit` bytes.
    #[must_use]
    pub fn new(conn: Id, room: usize, limit: usize) -> Self {
        Self { conn, room, waiting: VecDeque::new(), limit }
    }

    /// The connection.
    #[must_use]
    pub const fn conn(&self) -> Id {
        self.conn
    }

    /// Bytes that wait for room.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes that a message may have to be written at once: none while others wait.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.room
    }

    /// Takes the room that `Writable`, `Connected`, `Accepted` or `Secured` announced.
    pub fn writable<E, Q>(&mut self, room: usize, outputs: &mut Outputs<E, Q>) {
        self.room = room;
        self.flush(outputs);
    }

    /// Queues `message` whole, or not at all.
    ///
    /// # Errors
    /// [`Full`] if more than the limit would wait.
    pub fn send<E, Q>(&mut self, message: &[u8], outputs: &mut Outputs<E, Q>) -> Result<(), Full> {
        if self.waiting.len() + message.len() > self.limit.saturating_add(self.room) {
            return Err(Full);
        }
        // Where something waits, there is no room.
        let at_once = if self.waiting.is_empty() { self.room.min(message.len()) } else { 0 };
        let (first, rest) = message.split_at(at_once);
        if !first.is_empty() {
            self.room -= first.len();
            outputs.write(self.conn, first);
        }
        self.waiting.extend(rest);
        Ok(())
    }

    fn flush<E, Q>(&mut self, outputs: &mut Outputs<E, Q>) {
        let n = self.room.min(self.waiting.len());
        if n > 0 {
            let bytes: Vec<u8> = self.waiting.drain(..n).collect();
            self.room -= n;
            outputs.write(self.conn, &bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::{Full, Outbox};
    use crate::{Ids, Output, Outputs};

    #[test]
    fn waits_for_room_and_refuses_whole_messages() {
        let conn = Ids::new(1).next_id();
        let mut outputs = Outputs::<(), ()>::new();
        let mut outbox = Outbox::new(conn, 3, 4);
        outbox.send(b"hello", &mut outputs).unwrap();
        assert_eq!(outbox.send(b"abc", &mut outputs), Err(Full));
        assert_eq!(outbox.waiting(), 2);
        outbox.writable(10, &mut outputs);
        let mut buf = Vec::new();
        while let Some(output) = outputs.poll(&mut buf) {
            assert_eq!(output, Output::Write { conn });
        }
        assert_eq!(buf, b"hello");
    }

    proptest! {
        /// Messages of these lengths and room that comes and goes: whole messages in order, never
        /// more than the room, never more waiting than the limit.
        #[test]
        fn whatever_room_there_is(steps in vec((0..40_usize, option::of(0..60_usize)), 1..40)) {
            let conn = Ids::new(1).next_id();
            let mut outputs = Outputs::<(), ()>::new();
            let (mut room, limit) = (10, 50);
            let mut outbox = Outbox::new(conn, room, limit);
            let (mut taken, mut written) = (Vec::new(), Vec::new());
            for (n, (len, new_room)) in (0..).zip(steps) {
                if let Some(new_room) = new_room {
                    room = new_room;
                    outbox.writable(room, &mut outputs);
                }
                let message = vec![n; len];
                if outbox.send(&message, &mut outputs).is_ok() {
                    taken.extend(message);
                }
                let before = written.len();
                while outputs.poll(&mut written).is_some() {}
                room = room.checked_sub(written.len() - before).expect("more than the room");
                prop_assert!(outbox.waiting() <= limit);
                prop_assert_eq!(written.len() + outbox.waiting(), taken.len());
                prop_assert!(taken.starts_with(&written));
            }
        }
    }
}
