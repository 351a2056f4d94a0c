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
