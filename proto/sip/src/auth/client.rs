//! The side that proves itself (RFC 7616 §3.4, RFC 3261 §22.2, §22.3).

use std::fmt;

use crypto::Secret;
use machine::Entropy;

use super::Side;
use super::algorithm::Algorithm;
use super::digest::{Count, Ha1, Qop, Signed};
use crate::defaults;
use crate::header::{AuthParams, Challenge, Credentials};
use crate::message::{Request, Response};

/// A user name and a password.
#[derive(Clone)]
pub struct Login {
    /// The user name for authentication.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Login {
    /// A user name and a password.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self { user: user.into(), password: password.into() }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

/// A challenge cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The response holds no challenge.
    #[error("no challenge")]
    NoChallenge,
    /// Only schemes, algorithms or protections that are not known here.
    #[error("no challenge with a known algorithm")]
    Unknown,
    /// The same challenge again: user name or password are wrong.
    #[error("user name or password refused")]
    Refused,
}

/// What a request says that a digest covers.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    /// The method.
    pub method: &'a str,
    /// The Request-URI.
    pub uri: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Answers the first challenge that can be answered: servers put what they like best on top
/// (RFC 8760 §2.4). Schemes and algorithms that are not known are passed over.
///
/// `nc` counts the requests sent with this nonce, from 1; `cnonce` is ours, random.
///
/// # Errors
/// If there is no challenge, or none that can be answered.
pub fn answer(
    challenges: &[Challenge],
    login: &Login,
    covered: Covered<'_>,
    nc: u32,
    cnonce: &str,
) -> Result<Credentials, AnswerError> {
    if challenges.is_empty() {
        return Err(AnswerError::NoChallenge);
    }
    let known = challenges.iter().find_map(Known::read).ok_or(AnswerError::Unknown)?;
    Ok(known.answer(login, covered, nc, cnonce))
}

/// A challenge that can be answered.
#[derive(Clone, Debug)]
struct Known {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Algorithm,
    /// The algorithm as the challenge wrote it; not sent back if it was not there.
    algorithm_text: Option<String>,
    protection: Protection,
    stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    Absent,
    Auth,
    AuthInt,
}

impl Known {
    fn read(challenge: &Challenge) -> Option<Self> {
        if !challenge.is_digest() {
            return None;
        }
        let text = |name: &str| challenge.get(name).map(|value| value.into_owned());
        let algorithm_text = text("algorithm");
        //= RFC 7616 §3.3: without an algorithm it is MD5; one that is not understood is ignored.
        let algorithm = algorithm_text.as_deref().map_or(Ok(Algorithm::MD5), str::parse).ok()?;
        let stale = challenge.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        Some(Self {
            realm: text("realm")?,
            nonce: text("nonce")?,
            opaque: text("opaque"),
            algorithm,
            algorithm_text,
            protection: protection(text("qop").as_deref())?,
            stale,
        })
    }

    fn answer(&self, login: &Login, covered: Covered<'_>, nc: u32, cnonce: &str) -> Credentials {
        let ha1 =
            Ha1::derive(self.algorithm.hash, &login.user, &self.realm, login.password.reveal());
        let nc = format!("{nc:08x}");
        let count = Count { nc: &nc, cnonce };
        let (qop, qop_name) = match self.protection {
            Protection::Absent => (Qop::Absent, None),
            Protection::Auth => (Qop::Auth(count), Some("auth")),
            Protection::AuthInt => (Qop::AuthInt(count), Some("auth-int")),
        };
        let signed = Signed {
            algorithm: self.algorithm,
            nonce: &self.nonce,
            cnonce,
            qop,
            method: covered.method,
            uri: covered.uri,
            body: covered.body,
        };
        let mut params = AuthParams::new();
        params.push_quoted("username", &login.user);
        params.push_quoted("realm", &self.realm);
        params.push_quoted("nonce", &self.nonce);
        params.push_quoted("uri", covered.uri);
        params.push_quoted("response", &signed.response(&ha1));
        if let Some(algorithm) = &self.algorithm_text {
            params.push("algorithm", algorithm);
        }
        //= RFC 7616 §3.4: opaque comes back unchanged.
        if let Some(opaque) = &self.opaque {
            params.push_quoted("opaque", opaque);
        }
        if qop_name.is_some() || self.algorithm.session {
            params.push_quoted("cnonce", cnonce);
        }
        if let Some(qop) = qop_name {
            params.push("qop", qop);
            params.push("nc", nc);
        }
        Credentials { params, ..Credentials::digest() }
    }
}

/// The protection to use out of a challenge's list: `auth` where it is offered.
fn protection(offered: Option<&str>) -> Option<Protection> {
    let Some(offered) = offered else { return Some(Protection::Absent) };
    let has = |name: &str| offered.split(',').any(|o| o.trim().eq_ignore_ascii_case(name));
    match (has("auth"), has("auth-int")) {
        (true, _) => Some(Protection::Auth),
        (false, true) => Some(Protection::AuthInt),
        (false, false) => None,
    }
}

