//! What a server keeps for SCRAM instead of a password (RFC 5802 §3, RFC 7677).
//!
//! The password comes prepared (SASLprep or the PRECIS OpaqueString profile): that is text, and
//! text is the caller's.

use crate::{Secret, hmac_sha1, hmac_sha256, pbkdf2_hmac_sha1, pbkdf2_hmac_sha256, sha1, sha256};

/// The hash function of a SCRAM mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

/// StoredKey and ServerKey of RFC 5802 §3: enough to check a client and to prove the server to
/// it, and not enough to log in as that client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// `H(ClientKey)`.
    pub stored_key: Secret,
    /// `HMAC(SaltedPassword, "Server Key")`.
    pub server_key: Secret,
}

/// SaltedPassword: `Hi(password, salt, iterations)`.
#[must_use]
pub fn salted_password(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> Secret {
    match hash {
        Hash::Sha1 => Secret::new(pbkdf2_hmac_sha1(password, salt, iterations)),
        Hash::Sha256 => Secret::new(pbkdf2_hmac_sha256(password, salt, iterations)),
    }
}

/// ClientKey: `HMAC(SaltedPassword, "Client Key")`.
#[must_use]
pub fn client_key(hash: Hash, salted_password: &Secret) -> Secret {
    hmac(hash, salted_password.reveal(), b"Client Key")
}

/// ServerKey: `HMAC(SaltedPassword, "Server Key")`.
#[must_use]
pub fn server_key(hash: Hash, salted_password: &Secret) -> Secret {
    hmac(hash, salted_password.reveal(), b"Server Key")
}

/// StoredKey: `H(ClientKey)`.
#[must_use]
pub fn stored_key(hash: Hash, client_key: &Secret) -> Secret {
    match hash {
        Hash::Sha1 => Secret::new(sha1(&[client_key.reveal()])),
        Hash::Sha256 => Secret::new(sha256(&[client_key.reveal()])),
    }
}

/// ClientSignature or ServerSignature: the HMAC of AuthMessage under StoredKey or ServerKey.
#[must_use]
pub fn signature(hash: Hash, key: &Secret, auth_message: &[u8]) -> Secret {
    hmac(hash, key.reveal(), auth_message)
}

/// Derives what a server keeps of `password`.
#[must_use]
pub fn derive(hash: Hash, password: &[u8], salt: &[u8], iterations: u32) -> Keys {
    let salted = salted_password(hash, password, salt, iterations);
    Keys {
        stored_key: stored_key(hash, &client_key(hash, &salted)),
        server_key: server_key(hash, &salted),
    }
}

fn hmac(hash: Hash, key: &[u8], message: &[u8]) -> Secret {
    match hash {
        Hash::Sha1 => Secret::new(hmac_sha1(key, &[message])),
        Hash::Sha256 => Secret::new(hmac_sha256(key, &[message])),
    }
}

#[cfg(test)]
mod tests {
    use super::{Hash, client_key, derive, salted_password, signature};
    use crate::{from_hex, to_hex};

    /// Runs an exchange: the proof of the client and the signature of the server, in hex.
    fn exchange(hash: Hash, salt: &str, auth_message: &str) -> (String, String) {
        let salt = from_hex(salt).unwrap();
        let keys = derive(hash, b"pencil", &salt, 4096);
        let client = client_key(hash, &salted_password(hash, b"pencil", &salt, 4096));
        let signed = signature(hash, &keys.stored_key, auth_message.as_bytes());
        let proof: Vec<u8> =
            client.reveal().iter().zip(signed.reveal()).map(|(a, b)| a ^ b).collect();
        let server = signature(hash, &keys.server_key, auth_message.as_bytes());
        (to_hex(&proof), to_hex(server.reveal()))
    }

    /// RFC 5802 §5, its base64 values in hex.
    #[test]
    fn rfc_5802_sha1() {
        let auth_message = "n=user,r=fyko+d2lbbFgONRv9qkxdawL,\
            r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,\
            c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j";
        let (proof, server) = exchange(Hash::Sha1, "4125c247e43ab1e93c6dff76", auth_message);
        assert_eq!(proof, "bf45fcbf7073d93d022466c94321745fe1c8e13b");
        assert_eq!(server, "ae617da6a57c4bbb2e0286568dae1d251905b0a4");
    }

    /// RFC 7677 §3, its base64 values in hex.
    #[test]
    fn rfc_7677_sha256() {
        let auth_message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
            r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
            c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let (proof, server) =
            exchange(Hash::Sha256, "5b6d99689d12358eeca04b141236fa81", auth_message);
        assert_eq!(proof, "747cdb65aa56224e2352137e52d7bdcad6a0f738df30782caa69a2cfb0277554");
        assert_eq!(server, "eabae24d1062db75a9451ff0b6ea7e98c8546549ff741e672d3251b2397de46e");
    }
}
