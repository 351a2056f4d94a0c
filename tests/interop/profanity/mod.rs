//! profanity, an XMPP client for terminals, twice under tmux on our core: they log in with SCRAM over
//! STARTTLS, subscribe to each other, see each other come, and chat. What is asserted is what a person
//! reads on the screen.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::harness::certificate::Certificate;
use crate::harness::need::available;
use crate::harness::net::{Host, Lan};
use crate::harness::process::{Process, bounded};
use crate::harness::program::{Core, DOMAIN, PASSWORD, address};

/// Where the core tells what it has counted.
const METRICS: &str = "127.0.0.1:9090";

/// A profanity in a terminal of its own, which ends with this value.
struct Terminal {
    folder: TempDir,
    name: String,
}

impl Terminal {
    /// Starts profanity on `host` with the account of `name`.
    fn new(host: &Host, name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let accounts = folder.path().join(".local/share/profanity");
        fs::create_dir_all(&accounts).expect("a folder");
        let account = format!(
            "[{name}]\nenabled=true\njid={}\nresource=profanity\nserver={}\nport=5222\n\
             tls.policy=trust\npassword={PASSWORD}\npresence.last=online\n",
            address(name),
            Lan::CORE
        );
        fs::write(accounts.join("accounts"), account).expect("a file");
        let terminal = Self { folder, name: name.to_owned() };
        let profanity = terminal.profanity(host);
        let mut tmux = terminal.tmux(&["new-session", "-d", "-s", "main", "-x", "140", "-y", "40"]);
        tmux.arg(profanity);
        Process::start("tmux", tmux).succeed();
        terminal.sees("Profanity");
        terminal
    }

    /// The command line of profanity on `host`, for a shell.
    fn profanity(&self, host: &Host) -> String {
        let home = self.folder.path().display();
        let environment = format!(
            "env HOME={home} XDG_CONFIG_HOME={home}/.config XDG_DATA_HOME={home}/.local/share \
             TERM=screen LANG=C.UTF-8"
        );
        let command = host.command("profanity");
        let words = [command.get_program()].into_iter().chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
        format!("{environment} {}", words.join(" "))
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tmux")
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = bounded("tmux");
        command.arg("-S").arg(self.socket()).args(arguments);
        command
    }

    /// Types a line.
    fn types(&self, line: &str) {
        for keys in
            [&["send-keys", "-t", "main", "-l", line][..], &["send-keys", "-t", "main", "Enter"]]
        {
            Process::start("tmux", self.tmux(keys)).succeed();
        }
    }

    /// Waits until the screen shows `text`.
    fn sees(&self, text: &str) {
        const LOOK: &str = r#"
            for look in $(seq 300); do
              tmux -S "$1" capture-pane -p -t main > "$1.screen" && grep -qF -e "$2" "$1.screen" && exit 0
              sleep 0.1
            done
            cat "$1.screen"; exit 1"#;
        let mut command = bounded("sh");
        command.args(["-c", LOOK, "sh"]).arg(self.socket()).arg(text);
        let (code, screen) = Process::start("tmux", command).finish();
        assert!(code == Some(0), "{} does not see {text:?}:\n{}", self.name, screen.join("\n"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).status();
    }
}

/// A core that shows the certificate in `pem` and `key`.
fn core(host: &Host, pem: &Path, key: &Path) -> Core {
    let set = |name: &str, path: &Path| format!("tls.{name}={:?}", path.display().to_string());
    let (pem, key) = (set("certificate", pem), set("key", key));
    let metrics = format!("http.listen=\"{METRICS}\"");
    let flags = ["--set", &pem, "--set", &key, "--set", &metrics];
    let core = Core::start_with(host, &[Lan::CORE], &flags);
    core.add_users(&["alice", "bob"]);
    core
}

/// What the core on `host` has counted, a line each.
fn counted(host: &Host) -> Vec<String> {
    let mut command = host.command("curl");
    command.args(["--silent", "--fail", &format!("http://{METRICS}/metrics")]);
    Process::start("curl", command).succeed()
}

#[test]
fn two_log_in_see_each_other_and_chat() {
    if !available(&["ip", "profanity", "tmux", "curl"]) {
        return;
    }
    let (lan, certificate) = (Lan::new(), Certificate::new(DOMAIN));
    let core = core(&lan.core, &certificate.pem(), &certificate.key());
    let [alice, bob] = [Terminal::new(&lan.alice, "alice"), Terminal::new(&lan.bob, "bob")];
    alice.types("/connect alice");
    bob.types("/connect bob");
    alice.sees("logged in successfully");
    bob.sees("logged in successfully");
    // Two are logged in, and no key was derived from a password that was sent: it was SCRAM.
    let counted = counted(&lan.core);
    for line in ["wayleave_xmpp_sessions_started_total 2", "wayleave_xmpp_derivations_total 0"] {
        assert!(counted.iter().any(|counted| counted == line), "{line}: {counted:?}");
    }
    alice.types("/sub request bob@example.test");
    bob.sees("Received authorization request from alice@example.test");
    bob.types("/sub allow alice@example.test");
    alice.sees("++ bob@example.test (profanity) is online");
    bob.types("/sub request alice@example.test");
    alice.sees("Received authorization request from bob@example.test");
    alice.types("/sub allow bob@example.test");
    bob.sees("++ alice@example.test (profanity) is online");
    alice.types("/msg bob@example.test can you read this?");
    bob.types("/msg alice@example.test every word");
    alice.sees("bob@example.test/profanity: every word");
    bob.sees("alice@example.test/profanity: can you read this?");
    bob.types("/quit");
    // The first window tells who comes and goes.
    alice.types("/win 1");
    alice.sees("-- bob@example.test (profanity) is offline");
    alice.types("/quit");
    core.stop();
}
