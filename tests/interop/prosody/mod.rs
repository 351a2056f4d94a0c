//! Debian's Prosody between our own clients: they log in bound to the channel, see each other, chat and
//! call each other through it, over STARTTLS and direct TLS, IPv4 and IPv6; and one of them chats with
//! slixmpp.

mod client;

use std::fs;

use crate::harness::certificate::Certificate;
use crate::harness::need::available;
use crate::harness::net::{Host, Lan};
use crate::harness::process::Process;
use crate::harness::program::{Call, DOMAIN, PASSWORD, Phone, address};
use crate::harness::sound::{read, share_heard, write_speech};
use crate::slixmpp::{self, Tls};

const CONFIGURATION: &str = include_str!("prosody.cfg.lua");

/// Where Prosody finds what it lacks for channel binding over TLS 1.3.
const PLUGINS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/prosody");

/// Longer than either voice speaks.
const TALK: &str = "9s";

/// The share of what was said that must have been heard.
const HEARD: f64 = 0.9;

/// Prosody on the core's host, with Alice and Bob.
struct Net {
    lan: Lan,
    _prosody: Process,
    certificate: Certificate,
}

impl Net {
    fn new() -> Self {
        let (lan, certificate) = (Lan::new(), Certificate::new(DOMAIN));
        let prosody = prosody(&lan.core, &certificate);
        Self { lan, _prosody: prosody, certificate }
    }

    fn phone(&self, host: &Host, name: &str, verb: &[&str], server: &str, tls: Tls) -> Phone {
        let transport = if tls == Tls::Direct { "tls" } else { "tcp" };
        Phone::over("xmpp", host, name, verb, server)
            .trusting(&self.certificate.pem())
            .with(&["--transport", transport])
    }

    /// Our client by itself.
    fn client(&self, host: &Host, name: &str, server: &str, tls: Tls) -> Process {
        let port = if tls == Tls::Direct { 5223 } else { 5222 };
        client::client(host, name, server, port, self.certificate.der())
    }

    /// Alice calls Bob through Prosody, and both recordings are compared with what was played.
    fn call(&self, server: &str, tls: Tls) {
        let Lan { alice, bob, .. } = &self.lan;
        let mut bob = self
            .phone(bob, "bob", &["answer", "--once"], server, tls)
            .recording()
            .playing(|file| write_speech(file, "bob"))
            .start();
        bob.event("registered");
        let verb = ["call", &format!("xmpp:{}", address("bob"))];
        let mut alice = self
            .phone(alice, "alice", &verb, server, tls)
            .with(&["--duration", TALK])
            .recording()
            .playing(|file| write_speech(file, "alice"))
            .start();
        let path = alice.event("path");
        assert_eq!(path["relayed"], false, "{path}");
        let (alice, bob) = (alice.succeed(), bob.succeed());
        let share = |listener: &Call, speaker: &Call| {
            share_heard(&read(&speaker.played), &read(&listener.heard))
        };
        for (name, heard) in [("bob", share(&bob, &alice)), ("alice", share(&alice, &bob))] {
            assert!(heard >= HEARD, "{name} heard {heard} of what was said: {path}");
        }
    }
}

/// Starts Prosody on `host`, and waits until it serves.
fn prosody(host: &Host, certificate: &Certificate) -> Process {
    let folder = certificate.folder();
    let file = folder.join("prosody.cfg.lua");
    let configuration = CONFIGURATION
        .replace("@FOLDER@", folder.to_str().expect("a path in UTF-8"))
        .replace("@PLUGINS@", PLUGINS)
        .replace("@IPV4@", Lan::CORE)
        .replace("@IPV6@", Lan::CORE_V6);
    fs::write(&file, configuration).expect("a file");
    fs::create_dir(folder.join("data")).expect("a folder");
    for name in ["alice", "bob"] {
        let mut command = host.command("prosodyctl");
        command.arg("--config").arg(&file).args(["register", name, DOMAIN, PASSWORD]);
        Process::start("prosodyctl", command).succeed();
    }
    let mut command = host.command("prosody");
    command.arg("--config").arg(&file).arg("-F");
    let mut prosody = Process::start("prosody", command);
    prosody.wait_for("Activated service 'c2s_direct_tls'");
    prosody
}

fn available_here() -> bool {
    available(&["ip", "prosody", "prosodyctl"])
}

#[test]
fn calls_over_starttls() {
    if available_here() {
        Net::new().call(Lan::CORE, Tls::Start);
    }
}

