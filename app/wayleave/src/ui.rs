//! What the commands print: text for people, or JSON for programs.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use serde::Serialize;

use crate::cli::{Color, Common};
use crate::failure::{Exit, Failure};

/// Where a command's words go.
///
/// With `--json` stdout carries one JSON object a line and nothing else, and text for people goes
/// to stderr. Writing to a reader that is gone is not an error worth a word.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    json: bool,
    color: bool,
    start: Instant,
}

/// One line under `--json`.
#[derive(Serialize)]
struct Line<'a, T> {
    v: u8,
    event: &'a str,
    at_ms: u64,
    #[serde(flatten)]
    fields: T,
}

impl Ui {
    /// As the common flags say.
    pub fn new(common: &Common) -> Self {
        let color = match common.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let terminal =
                    if common.json { std::io::stderr().is_terminal() } else { is_terminal() };
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self { json: common.json, color, start: Instant::now() }
    }

    /// As `--json` alone says.
    pub fn json() -> Self {
        Self { json: true, color: false, start: Instant::now() }
    }

    /// Whether `--json` was given.
    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// Text for people: on stdout, or on stderr under `--json`.
    pub fn say(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        let _ = if self.json {
            writeln!(std::io::stderr(), "{text}")
        } else {
            writeln!(std::io::stdout(), "{text}")
        };
    }

    /// Something that people should know though the work goes on.
    pub fn warn(&self, text: impl AsRef<str>) {
        let label = self.paint("33", "warning:");
        let _ = writeln!(std::io::stderr(), "{label} {}", text.as_ref());
    }

    /// Something that people like to know and that is no part of what they asked for: on stderr.
    pub fn note(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
    }

    /// An event under `--json`, at the time since the command began.
    pub fn event(&self, name: &str, fields: impl Serialize) {
        let at_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.event_at(at_ms, name, fields);
    }

    /// An event under `--json`, at a time of the command's own choice, virtual for one.
    pub fn event_at(&self, at_ms: u64, name: &str, fields: impl Serialize) {
        if !self.json {
            return;
        }
        let line = Line { v: 1, event: name, at_ms, fields };
        let mut text = serde_json::to_vec(&line).expect("events are maps with names for keys");
        text.push(b'\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&text).and_then(|()| out.flush());
    }

    /// Why the command ended: on stderr, and as an event.
    pub fn failure(&self, failure: &Failure) {
        let Failure { exit, kind, message, remedy } = failure;
        self.event(
            "error",
            serde_json::json!({ "kind": kind, "message": message, "remedy": remedy }),
        );
        if *exit == Exit::Interrupted {
            // Who pressed Ctrl-C knows.
            return;
        }
        let mut err = std::io::stderr().lock();
        let _ = writeln!(err, "{} {message}", self.paint("1;31", "error:"));
        if let Some(remedy) = remedy {
            let _ = writeln!(err, "  {} {remedy}", self.paint("1", "remedy:"));
        }
    }

    /// `text` in the colour of an ANSI code, where colours are wanted.
    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Whether people watch stdout.
pub fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}
