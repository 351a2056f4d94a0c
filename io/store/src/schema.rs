//! The database's tables, version by version.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction};

use crate::defaults::BUSY_TIMEOUT;
use crate::store::write_user_hashes;
use crate::{Address, Error};

/// Marks a file as ours: `WALY`.
const APPLICATION_ID: u32 = 0x5741_4c59;

/// What leads from each version to the next; the first makes an empty file version 1.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        local TEXT NOT NULL,
        domain TEXT NOT NULL,
        created_secs INTEGER NOT NULL,
        changed_secs INTEGER NOT NULL,
        UNIQUE (local, domain)
    ) STRICT;
    CREATE TABLE digest_keys (
        account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
        algorithm TEXT NOT NULL,
        form TEXT NOT NULL,
        key BLOB NOT NULL,
        PRIMARY KEY (account, algorithm, form)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE scram_keys (
        account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
        mechanism TEXT NOT NULL,
        salt BLOB NOT NULL,
        iterations INTEGER NOT NULL,
        stored_key BLOB NOT NULL,
        server_key BLOB NOT NULL,
        PRIMARY KEY (account, mechanism)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE bindings (
        aor TEXT PRIMARY KEY,
        state BLOB NOT NULL,
        expires_secs INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE user_hashes (
        hash BLOB PRIMARY KEY,
        account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
        form TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX user_hashes_of_account ON user_hashes (account);
",
    "
    CREATE TABLE rosters (
        account INTEGER NOT NULL REFERENCES accounts ON DELETE CASCADE,
        contact TEXT NOT NULL,
        state BLOB NOT NULL,
        PRIMARY KEY (account, contact)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE secrets (
        name TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE changes (
        serial INTEGER PRIMARY KEY AUTOINCREMENT,
        local TEXT NOT NULL,
        domain TEXT NOT NULL
    ) STRICT;
",
];

/// The version from which accounts are found by the hash of their user names.
const WITH_USER_HASHES: u32 = 2;

/// The newest version that we know.
pub(crate) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Sets the connection up and brings the file to the newest version.
pub(crate) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let foreign = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => Error::Foreign { path: path.to_owned() },
        _ => error.into(),
    };
    // Readers and a writer in other processes do not wait for each other.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(foreign)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Without this SQLite may compile a statement again for each value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    migrate(connection, path)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    // Two processes may open a new file at the same time.
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    let tables: u32 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let ours = application == APPLICATION_ID || (application == 0 && found == 0 && tables == 0);
    if !ours {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    if found > VERSION {
        return Err(Error::Newer { path: path.to_owned(), found, known: VERSION });
    }
    for step in MIGRATIONS.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    if found < WITH_USER_HASHES {
        hash_all(&transaction)?;
    }
    if found < VERSION {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(())
}

/// Writes the hashes that accounts of before have not.
fn hash_all(transaction: &Transaction<'_>) -> Result<(), Error> {
    let mut statement = transaction.prepare("SELECT id, local, domain FROM accounts")?;
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    for row in rows {
        let (account, local, domain) = row?;
        if let Ok(address) = Address::new(&local, &domain) {
            write_user_hashes(transaction, account, &address)?;
        }
    }
    Ok(())
}
