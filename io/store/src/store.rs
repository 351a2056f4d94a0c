//! Accounts, bindings and secrets.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crypto::{Secret, scram};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::defaults::{BINDING_MAX_LEN, SECRET_LEN};
use crate::keys::{SCRAM_HASHES, scram_name};
use crate::{Address, DigestAlgorithm, Error, Keys, ScramKeys, UserForm, changes, folder, schema};

/// What every registration and call asks.
pub(crate) const DIGESTS: &str = "
    SELECT algorithm, key FROM digest_keys JOIN accounts ON accounts.id = account
    WHERE local = ?1 AND domain = ?2 AND form = ?3
";

/// Who hides behind a hash.
const BY_USER_HASH: &str = "
    SELECT local, domain, form FROM user_hashes JOIN accounts ON accounts.id = account
    WHERE hash = ?1
";

/// The accounts and bindings of one data folder; cheap to clone, and every call may wait for the
/// disk.
#[derive(Clone, Debug)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    path: PathBuf,
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its address.
    pub address: Address,
    /// When it was added, in seconds since 1970.
    pub created_secs: u64,
    /// When its password was set last, in seconds since 1970.
    pub changed_secs: u64,
}

/// What a registrar wants to find again after a restart, opaque to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The address of record.
    pub aor: String,
    /// The registrar's own form of the bindings.
    pub state: Vec<u8>,
    /// When the last of them ends, in seconds since 1970.
    pub expires_secs: u64,
}

