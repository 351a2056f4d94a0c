//! The side that lets in (RFC 7616 §3.3, §3.4.6, RFC 3261 §22.4, RFC 8760).
//!
//! In two steps, because the keys are kept elsewhere: [`Authenticator::examine`] says whose key is
//! wanted, and [`Authenticator::verify`] holds the request against it. Nothing is remembered of
//! whoever has not proven a password.

use std::net::IpAddr;
use std::time::Duration;

use machine::{Entropy, Now};

use super::Side;
use super::algorithm::{Algorithm, Hash};
use super::digest::{Count, Ha1, Qop, Signed};
use super::nonce::{NonceError, NonceId, Nonces};
use super::replay::Replay;
use crate::defaults;
use crate::header::{Challenge, Credentials};
use crate::message::{Request, Response};
use crate::uri::Uri;

/// How strict to be.
#[derive(Clone, Debug)]
pub struct Config {
    /// The algorithms to offer, the best first. MD5 alone unless said otherwise: widespread
    /// telephones give up when they see any other, even beside it.
    pub algorithms: Vec<Hash>,
    /// How long a nonce is good for.
    pub nonce_lifetime: Duration,
    /// Nonces in use that are remembered to refuse replays.
    pub max_nonces: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            algorithms: vec![Hash::Md5],
            nonce_lifetime: defaults::NONCE_LIFETIME,
            max_nonces: defaults::NONCES,
        }
    }
}

/// Challenges requests and checks the answers.
#[derive(Debug)]
pub struct Authenticator {
    config: Config,
    nonces: Nonces,
    replay: Replay,
}

/// What a request shows before any key is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Examined {
    /// No usable credentials: challenge.
    Nothing,
    /// Credentials under a nonce that is too old: challenge with `stale`.
    Stale,
    /// Credentials that this user's key decides about.
    Claim(Claim),
}

/// Credentials that a key decides about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who it claims to be.
    pub user: String,
    /// The realm.
    pub realm: String,
    /// The algorithm that the key must be of.
    pub algorithm: Algorithm,
    nonce: NonceId,
    credentials: Credentials,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is who it claims to be.
    Good,
    /// Wrong password or unknown user, which must look the same: challenge.
    Bad,
    /// The right password under a nonce that has been used: challenge with `stale`.
    Stale,
}

/// What a nonce is bound to.
//= RFC 7616 §5.4: a nonce may be bound to the client's address, so that nobody else can use it
fn context(realm: &str, source: IpAddr) -> Vec<u8> {
    format!("{source} {realm}").into_bytes()
}

impl Authenticator {
    /// An authenticator with a key of its own out of `entropy`.
    #[must_use]
    pub fn new(config: Config, entropy: Entropy) -> Self {
        let nonces = Nonces::new(config.nonce_lifetime, entropy);
        let replay = Replay::new(config.max_nonces);
        Self { config, nonces, replay }
    }

    /// A 401 or 407 to `request`, a challenge for each algorithm. `stale` says that only the
    /// nonce was at fault, so that the client asks nobody for the password. The nonce is good for
    /// `source` alone, where the request came from. The tag of To is the caller's to set.
    #[must_use]
    pub fn challenge(
        &mut self,
        now: Now,
        request: &Request,
        side: Side,
        realm: &str,
        source: IpAddr,
        stale: bool,
    ) -> Response {
        let mut response = request.response(side.status());
        let nonce = self.nonces.make(now, &context(realm, source));
        //= RFC 8760 §2.3: one field for each algorithm, the preferred one on top.
        for hash in &self.config.algorithms {
            let mut challenge = Challenge::digest();
            challenge.params.push_quoted("realm", realm);
            challenge.params.push_quoted("nonce", &nonce);
            challenge.params.push("algorithm", hash.name());
            challenge.params.push_quoted("qop", "auth");
            if stale {
                challenge.params.push("stale", "true");
            }
            response.headers.push(side.challenge_field(), challenge);
        }
        response
    }

