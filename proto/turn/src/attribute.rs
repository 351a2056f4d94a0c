//! The values of TURN's attributes (RFC 8656 §18, RFC 6062 §6.2, RFC 8016 §3.5).

use std::net::IpAddr;

use machine::Icmp;
use stun::ErrorCode;

/// An address family, as REQUESTED-ADDRESS-FAMILY and its kin number them (RFC 8656 §18.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// 0x01.
    V4,
    /// 0x02.
    V6,
}

impl Family {
    /// That of `ip`.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::V4 => 1,
            Self::V6 => 2,
        }
    }

    /// The family of a number; nothing for others than IPv4 and IPv6.
    #[must_use]
    pub const fn from_value(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::V4),
            2 => Some(Self::V6),
            _ => None,
        }
    }

    /// Reads the value of REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY: the family, then
    /// three bytes that do not count. `Err` is the number of a family that is not known here.
    pub(crate) fn read(value: &[u8]) -> Option<Result<Self, u8>> {
        let &[family, _, _, _] = value else { return None };
        Some(Self::from_value(family).ok_or(family))
    }
}

/// What the relay speaks with peers: the protocol number of REQUESTED-TRANSPORT (RFC 8656 §18.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelayTransport {
    /// 17: datagrams.
    #[default]
    Udp,
    /// 6: connections (RFC 6062).
    Tcp,
    /// Something else.
    Unknown(u8),
}

impl RelayTransport {
    /// Its protocol number.
    #[must_use]
    pub const fn value(self) -> u8 {
        match self {
            Self::Udp => 17,
            Self::Tcp => 6,
            Self::Unknown(value) => value,
        }
    }

    /// The transport of a protocol number.
    #[must_use]
    pub const fn from_value(value: u8) -> Self {
        match value {
            17 => Self::Udp,
            6 => Self::Tcp,
            value => Self::Unknown(value),
        }
    }
}

/// ADDRESS-ERROR-CODE: why one of two families was not allocated (RFC 8656 §18.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError<'a> {
    /// The family that was not allocated.
    pub family: Family,
    /// Why.
    pub error: ErrorCode<'a>,
}

impl<'a> AddressError<'a> {
    pub(crate) fn read(value: &'a [u8]) -> Option<Self> {
        let family = Family::from_value(*value.first()?)?;
        Some(Self { family, error: ErrorCode::read(value)? })
    }

    /// The four bytes before the reason phrase: those of ERROR-CODE, with the family in the first.
    pub(crate) const fn head(self) -> [u8; 4] {
        let [_, reserved, class, number] = self.error.head();
        [self.family.value(), reserved, class, number]
    }
}

/// ICMP: an error that the network answered a relayed packet with (RFC 8656 §18.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IcmpError {
    /// The ICMP or ICMPv6 type, 7 bits.
    pub kind: u8,
    /// Its code, 9 bits.
    pub code: u16,
    /// The MTU for "packet too big" and "fragmentation needed", else 0.
    pub data: u32,
}

impl IcmpError {
    /// What stands on the wire for `icmp` about a peer of `family`.
    #[must_use]
    pub fn new(icmp: Icmp, family: Family) -> Self {
        let (kind, code, data) = match (icmp, family) {
            (Icmp::NetworkUnreachable, Family::V4) => (3, 0, 0),
            (Icmp::HostUnreachable, Family::V4) => (3, 1, 0),
            (Icmp::PortUnreachable, Family::V4) => (3, 3, 0),
            (Icmp::TooBig { mtu }, Family::V4) => (3, 4, u32::from(mtu)),
            (Icmp::Prohibited, Family::V4) => (3, 13, 0),
            (Icmp::TimeExceeded, Family::V4) => (11, 0, 0),
            (Icmp::NetworkUnreachable, Family::V6) => (1, 0, 0),
            (Icmp::Prohibited, Family::V6) => (1, 1, 0),
            (Icmp::HostUnreachable, Family::V6) => (1, 3, 0),
            (Icmp::PortUnreachable, Family::V6) => (1, 4, 0),
            (Icmp::TooBig { mtu }, Family::V6) => (2, 0, u32::from(mtu)),
            (Icmp::TimeExceeded, Family::V6) => (3, 0, 0),
        };
        Self { kind, code, data }
    }

