//! How the streams of a server are set up.

use std::time::Duration;

use crate::sasl::Mechanism;
use crate::sasl::keys::Decoy;
use crate::{DomainPart, Element, defaults, xml};

/// What all streams of a server share.
#[derive(Clone, Debug)]
pub struct Config {
    /// The domain that is served.
    pub domain: DomainPart,
    /// Makes up keys of users that do not exist, the same each time.
    pub decoy: Decoy,
    /// The mechanisms that may be offered. `-PLUS` is offered where the connection can be bound to,
    /// PLAIN under TLS alone.
    pub mechanisms: Vec<Mechanism>,
    /// Features that are told once a user is authenticated, besides resource binding.
    pub features: Vec<Element>,
    /// Limits.
    pub limits: Limits,
}

impl Config {
    /// A server of `domain` with defaults for everything else.
    #[must_use]
    pub fn new(domain: DomainPart, decoy: Decoy) -> Self {
        let mechanisms = Mechanism::ALL.to_vec();
        Self { domain, decoy, mechanisms, features: Vec::new(), limits: Limits::default() }
    }
}

/// Limits of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How large a stanza may be once its sender is authenticated.
    pub xml: xml::Limits,
    /// From the beginning until a resource is bound.
    pub login: Duration,
    /// Failed attempts to authenticate; the last one ends the stream.
    pub attempts: u32,
    /// Children of the stream a second, on average; more are read later.
    pub stanzas_per_second: u32,
    /// Bytes a second, on average; more are read later.
    pub bytes_per_second: u32,
    /// Seconds of both rates that may come at once.
    pub burst_secs: u32,
    /// Bytes that may come in spite of [`Action::Pause`](super::Action::Pause); more is a flood and ends the stream.
    pub unread_bytes: usize,
    /// How long a stream that we closed waits for the client to close its side.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            xml: xml::Limits::CLIENT,
            login: defaults::UNTIL_BOUND,
            attempts: defaults::ATTEMPTS,
            stanzas_per_second: defaults::STANZAS_PER_SECOND,
            bytes_per_second: defaults::BYTES_PER_SECOND,
            burst_secs: defaults::BURST_SECS,
            unread_bytes: defaults::UNREAD_BYTES,
            linger: defaults::LINGER,
        }
    }
}

/// How a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In the clear; STARTTLS is mandatory (5222).
    StartTls,
    /// Under TLS at once (XEP-0368, 5223).
    DirectTls,
}
