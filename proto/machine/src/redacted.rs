//! A value that does not show in logs.

use std::fmt;

/// Wraps what logs may not show above DEBUG: addresses, user names, secrets.
///
/// `Debug` and `Display` print `…`; [`Redacted::reveal`] is the way to the value, easy to search for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Redacted<T>(pub T);

impl<T> Redacted<T> {
    /// The value itself.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::Redacted;

    #[test]
    fn it_shows_when_asked_to_alone() {
        let user = Redacted("alice@example.org".to_owned());
        assert_eq!(format!("{user} {user:?} {:?}", Some(&user)), "… … Some(…)");
        assert_eq!(user.reveal(), "alice@example.org");
    }
}
