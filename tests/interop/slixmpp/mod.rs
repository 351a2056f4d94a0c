//! slixmpp, an XMPP client in Python, against our core: it logs in by every mechanism over STARTTLS and
//! direct TLS, sees who is there, and chats with its like and with our own client.
//!
//! `install.sh` makes a virtual environment for it; [`PEER`] tells what it sees, a line each.

use std::path::{Path, PathBuf};

use crate::harness::certificate::Certificate;
use crate::harness::need::available;
use crate::harness::net::{Host, Lan};
use crate::harness::process::Process;
use crate::harness::program::{Core, DOMAIN, Phone, address};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/slixmpp/peer.py");

/// How a client comes to be under TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    Start,
    Direct,
}

/// The Python of the virtual environment that `install.sh` makes.
pub(crate) fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/interop/slixmpp/bin/python")
}

/// Whether the tests can run here.
pub(crate) fn is_here(programs: &[&str]) -> bool {
    let python = python();
    let python = python.to_str().expect("a path in UTF-8");
    available(&[&["ip", python], programs].concat())
}

/// A slixmpp that is to be started on `host`, as `name` of the server at `server`.
pub(crate) fn peer(
    host: &Host,
    name: &str,
    server: &str,
    tls: Tls,
    certificate: &Certificate,
    flags: &[&str],
) -> Process {
    let (port, tls) = match tls {
        Tls::Start => ("5222", "starttls"),
        Tls::Direct => ("5223", "direct"),
    };
    let python = python();
    let mut command = host.command(python.to_str().expect("a path in UTF-8"));
    command.args([PEER, &format!("{}/slixmpp", address(name)), server, port]);
    command.arg(certificate.pem()).arg(tls).args(flags);
    Process::start(name, command)
}

/// A core that shows `certificate`, with Alice and Bob.
fn core(lan: &Lan, certificate: &Certificate) -> Core {
    let file = |key: &str, path: PathBuf| format!("tls.{key}={:?}", path.display().to_string());
    let (pem, key) = (file("certificate", certificate.pem()), file("key", certificate.key()));
    let flags = ["--set", &pem, "--set", &key];
    let core = Core::start_with(&lan.core, &[Lan::CORE, Lan::CORE_V6], &flags);
    core.add_users(&["alice", "bob"]);
    core
}

/// What every test begins with.
fn network() -> (Lan, Certificate, Core) {
    let (lan, certificate) = (Lan::new(), Certificate::new(DOMAIN));
    let core = core(&lan, &certificate);
    (lan, certificate, core)
}

#[test]
fn two_log_in_see_each_other_and_chat() {
    if !is_here(&[]) {
        return;
    }
    let (lan, certificate, core) = network();
    let mut bob = peer(&lan.bob, "bob", Lan::CORE, Tls::Start, &certificate, &["--echo"]);
    let online = bob.wait_for("online");
    assert!(online.contains("SCRAM-SHA-256 TLSv1.3"), "{online}");
    bob.wait_for("pinged");
    let flags = ["--befriend", &address("bob"), "--say", "héllo ☎", "--until", "echo: héllo ☎"];
    let mut alice = peer(&lan.alice, "alice", Lan::CORE_V6, Tls::Direct, &certificate, &flags);
    alice.wait_for_all(&["server", "error item-not-found", "seen bob@example.test"]);
    alice.succeed();
    bob.wait_for_all(&["seen alice@example.test", "gone alice@example.test"]);
    // What was agreed on is still so when she comes back.
    let mut alice = peer(&lan.alice, "alice", Lan::CORE, Tls::Start, &certificate, &[]);
    alice.wait_for_all(&["roster 1", "seen bob@example.test"]);
    bob.wait_for("seen alice@example.test");
    core.stop();
}

/// Every mechanism that slixmpp can do. Its `-PLUS` ones need Python's `ssl`, which has `tls-unique`
/// alone, and that is not for TLS 1.3 (RFC 9266): channel binding is shown with Prosody.
#[test]
fn every_mechanism_lets_in() {
    if !is_here(&[]) {
        return;
    }
    let (lan, certificate, core) = network();
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"] {
        for tls in [Tls::Start, Tls::Direct] {
            let flags = ["--mechanism", mechanism];
            let mut peer = peer(&lan.alice, "alice", Lan::CORE, tls, &certificate, &flags);
            let online = peer.wait_for("online");
            assert!(online.contains(mechanism), "{online}");
        }
    }
    core.stop();
}

/// A wrong password and a user who does not exist look alike.
#[test]
fn nobody_else_is_let_in() {
    if !is_here(&[]) {
        return;
    }
    let (lan, certificate, core) = network();
    let refused = |name: &str, flags: &[&str]| {
        let peer = peer(&lan.alice, name, Lan::CORE, Tls::Start, &certificate, flags);
        let (code, printed) = peer.finish();
        assert_eq!(code, Some(10), "{printed:?}");
        printed.into_iter().filter(|line| line.starts_with("refused")).collect::<Vec<_>>()
    };
    let wrong = refused("alice", &["--password", "wrong"]);
    assert!(wrong.first().is_some_and(|line| line == "refused not-authorized"), "{wrong:?}");
    assert_eq!(refused("nobody", &[]), wrong);
    core.stop();
}

/// Our `chat` with slixmpp, both ways.
#[test]
fn chats_with_our_client() {
    if !is_here(&[]) {
        return;
    }
    let (lan, certificate, core) = network();
    let mut bob = peer(&lan.bob, "bob", Lan::CORE, Tls::Start, &certificate, &["--echo"]);
    bob.wait_for("pinged");
    let verb = ["chat", &format!("xmpp:{}", address("bob"))];
    let mut alice = Phone::over("xmpp", &lan.alice, "alice", &verb, Lan::CORE)
        .trusting(&certificate.pem())
        .start_talking();
    alice.event("registered");
    alice.say("is anybody <there> & well?");
    bob.wait_for("heard alice@example.test is anybody <there> & well?");
    assert_eq!(alice.hears(), "echo: is anybody <there> & well?");
    alice.fall_silent();
    alice.succeed();
    core.stop();
}
