//! `--pins FILE`: whom a phone trusts besides the authorities of the system.
//!
//! ```text
//! # The core of the office: the fingerprint that `wayleave serve` tells when it starts.
//! core.example.org sha256:5d41…
//!
//! # A private authority.
//! -----BEGIN CERTIFICATE-----
//! …
//! -----END CERTIFICATE-----
//! ```
//!
//! A name with a pin has to show that certificate, by itself or above its own; several lines for one
//! name are several that will do. Names without a pin are left to the authorities.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use runtime::{BadPin, Pin, Roots, Trust};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::failure::Failure;

/// What the user trusts, and where that is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// None where the environment names no home.
    path: Option<PathBuf>,
    /// Whether it is a certificate's file, and no list of ours: nothing is to be written there.
    is_certificate: bool,
    trust: Trust,
}

impl Pins {
    /// Reads the file that was named, or the user's own if there is one.
    pub fn load(named: Option<&Path>) -> Result<Self, Failure> {
        let path = named.map(Path::to_owned).or_else(default_path);
        let text = match &path {
            None => String::new(),
            Some(path) if named.is_none() && !path.exists() => String::new(),
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                Failure::configuration(format!(
                    "cannot read the pins in {}: {error}",
                    path.display()
                ))
                .with_remedy("--pins names a text file that this user may read")
            })?,
        };
        let trust = read(&text).map_err(|bad| bad.in_file(path.as_deref()))?;
        let is_certificate = trust.pins.is_empty() && !trust.anchors.is_empty();
        Ok(Self { path, is_certificate, trust })
    }

    /// Whom connections trust.
    pub fn roots(&self) -> Roots {
        Roots::SystemAnd(self.trust.clone())
    }

    /// What to do about a refused certificate that is told somewhere in `text`: look at it, and add
    /// the line that accepts it.
    pub fn remedy(&self, text: &str) -> Option<String> {
        let pin = Pin::for_refusal(text)?;
        let pinned = self.trust.pins.iter().any(|known| known.host() == pin.host());
        let place = match &self.path {
            // Whoever owns a certificate's file owns what else stands there.
            Some(path) if self.is_certificate => {
                format!(
                    "a file of your own, and name that with --pins in place of {}",
                    path.display()
                )
            }
            Some(path) => path.display().to_string(),
            None => "a file, and name that with --pins".to_owned(),
        };
        let line =
            if pinned { "put this line in place of the one for it" } else { "add this line" };
        Some(format!(
            "if whoever runs {} says that the fingerprint is right, {line} in {place}:\n  {pin}",
            pin.host()
        ))
    }
}

/// `$XDG_CONFIG_HOME/wayleave/pins`, else `~/.config/wayleave/pins`.
fn default_path() -> Option<PathBuf> {
    choose(std::env::var_os("XDG_CONFIG_HOME").map(Into::into), std::env::home_dir())
}

