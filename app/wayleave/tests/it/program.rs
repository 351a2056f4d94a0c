//! Starting the program and reading what it prints.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

/// The program with arguments, and with no configuration or data but those of the test.
pub(crate) fn wayleave(args: &[&str], data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wayleave"));
    command.args(args).env("XDG_DATA_HOME", data).env_remove("WAYLEAVE_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end with `input` on stdin.
pub(crate) fn run(args: &[&str], data: &Path, input: &str) -> Output {
    let mut child = wayleave(args, data).spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The objects that it printed on stdout, which must hold nothing else.
pub(crate) fn events(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A core that runs.
pub(crate) struct Core {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) ready: Value,
}

impl Core {
    /// Starts a core on free ports of the loopback address; waits until it is ready.
    pub(crate) fn start(more: &[&str], data: &Path) -> Self {
        let args = ["serve", "--json", "--ports", "auto", "--listen", "127.0.0.1"];
        let mut child = wayleave(&[&args, more].concat(), data).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut core = Self { child, stdout, ready: Value::Null };
        core.ready = core.event();
        assert_eq!(core.ready["event"], "ready");
        core
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Where it listens.
    pub(crate) fn address(&self, service: &str, transport: &str) -> String {
        let listed = self.ready["addresses"].as_array().unwrap();
        let wanted = |a: &&Value| a["service"] == service && a["transport"] == transport;
        listed.iter().find(wanted).unwrap()["address"].as_str().unwrap().to_owned()
    }

    /// Sends it a signal and waits for its end; its exit code and what it said on stderr.
    pub(crate) fn stop(self, signal: &str) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), stderr(&output))
    }
}
