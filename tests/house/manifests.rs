//! What every crate's manifest and folder hold.

use crate::assert_none;
use crate::workspace::{crates, files, read};

/// Crates that may hold `unsafe`, each with the lints of its own that say where.
const UNSAFE: [&str; 1] = ["io/udp"];

/// Crates that people embed on their own: each has a README and an example that needs no runtime.
const EMBEDDED: [&str; 4] = ["proto/stun", "proto/turn", "proto/connect", "proto/sip"];

/// Whether a manifest takes the workspace's lints.
fn takes_the_lints(manifest: &str) -> bool {
    section(manifest, "[lints]").any(|line| line == "workspace = true")
}

/// The lines of a TOML table, comments and blanks left out.
fn section<'a>(manifest: &'a str, header: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = manifest.lines().map(str::trim).skip_while(move |line| *line != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Fields that a manifest lacks and that the registry or a reader wants.
fn missing_fields(manifest: &str) -> Vec<&'static str> {
    let fields =
        ["description =", "license.workspace", "edition.workspace", "rust-version.workspace"];
    let has = |field: &&str| section(manifest, "[package]").any(|line| line.starts_with(*field));
    fields.into_iter().filter(|field| !has(field)).collect()
}

/// Dependencies that name a version instead of taking the workspace's.
fn own_versions(manifest: &str) -> Vec<String> {
    let tables = ["[dependencies]", "[dev-dependencies]", "[build-dependencies]"];
    let lines = tables.into_iter().flat_map(|table| section(manifest, table));
    let own = lines.filter(|line| line.contains('=') && !line.contains("workspace = true"));
    own.map(ToOwned::to_owned).collect()
}

fn manifest(folder: &str) -> String {
    read(&format!("{folder}/Cargo.toml"))
}

#[test]
fn unsafe_code_is_forbidden() {
    let root = read("Cargo.toml");
    let forbidden =
        section(&root, "[workspace.lints.rust]").any(|l| l == r#"unsafe_code = "forbid""#);
    assert!(forbidden, "the workspace's lints must forbid unsafe code");
    let mut found = Vec::new();
    for krate in crates() {
        let named = UNSAFE.contains(&krate.folder.as_str());
        if takes_the_lints(&manifest(&krate.folder)) == named {
            found.push(format!("{} {}", krate.folder, if named { "is named" } else { "is not" }));
        }
    }
    assert_none(&found, "[lints] workspace = true, but for the crates named in manifests.rs.");
}

#[test]
fn every_manifest_is_complete() {
    let lacking = crates().iter().map(|krate| (krate, missing_fields(&manifest(&krate.folder))));
    let lacking = lacking.filter(|(_, fields)| !fields.is_empty());
    let found: Vec<String> =
        lacking.map(|(krate, fields)| format!("{}: {fields:?}", krate.folder)).collect();
    assert_none(&found, "Say what the crate is, and take the rest from the workspace.");
}

#[test]
fn versions_stand_in_the_root_alone() {
    let found: Vec<String> = crates()
        .iter()
        .flat_map(|krate| {
            let own = own_versions(&manifest(&krate.folder));
            own.into_iter().map(|line| format!("{}: {line}", krate.folder))
        })
        .collect();
    assert_none(&found, "Declare it in [workspace.dependencies] and take it from there.");
}

#[test]
fn crates_that_are_embedded_show_how() {
    let mut found = Vec::new();
    for folder in EMBEDDED {
        if !files().contains(&format!("{folder}/README.md")) {
            found.push(format!("{folder} has no README.md"));
        }
        let examples = format!("{folder}/examples/");
        if !files().iter().any(|path| path.starts_with(&examples)) {
            found.push(format!("{folder} has no example"));
        }
        if manifest(folder).contains("tokio") {
            found.push(format!("{folder} knows tokio"));
        }
    }
    assert_none(&found, "Write it: an embedder starts there.");
}

#[test]
fn both_licences_stand_in_the_root() {
    for (file, begins) in [("LICENSE-MIT", "MIT License"), ("LICENSE-APACHE", "Apache License")] {
        assert!(read(file).trim_start().starts_with(begins), "{file}");
    }
}

#[test]
fn bad_samples_are_found() {
    assert!(takes_the_lints("[package]\nname = \"x\"\n\n[lints]\n# all\nworkspace = true\n"));
    assert!(!takes_the_lints("[lints.rust]\nunsafe_code = \"allow\"\n"));
    assert!(!takes_the_lints("[lints]\n\n[dependencies]\nworkspace = true\n"));
    assert_eq!(missing_fields("[package]\nname = \"x\"\nlicense.workspace = true\n").len(), 3);
    assert_eq!(own_versions("[dependencies]\na = \"1\"\nb.workspace = true\n").len(), 1);
    assert_eq!(own_versions("[dependencies]\nc = { workspace = true, features = [] }\n").len(), 0);
}
