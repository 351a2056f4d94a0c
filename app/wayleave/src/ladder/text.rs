//! A ladder as text, for terminals and `ladder.txt`.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Ladder, Row};

/// The width of the column of times.
const TIME: usize = 10;
/// From one column to the next.
const STEP: usize = 34;

/// The room for a label between neighbours: less than this.
const ROOM: usize = STEP - 9;

/// Draws a ladder.
pub fn draw(ladder: &Ladder) -> String {
    let mut text = String::new();
    let mut head = " ".repeat(TIME);
    for name in &ladder.columns {
        let _ = write!(head, "{name:<STEP$}");
    }
    let _ = writeln!(text, "{}", head.trim_end());
    for row in &ladder.rows {
        let _ = writeln!(text, "{}", draw_row(row, ladder.columns.len()));
    }
    text
}

fn draw_row(row: &Row, columns: usize) -> String {
    match row {
        Row::Message { at, from, to, arrived, label } => {
            let line = arrow(columns, *from, *to, *arrived, label);
            format!("{}{line}", time(*at))
        }
        Row::Media { at, until, from, to, forth, back } => {
            let (left, right) = (*from.min(to), *from.max(to));
            let (forth, back) = if from <= to { (forth, back) } else { (back, forth) };
            let length = (*until - *at).as_secs_f64();
            let label = if (right - left) > 1 {
                format!(
                    "media {length:.1} s: ► {} of {}, ◄ {} of {}",
                    forth.0, forth.1, back.0, back.1
                )
            } else {
                let counts = format!("{length:.1} s ►{} ◄{}", short(*forth), short(*back));
                let named = format!("media {counts}");
                // The double line says that it is media, where the word has no room.
                if named.chars().count() < ROOM { named } else { counts }
            };
            let line = double(columns, left, right, &label);
            format!("{}{line}", time(*at))
        }
    }
}

/// How many of how many arrived, where there is little room.
fn short((arrived, sent): (usize, usize)) -> String {
    if arrived == sent { sent.to_string() } else { format!("{arrived}/{sent}") }
}

fn time(at: Duration) -> String {
    format!("{:>8.3}  ", at.as_secs_f64())
}

/// The bare poles.
fn poles(columns: usize) -> Vec<char> {
    let mut line = vec![' '; columns.saturating_sub(1) * STEP + 1];
    (0..columns).for_each(|column| line[column * STEP] = '│');
    line
}

/// An arrow from pole to pole; what does not arrive ends in `✗` short of the pole.
fn arrow(columns: usize, from: usize, to: usize, arrived: bool, label: &str) -> String {
    if from == to {
        let mut line = poles(columns);
        put(&mut line, from * STEP + 1, &format!("─{label}─✗ to an address that leads nowhere"));
        return line.into_iter().collect::<String>().trim_end().to_owned();
    }
    let mut line = poles(columns);
    let (left, right) = (from.min(to) * STEP, from.max(to) * STEP);
    line[left + 1..right].fill('─');
    let head = if from < to { right - 1 } else { left + 1 };
    match (arrived, from < to) {
        (true, true) => line[head] = '►',
        (true, false) => line[head] = '◄',
        (false, true) => put(&mut line, head - 2, "✗  "),
        (false, false) => put(&mut line, head, "  ✗"),
    }
    centre(&mut line, left, right, label);
    line.into_iter().collect::<String>().trim_end().to_owned()
}

fn double(columns: usize, left: usize, right: usize, label: &str) -> String {
    let mut line = poles(columns);
    let (left, right) = (left * STEP, right * STEP);
    if left == right {
        put(&mut line, left + 1, label);
    } else {
        line[left + 1..right].fill('═');
        (line[left + 1], line[right - 1]) = ('◄', '►');
        centre(&mut line, left, right, label);
    }
    line.into_iter().collect::<String>().trim_end().to_owned()
}

/// Writes a label into the middle between two poles, cut where it does not fit.
fn centre(line: &mut Vec<char>, left: usize, right: usize, label: &str) {
    let room = right - left - (STEP - ROOM);
    let fits = label.chars().count() <= room;
    let mut label: String = label.chars().take(room).collect();
    if !fits {
        label.pop();
        label.push('…');
    }
    let label = format!(" {label} ");
    let start = left + (right - left - label.chars().count()) / 2;
    put(line, start, &label);
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

    use super::draw;
    use crate::ladder::{Ladder, Row};

    #[test]
    fn arrows_end_where_they_should() {
        let at = Duration::from_millis(20);
        let message = |from, to, arrived| Row::Message {
            at,
            from,
            to,
            arrived,
            label: "INVITE + SDP".to_owned(),
        };
        let media = Row::Media {
            at,
            until: Duration::from_secs(8),
            from: 2,
            to: 0,
            forth: (400, 400),
            back: (390, 400),
        };
        let columns = ["alice", "core", "bob"].map(str::to_owned).to_vec();
        let near = Row::Media {
            at,
            until: Duration::from_secs(8),
            from: 1,
            to: 2,
            forth: (390, 400),
            back: (400, 400),
        };
        let told = [message(0, 1, true), message(2, 0, false), message(1, 1, false)];
        let rows = told.into_iter().chain([media, near]).collect();
        let text = draw(&Ladder { columns, rows });
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains("INVITE + SDP") && lines[1].contains("─►│"));
        assert!(lines[2].contains("│  ✗─") && !lines[2].contains('◄'));
        assert!(lines[3].contains("leads nowhere"));
        assert!(lines[4].contains("media 8.0 s: ► 390 of 400, ◄ 400 of 400"), "{text}");
        assert!(lines[5].contains("═ 8.0 s ►390/400 ◄400 ═"), "{text}");
    }
}
