//! Ladders to draw, and the pictures that came of them.

use std::time::Duration;

use super::{Ladder, Row, Topic, svg, text};

pub(super) fn message(at_ms: u64, (from, to): (usize, usize), arrived: bool, label: &str) -> Row {
    let at = Duration::from_millis(at_ms);
    let label = label.to_owned();
    Row::Message { at, from, to, arrived, topic: Topic::Signalling, label, text: None }
}

pub(super) fn ladder(rows: Vec<Row>) -> Ladder {
    let columns = ["alice", "core", "bob"].map(str::to_owned).to_vec();
    Ladder { columns, rows, origin: Duration::ZERO }
}

/// A call of few words: all that a ladder can hold, and times of its own.
fn story(words: [&str; 3], ms: [u64; 5], origin: u64) -> Ladder {
    let [offer, answer, lost] = words;
    let at = |n: usize| Duration::from_millis(ms[n]);
    let mut told = ladder(vec![
        message(ms[0], (0, 1), true, "hello"),
        message(ms[1], (0, 1), true, offer),
        message(ms[2], (2, 0), true, answer),
        message(ms[2] + 1, (1, 1), false, lost),
        message(ms[3], (2, 1), false, lost),
        message(ms[3] + 20, (0, 2), false, "check"),
        Row::Media {
            at: at(4),
            until: at(4) * 3,
            from: 2,
            to: 0,
            forth: (400, 400),
            back: (390, 400),
        },
        Row::Media { at: at(4), until: at(4) * 2, from: 1, to: 2, forth: (7, 8), back: (9, 9) },
    ]);
    told.origin = Duration::from_millis(origin);
    told.note([(at(1), "Alice calls Bob".to_owned())]);
    told
}

#[test]
fn pictures_stay_as_they_are() {
    let sip = story(["INVITE + SDP", "200 OK + SDP", "REGISTER"], [5, 30, 50, 90, 900], 30);
    let long = "session-initiate, four candidates that take all the room there is";
    let xmpp = story([long, "session-accept", "presence: here"], [9, 130, 153, 260, 1000], 130);
    let both = [("SIP", &sip), ("XMPP", &xmpp)];
    let pictures = [
        ("one.txt", text::draw(&sip), include_str!("pictures/one.txt")),
        ("two.txt", text::side_by_side(both, false), include_str!("pictures/two.txt")),
        ("narrow.txt", text::side_by_side(both, true), include_str!("pictures/narrow.txt")),
        ("one.svg", svg::file(&both[..1]), include_str!("pictures/one.svg")),
        ("two.svg", svg::file(&both), include_str!("pictures/two.svg")),
    ];
    let changed: Vec<_> = pictures.iter().filter(|(_, drawn, kept)| drawn != kept).collect();
    assert!(changed.is_empty(), "{changed:?}");
}
