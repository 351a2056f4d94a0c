//! Accounts that change while the core runs: `wayleave user` writes into the same store.

use anyhow::Context as _;
use store::{Address, Cursor, Store};

/// Reads what has changed.
pub struct Accounts {
    store: Store,
    seen: Cursor,
}

impl Accounts {
    /// From now on.
    pub fn new(store: Store) -> Result<Self, store::Error> {
        let seen = store.cursor()?;
        Ok(Self { store, seen })
    }

    /// The accounts that were removed or got another password since the last time; none if the store
    /// cannot say, which it is asked again then.
    pub async fn changed(&mut self) -> Vec<Address> {
        let (store, mut seen) = (self.store.clone(), self.seen);
        let read = move || store.changed(&mut seen).map(|changed| (changed, seen));
        // It waits for the disk.
        let read = tokio::task::spawn_blocking(read).await.context("the reader died");
        match read.and_then(|read| Ok(read?)) {
            Ok((changed, seen)) => {
                self.seen = seen;
                changed
            }
            Err(error) => {
                tracing::error!(%error, "the store does not say which accounts have changed");
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::Store;

    use super::Accounts;

    #[tokio::test]
    async fn each_change_is_told_once() {
        let store = Store::in_memory().unwrap();
        let alice = "alice@example.org".parse().unwrap();
        store.add(&alice, "secret").unwrap();
        store.set_password(&alice, "before").unwrap();
        let mut accounts = Accounts::new(store.clone()).unwrap();
        assert!(accounts.changed().await.is_empty());
        store.remove(&alice).unwrap();
        assert_eq!(accounts.changed().await, [alice]);
        assert!(accounts.changed().await.is_empty());
    }
}
