//! Tests that want another world: the program runs one of its own tests again, in a shell that has
//! set limits, or in a network of its own.

use std::io::Write as _;
use std::process::Command;

/// Tells a test that it runs elsewhere.
const THERE: &str = "WAYLEAVE_TEST_ELSEWHERE";

/// What the shell says when it could not make the world.
const CANNOT: i32 = 77;

/// Whether the test runs elsewhere already. If not it does so now, after `setup`, and is to return.
pub(crate) fn limited(test: &str, setup: &str) -> bool {
    run(test, setup, "exec")
}

/// As [`limited`], in a network that has a loopback interface alone, set up by `setup`. Where the
/// system makes none the reason is printed, and under `CI=true` this panics with it.
pub(crate) fn networked(test: &str, setup: &str) -> bool {
    run(test, setup, "exec unshare --map-root-user --net")
}

fn run(test: &str, setup: &str, exec: &str) -> bool {
    if std::env::var_os(THERE).is_some() {
        return true;
    }
    // The world first, then the limits in it.
    let inner = format!("{{ {setup}; }} || exit {CANNOT}; exec \"$0\" --exact \"$1\"");
    let output = Command::new("sh")
        .args(["-c", &format!("{exec} sh -c \"$2\" \"$0\" \"$1\"")])
        .arg(std::env::current_exe().unwrap())
        .args([test, &inner])
        .env(THERE, "1")
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => {}
        // What the test harness says of a test that failed.
        Some(101) => panic!("{test} elsewhere: {}", String::from_utf8_lossy(&output.stdout)),
        other => {
            let reason = format!("{test} needs network namespaces and iproute2 ({other:?})");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
            // Past the test harness, which swallows what a passing test prints.
            writeln!(std::io::stderr(), "skipped: {reason}").expect("a standard error");
        }
    }
    false
}
