//! Which of the host's addresses are offered (RFC 8445 §5.1.1.1, RFC 8421).

use std::net::{IpAddr, Ipv6Addr};

use machine::{AddressClass, Interface, InterfaceAddress, InterfaceKind};

use crate::defaults::MAX_ADDRESSES;

/// An address to bind sockets to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalAddress {
    pub(crate) ip: IpAddr,
    /// The interface's name.
    pub(crate) interface: String,
    /// The interface's index, where the address means nothing without it.
    pub(crate) scope: Option<u32>,
    /// For the candidates' priority: unique, higher is better (RFC 8445 §5.1.2.1).
    pub(crate) preference: u16,
}

/// How an address ranks; lower is better.
type Rank = (bool, u8);

/// The addresses to offer, the best first.
///
//= RFC 8445 §5.1.1.1: no loopback address, no deprecated one, and a temporary IPv6 address instead of
//= the stable ones of its network. Loopback is for hosts that have nothing else, and for tests.
pub(crate) fn choose(interfaces: &[Interface], include_loopback: bool) -> Vec<LocalAddress> {
    let mut found: Vec<(Rank, LocalAddress)> = Vec::new();
    for loopback in [false, true] {
        if loopback && !include_loopback && !found.is_empty() {
            break;
        }
        for interface in interfaces {
            for address in interface.addresses.iter().filter(|a| is_wanted(interface, a)) {
                let ip = address.ip.to_canonical();
                let known = found.iter().any(|(_, known)| known.ip == ip);
                if is_loopback(interface, ip) == loopback && !known {
                    found.push((rank(interface, ip), local(interface, ip)));
                }
            }
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    let mut chosen = alternate(found);
    chosen.truncate(MAX_ADDRESSES);
    for (n, address) in chosen.iter_mut().enumerate() {
        address.preference = u16::MAX - u16::try_from(n).unwrap_or(u16::MAX);
    }
    chosen
}

fn local(interface: &Interface, ip: IpAddr) -> LocalAddress {
    let scoped = ip.is_ipv6() && AddressClass::of(ip) == AddressClass::LinkLocal;
    LocalAddress {
        ip,
        interface: interface.name.clone(),
        scope: scoped.then_some(interface.index),
        preference: 0,
    }
}

fn is_loopback(interface: &Interface, ip: IpAddr) -> bool {
    interface.kind == InterfaceKind::Loopback || AddressClass::of(ip) == AddressClass::Loopback
}

/// A physical interface before a tunnel, which costs bandwidth and a detour; link-local and
/// loopback addresses last.
fn rank(interface: &Interface, ip: IpAddr) -> Rank {
    let near = match AddressClass::of(ip) {
        AddressClass::LinkLocal => 1,
        AddressClass::Loopback => 2,
        _ => 0,
    };
    (interface.kind == InterfaceKind::Tunnel, near)
}

/// Whether an address is worth a socket, as its interface has others.
fn is_wanted(interface: &Interface, address: &InterfaceAddress) -> bool {
    use AddressClass as C;
    let class = AddressClass::of(address.ip);
    if matches!(class, C::Unspecified | C::Multicast | C::Broadcast) {
        return false;
    }
    let others = || {
        interface
            .addresses
            .iter()
            .filter(|other| other.ip != address.ip && other.ip.is_ipv4() == address.ip.is_ipv4())
    };
    let routable = |other: &InterfaceAddress| AddressClass::of(other.ip) != C::LinkLocal;
    if address.deprecated && others().any(|other| !other.deprecated && routable(other)) {
        return false;
    }
    match address.ip {
        // Self-assigned: of use only while there is no better one (RFC 3927 §1.9).
        IpAddr::V4(_) => class != C::LinkLocal || !others().any(routable),
        IpAddr::V6(ip) => {
            address.temporary
                || !others().any(|other| {
                    other.temporary && !other.deprecated && same_network(ip, other, address)
                })
        }
    }
}

fn same_network(ip: Ipv6Addr, other: &InterfaceAddress, address: &InterfaceAddress) -> bool {
    let IpAddr::V6(theirs) = other.ip else { return false };
    let bits = u32::from(address.prefix_len.min(other.prefix_len).min(128));
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    u128::from(ip) & mask == u128::from(theirs) & mask
}

/// Takes the families in turns, IPv6 first, rank by rank.
///
//= RFC 8421 §4: a broken family must not make all checks of the other wait.
fn alternate(ranked: Vec<(Rank, LocalAddress)>) -> Vec<LocalAddress> {
    let mut chosen = Vec::with_capacity(ranked.len());
    let mut rest = ranked.into_iter().peekable();
    while let Some((rank, _)) = rest.peek() {
        let rank = *rank;
        let mut families: [Vec<LocalAddress>; 2] = [Vec::new(), Vec::new()];
        while let Some((_, address)) = rest.next_if(|(r, _)| *r == rank) {
            families[usize::from(address.ip.is_ipv4())].push(address);
        }
        let [v6, v4] = families;
        let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
        loop {
            let (six, four) = (v6.next(), v4.next());
            if six.is_none() && four.is_none() {
                break;
            }
            chosen.extend(six.into_iter().chain(four));
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::choose;
    use machine::{Interface, InterfaceAddress, InterfaceKind};

    fn interface(index: u32, kind: InterfaceKind, addresses: &[&str]) -> Interface {
        let addresses = addresses.iter().map(|text| {
            let (ip, flags) = text.split_once(' ').unwrap_or((text, ""));
            InterfaceAddress {
                ip: ip.parse().unwrap(),
                prefix_len: 64,
                temporary: flags.contains("temporary"),
                deprecated: flags.contains("deprecated"),
            }
        });
        Interface {
            index,
            name: format!("if{index}"),
            kind,
            addresses: addresses.collect(),
            routers: Vec::new(),
        }
    }

    fn chosen(interfaces: &[Interface], loopback: bool) -> Vec<String> {
        choose(interfaces, loopback).iter().map(|a| a.ip.to_string()).collect()
    }

    const LOOPBACK: &[&str] = &["127.0.0.1", "::1"];

    #[test]
    fn loopback_only_when_nothing_else_is_there_or_on_demand() {
        let lo = interface(1, InterfaceKind::Loopback, LOOPBACK);
        let eth = interface(2, InterfaceKind::Physical, &["192.0.2.1"]);
        assert_eq!(chosen(std::slice::from_ref(&lo), false), ["::1", "127.0.0.1"]);
        assert_eq!(chosen(&[lo.clone(), eth.clone()], false), ["192.0.2.1"]);
        assert_eq!(chosen(&[lo, eth], true), ["192.0.2.1", "::1", "127.0.0.1"]);
        assert!(chosen(&[], true).is_empty());
    }

    #[test]
    fn families_alternate_and_tunnels_come_last() {
        let tunnel = interface(1, InterfaceKind::Tunnel, &["10.8.0.2"]);
        let v4 = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
        let eth = interface(2, InterfaceKind::Physical, &v4);
        let wifi = interface(3, InterfaceKind::Physical, &["2001:db8::1", "fe80::1"]);
        assert_eq!(
            chosen(&[tunnel, eth, wifi], false),
            ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "fe80::1", "10.8.0.2"]
        );
    }

    #[test]
    fn temporary_addresses_stand_for_the_stable_ones_of_their_network() {
        let addresses = [
            "2001:db8:1::1",
            "2001:db8:1::2 temporary",
            "2001:db8:1::3 temporary deprecated",
            "2001:db8:2::1",
            "fd00::1",
        ];
        let eth = interface(1, InterfaceKind::Physical, &addresses);
        assert_eq!(chosen(&[eth], false), ["2001:db8:1::2", "2001:db8:2::1", "fd00::1"]);
        let eth = interface(1, InterfaceKind::Physical, &["2001:db8::1 deprecated", "fe80::1"]);
        assert_eq!(chosen(&[eth], false), ["2001:db8::1", "fe80::1"], "better than nothing");
    }

    #[test]
    fn link_local_addresses_carry_their_interface() {
        let a = interface(1, InterfaceKind::Physical, &["fe80::1", "169.254.1.1"]);
        let b = interface(2, InterfaceKind::Physical, &["169.254.1.2", "10.0.0.1"]);
        let chosen = choose(&[a, b], false);
        let of = |ip: &str| chosen.iter().find(|a| a.ip.to_string() == ip).cloned();
        assert_eq!(of("fe80::1").unwrap().scope, Some(1));
        assert_eq!(of("169.254.1.1").unwrap().scope, None);
        assert_eq!(of("169.254.1.2"), None);
        assert_eq!(chosen[0].ip.to_string(), "10.0.0.1");
        let mut preferences: Vec<u16> = chosen.iter().map(|a| a.preference).collect();
        preferences.dedup();
        assert_eq!((preferences.len(), preferences[0]), (3, u16::MAX));
    }

    #[test]
    fn no_more_than_the_limit() {
        let many: Vec<String> = (0..100).map(|n| format!("10.0.0.{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let eth = interface(1, InterfaceKind::Physical, &many);
        assert_eq!(chosen(&[eth], false).len(), crate::defaults::MAX_ADDRESSES);
    }
}
