//! The demo, whose world is simulated: all that it promises holds to the byte.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::pcap::udp_packets;
use crate::program::{events, run, stderr};
use crate::sound::{ALICE, BOB, compare, write};

pub(crate) struct Demo {
    pub(crate) code: Option<i32>,
    pub(crate) events: Vec<Value>,
    pub(crate) said: String,
}

impl Demo {
    /// The event of this name that happened to `who`.
    pub(crate) fn event(&self, name: &str, who: &str) -> &Value {
        let found = |event: &&Value| event["event"] == name && event["who"] == who;
        self.events.iter().rfind(found).unwrap_or_else(|| panic!("no {name}: {}", self.said))
    }
}

/// Runs it with files into `out`.
pub(crate) fn demo(out: &Path, more: &[&str]) -> Demo {
    let args = ["--json", "demo", "--out", out.to_str().unwrap()];
    let output = run(&[&args, more].concat(), out, "");
    Demo { code: output.status.code(), events: events(&output), said: stderr(&output) }
}

#[test]
fn alice_talks_to_bob_through_two_nats() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let told = demo(out, &[]);
    assert_eq!(told.code, Some(0), "{}", told.said);
    for (voice, said, heard) in
        [(ALICE, "a.wav", "bob-heard.wav"), (BOB, "b.wav", "alice-heard.wav")]
    {
        fs::write(out.join(said), voice).unwrap();
        assert_eq!(compare(&out.join(said), &out.join(heard)), Ok(()));
    }
    for who in ["alice", "bob"] {
        let path = told.event("path", who);
        assert_eq!(path["relayed"], false);
        assert_ne!(path["local"], path["base"], "there is a NAT in between");
        assert!((40.0..60.0).contains(&path["rtt_ms"].as_f64().unwrap()), "{path}");
        let media = told.event("media", who);
        assert_eq!(media["lost"], 0);
        assert!(media["mos"].as_f64().unwrap() > 4.0);
    }
    let without = told.events.iter().find(|event| event["event"] == "without_ice").unwrap();
    assert_eq!((&without["bob_received"], &without["alice_received"]), (&0.into(), &0.into()));
    let ladder = fs::read_to_string(out.join("ladder.txt")).unwrap();
    for word in ["INVITE", "200 OK", "check, nominating", "media", "BYE"] {
        assert!(ladder.contains(word), "no {word} in {ladder}");
    }
}

#[test]
fn the_path_is_the_one_that_the_capture_shows() {
    let folder = tempfile::tempdir().unwrap();
    let told = demo(folder.path(), &[]);
    let capture = fs::read(folder.path().join("call.pcapng")).unwrap();
    let media: BTreeSet<(String, String)> = udp_packets(&capture)
        .filter(|packet| is_rtp(&packet.payload))
        .map(|packet| (packet.source.to_string(), packet.destination.to_string()))
        .collect();
    let mut named = BTreeSet::new();
    for who in ["alice", "bob"] {
        let path = told.event("path", who);
        let text = |name: &str| path[name].as_str().unwrap().to_owned();
        // As seen at the host: out to the remote, and in to the base behind the NAT.
        named.insert((text("base"), text("remote")));
        named.insert((text("remote"), text("base")));
        let reached = media.iter().filter(|(source, _)| *source == text("base"));
        assert_eq!(reached.count(), 1, "all of {who}'s media take one way");
    }
    // Media that came before the path was chosen came on it as well.
    assert_eq!(media, named);
}

/// RTP by its first byte and a payload type of G.711 (RFC 7983, RFC 3551).
fn is_rtp(payload: &[u8]) -> bool {
    matches!(payload, [0x80..=0xbf, kind, ..] if matches!(kind & 0x7f, 0 | 8))
}

#[test]
fn the_same_seed_gives_the_same_files() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    for (folder, seed) in folders.iter().zip(["5", "5", "6"]) {
        let loss = ["--loss", "2", "--seed", seed];
        assert_eq!(demo(folder.path(), &loss).code, Some(0));
    }
    let read = |n: usize, name: &str| fs::read(folders[n].path().join(name)).unwrap();
    for name in ["bob-heard.wav", "alice-heard.wav", "call.pcapng", "ladder.txt", "signalling.txt"]
    {
        assert!(read(0, name) == read(1, name), "{name} differs");
    }
    assert!(read(0, "call.pcapng") != read(2, "call.pcapng"));
}

