//! Accounts that went away or got another password, for a server that runs meanwhile: whoever was let
//! in by the old one is in still.

use rusqlite::{Transaction, params};

use crate::defaults::CHANGES_KEPT;
use crate::{Address, Error, Store};

/// How far somebody has read of the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(i64);

impl Store {
    /// Behind the last change that there is.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn cursor(&self) -> Result<Cursor, Error> {
        let last = "SELECT coalesce(max(serial), 0) FROM changes";
        Ok(Cursor(self.lock().query_row(last, [], |row| row.get(0))?))
    }

    /// The accounts that were removed or got another password since, the oldest change first; the
    /// cursor is behind them then.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn changed(&self, cursor: &mut Cursor) -> Result<Vec<Address>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(
            "SELECT serial, local, domain FROM changes WHERE serial > ?1 ORDER BY serial",
        )?;
        let rows = statement.query_map(params![cursor.0], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let mut addresses = Vec::new();
        for row in rows {
            let (serial, local, domain) = row?;
            cursor.0 = serial;
            addresses.extend(Address::new(&local, &domain));
        }
        Ok(addresses)
    }
}

/// What an account was good for until now is good for no more: its bindings go at once, and a server
/// that runs is told.
pub(crate) fn note(transaction: &Transaction<'_>, address: &Address) -> Result<(), Error> {
    transaction.execute("DELETE FROM bindings WHERE aor = ?1", params![address.to_string()])?;
    transaction.execute(
        "INSERT INTO changes (local, domain) VALUES (?1, ?2)",
        params![address.local(), address.domain()],
    )?;
    let old = transaction.last_insert_rowid() - CHANGES_KEPT;
    transaction.execute("DELETE FROM changes WHERE serial <= ?1", params![old])?;
    Ok(())
}
