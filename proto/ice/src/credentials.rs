//! User fragment and password (RFC 8445 §5.3).

use machine::Entropy;

use crate::defaults::MAX_CREDENTIAL_LEN;

/// The short-term credentials of one side of one ICE session.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user fragment.
    pub ufrag: String,
    /// The password.
    pub pwd: String,
}

/// Credentials that RFC 8839 §5.4 does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user fragment is not 4 to 256 ICE characters.
    #[error("an ICE user fragment is 4 to 256 letters, digits, + or /")]
    Ufrag,
    /// The password is not 22 to 256 ICE characters.
    #[error("an ICE password is 22 to 256 letters, digits, + or /")]
    Pwd,
}

impl Credentials {
    /// Fresh credentials.
    ///
    //= RFC 8445 §5.3: at least 24 bits of randomness in the fragment, 128 in the password.
    #[must_use]
    pub fn generate(entropy: &mut Entropy) -> Self {
        Self { ufrag: entropy.token(8), pwd: entropy.token(24) }
    }

    /// Credentials that a peer sent, checked.
    ///
    /// # Errors
    /// If they are too short, too long or hold other characters than ICE allows.
    pub fn received(ufrag: &str, pwd: &str) -> Result<Self, Error> {
        let credentials = Self { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() };
        credentials.check()?;
        Ok(credentials)
    }

    /// Whether RFC 8839 §5.4 allows them.
    ///
    /// # Errors
    /// As [`Credentials::received`].
    pub fn check(&self) -> Result<(), Error> {
        if !is_ice_chars(&self.ufrag, 4) {
            return Err(Error::Ufrag);
        }
        if !is_ice_chars(&self.pwd, 22) {
            return Err(Error::Pwd);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, …)", self.ufrag)
    }
}

fn is_ice_chars(s: &str, min: usize) -> bool {
    (min..=MAX_CREDENTIAL_LEN).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Error};
    use machine::Entropy;

    #[test]
    fn ours_are_allowed_and_differ() {
        let mut entropy = Entropy::seeded(1);
        let (a, b) = (Credentials::generate(&mut entropy), Credentials::generate(&mut entropy));
        assert_eq!(Credentials::received(&a.ufrag, &a.pwd), Ok(a.clone()));
        assert_ne!(a, b);
        assert!(!format!("{a:?}").contains(&a.pwd));
    }

    #[test]
    fn what_is_not_allowed() {
        let pwd = "0123456789012345678901";
        assert_eq!(Credentials::received("abc", pwd), Err(Error::Ufrag));
        assert_eq!(Credentials::received("ab:d", pwd), Err(Error::Ufrag));
        assert_eq!(Credentials::received("abcd", "short"), Err(Error::Pwd));
        assert_eq!(Credentials::received("abcd", &"p".repeat(257)), Err(Error::Pwd));
    }
}
