//! A certificate of the core's own making, for where no authority was asked: made once, kept beside the
//! accounts, and vouched for by nobody. Clients pin it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};
use runtime::Identity;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::failure::Failure;

/// The certificate of `domain` that lies in `folder`, made if it is not there; and its file.
pub fn keep(folder: &Path, domain: &str) -> Result<(PathBuf, Identity), Failure> {
    let (certificate, key) = files(folder, domain);
    // The key is written first: where there is a certificate, there was its key.
    if !certificate.exists() {
        make(domain, &certificate, &key)?;
    }
    let identity = read(&certificate, &key).map_err(|why| {
        Failure::configuration(format!("cannot use {}: {why}", certificate.display())).with_remedy(
            "move it away, and another is made, which clients will have to pin; or name one in [tls]",
        )
    })?;
    Ok((certificate, identity))
}

/// The files of the certificate and its key. Each domain has its own: a core that serves another and
/// comes back is known again.
fn files(folder: &Path, domain: &str) -> (PathBuf, PathBuf) {
    // An address of IPv6 stands in brackets and has colons, which not every system takes.
    let name = domain.to_lowercase().replace(['[', ']'], "").replace(':', "-");
    (folder.join(format!("{name}.crt.pem")), folder.join(format!("{name}.key.pem")))
}

fn read(certificate: &Path, key: &Path) -> Result<Identity, rustls_pki_types::pem::Error> {
    let chain = vec![CertificateDer::from_pem_file(certificate)?.to_vec()];
    Ok(Identity { chain, key: PrivateKeyDer::from_pem_file(key)?.secret_der().to_vec() })
}

fn make(domain: &str, certificate: &Path, key: &Path) -> Result<(), Failure> {
    let pair = KeyPair::generate().context("cannot make a key for TLS")?;
    let made = params(domain).and_then(|params| params.self_signed(&pair)).map_err(|error| {
        Failure::configuration(format!("cannot make a certificate for {domain}: {error}"))
            .with_remedy("name one: [tls] certificate = \"FILE\", key = \"FILE\"")
    })?;
    let (secret, open) = (0o600, 0o644);
    // Clients are given the certificate; the key is nobody else's.
    for (path, pem, mode) in [(key, pair.serialize_pem(), secret), (certificate, made.pem(), open)]
    {
        write(path, &pem, mode).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn params(domain: &str) -> Result<CertificateParams, rcgen::Error> {
    let host = domain.to_lowercase();
    let host = host.trim_matches(['[', ']']);
    // Certificates hold names as DNS does (RFC 5280 §7.2).
    let host = idna::domain_to_ascii(host).unwrap_or_else(|_| host.to_owned());
    let mut params = CertificateParams::new(vec![host])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, domain);
    // Tells it from an authority of the same name, to people and to those who look for its issuer.
    params.distinguished_name.push(DnType::OrganizationName, "Wayleave, by its own word");
    // Who pins a certificate trusts it until the pin is gone.
    //= RFC 5280 §4.1.2.5: the year 9999 stands for no end.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    Ok(params)
}

/// Writes a file that those of `mode` may read, all of it or none.
#[cfg_attr(not(unix), expect(unused_variables, reason = "modes are Unix's"))]
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let mut file = options.open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use runtime::Certificates;

    use super::{files, keep};

    #[test]
    fn it_is_made_once_for_each_domain() {
        let folder = tempfile::tempdir().unwrap();
        let (path, first) = keep(folder.path(), "Example.ORG").unwrap();
        assert_eq!(path, folder.path().join("example.org.crt.pem"));
        Certificates::new(&first).unwrap();
        assert_eq!(keep(folder.path(), "example.org").unwrap(), (path, first.clone()));
        assert_ne!(keep(folder.path(), "example.net").unwrap().1, first);
        for domain in ["localhost", "127.0.0.1", "[2001:db8::1]", "bücher.example", "a_b"] {
            let (_, identity) = keep(folder.path(), domain).unwrap();
            Certificates::new(&identity).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn its_key_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        keep(folder.path(), "example.org").unwrap();
        let (certificate, key) = files(folder.path(), "example.org");
        let mode = |path: std::path::PathBuf| {
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!(mode(key), 0o600);
        // As any other file, as far as whoever starts the core lets others read.
        let other = folder.path().join("other");
        std::fs::write(&other, "").unwrap();
        assert_eq!(mode(certificate), mode(other.clone()) & 0o644);
        std::fs::remove_file(other).unwrap();
        let entries = std::fs::read_dir(folder.path()).unwrap();
        assert_eq!(entries.count(), 2, "nothing else is left behind");
    }

    #[test]
    fn what_cannot_be_read_is_no_reason_to_make_another() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = keep(folder.path(), "example.org").unwrap();
        std::fs::write(&path, "not a certificate").unwrap();
        let failure = keep(folder.path(), "example.org").unwrap_err();
        assert!(failure.message.contains("example.org.crt.pem"), "{failure}");
        assert!(failure.remedy.is_some());
    }
}
