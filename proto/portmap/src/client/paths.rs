//! Whom to ask, and from which of our addresses.

use std::net::IpAddr;

use machine::{AddressClass, Interface, InterfaceAddress, InterfaceKind};

use crate::defaults::MAX_PATHS;

/// One of our addresses and a router that it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) local: IpAddr,
    /// The interface's index, which IPv6 needs for a router's link-local address.
    pub(super) interface: u32,
    pub(super) router: IpAddr,
}

/// The routes of a host: to the default routers of its interfaces, and to `others`.
//= RFC 6886 §3.1, RFC 6887 §8.1: the server is the default router.
pub(super) fn routes(interfaces: &[Interface], others: &[IpAddr]) -> Vec<Route> {
    let mut routes = Vec::new();
    let mut add = |interface: &Interface, router: IpAddr| {
        for local in locals(interface, router) {
            let route = Route { local, interface: interface.index, router };
            if routes.len() < MAX_PATHS && !routes.contains(&route) {
                routes.push(route);
            }
        }
    };
    for interface in interfaces.iter().filter(|i| i.kind != InterfaceKind::Loopback) {
        interface.routers.iter().for_each(|router| add(interface, router.to_canonical()));
    }
    for router in others.iter().map(IpAddr::to_canonical) {
        let near = |interface: &&Interface| {
            interface.addresses.iter().any(|address| is_in_network(router, address))
        };
        interfaces.iter().filter(near).for_each(|interface| add(interface, router));
    }
    routes
}

/// Our addresses that a router may be asked from: of IPv4 the one in its network, of IPv6 all that
/// the world can know, since each is opened by itself.
//= RFC 6887 §11.2: a request for an address of ours is sent from that address.
fn locals(interface: &Interface, router: IpAddr) -> Vec<IpAddr> {
    let addresses = interface.addresses.iter();
    let usable = addresses.filter(|address| {
        let class = AddressClass::of(address.ip);
        let routable = address.ip.is_ipv4() || class != AddressClass::LinkLocal;
        routable && !address.deprecated && address.ip.is_ipv4() == router.is_ipv4()
    });
    let usable: Vec<&InterfaceAddress> = usable.collect();
    if router.is_ipv6() {
        return usable.into_iter().map(|address| address.ip.to_canonical()).collect();
    }
    let near = usable.iter().find(|address| is_in_network(router, address));
    near.or(usable.first()).map(|address| address.ip).into_iter().collect()
}

/// Whether `ip` lies in the network of `address`.
fn is_in_network(ip: IpAddr, address: &InterfaceAddress) -> bool {
    let (ip, own, width) = match (ip, address.ip.to_canonical()) {
        (IpAddr::V4(ip), IpAddr::V4(own)) => (u128::from(ip.to_bits()), own.to_bits().into(), 32),
        (IpAddr::V6(ip), IpAddr::V6(own)) => (ip.to_bits(), own.to_bits(), 128),
        _ => return false,
    };
    let host_bits = width - u32::from(address.prefix_len).min(width);
    let differs = ip ^ own;
    differs.checked_shr(host_bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use machine::{Interface, InterfaceAddress, InterfaceKind};

    use super::{Route, routes};
    use crate::defaults::MAX_PATHS;

    fn interface(index: u32, addresses: &[(&str, u8)], routers: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|(address, prefix_len)| InterfaceAddress {
            ip: address.parse().expect("an address"),
            prefix_len: *prefix_len,
            temporary: false,
            deprecated: false,
        });
        Interface {
            index,
            name: format!("eth{index}"),
            kind: if index == 1 { InterfaceKind::Loopback } else { InterfaceKind::Physical },
            addresses: addresses.collect(),
            routers: routers.iter().map(|router| ip(router)).collect(),
        }
    }

    fn ip(ip: &str) -> IpAddr {
        ip.parse().expect("an address")
    }

    fn route(local: &str, interface: u32, router: &str) -> Route {
        Route { local: ip(local), interface, router: ip(router) }
    }

    #[test]
    fn ipv4_is_asked_from_the_routers_network_and_ipv6_from_every_address() {
        let host = [
            interface(1, &[("127.0.0.1", 8)], &["127.0.0.2"]),
            interface(2, &[("10.9.9.9", 8), ("192.168.1.2", 24)], &["192.168.1.1"]),
            interface(
                3,
                &[("2001:db8::2", 64), ("fe80::2", 64), ("2001:db8::3", 64)],
                &["fe80::1"],
            ),
            interface(4, &[("172.16.0.2", 12)], &[]),
        ];
        let expected = [
            route("192.168.1.2", 2, "192.168.1.1"),
            route("2001:db8::2", 3, "fe80::1"),
            route("2001:db8::3", 3, "fe80::1"),
        ];
        assert_eq!(routes(&host, &[]), expected);
        // One that is named is asked where it is near, also on loopback, and no other.
        let named = [ip("172.31.0.1"), ip("127.0.0.1"), ip("203.0.113.1")];
        let mut expected = expected.to_vec();
        expected.push(route("172.16.0.2", 4, "172.31.0.1"));
        expected.push(route("127.0.0.1", 1, "127.0.0.1"));
        assert_eq!(routes(&host, &named), expected);
    }

    #[test]
    fn paths_are_bounded() {
        let addresses: Vec<String> = (2..40).map(|n| format!("2001:db8::{n}")).collect();
        let addresses: Vec<(&str, u8)> = addresses.iter().map(|ip| (ip.as_str(), 64)).collect();
        let host = [interface(2, &addresses, &["fe80::1"])];
        assert_eq!(routes(&host, &[]).len(), MAX_PATHS);
    }
}
