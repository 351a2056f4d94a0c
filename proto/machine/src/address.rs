//! Classes of addresses (RFC 6890 and the registries it founded).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address an address is, as far as reachability and safety care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// Reachable from everywhere.
    Global,
    /// RFC 1918 and RFC 4193.
    Private,
    /// Carrier-grade NAT: 100.64.0.0/10 (RFC 6598).
    SharedCgn,
    /// 127.0.0.0/8 and ::1.
    Loopback,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 0.0.0.0/8 and ::.
    Unspecified,
    /// 255.255.255.255.
    Broadcast,
    /// Documentation: RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// Anything else that RFC 6890 reserves: benchmarking, protocol assignments, 240.0.0.0/4, …
    Reserved,
}

impl AddressClass {
    /// The class of `ip`; IPv4-mapped addresses have the class of the IPv4 address within.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => of_v6(ip),
        }
    }

    /// Whether packets to such an address can cross the public internet, documentation networks
    /// counted in, since laboratories use them as the public internet.
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Global | Self::Documentation)
    }
}

/// The IPv4 address that an IPv6 address carries, to which something on the way may take a packet:
/// IPv4-mapped and -compatible (RFC 4291 §2.5.5), NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056), the
/// client of Teredo (RFC 4380 §4).
#[must_use]
pub fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = |hi: u16, lo: u16| u32::from(hi) << 16 | u32::from(lo);
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, hi, lo]
        | [0x64, 0xff9b, 0, 0, 0, 0, hi, lo]
        | [0x64, 0xff9b, 1, .., hi, lo]
        | [0x2002, hi, lo, ..] => Some(bits(hi, lo)),
        [0x2001, 0, .., hi, lo] => Some(!bits(hi, lo)),
        _ => None,
    }
    .map(Ipv4Addr::from_bits)
}

fn of_v4(ip: Ipv4Addr) -> AddressClass {
    use AddressClass as C;
    match ip.octets() {
        [0, ..] => C::Unspecified,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => C::Private,
        [100, 64..=127, ..] => C::SharedCgn,
        [127, ..] => C::Loopback,
        [169, 254, ..] => C::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => C::Documentation,
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] => C::Reserved,
        [224..=239, ..] => C::Multicast,
        [255, 255, 255, 255] => C::Broadcast,
        [240..=255, ..] => C::Reserved,
        _ => C::Global,
    }
}

fn of_v6(ip: Ipv6Addr) -> AddressClass {
    use AddressClass as C;
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => C::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => C::Loopback,
        [0xfc00..=0xfdff, ..] => C::Private,
        [0xfe80..=0xfebf, ..] => C::LinkLocal,
        [0xff00..=0xffff, ..] => C::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => C::Documentation,
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) carry an IPv4 address: they are what that one is.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x2002, ..] => embedded_v4(ip).map_or(C::Reserved, of_v4),
        // Protocol assignments (RFC 2928): Teredo, benchmarking, …; no host to talk to among them.
        [0x2001, 0..=0x1ff, ..] => C::Reserved,
        [0x2000..=0x3fff, ..] => C::Global,
        _ => C::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::{AddressClass as C, embedded_v4};

    #[test]
    fn classes() {
        for (ip, class) in [
            ("8.8.8.8", C::Global),
            ("10.1.2.3", C::Private),
            ("172.31.0.1", C::Private),
            ("172.32.0.1", C::Global),
            ("100.64.0.1", C::SharedCgn),
            ("127.1.1.1", C::Loopback),
            ("169.254.169.254", C::LinkLocal),
            ("198.51.100.10", C::Documentation),
            ("198.18.0.1", C::Reserved),
            ("239.1.1.1", C::Multicast),
            ("255.255.255.255", C::Broadcast),
            ("0.1.2.3", C::Unspecified),
            ("::ffff:10.0.0.1", C::Private),
            ("64:ff9b::10.0.0.1", C::Private),
            ("2002:0a00:0001::1", C::Private),
            ("2001:660::1", C::Global),
            ("2001:200::1", C::Global),
            ("2001:0:53aa:64c::1", C::Reserved),
            ("2001:2::1", C::Reserved),
            ("100::1", C::Reserved),
            ("::192.0.2.1", C::Reserved),
            ("3fff:fff::1", C::Documentation),
            ("3fff:1000::1", C::Global),
            ("2001:db8::1", C::Documentation),
            ("fd00::1", C::Private),
            ("fe80::1", C::LinkLocal),
            ("ff02::1", C::Multicast),
            ("::1", C::Loopback),
            ("::", C::Unspecified),
        ] {
            assert_eq!(C::of(ip.parse().unwrap()), class, "{ip}");
        }
    }
    #[test]
    fn ipv4_within_ipv6() {
        for (ip, within) in [
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("::192.0.2.1", Some("192.0.2.1")),
            ("64:ff9b::192.0.2.1", Some("192.0.2.1")),
            ("64:ff9b:1:2:3:4:192.0.2.1", Some("192.0.2.1")),
            ("2002:c000:201::1", Some("192.0.2.1")),
            ("2001:0:53aa:64c::3fff:fdfe", Some("192.0.2.1")),
            ("2001:db8::192.0.2.1", None),
            ("64:ff9b:2::192.0.2.1", None),
            ("::1", None),
            ("::", None),
        ] {
            let within = within.map(|within| within.parse().unwrap());
            assert_eq!(embedded_v4(ip.parse().unwrap()), within, "{ip}");
        }
    }
}
