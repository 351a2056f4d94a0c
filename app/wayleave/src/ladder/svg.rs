//! A ladder as a picture: `ladder.svg`, and the same in a page.

use std::time::Duration;

use maud::{Markup, PreEscaped, html};

use super::text::SAME_TIME;
use super::{Ladder, Row, Topic};

/// The look of all ladders; the colours are variables of whoever shows them.
pub const STYLE: &str = include_str!("ladder.css");

/// The colours of a picture that stands alone, by daylight and at night.
const COLOURS: &str = "
svg { --ink: #1b2126; --muted: #59636e; --line: #c9cdc6; --card: #ffffff; --accent: #0b5cad;
  --good: #17703f; --relay: #8f5200; --bad: #b3202a; --stun: #0f6b73; --media: #dfe9df; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e7eaee; --muted: #a5afba; --line: #434c55; --card: #1b2025; --accent: #74b8ff;
    --good: #5fd394; --relay: #f0b562; --bad: #ff8087; --stun: #5fcdd6; --media: #24402f; }
}
";

/// Pixels of a row.
const ROW: usize = 28;
/// Pixels above the first row: the names.
const HEAD: usize = 34;
/// Pixels beside the last pole, half of a name.
const EDGE: usize = 24;
/// Between two ladders of one picture.
const GAP: usize = 40;

/// How wide a ladder is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Pixels for the times.
    pub margin: usize,
    /// Pixels from pole to pole.
    pub step: usize,
    /// A tenth of a pixel: how wide a letter of a label is, on average of a wide font.
    pub letter: usize,
}

impl Sheet {
    /// For one ladder with all the room there is.
    pub const WIDE: Self = Self { margin: 84, step: 480, letter: 70 };
    /// For two side by side.
    pub const HALF: Self = Self { margin: 76, step: 220, letter: 70 };
    /// For a telephone.
    pub const NARROW: Self = Self { margin: 54, step: 134, letter: 63 };

    const fn width(self, columns: usize) -> usize {
        self.margin + columns.saturating_sub(1) * self.step + EDGE
    }

    const fn x(self, column: usize) -> usize {
        self.margin + column * self.step
    }

    /// How many letters there is room for in so many pixels.
    const fn letters(self, room: usize) -> usize {
        room * 10 / self.letter
    }
}

/// The ladders of one story as a file of its own: one, or several side by side with their rows
/// aligned.
pub fn file(ladders: &[(&str, &Ladder)]) -> String {
    let sheet = if ladders.len() > 1 { Sheet { step: 260, ..Sheet::HALF } } else { Sheet::WIDE };
    let all: Vec<&Ladder> = ladders.iter().map(|(_, ladder)| *ladder).collect();
    let lines = lines(&all);
    let columns = all.iter().map(|ladder| ladder.columns.len()).max().unwrap_or_default();
    let one = sheet.width(columns) + GAP;
    let top = if ladders.len() > 1 { 40 } else { 8 };
    let (width, height) = (one * ladders.len(), top + HEAD + ROW * lines.len() + 16);
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" class="ladder" width=(width) height=(height)
            viewBox={ "0 0 " (width) " " (height) } role="img" {
            title { "Who said what to whom" }
            style { (PreEscaped(COLOURS)) (PreEscaped(STYLE)) }
            rect width="100%" height="100%" style="fill: var(--card)" {}
            @for (at, (name, ladder)) in ladders.iter().enumerate() {
                @if ladders.len() > 1 {
                    text class="head" x=(at * one + sheet.x(1)) y="26" { "Over " (name) }
                }
                g transform={ "translate(" (at * one) " " (top) ")" } {
                    (drawing(ladder, &column(&lines, at), sheet, ladders.len() > 1, None))
                }
            }
        }
    };
    svg.into_string()
}

/// One ladder in a page, alone or as one of several that stand side by side: `lines` of it.
/// `links`: what messages that can be read are linked to, with the row's number behind.
pub fn inline(
    ladder: &Ladder,
    lines: &[Option<usize>],
    sheet: Sheet,
    relative: bool,
    links: &str,
) -> Markup {
    let (width, height) = (sheet.width(ladder.columns.len()), HEAD + ROW * lines.len() + 8);
    html! {
        svg class="ladder" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
            role="group" aria-label="Who said what to whom, as a ladder" {
            (drawing(ladder, lines, sheet, relative, Some(links)))
        }
    }
}

/// All rows of a ladder, a line each.
pub fn all(ladder: &Ladder) -> Vec<Option<usize>> {
    (0..ladder.rows.len()).map(Some).collect()
}

/// The lines of one ladder among several.
pub fn column(lines: &[Vec<Option<usize>>], at: usize) -> Vec<Option<usize>> {
    lines.iter().map(|line| line.get(at).copied().flatten()).collect()
}

