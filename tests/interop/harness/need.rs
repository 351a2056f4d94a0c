//! What a test needs of the machine, and what happens where it is missing.

use std::env;
use std::fs;
use std::io::{Write, stderr};
use std::os::unix::fs::MetadataExt;

/// Whether root and every one of `programs` is here. Where not, the test is to return: the reason is
/// printed, and under `CI=true` this panics with it.
pub(crate) fn available(programs: &[&str]) -> bool {
    let mut lacking = lacking(programs);
    if !is_root() {
        lacking.push("root");
    }
    nothing(&lacking)
}

/// As `available`, for a test that needs no root.
pub(crate) fn installed(programs: &[&str]) -> bool {
    nothing(&lacking(programs))
}

fn nothing(lacking: &[&str]) -> bool {
    if lacking.is_empty() {
        return true;
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let reason = format!("{test} needs {}: see tests/interop/README.md", lacking.join(", "));
    assert!(env::var("CI").as_deref() != Ok("true"), "{reason}");
    // Past the test harness, which swallows what a passing test prints.
    writeln!(stderr(), "skipped: {reason}").expect("a standard error to write to");
    false
}

/// Which of `programs`, and of those that start and end every child, are missing.
fn lacking<'a>(programs: &[&'a str]) -> Vec<&'a str> {
    let needed = ["sh", "timeout"].iter().chain(programs).copied();
    needed.filter(|program| !on_the_path(program)).collect()
}

fn on_the_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

#[test]
fn what_is_missing_is_named() {
    assert!(lacking(&["no-such-program"]).contains(&"no-such-program"));
}
