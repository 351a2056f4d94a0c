//! Limits and constants, each with its reason.

use std::time::Duration;

/// Samples per second of a call's sound.
pub const RATE: u32 = 8000;

/// The rates that are read: from the telephone's to the studio's.
pub const RATES: std::ops::RangeInclusive<u32> = 8000..=48_000;

/// The longest file that is read. While its rate is changed it is held in memory, four bytes a
/// sample at its own rate: 690 MB for an hour at 48 kHz, 115 MB at the telephone's.
pub const MAX_DURATION: Duration = Duration::from_secs(3600);

/// Zero crossings on each side of the low-pass kernel. With the window below, 32 keep what folds
/// back 80 dB down within a tenth of the band's edge.
pub const KERNEL_CROSSINGS: usize = 32;

/// Where the low-pass begins, as a share of the lower rate's half: 3.6 of 4 kHz, above the
/// telephone's 3.4.
pub const CUTOFF: f64 = 0.92;

/// The stretch of the reference that is looked for to align two recordings.
pub const ALIGN_SAMPLES: usize = 8000;

/// The grain in which it is said what of a reference was heard: 100 ms.
pub const BLOCK_SAMPLES: usize = 800;

/// A block counts as heard from this correlation on.
pub const HEARD_CORRELATION: f64 = 0.9;

/// Below this level (RMS, -60 dBFS) a block is silence, which has nothing to correlate.
pub const SILENCE_RMS: f64 = 33.0;