    /// Looks at the credentials of `request` for `realm`, which came from `source`.
    #[must_use]
    pub fn examine(
        &self,
        now: Now,
        request: &Request,
        side: Side,
        realm: &str,
        source: IpAddr,
    ) -> Examined {
        let credentials = request.headers.credentials(side.credentials_field());
        //= RFC 3261 §22.3: only credentials for our own realm concern us.
        let ours = credentials
            .into_iter()
            .find(|c| c.is_digest() && c.get("realm").as_deref() == Some(realm));
        let Some(credentials) = ours else { return Examined::Nothing };
        let text = |name: &str| credentials.get(name).map(|value| value.into_owned());
        let algorithm = text("algorithm").map_or(Ok(Algorithm::MD5), |text| text.parse());
        let (Some(user), Some(nonce), Ok(algorithm)) = (text("username"), text("nonce"), algorithm)
        else {
            return Examined::Nothing;
        };
        if !self.config.algorithms.contains(&algorithm.hash) {
            return Examined::Nothing;
        }
        match self.nonces.open(now, &context(realm, source), &nonce) {
            Ok(nonce) => Examined::Claim(Claim {
                user,
                realm: realm.to_owned(),
                algorithm,
                nonce,
                credentials,
            }),
            // A nonce of a server that ran before us looks foreign, and so does one of a client that has
            // moved since; neither need ask anybody.
            Err(NonceError::Expired | NonceError::Foreign) => Examined::Stale,
        }
    }

    /// Holds a claim of `request` against the user's key; `None`: there is no such user.
    pub fn verify(
        &mut self,
        now: Now,
        request: &Request,
        claim: &Claim,
        ha1: Option<&Ha1>,
    ) -> Proof {
        // An unknown user takes the same way as a known one.
        let nobody;
        let (key, known) = match ha1.filter(|ha1| ha1.hash == claim.algorithm.hash) {
            Some(ha1) => (ha1, true),
            None => {
                nobody = Ha1::derive(claim.algorithm.hash, &claim.user, &claim.realm, b"");
                (&nobody, false)
            }
        };
        match claim.count_if_signed(request, key) {
            Some(count) if known => {
                if self.replay.note(now, claim.nonce, count) {
                    Proof::Good
                } else {
                    Proof::Stale
                }
            }
            _ => Proof::Bad,
        }
    }

    /// How many nonces are remembered.
    #[must_use]
    pub fn nonces_in_use(&self) -> usize {
        self.replay.len()
    }
}

impl Claim {
    /// The nonce count, if the response is the one that `key` makes of `request`.
    ///
    /// Without qop there is no count, and a nonce is good once (RFC 2069 §2.1.1 leaves that to us).
    fn count_if_signed(&self, request: &Request, key: &Ha1) -> Option<u32> {
        let text = |name: &str| self.credentials.get(name);
        let (uri, response) = (text("uri")?, text("response")?);
        let (nonce, cnonce) = (text("nonce")?, text("cnonce").unwrap_or_default());
        let nc = text("nc").unwrap_or_default();
        let count = Count { nc: &nc, cnonce: &cnonce };
        let qop = match text("qop") {
            None => Qop::Absent,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => Qop::Auth(count),
            Some(qop) if qop.eq_ignore_ascii_case("auth-int") => Qop::AuthInt(count),
            Some(_) => return None,
        };
        let signed = Signed {
            algorithm: self.algorithm,
            nonce: &nonce,
            cnonce: &cnonce,
            qop,
            method: request.method.as_str(),
            uri: &uri,
            body: &request.body,
        };
        let expected = signed.response(key);
        let same = crypto::ct_eq(expected.as_bytes(), response.to_ascii_lowercase().as_bytes());
        let number = match qop {
            Qop::Absent => 1,
            Qop::Auth(_) | Qop::AuthInt(_) => hex_count(&nc)?,
        };
        (same && covers(&uri, &request.uri)).then_some(number)
    }
}

/// Eight hexadecimal digits, from 1.
fn hex_count(nc: &str) -> Option<u32> {
    let digits = nc.len() <= 8 && nc.bytes().all(|b| b.is_ascii_hexdigit());
    u32::from_str_radix(nc, 16).ok().filter(|count| digits && *count > 0)
}

/// Whether the signed URI is the request's.
///
/// Telephones leave out ports and parameters here, and proxies change them; user and host must
/// agree (RFC 3261 §22.4 item 7 knows that they need not be the same text).
fn covers(signed: &str, requested: &Uri) -> bool {
    if signed == requested.to_string() {
        return true;
    }
    match (signed.parse(), requested) {
        (Ok(Uri::Sip(signed)), Uri::Sip(requested)) => {
            signed.user() == requested.user() && signed.host.is_equivalent(&requested.host)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