impl Store {
    /// Opens the store in `folder`; makes both when they are missing.
    ///
    /// # Errors
    /// [`Error`] says which file cannot be used and why.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder::prepare(folder)?;
        let connection = Connection::open(&path)?;
        Self::prepared(connection, path)
    }

    /// A store that lives and dies with the process, for tests and demonstrations.
    ///
    /// # Errors
    /// [`Error::Database`] if SQLite cannot.
    pub fn in_memory() -> Result<Self, Error> {
        Self::prepared(Connection::open_in_memory()?, PathBuf::from(":memory:"))
    }

    fn prepared(mut connection: Connection, path: PathBuf) -> Result<Self, Error> {
        schema::prepare(&mut connection, &path)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path })
    }

    /// The database's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Password`].
    pub fn add(&self, address: &Address, password: &str) -> Result<(), Error> {
        let keys = Keys::derive(address, password)?;
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let now = unix_secs();
        let added = transaction.execute(
            "INSERT INTO accounts (local, domain, created_secs, changed_secs)
             VALUES (?1, ?2, ?3, ?3) ON CONFLICT DO NOTHING",
            params![address.local(), address.domain(), now],
        )?;
        if added == 0 {
            return Err(Error::Exists(address.clone()));
        }
        let account = transaction.last_insert_rowid();
        write_keys(&transaction, account, &keys)?;
        write_user_hashes(&transaction, account, address)?;
        Ok(transaction.commit()?)
    }

    /// Sets another password; what was registered with the old one is forgotten.
    ///
    /// # Errors
    /// [`Error::NoSuchAccount`], [`Error::Password`].
    pub fn set_password(&self, address: &Address, password: &str) -> Result<(), Error> {
        let keys = Keys::derive(address, password)?;
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let account = transaction
            .query_row(
                "UPDATE accounts SET changed_secs = ?3 WHERE local = ?1 AND domain = ?2
                 RETURNING id",
                params![address.local(), address.domain(), unix_secs()],
                |row| row.get::<_, i64>(0),
            )
            .optional()?
            .ok_or_else(|| Error::NoSuchAccount(address.clone()))?;
        write_keys(&transaction, account, &keys)?;
        changes::note(&transaction, address)?;
        Ok(transaction.commit()?)
    }

    /// Removes an account with its keys, its roster and its bindings.
    ///
    /// # Errors
    /// [`Error::NoSuchAccount`].
    pub fn remove(&self, address: &Address) -> Result<(), Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let removed = transaction.execute(
            "DELETE FROM accounts WHERE local = ?1 AND domain = ?2",
            params![address.local(), address.domain()],
        )?;
        if removed == 0 {
            return Err(Error::NoSuchAccount(address.clone()));
        }
        changes::note(&transaction, address)?;
        Ok(transaction.commit()?)
    }

    /// Every account, by domain and then by name.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn accounts(&self) -> Result<Vec<Account>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT local, domain, created_secs, changed_secs FROM accounts
             ORDER BY domain, local",
        )?;
        let rows = statement.query_map([], |row| {
            let (local, domain) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
            Ok((local, domain, row.get(2)?, row.get(3)?))
        })?;
        let mut accounts = Vec::new();
        for row in rows {
            let (local, domain, created_secs, changed_secs) = row?;
            // What no version of ours wrote cannot log in, and is not shown.
            if let Ok(address) = Address::new(&local, &domain) {
                accounts.push(Account { address, created_secs, changed_secs });
            }
        }
        Ok(accounts)
    }

    /// Whether there is such an account.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn exists(&self, address: &Address) -> Result<bool, Error> {
        Ok(Self::account(&self.lock(), address)?.is_some())
    }

    /// Every key of an account; `None` if there is no such account.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn keys(&self, address: &Address) -> Result<Option<Keys>, Error> {
        let connection = self.lock();
        let Some(account) = Self::account(&connection, address)? else { return Ok(None) };
        Ok(Some(Keys {
            digests: digest_keys(&connection, account)?,
            scram: scram_keys(&connection, account)?,
        }))
    }

    /// The digest keys of an account for a user name in `form`, which is all that SIP asks for at
    /// every registration and call; none if there is no such account.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn digests(
        &self,
        address: &Address,
        form: UserForm,
    ) -> Result<Vec<(DigestAlgorithm, Secret)>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(DIGESTS)?;
        let wanted = params![address.local(), address.domain(), form.name()];
        let rows = statement
            .query_map(wanted, |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let mut keys = Vec::new();
        for row in rows {
            let (name, key) = row?;
            let algorithm = DigestAlgorithm::ALL.into_iter().find(|a| a.name() == name);
            keys.extend(algorithm.map(|algorithm| (algorithm, Secret::new(key))));
        }
        Ok(keys)
    }

    /// The keys of an account for each SCRAM mechanism, which is all that XMPP asks for; none if
    /// there is no such account.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn scram(&self, address: &Address) -> Result<Vec<(scram::Hash, ScramKeys)>, Error> {
        let connection = self.lock();
        let Some(account) = Self::account(&connection, address)? else { return Ok(Vec::new()) };
        scram_keys(&connection, account)
    }

    /// The account with a user name that has this hash (RFC 8489 §14.4), and the form of that name.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn by_user_hash(&self, hash: &[u8; 32]) -> Result<Option<(Address, UserForm)>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(BY_USER_HASH)?;
        let found = statement
            .query_row(params![hash.as_slice()], |row| {
                let (local, domain) = (row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                Ok((local, domain, row.get::<_, String>(2)?))
            })
            .optional()?;
        Ok(found.and_then(|(local, domain, form)| {
            let form = UserForm::ALL.into_iter().find(|known| known.name() == form)?;
            Some((Address::new(&local, &domain).ok()?, form))
        }))
    }

    /// Keeps bindings, each in place of what was kept for its address of record; an empty state
    /// forgets them. All are kept or none.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Database`].
    pub fn save_bindings(&self, bindings: &[Binding]) -> Result<(), Error> {
        if let Some(large) = bindings.iter().find(|b| b.state.len() > BINDING_MAX_LEN) {
            return Err(Error::TooLarge(large.state.len()));
        }
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        {
            let mut save = transaction.prepare_cached(
                "INSERT INTO bindings (aor, state, expires_secs) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE
                 SET state = excluded.state, expires_secs = excluded.expires_secs",
            )?;
            let mut forget = transaction.prepare_cached("DELETE FROM bindings WHERE aor = ?1")?;
            for Binding { aor, state, expires_secs } in bindings {
                if state.is_empty() {
                    forget.execute(params![aor])?;
                } else {
                    save.execute(params![aor, state, expires_secs])?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    /// The secret of this name: made when it is asked for first, and the same ever after.
    ///
    /// # Errors
    /// [`Error::Randomness`], [`Error::Database`].
    pub fn secret(&self, name: &str) -> Result<Secret, Error> {
        let mut fresh = [0; SECRET_LEN];
        getrandom::fill(&mut fresh).map_err(|e| Error::Randomness(e.into()))?;
        let connection = self.lock();
        // Another process may make it at the same time; the first one counts.
        connection.execute(
            "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![name, fresh.as_slice()],
        )?;
        let value: Vec<u8> = connection.query_row(
            "SELECT value FROM secrets WHERE name = ?1",
            params![name],
            |row| row.get(0),
        )?;
        Ok(Secret::new(value))
    }

    /// The bindings that live at `now_secs` (since 1970), by address of record; forgets the others.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn bindings(&self, now_secs: u64) -> Result<Vec<Binding>, Error> {
        let connection = self.lock();
        connection.execute("DELETE FROM bindings WHERE expires_secs <= ?1", params![now_secs])?;
        let mut statement = connection
            .prepare_cached("SELECT aor, state, expires_secs FROM bindings ORDER BY aor")?;
        let rows = statement.query_map([], |row| {
            Ok(Binding { aor: row.get(0)?, state: row.get(1)?, expires_secs: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The number of an account in the tables.
    pub(crate) fn account(
        connection: &Connection,
        address: &Address,
    ) -> Result<Option<i64>, Error> {
        let mut statement = connection
            .prepare_cached("SELECT id FROM accounts WHERE local = ?1 AND domain = ?2")?;
        let id = statement
            .query_row(params![address.local(), address.domain()], |row| row.get(0))
            .optional()?;
        Ok(id)
    }

    /// A panic elsewhere leaves no transaction open: it is rolled back as it unwinds.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_keys(transaction: &Transaction<'_>, account: i64, keys: &Keys) -> Result<(), Error> {
    for (algorithm, form, key) in &keys.digests {
        transaction.execute(
            "INSERT OR REPLACE INTO digest_keys (account, algorithm, form, key)
             VALUES (?1, ?2, ?3, ?4)",
            params![account, algorithm.name(), form.name(), key.reveal()],
        )?;
    }
    for (hash, keys) in &keys.scram {
        transaction.execute(
            "INSERT OR REPLACE INTO scram_keys
             (account, mechanism, salt, iterations, stored_key, server_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                account,
                scram_name(*hash),
                keys.salt,
                keys.iterations,
                keys.stored_key.reveal(),
                keys.server_key.reveal()
            ],
        )?;
    }
    Ok(())
}

pub(crate) fn write_user_hashes(
    transaction: &Transaction<'_>,
    account: i64,
    address: &Address,
) -> Result<(), Error> {
    for form in UserForm::ALL {
        let user = form.of(address);
        let hash = crypto::sha256(&[user.as_bytes(), b":", address.domain().as_bytes()]);
        transaction.execute(
            "INSERT OR REPLACE INTO user_hashes (hash, account, form) VALUES (?1, ?2, ?3)",
            params![hash.as_slice(), account, form.name()],
        )?;
    }
    Ok(())
}

fn digest_keys(
    connection: &Connection,
    account: i64,
) -> Result<Vec<(DigestAlgorithm, UserForm, Secret)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT key FROM digest_keys WHERE account = ?1 AND algorithm = ?2 AND form = ?3",
    )?;
    let mut keys = Vec::new();
    for algorithm in DigestAlgorithm::ALL {
        for form in UserForm::ALL {
            let wanted = params![account, algorithm.name(), form.name()];
            let key = statement.query_row(wanted, |row| row.get::<_, Vec<u8>>(0)).optional()?;
            keys.extend(key.map(|key| (algorithm, form, Secret::new(key))));
        }
    }
    Ok(keys)
}

fn scram_keys(
    connection: &Connection,
    account: i64,
) -> Result<Vec<(scram::Hash, ScramKeys)>, Error> {
    let mut statement = connection.prepare_cached(
        "SELECT salt, iterations, stored_key, server_key FROM scram_keys
         WHERE account = ?1 AND mechanism = ?2",
    )?;
    let mut keys = Vec::new();
    for hash in SCRAM_HASHES {
        let found = statement.query_row(params![account, scram_name(hash)], |row| {
            Ok(ScramKeys {
                salt: row.get(0)?,
                iterations: row.get(1)?,
                stored_key: Secret::new(row.get::<_, Vec<u8>>(2)?),
                server_key: Secret::new(row.get::<_, Vec<u8>>(3)?),
            })
        });
        keys.extend(found.optional()?.map(|found| (hash, found)));
    }
    Ok(keys)
}

fn unix_secs() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::{DIGESTS, Store};
    use crate::UserForm;

    #[test]
    fn a_statement_is_compiled_once() {
        let store = Store::in_memory().unwrap();
        for user in ["alice", "bob", "carol"] {
            let address = format!("{user}@example.org").parse().unwrap();
            store.add(&address, "secret").unwrap();
            store.digests(&address, UserForm::Local).unwrap();
        }
        let connection = store.lock();
        let statement = connection.prepare_cached(DIGESTS).unwrap();
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
