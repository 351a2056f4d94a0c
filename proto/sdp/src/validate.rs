//! What RFC 8866 §5 and §9 forbid, apart from parsing.

use crate::section::{MEDIA_ORDER, SESSION_ORDER};
use crate::{Line, Section, SessionDescription};

/// One way in which a description breaks RFC 8866.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The first line is not `v=0`.
    #[error("the first line is not v=0")]
    Version,
    /// A mandatory line is missing.
    #[error("no {0}= line")]
    Missing(char),
    /// A line comes after one that it must precede, or twice.
    #[error("{0}= line out of order")]
    OutOfOrder(char),
    /// A line is not of the form `kind=value`, or carries a bare carriage return or NUL.
    #[error("line {0} is not of the form <type>=<value>")]
    NotALine(usize),
    /// A line does not follow its grammar.
    #[error("malformed {0}= line")]
    Malformed(char),
    /// A media part without connection data of its own or of the session.
    #[error("media {0} has no connection data")]
    NoConnection(usize),
    /// A media part without formats.
    #[error("media {0} has no formats")]
    NoFormats(usize),
}

impl SessionDescription {
    /// Everything that RFC 8866 forbids here; empty when the description is right.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.session.lines().first().is_none_or(|line| line.raw() != b"v=0") {
            found.push(Violation::Version);
        }
        for kind in ['o', 's', 't'] {
            if self.session.value(kind as u8).is_none() {
                found.push(Violation::Missing(kind));
            }
        }
        if self.session.value(b'o').is_some() && self.session.origin().is_err() {
            found.push(Violation::Malformed('o'));
        }
        let lines = self.sections().flat_map(Section::lines);
        let bad = lines.enumerate().filter(|(_, line)| !is_line(line));
        found.extend(bad.map(|(n, _)| Violation::NotALine(n + 1)));
        found.extend(out_of_order(&self.session, SESSION_ORDER));
        for (n, media) in self.media.iter().enumerate() {
            self.media_violations(n, media, &mut found);
        }
        found
    }

    fn media_violations(&self, n: usize, media: &Section, found: &mut Vec<Violation>) {
        match media.media_line() {
            Ok(line) if line.formats.is_empty() => found.push(Violation::NoFormats(n)),
            Ok(_) => {}
            Err(_) => found.push(Violation::Malformed('m')),
        }
        match media.connection().or_else(|| self.session.connection()) {
            Some(Ok(_)) => {}
            Some(Err(_)) => found.push(Violation::Malformed('c')),
            None => found.push(Violation::NoConnection(n)),
        }
        found.extend(out_of_order(media, MEDIA_ORDER));
    }
}

fn is_line(line: &Line) -> bool {
    line.kind().is_some_and(|kind| kind.is_ascii_lowercase())
        && !line.raw().iter().any(|b| matches!(b, b'\r' | 0))
}

/// The first line that stands after one it must precede; unknown types may stand anywhere.
fn out_of_order(section: &Section, order: &[u8]) -> Option<Violation> {
    // t, r and z alternate when a session has several times (RFC 8866 §9): one rank for all.
    let rank =
        |kind| order.iter().position(|&k| k == if b"rz".contains(&kind) { b't' } else { kind });
    let once = |kind| b"voscm".contains(&kind);
    let mut highest = None;
    for kind in section.lines().iter().filter_map(Line::kind) {
        let Some(rank) = rank(kind) else { continue };
        if highest.is_some_and(|highest| rank < highest || (rank == highest && once(kind))) {
            // A media part may carry several connection lines (RFC 8866 §5.7).
            if !(kind == b'c' && order[0] == b'm' && highest == Some(rank)) {
                return Some(Violation::OutOfOrder(char::from(kind)));
            }
        }
        highest = Some(rank);
    }
    None
}
