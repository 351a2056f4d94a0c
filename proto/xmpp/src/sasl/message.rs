//! The messages of SCRAM (RFC 5802 §7), read and written. What they mean is judged by
//! [`client`](super::client) and [`server`](super::server).

use super::base64;
use super::text::{escape, unescape};
use crate::defaults::{SASL_MESSAGE_MAX, SCRAM_NONCE_MAX, SCRAM_NONCE_MIN};

/// Why a message was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than any message is.
    #[error("the message is too long")]
    TooLong,
    /// Not in the form that RFC 5802 §7 gives it.
    #[error("the message's {0} is not in form")]
    Form(&'static str),
    /// It demands an extension (`m=`), and there are none.
    #[error("the message demands an extension that is not known")]
    Extension,
}

/// The `gs2-cbind-flag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// `n`: no channel binding.
    No,
    /// `y`: possible here, believed to be impossible there.
    Yes,
    /// `p=`: the name of the type of channel binding.
    Bound(String),
}

/// The client's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst {
    /// What it says of channel binding.
    pub flag: Flag,
    /// Who it wants to act as, where it says so.
    pub authzid: Option<String>,
    /// Whose password it has.
    pub user: String,
    /// Its nonce.
    pub nonce: String,
    /// Extensions, with the commas before them; kept since they are signed.
    pub extensions: String,
}

impl ClientFirst {
    /// Reads the message.
    ///
    /// # Errors
    /// [`Error`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let text = text(bytes)?;
        let mut parts = text.splitn(3, ',');
        let flag = match parts.next().unwrap_or_default() {
            "n" => Flag::No,
            "y" => Flag::Yes,
            other => {
                let name = other.strip_prefix("p=").ok_or(Error::Form("channel binding"))?;
                let known = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
                if name.is_empty() || !name.chars().all(known) {
                    return Err(Error::Form("channel binding"));
                }
                Flag::Bound(name.to_owned())
            }
        };
        let authzid = match parts.next().ok_or(Error::Form("authorization identity"))? {
            "" => None,
            other => Some(name(other, "a=", "authorization identity")?),
        };
        let bare = parts.next().ok_or(Error::Form("user name"))?;
        if bare.starts_with("m=") {
            return Err(Error::Extension);
        }
        let (user, rest) = bare.split_once(',').ok_or(Error::Form("nonce"))?;
        let (own, extensions) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
        Ok(Self {
            flag,
            authzid,
            user: name(user, "n=", "user name")?,
            nonce: nonce(own)?,
            extensions: optional(extensions)?,
        })
    }

    /// The part that says how the message is to be taken, signed by way of `c=`.
    #[must_use]
    pub fn gs2_header(&self) -> String {
        let flag = match &self.flag {
            Flag::No => "n",
            Flag::Yes => "y",
            Flag::Bound(name) => &format!("p={name}"),
        };
        let authzid = self.authzid.as_deref().map(|name| format!("a={}", escape(name)));
        format!("{flag},{},", authzid.unwrap_or_default())
    }

    /// The rest of the message, which is signed as it stands.
    #[must_use]
    pub fn bare(&self) -> String {
        format!("n={},r={}{}", escape(&self.user), self.nonce, self.extensions)
    }

    /// Writes the message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        (self.gs2_header() + &self.bare()).into_bytes()
    }
}

/// The server's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFirst {
    /// The client's nonce, and the server's behind it.
    pub nonce: String,
    /// The salt of the account.
    pub salt: Vec<u8>,
    /// How often PBKDF2 went round.
    pub iterations: u32,
}

impl ServerFirst {
    /// Reads the message.
    ///
    /// # Errors
    /// [`Error`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let text = text(bytes)?;
        if text.starts_with("m=") {
            return Err(Error::Extension);
        }
        let mut parts = text.splitn(4, ',');
        let nonce = nonce(parts.next().unwrap_or_default())?;
        let salt = encoded(parts.next(), "s=", "salt")?;
        if salt.is_empty() {
            return Err(Error::Form("salt"));
        }
        let count = attribute(parts.next(), "i=", "iteration count")?;
        //= RFC 5802 §7: a positive number without leading zeros.
        let in_form = !count.starts_with('0') && count.bytes().all(|c| c.is_ascii_digit());
        let count = in_form.then(|| count.parse().ok()).flatten();
        optional(parts.next().unwrap_or_default())?;
        Ok(Self { nonce, salt, iterations: count.ok_or(Error::Form("iteration count"))? })
    }

    /// Writes the message.
    #[must_use]
    pub fn write(&self) -> String {
        format!("r={},s={},i={}", self.nonce, base64::encode(&self.salt), self.iterations)
    }
}

