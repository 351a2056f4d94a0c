//! What can go wrong, said so that a person knows what to do.

use std::path::PathBuf;

use crate::Address;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data folder or the file cannot be made or opened.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is not a database of ours.
    #[error("{} is not a database of wayleave's; move it away or choose another data folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error(
        "{} was written by a later version of wayleave (schema {found}, this one knows {known}); use that version",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema's version.
        found: u32,
        /// The newest that this version knows.
        known: u32,
    },
    /// The account exists already.
    #[error("{0} exists already; `wayleave user passwd {0}` changes its password")]
    Exists(Address),
    /// There is no such account.
    #[error("there is no account {0}; `wayleave user list` shows those that exist")]
    NoSuchAccount(Address),
    /// The password cannot be used.
    #[error("the password {0}")]
    Password(&'static str),
    /// The state of an address is too large to keep.
    #[error("the bindings of an address take {0} bytes, more than are kept")]
    TooLarge(usize),
    /// Another process held the database for too long.
    #[error("another process holds the database; try again")]
    Busy,
    /// The operating system has no randomness for a salt.
    #[error("no randomness from the operating system: {0}")]
    Randomness(std::io::Error),
    /// SQLite failed in another way.
    #[error("the database failed: {0}")]
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::Busy,
            _ => Self::Database(error),
        }
    }
}