/// Which row of each ladder stands in which line: rows share one when they are about as long after
/// their ladder's origin, or before it as long after its start.
pub fn lines(ladders: &[&Ladder]) -> Vec<Vec<Option<usize>>> {
    let origins: Vec<usize> = ladders
        .iter()
        .map(|ladder| ladder.rows.iter().take_while(|row| row.at() < ladder.origin).count())
        .collect();
    let ends: Vec<usize> = ladders.iter().map(|ladder| ladder.rows.len()).collect();
    let at = |ladder: usize, row: usize| ladders[ladder].rows[row].at().as_secs_f64();
    let before = merged(vec![0; ladders.len()], &origins, at);
    let since = |ladder: usize, row| at(ladder, row) - ladders[ladder].origin.as_secs_f64();
    [before, merged(origins, &ends, since)].concat()
}

/// Lines of the rows from `next` to `ends` of each ladder, by when they are.
fn merged(
    mut next: Vec<usize>,
    ends: &[usize],
    when: impl Fn(usize, usize) -> f64,
) -> Vec<Vec<Option<usize>>> {
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

fn drawing(
    ladder: &Ladder,
    lines: &[Option<usize>],
    sheet: Sheet,
    relative: bool,
    links: Option<&str>,
) -> Markup {
    let foot = HEAD + ROW * lines.len();
    let origin = if relative { ladder.origin } else { Duration::ZERO };
    let rows = lines.iter().enumerate().filter_map(|(line, row)| {
        let row = (*row)?;
        Some((HEAD + ROW * line + ROW - 8, row, ladder.rows.get(row)?))
    });
    html! {
        @for (at, name) in ladder.columns.iter().enumerate() {
            text class="head" x=(sheet.x(at)) y="18" { (capital(name)) }
            line class="pole" x1=(sheet.x(at)) x2=(sheet.x(at)) y1="26" y2=(foot) {}
        }
        @for (y, at, row) in rows {
            g {
                text class="time" x=(sheet.margin - 14) y=(y + 4) { (time(row.at(), origin)) }
                @match (row, links) {
                    (Row::Message { text: Some(_), .. }, Some(links)) => {
                        a href={ "#" (links) (at) } { (drawn(row, sheet, y, ladder.columns.len())) }
                    }
                    _ => { (drawn(row, sheet, y, ladder.columns.len())) }
                }
            }
        }
    }
}

/// Seconds since the origin, which rows may precede.
fn time(at: Duration, origin: Duration) -> String {
    format!("{:.3}", at.as_secs_f64() - origin.as_secs_f64()).replace('-', "−")
}

pub fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn drawn(row: &Row, sheet: Sheet, y: usize, columns: usize) -> Markup {
    match row {
        Row::Message { from, to, arrived, topic, label, .. } if from == to => {
            let (x, class) = (sheet.x(*from), topic_class(*topic));
            debug_assert!(!arrived, "what arrives arrives somewhere");
            html! {
                line class={ "wire lost " (class) } x1=(x) x2=(x + 30) y1=(y) y2=(y) {}
                (cross(x + 38, y))
                text x=(x + 50) y=(y + 4) {
                    (cut(&format!("{label}, to where it leads nowhere"), sheet.letters(sheet.step - 54)))
                    title { (label) }
                }
            }
        }
        Row::Message { from, to, arrived, topic, label, .. } => {
            arrow(sheet, y, (*from, *to), *arrived, topic_class(*topic), label)
        }
        Row::Media { at, until, from, to, forth, back } => {
            let (left, right) = (sheet.x(*from.min(to)), sheet.x(*from.max(to)));
            let (forth, back) = if from <= to { (forth, back) } else { (back, forth) };
            let length = (*until - *at).as_secs_f64();
            let long = format!(
                "media for {length:.1} s: {} of {} packets →, ← {} of {}",
                forth.0, forth.1, back.0, back.1
            );
            let middle = format!("media {length:.1} s: → {}, ← {}", of(*forth), of(*back));
            let short = format!("→ {} ← {}", of(*forth), of(*back));
            let room = right - left - 12;
            let label =
                [&long, &middle].into_iter().find(|l| l.chars().count() <= sheet.letters(room));
            html! {
                rect class="media" x=(left + 4) y=(y - 11) width=(right - left - 8) height="22" rx="11" {}
                text class="label within" x=(left.midpoint(right)) y=(y + 4) {
                    (cut(label.unwrap_or(&short), sheet.letters(room)))
                    title { (long) }
                }
            }
        }
        Row::Note { text, .. } => html! {
            line class="note" x1=(sheet.margin) x2=(sheet.x(columns.saturating_sub(1))) y1=(y) y2=(y) {}
            text class="said" x=(sheet.margin + 10) y=(y + 4) {
                (cut(text, sheet.letters(sheet.x(columns.saturating_sub(1)) + EDGE - sheet.margin - 10)))
                title { (text) }
            }
        },
    }
}

/// How many of how many arrived, where there is little room.
fn of((arrived, sent): (usize, usize)) -> String {
    if arrived == sent { sent.to_string() } else { format!("{arrived}/{sent}") }
}

fn arrow(
    sheet: Sheet,
    y: usize,
    (from, to): (usize, usize),
    arrived: bool,
    class: &str,
    label: &str,
) -> Markup {
    let (start, end) = (sheet.x(from), sheet.x(to));
    // What is lost ends on its way.
    let end = if arrived { end } else { (start + 3 * end) / 4 };
    let tip = if start < end {
        format!("M{} {y}l-9 -4.5v9z", end - 2)
    } else {
        format!("M{} {y}l9 -4.5v9z", end + 2)
    };
    let (left, right) = (sheet.x(from.min(to)), sheet.x(from.max(to)));
    html! {
        line class={ "wire " (class) @if !arrived { " lost" } } x1=(start) x2=(end) y1=(y) y2=(y) {}
        @if arrived { path class={ "tip " (class) } d=(tip) {} } @else { (cross(end, y)) }
        text class="label" x=(left.midpoint(right)) y=(y - 5) {
            (cut(label, sheet.letters(right - left - 16)))
            title { (label) @if !arrived { ", which did not arrive" } }
        }
    }
}

fn cross(x: usize, y: usize) -> Markup {
    html! { path class="cross" d={ "M" (x.saturating_sub(5)) " " (y - 5) "l10 10m0 -10l-10 10" } {} }
}

/// A label as far as there is room for its letters.
fn cut(label: &str, letters: usize) -> String {
    if label.chars().count() <= letters {
        return label.to_owned();
    }
    label.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

/// The class of a topic's lines.
pub const fn topic_class(topic: Topic) -> &'static str {
    match topic {
        Topic::Login => "login",
        Topic::Signalling => "signalling",
        Topic::Address => "address",
        Topic::Check => "check",
        Topic::Relay => "relay",
        Topic::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{cut, file, lines};
    use crate::ladder::{Ladder, Row, Topic};

    fn message(at_ms: u64, (from, to): (usize, usize), arrived: bool, label: &str) -> Row {
        let at = Duration::from_millis(at_ms);
        let label = label.to_owned();
        Row::Message { at, from, to, arrived, topic: Topic::Signalling, label, text: None }
    }

    fn ladder(rows: Vec<Row>) -> Ladder {
        let columns = ["alice", "core", "bob"].map(str::to_owned).to_vec();
        Ladder { columns, rows, origin: Duration::ZERO }
    }

    #[test]
    fn what_is_said_is_escaped_and_what_is_lost_is_crossed() {
        let said = message(20, (0, 1), true, "<INVITE> & \"more\"");
        let lost = message(30, (2, 0), false, "check");
        let svg = file(&[("SIP", &ladder(vec![said, lost]))]);
        assert!(svg.contains("&lt;INVITE&gt; &amp; &quot;more&quot;"), "{svg}");
        assert_eq!(svg.matches("class=\"cross\"").count(), 1);
        // XML, not HTML: everything that opens is closed.
        for name in ["svg", "g", "text", "line", "path", "rect", "title", "style"] {
            let open = svg.matches(&format!("<{name}")).filter(|_| true).count();
            assert!(open >= svg.matches(&format!("</{name}>")).count(), "{name}");
        }
        let opened = svg.matches('<').count() - svg.matches("</").count();
        assert_eq!(opened, svg.matches("</").count());
    }

    #[test]
    fn rows_of_the_same_time_share_a_line() {
        let sip = ladder([10, 90].map(|at| message(at, (0, 1), true, "m")).to_vec());
        let times = [5, 12, 110, 150, 192];
        let mut xmpp = ladder(times.map(|at| message(at, (0, 1), true, "m")).to_vec());
        xmpp.origin = Duration::from_millis(100);
        let expected = [
            // What one of them did before its origin.
            [None, Some(0)],
            [None, Some(1)],
            [Some(0), Some(2)],
            [None, Some(3)],
            [Some(1), Some(4)],
        ];
        assert_eq!(lines(&[&sip, &xmpp]), expected.map(|line| line.to_vec()));
        let mut late = sip.clone();
        late.origin = Duration::from_millis(50);
        // Both begin together, though one takes longer to its origin.
        xmpp.origin = Duration::from_millis(180);
        let begin: Vec<Vec<Option<usize>>> = lines(&[&late, &xmpp]);
        assert_eq!(begin[..2], [[Some(0), Some(0)], [None, Some(1)]].map(|line| line.to_vec()));
    }

    #[test]
    fn labels_end_where_the_room_does() {
        assert_eq!(cut("INVITE", 6), "INVITE");
        assert_eq!(cut("session-initiate", 10), "session-i…");
    }
}
