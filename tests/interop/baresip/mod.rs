//! baresip registers, calls our phone and is called by it, over G.711, with ICE off and on: a tone of
//! 440 Hz is measured at both ends.

use std::fs;
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

/// Where and how a call between our Alice and baresip's Bob is made.
#[derive(Clone, Copy)]
struct Scene<'a> {
    core: &'a Host,
    alice: &'a Host,
    bob: &'a Host,
    core_ip: &'a str,
    bob_ip: &'a str,
    ice: Ice,
    /// How baresip reaches the core: `udp` or `tcp`.
    transport: &'a str,
    talk: Duration,
}

impl<'a> Scene<'a> {
    fn lan(lan: &'a Lan, ice: Ice) -> Self {
        let Lan { core, alice, bob } = lan;
        let (core_ip, bob_ip) = (Lan::CORE, Lan::BOB);
        Self { core, alice, bob, core_ip, bob_ip, ice, transport: "udp", talk: TALK }
    }

    fn two_nats(net: &'a TwoNats) -> Self {
        let TwoNats { core, alice, bob, .. } = net;
        let (core_ip, bob_ip) = (TwoNats::CORE, TwoNats::BOB);
        let (ice, talk) = (Ice::On, TALK_THROUGH_NATS);
        Self { core, alice, bob, core_ip, bob_ip, ice, transport: "udp", talk }
    }

    fn core(&self) -> Core {
        let core = Core::start(self.core, self.core_ip);
        core.add_users(&["alice", "bob"]);
        core
    }

    /// Our phone, Alice's, that plays the tone.
    fn phone(&self, verb: &[&str]) -> Phone {
        let ice = if self.ice == Ice::On { "on" } else { "off" };
        let phone = Phone::new(self.alice, "alice", verb, self.core_ip);
        phone.with(&["--ice", ice]).playing(|file| write_tone(file, TONE_HZ, 30))
    }

    /// Our phone calls baresip, and hangs up.
    fn is_called(&self) {
        let core = self.core();
        let baresip = Baresip::start(self);
        let target = format!("sip:{}", address("bob"));
        let secs = format!("{}s", self.talk.as_secs());
        let call = self.phone(&["call", &target]).with(&["--duration", &secs]).start().succeed();
        assert_heard(&call, baresip.secs_heard());
        core.stop();
    }

    /// baresip calls our phone, and hangs up.
    fn calls(&self) {
        let core = self.core();
        let mut phone = self.phone(&["answer", "--once"]).start();
        phone.event("registered");
        let mut baresip = Baresip::start(self);
        baresip.tell("dial", &format!("sip:{}", address("alice")));
        baresip.process.wait_for("Call established");
        thread::sleep(self.talk);
        baresip.tell("hangup", "");
        let theirs = baresip.secs_heard();
        assert_heard(&phone.succeed(), theirs);
        core.stop();
    }
}

fn assert_heard(call: &Call, theirs: f64) {
    let ours = secs_of_tone(&read(&call.heard), TONE_HZ);
    assert!(ours >= HEARD_SECS, "we heard {ours} s of the tone");
    assert!(theirs >= HEARD_SECS, "baresip heard {theirs} s of the tone");
}

/// Bob's baresip, running, registered, and answering by itself.
struct Baresip<'a> {
    host: &'a Host,
    process: Process,
    folder: TempDir,
}

impl<'a> Baresip<'a> {
    /// Starts it and waits until it is registered.
    fn start(scene: &Scene<'a>) -> Self {
        let &Scene { bob: host, core_ip, bob_ip, transport, .. } = scene;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let config = include_str!("config")
            .replace("@ADDRESS@", bob_ip)
            .replace("@FOLDER@", path.to_str().expect("a plain path"));
        let media = match scene.ice {
            Ice::Off => String::new(),
            Ice::On => format!(";medianat=ice;stunserver=\"stun:{core_ip}:5060\""),
        };
        let account = format!(
            "<sip:{}>;auth_user=bob;auth_pass={PASSWORD};\
             outbound=\"sip:{core_ip}:5060;transport={transport}\";\
             regint=60;answermode=auto;audio_codecs=PCMU/8000/1,PCMA/8000/1{media}\n",
            address("bob")
        );
        for (file, text) in [("config", config), ("accounts", account), ("contacts", String::new())]
        {
            fs::write(path.join(file), text).expect("a file");
        }
        write_tone(&path.join("tone.wav"), TONE_HZ, 30);
        let mut command = host.command("baresip");
        command.arg("-f").arg(path).args(["-4", "-s", "-v"]);
        let mut process = Process::start("baresip", command);
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

#[test]
fn is_called_without_ice() {
    on_a_lan(Ice::Off, |scene| scene.is_called());
}

#[test]
fn is_called_with_ice() {
    on_a_lan(Ice::On, |scene| scene.is_called());
}

#[test]
fn calls_without_ice() {
    on_a_lan(Ice::Off, |scene| scene.calls());
}

#[test]
fn calls_with_ice() {
    on_a_lan(Ice::On, |scene| scene.calls());
}

/// The core must find back over the connection that baresip registered on.
#[test]
fn is_called_over_tcp() {
    on_a_lan(Ice::On, |scene| Scene { transport: "tcp", ..*scene }.is_called());
}

#[test]
fn is_called_through_two_nats() {
    if available(&["baresip", "ip", "nft"]) {
        let net = TwoNats::new(Nat::PortRestricted, Nat::PortRestricted);
        Scene::two_nats(&net).is_called();
    }
}

fn on_a_lan(ice: Ice, run: impl Fn(&Scene<'_>)) {
    if available(&["baresip", "ip"]) {
        let lan = Lan::new();
        run(&Scene::lan(&lan, ice));
    }
}
