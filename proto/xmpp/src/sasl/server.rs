//! One attempt to log in, the server's side (RFC 5802 §5, RFC 4616).
//!
//! ```text
//! start(initial response) ──▶ whose keys? ──▶ credentials ──▶ challenge ──▶ response ──▶ success
//! ```
//!
//! Whether a user is not known, the password is wrong, or the channel is another one: the attempt ends
//! in the same [`Error::NotAuthorized`] at the same step, after the same work.

use crypto::scram::{self, Hash};
use crypto::{Secret, ct_eq};
use machine::{ConnectionBinding, Entropy};

use super::client::xor;
pub use super::keys::{Decoy, Keys, ScramKeys};
use super::message::{self, ClientFinal, ClientFirst, Flag, ServerFinal, ServerFirst};
use super::text::saslprep;
use super::{BindingType, Mechanism, Scram, plain};
use crate::defaults::SCRAM_NONCE_LEN;

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A message was not understood.
    #[error("a message is not in form: {0}")]
    Message(#[from] message::Error),
    /// A message of PLAIN was not understood, or a name has characters that none may have.
    #[error("the message is not in form")]
    Form,
    /// What the client says of channel binding does not go with the mechanism, or names a type that
    /// was not offered.
    #[error("channel binding of a kind that was not offered")]
    Binding,
    /// The mechanism is not offered on this connection.
    #[error("the mechanism is not offered here")]
    Mechanism,
    /// The client believes that no channel binding was offered: somebody in between took it away.
    #[error("the list of mechanisms was changed on its way")]
    Downgrade,
    /// Nobody with that name and password.
    #[error("no such user, or another password")]
    NotAuthorized,
    /// A step that does not come now.
    #[error("a message out of turn")]
    OutOfTurn,
}

impl Error {
    /// The condition of the `<failure/>` that is owed (RFC 6120 §6.5).
    #[must_use]
    pub const fn condition(self) -> &'static str {
        match self {
            Self::Message(_) | Self::Form | Self::Binding | Self::OutOfTurn => "malformed-request",
            Self::Mechanism => "invalid-mechanism",
            Self::Downgrade | Self::NotAuthorized => "not-authorized",
        }
    }
}

/// What goes back to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A challenge.
    Challenge(Vec<u8>),
    /// Success, with what it carries; nothing for PLAIN.
    Success(Vec<u8>),
}

/// The mechanisms that a connection is offered, the strongest first: those of channel binding where
/// there is something to bind to, PLAIN over TLS alone.
#[must_use]
pub fn offered(connection: Option<&ConnectionBinding>) -> Vec<Mechanism> {
    let plus = connection.is_some_and(|tls| BindingType::available(tls).next().is_some());
    let offered = |mechanism: &Mechanism| match mechanism {
        Mechanism::Plain => connection.is_some(),
        Mechanism::Scram(scram) => plus || !scram.plus,
    };
    Mechanism::ALL.into_iter().filter(offered).collect()
}

/// One attempt.
#[derive(Debug)]
pub struct Login {
    user: String,
    authzid: Option<String>,
    derivations: u32,
    state: State,
}

/// Where the attempt is.
#[derive(Debug)]
enum State {
    /// PLAIN waits for keys.
    Plain { password: Secret },
    /// SCRAM waits for keys.
    First(First),
    /// The challenge is out.
    Final(Final),
    /// Over, either way.
    Over,
}

#[derive(Debug)]
struct First {
    hash: Hash,
    /// What `c=` has to carry.
    binding: Vec<u8>,
    received: ClientFirst,
}

#[derive(Debug)]
struct Final {
    hash: Hash,
    binding: Vec<u8>,
    nonce: String,
    keys: Keys,
    known: bool,
    /// The first messages of both, as they are signed.
    signed: String,
}

impl Login {
    /// Begins an attempt with the client's initial response. (Where a client sends none, the stream
    /// owes it an empty challenge first.) `connection` is what TLS gives to bind to, nothing where
    /// there is no TLS.
    ///
    /// # Errors
    /// [`Error`].
    pub fn start(
        mechanism: Mechanism,
        connection: Option<&ConnectionBinding>,
        initial: &[u8],
    ) -> Result<Self, Error> {
        if !offered(connection).contains(&mechanism) {
            return Err(Error::Mechanism);
        }
        let (user, authzid, state) = match mechanism {
            Mechanism::Plain => {
                let message = plain::Message::parse(initial).ok_or(Error::Form)?;
                let plain::Message { authzid, user, password } = message;
                (user, authzid, State::Plain { password })
            }
            Mechanism::Scram(scram) => {
                let received = ClientFirst::parse(initial)?;
                let data = judge_binding(scram, &received.flag, connection)?;
                let binding = [received.gs2_header().as_bytes(), data].concat();
                let (user, authzid) = (received.user.clone(), received.authzid.clone());
                (user, authzid, State::First(First { hash: scram.hash, binding, received }))
            }
        };
        let user = saslprep(&user).ok_or(Error::Form)?.into_owned();
        Ok(Self { user, authzid, derivations: 0, state })
    }

    /// Whose password it is about: the local part of an address, prepared by SASLprep and not yet
    /// by the rules of addresses.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Who the client wants to act as, where it says so (RFC 6120 §6.3.8: an address).
    #[must_use]
    pub fn authzid(&self) -> Option<&str> {
        self.authzid.as_deref()
    }

    /// How many keys were derived for this attempt.
    #[must_use]
    pub const fn derivations(&self) -> u32 {
        self.derivations
    }