/// The client's final message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFinal {
    /// The GS2 header, and the data of the channel behind it.
    pub binding: Vec<u8>,
    /// Both nonces, as the server sent them.
    pub nonce: String,
    /// Extensions, with the commas before them; kept since they are signed.
    pub extensions: String,
    /// The proof of the password.
    pub proof: Vec<u8>,
}

impl ClientFinal {
    /// Reads the message.
    ///
    /// # Errors
    /// [`Error`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (unproven, proof) = text(bytes)?.rsplit_once(',').ok_or(Error::Form("proof"))?;
        let mut parts = unproven.splitn(2, ',');
        let binding = encoded(parts.next(), "c=", "channel binding")?;
        let rest = parts.next().ok_or(Error::Form("nonce"))?;
        let (both, extensions) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
        Ok(Self {
            binding,
            nonce: nonce(both)?,
            extensions: optional(extensions)?,
            proof: encoded(Some(proof), "p=", "proof")?,
        })
    }

    /// The message but for the proof, which is signed.
    #[must_use]
    pub fn unproven(&self) -> String {
        format!("c={},r={}{}", base64::encode(&self.binding), self.nonce, self.extensions)
    }

    /// Writes the message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        format!("{},p={}", self.unproven(), base64::encode(&self.proof)).into_bytes()
    }
}

/// The server's final message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFinal {
    /// The proof that the server knows the account.
    Signature(Vec<u8>),
    /// The client is not who it says; a word of RFC 5802 §7.
    Error(String),
}

impl ServerFinal {
    /// Reads the message.
    ///
    /// # Errors
    /// [`Error`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let text = text(bytes)?;
        let (first, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
        optional(rest)?;
        match first.strip_prefix("e=") {
            Some(error) => Ok(Self::Error(error.to_owned())),
            None => Ok(Self::Signature(encoded(Some(first), "v=", "signature")?)),
        }
    }

    /// Writes the message.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        match self {
            Self::Signature(signature) => format!("v={}", base64::encode(signature)),
            Self::Error(error) => format!("e={error}"),
        }
        .into_bytes()
    }
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.len() > SASL_MESSAGE_MAX {
        return Err(Error::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Form("text"))?;
    if text.contains('\0') { Err(Error::Form("text")) } else { Ok(text) }
}

fn attribute<'a>(part: Option<&'a str>, name: &str, what: &'static str) -> Result<&'a str, Error> {
    part.and_then(|part| part.strip_prefix(name)).ok_or(Error::Form(what))
}

fn name(part: &str, name: &str, what: &'static str) -> Result<String, Error> {
    let escaped = attribute(Some(part), name, what)?;
    unescape(escaped).filter(|name| !name.is_empty()).ok_or(Error::Form(what))
}

fn encoded(part: Option<&str>, name: &str, what: &'static str) -> Result<Vec<u8>, Error> {
    base64::decode_value(attribute(part, name, what)?).ok_or(Error::Form(what))
}

//= RFC 5802 §7: a nonce is printable ASCII without commas.
fn nonce(part: &str) -> Result<String, Error> {
    let nonce = attribute(Some(part), "r=", "nonce")?;
    let printable = nonce.bytes().all(|c| c.is_ascii_graphic() && c != b',');
    let in_bounds = (SCRAM_NONCE_MIN..=SCRAM_NONCE_MAX).contains(&nonce.len());
    if printable && in_bounds { Ok(nonce.to_owned()) } else { Err(Error::Form("nonce")) }
}

/// Extensions that may be ignored: a letter, an equals sign and anything.
fn optional(extensions: &str) -> Result<String, Error> {
    let bare = extensions.strip_prefix(',').unwrap_or(extensions);
    let in_form = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.get(1..2) == Some("=")
    };
    match extensions.is_empty() || bare.split(',').all(in_form) {
        true => Ok(extensions.to_owned()),
        false => Err(Error::Form("extension")),
    }
}
