//! Ladders: who said what to whom, in the order in which it happened.
//!
//! | module | what |
//! |---|---|
//! | [`read`] | from captured packets to a [`Ladder`] |
//! | `streams` | what TCP carries, cut into messages |
//! | [`classify`] | what a message is, in a few words |
//! | `xmpp` | the same for what an XMPP stream carries |
//! | [`layout`] | what every drawing shares: which rows stand in one line, what each is drawn as |
//! | [`text`] | a ladder as text, and two side by side |
//! | [`svg`] | the same as a picture |

pub mod classify;
pub mod layout;
pub mod read;
mod streams;
pub mod svg;
#[cfg(test)]
mod tests;
pub mod text;
mod xmpp;

use std::time::Duration;

/// A ladder: a column for each who speaks, a row for each thing said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// The columns' names, from left to right.
    pub columns: Vec<String>,
    /// The rows, by time.
    pub rows: Vec<Row>,
    /// The time from which another ladder's rows are compared with these: when the call begins.
    pub origin: Duration,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A packet, or a message in a stream.
    Message {
        /// When it was sent, since the start.
        at: Duration,
        /// The sender's column.
        from: usize,
        /// The receiver's column.
        to: usize,
        /// Whether it arrived.
        arrived: bool,
        /// What it belongs to.
        topic: Topic,
        /// What it is.
        label: String,
        /// The message itself, if it is one that people can read: of SIP, or of XMPP.
        text: Option<String>,
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
    /// What begins here, for the reader: a line across the ladder.
    Note {
        /// When, since the start.
        at: Duration,
        /// In a few words.
        text: String,
    },
}

impl Row {
    /// When it began, since the start.
    pub const fn at(&self) -> Duration {
        match self {
            Self::Message { at, .. } | Self::Media { at, .. } | Self::Note { at, .. } => *at,
        }
    }
}

/// What a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Becoming reachable: REGISTER; the stream's beginning, TLS, SASL, roster, presence.
    Login,
    /// The call: INVITE, Jingle.
    Signalling,
    /// Asking a STUN server for one's own address.
    Address,
    /// A check of ICE, or its answer.
    Check,
    /// Asking a relay to relay.
    Relay,
    /// Whatever else.
    Other,
}

impl Ladder {
    /// Adds lines for the reader, each before what was said at its time.
    pub fn note(&mut self, notes: impl IntoIterator<Item = (Duration, String)>) {
        for (at, text) in notes {
            let later = |row: &Row| row.at() >= at;
            let place = self.rows.iter().position(later).unwrap_or(self.rows.len());
            self.rows.insert(place, Row::Note { at, text });
        }
    }
}
