//! Starting the program and reading what it prints.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// How long anything is waited for: far more than it takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

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

/// The program while it runs with `--json`; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    events: Receiver<Value>,
    said: Option<JoinHandle<String>>,
    /// What came so far.
    seen: Vec<Value>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) code: Option<i32>,
    /// Everything it told.
    pub(crate) events: Vec<Value>,
    /// What it said to people.
    pub(crate) said: String,
}

impl End {
    /// The first event of this name.
    pub(crate) fn event(&self, name: &str) -> &Value {
        let found = self.events.iter().find(|event| event["event"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {self:#?}"))
    }
}

impl Process {
    pub(crate) fn start(args: &[&str], data: &Path) -> Self {
        let mut child = wayleave(&[&["--json"], args].concat(), data).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stderr = child.stderr.take().unwrap();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // What is no JSON is told as such, and fails whoever waits.
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let _ = sender.send(event);
            }
        });
        let said = std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = stderr.read_to_end(&mut said);
            String::from_utf8_lossy(&said).into_owned()
        });
        Self { child, events, said: Some(said), seen: Vec::new() }
    }

    /// Waits for the next event of this name; others are passed over.
    pub(crate) fn wait_for(&mut self, name: &str) -> Value {
        loop {
            let Ok(event) = self.events.recv_timeout(PATIENCE) else {
                let _ = self.child.kill();
                let said = self.said.take().map(|said| said.join().unwrap());
                panic!("no {name}; told {:#?}; said {said:?}", self.seen);
            };
            assert_eq!(event["v"], 1, "{event}");
            self.seen.push(event.clone());
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Writes a line to its stdin.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends its stdin.
    pub(crate) fn fall_silent(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Sends it a signal: `INT`, `TERM`, `KILL`.
    pub(crate) fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Sends it a signal and waits for its end; nothing more is read.
    pub(crate) fn interrupt(&mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.child.wait().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> End {
        while let Ok(event) = self.events.recv_timeout(PATIENCE) {
            assert_eq!(event["v"], 1, "{event}");
            self.seen.push(event);
        }
        // Nothing more comes: either it has closed its stdout, or it hangs.
        if let Err(std::sync::mpsc::TryRecvError::Empty) = self.events.try_recv() {
            let _ = self.child.kill();
        }
        let code = self.child.wait().unwrap().code();
        let said = self.said.take().unwrap().join().unwrap();
        End { code, events: std::mem::take(&mut self.seen), said }
    }

    /// Sends it a signal and waits for its end.
    pub(crate) fn stop(self, signal: &str) -> End {
        self.signal(signal);
        self.end()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A core that runs.
pub(crate) struct Core {
    pub(crate) process: Process,
    pub(crate) ready: Value,
}

impl Core {
    /// Starts a core on free ports of the loopback address; waits until it is ready.
    pub(crate) fn start(more: &[&str], data: &Path) -> Self {
        Self::at("127.0.0.1", more, data)
    }

    /// Starts a core at an address; waits until it is ready.
    pub(crate) fn at(listen: &str, more: &[&str], data: &Path) -> Self {
        Self::with(&[&["--ports", "auto", "--listen", listen], more].concat(), data)
    }

    /// Starts a core with these flags; waits until it is ready.
    fn with(flags: &[&str], data: &Path) -> Self {
        let mut process = Process::start(&[&["serve"], flags].concat(), data);
        let ready = process.wait_for("ready");
        Self { process, ready }
    }

    /// Where it listens.
    pub(crate) fn address(&self, service: &str, transport: &str) -> String {
        let listed = self.ready["addresses"].as_array().unwrap();
        let wanted = |a: &&Value| a["service"] == service && a["transport"] == transport;
        listed.iter().find(wanted).unwrap()["address"].as_str().unwrap().to_owned()
    }

    /// Sends it a signal and waits for its end.
    pub(crate) fn stop(self, signal: &str) -> End {
        self.process.stop(signal)
    }
}

/// A core with accounts, and a folder for everything that a test leaves behind.
pub(crate) struct Stage {
    // Ends before its folder goes.
    pub(crate) core: Core,
    folder: tempfile::TempDir,
    /// The scheme of the phones' addresses.
    pub(crate) scheme: &'static str,
    /// The service and the transport of the core that they reach.
    reached: (&'static str, &'static str),
}

/// The password of every account on a [`Stage`].
pub(crate) const PASSWORD: &str = "correct horse";

impl Stage {
    /// Alice has an account before the core starts; Bob gets his while it runs.
    pub(crate) fn set() -> Self {
        Self::at("127.0.0.1", &[])
    }

    pub(crate) fn at(listen: &str, more: &[&str]) -> Self {
        Self::with(&[&["--ports", "auto", "--listen", listen], more].concat())
    }

    /// At an address that nobody else uses, on the standard ports.
    pub(crate) fn on_usual_ports(listen: &str) -> Self {
        Self::with(&["--listen", listen])
    }

    fn with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        add("alice", folder.path());
        let core = Core::with(flags, folder.path());
        add("bob", folder.path());
        std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        Self { core, folder, scheme: "sip", reached: ("sip", "udp") }
    }

    /// The same with phones of XMPP, which reach the core over `tcp`, with STARTTLS, or over `tls`. They
    /// have pinned its certificate.
    pub(crate) fn by_xmpp(self, transport: &'static str) -> Self {
        let pin = self.core.ready["tls"]["sha256"].as_str().unwrap();
        std::fs::write(self.file("pins"), format!("localhost sha256:{pin}\n")).unwrap();
        Self { scheme: "xmpp", reached: ("xmpp", transport), ..self }
    }

    /// Ends the core in peace, and starts it at this address.
    pub(crate) fn restart(&mut self, listen: &str) {
        assert!(self.core.process.interrupt("TERM").success());
        self.core = Core::at(listen, &[], self.folder.path());
    }

    /// Waits for the end of a core that was told to stop, and starts another with standard ports but for
    /// what the flags say of XMPP's.
    pub(crate) fn restart_with(&mut self, more: &[&str]) {
        assert!(self.core.process.child.wait().unwrap().success());
        let flags =
            ["--listen", "127.0.0.1:0", "--set", "turn.ports=[]", "--set", "xmpp.tls_ports=[]"];
        self.core = Core::with(&[&flags, more].concat(), self.folder.path());
    }

    pub(crate) fn add(&self, user: &str) {
        add(user, self.folder.path());
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a phone: `call` or `answer` with its own arguments, and what every phone needs.
    pub(crate) fn phone(&self, command: &[&str], user: &str, more: &[&str]) -> Process {
        let (service, transport) = self.reached;
        self.phone_at(&self.core.address(service, transport), command, user, more)
    }

    pub(crate) fn phone_at(
        &self,
        server: &str,
        command: &[&str],
        user: &str,
        more: &[&str],
    ) -> Process {
        let account = self.account(server, user);
        let account: Vec<&str> = account.iter().map(String::as_str).collect();
        Process::start(&[command, &account, more].concat(), self.folder.path())
    }

    /// The flags of an account.
    pub(crate) fn account(&self, server: &str, user: &str) -> Vec<String> {
        let file = |name| self.file(name).to_str().unwrap().to_owned();
        let address = format!("{}:{user}@localhost", self.scheme);
        let mut flags = vec!["--as".to_owned(), address];
        flags.extend(["--password-file".to_owned(), file("password")]);
        flags.extend(["--server".to_owned(), server.to_owned()]);
        if let ("xmpp", transport) = self.reached {
            flags.extend(["--pins".to_owned(), file("pins")]);
            flags.extend(["--transport".to_owned(), transport.to_owned()]);
        }
        flags
    }

    /// Starts a phone that answers, and waits until it can be called.
    pub(crate) fn answer(&self, user: &str, more: &[&str]) -> Process {
        let mut phone = self.phone(&["answer"], user, more);
        phone.wait_for("registered");
        phone
    }

    /// Starts a phone that calls.
    pub(crate) fn call(&self, target: &str, user: &str, more: &[&str]) -> Process {
        self.phone(&["call", target], user, more)
    }
}

fn add(user: &str, data: &Path) {
    let address = format!("{user}@localhost");
    let added = run(&["user", "add", &address, "--password-stdin"], data, PASSWORD);
    assert!(added.status.success(), "{}", stderr(&added));
}
