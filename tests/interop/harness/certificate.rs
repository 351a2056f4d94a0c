//! A certificate for one test, as the files that programs want.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A self-signed certificate and its key: files that live as long as this value.
pub(crate) struct Certificate {
    folder: TempDir,
}

impl Certificate {
    /// A certificate for `name`.
    pub(crate) fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let made =
            rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
        let key = made.signing_key.serialize_der();
        let certificate = Self { folder };
        let write = |path: PathBuf, bytes: &[u8]| std::fs::write(path, bytes).expect("a file");
        write(certificate.der(), made.cert.der());
        write(certificate.pem(), pem("CERTIFICATE", made.cert.der()).as_bytes());
        write(certificate.key(), pem("PRIVATE KEY", &key).as_bytes());
        certificate
    }

    /// A folder for what else the test's programs write.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate in DER.
    pub(crate) fn der(&self) -> PathBuf {
        self.folder().join("cert.der")
    }

    /// The certificate in PEM.
    pub(crate) fn pem(&self) -> PathBuf {
        self.folder().join("cert.pem")
    }

    /// Its key in PEM.
    pub(crate) fn key(&self) -> PathBuf {
        self.folder().join("key.pem")
    }
}

/// `bytes` in the textual form of RFC 7468.
fn pem(label: &str, bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----");
    for (n, group) in bytes.chunks(3).enumerate() {
        if n % 16 == 0 {
            text.push('\n');
        }
        let at = |n: usize| u32::from(group.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let sextet = bits >> (18 - 6 * n) & 0x3f;
            text.push(if n > group.len() { '=' } else { ALPHABET[sextet as usize] as char });
        }
    }
    format!("{text}\n-----END {label}-----\n")
}

#[test]
fn text_as_rfc_4648_has_it() {
    for (bytes, text) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
        let expected = format!("-----BEGIN X-----\n{text}\n-----END X-----\n");
        assert_eq!(pem("X", bytes.as_bytes()), expected);
    }
}
