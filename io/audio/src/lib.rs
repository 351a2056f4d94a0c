//! WAV files and sample rates.
