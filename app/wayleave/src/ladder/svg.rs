//! A ladder as a picture: `ladder.svg`, and the same in a page.

use std::time::Duration;

use maud::{Markup, PreEscaped, html};

use super::layout::{self, Align, Mark, Media, column, count};
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
    let lines = layout::lines(&all, Align::Starts);
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
    format!("{:.3}", layout::seconds(at, origin)).replace('-', "−")
}

pub fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn drawn(row: &Row, sheet: Sheet, y: usize, columns: usize) -> Markup {
    match layout::mark(row) {
        Mark::Nowhere { from, topic, label } => {
            let (x, class) = (sheet.x(from), topic_class(topic));
            html! {
                line class={ "wire lost " (class) } x1=(x) x2=(x + 30) y1=(y) y2=(y) {}
                (cross(x + 38, y))
                text x=(x + 50) y=(y + 4) {
                    (cut(&format!("{label}, to where it leads nowhere"), sheet.letters(sheet.step - 54)))
                    title { (label) }
                }
            }
        }
        Mark::Arrow { from, to, arrived, topic, label } => {
            arrow(sheet, y, (from, to), arrived, topic_class(topic), label)
        }
        Mark::Media(passed) => media(sheet, y, passed),
        Mark::Note(text) => html! {
            line class="note" x1=(sheet.margin) x2=(sheet.x(columns.saturating_sub(1))) y1=(y) y2=(y) {}
            text class="said" x=(sheet.margin + 10) y=(y + 4) {
                (cut(text, sheet.letters(sheet.x(columns.saturating_sub(1)) + EDGE - sheet.margin - 10)))
                title { (text) }
            }
        },
    }
}

fn media(sheet: Sheet, y: usize, passed: Media) -> Markup {
    let Media { left, right, secs, to_right, to_left } = passed;
    let (left, right) = (sheet.x(left), sheet.x(right));
    let long = format!(
        "media for {secs:.1} s: {} of {} packets →, ← {} of {}",
        to_right.0, to_right.1, to_left.0, to_left.1
    );
    let middle = format!("media {secs:.1} s: → {}, ← {}", count(to_right), count(to_left));
    let short = format!("→ {} ← {}", count(to_right), count(to_left));
    let room = right - left - 12;
    let label = [&long, &middle].into_iter().find(|l| l.chars().count() <= sheet.letters(room));
    html! {
        rect class="media" x=(left + 4) y=(y - 11) width=(right - left - 8) height="22" rx="11" {}
        text class="label within" x=(left.midpoint(right)) y=(y + 4) {
            (cut(label.unwrap_or(&short), sheet.letters(room)))
            title { (long) }
        }
    }
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
    use super::{cut, file};
    use crate::ladder::tests::{ladder, message};

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
    fn labels_end_where_the_room_does() {
        assert_eq!(cut("INVITE", 6), "INVITE");
        assert_eq!(cut("session-initiate", 10), "session-i…");
    }
}
