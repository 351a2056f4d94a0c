//! The keys of the server's configuration.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::form;
use super::values::{Listen, Network, Ports, Span};
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
    #[serde(deserialize_with = "form::list")]
    pub listen: Vec<Listen>,
    /// Where the accounts are kept; the user's data folder when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// What the world sees of an address of ours, where a NAT stands before it.
    #[serde(deserialize_with = "form::address_pairs")]
    pub external_address: BTreeMap<IpAddr, IpAddr>,
    /// What is logged without -v, as a filter of tracing's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How long what is under way may take to end after SIGTERM.
    pub drain: Span,
    /// SIP.
    pub sip: Sip,
    /// XMPP.
    pub xmpp: Xmpp,
    /// STUN.
    pub stun: Stun,
    /// TURN.
    pub turn: Turn,
    /// The addresses that are relayed.
    pub relay: Relay,
    /// The certificate.
    pub tls: Tls,
    /// Metrics and health.
    pub http: Http,
}

impl Default for Config {
    fn default() -> Self {
        let any = |ip| Listen { ip, port: None };
        Self {
            domain: "localhost".to_owned(),
            listen: vec![any(Ipv4Addr::UNSPECIFIED.into()), any(Ipv6Addr::UNSPECIFIED.into())],
            data: None,
            external_address: BTreeMap::new(),
            log: None,
            drain: Span::secs(30),
            sip: Sip::default(),
            xmpp: Xmpp::default(),
            stun: Stun::default(),
            turn: Turn::default(),
            relay: Relay::default(),
            tls: Tls::default(),
            http: Http::default(),
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
    #[serde(deserialize_with = "form::list")]
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

/// The keys of `[xmpp]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Xmpp {
    /// The ports for TCP, where TLS begins with STARTTLS.
    #[serde(deserialize_with = "form::list")]
    pub ports: Vec<u16>,
    /// The ports where TLS comes first.
    #[serde(deserialize_with = "form::list")]
    pub tls_ports: Vec<u16>,
    /// How much who may do.
    pub limits: XmppLimits,
}

impl Xmpp {
    /// Whether there is any.
    pub const fn is_served(&self) -> bool {
        !self.ports.is_empty() || !self.tls_ports.is_empty()
    }
}

impl Default for Xmpp {
    fn default() -> Self {
        use server::config::{XMPP_PORT, XMPPS_PORT};
        let (ports, tls_ports) = (vec![XMPP_PORT], vec![XMPPS_PORT]);
        Self { ports, tls_ports, limits: XmppLimits::default() }
    }
}

/// The keys of `[xmpp.limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XmppLimits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address that have not logged in.
    pub logins: usize,
    /// Sessions of one account.
    pub sessions: usize,
    /// Contacts in a roster.
    pub contacts: usize,
    /// Bytes of a stanza.
    pub stanza_bytes: usize,
    /// Stanzas a second from one client.
    pub stanzas_per_second: u32,
    /// Bytes a second from one client.
    pub bytes_per_second: u32,
    /// How long a client may be silent before it is asked whether it is there.
    pub idle: Span,
}

impl Default for XmppLimits {
    fn default() -> Self {
        let xmpp::server::Limits {
            connections,
            unauthenticated_per_address: logins,
            sessions_per_account: sessions,
            contacts,
            stanza_bytes,
            stanzas_per_second,
            bytes_per_second,
            idle,
            ..
        } = xmpp::server::Limits::default();
        let idle = Span(idle);
        Self {
            connections,
            logins,
            sessions,
            contacts,
            stanza_bytes,
            stanzas_per_second,
            bytes_per_second,
            idle,
        }
    }
}

/// The keys of `[turn]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// The ports for UDP and TCP.
    #[serde(deserialize_with = "form::list")]
    pub ports: Vec<u16>,
    /// The ports for TLS.
    #[serde(deserialize_with = "form::list")]
    pub tls_ports: Vec<u16>,
    /// The file with the secret that time-limited credentials are made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_secret_file: Option<PathBuf>,
    /// Peers that may be reached though they are private, loopback or otherwise special.
    #[serde(deserialize_with = "form::list")]
    pub allow_peers: Vec<Network>,
    /// How long an allocation lasts unless it is refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Span>,
    /// Where clients are sent while this server drains.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "form::socket_address")]
    pub alternate_server: Option<SocketAddr>,
    /// How much is relayed for whom.
    pub quotas: Quotas,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            ports: vec![3478],
            tls_ports: vec![5349],
            shared_secret_file: None,
            allow_peers: Vec::new(),
            lifetime: None,
            alternate_server: None,
            quotas: Quotas::default(),
        }
    }
}

/// The keys of `[stun]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stun {
    /// The second port, with which clients look into their NATs; 0 for none.
    pub alternate_port: u16,
    /// Whether clients of RFC 3489 may do so as well.
    pub classic: bool,
}

impl Default for Stun {
    fn default() -> Self {
        Self { alternate_port: server::config::ALTERNATE_PORT, classic: false }
    }
}

/// The keys of `[turn.quotas]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Allocations of one user.
    pub user: usize,
    /// Allocations of one client address, a /64 of IPv6.
    pub address: usize,
    /// Allocations in all.
    pub total: usize,
    /// Bytes a second that one allocation relays each way; unlimited when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

impl Default for Quotas {
    fn default() -> Self {
        let turn::server::Limits {
            allocations: total,
            allocations_per_user: user,
            allocations_per_address: address,
            bytes_per_second,
            ..
        } = turn::server::Limits::default();
        Self { user, address, total, bytes_per_second }
    }
}

/// The keys of `[relay]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Relay {
    /// The threads that packets are forwarded on; as many as there are cores when 0.
    pub threads: usize,
    /// The ports of relayed addresses.
    pub ports: Ports,
    /// The addresses of ours that are relayed from, one of each family; when empty, those that are
    /// listened on, or that the system sends from.
    #[serde(deserialize_with = "form::addresses")]
    pub addresses: Vec<IpAddr>,
}

impl Default for Relay {
    /// The dynamic ports, as RFC 8656 §7.2 wants it.
    fn default() -> Self {
        Self { threads: 0, ports: Ports(49152..=65535), addresses: Vec::new() }
    }
}

/// The keys of `[tls]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The file with the certificate and those that lead from it to a root, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The file with its private key, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// The keys of `[http]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where metrics and health are told; nowhere when not given.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "form::socket_address")]
    pub listen: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use super::{Config, DEFAULT};

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
}
