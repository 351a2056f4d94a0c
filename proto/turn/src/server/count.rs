//! How many of something each of many has.

use std::borrow::Borrow;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

use machine::{Entropy, KeyedMap};

/// Numbers by key; none is kept for zero.
#[derive(Debug)]
pub(super) struct Counts<K>(KeyedMap<K, usize>);

impl<K: Hash + Eq> Counts<K> {
    pub(super) fn new(mut entropy: Entropy) -> Self {
        Self(KeyedMap::new(&mut entropy))
    }

    /// How many `key` has.
    pub(super) fn of<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        self.0.get(key).copied().unwrap_or_default()
    }

    /// One more.
    pub(super) fn add(&mut self, key: K) {
        match self.0.get_mut(&key) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(key, 1);
            }
        }
    }

    /// One less.
    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        match self.0.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                self.0.remove(key);
            }
        }
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// What one holder of addresses has: an IPv4 address, or a /64 of IPv6.
pub(super) fn holder(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use machine::Entropy;

    use super::{Counts, holder};

    #[test]
    fn counts_come_and_go() {
        let mut counts = Counts::new(Entropy::seeded(1));
        counts.add("a");
        counts.add("a");
        counts.add("b");
        assert_eq!((counts.of(&"a"), counts.of(&"b"), counts.of(&"c")), (2, 1, 0));
        counts.remove(&"a");
        counts.remove(&"b");
        counts.remove(&"c");
        assert_eq!((counts.of(&"a"), counts.of(&"b"), counts.len()), (1, 0, 1));
    }

    #[test]
    fn who_holds_an_address() {
        let of = |ip: &str| holder(ip.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
