//! Accounts, configuration, usage, completions and manual pages.

use std::fs;

use crate::program::{events, run, stderr};

#[test]
fn accounts_are_managed() {
    let data = tempfile::tempdir().unwrap();
    let user = |args: &[&str], input: &str| {
        let output = run(&[&["user", "--json"], args].concat(), data.path(), input);
        let actions: Vec<_> = events(&output)
            .iter()
            .map(|e| format!("{} {}", e["action"].as_str().unwrap_or("?"), e["address"]))
            .collect();
        (output.status.code(), actions.join(", "))
    };
    let (alice, stdin) = ("alice@example.org", "--password-stdin");
    let told = |text: &str| (Some(0), text.to_owned());
    assert_eq!(user(&["list"], ""), told(""));
    assert_eq!(user(&["add", alice, stdin], "secret\n"), told(r#"added "alice@example.org""#));
    assert_eq!(user(&["add", "Bob", stdin], "secret\n"), told(r#"added "bob@localhost""#));
    assert_eq!(user(&["list"], ""), told(r#"listed "alice@example.org", listed "bob@localhost""#));
    assert_eq!(user(&["passwd", alice, stdin], "new\n"), told(r#"changed "alice@example.org""#));
    assert_eq!(user(&["add", alice, stdin], "secret\n").0, Some(1));
    assert_eq!(user(&["remove", alice], ""), told(r#"removed "alice@example.org""#));
    assert_eq!(user(&["remove", alice], "").0, Some(14));
    assert_eq!(user(&["passwd", alice, stdin], "new\n").0, Some(14));
    assert_eq!(user(&["add", "no body@example.org", stdin], "x\n").0, Some(2));
    assert_eq!(user(&["add", "carol", stdin], "\n").0, Some(2));
    assert_eq!(user(&["add", "carol"], "secret\n").0, Some(2), "there is no terminal");
}

#[test]
fn configuration_is_shown_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wayleave.toml");
    let file_name = file.to_str().unwrap();
    let default = run(&["config", "default"], folder.path(), "");
    fs::write(&file, &default.stdout).unwrap();
    let check = || run(&["config", "check", "--config", file_name], folder.path(), "");
    assert_eq!(check().status.code(), Some(0));

    let show = ["config", "show", "--json", "--config", file_name, "--set", "domain=example.org"];
    let shown = run(&show, folder.path(), "");
    assert_eq!(events(&shown)[0]["domain"], "example.org");

    fs::write(&file, "domain = \"example.org\"\nlisten = \"127.0.0.1\"\n").unwrap();
    let refused = check();
    assert_eq!(refused.status.code(), Some(2));
    let said = stderr(&refused);
    assert!(said.contains("wayleave.toml:2: ") && said.contains("remedy:"), "{said}");

    let missing = run(&["config", "check", "--config", "/nowhere.toml"], folder.path(), "");
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("/nowhere.toml"));
}

#[test]
fn usage() {
    let data = tempfile::tempdir().unwrap();
    let code = |args: &[&str]| run(args, data.path(), "").status.code();
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["help", "serve"]), Some(0));
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["fly"]), Some(2));
    assert_eq!(code(&["serve", "--ports", "many"]), Some(2));
    let told = run(&["--json", "serve", "--listen", "everywhere"], data.path(), "");
    assert_eq!(told.status.code(), Some(2));
    let error = events(&told).remove(0);
    assert_eq!(
        (&error["v"], &error["event"], &error["kind"]),
        (&1.into(), &"error".into(), &"usage".into())
    );
}

#[test]
fn completions_and_manual_pages() {
    let data = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell], data.path(), "");
        assert!(String::from_utf8_lossy(&script.stdout).contains("password-stdin"), "{shell}");
    }
    let pages = data.path().join("man");
    let written = run(&["man", pages.to_str().unwrap()], data.path(), "");
    assert_eq!(written.status.code(), Some(0));
    for page in ["wayleave.1", "wayleave-serve.1", "wayleave-user-add.1"] {
        assert!(pages.join(page).is_file(), "{page}");
    }
}
