//! Randomness that is given, not taken.
//!
//! A stream of ChaCha20 from a 32-byte seed. The runtime seeds it from the operating system, which
//! makes it a cryptographic source; a simulation seeds it from a number, which makes a run repeat.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A seeded stream of random bytes.
#[derive(Clone)]
pub struct Entropy {
    seed: [u8; 32],
    stream: ChaCha20Rng,
}

impl Entropy {
    /// The stream of `seed`. With a secret, uniform seed its output is unpredictable.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed, stream: ChaCha20Rng::from_seed(seed) }
    }

    /// The stream of a small number, for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self::new(bytes)
    }

    /// An independent stream for one purpose, named by `label` (`"stun.txid"`).
    ///
    /// It depends on the seed and the label alone, not on what was drawn before: adding a draw in
    /// one place changes nothing elsewhere. The same label gives the same stream, so a label that
    /// can recur carries a number of its own (`"call.17"`).
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let mut child = ChaCha20Rng::from_seed(self.seed);
        // Stream 0 is our own; a label picks one of the 2^64 others.
        child.set_stream(fnv1a(label.as_bytes()) | 1 << 63);
        let mut seed = [0; 32];
        child.fill_bytes(&mut seed);
        Self::new(seed)
    }

    /// Fills `dest`.
    pub fn fill(&mut self, dest: &mut [u8]) {
        self.stream.fill_bytes(dest);
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random `u32`.
    pub fn u32(&mut self) -> u32 {
        self.stream.next_u32()
    }

    /// A random `u64`.
    pub fn u64(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A number in `0..bound`, without bias worth speaking of (2^-64 × bound).
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number lies below zero");
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    /// True with probability `p` (0 to 1).
    pub fn chance(&mut self, p: f64) -> bool {
        ((self.u64() >> 11) as f64) < p * (1u64 << 53) as f64
    }

    /// `len` characters of `[a-zA-Z0-9]`, as tags, branches and fragments want them.
    pub fn token(&mut self, len: usize) -> String {
        const ALPHABET: &[u8; 62] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        (0..len).map(|_| ALPHABET[self.below(62) as usize] as char).collect()
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy(..)")
    }
}

const fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::Entropy;

    #[test]
    fn same_seed_same_stream() {
        assert_eq!(Entropy::seeded(7).bytes::<64>(), Entropy::seeded(7).bytes::<64>());
        assert_ne!(Entropy::seeded(7).u64(), Entropy::seeded(8).u64());
    }

    #[test]
    fn forks_do_not_depend_on_what_was_drawn() {
        let mut drawn = Entropy::seeded(7);
        let fresh = drawn.clone();
        drawn.u64();
        assert_eq!(drawn.fork("a").u64(), fresh.fork("a").u64());
        assert_ne!(fresh.fork("a").u64(), fresh.fork("b").u64());
    }

    #[test]
    fn below_stays_below() {
        let mut entropy = Entropy::seeded(1);
        let mut seen = [false; 5];
        (0..200).for_each(|_| seen[entropy.below(5) as usize] = true);
        assert_eq!(seen, [true; 5]);
    }
}