#[test]
fn calls_over_direct_tls_and_ipv6() {
    if available_here() {
        Net::new().call(Lan::CORE_V6, Tls::Direct);
    }
}

/// Each has a login that is bound to its TLS 1.3 connection, sees the other come and go, and finds again
/// what was agreed on.
#[test]
fn our_clients_are_bound_to_the_channel_and_see_each_other() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    let Lan { alice, bob, .. } = &net.lan;
    let mut alice = net.client(alice, "alice", Lan::CORE, Tls::Start);
    let mut bobs = net.client(bob, "bob", Lan::CORE_V6, Tls::Direct);
    for client in [&mut alice, &mut bobs] {
        let online = client.wait_for("online");
        assert!(online.contains("SCRAM-SHA-256-PLUS bound"), "{online}");
        client.wait_for("roster 0");
    }
    alice.say(&format!("ask {}\n", address("bob")));
    alice.wait_for("seen bob@example.test");
    bobs.say(&format!("ask {}\n", address("alice")));
    bobs.wait_for("seen alice@example.test");
    bobs.say("stop\n");
    bobs.succeed();
    alice.wait_for("gone bob@example.test");
    let mut bobs = net.client(bob, "bob", Lan::CORE, Tls::Start);
    bobs.wait_for_all(&["roster 1", "seen alice@example.test"]);
    alice.wait_for("seen bob@example.test");
    for mut client in [bobs, alice] {
        client.say("stop\n");
        client.succeed();
    }
}

/// Nobody is there: the call ends by itself, and the caller is told so.
#[test]
fn a_call_to_somebody_offline_ends() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    let verb = ["call", &format!("xmpp:{}", address("bob"))];
    let alice = net.phone(&net.lan.alice, "alice", &verb, Lan::CORE, Tls::Start).start();
    let (code, printed) = alice.finish();
    assert!(matches!(code, Some(13 | 14)), "{code:?}: {printed:?}");
}

#[test]
fn our_clients_chat() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    let chat = |host: &Host, name: &str, with: &str| {
        let verb = ["chat", &format!("xmpp:{}", address(with))];
        net.phone(host, name, &verb, Lan::CORE, Tls::Start).start_talking()
    };
    let mut alice = chat(&net.lan.alice, "alice", "bob");
    let mut bob = chat(&net.lan.bob, "bob", "alice");
    alice.event("registered");
    bob.event("registered");
    alice.say("hello");
    assert_eq!(bob.hears(), "hello");
    bob.say("the same to you");
    assert_eq!(alice.hears(), "the same to you");
    alice.fall_silent();
    alice.succeed();
    bob.fall_silent();
    bob.succeed();
}

/// Our client on Prosody with somebody else's.
#[test]
fn our_client_and_slixmpp_chat() {
    if !slixmpp::is_here(&["prosody", "prosodyctl"]) {
        return;
    }
    let net = Net::new();
    let Lan { alice, bob, .. } = &net.lan;
    let flags = ["--echo"];
    let mut bob = slixmpp::peer(bob, "bob", Lan::CORE, Tls::Start, &net.certificate, &flags);
    bob.wait_for("pinged");
    let verb = ["chat", &format!("xmpp:{}", address("bob"))];
    let mut alice = net.phone(alice, "alice", &verb, Lan::CORE, Tls::Direct).start_talking();
    alice.event("registered");
    alice.say("hello");
    bob.wait_for("heard alice@example.test hello");
    assert_eq!(alice.hears(), "echo: hello");
    alice.fall_silent();
    alice.succeed();
}

/// A wrong password, and a certificate that nobody vouches for.
#[test]
fn our_client_says_why_it_is_not_let_in() {
    if !available_here() {
        return;
    }
    let net = Net::new();
    let verb = ["call", "xmpp:bob@example.test"];
    let stranger = Phone::over("xmpp", &net.lan.alice, "nobody", &verb, Lan::CORE)
        .trusting(&net.certificate.pem());
    let (code, printed) = stranger.start().finish();
    assert_eq!(code, Some(10), "{printed:?}");
    let careful = Phone::over("xmpp", &net.lan.alice, "alice", &verb, Lan::CORE);
    let (code, printed) = careful.start().finish();
    assert_eq!(code, Some(16), "{printed:?}");
    let said = printed.join("\n");
    assert!(said.contains("certificate") && said.contains("sha256:"), "{said}");
}