    /// Takes the keys of [`user`](Self::user), or `None` where there is no such user; those are then
    /// made up for `name`, which is the user's name as the server compares names.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`], [`Error::OutOfTurn`].
    pub fn credentials(
        &mut self,
        keys: Option<ScramKeys>,
        name: &str,
        decoy: &Decoy,
        entropy: &mut Entropy,
    ) -> Result<Reply, Error> {
        let known = keys.is_some();
        let made_up = decoy.keys(name);
        let keys = keys.unwrap_or(made_up);
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain { password } => {
                self.derivations += 1;
                let good = check_password(&password, &keys.sha256) & known;
                if good { Ok(Reply::Success(Vec::new())) } else { Err(Error::NotAuthorized) }
            }
            State::First(first) => {
                let (next, challenge) = first.challenge(keys, known, entropy);
                self.state = State::Final(next);
                Ok(Reply::Challenge(challenge))
            }
            State::Final(_) | State::Over => Err(Error::OutOfTurn),
        }
    }

    /// Takes the client's response.
    ///
    /// # Errors
    /// [`Error`].
    pub fn response(&mut self, response: &[u8]) -> Result<Reply, Error> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Final(last) => Ok(Reply::Success(last.verify(response)?)),
            _ => Err(Error::OutOfTurn),
        }
    }
}

/// What the client's proof has to be bound to beside the header.
fn judge_binding<'a>(
    scram: Scram,
    flag: &Flag,
    connection: Option<&'a ConnectionBinding>,
) -> Result<&'a [u8], Error> {
    match (flag, connection) {
        (Flag::Bound(name), Some(connection)) if scram.plus => {
            BindingType::from_name(name).and_then(|kind| kind.of(connection)).ok_or(Error::Binding)
        }
        //= RFC 5802 §6: `p` goes with `-PLUS`, and nothing else does.
        (Flag::Bound(_), _) => Err(Error::Binding),
        _ if scram.plus => Err(Error::Binding),
        //= RFC 5802 §6: `y` where channel binding was offered fails the authentication.
        (Flag::Yes, Some(connection)) if BindingType::available(connection).next().is_some() => {
            Err(Error::Downgrade)
        }
        _ => Ok(&[]),
    }
}

fn check_password(password: &Secret, keys: &Keys) -> bool {
    let text = std::str::from_utf8(password.reveal()).unwrap_or_default();
    // One that SASLprep forbids is nobody's; it costs as much as another.
    let prepared = saslprep(text);
    let bytes = prepared.as_deref().map_or(&b"\0"[..], str::as_bytes);
    let derived = scram::derive(Hash::Sha256, bytes, &keys.salt, keys.iterations);
    (derived.stored_key == keys.stored_key) & prepared.is_some()
}

impl First {
    fn challenge(self, keys: ScramKeys, known: bool, entropy: &mut Entropy) -> (Final, Vec<u8>) {
        let keys = keys.of(self.hash).clone();
        let nonce = self.received.nonce.clone() + &entropy.token(SCRAM_NONCE_LEN);
        let (salt, iterations) = (keys.salt.clone(), keys.iterations);
        let challenge = ServerFirst { nonce: nonce.clone(), salt, iterations }.write();
        let signed = format!("{},{challenge}", self.received.bare());
        let (hash, binding) = (self.hash, self.binding);
        (Final { hash, binding, nonce, keys, known, signed }, challenge.into_bytes())
    }
}

impl Final {
    fn verify(self, response: &[u8]) -> Result<Vec<u8>, Error> {
        let received = ClientFinal::parse(response)?;
        let signed = format!("{},{}", self.signed, received.unproven());
        let sign = |key| scram::signature(self.hash, key, signed.as_bytes());
        let signature = sign(&self.keys.stored_key);
        let proof = &received.proof;
        let client_key = Secret::new(xor(proof, signature.reveal()));
        let proven = (scram::stored_key(self.hash, &client_key) == self.keys.stored_key)
            & (proof.len() == signature.len());
        let same_channel = ct_eq(&received.binding, &self.binding);
        let same_nonce = ct_eq(received.nonce.as_bytes(), self.nonce.as_bytes());
        let server = sign(&self.keys.server_key);
        if proven & same_channel & same_nonce & self.known {
            Ok(ServerFinal::Signature(server.reveal().to_vec()).write())
        } else {
            Err(Error::NotAuthorized)
        }
    }
}

#[cfg(test)]
mod tests {
    use crypto::scram::Hash;

    use super::{Error, Final, ScramKeys};

    /// RFC 5802 §5 and RFC 7677 §3, with the servers' nonces and salts.
    #[test]
    fn published_exchanges() {
        let cases = [
            (
                Hash::Sha1,
                "4125c247e43ab1e93c6dff76",
                "n=user,r=fyko+d2lbbFgONRv9qkxdawL,\
                 r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                Hash::Sha256,
                "5b6d99689d12358eeca04b141236fa81",
                "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (hash, salt, signed, response, success) in cases {
            let salt = crypto::from_hex(salt).unwrap();
            let keys = ScramKeys::derive("pencil", &salt, 4096).unwrap().of(hash).clone();
            let nonce = response.split([',', '=']).nth(3).unwrap().to_owned();
            let last = |known| Final {
                hash,
                binding: b"n,,".to_vec(),
                nonce: nonce.clone(),
                keys: keys.clone(),
                known,
                signed: signed.to_owned(),
            };
            assert_eq!(last(true).verify(response.as_bytes()).as_deref(), Ok(success.as_bytes()));
            assert_eq!(last(false).verify(response.as_bytes()), Err(Error::NotAuthorized));
            let wrong = response.replace(",p=", ",p=AAAA");
            assert_eq!(last(true).verify(wrong.as_bytes()), Err(Error::NotAuthorized));
        }
    }
}
