//! The host's network interfaces.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use if_addrs::IfAddr;
use machine::{Interface, InterfaceAddress, InterfaceKind};

/// The interfaces that are up, with their addresses, in the order of their indices.
///
/// # Errors
/// What the operating system says.
pub fn interfaces() -> std::io::Result<Vec<Interface>> {
    let (flags, routers) = (Ipv6Flags::read(), Routers::read());
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
            routers: routers.of(&address.name),
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

/// The default routers, where the system shows its routes: by interface and preference.
struct Routers(Vec<(String, u32, IpAddr)>);

impl Routers {
    fn read() -> Self {
        // Elsewhere than on Linux there are no such files, and no router is known.
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/net/route"), &read("/proc/net/ipv6_route"))
    }

    fn parse(v4: &str, v6: &str) -> Self {
        let v4 = v4.lines().filter_map(route_v4);
        let mut routers: Vec<_> = v4.chain(v6.lines().filter_map(route_v6)).collect();
        routers.sort_by_key(|(_, metric, _)| *metric);
        Self(routers)
    }

    fn of(&self, interface: &str) -> Vec<IpAddr> {
        let of = self.0.iter().filter(|(name, ..)| name == interface);
        of.map(|(_, _, router)| *router).collect()
    }
}

/// Reads a line of `/proc/net/route`: interface, destination, gateway, flags, three counters of
/// which the last is the metric, and the mask; addresses in the machine's byte order.
fn route_v4(line: &str) -> Option<(String, u32, IpAddr)> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let hex = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
    let (destination, gateway, mask) = (hex(1)?, hex(2)?, hex(7)?);
    let metric = fields.get(6)?.parse().ok()?;
    let router = Ipv4Addr::from(gateway.to_ne_bytes());
    let is_default = destination == 0 && mask == 0 && gateway != 0;
    is_default.then(|| ((*fields[0]).to_owned(), metric, router.into()))
}

/// Reads a line of `/proc/net/ipv6_route`: destination and its length, source and its length, next
/// hop, metric, two counters, flags and interface, all but the last in hexadecimal digits.
fn route_v6(line: &str) -> Option<(String, u32, IpAddr)> {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let hex = |at: usize| u128::from_str_radix(fields.get(at)?, 16).ok();
    let (destination, length, next) = (hex(0)?, hex(1)?, hex(4)?);
    let metric = u32::try_from(hex(5)?).ok()?;
    let is_default = destination == 0 && length == 0 && next != 0;
    let name = (*fields.get(9)?).to_owned();
    is_default.then(|| (name, metric, Ipv6Addr::from(next).into()))
}

#[cfg(test)]
mod tests {
    use machine::InterfaceKind;

    use super::{DEPRECATED, Ipv6Flags, Routers, TEMPORARY};

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
    fn reads_the_default_routes_of_linux() {
        let word = |ip: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(ip));
        let v4 = format!(
            "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
             eth0 00000000 {} 0003 0 0 100 00000000 0 0 0\n\
             wlan0 00000000 {} 0003 0 0 50 00000000 0 0 0\n\
             eth0 {} 00000000 0001 0 0 100 {} 0 0 0\n",
            word([192, 168, 1, 1]),
            word([192, 168, 2, 1]),
            word([192, 168, 1, 0]),
            word([255, 255, 255, 0]),
        );
        let nil = "0".repeat(32);
        let v6 = format!(
            "{nil} 00 {nil} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003 eth0\n\
             {nil} 00 {nil} 00 {nil} ffffffff 00000001 00000000 00200200 lo\n",
        );
        let routers = Routers::parse(&v4, &v6);
        let expected: [std::net::IpAddr; 2] =
            ["192.168.1.1".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(routers.of("eth0"), expected);
        assert_eq!(routers.of("wlan0"), ["192.168.2.1".parse::<std::net::IpAddr>().unwrap()]);
        assert!(routers.of("lo").is_empty());
    }

    #[test]
    fn the_host_itself_is_there() {
        let interfaces = super::interfaces().unwrap();
        let loopback = interfaces.iter().find(|i| i.kind == InterfaceKind::Loopback).unwrap();
        assert!(loopback.addresses.iter().any(|a| a.ip.is_loopback()));
    }
}
