//! What is kept instead of a password.

use crypto::{Secret, scram};

use crate::defaults::{PASSWORD_MAX_LEN, SCRAM_ITERATIONS, SCRAM_SALT_LEN};
use crate::{Address, Error};

/// A digest algorithm of SIP (RFC 8760 §2) and TURN (RFC 8489 §18.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestAlgorithm {
    /// MD5, which every phone knows.
    Md5,
    /// SHA-256.
    Sha256,
    /// SHA-512/256.
    Sha512Of256,
}

impl DigestAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Md5, Self::Sha256, Self::Sha512Of256];

    /// The name in the database, which is the one on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512Of256 => "SHA-512-256",
        }
    }
}

/// What a client gives as its user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserForm {
    /// `alice`.
    Local,
    /// `alice@example.org`.
    Address,
}

impl UserForm {
    /// Both forms.
    pub const ALL: [Self; 2] = [Self::Local, Self::Address];

    /// The name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Address => "address",
        }
    }

    /// The user name of `address` in this form.
    #[must_use]
    pub fn of(self, address: &Address) -> String {
        match self {
            Self::Local => address.local().to_owned(),
            Self::Address => address.to_string(),
        }
    }
}

/// The name of a SCRAM hash in the database, which is the mechanism's on the wire.
pub(crate) const fn scram_name(hash: scram::Hash) -> &'static str {
    match hash {
        scram::Hash::Sha1 => "SCRAM-SHA-1",
        scram::Hash::Sha256 => "SCRAM-SHA-256",
    }
}

/// The hashes of SCRAM.
pub(crate) const SCRAM_HASHES: [scram::Hash; 2] = [scram::Hash::Sha1, scram::Hash::Sha256];

/// What a server keeps for one SCRAM mechanism (RFC 5802 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramKeys {
    /// The salt.
    pub salt: Vec<u8>,
    /// How often PBKDF2 went round.
    pub iterations: u32,
    /// `H(ClientKey)`.
    pub stored_key: Secret,
    /// What proves the server.
    pub server_key: Secret,
}

/// Every key of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// `H(username ":" realm ":" password)` (RFC 7616 §3.4.2), the realm being the domain.
    pub digests: Vec<(DigestAlgorithm, UserForm, Secret)>,
    /// For each SCRAM mechanism.
    pub scram: Vec<(scram::Hash, ScramKeys)>,
}

impl Keys {
    /// Derives every key of `address` from `password`.
    ///
    /// # Errors
    /// [`Error::Password`] for a password that cannot be used; [`Error::Randomness`].
    pub fn derive(address: &Address, password: &str) -> Result<Self, Error> {
        let mut entropy = [0; SCRAM_SALT_LEN];
        getrandom::fill(&mut entropy).map_err(|e| Error::Randomness(e.into()))?;
        Self::derive_with(address, password, &entropy, SCRAM_ITERATIONS)
    }

