//! Chromium shows the demo's page: at two widths, by daylight and at night, nothing sticks out, nothing
//! is complained about, and the sound can be played.

use std::path::Path;

use serde_json::Value;

use crate::harness::need::installed;
use crate::harness::process::{Process, bounded};
use crate::harness::program::wayleave;

/// The page in a frame, whose width is that of a window, and what there is to know of it.
const PROBE: &str = r#"<!doctype html>
<meta charset="utf-8"><meta name="color-scheme" content="light dark">
<iframe id="page" width="WIDTH" height="900" style="border: 0" src="report.html"></iframe>
<script>
const look = () => {
  const view = page.contentWindow, root = view.document.documentElement;
  const out = [...view.document.body.querySelectorAll("*")].filter((element) =>
    element.getBoundingClientRect().right > view.innerWidth + 1 && !element.closest(".window, pre, .hidden, .skip"));
  return {
    width: view.innerWidth, wants: root.scrollWidth,
    out: out.map((element) => element.outerHTML.slice(0, 80)),
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    ground: view.getComputedStyle(view.document.body).backgroundColor,
    ladders: [...view.document.querySelectorAll("svg.ladder")].filter((svg) => svg.getBoundingClientRect().width > 0).length,
    sounds: [...view.document.querySelectorAll("audio")].map((audio) => Math.round(audio.duration) || 0),
    headings: view.document.querySelectorAll("h2").length,
  };
};
const wait = (tries) => {
  const seen = look();
  if (tries > 0 && seen.sounds.includes(0)) setTimeout(wait, 100, tries - 1);
  else document.body.append("probe " + JSON.stringify(seen) + " end");
};
onload = () => wait(50);
</script>
"#;

/// What Chromium makes of the page in `folder`, in a window of this width.
fn look(folder: &Path, width: u32, dark: bool) -> Value {
    let probe = folder.join("probe.html");
    std::fs::write(&probe, PROBE.replace("WIDTH", &width.to_string())).expect("the probe");
    let mut chromium = bounded("chromium");
    chromium.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    chromium.arg(format!("--user-data-dir={}", folder.join("chromium").display()));
    chromium.args(["--allow-file-access-from-files", "--enable-logging=stderr"]);
    chromium.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)));
    chromium.args(["--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom"]);
    chromium.arg(format!("file://{}", probe.display()));
    let printed = Process::start("chromium", chromium).succeed();
    let said: Vec<&String> = printed.iter().filter(|line| line.contains("CONSOLE")).collect();
    assert!(said.is_empty(), "{said:#?}");
    let seen = printed.iter().find_map(|line| line.split_once("probe {")?.1.rsplit_once("} end"));
    let seen = seen.unwrap_or_else(|| panic!("no probe in {printed:#?}")).0;
    // What the page is made of comes back escaped.
    let seen = seen.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&format!("{{{seen}}}")).unwrap_or_else(|e| panic!("{e}: {seen}"))
}

/// The demo with these flags, and its page as Chromium sees it.
fn shows(flags: &[&str], exit: i32, sounds: usize) {
    let out = tempfile::tempdir().expect("a folder");
    let mut demo = wayleave(None);
    demo.args(["demo", "--json", "--out"]).arg(out.path()).args(flags);
    let (code, printed) = Process::start("demo", demo).finish();
    assert_eq!(code, Some(exit), "{}", printed.join("\n"));
    for width in [390, 1280] {
        let looks = [false, true].map(|dark| {
            let seen = look(out.path(), width, dark);
            assert_eq!((&seen["width"], &seen["dark"]), (&width.into(), &dark.into()), "{seen}");
            assert!(seen["wants"].as_u64() <= Some(width.into()), "{flags:?}: {seen}");
            assert_eq!(seen["out"], Value::Array(Vec::new()), "{flags:?}: {seen}");
            assert!(seen["ladders"].as_u64() >= Some(1), "{seen}");
            assert!(seen["headings"].as_u64() >= Some(7), "{seen}");
            let heard = seen["sounds"].as_array().expect("a list");
            assert_eq!(heard.len(), sounds, "{seen}");
            assert!(heard.iter().all(|secs| secs.as_u64() >= Some(5)), "{seen}");
            seen["ground"].clone()
        });
        assert_ne!(looks[0], looks[1], "day and night look alike");
    }
}

#[test]
fn the_page_of_a_direct_call() {
    if installed(&["chromium"]) {
        shows(&[], 0, 2);
    }
}

#[test]
fn the_page_of_a_relayed_call_through_many_boxes() {
    if installed(&["chromium"]) {
        shows(&["--alice", "symmetric-then-cone", "--bob", "udp-blocked"], 0, 2);
    }
}

#[test]
fn the_page_of_a_call_that_failed() {
    if installed(&["chromium"]) {
        shows(&["--no-turn", "--alice", "symmetric", "--bob", "symmetric"], 15, 0);
    }
}

#[test]
fn the_page_of_a_call_over_both() {
    if installed(&["chromium"]) {
        shows(&["--via", "sip,xmpp", "--loss", "5"], 0, 4);
    }
}
