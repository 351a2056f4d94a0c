//! Calls on real sockets, and what is heard.

use std::net::{Ipv6Addr, UdpSocket};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::program::{End, Stage};
use crate::sound::{ALICE, BOB, compare, write};

/// How long the voices of these calls speak.
const SPOKEN_MS: usize = 3000;

/// How often a call is tried until the sound is as it should be: sound keeps real time, and a
/// machine that is busy with other tests may not.
const ATTEMPTS: usize = 5;

/// Sound is compared one call at a time, for the same reason.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn over_udp() {
    call("127.0.0.1", &[]);
}

#[test]
fn over_tcp() {
    call("127.0.0.1", &["--transport", "tcp"]);
}

#[test]
fn without_ice() {
    call("127.0.0.1", &["--ice", "off"]);
}

#[test]
fn over_tcp_without_ice() {
    call("127.0.0.1", &["--transport", "tcp", "--ice", "off"]);
}

#[test]
fn over_ipv6() {
    if has_ipv6() {
        call("::1", &[]);
        call("::1", &["--transport", "tcp"]);
    }
}

#[test]
fn over_ipv6_without_ice() {
    if has_ipv6() {
        call("::1", &["--ice", "off"]);
        call("::1", &["--transport", "tcp", "--ice", "off"]);
    }
}

/// A machine without IPv6 is not at fault, and says why it tests less.
pub(crate) fn has_ipv6() -> bool {
    let has = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        eprintln!("skipped: this machine has no IPv6");
    }
    has
}

/// Alice calls Bob through a core at `listen`, both with `flags`; both speak, both are heard, and no
/// relay is in between.
fn call(listen: &str, flags: &[&str]) {
    let stage = Stage::at(listen, &[]);
    let (alice, bob) = speak(&stage, flags, flags);
    let transport = if flags.contains(&"tcp") { "tcp" } else { "udp" };
    assert_eq!(alice.event("registered")["transport"], transport);
    check_paths(alice.event("path"), bob.event("path"), flags.contains(&"off"));
}

/// Alice calls Bob, each with flags of their own; both speak, both are heard.
pub(crate) fn speak(stage: &Stage, alice_flags: &[&str], bob_flags: &[&str]) -> (End, End) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let [said, heard, bob_said, bob_heard] =
        ["alice.wav", "alice-heard.wav", "bob.wav", "bob-heard.wav"].map(|name| stage.file(name));
    write(&said, ALICE, SPOKEN_MS, 16_000, 1);
    write(&bob_said, BOB, SPOKEN_MS, 8_000, 1);
    let text = |path: &'static str| stage.file(path).to_str().unwrap().to_owned();
    let (mut attempts, scheme) = (0, stage.scheme);
    loop {
        attempts += 1;
        let (play, record) = (text("bob.wav"), text("bob-heard.wav"));
        let more = [bob_flags, &["--once", "--play", &play, "--record", &record]].concat();
        let bob = stage.answer("bob", &more);
        let (play, record) = (text("alice.wav"), text("alice-heard.wav"));
        let more =
            [alice_flags, &["--play", &play, "--record", &record, "--duration", "4s"]].concat();
        let alice = stage.call(&format!("{scheme}:bob@localhost"), "alice", &more).end();
        let bob = bob.end();
        assert_eq!((alice.code, bob.code), (Some(0), Some(0)), "{alice:#?}\n{bob:#?}");
        assert_eq!(alice.event("ended")["by"], "us");
        assert_eq!(bob.event("ended")["by"], "them");
        let from = bob.event("incoming")["from"].as_str().unwrap();
        assert!(from.starts_with(&format!("{scheme}:alice@localhost")), "{from}");
        assert!(alice.said.contains("not encrypted"), "{}", alice.said);
        let sound = both(&said, &bob_heard).and(both(&bob_said, &heard));
        if sound.is_ok() {
            return (alice, bob);
        }
        assert!(attempts < ATTEMPTS, "{sound:?}");
    }
}

fn both(said: &Path, heard: &Path) -> Result<(), String> {
    compare(said, heard).map_err(|differs| format!("{}: {differs}", heard.display()))
}

/// The two sides' paths are one.
pub(crate) fn check_paths(alice: &Value, bob: &Value, plain: bool) {
    assert_eq!((&alice["local"], &alice["remote"]), (&bob["remote"], &bob["local"]));
    for path in [alice, bob] {
        assert_eq!((&path["relayed"], &path["transport"]), (&false.into(), &"udp".into()));
        assert_eq!(path["base"], path["local"], "there is no NAT on this machine");
        if plain {
            assert_eq!((&path["local_type"], &path["remote_type"]), (&Value::Null, &Value::Null));
            assert_eq!(path["rtt_ms"], Value::Null);
        } else {
            let types = (&path["local_type"], &path["remote_type"]);
            assert_eq!(types, (&"host".into(), &"host".into()));
            assert!(path["rtt_ms"].as_f64().unwrap() > 0.0);
            assert!(path["pairs_tried"].as_u64().unwrap() >= 1);
            assert!(path["checks_sent"].as_u64().unwrap() >= 1);
        }
    }
}

#[test]
fn why_it_took_its_path_is_told_when_asked() {
    let stage = Stage::set();
    let bob = stage.answer("bob", &["--once"]);
    let alice = stage.call("bob@localhost", "alice", &["--duration", "500ms", "--explain"]).end();
    assert_eq!((alice.code, bob.end().code), (Some(0), Some(0)));
    let explained = alice.event("explain");
    assert!(explained["verdict"].as_str().unwrap().starts_with("Connected directly"));
    assert!(!explained["causes"].as_array().unwrap().is_empty());
}

#[test]
fn the_called_side_may_limit_calls_and_take_one_after_the_other() {
    let stage = Stage::set();
    let record = stage.file("heard.wav");
    let bob = stage.answer("bob", &["--duration", "500ms", "--record", record.to_str().unwrap()]);
    for _ in 0..2 {
        let alice = stage.call("bob@localhost", "alice", &[]).end();
        assert_eq!(alice.code, Some(0), "{alice:#?}");
        assert_eq!(alice.event("ended")["by"], "them");
    }
    let bob = bob.stop("INT");
    assert_eq!(bob.code, Some(130));
    assert_eq!(bob.events.iter().filter(|event| event["event"] == "ended").count(), 2);
    assert!(record.is_file() && stage.file("heard-2.wav").is_file());
}

#[test]
fn a_core_that_restarts_remembers_who_is_registered() {
    let mut stage = Stage::set();
    let bob = stage.answer("bob", &["--once"]);
    let listen = stage.core.address("sip", "udp");
    stage.restart(&listen);
    let alice = stage.call("bob@localhost", "alice", &["--duration", "500ms"]).end();
    assert_eq!(alice.code, Some(0), "{alice:#?}");
    let bob = bob.end();
    assert_eq!(bob.code, Some(0), "{bob:#?}");
    let registered = bob.events.iter().filter(|event| event["event"] == "registered").count();
    assert_eq!(registered, 1, "Bob was called by what the core knew from before");
}
