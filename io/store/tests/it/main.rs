//! What the store promises, on files in temporary folders.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate wayleave_store as store;

use std::fs;
use std::path::Path;

use store::{
    Account, Address, Binding, Contact, DigestAlgorithm, Error, Keys, Store, UserForm, defaults,
};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

#[test]
fn accounts_come_and_go() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let (alice, bob) = (address("alice@example.org"), address("bob@example.org"));
    store.add(&bob, "secret").unwrap();
    store.add(&alice, "secret").unwrap();
    let addresses = |accounts: Vec<Account>| -> Vec<_> {
        accounts.into_iter().map(|account| account.address).collect()
    };
    assert_eq!(addresses(store.accounts().unwrap()), [alice.clone(), bob.clone()]);
    assert!(matches!(store.add(&alice, "other"), Err(Error::Exists(a)) if a == alice));
    store.remove(&bob).unwrap();
    assert!(matches!(store.remove(&bob), Err(Error::NoSuchAccount(_))));
    assert!(matches!(store.set_password(&bob, "x"), Err(Error::NoSuchAccount(_))));
    assert_eq!(store.keys(&bob).unwrap(), None);
    assert!(store.exists(&alice).unwrap());
    assert!(!store.exists(&bob).unwrap());
}

#[test]
fn every_key_is_kept_and_no_password() {
    const PASSWORD: &str = "correct horse battery staple";
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let alice = address("alice@example.org");
    store.add(&alice, PASSWORD).unwrap();
    let keys = store.keys(&alice).unwrap().unwrap();
    let expected = Keys::derive(&alice, PASSWORD).unwrap();
    assert_eq!(keys.digests, expected.digests);
    assert_eq!(keys.scram.len(), 2);
    for form in UserForm::ALL {
        for (algorithm, key) in store.digests(&alice, form).unwrap() {
            assert_eq!(Some(&key), keys.digest(algorithm, form));
        }
        assert_eq!(store.digests(&alice, form).unwrap().len(), 3);
        assert_eq!(store.digests(&address("bob@example.org"), form).unwrap(), []);
    }
    store.set_password(&alice, "another").unwrap();
    let changed = store.keys(&alice).unwrap().unwrap();
    assert_ne!(
        changed.digest(DigestAlgorithm::Md5, UserForm::Local),
        keys.digest(DigestAlgorithm::Md5, UserForm::Local)
    );
    for entry in fs::read_dir(folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes()));
    }
}

#[test]
fn another_process_sees_it_at_once() {
    let folder = folder();
    // Two connections behave as two processes do.
    let server = Store::open(folder.path()).unwrap();
    let command = Store::open(folder.path()).unwrap();
    let alice = address("alice@example.org");
    assert_eq!(server.keys(&alice).unwrap(), None);
    command.add(&alice, "secret").unwrap();
    assert!(server.keys(&alice).unwrap().is_some());
    command.remove(&alice).unwrap();
    assert_eq!(server.keys(&alice).unwrap(), None);
}

#[test]
fn bindings_survive_and_expire() {
    let folder = folder();
    let binding = |aor: &str, expires_secs| Binding {
        aor: aor.to_owned(),
        state: vec![1, 2, 3],
        expires_secs,
    };
    let (a, b) = (binding("alice@example.org", 100), binding("bob@example.org", 200));
    {
        let store = Store::open(folder.path()).unwrap();
        store.save_bindings(&[b.clone(), a.clone()]).unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.bindings(50).unwrap(), [a, b.clone()]);
    assert_eq!(store.bindings(100).unwrap(), std::slice::from_ref(&b));
    let longer = Binding { expires_secs: 300, ..b.clone() };
    store.save_bindings(std::slice::from_ref(&longer)).unwrap();
    assert_eq!(store.bindings(250).unwrap(), [longer]);
    store.save_bindings(&[Binding { state: Vec::new(), ..b.clone() }]).unwrap();
    assert_eq!(store.bindings(0).unwrap(), []);
    let large = Binding { state: vec![0; 64 * 1024 + 1], ..b };
    assert!(matches!(store.save_bindings(&[large]), Err(Error::TooLarge(_))));
}