/// The challenges that one account meets, and the count of what was sent with each nonce.
#[derive(Debug)]
pub struct Client {
    login: Login,
    entropy: Entropy,
    met: Vec<Met>,
}

#[derive(Debug)]
struct Met {
    side: Side,
    challenge: Known,
    /// The Request-URI that was challenged.
    uri: String,
    /// Requests sent with this nonce.
    sent: u32,
    /// Whether a request with this nonce was let through.
    proven: bool,
}

impl Client {
    /// No challenge met yet. Client nonces come out of `entropy`.
    #[must_use]
    pub const fn new(login: Login, entropy: Entropy) -> Self {
        Self { login, entropy, met: Vec::new() }
    }

    /// Takes the challenges of a 401 or 407 that came for `request`. If it succeeds, the request
    /// is to be sent again with a higher CSeq, after [`authorize`](Self::authorize).
    ///
    /// # Errors
    /// If nothing can be answered, or the answer was refused.
    pub fn handle_challenge(
        &mut self,
        request: &Request,
        response: &Response,
    ) -> Result<(), AnswerError> {
        let mut result = Err(AnswerError::NoChallenge);
        for side in [Side::Server, Side::Proxy] {
            let mut realms = Vec::new();
            for challenge in response.headers.challenges(side.challenge_field()) {
                let Some(known) = Known::read(&challenge) else {
                    result = result.or(Err(AnswerError::Unknown));
                    continue;
                };
                // The topmost of a realm is the one to take; other realms stand beside it.
                if realms.contains(&known.realm) {
                    continue;
                }
                realms.push(known.realm.clone());
                if self.was_refused(side, &known, request) {
                    return Err(AnswerError::Refused);
                }
                self.remember(side, known, &request.uri.to_string());
                result = Ok(());
            }
        }
        result
    }

    /// Adds credentials for the challenges met so far in place of those that the request has.
    ///
    /// A user agent server's challenge is answered only in requests to the same Request-URI: the
    /// registrar's is nobody else's business, and a digest lets its reader guess passwords.
    pub fn authorize(&mut self, request: &mut Request) {
        for side in [Side::Server, Side::Proxy] {
            request.headers.remove(side.credentials_field());
        }
        let uri = request.uri.to_string();
        let concerned = |met: &&mut Met| met.side == Side::Proxy || met.uri == uri;
        for met in self.met.iter_mut().filter(concerned) {
            met.sent = met.sent.saturating_add(1);
            let cnonce = self.entropy.token(16);
            let covered =
                Covered { method: request.method.as_str(), uri: &uri, body: &request.body };
            let credentials = met.challenge.answer(&self.login, covered, met.sent, &cnonce);
            request.headers.push(met.side.credentials_field(), credentials);
        }
    }

    /// Takes note of a response that is no challenge: the nonces were good, and Authentication-Info
    /// may bring the next one (RFC 7616 §3.5).
    pub fn handle_success(&mut self, response: &Response) {
        for met in &mut self.met {
            met.proven |= met.sent > 0;
            let info = response.headers.first(met.side.info_field());
            let info = info.and_then(|text| text.parse::<AuthParams>().ok());
            if let Some(nonce) = info.as_ref().and_then(|info| info.get("nextnonce")) {
                met.challenge.nonce = nonce.into_owned();
                met.sent = 0;
            }
        }
    }

    /// Whether a challenge has been met, so that requests can carry credentials at once.
    #[must_use]
    pub const fn has_met_challenge(&self) -> bool {
        !self.met.is_empty()
    }

    /// A second challenge to a request that answered the first is a refusal, unless the server
    /// says that only the nonce was too old, or that nonce has been good before.
    fn was_refused(&self, side: Side, known: &Known, request: &Request) -> bool {
        let sent = request.headers.credentials(side.credentials_field());
        let answered = sent.iter().any(|c| c.get("realm").as_deref() == Some(&known.realm));
        let proven = self.find(side, &known.realm).is_some_and(|met| met.proven);
        answered && !known.stale && !proven
    }

    fn find(&self, side: Side, realm: &str) -> Option<&Met> {
        self.met.iter().find(|met| met.side == side && met.challenge.realm == realm)
    }

    fn remember(&mut self, side: Side, challenge: Known, uri: &str) {
        let met = Met { side, challenge, uri: uri.to_owned(), sent: 0, proven: false };
        let same = |m: &&mut Met| m.side == side && m.challenge.realm == met.challenge.realm;
        if let Some(old) = self.met.iter_mut().find(same) {
            *old = met;
        } else {
            if self.met.len() >= defaults::AUTH_REALMS {
                self.met.remove(0);
            }
            self.met.push(met);
        }
    }
}

#[cfg(test)]
mod tests;
