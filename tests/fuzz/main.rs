//! Replays every seed of `fuzz/seeds/` through the body of its fuzz target, so that what fuzzing once
//! found stays found, without libFuzzer.

use std::fs;
use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "public to the fuzz targets")]
mod targets;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry.expect("a folder can be read").file_name().to_string_lossy().into_owned()
        })
        .collect();
    names.sort();
    names
}

/// How many variants of each seed are tried, besides the seed itself.
const VARIANTS: usize = 200;

/// Runs `body` over the seeds of `target`; each as it is, cut short, and with a byte changed.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = fuzz().join("seeds").join(target);
    let seeds = names(&folder);
    assert!(!seeds.is_empty(), "{target} has seeds");
    for seed in seeds {
        println!("{target}/{seed}");
        let bytes = fs::read(folder.join(&seed)).expect("a seed can be read");
        assert!(bytes.len() <= 4096, "{target}/{seed} is small");
        body(&bytes);
        for cut in (0..bytes.len()).step_by(1 + bytes.len() / VARIANTS) {
            body(&bytes[..cut]);
            let mut changed = bytes.clone();
            changed[cut] = changed[cut].wrapping_add(1);
            body(&changed);
        }
    }
}

/// Declares a test for each target, and the list of them.
macro_rules! targets {
    ($($target:ident),* $(,)?) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target), targets::$target::run);
        })*

        const TARGETS: &[&str] = &[$(stringify!($target)),*];
    };
}

targets! {
    call_sdp,
    ice_agent,
    jingle,
    phone,
    portmap,
    rtp_session,
    sdp_description,
    server,
    sip_message,
    sip_stream,
    stun_message,
    turn,
    xmpp_stream,
}

#[test]
fn every_target_has_its_test_and_every_seed_its_target() {
    let binaries = names(&fuzz().join("src/bin"));
    let binaries: Vec<&str> = binaries.iter().map(|name| name.trim_end_matches(".rs")).collect();
    assert_eq!(binaries, TARGETS);
    assert_eq!(names(&fuzz().join("seeds")), TARGETS);
}
