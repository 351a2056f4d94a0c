//! The demo over XMPP, and over both: the same story with another ladder.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::demo::{Demo, demo};
use crate::sound::{ALICE, BOB, compare};

fn assert_heard(out: &Path, mark: &str) {
    for (voice, said, heard) in [(ALICE, "a.wav", "bob-heard"), (BOB, "b.wav", "alice-heard")] {
        fs::write(out.join(said), voice).unwrap();
        let heard = out.join(format!("{heard}{mark}.wav"));
        assert_eq!(compare(&out.join(said), &heard), Ok(()), "{heard:?}");
    }
}

fn read(out: &Path, name: &str) -> String {
    fs::read_to_string(out.join(name)).unwrap()
}

/// Whether these stand in the text in this order.
fn in_order(text: &str, words: &[&str]) -> Result<(), String> {
    let mut rest = text;
    for word in words {
        let at = rest.find(word).ok_or_else(|| format!("no {word:?} in its place in\n{text}"))?;
        rest = &rest[at + word.len()..];
    }
    Ok(())
}

/// What a person reads in the ladder of a call by Jingle.
const JINGLE: [&str; 15] = [
    "make themselves reachable",
    "stream to example.org",
    "features: STARTTLS",
    "STARTTLS",
    "TLS: hello",
    "auth SCRAM-SHA-256-PLUS",
    "authenticated",
    "bound alice@example.org/orchard",
    "presence: here",
    "Alice calls Bob",
    "session-initiate",
    "session-info: ringing",
    "session-accept",
    "media",
    "session-terminate: success",
];

#[test]
fn alice_calls_bob_over_xmpp() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let told = demo(out, &["--via", "xmpp"]);
    assert_eq!(told.code, Some(0), "{}", told.said);
    assert_heard(out, "");
    for who in ["alice", "bob"] {
        let registered = told.event("registered", who);
        assert_eq!((&registered["via"], &registered["transport"]), (&"xmpp".into(), &"tls".into()));
        let path = told.event("path", who);
        assert_eq!((&path["relayed"], &path["via"]), (&false.into(), &"xmpp".into()));
        assert!((40.0..60.0).contains(&path["rtt_ms"].as_f64().unwrap()), "{path}");
        let media = told.event("media", who);
        assert!(media["lost"] == 0 && media["mos"].as_f64().unwrap() > 4.0, "{media}");
    }
    let without = told.events.iter().find(|event| event["event"] == "without_ice").unwrap();
    assert_eq!((&without["bob_received"], &without["alice_received"]), (&0.into(), &0.into()));
    let ladder = read(out, "ladder.txt");
    assert_eq!(in_order(&ladder, &JINGLE), Ok(()));
    assert!(ladder.contains("candidate") && ladder.contains("check, nominating"), "{ladder}");
    assert!(!ladder.contains("INVITE") && !ladder.contains('…'), "nothing is cut short: {ladder}");
    // What was said is there in full, but for what logs in.
    let said = read(out, "signalling.txt");
    for words in ["<jingle xmlns='urn:xmpp:jingle:1'", "action='session-initiate'", "<reason>"] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    assert!(!said.contains("<auth") && !said.contains("<response"), "{said}");
}

#[test]
fn both_tell_the_same_story_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let told = demo(out, &["--via", "sip,xmpp"]);
    assert_eq!(told.code, Some(0), "{}", told.said);
    assert_heard(out, "");
    assert_heard(out, "-xmpp");
    for name in ["call.pcapng", "call-xmpp.pcapng"] {
        assert!(out.join(name).is_file());
    }
    // Both in one file, a call's beginning on one line.
    let ladder = read(out, "ladder.txt");
    let beginning = ladder.lines().find(|line| line.contains("Alice calls Bob")).unwrap();
    for both in [" 0.000 ", "Alice calls Bob"] {
        assert_eq!(beginning.matches(both).count(), 2, "{ladder}");
    }
    assert!(ladder.contains("INVITE + SDP"), "{ladder}");
    assert_eq!(in_order(&ladder, &JINGLE), Ok(()));
    // The terminal shows them too, and what each takes.
    let words = ["Over SIP", "Over XMPP", "session-initiate", "What it takes", "round trips"];
    assert_eq!(in_order(&told.said, &words), Ok(()));
    // Each result says of which call it is.
    let words = [
        "The path that won, and why, over SIP",
        "What was heard, over SIP",
        "The NATs' tables while they spoke, over SIP",
        "The path that won, and why, over XMPP",
        "What was heard, over XMPP",
        "The NATs' tables while they spoke, over XMPP",
        "what Bob heard of Alice (over SIP)",
        "what Bob heard of Alice (over XMPP)",
    ];
    assert_eq!(in_order(&told.said, &words), Ok(()));
    both_are_reported(&told, &serde_json::from_str(&read(out, "report.json")).unwrap());
}

fn both_are_reported(told: &Demo, report: &Value) {
    for (at, via) in ["sip", "xmpp"].into_iter().enumerate() {
        let call = &report["calls"][at];
        assert_eq!((&call["via"], &call["connected"]), (&via.into(), &true.into()));
        for step in ["reachable", "ringing", "answered"] {
            assert!(call["signalling"][step]["round_trips"].as_f64().unwrap() >= 1.0, "{call}");
        }
        assert!(call["signalling"]["messages"]["call"].as_u64().unwrap() > 5, "{call}");
        assert!(call["alice"]["quality"].as_array().unwrap().len() > 3, "{call}");
        for name in ["registered", "path", "media", "ended", "explain", "without_ice", "candidate"]
        {
            let of = |event: &&Value| event["event"] == name && event["via"] == via;
            assert!(told.events.iter().any(|event| of(&event)), "no {name} over {via}");
        }
    }
    // What scripts read before there were two is the first's.
    assert_eq!(
        (&report["v"], &report["via"], &report["connected"]),
        (&1.into(), &"sip".into(), &true.into())
    );
    for field in ["local_type", "remote_type", "relayed", "transport"] {
        let of = |at: usize| &report["calls"][at]["alice"]["path"][field];
        assert_eq!(of(0), of(1), "{field}");
    }
}

#[test]
fn the_same_seed_gives_the_same_files_over_both() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for folder in &folders {
        let flags = ["--via", "xmpp,sip", "--loss", "2", "--seed", "5"];
        assert_eq!(demo(folder.path(), &flags).code, Some(0));
    }
    for name in ["call.pcapng", "call-sip.pcapng", "ladder.txt", "signalling.txt", "report.json"] {
        let [one, two] = [0, 1].map(|at| fs::read(folders[at].path().join(name)).unwrap());
        assert!(one == two, "{name} differs");
    }
}

#[test]
fn a_relay_over_xmpp_and_no_way_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let nats = ["--via", "xmpp", "--alice", "udp-blocked", "--bob", "symmetric"];
    let told = demo(out, &nats);
    assert_eq!(told.code, Some(0), "{}", told.said);
    assert_heard(out, "");
    let path = told.event("path", "alice");
    assert_eq!((&path["relayed"], &path["transport"]), (&true.into(), &"tcp".into()), "{path}");
    let told = demo(out, &[&nats[..], &["--no-turn"]].concat());
    assert_eq!(told.code, Some(15), "{}", told.said);
    for words in ["no path for the media", "relay (TURN)"] {
        assert!(told.said.contains(words), "no {words:?} in {}", told.said);
    }
}

#[test]
fn another_protocol_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for via in ["h323", "sip,sip", ""] {
        let told = demo(folder.path(), &["--via", via]);
        assert_eq!(told.code, Some(2), "{via}: {}", told.said);
    }
}
