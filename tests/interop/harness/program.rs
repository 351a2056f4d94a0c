//! Our own program: built once, started as core or as phone, heard by its `--json` events.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use super::net::Host;
use super::process::{Process, bounded};

/// The domain that the core serves.
pub(crate) const DOMAIN: &str = "example.test";

/// Everybody's password.
pub(crate) const PASSWORD: &str = "seven-wet-herons";

/// Where the program is, built as this test was.
fn executable() -> &'static str {
    static EXECUTABLE: LazyLock<String> = LazyLock::new(|| {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--workspace", "--bin", "wayleave", "--manifest-path", manifest]);
        // With a test beside it, dependencies take the features that `cargo test` gave them, and
        // nothing is built twice.
        build.args(["--test", "interop", "--message-format=json-render-diagnostics"]);
        let output = build.stderr(Stdio::inherit()).output().expect("cargo runs");
        assert!(output.status.success(), "cargo build failed");
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let built = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut found = built
            .filter(|built| built["target"]["name"] == "wayleave")
            .filter_map(|built| built["executable"].as_str().map(str::to_owned));
        found.next_back().expect("cargo names what it built")
    });
    &EXECUTABLE
}

/// Our program, on `host` or on this machine itself.
pub(crate) fn wayleave(host: Option<&Host>) -> Command {
    host.map_or_else(|| bounded(executable()), |host| host.command(executable()))
}

/// A running core and its folder.
pub(crate) struct Core {
    process: Process,
    data: TempDir,
}

impl Core {
    /// Starts a core on `host` that listens on `address`, and waits until it is ready.
    pub(crate) fn start(host: &Host, address: &str) -> Self {
        Self::start_with(host, &[address], &[])
    }

    /// Starts a core on `host` that listens on `addresses`, with more flags.
    pub(crate) fn start_with(host: &Host, addresses: &[&str], flags: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let mut command = wayleave(Some(host));
        command.args(["serve", "--json", "--domain", DOMAIN]).args(flags);
        command.args(addresses.iter().flat_map(|address| ["--listen", address]));
        command.arg("--data").arg(data.path());
        let mut process = Process::start("serve", command);
        wait_for_event(&mut process, "ready");
        Self { process, data }
    }

    /// Adds accounts while the core runs; everybody has the same password.
    pub(crate) fn add_users(&self, names: &[&str]) {
        for name in names {
            let mut command = wayleave(None);
            command.args(["user", "add", &address(name), "--password-stdin", "--data"]);
            command.arg(self.data.path());
            Process::start_with("user add", command, &format!("{PASSWORD}\n")).succeed();
        }
    }

    /// The certificate that it made for itself, in PEM.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.data.path().join(format!("{DOMAIN}.crt.pem"))
    }

    /// Ends the core as an operator would, and fails unless it ends well.
    pub(crate) fn stop(self) {
        self.process.interrupt();
        let (code, printed) = self.process.finish();
        assert!(matches!(code, Some(0 | 130)), "serve: {code:?}:\n{}", printed.join("\n"));
    }
}

/// The address of `name` in the core's domain.
pub(crate) fn address(name: &str) -> String {
    format!("{name}@{DOMAIN}")
}

/// A phone that is to be started.
pub(crate) struct Phone {
    folder: TempDir,
    command: Command,
    name: String,
}

impl Phone {
    /// `verb` is `call TARGET` or `answer`; the account is `name`'s on the core at `server`, over SIP.
    pub(crate) fn new(host: &Host, name: &str, verb: &[&str], server: &str) -> Self {
        Self::over("sip", host, name, verb, server).recording()
    }

    /// The same over `protocol`, without recording.
    pub(crate) fn over(
        protocol: &str,
        host: &Host,
        name: &str,
        verb: &[&str],
        server: &str,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("a file");
        let mut command = wayleave(Some(host));
        command.args(verb).args(["--json", "--as", &format!("{protocol}:{}", address(name))]);
        command.args(["--server", server, "--password-file"]).arg(password);
        Self { folder, command, name: name.to_owned() }
    }

    /// A flag that names a file in the phone's folder.
    fn with_file(mut self, flag: &str, file: &str) -> Self {
        self.command.arg(flag).arg(self.folder.path().join(file));
        self
    }

    /// The same phone, recording what it hears.
    pub(crate) fn recording(self) -> Self {
        self.with_file("--record", "heard.wav")
    }

    /// The same phone, which trusts the certificate in the file `pem` beside the system's.
    pub(crate) fn trusting(mut self, pem: &Path) -> Self {
        self.command.arg("--pins").arg(pem);
        self
    }

    /// More flags.
    pub(crate) fn with(mut self, flags: &[&str]) -> Self {
        self.command.args(flags);
        self
    }

    /// Plays the file that `write` writes.
    pub(crate) fn playing(mut self, write: impl Fn(&Path)) -> Self {
        let file = self.folder.path().join("played.wav");
        write(&file);
        self.command.arg("--play").arg(file);
        self
    }

    pub(crate) fn start(self) -> RunningPhone {
        let mut phone = self.start_talking();
        phone.process.fall_silent();
        phone
    }

    /// Starts it with its standard input open, as a chat wants it.
    pub(crate) fn start_talking(self) -> RunningPhone {
        let process = Process::start_talking(&self.name, self.command);
        RunningPhone { process, folder: self.folder }
    }
}

/// A phone that runs.
pub(crate) struct RunningPhone {
    process: Process,
    folder: TempDir,
}

impl RunningPhone {
    /// Waits for an event by its name.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        wait_for_event(&mut self.process, name)
    }

    /// Waits for an event by its name, and gives it after all those before it.
    pub(crate) fn events_until(&mut self, name: &str) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        while events.last().is_none_or(|last| last["event"] != name) {
            let line = self.process.wait_until(&format!("event {name:?}"), |_| true);
            events.extend(serde_json::from_str::<Value>(&line));
        }
        events
    }

    /// Waits for a message of somebody else's, and gives its text.
    pub(crate) fn hears(&mut self) -> String {
        loop {
            let message = self.event("message");
            if message["direction"] == "in" {
                return message["text"].as_str().expect("a text").to_owned();
            }
        }
    }

    /// Types a line.
    pub(crate) fn say(&mut self, line: &str) {
        self.process.say(&format!("{line}\n"));
    }

    /// Ends what is typed.
    pub(crate) fn fall_silent(&mut self) {
        self.process.fall_silent();
    }

    /// Waits for the end, fails unless it was a success, and gives what was played and heard.
    pub(crate) fn succeed(self) -> Call {
        self.process.succeed();
        let file = |name: &str| self.folder.path().join(name);
        Call { played: file("played.wav"), heard: file("heard.wav"), _folder: self.folder }
    }

    /// Waits for the end, and gives the exit code and everything printed.
    pub(crate) fn finish(self) -> (Option<i32>, Vec<String>) {
        self.process.finish()
    }

    /// Presses Ctrl-C and gives the exit code.
    pub(crate) fn interrupt(self) -> Option<i32> {
        self.process.interrupt();
        self.process.finish().0
    }
}

/// What a phone left: files that live as long as this value.
pub(crate) struct Call {
    pub played: PathBuf,
    pub heard: PathBuf,
    _folder: TempDir,
}

fn wait_for_event(process: &mut Process, name: &str) -> Value {
    let parse = |line: &str| serde_json::from_str::<Value>(line).ok();
    let is_it = |line: &str| parse(line).is_some_and(|event| event["event"] == name);
    let line = process.wait_until(&format!("event {name:?}"), is_it);
    parse(&line).expect("it parsed a moment ago")
}
