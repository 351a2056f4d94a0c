//! tshark reads the demo's capture: nothing in it is malformed, it holds what a call holds, and its
//! sound takes the path that the demo names.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::harness::need::installed;
use crate::harness::process::{Process, bounded};
use crate::harness::program::wayleave;

/// The `fields` of the frames in `capture` that `filter` selects, one list a frame.
fn frames(capture: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut tshark = bounded("tshark");
    tshark.arg("-r").arg(capture).args(["-Y", filter, "-T", "fields", "-E", "separator=,"]);
    for field in ["frame.number"].iter().chain(fields) {
        tshark.args(["-e", field]);
    }
    tshark.args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]);
    // RTP has no number of its own to know it by; with this it is guessed from its shape.
    tshark.args(["--enable-heuristic", "rtp_udp"]);
    let lines = Process::start("tshark", tshark).succeed();
    let rows = lines.iter().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    rows.filter(|row| row[0].parse::<u32>().is_ok()).collect()
}

/// Both ends of every path that the demo's events name, as seen inside the NATs: there, a packet
/// comes from the base.
fn paths(events: &[String]) -> BTreeSet<[String; 2]> {
    let events = events.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let paths = events.filter(|event| event["event"] == "path");
    let end = |event: &Value, name: &str| event[name].as_str().expect("an address").to_owned();
    let ends = paths.map(|event| [end(&event, "base"), end(&event, "remote")]);
    ends.flat_map(|[a, b]| [[a.clone(), b.clone()], [b, a]]).collect()
}

#[test]
fn nothing_in_the_capture_is_malformed() {
    if !installed(&["tshark"]) {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut demo = wayleave(None);
    demo.args(["demo", "--json", "--out"]).arg(out.path());
    let events = Process::start("demo", demo).succeed();
    let capture = out.path().join("call.pcapng");

    for kind in ["sip.Method == \"INVITE\"", "stun.type == 0x0001", "stun.type == 0x0101"] {
        assert!(!frames(&capture, kind, &[]).is_empty(), "no frame is {kind}");
    }
    let bad = "_ws.malformed || _ws.short || _ws.expert.severity == Error \
               || ip.checksum.status == Bad || udp.checksum.status == Bad";
    assert_eq!(frames(&capture, bad, &["_ws.expert.message"]), Vec::<Vec<String>>::new());

    let ends = frames(&capture, "rtp", &["ip.src", "udp.srcport", "ip.dst", "udp.dstport"]);
    let at = |ip: &str, port: &str| format!("{ip}:{port}");
    let heard: BTreeSet<[String; 2]> =
        ends.iter().map(|row| [at(&row[1], &row[2]), at(&row[3], &row[4])]).collect();
    assert_eq!(heard, paths(&events));
}
