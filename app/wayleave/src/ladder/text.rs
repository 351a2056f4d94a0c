//! A ladder as text, for terminals and `ladder.txt`; and two of them side by side.

use std::fmt::Write as _;

use super::layout::{self, Align, Mark, Media, count};
use super::{Ladder, Row};

/// The width of the column of times.
const TIME: usize = 10;

/// What an arrow needs between two poles besides its label: to look like one, and to do so at least.
const ARROW: usize = 9;
const LEAST_ARROW: usize = 7;

/// From one column to the next: what a terminal of 80 columns has room for, and what the longest label
/// may ask for.
const STEPS: (usize, usize) = (34, 44);

/// The same where two ladders stand side by side on a terminal.
const NARROW: usize = 30;

/// Between two ladders.
const GAP: usize = 4;

/// Draws a ladder.
pub fn draw(ladder: &Ladder) -> String {
    let sheet = Sheet::for_all(&[ladder]);
    let mut text = String::new();
    let _ = writeln!(text, "{}", sheet.head().trim_end());
    for row in &ladder.rows {
        let line = format!("{}{}", time(row.at().as_secs_f64()), sheet.row(row));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Draws ladders of the same story side by side, their rows aligned by the time since each one's origin.
/// `narrow`: as a terminal has room for.
pub fn side_by_side(ladders: [(&str, &Ladder); 2], narrow: bool) -> String {
    let [(left_title, left), (right_title, right)] = ladders;
    let sheet = if narrow {
        Sheet { columns: &left.columns, step: NARROW }
    } else {
        Sheet::for_all(&[left, right])
    };
    let (width, gap) = (TIME + sheet.width(), " ".repeat(GAP));
    let mut text = String::new();
    let mut line = |left: &str, right: &str| {
        let _ = writeln!(text, "{}", format!("{left:<width$}{gap}{right}").trim_end());
    };
    line(&format!("{:TIME$}{left_title}", ""), &format!("{:TIME$}{right_title}", ""));
    line(&sheet.head(), &sheet.head());
    let bare = format!("{:TIME$}{}", "", sheet.poles());
    let drawn = |ladder: &Ladder, row: Option<usize>| {
        let row = row.and_then(|row| ladder.rows.get(row));
        row.map_or_else(
            || bare.clone(),
            |row| format!("{}{}", time(layout::seconds(row.at(), ladder.origin)), sheet.row(row)),
        )
    };
    let lines = layout::lines(&[left, right], Align::Origin);
    for (l, r) in layout::column(&lines, 0).into_iter().zip(layout::column(&lines, 1)) {
        line(&drawn(left, l), &drawn(right, r));
    }
    text
}

/// Where the poles of a ladder stand.
struct Sheet<'a> {
    columns: &'a [String],
    step: usize,
}

impl<'a> Sheet<'a> {
    /// Wide enough for the labels of all.
    fn for_all(ladders: &[&'a Ladder]) -> Self {
        let between_neighbours = |row: &Row| match row {
            Row::Message { from, to, label, .. } if from.abs_diff(*to) == 1 => {
                Some(label.chars().count())
            }
            _ => None,
        };
        let rows = ladders.iter().flat_map(|ladder| &ladder.rows);
        let longest = rows.filter_map(between_neighbours).max().unwrap_or_default();
        Self {
            columns: ladders.first().map_or(&[], |ladder| &ladder.columns),
            step: (longest + ARROW).clamp(STEPS.0, STEPS.1),
        }
    }

    const fn width(&self) -> usize {
        self.columns.len().saturating_sub(1) * self.step + 1
    }

    fn head(&self) -> String {
        let step = self.step;
        let mut head = " ".repeat(TIME);
        self.columns.iter().for_each(|name| head.push_str(&format!("{name:<step$}")));
        head.trim_end().to_owned()
    }

    fn row(&self, row: &Row) -> String {
        match layout::mark(row) {
            Mark::Nowhere { from, label, .. } => self.nowhere(from, label),
            Mark::Arrow { from, to, arrived, label, .. } => self.arrow(from, to, arrived, label),
            Mark::Media(passed) => self.media(passed),
            Mark::Note(text) => self.note(text),
        }
    }

    /// The room for a label from pole to pole.
    fn room(&self, left: usize, right: usize) -> usize {
        ((right - left) * self.step).saturating_sub(ARROW)
    }

    /// The bare poles.
    fn bare(&self) -> Vec<char> {
        let mut line = vec![' '; self.width()];
        line.iter_mut().step_by(self.step).for_each(|place| *place = '│');
        line
    }

    fn poles(&self) -> String {
        self.bare().into_iter().collect()
    }

    /// An arrow from pole to pole; what does not arrive ends in `✗` short of the pole.
    fn arrow(&self, from: usize, to: usize, arrived: bool, label: &str) -> String {
        let mut line = self.bare();
        let (left, right) = (from.min(to) * self.step, from.max(to) * self.step);
        line[left + 1..right].fill('─');
        let head = if from < to { right - 1 } else { left + 1 };
        match (arrived, from < to) {
            (true, true) => line[head] = '►',
            (true, false) => line[head] = '◄',
            (false, true) => put(&mut line, head - 2, "✗  "),
            (false, false) => put(&mut line, head, "  ✗"),
        }
        let room = self.room(from.min(to), from.max(to));
        let least = if arrived { ARROW - LEAST_ARROW } else { 0 };
        self.centre(&mut line, from.min(to), from.max(to), &fit(label, room, least));
        line.into_iter().collect()
    }

    fn nowhere(&self, from: usize, label: &str) -> String {
        let mut line = self.bare();
        let words = format!("─{label}─✗ to an address that leads nowhere");
        put(&mut line, from * self.step + 1, &words);
        line.into_iter().collect()
    }

    fn media(&self, passed: Media) -> String {
        let Media { left, right, secs, to_right, to_left } = passed;
        let long = format!(
            "media {secs:.1} s: ► {} of {}, ◄ {} of {}",
            to_right.0, to_right.1, to_left.0, to_left.1
        );
        let counts = format!("{secs:.1} s ►{} ◄{}", count(to_right), count(to_left));
        // The double line says that it is media, where the word has no room.
        let room = self.room(left, right);
        let labels = [long, format!("media {counts}"), counts.clone()];
        let fits = labels.into_iter().find(|label| label.chars().count() < room);
        self.double(left, right, &fits.unwrap_or(counts))
    }

    fn double(&self, from: usize, to: usize, label: &str) -> String {
        let mut line = self.bare();
        let (left, right) = (from * self.step, to * self.step);
        if left == right {
            put(&mut line, left + 1, label);
        } else {
            line[left + 1..right].fill('═');
            (line[left + 1], line[right - 1]) = ('◄', '►');
            self.centre(&mut line, from, to, label);
        }
        line.into_iter().collect()
    }

    /// A line across.
    fn note(&self, text: &str) -> String {
        let mut line = self.bare();
        line.iter_mut().filter(|place| **place == ' ').for_each(|place| *place = '┄');
        let text: String = text.chars().take(self.width().saturating_sub(6)).collect();
        put(&mut line, 3, &format!(" {text} "));
        line.into_iter().collect()
    }

    /// Writes a label into the middle between two poles.
    fn centre(&self, line: &mut Vec<char>, from: usize, to: usize, label: &str) {
        let (left, right) = (from * self.step, to * self.step);
        let label = format!(" {label} ");
        put(line, left + (right - left).saturating_sub(label.chars().count()) / 2, &label);
    }
}

/// A label where it has `room`, and `more` if it takes it: else what stands before a comma, a colon or a
/// bracket, or as much as fits.
fn fit(label: &str, room: usize, more: usize) -> String {
    let fits = |text: &str| text.chars().count() <= room + more;
    if fits(label) {
        return label.to_owned();
    }
    let starts = [" (", ", ", ": "].into_iter().filter_map(|end| label.rfind(end));
    let start = starts.map(|end| &label[..end]).filter(|start| fits(start));
    match start.max_by_key(|start| start.len()) {
        Some(start) => start.to_owned(),
        None => label.chars().take((room + more).saturating_sub(1)).chain(['…']).collect(),
    }
}

fn time(secs: f64) -> String {
    format!("{secs:>8.3}  ")
}

fn put(line: &mut Vec<char>, at: usize, text: &str) {
    for (at, c) in (at..).zip(text.chars()) {
        if at >= line.len() {
            line.resize(at + 1, ' ');
        }
        line[at] = c;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{draw, side_by_side};
    use crate::ladder::Row;
    use crate::ladder::tests::{ladder, message};

    #[test]
    fn arrows_end_where_they_should() {
        let at = Duration::from_millis(20);
        let until = Duration::from_secs(8);
        let (forth, back) = ((400, 400), (390, 400));
        let media = Row::Media { at, until, from: 2, to: 0, forth, back };
        let near = Row::Media { at, until, from: 1, to: 2, forth: back, back: forth };
        let note = Row::Note { at, text: "Bob answers".to_owned() };
        let label = "INVITE + SDP";
        let said = [((0, 1), true), ((2, 0), false), ((1, 1), false)];
        let said = said.map(|(way, arrived)| message(20, way, arrived, label));
        let text = draw(&ladder(said.into_iter().chain([media, near, note]).collect()));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("INVITE + SDP") && lines[1].contains("─►│"));
        assert!(lines[2].contains("│  ✗─") && !lines[2].contains('◄'));
        assert!(lines[3].contains("leads nowhere"));
        assert!(lines[4].contains("media 8.0 s: ► 390 of 400, ◄ 400 of 400"), "{text}");
        assert!(lines[5].contains("═ 8.0 s ►390/400 ◄400 ═"), "{text}");
        assert!(lines[6].contains("│┄┄ Bob answers ┄"), "{text}");
    }

    #[test]
    fn the_sheet_is_as_wide_as_the_longest_label_asks_for() {
        let label = "session-initiate, 4 candidates";
        let text = draw(&ladder(vec![message(0, (0, 1), true, label)]));
        assert!(text.contains(label), "{text}");
    }

    #[test]
    fn two_ladders_share_lines_where_they_share_times() {
        let mut sip =
            ladder(vec![message(10, (0, 1), true, "INVITE"), message(90, (2, 1), true, "200")]);
        let xmpp = ["session-initiate", "session-info", "session-accept"];
        let mut xmpp = ladder(
            xmpp.iter().zip([110, 150, 192]).map(|(l, at)| message(at, (0, 1), true, l)).collect(),
        );
        (sip.origin, xmpp.origin) = (Duration::from_millis(10), Duration::from_millis(110));
        let text = side_by_side([("SIP", &sip), ("XMPP", &xmpp)], false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("SIP") && lines[0].contains("XMPP"), "{text}");
        assert!(lines[2].contains("INVITE") && lines[2].contains("session-initiate"), "{text}");
        assert!(!lines[3].contains("200") && lines[3].contains("0.040"), "{text}");
        assert!(lines[4].contains("200") && lines[4].contains("session-accept"), "{text}");
        let middle = |line: &str| line.chars().position(|c| c == '│');
        assert!(lines[2..].iter().all(|line| middle(line) == Some(10)), "{text}");
    }
}