#[test]
fn any_usual_wav_can_be_said() {
    for (rate, channels) in [(8000, 1), (8000, 2), (16_000, 1), (44_100, 2), (48_000, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let said = folder.path().join("said.wav");
        write(&said, ALICE, 5000, rate, channels);
        let told = demo(folder.path(), &["--play", said.to_str().unwrap()]);
        assert_eq!(told.code, Some(0), "{}", told.said);
        let heard = compare(&said, &folder.path().join("bob-heard.wav"));
        assert_eq!(heard, Ok(()), "{rate} Hz, {channels} channels");
    }
}

#[test]
fn loss_in_one_direction_is_heard_in_that_direction_alone() {
    let folder = tempfile::tempdir().unwrap();
    let told = demo(folder.path(), &["--loss", "8,0"]);
    assert_eq!(told.code, Some(0), "{}", told.said);
    let number = |who: &str, what: &str| told.event("media", who)[what].as_f64().unwrap();
    assert!(number("bob", "lost") > 0.0 && number("bob", "mos") < 4.0);
    assert!(number("alice", "lost") == 0.0 && number("alice", "mos") > 4.2);
}

#[test]
fn distance_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let told = demo(folder.path(), &["--rtt", "200", "--alice", "open", "--bob", "full-cone"]);
    assert_eq!(told.code, Some(0), "{}", told.said);
    let rtt = told.event("path", "alice")["rtt_ms"].as_f64().unwrap();
    assert!((200.0..240.0).contains(&rtt), "{rtt}");
}

#[test]
fn nats_that_need_a_relay_fail_and_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let told = demo(folder.path(), &["--alice", "symmetric", "--bob", "symmetric", "--no-turn"]);
    assert_eq!(told.code, Some(15), "{}", told.said);
    for words in ["no path for the media", "relay (TURN)", "each destination"] {
        assert!(told.said.contains(words), "no {words:?} in {}", told.said);
    }
    let explained = told.event("explain", "alice");
    assert!(!explained["causes"].as_array().unwrap().is_empty());
    assert!(!explained["remedies"].as_array().unwrap().is_empty());
    assert!(folder.path().join("call.pcapng").is_file(), "there is something to look at");
    // The axes say the same as the preset.
    let axes = "mapping=apd,filtering=apd,ports=random";
    let same = demo(folder.path(), &["--alice", axes, "--bob", "symmetric", "--no-turn"]);
    assert_eq!(same.code, Some(15), "{}", same.said);
}

#[test]
fn nats_that_need_a_relay_get_one_and_are_told_why() {
    for (alice, bob, transports) in [
        ("symmetric", "symmetric", ["udp", "udp"]),
        ("udp-blocked", "port-restricted", ["tcp", "udp"]),
        ("symmetric", "udp-blocked", ["udp", "tcp"]),
        ("udp-blocked", "udp-blocked", ["tcp", "tcp"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path();
        let told = demo(out, &["--alice", alice, "--bob", bob]);
        assert_eq!(told.code, Some(0), "{}", told.said);
        for (voice, said, heard) in
            [(ALICE, "a.wav", "bob-heard.wav"), (BOB, "b.wav", "alice-heard.wav")]
        {
            fs::write(out.join(said), voice).unwrap();
            assert_eq!(compare(&out.join(said), &out.join(heard)), Ok(()), "{alice} {bob}");
        }
        let report = fs::read(out.join("report.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!((&report["connected"], &report["relayed"]), (&true.into(), &true.into()));
        for (who, transport) in ["alice", "bob"].into_iter().zip(transports) {
            let (path, explained) = (told.event("path", who), told.event("explain", who));
            for fields in [path, explained, &report[who]["path"], &report[who]["explain"]] {
                assert_eq!(fields["relayed"], true, "{fields}");
                let kinds = [&fields["local_type"], &fields["remote_type"]];
                assert!(kinds.contains(&&"relay".into()), "{fields}");
            }
            // Over what it leaves the host is the relay's affair only where the relay is one's own.
            if path["local_type"] == "relay" {
                assert_eq!(path["transport"], transport, "{alice} {bob}: {path}");
            }
            let causes = explained["causes"].as_array().unwrap();
            assert!(causes[0].as_str().unwrap().contains(alice), "{causes:?}");
            assert!(causes[1].as_str().unwrap().contains(bob), "{causes:?}");
            assert!(!explained["remedies"].as_array().unwrap().is_empty());
            let media = told.event("media", who);
            assert_eq!(media["lost"], 0, "{alice} {bob}");
            assert!(media["mos"].as_f64().unwrap() > 4.0, "{alice} {bob}: {media}");
        }
        for words in ["Relayed", "to the relay 130.79.200.22:3478 over", "Would have helped"] {
            assert!(told.said.contains(words), "no {words:?} in {}", told.said);
        }
        let ladder = fs::read_to_string(out.join("ladder.txt")).unwrap();
        for word in ["Allocate", "CreatePermission", "ChannelBind", "media", "(chan", "release"] {
            assert!(ladder.contains(word), "no {word} in {ladder}");
        }
    }
}

#[test]
fn what_is_not_built_yet_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [["--alice", "web-only"], ["--bob", "cgn"]] {
        let told = demo(folder.path(), &flags);
        assert_eq!(told.code, Some(2), "{flags:?}: {}", told.said);
        let error = &told.events[0];
        assert!(error["message"].as_str().unwrap().contains("not built yet"), "{error}");
    }
    let told = demo(folder.path(), &["--play", "/nowhere.wav"]);
    assert!(told.said.contains("/nowhere.wav"), "{}", told.said);
    assert_eq!(told.code, Some(2));
}