    /// What it says about a peer of `family`; nothing when it is none of the errors that machines
    /// know.
    #[must_use]
    pub fn icmp(self, family: Family) -> Option<Icmp> {
        let mtu = u16::try_from(self.data).unwrap_or(u16::MAX);
        Some(match (family, self.kind, self.code) {
            (Family::V4, 3, 0 | 6) | (Family::V6, 1, 0) => Icmp::NetworkUnreachable,
            (Family::V4, 3, 3) | (Family::V6, 1, 4) => Icmp::PortUnreachable,
            (Family::V4, 3, 4) | (Family::V6, 2, _) => Icmp::TooBig { mtu },
            (Family::V4, 3, 9 | 10 | 13) | (Family::V6, 1, 1) => Icmp::Prohibited,
            (Family::V4, 3, _) | (Family::V6, 1, _) => Icmp::HostUnreachable,
            (Family::V4, 11, _) | (Family::V6, 3, _) => Icmp::TimeExceeded,
            _ => return None,
        })
    }

    /// Reads a value: two reserved bytes, type and code in the next two, then the data.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let &[_, _, high, low, d0, d1, d2, d3] = value else { return None };
        let (kind, code) = (high >> 1, u16::from_be_bytes([high & 1, low]));
        Some(Self { kind, code, data: u32::from_be_bytes([d0, d1, d2, d3]) })
    }

    pub(crate) const fn value(self) -> [u8; 8] {
        let [high, low] = self.code.to_be_bytes();
        let [d0, d1, d2, d3] = self.data.to_be_bytes();
        [0, 0, self.kind << 1 | high & 1, low, d0, d1, d2, d3]
    }
}

#[cfg(test)]
mod tests {
    use machine::Icmp;
    use proptest::prelude::*;
    use stun::ErrorCode;

    use super::{AddressError, Family, IcmpError, RelayTransport};

    proptest! {
        #[test]
        fn icmp_round_trips(kind in 0..0x80_u8, code in 0..0x200_u16, data: u32) {
            let icmp = IcmpError { kind, code, data };
            prop_assert_eq!(IcmpError::read(&icmp.value()), Some(icmp));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            IcmpError::read(&bytes);
            AddressError::read(&bytes);
            Family::read(&bytes);
        }

        #[test]
        fn transports_round_trip(value: u8) {
            prop_assert_eq!(RelayTransport::from_value(value).value(), value);
        }
    }

    #[test]
    fn what_icmp_says_survives_the_wire() {
        for family in [Family::V4, Family::V6] {
            for icmp in [
                Icmp::PortUnreachable,
                Icmp::HostUnreachable,
                Icmp::NetworkUnreachable,
                Icmp::Prohibited,
                Icmp::TooBig { mtu: 1280 },
                Icmp::TimeExceeded,
            ] {
                assert_eq!(IcmpError::new(icmp, family).icmp(family), Some(icmp));
            }
        }
        assert_eq!(IcmpError { kind: 8, code: 0, data: 0 }.icmp(Family::V4), None);
    }

    #[test]
    fn address_errors_name_the_family() {
        let error = AddressError { family: Family::V6, error: ErrorCode::new(440) };
        let value = [&error.head()[..], error.error.reason.as_bytes()].concat();
        assert_eq!(AddressError::read(&value), Some(error));
        assert_eq!(Family::read(&[3, 0, 0, 0]), Some(Err(3)));
        assert_eq!(Family::read(&[1, 9, 9, 9]), Some(Ok(Family::V4)));
        assert_eq!(Family::read(&[1]), None);
    }
}
