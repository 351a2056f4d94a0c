//! Sound for calls, in files of any rate.

use std::path::Path;

/// What the demo's Alice and Bob say, 16 kHz.
pub(crate) const ALICE: &[u8] = include_bytes!("../../assets/alice.wav");
pub(crate) const BOB: &[u8] = include_bytes!("../../assets/bob.wav");

/// Writes the first `millis` of `voice` at another rate and number of channels.
pub(crate) fn write(path: &Path, voice: &[u8], millis: usize, rate: u32, channels: u16) {
    let spoken = audio::wav::decode(voice).unwrap();
    let spoken = &spoken[..spoken.len().min(millis * 8)];
    let frames = spoken.len() * rate as usize / 8000;
    let mut samples = Vec::new();
    for frame in 0..frames {
        // Between two samples, in proportion.
        let at = frame as f64 * 8000.0 / f64::from(rate);
        let (before, part) = (at as usize, at.fract());
        let sample = |n: usize| f64::from(spoken.get(n).copied().unwrap_or_default());
        let value = sample(before) * (1.0 - part) + sample(before + 1) * part;
        for _ in 0..channels {
            samples.extend((value as i16).to_le_bytes());
        }
    }
    std::fs::write(path, [header(rate, channels, samples.len() as u32), samples].concat()).unwrap();
}

/// The header of a WAV file of 16-bit PCM.
fn header(rate: u32, channels: u16, bytes: u32) -> Vec<u8> {
    let block = channels * 2;
    let mut out = Vec::new();
    out.extend(b"RIFF");
    out.extend((bytes + 36).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16_u32.to_le_bytes());
    out.extend(1_u16.to_le_bytes());
    out.extend(channels.to_le_bytes());
    out.extend(rate.to_le_bytes());
    out.extend((rate * u32::from(block)).to_le_bytes());
    out.extend(block.to_le_bytes());
    out.extend(16_u16.to_le_bytes());
    out.extend(b"data");
    out.extend(bytes.to_le_bytes());
    out
}

/// Whether what was heard is what was said; else in what it differs.
pub(crate) fn compare(said: &Path, heard: &Path) -> Result<(), String> {
    let said = audio::wav::read(said).unwrap();
    let heard = audio::wav::read(heard).unwrap();
    let similarity = audio::similarity(&said, &heard);
    if similarity.coverage >= 0.95 && similarity.correlation >= 0.99 {
        Ok(())
    } else {
        Err(format!("{similarity:?}, {} samples of {}", heard.len(), said.len()))
    }
}