    fn derive_with(
        address: &Address,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<Self, Error> {
        check(password)?;
        // RFC 5802 §5.1: SCRAM's password is prepared; digests take it as it is typed.
        let prepared = stringprep::saslprep(password)
            .map_err(|_| Error::Password("has characters that XMPP forbids in one"))?;
        let mut digests = Vec::new();
        for algorithm in DigestAlgorithm::ALL {
            for form in UserForm::ALL {
                digests.push((algorithm, form, ha1(algorithm, form, address, password)));
            }
        }
        let scram = SCRAM_HASHES.map(|hash| {
            let keys = scram::derive(hash, prepared.as_bytes(), salt, iterations);
            let salt = salt.to_vec();
            let scram::Keys { stored_key, server_key } = keys;
            (hash, ScramKeys { salt, iterations, stored_key, server_key })
        });
        Ok(Self { digests, scram: scram.into() })
    }

    /// The digest key for `algorithm` and a user name in `form`.
    #[must_use]
    pub fn digest(&self, algorithm: DigestAlgorithm, form: UserForm) -> Option<&Secret> {
        let wanted =
            |(a, f, _): &&(DigestAlgorithm, UserForm, Secret)| (*a, *f) == (algorithm, form);
        self.digests.iter().find(wanted).map(|(.., key)| key)
    }

    /// The keys of a SCRAM mechanism.
    #[must_use]
    pub fn scram(&self, hash: scram::Hash) -> Option<&ScramKeys> {
        self.scram.iter().find(|(h, _)| *h == hash).map(|(_, keys)| keys)
    }
}

fn check(password: &str) -> Result<(), Error> {
    if password.is_empty() {
        return Err(Error::Password("is empty"));
    }
    if password.len() > PASSWORD_MAX_LEN {
        return Err(Error::Password("is longer than 1024 bytes"));
    }
    if password.chars().any(char::is_control) {
        return Err(Error::Password("has control characters, a line break for one"));
    }
    Ok(())
}

fn ha1(algorithm: DigestAlgorithm, form: UserForm, address: &Address, password: &str) -> Secret {
    let user = form.of(address);
    let parts: [&[u8]; 5] =
        [user.as_bytes(), b":", address.domain().as_bytes(), b":", password.as_bytes()];
    match algorithm {
        DigestAlgorithm::Md5 => Secret::new(crypto::md5(&parts)),
        DigestAlgorithm::Sha256 => Secret::new(crypto::sha256(&parts)),
        DigestAlgorithm::Sha512Of256 => Secret::new(crypto::sha512_256(&parts)),
    }
}

#[cfg(test)]
mod tests {
    use crypto::{Secret, scram, to_hex};

    use super::{DigestAlgorithm as A, Keys, UserForm as F};
    use crate::{Address, Error};

    fn address() -> Address {
        "alice@example.org".parse().unwrap()
    }

    /// Against `printf 'alice:example.org:secret' | md5sum` and its like.
    #[test]
    fn digests_of_both_user_names() {
        let keys = Keys::derive(&address(), "secret").unwrap();
        let hex = |a, f| to_hex(keys.digest(a, f).unwrap().reveal());
        assert_eq!(hex(A::Md5, F::Local), to_hex(&crypto::md5(&[b"alice:example.org:secret"])));
        let long: &[u8] = b"alice@example.org:example.org:secret";
        assert_eq!(hex(A::Sha256, F::Address), to_hex(&crypto::sha256(&[long])));
        assert_eq!(hex(A::Sha512Of256, F::Address), to_hex(&crypto::sha512_256(&[long])));
        assert_eq!(keys.digests.len(), 6);
    }

    #[test]
    fn scram_takes_the_prepared_password() {
        // U+00AA becomes "a", U+00AD disappears (RFC 4013 §3).
        let typed = Keys::derive_with(&address(), "\u{aa}\u{ad}bc", b"salt", 4096).unwrap();
        let plain = Keys::derive_with(&address(), "abc", b"salt", 4096).unwrap();
        assert_eq!(typed.scram, plain.scram);
        assert_ne!(typed.digests, plain.digests);
        let expected = scram::derive(scram::Hash::Sha256, b"abc", b"salt", 4096);
        assert_eq!(plain.scram(scram::Hash::Sha256).unwrap().stored_key, expected.stored_key);
    }

    #[test]
    fn salts_differ() {
        let salt = || {
            let keys = Keys::derive(&address(), "secret").unwrap();
            Secret::new(keys.scram(scram::Hash::Sha1).unwrap().salt.clone())
        };
        assert_ne!(salt(), salt());
    }

    #[test]
    fn passwords_that_cannot_be_used() {
        for password in ["", "a\nb", &"x".repeat(1025), "\u{e000}"] {
            let error = Keys::derive(&address(), password).unwrap_err();
            assert!(matches!(error, Error::Password(_)), "{error}");
        }
    }
}
