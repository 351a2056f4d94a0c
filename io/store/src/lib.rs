//! Accounts and bindings in embedded SQLite.
