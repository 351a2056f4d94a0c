//! The client's side of the long-term credential mechanism (RFC 8489 §9.2).
//!
//! The first request goes out bare. A 401 tells realm and nonce; the request is sent again, in a new
//! transaction, with them and with an integrity. A 438 tells a new nonce. Everything else must
//! come with an integrity of the server's own.
//!
//! ```
//! # use wayleave_stun as stun;
//! # use stun::{Builder, Credentials, LongTerm, Message, Method, TransactionId};
//! # use stun::long_term::Verdict;
//! # let (first, second) = (TransactionId([1; 12]), TransactionId([2; 12]));
//! let mut auth = LongTerm::new(Credentials::new("alice", "swordfish")?);
//! let request = Builder::request(Method::BINDING, first).finish();
//! let request = Message::parse(&request)?;
//! # let challenge = Builder::error(&request, 401).realm("example.org").nonce(b"n").finish();
//! # let challenge = Message::parse(&challenge)?;
//! if auth.handle_response(&request, &challenge) == Verdict::Retry {
//!     let mut again = Builder::request(Method::BINDING, second);
//!     auth.authenticate(&mut again);
//!     let again = again.finish();
//!     assert_eq!(Message::parse(&again)?.username(), Some("alice"));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crypto::Secret;

use crate::attribute::{SecurityFeatures, error_code};
use crate::defaults::{MAX_CHALLENGES, MAX_USERNAME_WRITTEN_BYTES};
use crate::integrity::userhash;
use crate::{AttributeType, Builder, Class, Key, Message, PasswordAlgorithm};

/// Why credentials cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user name has more than [`MAX_USERNAME_WRITTEN_BYTES`] bytes.
    #[error("the user name is longer than STUN can carry")]
    UsernameTooLong,
}

/// A user name and a password, both prepared (RFC 8265 OpaqueString, which leaves ASCII as it is).
#[derive(Clone, Debug)]
pub struct Credentials {
    username: String,
    password: Secret,
}

impl Credentials {
    /// Credentials for any realm.
    ///
    /// # Errors
    /// [`Error::UsernameTooLong`].
    pub fn new(username: &str, password: impl Into<Secret>) -> Result<Self, Error> {
        if username.len() > MAX_USERNAME_WRITTEN_BYTES {
            return Err(Error::UsernameTooLong);
        }
        Ok(Self { username: username.to_owned(), password: password.into() })
    }
}

/// What to make of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the server's answer, be it a success or an error.
    Accept,
    /// It is a challenge: send the request again, authenticated, with a new transaction id.
    Retry,
    /// It is as if it had not been received: over UDP the transaction goes on (RFC 8489 §9.2.5).
    Discard,
    /// The transaction is over and there is no use in another one.
    GiveUp(Refusal),
}

/// Why a client gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server does not accept the user name or the password.
    #[error("the server refused user name or password")]
    Credentials,
    /// The challenge has no REALM or no NONCE.
    #[error("the server's challenge lacks realm or nonce")]
    BadChallenge,
    /// The nonce says that the server offers PASSWORD-ALGORITHMS, and none came: somebody on the way
    /// may have taken them out to get at a weaker hash.
    #[error("the server's password algorithms were removed on the way")]
    BidDown,
    /// None of the server's password algorithms is known here.
    #[error("the server offers only unknown password algorithms")]
    UnknownAlgorithms,
    /// Challenge followed challenge.
    #[error("the server does not stop challenging")]
    TooManyChallenges,
}

/// The long-term mechanism towards one server: what it was last challenged with.
#[derive(Clone, Debug)]
pub struct LongTerm {
    credentials: Credentials,
    challenge: Option<Challenge>,
    /// Challenges since the last accepted response.
    challenges: u32,
}

#[derive(Clone, Debug)]
struct Challenge {
    realm: String,
    nonce: Vec<u8>,
    key: Key,
    /// The server takes USERHASH.
    anonymous: bool,
    /// The value of PASSWORD-ALGORITHMS, to echo, and the one that was chosen.
    algorithm: Option<(Vec<u8>, PasswordAlgorithm)>,
}

impl LongTerm {
    /// Starts without having been challenged.
    #[must_use]
    pub const fn new(credentials: Credentials) -> Self {
        Self { credentials, challenge: None, challenges: 0 }
    }

