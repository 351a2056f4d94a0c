//! Whom a client trusts: authorities, and certificates that a person has pinned to a name.
//!
//! A name without pins is checked as usual: an authority has vouched for it (RFC 5280 §6), the
//! certificate is for the name (RFC 9525 §6) and in time. A name with pins is held to them, whatever
//! authorities say:
//!
//! - a pin of the certificate shown accepts it as it is, for the person who pinned it has looked;
//! - a pin of one that was shown with it makes that one the authority; name and dates count.
//!
//! In each case the handshake's signature proves that the peer has the certificate's key.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

use crate::tls::provider;

/// Whose certificates count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// The authorities that the system trusts.
    #[default]
    System,
    /// These certificates alone, in DER.
    Only(Vec<Vec<u8>>),
    /// The authorities that the system trusts, and what a person trusts besides.
    SystemAnd(Trust),
}

/// What a person trusts besides the system's authorities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Certificates of authorities, in DER.
    pub anchors: Vec<Vec<u8>>,
    /// What certain names have to show; names without a pin are left to the authorities.
    pub pins: Vec<Pin>,
}

/// A certificate that a name has to show, by itself or above its own; one of several is enough.
///
/// As text it is `core.example.org sha256:` and 64 hexadecimal digits, which may have colons between
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The name or the address that is connected to, in small letters.
    host: String,
    /// The certificate's SHA-256.
    sha256: [u8; 32],
}

/// A text that is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPin {
    /// There are not two words.
    #[error("a pin is a host and a fingerprint: core.example.org sha256:…")]
    Form,
    /// The host is neither a name nor an address.
    #[error("the host is neither a name nor an address")]
    Host,
    /// The fingerprint is none.
    #[error("the fingerprint is not sha256: and 64 hexadecimal digits")]
    Fingerprint,
}

/// What a refusal begins with, for who reads it back.
const SHOWN_FOR: &str = "the certificate shown for ";
const SHA256: &str = "sha256:";

impl Pin {
    /// A pin of the certificate `der` to `host`.
    ///
    /// # Errors
    /// [`BadPin::Host`] if that is neither a name nor an address.
    pub fn new(host: &str, der: &[u8]) -> Result<Self, BadPin> {
        let name = ServerName::try_from(host).map_err(|_| BadPin::Host)?;
        Ok(Self { host: host_of(&name), sha256: Sha256::digest(der).into() })
    }

    /// The pin that would accept the certificate whose refusal is told somewhere in `text`.
    #[must_use]
    pub fn for_refusal(text: &str) -> Option<Self> {
        let (_, text) = text.split_once(SHOWN_FOR)?;
        let (host, text) = text.split_once(" (")?;
        let (fingerprint, _) = text.split_once(')')?;
        format!("{host} {fingerprint}").parse().ok()
    }

    /// The host that it is for.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The fingerprint as text: `sha256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.sha256)
    }

    fn matches(&self, certificate: &CertificateDer<'_>) -> bool {
        Sha256::digest(certificate)[..] == self.sha256
    }
}

fn fingerprint(sha256: &[u8; 32]) -> String {
    sha256.iter().fold(SHA256.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.host, self.fingerprint())
    }
}

impl FromStr for Pin {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Self, BadPin> {
        let mut words = text.split_whitespace();
        let (Some(host), Some(print), None) = (words.next(), words.next(), words.next()) else {
            return Err(BadPin::Form);
        };
        let name = ServerName::try_from(host).map_err(|_| BadPin::Host)?;
        let sha256 = read_fingerprint(print).ok_or(BadPin::Fingerprint)?;
        Ok(Self { host: host_of(&name), sha256 })
    }
}

/// `sha256:`, and 32 bytes in hexadecimal digits, with or without colons in between.
fn read_fingerprint(text: &str) -> Option<[u8; 32]> {
    let (name, digits) = text.split_at_checked(SHA256.len())?;
    if !name.eq_ignore_ascii_case(SHA256) {
        return None;
    }
    let mut digits = digits.chars().filter(|c| *c != ':');
    let mut sha256 = [0; 32];
    for byte in &mut sha256 {
        let (high, low) = (digits.next()?.to_digit(16)?, digits.next()?.to_digit(16)?);
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    digits.next().is_none().then_some(sha256)
}

/// A name the way that it is compared: in small letters, without a dot at its end.
fn host_of(name: &ServerName<'_>) -> String {
    name.to_str().trim_end_matches('.').to_ascii_lowercase()
}

/// Judges servers' certificates by [`Roots`].
#[derive(Debug)]
pub(crate) struct Verifier {
    /// None where no authority is trusted.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    pins: Vec<Pin>,
    /// What a person trusts in whole: whoever shows one of them needs nobody to vouch for it.
    trusted: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(crate) fn new(roots: &Roots) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        if !matches!(roots, Roots::Only(_)) {
            let found = rustls_native_certs::load_native_certs();
            for error in &found.errors {
                tracing::warn!(%error, "some of the system's certificates cannot be read");
            }
            store.add_parsable_certificates(found.certs);
        }
        let (anchors, pins) = match roots {
            Roots::System => (&[][..], &[][..]),
            Roots::Only(anchors) => (&anchors[..], &[][..]),
            Roots::SystemAnd(Trust { anchors, pins }) => (&anchors[..], &pins[..]),
        };
        for der in anchors {
            store.add(CertificateDer::from(der.clone())).map_err(|e| e.to_string())?;
        }
        if store.is_empty() && pins.is_empty() {
            return Err("no certificate authority is trusted".to_owned());
        }
        Ok(Self {
            authorities: if store.is_empty() { None } else { Some(authorities(store)?) },
            pins: pins.to_vec(),
            trusted: match roots {
                Roots::SystemAnd(_) => anchors.iter().cloned().map(CertificateDer::from).collect(),
                Roots::System | Roots::Only(_) => Vec::new(),
            },
            algorithms: provider().signature_verification_algorithms,
        })
    }

    /// Whether an authority vouches for what is shown, or it is itself what a person trusts.
    ///
    /// A certificate that vouches for itself is often made as an authority's (`openssl req -x509`), which
    /// no server may show otherwise (RFC 5280 §4.2.1.9). Its dates were looked at before that; its names
    /// are here.
    fn by_authorities(
        &self,
        authorities: &WebPkiServerVerifier,
        shown: &Shown<'_>,
    ) -> Result<ServerCertVerified, String> {
        let Err(error) = shown.ask(authorities) else { return Ok(ServerCertVerified::assertion()) };
        if !is_as_authority(&error) || !self.trusted.contains(shown.certificate) {
            return Err(why(&error));
        }
        ParsedCertificate::try_from(shown.certificate)
            .and_then(|certificate| verify_server_name(&certificate, shown.name))
            .map_err(|error| why(&error))?;
        Ok(ServerCertVerified::assertion())
    }

    /// Whether a name that has `pins` shows what it has to.
    fn by_pins(&self, pins: &[&Pin], shown: &Shown<'_>) -> Result<ServerCertVerified, String> {
        let pinned = |certificate: &CertificateDer<'_>| pins.iter().any(|p| p.matches(certificate));
        if pinned(shown.certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(above) = shown.above.iter().find(|certificate| pinned(certificate)) else {
            return Err("another one is pinned for this name".to_owned());
        };
        let mut store = RootCertStore::empty();
        store.add(above.clone().into_owned()).map_err(|error| why(&error))?;
        shown.judge(&*authorities(store)?)
    }
}

fn authorities(store: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, String> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider())
        .build()
        .map_err(|error| error.to_string())
}

