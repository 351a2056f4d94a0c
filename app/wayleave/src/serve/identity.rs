//! The certificate that the core shows: what `[tls]` names, or one of its own making.

use std::path::{Path, PathBuf};

use runtime::Identity;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::own_certificate;
use crate::config::{Config, Tls};
use crate::failure::Failure;

/// The certificate that is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// It, and its key.
    pub identity: Identity,
    /// The file that it comes from.
    pub path: PathBuf,
    /// Whether the core made it: nobody vouches for it then, and clients have to be told.
    pub own: bool,
}

impl Shown {
    /// The SHA-256 of the certificate, as clients pin it.
    pub fn fingerprint(&self) -> String {
        let certificate = self.identity.chain.first().map_or(&[][..], Vec::as_slice);
        crypto::to_hex(&crypto::sha256(&[certificate]))
    }
}

/// Finds what is to be shown: what `[tls]` names, else, where there is XMPP, what the core made before
/// or makes now. Nothing where nothing wants it.
pub fn find(config: &Config) -> Result<Option<Shown>, Failure> {
    match named(&config.tls)? {
        None if config.xmpp.is_served() => {
            let (path, identity) = own_certificate::keep(&config.data_folder()?, &config.domain)?;
            Ok(Some(Shown { identity, path, own: true }))
        }
        named => Ok(named),
    }
}

/// Reads what `[tls]` names; nothing when it names nothing.
pub fn named(tls: &Tls) -> Result<Option<Shown>, Failure> {
    let (certificate, key) = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(half("tls.key", "tls.certificate")),
        (None, Some(_)) => return Err(half("tls.certificate", "tls.key")),
    };
    let identity = Identity { chain: chain(certificate)?, key: private_key(key)? };
    Ok(Some(Shown { identity, path: certificate.clone(), own: false }))
}

fn chain(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain.iter().map(|der| der.to_vec()).collect()),
        Ok(_) => Err(unreadable("tls.certificate", path, "there is no certificate in it")),
        Err(error) => Err(unreadable("tls.certificate", path, &error.to_string())),
    }
}

fn private_key(path: &Path) -> Result<Vec<u8>, Failure> {
    PrivateKeyDer::from_pem_file(path)
        .map(|key| key.secret_der().to_vec())
        .map_err(|error| unreadable("tls.key", path, &error.to_string()))
}

fn half(missing: &str, given: &str) -> Failure {
    Failure::configuration(format!("{given} is set, and {missing} is not"))
        .with_remedy(format!("set both, or neither: {missing} = \"FILE.pem\""))
}

fn unreadable(key: &str, path: &Path, why: &str) -> Failure {
    Failure::configuration(format!("{key}: cannot use {}: {why}", path.display())).with_remedy(
        "name a file in PEM that this user may read: the certificate first, then those that lead \
         to a root; the key without a passphrase",
    )
}

/// The certificate and the key were read, and cannot be used.
pub fn refused(error: &runtime::BadIdentity) -> Failure {
    Failure::configuration(format!("tls.certificate, tls.key: {error}")).with_remedy(
        "name the key that belongs to the certificate: `openssl x509 -pubkey` and `openssl pkey \
         -pubout` must print the same",
    )
}
