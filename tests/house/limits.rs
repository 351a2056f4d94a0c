//! Limits and timeouts of a machine stand together in its `defaults.rs`, each with its reason.

use crate::assert_none;
use crate::rust::code_of;
use crate::workspace::rust_files;

/// Parts of a constant's name that make it a limit or a timeout.
const LIMITING: [&str; 5] = ["LIMIT", "TIMEOUT", "LIFETIME", "INTERVAL", "CAPACITY"];

/// Sources whose constants bear the names that an RFC gave to its numbers.
const NAMES: [&str; 1] = ["proto/stun/src/attribute/error_code.rs"];

/// The shortest comment that can hold a reason.
const SHORTEST_REASON: usize = 30;

/// Names of the constants that a line of code defines.
fn constant(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub ")).unwrap_or(line);
    let (name, _) = line.strip_prefix("const ")?.split_once(':')?;
    name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_').then_some(name)
}

fn is_limit(name: &str) -> bool {
    let mut words = name.split('_');
    words.clone().next() == Some("MAX") || words.any(|word| LIMITING.contains(&word))
}

/// Limits of a source other than a `defaults.rs`; tests may have their own.
fn strays(path: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let lines = code.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    let names = lines.filter_map(constant).filter(|name| is_limit(name));
    names.map(|name| format!("{path}: {name}")).collect()
}

/// Constants of a `defaults.rs` whose comment is too short to hold a reason.
fn unreasoned(path: &str, source: &str) -> Vec<String> {
    let mut comment = 0;
    let mut found = Vec::new();
    for line in source.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            comment += words.trim().len();
        } else if let Some(name) = constant(line) {
            if comment < SHORTEST_REASON {
                found.push(format!("{path}: {name}"));
            }
            comment = 0;
        } else if !line.starts_with("#[") {
            comment = 0;
        }
    }
    found
}

/// The sources of the machines, without their tests.
fn machine_sources() -> impl Iterator<Item = (&'static str, String)> {
    rust_files().filter(|(path, _)| {
        let test = path.contains("/tests/") || path.ends_with("tests.rs");
        path.starts_with("proto/") && path.contains("/src/") && !test && !NAMES.contains(path)
    })
}

#[test]
fn limits_stand_in_defaults() {
    let elsewhere = machine_sources().filter(|(path, _)| !path.ends_with("/defaults.rs"));
    let found: Vec<String> = elsewhere.flat_map(|(path, source)| strays(path, &source)).collect();
    assert_none(&found, "Move it to the crate's defaults.rs, with its reason and its RFC.");
}

#[test]
fn every_default_has_its_reason() {
    let defaults = rust_files().filter(|(path, _)| path.ends_with("/defaults.rs"));
    let found: Vec<String> =
        defaults.flat_map(|(path, source)| unreasoned(path, &source)).collect();
    assert_none(&found, "Say why it is this value, and which RFC says so.");
}

#[test]
fn bad_samples_are_found() {
    assert_eq!(strays("a.rs", "pub(crate) const MAX_PAIRS: usize = 100;\n").len(), 1);
    assert_eq!(strays("a.rs", "    const IDLE_TIMEOUT: u64 = 1;\nconst MAXIMA: u8 = 1;").len(), 1);
    assert_eq!(strays("a.rs", "#[cfg(test)]\nmod tests {\nconst MAX_X: u8 = 1;\n}").len(), 0);
    let reasoned =
        "/// RFC 8445 §14.2: no more than one check each 50 ms.\npub const TA: u8 = 50;\n";
    assert_eq!(unreasoned("a.rs", reasoned).len(), 0);
    assert_eq!(unreasoned("a.rs", "/// Ta.\n#[allow(x)]\npub const TA: u8 = 50;\n").len(), 1);
    assert_eq!(unreasoned("a.rs", "pub const TA: u8 = 50;\n").len(), 1);
}
