//! What every drawing of ladders shares: which rows stand in one line, and what each row is drawn as.

use std::time::Duration;

use super::{Ladder, Row, Topic};

/// Rows of two ladders share a line when they are no further apart: less than any way through a
/// network takes.
const SAME_TIME: Duration = Duration::from_millis(8);

/// The row of each ladder that stands in a line, by its place.
pub type Line = Vec<Option<usize>>;

/// Where ladders that stand side by side begin to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// By the time to each one's origin, before it and after it.
    Origin,
    /// What was before each one's origin by the time from its start, so that both begin in one line.
    Starts,
}

/// All rows of a ladder, a line each.
pub fn all(ladder: &Ladder) -> Vec<Option<usize>> {
    (0..ladder.rows.len()).map(Some).collect()
}

/// The lines of one ladder among several.
pub fn column(lines: &[Line], at: usize) -> Vec<Option<usize>> {
    lines.iter().map(|line| line.get(at).copied().flatten()).collect()
}

/// Which row of each ladder stands in which line: rows of about the same time share one.
pub fn lines(ladders: &[&Ladder], align: Align) -> Vec<Line> {
    let starts = vec![0; ladders.len()];
    let ends: Vec<usize> = ladders.iter().map(|ladder| ladder.rows.len()).collect();
    let since = |ladder: usize, row: usize| {
        let ladder = ladders[ladder];
        seconds(ladder.rows[row].at(), ladder.origin)
    };
    match align {
        Align::Origin => merged(starts, &ends, since),
        Align::Starts => {
            let early = |ladder: &&Ladder| {
                ladder.rows.iter().take_while(|row| row.at() < ladder.origin).count()
            };
            let origins: Vec<usize> = ladders.iter().map(early).collect();
            let at = |ladder: usize, row: usize| ladders[ladder].rows[row].at().as_secs_f64();
            [merged(starts, &origins, at), merged(origins, &ends, since)].concat()
        }
    }
}

/// Lines of the rows from `next` to `ends` of each ladder, by when they are.
fn merged(mut next: Vec<usize>, ends: &[usize], when: impl Fn(usize, usize) -> f64) -> Vec<Line> {
    let mut lines = Vec::new();
    loop {
        let ahead: Vec<Option<f64>> = next
            .iter()
            .zip(ends)
            .enumerate()
            .map(|(ladder, (row, end))| (row < end).then(|| when(ladder, *row)))
            .collect();
        let Some(first) = ahead.iter().flatten().copied().reduce(f64::min) else { return lines };
        let mut line = Vec::new();
        for (next, ahead) in next.iter_mut().zip(ahead) {
            let now = ahead.is_some_and(|ahead| ahead - first <= SAME_TIME.as_secs_f64());
            line.push(now.then_some(*next));
            *next += usize::from(now);
        }
        lines.push(line);
    }
}

/// Seconds since an origin, which rows may precede.
pub fn seconds(at: Duration, origin: Duration) -> f64 {
    at.as_secs_f64() - origin.as_secs_f64()
}

/// What a row is drawn as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark<'a> {
    /// From pole to pole, or on the way there as far as it comes.
    Arrow { from: usize, to: usize, arrived: bool, topic: Topic, label: &'a str },
    /// From a pole to where there is none.
    Nowhere { from: usize, topic: Topic, label: &'a str },
    /// Both ways between two poles.
    Media(Media),
    /// Across.
    Note(&'a str),
}

/// Media between two poles: how many packets of how many arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Media {
    pub left: usize,
    pub right: usize,
    pub secs: f64,
    pub to_right: (usize, usize),
    pub to_left: (usize, usize),
}

/// What a row is drawn as.
pub fn mark(row: &Row) -> Mark<'_> {
    match row {
        Row::Message { from, to, topic, label, .. } if from == to => {
            Mark::Nowhere { from: *from, topic: *topic, label }
        }
        Row::Message { from, to, arrived, topic, label, .. } => {
            Mark::Arrow { from: *from, to: *to, arrived: *arrived, topic: *topic, label }
        }
        Row::Media { at, until, from, to, forth, back } => {
            let (to_right, to_left) = if from <= to { (*forth, *back) } else { (*back, *forth) };
            let (left, right) = (*from.min(to), *from.max(to));
            Mark::Media(Media { left, right, secs: seconds(*until, *at), to_right, to_left })
        }
        Row::Note { text, .. } => Mark::Note(text),
    }
}

/// How many of how many arrived, where there is little room.
pub fn count((arrived, sent): (usize, usize)) -> String {
    if arrived == sent { sent.to_string() } else { format!("{arrived}/{sent}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Align, Line, Mark, Media, column, count, lines, mark};
    use crate::ladder::tests::{ladder, message};
    use crate::ladder::{Ladder, Row};

    fn at(times: &[u64], origin: u64) -> Ladder {
        let rows = times.iter().map(|at| message(*at, (0, 1), true, "m")).collect();
        Ladder { origin: Duration::from_millis(origin), ..ladder(rows) }
    }

    #[test]
    fn rows_of_the_same_time_share_a_line() {
        let (sip, xmpp) = (at(&[10, 90], 0), at(&[5, 12, 110, 150, 192], 100));
        let expected = [
            // What one of them did before its origin.
            [None, Some(0)],
            [None, Some(1)],
            [Some(0), Some(2)],
            [None, Some(3)],
            [Some(1), Some(4)],
        ]
        .map(|line| line.to_vec());
        assert_eq!(lines(&[&sip, &xmpp], Align::Starts), expected);
        assert_eq!(lines(&[&sip, &xmpp], Align::Origin), expected);
        assert_eq!(column(&expected, 0), [None, None, Some(0), None, Some(1)]);
    }

    #[test]
    fn ladders_begin_together_or_where_their_time_is() {
        // One takes longer to its origin.
        let (late, xmpp) = (at(&[10, 90], 50), at(&[5, 12, 110, 150, 192], 180));
        let first = |align| -> Vec<Line> { lines(&[&late, &xmpp], align)[..2].to_vec() };
        assert_eq!(first(Align::Starts), [[Some(0), Some(0)], [None, Some(1)]]);
        assert_eq!(first(Align::Origin), [[None, Some(0)], [None, Some(1)]]);
    }

    #[test]
    fn media_go_from_left_to_right_whoever_began() {
        let (at, until) = (Duration::from_secs(1), Duration::from_secs(3));
        let row = Row::Media { at, until, from: 2, to: 0, forth: (4, 5), back: (6, 6) };
        let (to_right, to_left) = ((6, 6), (4, 5));
        let media = Media { left: 0, right: 2, secs: 2.0, to_right, to_left };
        assert_eq!(mark(&row), Mark::Media(media));
        assert_eq!((count(to_right), count(to_left)), ("6".to_owned(), "4/5".to_owned()));
    }
}
