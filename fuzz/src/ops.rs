//! A sequence of operations, read off arbitrary bytes.

use std::time::Duration;

use machine::{Instant, Now};

/// What is left of the bytes that choose the operations.
pub(crate) struct Ops<'a>(pub(crate) &'a [u8]);

impl<'a> Ops<'a> {
    /// The next byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Two bytes that say how many follow, and those; fewer if there are not as many.
    pub(crate) fn chunk(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(u16::from_be_bytes([self.byte()?, self.byte()?]));
        let (chunk, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        Some(chunk)
    }
}

/// The time so long after the start, by both clocks.
pub(crate) fn at(elapsed: Duration) -> Now {
    Now { mono: Instant::ORIGIN + elapsed, unix: elapsed }
}

/// The statuses that a machine reacts to, each in its own way, and some that it does not.
const STATUSES: [u16; 36] = [
    100, 180, 181, 183, 199, 200, 202, 300, 302, 400, 401, 403, 404, 407, 408, 412, 420, 421, 422,
    423, 480, 481, 482, 486, 487, 488, 489, 491, 494, 500, 503, 504, 513, 600, 603, 606,
];

/// The status that a byte chooses.
pub(crate) fn status(byte: u8) -> sip::Status {
    let code = STATUSES[usize::from(byte) % STATUSES.len()];
    sip::Status::new(code).expect("between 100 and 699")
}
