//! Rosters: whom an account knows (RFC 6121 §2). What is kept of a contact is the core's own form,
//! opaque to the store.

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::defaults::{CONTACT_MAX_LEN, ROSTER_MAX};
use crate::{Address, Error, Store};

/// One contact of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whose.
    pub owner: Address,
    /// Who: an address of whatever domain.
    pub address: String,
    /// What is kept of it; empty to forget the contact.
    pub state: Vec<u8>,
}

impl Store {
    /// The contacts of an account, by address; `None` if there is no such account.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn roster(&self, owner: &Address) -> Result<Option<Vec<Contact>>, Error> {
        let connection = self.lock();
        let Some(account) = Self::account(&connection, owner)? else { return Ok(None) };
        let mut statement = connection.prepare_cached(
            "SELECT contact, state FROM rosters WHERE account = ?1 ORDER BY contact",
        )?;
        let rows = statement.query_map(params![account], |row| {
            Ok(Contact { owner: owner.clone(), address: row.get(0)?, state: row.get(1)? })
        })?;
        Ok(Some(rows.collect::<Result<_, _>>()?))
    }

    /// Keeps contacts, each in place of what was kept of it; an empty state forgets one. All are
    /// kept or none, but for those that say `false`: there is no such account, its roster is full,
    /// or the contact is too large.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub fn save_contacts(&self, contacts: &[Contact]) -> Result<Vec<bool>, Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let kept = contacts
            .iter()
            .map(|contact| save(&transaction, contact))
            .collect::<Result<Vec<_>, _>>()?;
        transaction.commit()?;
        Ok(kept)
    }
}

fn save(transaction: &Transaction<'_>, contact: &Contact) -> Result<bool, Error> {
    let Contact { owner, address, state } = contact;
    let large = state.len() + address.len() > CONTACT_MAX_LEN;
    let account = if large { None } else { Store::account(transaction, owner)? };
    let Some(account) = account else { return Ok(false) };
    if state.is_empty() {
        transaction
            .prepare_cached("DELETE FROM rosters WHERE account = ?1 AND contact = ?2")?
            .execute(params![account, address])?;
        return Ok(true);
    }
    let changed = transaction
        .prepare_cached("UPDATE rosters SET state = ?3 WHERE account = ?1 AND contact = ?2")?
        .execute(params![account, address, state])?;
    if changed > 0 {
        return Ok(true);
    }
    // Counted only where a roster grows: the index has an account's contacts side by side.
    let count: Option<usize> = transaction
        .prepare_cached("SELECT count(*) FROM rosters WHERE account = ?1")?
        .query_row(params![account], |row| row.get(0))
        .optional()?;
    if count.unwrap_or_default() >= ROSTER_MAX {
        return Ok(false);
    }
    transaction
        .prepare_cached("INSERT INTO rosters (account, contact, state) VALUES (?1, ?2, ?3)")?
        .execute(params![account, address, state])?;
    Ok(true)
}
