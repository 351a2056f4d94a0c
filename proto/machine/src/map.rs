//! A hash map whose keys strangers may choose.

use std::borrow::Borrow;
#[expect(clippy::disallowed_types, reason = "see the type")]
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use siphasher::sip::SipHasher13;

use crate::Entropy;

/// A hash map keyed from [`Entropy`]: strangers who choose keys cannot make them collide, and the
/// same seed behaves the same. It cannot be iterated in hash order.
///
/// Where order or iteration matters, a `BTreeMap` is the map to use.
#[derive(Clone, Debug)]
#[expect(
    clippy::disallowed_types,
    reason = "the one place where a HashMap is keyed and not iterated"
)]
pub struct KeyedMap<K, V>(HashMap<K, V, Key>);

#[derive(Clone, Debug)]
struct Key(u64, u64);

impl BuildHasher for Key {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

#[expect(clippy::disallowed_types, reason = "see the type")]
impl<K: Hash + Eq, V> KeyedMap<K, V> {
    /// An empty map, its hash keyed from `entropy`.
    #[must_use]
    pub fn new(entropy: &mut Entropy) -> Self {
        Self(HashMap::with_hasher(Key(entropy.u64(), entropy.u64())))
    }

    /// The value of `key`.
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// The value of `key`, to change.
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    /// Whether `key` has a value.
    pub fn contains_key<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// Sets the value of `key`; returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Removes the value of `key`.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::KeyedMap;
    use crate::Entropy;

    #[test]
    fn keys_find_their_values() {
        let mut map = KeyedMap::new(&mut Entropy::seeded(1));
        assert!(map.is_empty());
        assert_eq!(map.insert("a".to_owned(), 1), None);
        assert_eq!(map.insert("a".to_owned(), 2), Some(1));
        map.insert("b".to_owned(), 3);
        *map.get_mut("b").unwrap() += 1;
        assert_eq!((map.get("a"), map.get("b"), map.get("c")), (Some(&2), Some(&4), None));
        assert_eq!((map.remove("a"), map.contains_key("a"), map.len()), (Some(2), false, 1));
    }

    #[test]
    fn the_seed_decides_where_a_key_lies() {
        let hash =
            |seed| KeyedMap::<u32, ()>::new(&mut Entropy::seeded(seed)).0.hasher().hash_one(5);
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }
}
