//! How alike two recordings at 8 kHz are, and how much of a tone is in one.

use crate::defaults::{ALIGN_SAMPLES, BLOCK_SAMPLES, HEARD_CORRELATION, RATE, SILENCE_RMS};

/// What of a reference was heard, and how well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Where the reference begins in what was heard, in samples; negative if its beginning was not.
    pub offset: i64,
    /// The share of the reference's sound (in blocks of 100 ms, silence left out) that was heard, 0
    /// to 1.
    pub coverage: f64,
    /// The normalised correlation over that share, -1 to 1.
    pub correlation: f64,
}

/// Aligns `heard` with `reference` and compares them.
///
/// The loudest second of the reference is looked for; the rest is taken to be where it belongs. Of
/// a periodic sound the alignment is ambiguous: measure a [`tone`] instead.
#[must_use]
pub fn similarity(reference: &[i16], heard: &[i16]) -> Similarity {
    let Some(offset) = align(reference, heard) else {
        return Similarity { offset: 0, coverage: 0.0, correlation: 0.0 };
    };
    let (mut sounding, mut covered, mut product) = (0, 0, Product::default());
    for (n, block) in reference.chunks(BLOCK_SAMPLES).enumerate() {
        if Product::of(block, block).rms(block.len()) < SILENCE_RMS {
            continue;
        }
        sounding += block.len();
        let start = offset + (n * BLOCK_SAMPLES) as i64;
        let Some(other) =
            usize::try_from(start).ok().and_then(|start| heard.get(start..start + block.len()))
        else {
            continue;
        };
        let this = Product::of(block, other);
        if this.correlation() >= HEARD_CORRELATION {
            covered += block.len();
            product = product.and(&this);
        }
    }
    let coverage = covered as f64 / f64::from(sounding.max(1) as u32);
    Similarity { offset, coverage, correlation: product.correlation() }
}

/// The share of the power of `samples` (at 8 kHz) that lies at `hz`, 0 to 1: Goertzel's filter.
#[must_use]
pub fn tone(samples: &[i16], hz: f64) -> f64 {
    let coefficient = 2.0 * (std::f64::consts::TAU * hz / f64::from(RATE)).cos();
    let (mut last, mut before, mut power) = (0.0, 0.0, 0.0);
    for sample in samples.iter().map(|sample| f64::from(*sample)) {
        let next = sample + coefficient * last - before;
        (before, last) = (last, next);
        power += sample * sample;
    }
    let tone = last * last + before * before - coefficient * last * before;
    if power == 0.0 { 0.0 } else { (2.0 * tone / (power * samples.len() as f64)).min(1.0) }
}

/// The level of `samples`: root of the mean square, full scale 32,768.
#[must_use]
pub fn rms(samples: &[i16]) -> f64 {
    Product::of(samples, samples).rms(samples.len())
}

/// Where `reference` begins in `heard`: roughly at a quarter of the rate, then to the sample.
fn align(reference: &[i16], heard: &[i16]) -> Option<i64> {
    const COARSE: usize = 4;
    let (start, window) = loudest(reference)?;
    let thin = |samples: &[i16]| -> Vec<i16> {
        let mean = |chunk: &[i16]| chunk.iter().map(|s| i32::from(*s)).sum::<i32>() / COARSE as i32;
        samples.chunks_exact(COARSE).map(|chunk| mean(chunk) as i16).collect()
    };
    let (thin_window, thin_heard) = (thin(window), thin(heard));
    let rough = best(&thin_window, &thin_heard, 0..thin_heard.len())? * COARSE;
    let around = rough.saturating_sub(2 * COARSE)..rough + 2 * COARSE + 1;
    Some(best(window, heard, around)? as i64 - start as i64)
}

/// The loudest second, or the whole if it is shorter.
fn loudest(samples: &[i16]) -> Option<(usize, &[i16])> {
    let length = ALIGN_SAMPLES.min(samples.len());
    let starts = (0..=samples.len() - length).step_by(BLOCK_SAMPLES);
    let energy = |start: &usize| {
        let window = &samples[*start..start + length];
        window.iter().map(|s| i64::from(*s) * i64::from(*s)).sum::<i64>()
    };
    let start = starts.max_by_key(energy).filter(|_| length > 0)?;
    Some((start, &samples[start..start + length]))
}

/// The position among `positions` where `window` correlates best with `samples`.
fn best(window: &[i16], samples: &[i16], positions: std::ops::Range<usize>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for position in positions {
        let Some(part) = samples.get(position..position + window.len()) else { break };
        let product = Product::of(window, part);
        let correlation = product.correlation();
        if product.is_sound(window.len()) && best.is_none_or(|(_, least)| correlation > least) {
            best = Some((position, correlation));
        }
    }
    best.map(|(position, _)| position)
}

/// Sums of products of two stretches: what correlation is made of.
#[derive(Default)]
struct Product {
    cross: f64,
    left: f64,
    right: f64,
}

impl Product {
    fn of(left: &[i16], right: &[i16]) -> Self {
        let (mut cross, mut own, mut other) = (0_i64, 0_i64, 0_i64);
        for (a, b) in left.iter().zip(right) {
            let (a, b) = (i64::from(*a), i64::from(*b));
            cross += a * b;
            own += a * a;
            other += b * b;
        }
        Self { cross: cross as f64, left: own as f64, right: other as f64 }
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            cross: self.cross + other.cross,
            left: self.left + other.left,
            right: self.right + other.right,
        }
    }

    fn correlation(&self) -> f64 {
        let power = (self.left * self.right).sqrt();
        if power == 0.0 { 0.0 } else { self.cross / power }
    }

    fn rms(&self, count: usize) -> f64 {
        if count == 0 { 0.0 } else { (self.right / count as f64).sqrt() }
    }

    fn is_sound(&self, count: usize) -> bool {
        self.rms(count) >= SILENCE_RMS / 4.0
    }
}
