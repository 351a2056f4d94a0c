//! The keys of the server's configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A configuration file with every key at its default, and what each is for.
pub const DEFAULT: &str = include_str!("default.toml");

/// The server's configuration; every key has a default that works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The domain that is served: what stands after the `@`.
    pub domain: String,
    /// The addresses to listen on.
    pub listen: Vec<Listen>,
    /// Where the accounts are kept; the user's data folder when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// What the world sees of an address of ours, where a NAT stands before it.
    pub external_address: BTreeMap<IpAddr, IpAddr>,
    /// SIP.
    pub sip: Sip,
}

impl Default for Config {
    fn default() -> Self {
        let any = |ip| Listen { ip, port: None };
        Self {
            domain: "localhost".to_owned(),
            listen: vec![any(Ipv4Addr::UNSPECIFIED.into()), any(Ipv6Addr::UNSPECIFIED.into())],
            data: None,
            external_address: BTreeMap::new(),
            sip: Sip::default(),
        }
    }
}

impl Config {
    /// Where the accounts are kept.
    pub fn data_folder(&self) -> Result<PathBuf, Failure> {
        self.data.clone().or_else(store::data_folder).ok_or_else(|| {
            Failure::configuration("there is no home folder to keep the data in")
                .with_remedy("name a folder: --data DIR, or data = \"DIR\" in the configuration")
        })
    }
}

/// The keys of `[sip]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    /// The digest algorithms that clients are challenged with, the best liked first.
    pub digests: Vec<Digest>,
}

impl Default for Sip {
    fn default() -> Self {
        Self { digests: vec![Digest::Md5] }
    }
}

/// A digest algorithm of RFC 8760.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digest {
    /// What every phone knows; widespread ones give up when they are offered another as well.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// SHA-512/256.
    #[serde(rename = "SHA-512-256")]
    Sha512Of256,
}

/// An address to listen on, with a port of its own or the standard one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen {
    /// The address.
    pub ip: IpAddr,
    /// The port, unless it is the standard one.
    pub port: Option<u16>,
}

impl FromStr for Listen {
    type Err = String;

    /// Reads `192.0.2.1`, `192.0.2.1:5070`, `2001:db8::1`, `[2001:db8::1]` and
    /// `[2001:db8::1]:5070`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<SocketAddr>() {
            return Ok(Self { ip: at.ip(), port: Some(at.port()) });
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(|ip| Self { ip, port: None }).map_err(|_| {
            format!(
                "{text:?} is no address to listen on: write 192.0.2.1, 192.0.2.1:5070 or [2001:db8::1]:5070"
            )
        })
    }
}

impl TryFrom<String> for Listen {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, DEFAULT, Listen};

    #[test]
    fn the_default_file_holds_the_defaults() {
        assert_eq!(toml::from_str::<Config>(DEFAULT).unwrap(), Config::default());
    }

    #[test]
    fn what_is_shown_reads_back() {
        let config = Config::default();
        let shown = toml::to_string_pretty(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&shown).unwrap(), config);
    }

    #[test]
    fn addresses_with_and_without_port() {
        for text in ["192.0.2.1", "192.0.2.1:5070", "2001:db8::1", "[2001:db8::1]:5070"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        assert_eq!("[::1]".parse::<Listen>().unwrap().port, None);
        assert!("localhost".parse::<Listen>().is_err());
    }
}