fn choose(xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The specification has relative paths ignored.
    let base = xdg.filter(|path| path.is_absolute());
    let base = base.or_else(|| Some(home?.join(".config")));
    Some(base?.join("wayleave").join("pins"))
}

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
struct Bad {
    line: usize,
    why: Why,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Why {
    #[error("{0}")]
    Pin(#[from] BadPin),
    #[error("there is no -----END CERTIFICATE----- to this")]
    Open,
    #[error("this is no certificate of an authority: {0}")]
    Certificate(String),
    #[error("only certificates stand here, and no other PEM")]
    OtherPem,
}

impl Why {
    const fn remedy(&self) -> &'static str {
        match self {
            Self::Pin(_) => {
                "a line is a host and a fingerprint (core.example.org sha256:…), a comment (# …), or \
                 part of a certificate in PEM"
            }
            Self::Open | Self::Certificate(_) => {
                "copy the authority's certificate in whole, from -----BEGIN to -----END"
            }
            Self::OtherPem => "take it out; a private key belongs to whom it is the key of",
        }
    }
}

impl Bad {
    fn in_file(self, path: Option<&Path>) -> Failure {
        let place = path.map(|path| path.display().to_string()).unwrap_or_default();
        Failure::configuration(format!("{place}:{}: {}", self.line, self.why))
            .with_remedy(self.why.remedy())
    }
}

const BEGIN: &str = "-----BEGIN ";
const BEGIN_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
const END_CERTIFICATE: &str = "-----END CERTIFICATE-----";

fn read(text: &str) -> Result<Trust, Bad> {
    let mut trust = Trust::default();
    let mut lines = text.lines().map(str::trim).zip(1..);
    while let Some((text, line)) = lines.next() {
        let bad = |why| Bad { line, why };
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text == BEGIN_CERTIFICATE {
            let mut pem = format!("{text}\n");
            loop {
                let (text, _) = lines.next().ok_or(bad(Why::Open))?;
                if text.starts_with(BEGIN) {
                    return Err(bad(Why::Open));
                }
                pem.push_str(text);
                pem.push('\n');
                if text == END_CERTIFICATE {
                    break;
                }
            }
            let der = certificate(&pem).map_err(|why| bad(Why::Certificate(format!("{why:#}"))))?;
            trust.anchors.push(der);
        } else if text.starts_with(BEGIN) {
            return Err(bad(Why::OtherPem));
        } else {
            trust.pins.push(text.parse().map_err(|why: BadPin| bad(why.into()))?);
        }
    }
    Ok(trust)
}

/// The certificate, if an authority can be made of it.
fn certificate(pem: &str) -> anyhow::Result<Vec<u8>> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).context("it cannot be read")?;
    rustls::RootCertStore::empty().add(der.clone()).context("it cannot be used")?;
    Ok(der.to_vec())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use runtime::{BadPin, Pin};

    use super::{Bad, Pins, Why, choose, read};

    const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn authority() -> (String, Vec<u8>) {
        let made = rcgen::generate_simple_self_signed(vec!["ca.test".to_owned()]).unwrap();
        (made.cert.pem(), made.cert.der().to_vec())
    }

    #[test]
    fn lines_and_certificates() {
        let (pem, der) = authority();
        let text =
            format!("# mine\n\n  a.test sha256:{DIGITS}\n{pem}# more\nb.test sha256:{DIGITS}");
        let trust = read(&text).unwrap();
        let hosts: Vec<&str> = trust.pins.iter().map(Pin::host).collect();
        assert_eq!((hosts, trust.anchors), (vec!["a.test", "b.test"], vec![der]));
        // As an editor of another system writes it.
        assert_eq!(read(&text.replace('\n', "\r\n")).unwrap().anchors.len(), 1);
        assert_eq!(read("").unwrap(), runtime::Trust::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let (pem, _) = authority();
        let cut = pem.trim_end().trim_end_matches("-----END CERTIFICATE-----");
        let at = |text: &str| read(text).unwrap_err();
        let (line, why) = (2, Why::Pin(BadPin::Fingerprint));
        assert_eq!(at("# mine\na.test sha1:00"), Bad { line, why });
        assert_eq!(at("\n\na.test"), Bad { line: 3, why: Why::Pin(BadPin::Form) });
        assert_eq!(at(cut), Bad { line: 1, why: Why::Open });
        assert_eq!(at(&format!("{cut}{pem}")), Bad { line: 1, why: Why::Open });
        assert_eq!(at("-----BEGIN PRIVATE KEY-----"), Bad { line: 1, why: Why::OtherPem });
        let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
        assert!(matches!(at(garbled), Bad { line: 1, why: Why::Certificate(_) }));
        let failure = at("a.test").in_file(Some(Path::new("/etc/pins")));
        assert!(failure.message.starts_with("/etc/pins:1: a pin is"), "{failure}");
        assert!(failure.remedy.is_some());
    }

    #[test]
    fn a_refusal_becomes_the_line_that_accepts() {
        let text = format!("the certificate shown for a.test (sha256:{DIGITS}) is refused: why");
        let mut pins = Pins { path: Some("/home/a/pins".into()), ..Pins::default() };
        let remedy = pins.remedy(&text).unwrap();
        let line = format!("\n  a.test sha256:{DIGITS}");
        assert!(remedy.contains("add this line in /home/a/pins:") && remedy.ends_with(&line));
        pins.trust = read(remedy.lines().last().unwrap()).unwrap();
        assert!(pins.remedy(&text).unwrap().contains("in place of"));
        assert_eq!(pins.remedy("timed out"), None);
    }

    #[test]
    fn no_line_is_to_be_written_into_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cert.pem");
        std::fs::write(&path, authority().0).unwrap();
        let text = format!("the certificate shown for a.test (sha256:{DIGITS}) is refused: why");
        let remedy = Pins::load(Some(&path)).unwrap().remedy(&text).unwrap();
        assert!(remedy.contains("add this line in a file of your own"), "{remedy}");
        assert!(remedy.contains(&format!("in place of {}", path.display())), "{remedy}");
        // A list with an authority in it is a list.
        std::fs::write(&path, format!("b.test sha256:{DIGITS}\n{}", authority().0)).unwrap();
        let remedy = Pins::load(Some(&path)).unwrap().remedy(&text).unwrap();
        assert!(remedy.contains(&format!("add this line in {}:", path.display())), "{remedy}");
    }

    #[test]
    fn the_file_lies_with_the_users_configuration() {
        let path = |p: &str| Some(p.into());
        assert_eq!(choose(path("/etc/a"), path("/home/a")), path("/etc/a/wayleave/pins"));
        assert_eq!(choose(path("etc"), path("/home/a")), path("/home/a/.config/wayleave/pins"));
        assert_eq!(choose(None, None), None);
    }

    #[test]
    fn a_named_file_must_be_there() {
        assert!(Pins::load(Some(Path::new("/nowhere/pins"))).is_err());
    }
}
