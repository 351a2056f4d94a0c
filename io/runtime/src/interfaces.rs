//! The host's network interfaces.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use if_addrs::IfAddr;
use machine::{Interface, InterfaceAddress, InterfaceKind};

/// The interfaces that are up, with their addresses, in the order of their indices.
///
/// # Errors
/// What the operating system says.
pub fn interfaces() -> std::io::Result<Vec<Interface>> {
    let flags = Ipv6Flags::read();
    let mut found: BTreeMap<u32, Interface> = BTreeMap::new();
    for address in if_addrs::get_if_addrs()? {
        let Some(index) = address.index else { continue };
        let ip = address.ip();
        let state = flags.of(ip);
        if state & (TENTATIVE | DUPLICATE) != 0 {
            continue;
        }
        let interface = found.entry(index).or_insert_with(|| Interface {
            index,
            name: address.name.clone(),
            kind: kind(&address),
            addresses: Vec::new(),
        });
        interface.addresses.push(InterfaceAddress {
            ip,
            prefix_len: match &address.addr {
                IfAddr::V4(v4) => v4.prefixlen,
                IfAddr::V6(v6) => v6.prefixlen,
            },
            temporary: state & TEMPORARY != 0,
            deprecated: state & DEPRECATED != 0,
        });
    }
    let mut interfaces: Vec<_> = found.into_values().collect();
    for interface in &mut interfaces {
        interface.addresses.sort_by_key(|address| address.ip);
    }
    Ok(interfaces)
}

fn kind(interface: &if_addrs::Interface) -> InterfaceKind {
    if interface.is_loopback() {
        InterfaceKind::Loopback
    } else if interface.is_p2p() || is_tunnel(&interface.name) {
        InterfaceKind::Tunnel
    } else {
        InterfaceKind::Physical
    }
}

/// Whether Linux calls the interface one without a link layer, as TUN devices and WireGuard are.
fn is_tunnel(name: &str) -> bool {
    const ARPHRD_NONE: &str = "65534";
    std::fs::read_to_string(format!("/sys/class/net/{name}/type"))
        .is_ok_and(|kind| kind.trim() == ARPHRD_NONE)
}

/// The flags of `if_addr.h`.
const TEMPORARY: u8 = 0x01;
const DUPLICATE: u8 = 0x08;
const DEPRECATED: u8 = 0x20;
const TENTATIVE: u8 = 0x40;

/// The state of the IPv6 addresses, where the system shows it.
struct Ipv6Flags(BTreeMap<Ipv6Addr, u8>);

impl Ipv6Flags {
    fn read() -> Self {
        // Elsewhere than on Linux there is no such file, and no address is special.
        Self::parse(&std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default())
    }

    /// Reads lines of address, index, prefix length, scope, flags and name, all but the last in
    /// hexadecimal digits.
    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut fields = line.split_ascii_whitespace();
            let ip = u128::from_str_radix(fields.next()?, 16).ok()?;
            let flags = u8::from_str_radix(fields.nth(3)?, 16).ok()?;
            Some((Ipv6Addr::from(ip), flags))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn of(&self, ip: IpAddr) -> u8 {
        match ip {
            IpAddr::V4(_) => 0,
            IpAddr::V6(ip) => self.0.get(&ip).copied().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use machine::InterfaceKind;

    use super::{DEPRECATED, Ipv6Flags, TEMPORARY};

    #[test]
    fn reads_the_flags_of_linux() {
        let flags = Ipv6Flags::parse(
            "00000000000000000000000000000001 01 80 10 80       lo\n\
             20010db8000000000000000000000007 02 40 00 21     eth0\n\
             nonsense\n",
        );
        assert_eq!(flags.of("2001:db8::7".parse().unwrap()), TEMPORARY | DEPRECATED);
        assert_eq!(flags.of("::2".parse().unwrap()), 0);
    }

    #[test]
    fn the_host_itself_is_there() {
        let interfaces = super::interfaces().unwrap();
        let loopback = interfaces.iter().find(|i| i.kind == InterfaceKind::Loopback).unwrap();
        assert!(loopback.addresses.iter().any(|a| a.ip.is_loopback()));
    }
}
