//! `report.html` and `ladder.svg`: whole, readable, and complete in themselves.

use crate::program::run;

/// The page and the ladder of a demo with these flags.
fn made(flags: &[&str], exit: i32) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let args = [&["demo", "--json", "--out", out.to_str().unwrap()], flags].concat();
    assert_eq!(run(&args, folder.path(), "").status.code(), Some(exit));
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    (read("report.html"), read("ladder.svg"))
}

/// The values of every attribute of this name. Text has its quotes escaped.
fn values<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let marker = format!(" {name}=\"");
    page.split(&marker).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

fn needs_nothing_else(page: &str) {
    for name in ["src", "href", "srcset", "action", "poster", "data", "xlink:href"] {
        for value in values(page, name) {
            assert!(value.starts_with("data:") || value.starts_with('#'), "{name}={value}");
        }
    }
    for bad in ["url(", "@import", "<iframe", "<object", "<embed", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.contains("default-src 'none'"));
}

/// What is linked to is there, once.
fn links_lead_somewhere(page: &str) {
    let ids = values(page, "id");
    for link in values(page, "href").iter().filter_map(|href| href.strip_prefix('#')) {
        assert_eq!(ids.iter().filter(|id| **id == link).count(), 1, "#{link}");
    }
    let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    for name in values(page, "aria-labelledby") {
        assert!(ids.contains(&name), "{name}");
    }
}

/// Headings go down a step at a time, and every picture and player has words.
fn can_be_heard(page: &str) {
    let mut level = 0;
    for heading in page.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)) {
        assert!(heading <= level + 1 || level == 0 && heading == 1, "h{heading} after h{level}");
        level = heading;
    }
    for tag in ["<svg", "<audio"] {
        for opened in page.split(tag).skip(1).map(|rest| rest.split('>').next().unwrap()) {
            assert!(opened.contains("aria-label"), "{tag}{opened:.80}");
        }
    }
    assert!(page.contains("<html lang=\"en\">") && page.contains("<main id=\"main\">"));
}

fn check(page: &str) {
    needs_nothing_else(page);
    links_lead_somewhere(page);
    can_be_heard(page);
}

#[test]
fn a_direct_call() {
    let (page, ladder) = made(&[], 0);
    check(&page);
    for words in [
        "Connected directly",
        "192.168.0.254",
        "External address",
        "works, and was chosen",
        "INVITE",
        "Nobody heard anything.",
        "data:audio/wav;base64,",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(page.matches("<audio").count(), 2);
    assert!(ladder.starts_with("<svg xmlns=") && ladder.contains("INVITE"));
    needs_nothing_else(&format!("{ladder} default-src 'none'"));
}

#[test]
fn a_relayed_call() {
    let (page, _) = made(&["--alice", "symmetric", "--bob", "udp-blocked"], 0);
    check(&page);
    for words in ["Connected through a relay", "lets no UDP through", "address on a relay"] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn a_call_that_failed() {
    let (page, ladder) = made(&["--no-turn", "--alice", "symmetric", "--bob", "symmetric"], 15);
    check(&page);
    for words in ["No path for the media", "Why there is no path", "A relay (TURN).", "Silence"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("<audio"));
    assert!(ladder.contains("class=\"cross\""));
}

#[test]
fn a_call_over_both() {
    let (page, ladder) = made(&["--via", "sip,xmpp"], 0);
    check(&page);
    for words in ["Over SIP", "Over XMPP", "session-initiate", "INVITE", "What it takes"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(ladder.contains("session-initiate") && ladder.contains("INVITE"));
}
