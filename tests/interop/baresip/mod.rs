//! baresip registers, calls our phone and is called by it, over G.711, with ICE off and on: a tone of
//! 440 Hz is measured at both ends.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::need::available;
use crate::harness::net::{Host, Lan, Nat, TwoNats};
use crate::harness::process::Process;
use crate::harness::program::{Call, Core, PASSWORD, Phone, address};
use crate::harness::sound::{read, secs_of_tone, write_tone};

/// The tone that both ends play.
const TONE_HZ: f64 = 440.0;

/// How long calls last.
const TALK: Duration = Duration::from_secs(4);

/// How long they last through NATs: baresip tries one pair after the other, each for two seconds and
/// more, and is silent until both components have one.
const TALK_THROUGH_NATS: Duration = Duration::from_secs(9);

/// How much of the tone each end must have heard.
const HEARD_SECS: f64 = 3.0;

/// Whether media goes through ICE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ice {
    Off,
    On,
}

/// A running baresip that is registered and answers by itself.
struct Baresip<'a> {
    host: &'a Host,
    process: Process,
    folder: TempDir,
}

impl<'a> Baresip<'a> {
    /// Starts one as `name` on `host`, whose address is `ip`, and waits until it is registered.
    fn start(host: &'a Host, name: &str, ip: &str, core: &str, ice: Ice) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let config = include_str!("config")
            .replace("@ADDRESS@", ip)
            .replace("@FOLDER@", path.to_str().expect("a plain path"));
        let media = match ice {
            Ice::Off => String::new(),
            Ice::On => format!(";medianat=ice;stunserver=\"stun:{core}:5060\""),
        };
        let account = format!(
            "<sip:{}>;auth_user={name};auth_pass={PASSWORD};outbound=\"sip:{core}:5060\";\
             regint=60;answermode=auto;audio_codecs=PCMU/8000/1,PCMA/8000/1{media}\n",
            address(name)
        );
        for (file, text) in [("config", config), ("accounts", account), ("contacts", String::new())]
        {
            fs::write(path.join(file), text).expect("a file");
        }
        write_tone(&path.join("tone.wav"), TONE_HZ, 30);
        let mut command = host.command("baresip");
        command.arg("-f").arg(path).args(["-4", "-s", "-v"]);
        let mut process = Process::start(&format!("baresip {name}"), command);
        process.wait_for("[1 binding]");
        Self { host, process, folder }
    }

    /// Gives it a command: netstring-framed JSON to its control port, from its own host.
    fn tell(&self, command: &str, parameter: &str) {
        let json = format!(r#"{{"command":"{command}","params":"{parameter}"}}"#);
        let mut bash = self.host.command("bash");
        let script = r#"exec 3<>/dev/tcp/127.0.0.1/4444 && printf %s "$0" >&3 && head -c 1 <&3"#;
        bash.args(["-c", script, &format!("{}:{json},", json.len())]);
        Process::start(&format!("baresip's {command}"), bash).succeed();
    }

    /// Waits for the end of the call, and gives for how many seconds it heard the tone.
    fn secs_heard(mut self) -> f64 {
        self.process.wait_for("terminated (duration");
        let heard = fs::read_dir(self.folder.path())
            .expect("its folder")
            .map(|entry| entry.expect("a readable folder").path());
        let heard = heard.filter(|path| path.to_string_lossy().ends_with("-dec.wav"));
        heard.map(|path| secs_of_tone(&read(&path), TONE_HZ)).sum()
    }
}

/// The flags that our phone takes for `ice`.
fn flags(ice: Ice) -> [&'static str; 2] {
    ["--ice", if ice == Ice::On { "on" } else { "off" }]
}

fn tone(path: &Path) {
    write_tone(path, TONE_HZ, 30);
}

fn assert_heard(call: &Call, theirs: f64) {
    let ours = secs_of_tone(&read(&call.heard), TONE_HZ);
    assert!(ours >= HEARD_SECS, "we heard {ours} s of the tone");
    assert!(theirs >= HEARD_SECS, "baresip heard {theirs} s of the tone");
}

/// Our phone calls baresip, and hangs up.
fn is_called(
    [core, alice, bob]: [&Host; 3],
    [core_ip, bob_ip]: [&str; 2],
    ice: Ice,
    talk: Duration,
) {
    let running = Core::start(Some(core), &[core_ip], &[]);
    running.add_users(&["alice", "bob"]);
    let baresip = Baresip::start(bob, "bob", bob_ip, core_ip, ice);
    let target = format!("sip:{}", address("bob"));
    let secs = format!("{}s", talk.as_secs());
    let phone = Phone::new(Some(alice), "alice", &["call", &target], core_ip);
    let call = phone.with(&flags(ice)).with(&["--duration", &secs]).playing(tone).start().succeed();
    assert_heard(&call, baresip.secs_heard());
    running.stop();
}

/// baresip calls our phone, and hangs up.
fn calls([core, alice, bob]: [&Host; 3], [core_ip, bob_ip]: [&str; 2], ice: Ice, talk: Duration) {
    let running = Core::start(Some(core), &[core_ip], &[]);
    running.add_users(&["alice", "bob"]);
    let mut phone = Phone::new(Some(alice), "alice", &["answer", "--once"], core_ip)
        .with(&flags(ice))
        .playing(tone)
        .start();
    phone.event("registered");
    let mut baresip = Baresip::start(bob, "bob", bob_ip, core_ip, ice);
    baresip.tell("dial", &format!("sip:{}", address("alice")));
    baresip.process.wait_for("Call established");
    thread::sleep(talk);
    baresip.tell("hangup", "");
    let theirs = baresip.secs_heard();
    assert_heard(&phone.succeed(), theirs);
    running.stop();
}

fn on_a_lan(run: impl Fn([&Host; 3], [&str; 2], Ice, Duration), ice: Ice) {
    if available(&["baresip", "ip"]) {
        let lan = Lan::new();
        run([&lan.core, &lan.alice, &lan.bob], [Lan::CORE, Lan::BOB], ice, TALK);
    }
}

#[test]
fn is_called_without_ice() {
    on_a_lan(is_called, Ice::Off);
}

#[test]
fn is_called_with_ice() {
    on_a_lan(is_called, Ice::On);
}

#[test]
fn calls_without_ice() {
    on_a_lan(calls, Ice::Off);
}

#[test]
fn calls_with_ice() {
    on_a_lan(calls, Ice::On);
}

#[test]
fn is_called_through_two_nats() {
    if available(&["baresip", "ip", "nft"]) {
        let net = TwoNats::new(Nat::PortRestricted, Nat::PortRestricted);
        let hosts = [&net.core, &net.alice, &net.bob];
        is_called(hosts, [TwoNats::CORE, TwoNats::BOB], Ice::On, TALK_THROUGH_NATS);
    }
}
