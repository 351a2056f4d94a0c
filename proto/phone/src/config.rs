//! Who the phone is and how it behaves.

use std::time::Duration;

pub use call::negotiate::Capabilities;
pub use connect::IceMode;
use crypto::Secret;
use machine::{Endpoint, Transport};
pub use sip::uri::{SipUri, Uri};

/// How a phone behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its accounts.
    pub accounts: Vec<Account>,
    /// How media find their way.
    pub ice: IceMode,
    /// STUN servers to ask. Empty: the registrar's own UDP port (RFC 5626 §3.5.2 has every registrar
    /// answer STUN there).
    pub stun_servers: Vec<Endpoint>,
    /// Offer loopback addresses as candidates even if there are others.
    pub include_loopback: bool,
    /// What it can do with sound.
    pub capabilities: Capabilities,
    /// How paths are looked for.
    pub connect: connect::Config,
    /// What it calls itself.
    pub user_agent: String,
    /// The most calls at a time.
    pub max_calls: usize,
    /// How often a call tells its quality.
    pub media_report: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            ice: IceMode::On,
            stun_servers: Vec::new(),
            include_loopback: false,
            capabilities: Capabilities::default(),
            connect: connect::Config::default(),
            user_agent: concat!("Wayleave/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_calls: crate::defaults::MAX_CALLS,
            media_report: crate::defaults::MEDIA_REPORT,
        }
    }
}

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The address of record: `sip:alice@example.org`.
    pub address: SipUri,
    /// The name that callees see; may be empty.
    pub display_name: String,
    /// The password.
    pub password: Secret,
    /// The core, as host and port; `None`: found by the address' domain (RFC 3263).
    pub server: Option<Server>,
    /// Over what the core is reached.
    pub transport: Transport,
}

/// A core's name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name, an IPv4 or an IPv6 address, the latter without brackets.
    pub host: String,
    /// The port, if not the usual one.
    pub port: Option<u16>,
}
