//! Who the phone is and how it behaves.

use std::time::Duration;

pub use call::negotiate::Capabilities;
pub use connect::{IceMode, TurnServer};
use crypto::Secret;
use machine::{Endpoint, Transport};
pub use sip::uri::{SipUri, Uri};
pub use xmpp::{BareJid, FullJid, Jid};

pub use crate::address::{Address, ParseError, Protocol, Target};

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
    /// Relays for media that find no direct way.
    pub relays: Relays,
    /// Offer loopback addresses as candidates even if there are others.
    pub include_loopback: bool,
    /// Whether anybody who reaches the phone may call it, past its core and all that the core checks.
    pub direct_calls: bool,
    /// Whether XMPP calls begin before all candidates are known, and tell the others as they are found
    /// (RFC 8838). SIP calls wait for all.
    pub trickle: bool,
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
            relays: Relays::OfCore,
            include_loopback: false,
            direct_calls: false,
            trickle: true,
            capabilities: Capabilities::default(),
            connect: connect::Config::default(),
            user_agent: concat!("Wayleave/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_calls: crate::defaults::MAX_CALLS,
            media_report: crate::defaults::MEDIA_REPORT,
        }
    }
}

/// Which TURN servers relay media that find no direct way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Relays {
    /// Those of the account's core: where the SRV records of its domain point to, else on the host of
    /// its registrar, with the account's own name and password.
    #[default]
    OfCore,
    /// These, the first that works.
    Given(Vec<TurnServer>),
    /// None.
    Off,
}

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The address: `sip:alice@example.org`, `xmpp:alice@example.org`.
    pub address: Address,
    /// The name that callees see; may be empty. SIP alone has a place for it.
    pub display_name: String,
    /// The password.
    pub password: Secret,
    /// The core, as host and port; `None`: found by the address' domain (RFC 3263; RFC 6120 §3.2).
    pub server: Option<Server>,
    /// Over what the core is reached. `None`: for SIP, UDP, and TCP where UDP gets no answer; for XMPP,
    /// what its SRV records say, or STARTTLS at a core that is given, unless its port is 5223. There,
    /// [`Transport::Tls`] is TLS from the first byte (XEP-0368) and [`Transport::Tcp`] is TCP with
    /// STARTTLS.
    pub transport: Option<Transport>,
    /// What an XMPP server is to call this device; `None`: a name that nobody can guess.
    pub resource: Option<String>,
}

impl Account {
    /// An account that is found by its domain.
    #[must_use]
    pub fn new(address: impl Into<Address>, password: Secret) -> Self {
        Self {
            address: address.into(),
            display_name: String::new(),
            password,
            server: None,
            transport: None,
            resource: None,
        }
    }
}

/// A core's name or address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name, an IPv4 or an IPv6 address, the latter without brackets.
    pub host: String,
    /// The port, if not the usual one.
    pub port: Option<u16>,
}
