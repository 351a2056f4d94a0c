//! Ladders: who said what to whom, in the order in which it happened.
//!
//! | module | what |
//! |---|---|
//! | [`read`] | from captured packets to a [`Ladder`] |
//! | [`classify`] | what a payload is, in a few words |
//! | [`text`] | a ladder as text |

pub mod classify;
pub mod read;
pub mod text;

use std::time::Duration;

/// A ladder: a column for each who speaks, a row for each thing said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// The columns' names, from left to right.
    pub columns: Vec<String>,
    /// The rows, by time.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A packet.
    Message {
        /// When it was sent, since the start.
        at: Duration,
        /// The sender's column.
        from: usize,
        /// The receiver's column.
        to: usize,
        /// Whether it arrived.
        arrived: bool,
        /// What it is.
        label: String,
    },
    /// Media for a while: packets that are not shown one by one.
    Media {
        /// When the first was sent.
        at: Duration,
        /// When the last was sent.
        until: Duration,
        /// One side's column.
        from: usize,
        /// The other side's column.
        to: usize,
        /// Packets from the one side that arrived, and all that were sent.
        forth: (usize, usize),
        /// The same of the other side.
        back: (usize, usize),
    },
}
