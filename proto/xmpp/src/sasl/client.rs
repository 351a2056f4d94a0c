//! One attempt to log in, the client's side (RFC 5802 §5, RFC 4616).
//!
//! ```text
//! start ──▶ initial response ──▶ challenge ──▶ response ──▶ success
//! ```

use crypto::scram::{self, Hash};
use crypto::{Secret, ct_eq};
use machine::Entropy;

use super::message::{self, ClientFinal, ClientFirst, Flag, ServerFinal, ServerFirst};
use super::text::saslprep;
use super::{Binding, Choice, Mechanism, plain};
use crate::defaults::{
    SCRAM_ITERATIONS_MAX, SCRAM_ITERATIONS_MIN, SCRAM_NONCE_LEN, SCRAM_NONCE_MAX, SCRAM_NONCE_MIN,
};

/// Why a client gives up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The name or the password has characters that no name or password may have, or is empty.
    #[error("the user name or the password has characters that XMPP forbids, or is empty")]
    Credentials,
    /// A message of the server was not understood.
    #[error("the server's answer is not in form: {0}")]
    Message(#[from] message::Error),
    /// The server's nonce does not begin with ours, or adds too little to it.
    #[error("the server's answer does not belong to what was asked")]
    Nonce,
    /// So few iterations that whoever hears the exchange guesses the password.
    #[error("the server asks for {0} iterations, too few to protect the password")]
    FewIterations(u32),
    /// So many iterations that they only keep us busy.
    #[error("the server asks for {0} iterations, more than anybody needs")]
    ManyIterations(u32),
    /// The server says so itself.
    #[error("the server refused: {0}")]
    Refused(String),
    /// The server says that all is well and cannot prove that it knows the account.
    #[error("the server did not prove that it knows the account: it is somebody else's")]
    Unproven,
    /// A challenge or a success that does not come now.
    #[error("the server's answer comes out of turn")]
    OutOfTurn,
}

/// One attempt.
#[derive(Debug)]
pub struct Login {
    mechanism: Mechanism,
    state: State,
}

/// Where the attempt is.
#[derive(Debug)]
enum State {
    /// PLAIN has said everything.
    Plain,
    /// Our first message is out.
    First(First),
    /// Our proof is out.
    Final(Final),
    /// The server has proven itself.
    Proven,
    /// Given up.
    Failed,
}

#[derive(Debug)]
struct First {
    hash: Hash,
    password: Secret,
    /// What `c=` will carry.
    binding: Vec<u8>,
    sent: ClientFirst,
}

#[derive(Debug)]
struct Final {
    server_signature: Secret,
}

impl Login {
    /// Begins an attempt for the account of `user` (the local part of its address); returns it with
    /// the initial response.
    ///
    /// # Errors
    /// [`Error::Credentials`].
    pub fn start(
        choice: &Choice,
        user: &str,
        password: &Secret,
        entropy: &mut Entropy,
    ) -> Result<(Self, Vec<u8>), Error> {
        let text = std::str::from_utf8(password.reveal()).map_err(|_| Error::Credentials)?;
        if user.is_empty() || user.contains('\0') || text.is_empty() || text.contains('\0') {
            return Err(Error::Credentials);
        }
        let mechanism = choice.mechanism;
        let (state, initial) = match mechanism {
            Mechanism::Plain => {
                let (user, password) = (user.to_owned(), password.clone());
                let message = plain::Message { authzid: None, user, password };
                (State::Plain, message.write())
            }
            Mechanism::Scram(scram) => {
                let first = First::new(scram.hash, choice.binding.clone(), user, text, entropy)?;
                let initial = first.sent.write();
                (State::First(first), initial)
            }
        };
        Ok((Self { mechanism, state }, initial))
    }

    /// The mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Takes a challenge; returns the response, which may be empty.
    ///
    /// # Errors
    /// [`Error`]; the attempt is over, and the server is owed an `<abort/>`.
    pub fn challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::First(first) => {
                let (next, response) = first.challenge(challenge)?;
                self.state = State::Final(next);
                Ok(response)
            }
            // The server's final message may come as a challenge of its own.
            State::Final(last) => {
                last.verify(challenge)?;
                self.state = State::Proven;
                Ok(Vec::new())
            }
            State::Plain | State::Proven | State::Failed => Err(Error::OutOfTurn),
        }
    }

    /// Takes a success with what it carries, which may be nothing. After `Ok` both have proven
    /// themselves (with PLAIN, the client alone).
    ///
    /// # Errors
    /// [`Error`]: whatever the server says, this is not the server.
    pub fn success(&mut self, data: &[u8]) -> Result<(), Error> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Plain => Ok(()),
            State::Proven if data.is_empty() => Ok(()),
            //= RFC 5802 §5: a client that does not see the server's signature does not go on.
            State::Final(_) if data.is_empty() => Err(Error::Unproven),
            State::Final(last) => last.verify(data),
            State::First(_) => Err(Error::Unproven),
            State::Proven | State::Failed => Err(Error::OutOfTurn),
        }
    }
}

