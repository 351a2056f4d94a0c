//! G.711: sixteen bits into eight, by µ-law or A-law.

/// Which of the two laws of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// µ-law, `PCMU`, payload type 0.
    Mu,
    /// A-law, `PCMA`, payload type 8.
    A,
}

impl Law {
    /// One sample as a code.
    #[must_use]
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => encode_mu(sample),
            Self::A => encode_a(sample),
        }
    }

    /// One code as a sample.
    #[must_use]
    pub const fn decode(self, code: u8) -> i16 {
        match self {
            Self::Mu => MU[code as usize],
            Self::A => A[code as usize],
        }
    }

    /// Appends the codes of `samples` to `codes`.
    pub fn encode_all(self, samples: &[i16], codes: &mut Vec<u8>) {
        codes.extend(samples.iter().map(|sample| self.encode(*sample)));
    }

    /// Appends the samples of `codes` to `samples`.
    pub fn decode_all(self, codes: &[u8], samples: &mut Vec<i16>) {
        samples.extend(codes.iter().map(|code| self.decode(*code)));
    }
}

static MU: [i16; 256] = table(Law::Mu);
static A: [i16; 256] = table(Law::A);

const fn table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match law {
            Law::Mu => decode_mu(code as u8),
            Law::A => decode_a(code as u8),
        };
        code += 1;
    }
    table
}

/// What makes the µ-law's segments powers of two: 33 in its 14 bits, 132 in sixteen.
const BIAS: i32 = 132;

/// The largest magnitude with a code of its own in µ-law.
const CLIP: i16 = i16::MAX - BIAS as i16;

/// µ-law: sign, three bits of segment, four of mantissa, all inverted. Both laws mirror negative
/// values by one's complement, so that -1 is the mirror of 0.
const fn encode_mu(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0x80, !sample) } else { (0, sample) };
    let biased = if magnitude > CLIP { CLIP as i32 } else { magnitude as i32 } + BIAS;
    // The highest bit lies between 7 and 14.
    let segment = 24 - biased.leading_zeros();
    let mantissa = (biased >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4) as u8 | mantissa as u8)
}

const fn decode_mu(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let mantissa = (code & 0x0f) as i32;
    let magnitude = (((mantissa << 3) + BIAS) << segment) - BIAS;
    (if code & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

/// A-law: sign, three bits of segment, four of mantissa, every other bit inverted. The sign bit is
/// set for positive values.
const fn encode_a(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, !sample) } else { (0x80, sample) };
    let steps = (magnitude >> 4) as u32;
    // The first two segments have the same step, which makes the code linear there.
    let code = if steps < 32 {
        steps
    } else {
        let segment = 28 - steps.leading_zeros();
        (segment << 4) | (steps >> (segment - 1) & 0x0f)
    };
    (code as u8 | sign) ^ 0x55
}

const fn decode_a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let mantissa = (code & 0x0f) as i32;
    let magnitude = match segment {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (segment - 1),
    };
    (if code & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

#[cfg(test)]
mod tests;
