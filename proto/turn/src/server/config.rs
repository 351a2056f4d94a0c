//! How the server is set up.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crypto::Secret;
use machine::{Endpoint, Transport};
use stun::PasswordAlgorithm;

use super::defaults;
use super::nonce::NONCE_BYTES;

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Over what.
    pub transport: Transport,
    /// Where; port 0 is any.
    pub local: Endpoint,
}

/// An address that relayed addresses are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayAddress {
    /// What sockets are bound to.
    pub local: IpAddr,
    /// What clients and peers are told: another address where a NAT that keeps ports stands in
    /// front.
    pub external: IpAddr,
}

impl From<IpAddr> for RelayAddress {
    /// An address without a NAT in front.
    fn from(ip: IpAddr) -> Self {
        Self { local: ip, external: ip }
    }
}

/// How the server is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our domains: each is a realm of its own, the first is that of challenges.
    pub realms: Vec<String>,
    /// Where to listen from the start; [`listen`](super::Server::listen) adds more.
    pub listeners: Vec<Listener>,
    /// What to relay from, at most one address of each family counts.
    pub relays: Vec<RelayAddress>,
    /// The ports of relayed addresses.
    pub ports: RangeInclusive<u16>,
    /// Peers that are allowed although their kind is not: private, loopback, our own, ….
    pub allow_peers: Vec<Prefix>,
    /// Addresses of ours beside those of `relays` and `listeners`, external ones too. At them, live
    /// relayed addresses are the only peers.
    pub own: Vec<IpAddr>,
    /// Secrets of time-limited credentials; every one is good.
    pub secrets: Vec<Secret>,
    /// Password algorithms that are offered, the best first. MD5 is accepted from clients of RFC
    /// 5389 in any case.
    pub algorithms: Vec<PasswordAlgorithm>,
    /// Whether USERHASH is offered: only where the world can answer [`User::Hash`](super::User).
    pub anonymity: bool,
    /// Whether an allocation may move to another address of its client (RFC 8016).
    pub mobility: bool,
    /// Whether TCP is relayed (RFC 6062).
    pub tcp: bool,
    /// Servers that take new clients while this one drains, one of each family.
    pub alternates: Vec<Endpoint>,
    /// Numbers of things.
    pub limits: Limits,
}

/// How much of what; reaching a limit is answered by the error named.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Allocations in all: 508.
    pub allocations: usize,
    /// Allocations of a user: 486.
    pub allocations_per_user: usize,
    /// Allocations of a client's address (of its /64 with IPv6): 486.
    pub allocations_per_address: usize,
    /// Bytes a second and direction that an allocation relays; unlimited if `None`.
    pub bytes_per_second: Option<u64>,
    /// The lifetime of an allocation whose client names none.
    pub lifetime: Duration,
    /// The longest lifetime that is granted.
    pub max_lifetime: Duration,
    /// How long a nonce is good.
    pub nonce_lifetime: Duration,
    /// Bytes a second that go to the unproven of one source prefix (/24, /56).
    pub unproven_bytes_per_second: u64,
    /// Connections that clients hold to us: further ones are closed.
    pub connections: usize,
    /// Connections from one client address (from its /64 with IPv6): further ones are closed.
    pub connections_per_address: usize,
    /// Connections to and from peers (RFC 6062) in all: 508; a peer's own is closed.
    pub peer_connections: usize,
    /// Connections to and from the peers of a user: 486; a peer's own is closed.
    pub peer_connections_per_user: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            allocations: defaults::ALLOCATIONS,
            allocations_per_user: defaults::ALLOCATIONS_PER_USER,
            allocations_per_address: defaults::ALLOCATIONS_PER_ADDRESS,
            bytes_per_second: None,
            lifetime: defaults::LIFETIME,
            max_lifetime: defaults::MAX_LIFETIME,
            nonce_lifetime: defaults::NONCE_LIFETIME,
            unproven_bytes_per_second: defaults::UNPROVEN_BYTES_PER_SECOND,
            connections: defaults::CONNECTIONS,
            connections_per_address: defaults::CONNECTIONS_PER_ADDRESS,
            peer_connections: defaults::PEER_CONNECTIONS_IN_ALL,
            peer_connections_per_user: defaults::PEER_CONNECTIONS_PER_USER,
        }
    }
}