impl First {
    fn new(
        hash: Hash,
        binding: Binding,
        user: &str,
        password: &str,
        entropy: &mut Entropy,
    ) -> Result<Self, Error> {
        let (flag, data) = match binding {
            Binding::Unsupported => (Flag::No, Vec::new()),
            Binding::NotOffered => (Flag::Yes, Vec::new()),
            Binding::Bound { kind, data } => (Flag::Bound(kind.name().to_owned()), data),
        };
        let sent = ClientFirst {
            flag,
            authzid: None,
            user: saslprep(user).ok_or(Error::Credentials)?.into_owned(),
            nonce: entropy.token(SCRAM_NONCE_LEN),
            extensions: String::new(),
        };
        let password = saslprep(password).ok_or(Error::Credentials)?;
        let binding = [sent.gs2_header().as_bytes(), &data].concat();
        Ok(Self { hash, password: Secret::new(password.as_bytes()), binding, sent })
    }

    fn challenge(self, challenge: &[u8]) -> Result<(Final, Vec<u8>), Error> {
        let received = ServerFirst::parse(challenge)?;
        //= RFC 5802 §5.1: the client checks that the nonce begins with its own; and the server's share
        //= has to be long enough that the exchange is its own.
        let theirs = received.nonce.strip_prefix(&self.sent.nonce).ok_or(Error::Nonce)?;
        if !(SCRAM_NONCE_MIN..=SCRAM_NONCE_MAX).contains(&theirs.len()) {
            return Err(Error::Nonce);
        }
        match received.iterations {
            few if few < SCRAM_ITERATIONS_MIN => return Err(Error::FewIterations(few)),
            many if many > SCRAM_ITERATIONS_MAX => return Err(Error::ManyIterations(many)),
            _ => {}
        }
        let (hash, salt, iterations) = (self.hash, &received.salt, received.iterations);
        let mut response = ClientFinal {
            binding: self.binding,
            nonce: received.nonce.clone(),
            extensions: String::new(),
            proof: Vec::new(),
        };
        let received = std::str::from_utf8(challenge).map_err(|_| message::Error::Form("text"))?;
        let signed = format!("{},{received},{}", self.sent.bare(), response.unproven());
        let salted = scram::salted_password(hash, self.password.reveal(), salt, iterations);
        let client_key = scram::client_key(hash, &salted);
        let stored_key = scram::stored_key(hash, &client_key);
        let signature = scram::signature(hash, &stored_key, signed.as_bytes());
        response.proof = xor(client_key.reveal(), signature.reveal());
        let server_key = scram::server_key(hash, &salted);
        let server_signature = scram::signature(hash, &server_key, signed.as_bytes());
        Ok((Final { server_signature }, response.write()))
    }
}

impl Final {
    fn verify(&self, received: &[u8]) -> Result<(), Error> {
        match ServerFinal::parse(received)? {
            ServerFinal::Error(error) => Err(Error::Refused(error)),
            ServerFinal::Signature(signature)
                if ct_eq(&signature, self.server_signature.reveal()) =>
            {
                Ok(())
            }
            ServerFinal::Signature(_) => Err(Error::Unproven),
        }
    }
}

pub(super) fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

#[cfg(test)]
mod tests {
    use crypto::Secret;
    use crypto::scram::Hash;

    use super::{ClientFirst, First};

    /// RFC 5802 §5 and RFC 7677 §3, with the clients' nonces.
    #[test]
    fn published_exchanges() {
        let cases = [
            (
                Hash::Sha1,
                "fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                Hash::Sha256,
                "rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                 p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (hash, nonce, challenge, response, success) in cases {
            let sent = ClientFirst::parse(format!("n,,n=user,r={nonce}").as_bytes()).unwrap();
            let (password, binding) = (Secret::new("pencil"), b"n,,".to_vec());
            let first = First { hash, password, binding, sent };
            let (last, said) = first.challenge(challenge.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(said).unwrap(), response);
            assert_eq!(last.verify(success.as_bytes()), Ok(()));
        }
    }
}
