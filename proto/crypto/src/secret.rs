//! Bytes that are wiped when dropped and do not show in logs.

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes: a key, a password, a derived hash.
///
/// They are overwritten when dropped, compare in constant time and print as `Secret(…)`;
/// [`Secret::reveal`] is the way to them, easy to search for.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes `bytes` over. A `Vec` or `String` moves in without a copy; of an array or slice the
    /// caller's copy stays the caller's to wipe.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        crate::ct_eq(self.reveal(), other.reveal())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: Into<Vec<u8>>> From<T> for Secret {
    fn from(bytes: T) -> Self {
        Self::new(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn shows_nothing_and_compares() {
        let secret = Secret::new("swordfish");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret, Secret::new(b"swordfish".to_vec()));
        assert_ne!(secret, Secret::new("sword"));
        assert_eq!(secret.reveal(), b"swordfish");
    }
}
