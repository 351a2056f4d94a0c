//! TLS through rustls: whom we trust, who we are, and what SASL can bind to.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use machine::{ConnectionBinding, FailKind, TlsRole};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, OtherError, SupportedProtocolVersion, version};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::certificates::Certificates;
use crate::connection::Connection;
use crate::end_point;
use crate::trust::{Roots, Verifier};

/// Whom a machine's TLS connections trust, and the certificate that it shows itself.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Whose certificates count.
    pub roots: Roots,
    /// Who we are; without a certificate no connection is accepted over TLS.
    pub certificates: Certificates,
}

/// A handshake under way.
pub(crate) type Handshake = Pin<Box<dyn Future<Output = io::Result<(Connection, Secured)>> + Send>>;

/// What a handshake settled.
pub(crate) struct Secured {
    pub(crate) peer_certs: Vec<Vec<u8>>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) binding: ConnectionBinding,
}

/// Starts handshakes. The configurations are built when the first needs one, since a machine
/// without TLS should not read the system's certificates.
pub(crate) struct Starter {
    tls: Tls,
    client: OnceLock<Result<Arc<ClientConfig>, String>>,
}

pub(crate) const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];

impl Starter {
    pub(crate) const fn new(tls: Tls) -> Self {
        Self { tls, client: OnceLock::new() }
    }

    /// A handshake on `connection`, after what was written to it.
    pub(crate) fn start(
        &self,
        connection: Connection,
        role: TlsRole,
        alpn: Vec<Vec<u8>>,
    ) -> Handshake {
        match role {
            TlsRole::Client { name } => self.connect(connection, name, alpn),
            TlsRole::Server => self.accept(connection, alpn),
        }
    }

    fn connect(&self, connection: Connection, name: String, alpn: Vec<Vec<u8>>) -> Handshake {
        let config = self.client.get_or_init(|| client_config(&self.tls.roots)).clone();
        Box::pin(async move {
            let mut config = ClientConfig::clone(&*config.map_err(io::Error::other)?);
            config.alpn_protocols = alpn;
            let name = ServerName::try_from(name).map_err(io::Error::other)?;
            let (stream, permit) = connection.into_plain().await?;
            let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            let (_, session) = stream.get_ref();
            let peer_certs = certificates(session.peer_certificates());
            let secured = Secured {
                alpn: session.alpn_protocol().map(<[u8]>::to_vec),
                binding: ConnectionBinding {
                    exporter: exporter(session.protocol_version(), |out, label| {
                        session.export_keying_material(out, label, None)
                    }),
                    server_end_point: peer_certs.first().and_then(|der| end_point::hash(der)),
                },
                peer_certs,
            };
            Ok((Connection::secured(TlsStream::Client(stream), permit), secured))
        })
    }

    fn accept(&self, connection: Connection, alpn: Vec<Vec<u8>>) -> Handshake {
        let shown = self.tls.certificates.shown();
        Box::pin(async move {
            let none = || io::Error::other("there is no certificate to show");
            let shown = shown.ok_or_else(none)?;
            let mut config = shown.config.clone();
            config.alpn_protocols = alpn;
            let server_end_point = end_point::hash(&shown.certificate);
            let (stream, permit) = connection.into_plain().await?;
            let stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
            let (_, session) = stream.get_ref();
            let secured = Secured {
                peer_certs: certificates(session.peer_certificates()),
                alpn: session.alpn_protocol().map(<[u8]>::to_vec),
                binding: ConnectionBinding {
                    exporter: exporter(session.protocol_version(), |out, label| {
                        session.export_keying_material(out, label, None)
                    }),
                    server_end_point,
                },
            };
            Ok((Connection::secured(TlsStream::Server(stream), permit), secured))
        })
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn client_config(roots: &Roots) -> Result<Arc<ClientConfig>, String> {
    let verifier = Arc::new(Verifier::new(roots)?);
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&VERSIONS)
        .map_err(|e| e.to_string())?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn certificates(chain: Option<&[CertificateDer<'_>]>) -> Vec<Vec<u8>> {
    chain.unwrap_or_default().iter().map(|certificate| certificate.to_vec()).collect()
}

/// `tls-exporter` (RFC 9266 §2). Before TLS 1.3 it is unique only with the extended master secret
/// (RFC 9266 §3), which rustls does not tell; then there is none.
fn exporter(
    version: Option<rustls::ProtocolVersion>,
    export: impl FnOnce([u8; 32], &[u8]) -> Result<[u8; 32], rustls::Error>,
) -> Option<Vec<u8>> {
    if version != Some(rustls::ProtocolVersion::TLSv1_3) {
        return None;
    }
    export([0; 32], b"EXPORTER-Channel-Binding").ok().map(Vec::from)
}

/// Why a handshake failed.
pub(crate) fn fail_kind(error: &io::Error) -> FailKind {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(error) => tls_kind(error),
        None if error.kind() == io::ErrorKind::Other => FailKind::Tls(error.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            FailKind::Tls("the peer closed the connection".to_owned())
        }
        None => crate::fail::fail_kind(error),
    }
}

/// The same of what rustls says.
pub(crate) fn tls_kind(error: &rustls::Error) -> FailKind {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(refused))) => {
            FailKind::Certificate(refused.to_string())
        }
        rustls::Error::InvalidCertificate(reason) => FailKind::Certificate(reason.to_string()),
        other => FailKind::Tls(other.to_string()),
    }
}