    /// The realm, once a challenge told it.
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        self.challenge.as_ref().map(|challenge| challenge.realm.as_str())
    }

    /// Adds the user, realm, nonce and integrity to a request; nothing before the first challenge.
    /// Only a FINGERPRINT may be added afterwards.
    pub fn authenticate(&self, request: &mut Builder) {
        let Some(challenge) = &self.challenge else { return };
        let username = &self.credentials.username;
        //= RFC 8489 §9.2.3.2: USERHASH where the nonce announces username anonymity.
        if challenge.anonymous {
            request.userhash(&userhash(username, &challenge.realm));
        } else {
            request.username(username);
        }
        request.realm(&challenge.realm).nonce(&challenge.nonce);
        //= RFC 8489 §9.2.5: the server's PASSWORD-ALGORITHMS are echoed as they came, and the
        // integrity is then that of SHA-256.
        match &challenge.algorithm {
            Some((offered, chosen)) => {
                request.attribute(AttributeType::PASSWORD_ALGORITHMS, offered);
                request.password_algorithm(*chosen).integrity_sha256(&challenge.key);
            }
            None => {
                request.integrity(&challenge.key);
            }
        }
    }

    /// Judges `response`, which answers `request`.
    pub fn handle_response(&mut self, request: &Message<'_>, response: &Message<'_>) -> Verdict {
        let code = match response.class() {
            Class::Error => response.error_code().map(|error| error.code),
            _ => None,
        };
        match code {
            // Another response has brought a newer challenge while this one was on its way.
            Some(error_code::UNAUTHENTICATED | error_code::STALE_NONCE)
                if self.is_outdated(request) =>
            {
                Verdict::Retry
            }
            Some(code @ (error_code::UNAUTHENTICATED | error_code::STALE_NONCE)) => {
                match self.follow(code, request, response) {
                    Ok(()) => Verdict::Retry,
                    Err(refusal) => Verdict::GiveUp(refusal),
                }
            }
            _ if self.is_genuine(request, response) => {
                self.challenges = 0;
                Verdict::Accept
            }
            _ => Verdict::Discard,
        }
    }

    /// Whether `request` was made before the challenge that counts now.
    fn is_outdated(&self, request: &Message<'_>) -> bool {
        self.challenge.as_ref().is_some_and(|known| request.nonce() != Some(&known.nonce))
    }

    /// Whether a response other than a challenge carries the integrity that it owes.
    //= RFC 8489 §9.2.5: without integrity, or with a wrong one, it is as if never received.
    fn is_genuine(&self, request: &Message<'_>, response: &Message<'_>) -> bool {
        match (request.integrity(), &self.challenge) {
            (None, _) => true,
            (Some(asked), Some(challenge)) => {
                response.verify_integrity(&challenge.key).is_ok_and(|given| given >= asked)
            }
            (Some(_), None) => false,
        }
    }

    fn follow(
        &mut self,
        code: u16,
        request: &Message<'_>,
        response: &Message<'_>,
    ) -> Result<(), Refusal> {
        let (realm, nonce) = match (response.realm(), response.nonce(), &self.challenge) {
            (Some(realm), Some(nonce), _) => (realm, nonce),
            // A stale nonce need not tell again what the realm is.
            (None, Some(nonce), Some(old)) if code == error_code::STALE_NONCE => {
                (old.realm.as_str(), nonce)
            }
            _ => return Err(Refusal::BadChallenge),
        };
        //= RFC 8489 §9.2.5: no retry with the credentials that were just refused.
        if code == error_code::UNAUTHENTICATED
            && request.integrity().is_some()
            && request.realm() == Some(realm)
        {
            return Err(Refusal::Credentials);
        }
        if self.challenges >= MAX_CHALLENGES {
            return Err(Refusal::TooManyChallenges);
        }
        let challenge = self.accept(realm, nonce, response)?;
        self.challenges += 1;
        self.challenge = Some(challenge);
        Ok(())
    }

    fn accept(
        &self,
        realm: &str,
        nonce: &[u8],
        response: &Message<'_>,
    ) -> Result<Challenge, Refusal> {
        let features = SecurityFeatures::of(nonce).unwrap_or_default();
        let algorithm = if features.password_algorithms {
            //= RFC 8489 §9.2.5: the nonce announces PASSWORD-ALGORITHMS; without them, or without
            // a known one among them, the client does not retry.
            let offered = response.attribute(AttributeType::PASSWORD_ALGORITHMS);
            let algorithms = response.password_algorithms().ok_or(Refusal::BidDown)?;
            let known = |algorithm: &_| !matches!(algorithm, PasswordAlgorithm::Unknown(_));
            let chosen = algorithms.into_iter().find(known).ok_or(Refusal::UnknownAlgorithms)?;
            offered.map(|offered| (offered.to_vec(), chosen))
        } else {
            None
        };
        let hash = algorithm.as_ref().map_or(PasswordAlgorithm::Md5, |(_, chosen)| *chosen);
        let Credentials { username, password } = &self.credentials;
        let key = Key::long_term(hash, username, realm, password.reveal())
            .ok_or(Refusal::UnknownAlgorithms)?;
        let (realm, nonce) = (realm.to_owned(), nonce.to_vec());
        Ok(Challenge { realm, nonce, key, anonymous: features.username_anonymity, algorithm })
    }
}

#[cfg(test)]
mod tests;
