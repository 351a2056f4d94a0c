//! Children with a bounded life: they end by themselves, with their test, or when told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::need::installed;

/// How long a child may live: longer than any test, shorter than anybody's patience.
const LIFE_SECS: u32 = 180;

/// How long a test waits for a child to print something or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running child, everything that it prints, and its end.
pub(crate) struct Process {
    name: String,
    child: Child,
    /// Its standard input, while it is open.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What was printed up to now, for the message of a failure.
    printed: Vec<String>,
}

/// `program` under a limit of its own on how long it runs.
pub(crate) fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", &LIFE_SECS.to_string(), program]);
    command
}

impl Process {
    /// Starts `command`, whose standard input stays open for [`Self::say`]; `name` is for messages.
    pub(crate) fn start_talking(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{name}: {command:?}: {e}"));
        let input = child.stdin.take();
        let (sender, lines) = channel();
        forward(child.stdout.take().expect("piped"), sender.clone());
        forward(child.stderr.take().expect("piped"), sender);
        Self { name: name.to_owned(), child, input, lines, printed: Vec::new() }
    }

    /// Starts `command` with `input` as its standard input; `name` is for messages.
    pub(crate) fn start_with(name: &str, command: Command, input: &str) -> Self {
        let mut process = Self::start_talking(name, command);
        process.say(input);
        process.fall_silent();
        process
    }

    /// Writes `text` to its standard input. A child that does not read it is free to.
    pub(crate) fn say(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(text.as_bytes());
            let _ = input.flush();
        }
    }

    /// Ends its standard input.
    pub(crate) fn fall_silent(&mut self) {
        self.input = None;
    }

    /// Starts `command`; `name` is for messages.
    pub(crate) fn start(name: &str, command: Command) -> Self {
        Self::start_with(name, command, "")
    }

    /// Waits for a line that holds `text`, and gives it.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        self.wait_until(&format!("a line with {text:?}"), |line| line.contains(text))
    }

    /// Waits for a line with each of `texts`, in whatever order they come.
    pub(crate) fn wait_for_all(&mut self, texts: &[&str]) {
        let mut missing = texts.to_vec();
        while !missing.is_empty() {
            let what = format!("lines with {missing:?}");
            let line =
                self.wait_until(&what, |line| missing.iter().any(|text| line.contains(text)));
            missing.retain(|text| !line.contains(text));
        }
    }

    /// Waits for a line that `is_it`, and gives it.
    pub(crate) fn wait_until(&mut self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.printed.push(line.clone());
                    if is_it(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("no {what} in {PATIENCE:?}")),
                Err(RecvTimeoutError::Disconnected) => self.fail(&format!("ended without {what}")),
            }
        }
    }

    /// Waits for the end, and gives the exit code and everything printed.
    pub(crate) fn finish(mut self) -> (Option<i32>, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.printed.push(line),
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("no end in {PATIENCE:?}")),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let status: ExitStatus = self.child.wait().expect("a child of ours");
        (status.code(), std::mem::take(&mut self.printed))
    }

    /// Waits for the end and fails unless it was a success. Gives everything printed.
    pub(crate) fn succeed(self) -> Vec<String> {
        let name = self.name.clone();
        let (code, printed) = self.finish();
        assert!(code == Some(0), "{name} exited with {code:?}:\n{}", printed.join("\n"));
        printed
    }

    /// Sends Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    /// Tells it to end. Unlike Ctrl-C, which `timeout` sends twice, this gives it time to.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    fn signal(&self, signal: &str) {
        // `timeout` passes it on to what it runs.
        let kill = format!("kill -s {signal} {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
    }

    fn fail(&self, why: &str) -> ! {
        panic!("{}: {why}. It printed:\n{}", self.name, self.printed.join("\n"));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate();
            let _ = self.child.wait();
        }
    }
}

/// Sends every line of `pipe` to `lines`, without colours, until the pipe closes.
fn forward(pipe: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = plain(&String::from_utf8_lossy(&line));
            if lines.send(text.trim_end().to_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
}

/// `text` without the escape sequences of a terminal's colours.
fn plain(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::with_capacity(text.len());
    while let Some(at) = rest.find("\x1b[") {
        plain.push_str(&rest[..at]);
        let end = rest[at + 2..].find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &rest[at + 2 + end + 1..]);
    }
    plain.push_str(rest);
    plain
}

#[test]
fn colours_are_taken_off() {
    assert_eq!(plain("a \x1b[32mgreen\x1b[0;1m b"), "a green b");
    assert_eq!(plain("\x1b["), "");
}

#[test]
fn a_child_is_heard_to_its_end() {
    if !installed(&[]) {
        return;
    }
    let mut command = bounded("sh");
    command.args(["-c", "read x; echo got $x; exit 3"]);
    let mut child = Process::start_with("sh", command, "it\n");
    assert_eq!(child.wait_for("got"), "got it");
    assert_eq!(child.finish().0, Some(3));
}
