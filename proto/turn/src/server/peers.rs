//! Which peers may be reached at all (RFC 8656 §21.1, §21.2.3): a relay must be no door into the
//! network that it stands in.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use machine::{AddressClass, embedded_v4};
use relay::Reach;

use super::config::{Config, Prefix};

/// Services of a host's own cloud, which hold secrets, at addresses that are public by their class:
/// Azure's. The others' are link-local, private or shared.
const METADATA: [Ipv4Addr; 1] = [Ipv4Addr::new(168, 63, 129, 16)];

/// Judges the addresses of peers.
#[derive(Debug)]
pub(super) struct Peers {
    allowed: Vec<Prefix>,
    /// Those that we were told of.
    own: BTreeSet<IpAddr>,
    /// Those of our interfaces.
    interfaces: BTreeSet<IpAddr>,
}

impl Peers {
    pub(super) fn new(config: &Config) -> Self {
        let mut peers =
            Self { allowed: Vec::new(), own: BTreeSet::new(), interfaces: BTreeSet::new() };
        peers.set(config);
        peers
    }

    /// Takes what a configuration says.
    pub(super) fn set(&mut self, config: &Config) {
        self.allowed.clone_from(&config.allow_peers);
        let relays = config.relays.iter().flat_map(|relay| [relay.local, relay.external]);
        let listeners = config.listeners.iter().map(|listener| listener.local.ip());
        self.own.extend(relays.chain(listeners).chain(config.own.iter().copied()));
    }

    /// Notes an address of ours.
    pub(super) fn add_own(&mut self, ip: IpAddr) {
        self.own.insert(ip);
    }

    /// Takes the addresses of our interfaces, in place of those before.
    pub(super) fn set_interfaces(&mut self, ips: impl Iterator<Item = IpAddr>) {
        self.interfaces = ips.collect();
    }

    /// How a peer at `ip` may be reached, if it may: in the form in which it is written, and at the
    /// IPv4 address that it carries, to which a gateway would take it.
    pub(super) fn reach(&self, ip: IpAddr) -> Option<Reach> {
        let ip = ip.to_canonical();
        let within = match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => embedded_v4(ip),
        };
        // No relayed address of ours is told in another form: it would be something else of ours.
        if within.is_some_and(|within| self.judge(within.into()) != Some(Reach::Network)) {
            return None;
        }
        self.judge(ip)
    }

    fn judge(&self, ip: IpAddr) -> Option<Reach> {
        use AddressClass::{Broadcast, Multicast, Unspecified};
        let class = AddressClass::of(ip);
        if matches!(class, Unspecified | Multicast | Broadcast) {
            None
        } else if self.allowed.iter().any(|prefix| prefix.contains(ip)) {
            Some(Reach::Network)
        } else if self.own.contains(&ip) || self.interfaces.contains(&ip) {
            Some(Reach::Relayed)
        } else if METADATA.iter().any(|metadata| ip == *metadata) {
            None
        } else {
            class.is_public().then_some(Reach::Network)
        }
    }
}

#[cfg(test)]
mod tests {
    use relay::Reach;

    use super::Peers;
    use crate::server::Config;

    #[test]
    fn who_may_be_reached() {
        let mut config = Config::new("example.org", [[192, 0, 2, 1].into()]);
        config.allow_peers = vec!["10.1.0.0/16".parse().unwrap(), "0.0.0.0/8".parse().unwrap()];
        config.own = vec!["203.0.113.9".parse().unwrap()];
        let mut peers = Peers::new(&config);
        peers.set_interfaces(["2001:db8::1".parse().unwrap()].into_iter());
        let (network, relayed) = (Some(Reach::Network), Some(Reach::Relayed));
        for (ip, reach) in [
            ("198.51.100.7", network),
            ("2001:db8::7", network),
            ("10.1.2.3", network),
            // Ours: live relayed addresses alone.
            ("192.0.2.1", relayed),
            ("203.0.113.9", relayed),
            ("2001:db8::1", relayed),
            // Private, in any disguise.
            ("10.2.0.1", None),
            ("192.168.1.1", None),
            ("172.16.0.1", None),
            ("100.64.0.1", None),
            ("fd00::1", None),
            ("::ffff:10.2.0.1", None),
            ("64:ff9b::10.2.0.1", None),
            ("64:ff9b:1::10.2.0.1", None),
            ("2002:0a02:0001::1", None),
            ("::10.2.0.1", None),
            ("2001:0:53aa:64c::1", None),
            // Loopback, link-local, metadata.
            ("127.0.0.1", None),
            ("::1", None),
            ("169.254.1.1", None),
            ("fe80::1", None),
            ("169.254.169.254", None),
            ("::ffff:169.254.169.254", None),
            ("fd00:ec2::254", None),
            ("168.63.129.16", None),
            ("::ffff:168.63.129.16", None),
            ("64:ff9b::168.63.129.16", None),
            ("2002:a83f:8110::1", None),
            ("168.63.129.17", network),
            // Ours in disguise: through a gateway, what else listens there.
            ("::ffff:192.0.2.1", relayed),
            ("64:ff9b::192.0.2.1", None),
            ("64:ff9b::203.0.113.9", None),
            ("64:ff9b:1::192.0.2.1", None),
            ("2002:c000:0201::1", None),
            ("2001:0:53aa:64c::3fff:fdfe", None),
            ("::192.0.2.1", None),
            ("64:ff9b::198.51.100.7", network),
            ("2002:c633:6407::1", network),
            // Nobody, everybody; no configuration opens these.
            ("0.0.0.0", None),
            ("0.1.2.3", None),
            ("::", None),
            ("224.0.0.1", None),
            ("ff02::1", None),
            ("255.255.255.255", None),
            ("240.0.0.1", None),
        ] {
            assert_eq!(peers.reach(ip.parse().unwrap()), reach, "{ip}");
        }
    }

    #[test]
    fn allowing_ipv6_allows_no_ipv4_within() {
        let mut config = Config::new("example.org", [[192, 0, 2, 1].into()]);
        config.allow_peers = vec!["::/0".parse().unwrap()];
        let peers = Peers::new(&config);
        for ip in [
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::10.0.0.1",
            "2002:a00:1::1",
            "2001:0:53aa:64c::f5ff:fffe",
            "::10.0.0.1",
            "64:ff9b::192.0.2.1",
        ] {
            assert_eq!(peers.reach(ip.parse().unwrap()), None, "{ip}");
        }
        assert_eq!(peers.reach("fd00::1".parse().unwrap()), Some(Reach::Network));
        assert_eq!(peers.reach("::1".parse().unwrap()), Some(Reach::Network));
    }
}
