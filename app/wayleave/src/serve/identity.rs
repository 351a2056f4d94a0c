//! `[tls]`: the certificate and its key, read from PEM.

use std::path::Path;

use runtime::Identity;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;
use crate::failure::Failure;

/// Reads what `[tls]` names; nothing when it names nothing.
pub fn read(tls: &Tls) -> Result<Option<Identity>, Failure> {
    let (certificate, key) = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(half("tls.key", "tls.certificate")),
        (None, Some(_)) => return Err(half("tls.certificate", "tls.key")),
    };
    Ok(Some(Identity { chain: chain(certificate)?, key: private_key(key)? }))
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
