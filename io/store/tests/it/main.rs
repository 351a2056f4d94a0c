//! What the store promises, on files in temporary folders.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

extern crate wayleave_store as store;

use std::fs;

use store::{Account, Address, Binding, DigestAlgorithm, Error, Keys, Store, UserForm};
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
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
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

#[test]
fn accounts_of_the_first_version_get_their_hashes() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    store.add(&address("alice@example.org"), "secret").unwrap();
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("wayleave.db")).unwrap();
    file.execute_batch("DROP TABLE user_hashes").unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    drop(file);
    let store = Store::open(folder.path()).unwrap();
    let hash = crypto::sha256(&[b"alice:example.org"]);
    let (found, _) = store.by_user_hash(&hash).unwrap().unwrap();
    assert_eq!(found.to_string(), "alice@example.org");
}
