//! tshark reads the demo's capture: nothing in it is malformed, and it holds what a call holds.

use crate::harness::need::installed;
use crate::harness::process::{Process, bounded};
use crate::harness::program::wayleave;

/// What tshark finds in `capture` that `filter` selects, one line a frame.
fn frames(capture: &std::path::Path, filter: &str) -> Vec<String> {
    let mut tshark = bounded("tshark");
    tshark.arg("-r").arg(capture).args(["-Y", filter, "-T", "fields", "-e", "frame.number"]);
    tshark.args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]);
    // RTP has no number of its own to know it by; with this it is guessed from its shape.
    tshark.args(["--enable-heuristic", "rtp_udp"]);
    let lines = Process::start("tshark", tshark).succeed();
    lines.into_iter().filter(|line| line.parse::<u32>().is_ok()).collect()
}

#[test]
fn nothing_in_the_capture_is_malformed() {
    if !installed(&["tshark"]) {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let mut demo = wayleave(None);
    demo.arg("demo").arg("--out").arg(out.path());
    Process::start("demo", demo).succeed();
    let capture = out.path().join("call.pcapng");
    for kind in ["sip.Method == \"INVITE\"", "stun.type == 0x0001", "stun.type == 0x0101", "rtp"] {
        assert!(!frames(&capture, kind).is_empty(), "no frame is {kind}");
    }
    let bad =
        "_ws.malformed || _ws.short || ip.checksum.status == Bad || udp.checksum.status == Bad";
    assert_eq!(frames(&capture, bad), Vec::<String>::new(), "malformed frames");
}
