//! ARCHITECTURE.md's tables of imports against `cargo metadata`, both ways.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::workspace::{Crate, crates, read};

/// Imported by anyone without a mention.
const IMPLIED: [&str; 2] = ["machine", "crypto"];

/// A crate that lists this word may import every other.
const EVERYTHING: &str = "everything";

/// Only `proto/crypto` knows these: everyone else asks it.
const CIPHERS: [&str; 8] = ["aes", "hkdf", "hmac", "md-5", "pbkdf2", "ring", "sha1", "sha2"];

/// The world, which a pure machine never touches.
const WORLD: [&str; 11] = [
    "async-std",
    "getrandom",
    "libc",
    "mio",
    "nix",
    "rand",
    "rustix",
    "rustls",
    "smol",
    "socket2",
    "tokio",
];

/// Folder of a crate to the short names of what it imports.
type Table = BTreeMap<String, BTreeSet<String>>;

/// The table under `heading` of a Markdown page: the first column names a crate by its folder, the
/// last what it imports.
fn table(page: &str, heading: &str) -> Table {
    let section = page.lines().skip_while(|line| line.trim() != heading).skip(1);
    let rows =
        section.take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let folder = cells.first().expect("a row has cells").trim_matches('`').to_owned();
        let imports = cells.last().expect("a row has cells").split(',');
        let imports = imports.map(|name| name.trim().trim_matches('`').to_owned());
        (folder, imports.filter(|name| !name.is_empty() && name != "–").collect())
    })
    .collect()
}

/// What the crates import in truth; with `dev`, what only their tests and examples do.
fn imported(crates: &[Crate], dev: bool) -> Table {
    let row = |krate: &Crate| {
        let ours = krate.dependencies.iter().filter(|d| d.ours && d.dev == dev);
        let names = ours.map(|d| short_name(&d.name).to_owned());
        (krate.folder.clone(), names.filter(|name| !IMPLIED.contains(&name.as_str())).collect())
    };
    crates.iter().map(row).collect()
}

fn short_name(folder: &str) -> &str {
    folder.rsplit('/').next().unwrap_or(folder)
}

/// Where page and truth differ.
fn differences(page: &Table, truth: &Table) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, imports) in truth {
        let Some(allowed) = page.get(folder) else {
            if !imports.is_empty() || !folder.starts_with("tests") {
                found.push(format!("{folder} has no row"));
            }
            continue;
        };
        if allowed.contains(EVERYTHING) {
            continue;
        }
        let extra = imports.difference(allowed).map(|i| format!("{folder} imports {i} unlisted"));
        let gone = allowed.difference(imports).map(|i| format!("{folder} does not import {i}"));
        found.extend(extra.chain(gone));
    }
    let strangers = page.keys().filter(|folder| !truth.contains_key(*folder));
    found.extend(strangers.map(|folder| format!("{folder} is no crate")));
    found
}

/// Imports that break the order of the folders or the purity of `proto/`, whatever the table says.
fn lawless(krate: &Crate) -> Vec<String> {
    let layer = |folder: &str| folder.split('/').next().unwrap_or_default().to_owned();
    let allowed: &[&str] = match layer(&krate.folder).as_str() {
        "proto" => &["proto"],
        "lab" => &["proto", "lab"],
        "io" => &["proto", "io"],
        _ => return Vec::new(),
    };
    let pure = allowed == ["proto"];
    let forbidden = |d: &&crate::workspace::Dependency| {
        let outside = pure && WORLD.contains(&d.name.as_str());
        let cipher = pure && krate.folder != "proto/crypto" && CIPHERS.contains(&d.name.as_str());
        let layer = layer(&d.name);
        let upwards = d.ours && !allowed.contains(&layer.as_str());
        !d.dev && (upwards || outside || cipher)
    };
    let found = krate.dependencies.iter().filter(forbidden);
    found.map(|d| format!("{} must not import {}", krate.folder, d.name)).collect()
}

/// `differences`, for a table in which a missing row means that nothing is imported.
fn dev_differences(page: &Table, truth: &Table) -> Vec<String> {
    let some = truth.iter().filter(|(_, imports)| !imports.is_empty());
    differences(page, &some.map(|(folder, imports)| (folder.clone(), imports.clone())).collect())
}

const REMEDY: &str = "Make the table in ARCHITECTURE.md and the Cargo.toml files agree.";

#[test]
fn the_imports_table_is_the_truth() {
    let page = table(&read("ARCHITECTURE.md"), "## Allowed imports");
    assert!(!page.is_empty(), "ARCHITECTURE.md has no table of imports");
    let mut truth = imported(crates(), false);
    truth.remove("tests");
    assert_none(&differences(&page, &truth), REMEDY);
}

#[test]
fn the_dev_dependencies_are_the_truth() {
    let page = table(&read("ARCHITECTURE.md"), "### In tests and examples alone");
    assert!(!page.is_empty(), "ARCHITECTURE.md has no table of dev-dependencies");
    assert_none(&dev_differences(&page, &imported(crates(), true)), REMEDY);
}

#[test]
fn folders_are_laws() {
    let found: Vec<String> = crates().iter().flat_map(lawless).collect();
    assert_none(&found, "proto/ is pure, and no folder imports from one that builds on it.");
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::workspace::Dependency;

    const PAGE: &str = "# T\n## Allowed imports\n\n| crate | what | may import |\n|---|---|---|\n\
        | `proto/stun` | messages | – |\n| `proto/ice` | paths | stun, `turn` |\n\
        | `app/x` | all | everything |\n## Next\n| `proto/no` | x | y |\n";

    fn sample(folder: &str, imports: &[&str]) -> Crate {
        let dependencies = imports.iter().map(|name| Dependency {
            name: (*name).to_owned(),
            ours: name.contains('/'),
            dev: false,
        });
        Crate { folder: folder.to_owned(), dependencies: dependencies.collect() }
    }

    #[test]
    fn a_table_is_read_up_to_the_next_heading() {
        let page = table(PAGE, "## Allowed imports");
        assert_eq!(page.len(), 3);
        assert!(page["proto/stun"].is_empty());
        assert_eq!(page["proto/ice"].iter().collect::<Vec<_>>(), ["stun", "turn"]);
    }

    #[test]
    fn differences_show_both_ways() {
        let page = table(PAGE, "## Allowed imports");
        let crates = [
            sample("proto/stun", &["proto/crypto", "proto/ice"]),
            sample("proto/ice", &["proto/stun"]),
            sample("proto/new", &[]),
            sample("app/x", &["proto/ice"]),
        ];
        let found = differences(&page, &imported(&crates, false));
        assert_eq!(
            found,
            [
                "proto/ice does not import turn",
                "proto/new has no row",
                "proto/stun imports ice unlisted"
            ]
        );
        let found = differences(&page, &imported(&crates[..1], false));
        assert!(found.contains(&"app/x is no crate".to_owned()), "{found:?}");
    }

    #[test]
    fn lawless_imports_are_found() {
        assert_eq!(
            lawless(&sample("proto/x", &["tokio", "io/udp", "proto/stun", "sha1"])).len(),
            3
        );
        assert_eq!(lawless(&sample("proto/crypto", &["sha1"])).len(), 0);
        assert_eq!(lawless(&sample("lab/x", &["io/udp", "lab/netsim"])).len(), 1);
        assert_eq!(lawless(&sample("io/x", &["lab/netsim", "tokio"])).len(), 1);
        assert_eq!(lawless(&sample("app/x", &["lab/netsim", "tokio"])).len(), 0);
    }
}
