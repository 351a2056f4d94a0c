//! A running digest of every packet on every link, to compare two runs by.

use machine::Instant;

/// FNV-1a over 64-bit words: quick, and enough to notice any difference that is not made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(pub(crate) u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    pub(crate) fn packet(&mut self, at: Instant, link: u32, backward: bool, bytes: &[u8]) {
        self.word(at.as_nanos());
        self.word(u64::from(link) << 1 | u64::from(backward));
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_be_bytes(*word)));
        rest.iter().for_each(|byte| self.word(u64::from(*byte)));
    }

    const fn word(&mut self, word: u64) {
        // The rotation lets high bits reach low ones, which a multiplication alone does not.
        self.0 = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }
}
