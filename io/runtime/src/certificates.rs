//! The certificate that we show, replaceable while connections are open.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::tls::{VERSIONS, provider};

/// A certificate and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate in DER, and those that lead from it to a root.
    pub chain: Vec<Vec<u8>>,
    /// The certificate's private key: PKCS #8, PKCS #1 or SEC1 in DER.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain.len()).finish_non_exhaustive()
    }
}

/// A certificate that cannot be shown, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be used: {0}")]
pub struct BadIdentity(String);

/// The certificate that a machine shows, shared by all clones: whoever holds one can
/// [`replace`](Self::replace) it. Handshakes from then on show the new one; open connections stay
/// as they are.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    current: Arc<RwLock<Option<Arc<Shown>>>>,
}

/// An identity, ready to be shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) config: ServerConfig,
    /// The certificate itself in DER.
    pub(crate) certificate: Vec<u8>,
}

impl Certificates {
    /// No certificate: nobody is accepted over TLS until there is one.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Shows `identity`.
    ///
    /// # Errors
    /// [`BadIdentity`] if the certificate or the key cannot be read, or they do not belong
    /// together.
    pub fn new(identity: &Identity) -> Result<Self, BadIdentity> {
        let certificates = Self::none();
        certificates.replace(identity)?;
        Ok(certificates)
    }

    /// Shows `identity` from now on.
    ///
    /// # Errors
    /// [`BadIdentity`] as for [`new`](Self::new); the one before stays.
    pub fn replace(&self, identity: &Identity) -> Result<(), BadIdentity> {
        let shown = Arc::new(Shown::new(identity)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(())
    }

    /// Whether there is one to show.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.shown().is_some()
    }

    pub(crate) fn shown(&self) -> Option<Arc<Shown>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Shown {
    fn new(identity: &Identity) -> Result<Self, BadIdentity> {
        let chain: Vec<_> = identity.chain.iter().cloned().map(CertificateDer::from).collect();
        let certificate = identity.chain.first().cloned();
        let certificate = certificate.ok_or_else(|| BadIdentity("it is empty".to_owned()))?;
        let key = PrivateKeyDer::try_from(identity.key.clone())
            .map_err(|why| BadIdentity(why.to_owned()))?;
        let refused = |error: rustls::Error| BadIdentity(error.to_string());
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&VERSIONS)
            .map_err(refused)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(refused)?;
        Ok(Self { config, certificate })
    }
}
