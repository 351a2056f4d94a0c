//! How the core is set up.

use std::collections::BTreeMap;
use std::net::IpAddr;

use machine::{Endpoint, Transport};
use sip::auth::Hash;
use sip::{registrar, transaction::Times};

use crate::defaults;

/// The port of SIP over UDP and TCP (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5060;
/// The port of STUN and TURN over UDP and TCP (RFC 8489 §8.1, RFC 8656 §3.1).
pub const TURN_PORT: u16 = 3478;
/// The second port of STUN where NATs can be looked into: RFC 5780 has no default for it, and other
/// servers take this one.
pub const ALTERNATE_PORT: u16 = 3479;
/// The port of XMPP over TCP, with STARTTLS (RFC 6120 §3.2.1).
pub const XMPP_PORT: u16 = 5222;
/// The port of XMPP where TLS comes first (XEP-0368).
pub const XMPPS_PORT: u16 = 5223;
/// The port of TURN over TLS (RFC 8656 §3.1).
pub const TURNS_PORT: u16 = 5349;

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// SIP, and STUN beside it over UDP (RFC 5626 §3.5.2).
    Sip,
    /// TURN, and STUN beside it over UDP (RFC 8656 §5).
    Turn,
    /// STUN's second port, bound of itself where there are two addresses (RFC 5780 §6).
    Stun,
    /// XMPP: over TCP with STARTTLS, or over TLS from the start.
    Xmpp,
}

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// What for.
    pub service: Service,
    /// Over what.
    pub transport: Transport,
    /// Where; port 0 is any. A service over TCP at port 0 takes the port that it got over UDP at the
    /// same address, because a client that turns to TCP stays with the port (RFC 3261 §18.1.1,
    /// RFC 7065 §3.1).
    pub local: Endpoint,
}

/// How the core is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our domains, the first of which counts where an address stands for a domain.
    pub domains: Vec<String>,
    /// Where we listen.
    pub listeners: Vec<Listener>,
    /// Addresses of ours as others see them.
    pub external: BTreeMap<IpAddr, IpAddr>,
    /// The realm of challenges; the domain unless given.
    pub realm: Option<String>,
    /// Digest algorithms, the best first. MD5 alone unless configured otherwise, because
    /// widespread telephones give up on any other.
    pub algorithms: Vec<Hash>,
    /// Lifetimes and limits of registrations.
    pub registrar: registrar::Config,
    /// The times of transactions.
    pub times: Times,
    /// Bytes of requests that may wait for an answer of the world; above, 503.
    pub waiting_bytes: usize,
    /// What the salts of users that do not exist are made from (RFC 5802 §5.1), and the tokens of SIP's
    /// flows (RFC 5626 §5.2). Kept over restarts, they stay what they were, as the salts of users do;
    /// when not given, they are others at every start.
    pub salt_secret: Option<[u8; 32]>,
    /// How XMPP is served. Its domain, listeners and secret come from what stands above.
    pub xmpp: xmpp::server::Config,
    /// The second port of STUN; nothing to let nobody look into NATs. It counts where TURN listens over
    /// UDP at the same port of two addresses of one kind: both public, say, as others see them.
    pub alternate_port: Option<u16>,
    /// Whether clients of RFC 3489 may look into their NATs as well.
    pub classic: bool,
    /// How to relay. Its realms, listeners and addresses of our own come from what stands above.
    pub turn: turn::server::Config,
}

impl Default for Config {
    /// The domain `localhost` on the loopback address and the standard ports.
    fn default() -> Self {
        Self::new("localhost", [IpAddr::from([127, 0, 0, 1])])
    }
}

impl Config {
    /// A domain on these addresses and the standard ports: SIP and TURN over UDP and TCP, XMPP over
    /// TCP and TLS.
    #[must_use]
    pub fn new(domain: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses: Vec<IpAddr> = addresses.into_iter().collect();
        let listeners = addresses.iter().flat_map(|&ip| Self::listeners_at(ip, false));
        Self {
            domains: vec![domain.to_ascii_lowercase()],
            listeners: listeners.collect(),
            salt_secret: None,
            xmpp: xmpp::server::Config::new(domain, [0; 32]),
            turn: turn::server::Config::new(domain, addresses.iter().copied()),
            alternate_port: Some(ALTERNATE_PORT),
            classic: false,
            external: BTreeMap::new(),
            realm: None,
            algorithms: vec![Hash::Md5],
            registrar: registrar::Config::default(),
            times: Times::default(),
            waiting_bytes: defaults::WAITING_BYTES,
        }
    }

    /// The listeners of one address, on the standard ports or on free ones.
    #[must_use]
    pub fn listeners_at(ip: IpAddr, any_port: bool) -> [Listener; 6] {
        let at = |service, transport, port| Listener {
            service,
            transport,
            local: Endpoint::new(ip, if any_port { 0 } else { port }),
        };
        [
            at(Service::Sip, Transport::Udp, SIP_PORT),
            at(Service::Sip, Transport::Tcp, SIP_PORT),
            at(Service::Turn, Transport::Udp, TURN_PORT),
            at(Service::Turn, Transport::Tcp, TURN_PORT),
            at(Service::Xmpp, Transport::Tcp, XMPP_PORT),
            at(Service::Xmpp, Transport::Tls, XMPPS_PORT),
        ]
    }
}
