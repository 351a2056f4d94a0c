//! Randomness from the operating system.

use machine::Entropy;

/// A stream seeded by the operating system: a cryptographic source.
///
/// # Errors
/// If the operating system has no randomness to give.
pub fn entropy() -> std::io::Result<Entropy> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(Entropy::new(seed))
}
