//! How the server is set up.

use std::time::Duration;

use jid::{DomainPart, DomainRef};
use machine::Endpoint;

use super::defaults;
use crate::sasl::keys::Decoy;
use crate::{Element, defaults as stream_defaults, ns, stream, xml};

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Whether TLS comes first (XEP-0368), not by STARTTLS.
    pub direct_tls: bool,
    /// Where; port 0 is any.
    pub local: Endpoint,
}

/// How the server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our domain.
    pub domain: String,
    /// Where to listen from the start; [`listen`](super::Server::listen) adds more.
    pub listeners: Vec<Listener>,
    /// What the salts of users that do not exist are made from: kept over restarts, so that they
    /// stay what they were, as those of users do.
    pub salt_secret: [u8; 32],
    /// The length of salts, and how often keys are derived: of users that do not exist as of those
    /// that do.
    pub salt_bytes: usize,
    /// The iteration count of keys.
    pub iterations: u32,
    /// How much of what.
    pub limits: Limits,
}

/// How much of what; the refusal that counts it is named.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in all: [`Connections`](super::Refusal::Connections).
    pub connections: usize,
    /// Connections from one address (one /64 with IPv6) that have not logged in and bound a resource; of
    /// all connections, these may be one in [`STRANGERS_SHARE`](super::defaults::STRANGERS_SHARE):
    /// [`Connections`](super::Refusal::Connections).
    pub unauthenticated_per_address: usize,
    /// Failed attempts to authenticate on one stream; then it is closed:
    /// [`Attempts`](super::Refusal::Attempts).
    pub attempts_per_stream: u32,
    /// Attempts to authenticate that failed or derived a key, from one address (one /64 with IPv6) in
    /// [`ATTEMPTS_WINDOW`](super::defaults::ATTEMPTS_WINDOW):
    /// [`Attempts`](super::Refusal::Attempts).
    pub attempts_per_address: u32,
    /// Keys a second that are derived for clients that log in with PLAIN, for all of them together:
    /// [`Attempts`](super::Refusal::Attempts).
    pub derivations_per_second: u32,
    /// How long a connection may take until its resource is bound:
    /// [`Timeout`](super::Refusal::Timeout).
    pub login_timeout: Duration,
    /// Sessions of an account: `resource-constraint`.
    pub sessions_per_account: usize,
    /// Contacts in a roster: `resource-constraint`.
    pub contacts: usize,
    /// Bytes of a stanza: `policy-violation`.
    pub stanza_bytes: usize,
    /// Bytes that wait for a client that does not read: it is closed, with
    /// [`SlowReader`](super::Refusal::SlowReader).
    pub queue_bytes: usize,
    /// Stanzas a second that a client may send; more are read later.
    pub stanzas_per_second: u32,
    /// Bytes a second that a client may send; more are read later.
    pub bytes_per_second: u32,
    /// How long a client may be silent before it is asked whether it is there.
    pub idle: Duration,
    /// How long it may take to answer that.
    pub idle_grace: Duration,
}

impl Config {
    /// A server of `domain`, with defaults for everything else. `salt_secret` is random, and kept
    /// over restarts.
    #[must_use]
    pub fn new(domain: impl Into<String>, salt_secret: [u8; 32]) -> Self {
        Self {
            domain: domain.into(),
            listeners: Vec::new(),
            salt_secret,
            salt_bytes: stream_defaults::SCRAM_SALT_LEN,
            iterations: stream_defaults::SCRAM_ITERATIONS,
            limits: Limits::default(),
        }
    }

    /// Whether `name` can be a domain's.
    #[must_use]
    pub fn is_domain(name: &str) -> bool {
        DomainPart::new(name).is_ok()
    }

    /// What every stream is set up with.
    pub(super) fn streams(&self, domain: &DomainRef) -> stream::server::Config {
        let mut decoy = Decoy::new(self.salt_secret);
        (decoy.salt_len, decoy.iterations) = (self.salt_bytes, self.iterations);
        let limits = &self.limits;
        let own = stream::server::Limits::default();
        stream::server::Config {
            //= RFC 6121 §3.4.1: that subscriptions can be approved before is told as a feature
            features: vec![Element::bare("sub", ns::PRE_APPROVAL)],
            limits: stream::server::Limits {
                xml: xml::Limits { stanza_bytes: limits.stanza_bytes, ..own.xml },
                login: limits.login_timeout,
                attempts: limits.attempts_per_stream,
                stanzas_per_second: limits.stanzas_per_second,
                bytes_per_second: limits.bytes_per_second,
                ..own
            },
            ..stream::server::Config::new(domain.to_owned(), decoy)
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: defaults::CONNECTIONS,
            unauthenticated_per_address: defaults::UNAUTHENTICATED_PER_ADDRESS,
            attempts_per_stream: stream_defaults::ATTEMPTS,
            attempts_per_address: defaults::ATTEMPTS_PER_ADDRESS,
            derivations_per_second: defaults::DERIVATIONS_PER_SECOND,
            login_timeout: stream_defaults::UNTIL_BOUND,
            sessions_per_account: defaults::SESSIONS_PER_ACCOUNT,
            contacts: defaults::CONTACTS,
            stanza_bytes: stream_defaults::STANZA_BYTES,
            queue_bytes: defaults::QUEUE_BYTES,
            stanzas_per_second: stream_defaults::STANZAS_PER_SECOND,
            bytes_per_second: stream_defaults::BYTES_PER_SECOND,
            idle: defaults::IDLE,
            idle_grace: defaults::IDLE_GRACE,
        }
    }
}