impl Default for Config {
    /// The realm `localhost` on the loopback address, no listeners.
    fn default() -> Self {
        Self::new("localhost", [IpAddr::from([127, 0, 0, 1])])
    }
}

impl Config {
    /// A realm that relays from these addresses; no listeners yet.
    #[must_use]
    pub fn new(realm: &str, relays: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            realms: vec![realm.to_ascii_lowercase()],
            listeners: Vec::new(),
            relays: relays.into_iter().map(RelayAddress::from).collect(),
            ports: defaults::PORTS,
            allow_peers: Vec::new(),
            own: Vec::new(),
            secrets: Vec::new(),
            algorithms: vec![PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5],
            anonymity: true,
            mobility: true,
            tcp: true,
            alternates: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// How many bytes a challenge has for each byte of the shortest request that gets one, whose
    /// sender may be forged: 84 and the realm's, which is padded to a multiple of four, for 28.
    ///
    /// Clients must be told the realm, so it is served at any length; one of more than 24 bytes
    /// exceeds [`MAX_AMPLIFICATION`](defaults::MAX_AMPLIFICATION), and its owner should be warned.
    #[must_use]
    pub fn amplification(&self) -> f64 {
        let attribute = |bytes: usize| 4 + bytes.next_multiple_of(4);
        let realm = self.realms.first().map_or(0, String::len);
        let algorithms = match self.algorithms.len() {
            0 => 0,
            count => attribute(4 * count),
        };
        let error_code = attribute(4);
        let challenge = 20 + error_code + attribute(realm) + attribute(NONCE_BYTES) + algorithms;
        challenge as f64 / defaults::CHALLENGED_BYTES as f64
    }
}

/// A block of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    ip: IpAddr,
    bits: u8,
}

/// Why a text is no [`Prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// What stands before the slash is no address.
    #[error("not an IP address")]
    Address,
    /// The length is no number, or more than the address has bits.
    #[error("the length of the prefix is not possible")]
    Length,
}

impl Prefix {
    /// The block of the first `bits` bits of `ip`.
    ///
    /// # Errors
    /// [`PrefixError::Length`].
    pub fn new(ip: IpAddr, bits: u8) -> Result<Self, PrefixError> {
        let ip = ip.to_canonical();
        let max = if ip.is_ipv4() { 32 } else { 128 };
        if bits > max { Err(PrefixError::Length) } else { Ok(Self { ip, bits }) }
    }

    /// Whether `ip` lies in it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (net.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (net.to_bits() ^ ip.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| PrefixError::Address)?;
        let whole = if ip.to_canonical().is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().map_err(|_| PrefixError::Length)?,
            None => whole,
        };
        Self::new(ip, bits)
    }
}

#[cfg(test)]
mod tests {
    use super::{Prefix, PrefixError};

    #[test]
    fn prefixes_contain_what_they_say() {
        for (prefix, ip, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("0.0.0.0/0", "198.51.100.1", true),
            ("0.0.0.0/0", "::1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "2001:db8::1", true),
        ] {
            let parsed: Prefix = prefix.parse().unwrap();
            assert_eq!(parsed.contains(ip.parse().unwrap()), inside, "{prefix} {ip}");
        }
        assert_eq!("10.0.0.0/33".parse::<Prefix>(), Err(PrefixError::Length));
        assert_eq!("fd00::/129".parse::<Prefix>(), Err(PrefixError::Length));
        assert_eq!("10.0.0.0/".parse::<Prefix>(), Err(PrefixError::Length));
        assert_eq!("ten/8".parse::<Prefix>(), Err(PrefixError::Address));
    }
}