#[cfg(unix)]
#[test]
fn for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = folder();
    let folder = parent.path().join("new/data");
    let file = folder.join("wayleave.db");
    let store = Store::open(&folder).unwrap();
    store.add(&address("alice@example.org"), "secret").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    drop(store);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    Store::open(&folder).unwrap();
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = folder();
    let file = folder.path().join("wayleave.db");
    fs::write(&file, "this is a letter to the editor, and long enough to be one").unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(&error, Error::Foreign { path } if *path == file), "{error}");

    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let error = Store::open(&plain.join("data")).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
    assert!(error.to_string().contains("plain"), "{error}");
}

#[test]
fn a_later_version_is_refused() {
    let folder = folder();
    let file = folder.path().join("wayleave.db");
    drop(Store::open(folder.path()).unwrap());
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 99, .. }), "{error}");
}

#[test]
fn somebody_elses_database_is_refused() {
    let folder = folder();
    let file = folder.path().join("wayleave.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(other);
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
}

#[test]
fn accounts_are_found_by_the_hash_of_both_user_names() {
    let store = Store::in_memory().unwrap();
    let alice = address("alice@example.org");
    store.add(&alice, "secret").unwrap();
    let hash = |user: &str, realm: &str| crypto::sha256(&[user.as_bytes(), b":", realm.as_bytes()]);
    let find = |user, realm| store.by_user_hash(&hash(user, realm)).unwrap();
    assert_eq!(find("alice", "example.org"), Some((alice.clone(), UserForm::Local)));
    assert_eq!(find("alice@example.org", "example.org"), Some((alice.clone(), UserForm::Address)));
    assert_eq!(find("alice", "example.net"), None);
    store.remove(&alice).unwrap();
    assert_eq!(find("alice", "example.org"), None);
}

/// Makes the database of a folder one of an earlier version, which had not what `newer` drops.
fn age(folder: &Path, version: u32, newer: &str) {
    let file = rusqlite::Connection::open(folder.join("wayleave.db")).unwrap();
    file.execute_batch(newer).unwrap();
    file.pragma_update(None, "user_version", version).unwrap();
}

#[test]
fn accounts_of_the_first_version_get_their_hashes() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.add(&address("alice@example.org"), "secret").unwrap();
    drop(store);
    age(
        folder.path(),
        1,
        "DROP TABLE user_hashes; DROP TABLE rosters; DROP TABLE secrets; DROP TABLE changes",
    );
    let store = Store::open(folder.path()).unwrap();
    let hash = crypto::sha256(&[b"alice:example.org"]);
    let (found, _) = store.by_user_hash(&hash).unwrap().unwrap();
    assert_eq!(found.to_string(), "alice@example.org");
}

#[test]
fn files_of_the_second_version_get_rosters_and_secrets() {
    let folder = folder();
    let alice = address("alice@example.org");
    let store = Store::open(folder.path()).unwrap();
    store.add(&alice, "secret").unwrap();
    let before = store.keys(&alice).unwrap();
    drop(store);
    age(folder.path(), 2, "DROP TABLE rosters; DROP TABLE secrets; DROP TABLE changes");
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.keys(&alice).unwrap(), before);
    assert_eq!(store.roster(&alice).unwrap(), Some(Vec::new()));
    let bob = contact(&alice, "bob@example.org", "friend");
    assert_eq!(store.save_contacts(std::slice::from_ref(&bob)).unwrap(), [true]);
    let secret = store.secret("salt").unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.roster(&alice).unwrap(), Some(vec![bob]));
    assert_eq!(store.secret("salt").unwrap(), secret);
}

fn contact(owner: &Address, address: &str, state: &str) -> Contact {
    Contact { owner: owner.clone(), address: address.to_owned(), state: state.into() }
}

#[test]
fn rosters_come_and_go_with_their_accounts() {
    let store = Store::in_memory().unwrap();
    let (alice, bob) = (address("alice@example.org"), address("bob@example.org"));
    store.add(&alice, "secret").unwrap();
    let saved = [
        contact(&alice, "carol@example.net", "first"),
        contact(&bob, "alice@example.org", "nobody's"),
        contact(&alice, "bob@example.org", "x"),
        contact(&alice, "carol@example.net", "second"),
    ];
    assert_eq!(store.save_contacts(&saved).unwrap(), [true, false, true, true]);
    let roster = store.roster(&alice).unwrap().unwrap();
    assert_eq!(roster, [saved[2].clone(), saved[3].clone()]);
    assert_eq!(store.roster(&bob).unwrap(), None);
    let gone = [contact(&alice, "bob@example.org", ""), contact(&alice, "nobody@example.org", "")];
    assert_eq!(store.save_contacts(&gone).unwrap(), [true, true]);
    assert_eq!(store.roster(&alice).unwrap(), Some(vec![saved[3].clone()]));
    store.remove(&alice).unwrap();
    store.add(&alice, "secret").unwrap();
    assert_eq!(store.roster(&alice).unwrap(), Some(Vec::new()));
}

