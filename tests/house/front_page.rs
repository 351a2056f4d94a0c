//! The README's commands, and that CI runs what it promises.

use crate::workspace::read;

/// The two commands at the top of the README.
const COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo test --workspace"];

/// Lines of the README in which its commands must have appeared.
const TOP: usize = 12;

/// Commands that a page does not show near its top.
fn missing<'a>(page: &str, commands: &[&'a str]) -> Vec<&'a str> {
    let top: Vec<&str> = page.lines().take(TOP).collect();
    let shown = |command: &str| top.iter().any(|line| line.trim().starts_with(command));
    commands.iter().copied().filter(|command| !shown(command)).collect()
}

#[test]
fn the_readme_begins_with_its_commands() {
    let missing = missing(&read("README.md"), &COMMANDS);
    assert!(missing.is_empty(), "the top of README.md does not show {missing:?}");
}

#[test]
fn ci_runs_the_commands() {
    let ci = read(".ci/run");
    for command in COMMANDS {
        assert!(ci.contains(command), ".ci/run does not run `{command}`");
    }
}

#[test]
fn a_bare_cargo_run_is_the_program() {
    assert!(read("Cargo.toml").contains("default-members = [\"app/wayleave\"]"));
}

#[test]
fn bad_samples_are_found() {
    assert_eq!(missing("# Wayleave\n\n    cargo test --workspace\n", &COMMANDS), [COMMANDS[0]]);
    let late = format!("{}{}", "\n".repeat(TOP), COMMANDS.join("\n"));
    assert_eq!(missing(&late, &COMMANDS).len(), 2);
}
