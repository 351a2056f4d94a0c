//! What every committed text keeps to: links that outlive us, and no path of anybody's machine.

use crate::assert_none;
use crate::workspace::{files, root};

/// Hosts that a link may name. Registries and mirrors are for cargo's configuration, not for ours.
const HOSTS: [&str; 4] = ["github.com", "keepachangelog.com", "semver.org", "www.rfc-editor.org"];

/// Hosts in the names of namespaces and clients of XMPP and UPnP, which nobody follows.
const NAMES: [&str; 6] = [
    "etherx.jabber.org",
    "jabber.org",
    "psi-im.org",
    "schemas.upnp.org",
    "schemas.xmlsoap.org",
    "www.w3.org",
];

/// Names that belong to nobody (RFC 2606), for examples.
const NOBODYS: [&str; 7] =
    ["example", "example.com", "example.net", "example.org", "invalid", "localhost", "test"];

/// Files in which links are not ours to choose.
const FOREIGN: [&str; 2] = ["Cargo.lock", "LICENSE-APACHE"];

/// Folders of what other people's programs said.
const RECORDED: [&str; 3] =
    ["fuzz/seeds/", "proto/portmap/src/upnp/testdata/", "proto/xmpp/tests/fixtures/"];

/// Folders that exist on one machine only, in halves, so that this file passes its own test.
const PRIVATE: [[&str; 2]; 3] = [["/wo", "rk/"], ["/ro", "ot/"], ["/Us", "ers/"]];

fn foreign_links(path: &str, text: &str) -> Vec<String> {
    let starts = text.match_indices("://").map(|(at, _)| at);
    let web = starts.filter(|&at| text[..at].ends_with("http") || text[..at].ends_with("https"));
    let hosts = web.map(|at| {
        let rest = &text[at + 3..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '-'));
        &rest[..end.unwrap_or(rest.len())]
    });
    let known = |host: &str| HOSTS.contains(&host) || NAMES.contains(&host) || is_nobodys(host);
    let unknown = hosts.filter(|host| !host.is_empty() && !known(host));
    unknown.map(|host| format!("{path} links to {host}")).collect()
}

fn is_nobodys(host: &str) -> bool {
    let within =
        |name: &str| host.strip_suffix(name).is_some_and(|h| h.is_empty() || h.ends_with('.'));
    // What tests write as an address of HTTP is a place on a link, not a page.
    NOBODYS.iter().any(|name| within(name)) || host.parse::<std::net::IpAddr>().is_ok()
}

fn private_paths(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let found = lines.filter(|(_, line)| {
        PRIVATE.iter().any(|halves| {
            let folder = halves.concat();
            line.match_indices(&folder).any(|(at, _)| !continues_a_path(&line[..at]))
        })
    });
    found.map(|(n, _)| format!("{path}:{}", n + 1)).collect()
}

/// Whether what follows `before` is the inside of a longer path, as in `proto/home/`.
fn continues_a_path(before: &str) -> bool {
    before.chars().next_back().is_some_and(|c| c.is_alphanumeric() || "-_.})$".contains(c))
}

/// Every committed file that is text and ours: its path and what it says.
fn texts() -> impl Iterator<Item = (&'static str, String)> {
    let ours = files().iter().filter(|path| !FOREIGN.contains(&path.as_str()));
    ours.filter_map(|path| {
        let bytes = std::fs::read(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        Some((path.as_str(), String::from_utf8(bytes).ok()?))
    })
}

#[test]
fn links_lead_to_known_hosts() {
    let ours = texts().filter(|(path, _)| !RECORDED.iter().any(|folder| path.starts_with(folder)));
    let found: Vec<String> = ours.flat_map(|(path, text)| foreign_links(path, &text)).collect();
    assert_none(&found, "Name the RFC or the project in words, or add a lasting host to text.rs.");
}

#[test]
fn no_path_belongs_to_one_machine() {
    let found: Vec<String> = texts().flat_map(|(path, text)| private_paths(path, &text)).collect();
    assert_none(&found, "Say it from the project's root.");
}

/// Links of a Markdown page that lead to no file, by `exists` of a path from the root.
fn dead_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let links = text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split(')').next());
    let links = links.map(|link| link.split('#').next().unwrap_or_default());
    let ours = links.filter(|link| !link.is_empty() && !link.contains("://"));
    let dead = ours.filter(|link| !exists(&from_root(folder, link)));
    dead.map(|link| format!("{path} links to {link}")).collect()
}

/// `link` as seen from `folder`, as a path from the root.
fn from_root(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn links_between_pages_lead_somewhere() {
    let pages = texts().filter(|(path, _)| path.ends_with(".md"));
    let exists = |path: &str| root().join(path).exists();
    let found: Vec<String> =
        pages.flat_map(|(path, text)| dead_links(path, &text, exists)).collect();
    assert_none(&found, "Mend the link, or write the page.");
}

#[test]
fn bad_samples_are_found() {
    let exists = |path: &str| path == "docs/a.md";
    let page = "[a](a.md#x) [b](../docs/./a.md) [c](https://example.org) [d](b.md) [e](#here)";
    assert_eq!(dead_links("docs/c.md", page, exists), ["docs/c.md links to b.md"]);

    assert_eq!(
        foreign_links(
            "a",
            &format!(
                "see {} and http://www.example.org",
                ["https", "www.notexample.com/x"].join("://")
            )
        )
        .len(),
        1
    );
    assert_eq!(foreign_links("a", "sip://x, https:// and ://").len(), 0);
    let path = PRIVATE[0].concat();
    assert_eq!(private_paths("a", &format!("cd {path}main\nok\n\"{path}\"")).len(), 2);
    assert_eq!(private_paths("a", &format!("proto{path}x and $X{path}")).len(), 0);
}