#[test]
fn rosters_have_limits() {
    let store = Store::in_memory().unwrap();
    let alice = address("alice@example.org");
    store.add(&alice, "secret").unwrap();
    let name = |n: usize| format!("{n}@example.net");
    let all: Vec<_> = (0..=defaults::ROSTER_MAX).map(|n| contact(&alice, &name(n), "x")).collect();
    let kept = store.save_contacts(&all).unwrap();
    assert_eq!(kept.iter().filter(|kept| **kept).count(), defaults::ROSTER_MAX);
    assert_eq!(kept.last(), Some(&false));
    // Those that are there can be changed and removed still.
    let changes = [
        contact(&alice, &name(0), "y"),
        contact(&alice, &name(1), ""),
        all[defaults::ROSTER_MAX].clone(),
    ];
    assert_eq!(store.save_contacts(&changes).unwrap(), [true, true, true]);
    let large = contact(&alice, &name(0), &"x".repeat(defaults::CONTACT_MAX_LEN));
    assert_eq!(store.save_contacts(&[large, all[2].clone()]).unwrap(), [false, true]);
}

#[test]
fn a_secret_is_made_once() {
    let folder = folder();
    let (one, other) = (Store::open(folder.path()).unwrap(), Store::open(folder.path()).unwrap());
    let secret = one.secret("xmpp.salt").unwrap();
    assert_eq!(secret.reveal().len(), defaults::SECRET_LEN);
    assert_eq!(other.secret("xmpp.salt").unwrap(), secret);
    assert_ne!(other.secret("another").unwrap(), secret);
}

#[test]
fn scram_keys_alone() {
    let store = Store::in_memory().unwrap();
    let alice = address("alice@example.org");
    store.add(&alice, "secret").unwrap();
    assert_eq!(store.scram(&alice).unwrap(), store.keys(&alice).unwrap().unwrap().scram);
    assert_eq!(store.scram(&address("bob@example.org")).unwrap(), []);
}

#[test]
fn a_server_hears_of_accounts_that_change() {
    let folder = folder();
    let server = Store::open(folder.path()).unwrap();
    let command = Store::open(folder.path()).unwrap();
    let [alice, bob] = ["alice", "bob"].map(|user| address(&format!("{user}@example.org")));
    let mut cursor = server.cursor().unwrap();
    for user in [&alice, &bob] {
        command.add(user, "secret").unwrap();
    }
    let state = vec![1];
    let binding =
        |aor: &Address| Binding { aor: aor.to_string(), state: state.clone(), expires_secs: 100 };
    server.save_bindings(&[binding(&alice), binding(&bob)]).unwrap();
    assert_eq!(server.changed(&mut cursor).unwrap(), [], "who is new was nobody before");
    command.remove(&bob).unwrap();
    command.set_password(&alice, "another").unwrap();
    let late = server.cursor().unwrap();
    assert_eq!(server.changed(&mut cursor).unwrap(), [bob.clone(), alice.clone()]);
    assert_eq!(server.changed(&mut cursor).unwrap(), []);
    assert_eq!((cursor, server.bindings(50).unwrap()), (late, Vec::new()));
    assert!(command.remove(&bob).is_err());
    assert_eq!(server.changed(&mut cursor).unwrap(), []);
}

#[test]
fn changes_of_long_ago_are_forgotten() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    let alice = address("alice@example.org");
    store.add(&alice, "secret").unwrap();
    let file = rusqlite::Connection::open(folder.path().join(defaults::FILE_NAME)).unwrap();
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                INSERT INTO changes (local, domain) SELECT 'bob', 'example.org' FROM n";
    file.execute(many, [defaults::CHANGES_KEPT]).unwrap();
    let mut cursor = store.cursor().unwrap();
    store.remove(&alice).unwrap();
    assert_eq!(store.changed(&mut cursor).unwrap(), [alice]);
    let count: i64 = file.query_row("SELECT count(*) FROM changes", [], |row| row.get(0)).unwrap();
    assert_eq!(count, defaults::CHANGES_KEPT);
}
