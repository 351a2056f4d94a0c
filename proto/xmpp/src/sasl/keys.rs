//! What a server keeps of a password (RFC 5802 §3), and what it makes up for a user that it does not
//! know, so that nobody learns from a challenge who is here.

use crypto::scram::{self, Hash};
use crypto::{Secret, hmac_sha256};

use super::text::saslprep;
use crate::defaults::{SCRAM_ITERATIONS, SCRAM_SALT_LEN};

/// What is kept for one hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The salt.
    pub salt: Vec<u8>,
    /// How often PBKDF2 went round.
    pub iterations: u32,
    /// `H(ClientKey)`: checks a client.
    pub stored_key: Secret,
    /// Proves the server.
    pub server_key: Secret,
}

/// What is kept for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScramKeys {
    /// For SCRAM-SHA-1.
    pub sha1: Keys,
    /// For SCRAM-SHA-256, and to check PLAIN.
    pub sha256: Keys,
}

impl ScramKeys {
    /// Derives the keys of a password; nothing for one that SASLprep forbids.
    #[must_use]
    pub fn derive(password: &str, salt: &[u8], iterations: u32) -> Option<Self> {
        let prepared = saslprep(password)?;
        let keys = |hash| {
            let derived = scram::derive(hash, prepared.as_bytes(), salt, iterations);
            let scram::Keys { stored_key, server_key } = derived;
            Keys { salt: salt.to_vec(), iterations, stored_key, server_key }
        };
        Some(Self { sha1: keys(Hash::Sha1), sha256: keys(Hash::Sha256) })
    }

    /// The keys for a hash.
    #[must_use]
    pub const fn of(&self, hash: Hash) -> &Keys {
        match hash {
            Hash::Sha1 => &self.sha1,
            Hash::Sha256 => &self.sha256,
        }
    }
}

/// Makes keys up for users that do not exist. The same name has the same salt each time and after
/// each restart, as long as the secret is kept; nobody has a password for it.
#[derive(Clone, Debug)]
pub struct Decoy {
    secret: Secret,
    /// The length of the salts of real accounts, in bytes; at most 32.
    pub salt_len: usize,
    /// The iterations of real accounts.
    pub iterations: u32,
}

impl Decoy {
    /// Makes keys up from `secret`, of the shape that accounts of today have.
    #[must_use]
    pub fn new(secret: impl Into<Secret>) -> Self {
        Self { secret: secret.into(), salt_len: SCRAM_SALT_LEN, iterations: SCRAM_ITERATIONS }
    }

    /// The keys of a user; the name as the server compares names.
    #[must_use]
    pub fn keys(&self, user: &str) -> ScramKeys {
        let made_up = |purpose: &[u8]| {
            hmac_sha256(self.secret.reveal(), &[purpose, b"\0", user.as_bytes()]).to_vec()
        };
        // One salt for both hashes, as a real account has it.
        let mut salt = made_up(b"salt");
        salt.truncate(self.salt_len);
        let keys = |len: usize, stored: &[u8], server: &[u8]| {
            let key = |purpose| {
                let mut key = made_up(purpose);
                key.truncate(len);
                Secret::new(key)
            };
            Keys {
                salt: salt.clone(),
                iterations: self.iterations,
                stored_key: key(stored),
                server_key: key(server),
            }
        };
        ScramKeys {
            sha1: keys(20, b"sha-1 stored", b"sha-1 server"),
            sha256: keys(32, b"sha-256 stored", b"sha-256 server"),
        }
    }
}
