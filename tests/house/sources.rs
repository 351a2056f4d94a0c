//! What every Rust file keeps to: its length, its first line, and what it does not call.

use crate::assert_none;
use crate::rust::{code_lines, code_of};
use crate::workspace::rust_files;

/// The longest that a file may be, in lines of code.
const LONGEST: usize = 800;

/// Files that are longer, with their lines of code. This list may only shrink: no entry is added,
/// and a file that became shorter gets its new number, or leaves.
const TOO_LONG: [(&str, usize); 0] = [];

/// Macros for code that is not done.
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

fn length_violations(path: &str, source: &str, known: &[(&str, usize)]) -> Option<String> {
    let lines = code_lines(source);
    match known.iter().find(|(known, _)| *known == path) {
        Some(&(_, was)) if lines != was => {
            Some(format!("{path} has {lines} lines of code, the list says {was}"))
        }
        None if lines > LONGEST => Some(format!("{path} has {lines} lines of code")),
        _ => None,
    }
}

fn unfinished(path: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let lines = code.lines().enumerate();
    let found = lines.flat_map(|(n, line)| {
        let called = UNFINISHED.iter().filter(move |name| calls(line, name));
        called.map(move |name| format!("{path}:{} calls {name}", n + 1))
    });
    found.collect()
}

/// Whether `line` holds `name` as a word of its own.
fn calls(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// A test that is never run, or waits for the clock, shows nothing.
fn idle_test(path: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let pure = path.starts_with("proto/") || path.starts_with("lab/");
    let lines = code.lines().enumerate().filter(|(_, line)| {
        line.contains("#[ignore") || (pure && (calls(line, "sleep(") || line.contains("::sleep")))
    });
    lines.map(|(n, line)| format!("{path}:{}: {}", n + 1, line.trim())).collect()
}

/// Whether a module does not begin with what it is; a `tests.rs` tests the module that it stands by.
fn lacks_module_doc(path: &str, source: &str) -> bool {
    !path.ends_with("/tests.rs") && !source.starts_with("//! ")
}

#[test]
fn no_file_is_too_long() {
    let found: Vec<String> = rust_files()
        .filter_map(|(path, source)| length_violations(path, &source, &TOO_LONG))
        .collect();
    assert_none(&found, "Cut it where its concepts part; or make the list in sources.rs shrink.");
}

#[test]
fn every_entry_of_the_list_is_a_file() {
    let exists = |path: &str| rust_files().any(|(file, _)| file == path);
    let gone = TOO_LONG.iter().filter(|(path, _)| !exists(path));
    let found: Vec<String> = gone.map(|(path, _)| format!("{path} is gone")).collect();
    assert_none(&found, "Take it off the list.");
}

#[test]
fn nothing_is_left_unfinished() {
    let found: Vec<String> =
        rust_files().flat_map(|(path, source)| unfinished(path, &source)).collect();
    assert_none(&found, "Finish it, or return an error that says what is missing.");
}

#[test]
fn no_test_is_idle() {
    let found: Vec<String> =
        rust_files().flat_map(|(path, source)| idle_test(path, &source)).collect();
    assert_none(&found, "Tests run always, and machines get their time as an input.");
}

#[test]
fn every_module_says_what_it_is() {
    let bare = rust_files().filter(|(path, source)| lacks_module_doc(path, source));
    let found: Vec<String> = bare.map(|(path, _)| path.to_owned()).collect();
    assert_none(&found, "Begin with `//! What it is`, and name the section of the RFC.");
}

#[test]
fn bad_samples_are_found() {
    let long = "f();\n".repeat(LONGEST + 1);
    assert!(length_violations("a.rs", &long, &[]).is_some());
    assert!(length_violations("a.rs", &long, &[("a.rs", LONGEST + 1)]).is_none());
    assert!(length_violations("a.rs", &long, &[("a.rs", LONGEST + 2)]).is_some());
    assert!(length_violations("a.rs", &"// why\n".repeat(LONGEST + 1), &[]).is_none());

    assert_eq!(unfinished("a.rs", "fn f() {\n    todo!()\n}").len(), 1);
    assert_eq!(unfinished("a.rs", "x = dbg!(y); std::unimplemented!()").len(), 2);
    assert_eq!(unfinished("a.rs", "// todo!()\nlet x = \"dbg!\"; not_a_todo!()").len(), 0);

    assert_eq!(idle_test("a.rs", "#[test]\n#[ignore = \"slow\"]").len(), 1);
    assert_eq!(idle_test("proto/a.rs", "std::thread::sleep(x)").len(), 1);
    assert_eq!(idle_test("io/a.rs", "tokio::time::sleep(x).await").len(), 0);

    assert!(lacks_module_doc("a.rs", "use std::fmt;\n"));
    assert!(!lacks_module_doc("a.rs", "//! Names.\n"));
}