/// What a server shows in a handshake.
struct Shown<'a> {
    certificate: &'a CertificateDer<'a>,
    above: &'a [CertificateDer<'a>],
    name: &'a ServerName<'a>,
    ocsp: &'a [u8],
    now: UnixTime,
}

impl Shown<'_> {
    fn ask(&self, by: &WebPkiServerVerifier) -> Result<ServerCertVerified, rustls::Error> {
        let Self { certificate, above, name, ocsp, now } = self;
        by.verify_server_cert(certificate, above, name, ocsp, *now)
    }

    fn judge(&self, by: &WebPkiServerVerifier) -> Result<ServerCertVerified, String> {
        self.ask(by).map_err(|error| why(&error))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let host = host_of(name);
        let shown = Shown { certificate, above, name, ocsp, now };
        let pins: Vec<&Pin> = self.pins.iter().filter(|pin| pin.host == host).collect();
        let verdict = match &self.authorities {
            _ if !pins.is_empty() => self.by_pins(&pins, &shown),
            Some(authorities) => self.by_authorities(authorities, &shown),
            None => Err(UNKNOWN_AUTHORITY.to_owned()),
        };
        verdict.map_err(|why| {
            let sha256 = Sha256::digest(certificate).into();
            let refused = Refused { pin: Pin { host, sha256 }, why };
            CertificateError::Other(OtherError(Arc::new(refused))).into()
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// A certificate that was not accepted: whose, which, why.
#[derive(Debug, thiserror::Error)]
#[error("{SHOWN_FOR}{} ({}) is refused: {why}", pin.host, pin.fingerprint())]
pub(crate) struct Refused {
    /// What would have accepted it.
    pin: Pin,
    why: String,
}

const UNKNOWN_AUTHORITY: &str = "no authority that is trusted here vouches for it";

/// Names of a certificate that an error tells; a certificate may have hundreds.
const NAMES_TOLD: usize = 4;

/// Why a certificate is refused, for people.
fn why(error: &rustls::Error) -> String {
    use CertificateError as E;
    let rustls::Error::InvalidCertificate(reason) = error else { return error.to_string() };
    match reason {
        E::UnknownIssuer => UNKNOWN_AUTHORITY.to_owned(),
        E::ExpiredContext { time, not_after } => {
            format!("it expired {} ago", days(time.as_secs().saturating_sub(not_after.as_secs())))
        }
        E::NotValidYetContext { time, not_before } => {
            let ahead = not_before.as_secs().saturating_sub(time.as_secs());
            format!("it becomes valid in {}: is this machine's clock right?", days(ahead))
        }
        E::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "it names nobody".to_owned()
        }
        E::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().take(NAMES_TOLD).map(|n| bare(n)).collect();
            let more = if presented.len() > NAMES_TOLD { " and others" } else { "" };
            format!("it is for {}{more}", names.join(", "))
        }
        E::BadEncoding => "it cannot be read".to_owned(),
        E::BadSignature => "its signature is wrong".to_owned(),
        E::Other(_) if is_as_authority(error) => {
            "it is made as an authority's, not as a server's".to_owned()
        }
        E::Other(OtherError(other)) => other.to_string(),
        other => other.to_string(),
    }
}

/// Whether a certificate is refused for being made as an authority's.
fn is_as_authority(error: &rustls::Error) -> bool {
    use CertificateError::Other;
    matches!(error, rustls::Error::InvalidCertificate(Other(OtherError(other)))
        if other.to_string() == "CaUsedAsEndEntity")
}

/// A name without the kind that the library writes around it: `DnsName("example.org")`.
fn bare(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

fn days(secs: u64) -> String {
    match (secs / 86_400, secs / 3600) {
        (0, 0) => "less than an hour".to_owned(),
        (0, hours) => format!("{hours} h"),
        (1, _) => "1 day".to_owned(),
        (days, _) => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests;
