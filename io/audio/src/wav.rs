//! WAV files: any usual form of PCM in, mono 16 bits at 8 kHz out and in.

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Seek, Write};
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::Error;
use crate::defaults::{MAX_DURATION, RATE, RATES};
use crate::resample::resample;

/// The form of what we write.
const SPEC: WavSpec = WavSpec {
    channels: 1,
    sample_rate: RATE,
    bits_per_sample: 16,
    sample_format: SampleFormat::Int,
};

/// Reads a file, mixes it down to mono and brings it to 8 kHz.
///
/// # Errors
/// If it cannot be read, is no PCM WAV file of 8 to 48 kHz in mono or stereo, or is longer than an
/// hour.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<i16>, Error> {
    decode(BufReader::new(File::open(path)?))
}

/// Reads a WAV file from anywhere: `decode(&bytes[..])` for one in memory.
///
/// # Errors
/// As [`read`].
pub fn decode(reader: impl Read) -> Result<Vec<i16>, Error> {
    let mut wav = WavReader::new(reader)?;
    let spec = wav.spec();
    check(&spec)?;
    let seconds = u64::from(wav.duration()) / u64::from(spec.sample_rate);
    if seconds > MAX_DURATION.as_secs() {
        return Err(Error::TooLong);
    }
    let mono = match spec.sample_format {
        SampleFormat::Float => mix(wav.samples::<f32>(), spec.channels),
        SampleFormat::Int => {
            let full = (1_u64 << (spec.bits_per_sample - 1)) as f32;
            let samples = wav.samples::<i32>();
            mix(samples.map(|sample| Ok(sample? as f32 / full)), spec.channels)
        }
    };
    Ok(resample(&mono?, spec.sample_rate, RATE).into_iter().map(to_i16).collect())
}

/// The mean of the channels; what is left of a frame at the end is dropped.
fn mix(
    mut samples: impl Iterator<Item = Result<f32, hound::Error>>,
    channels: u16,
) -> Result<Vec<f32>, hound::Error> {
    let mut mono = Vec::new();
    loop {
        let mut sum = 0.0;
        for _ in 0..channels {
            let Some(sample) = samples.next() else { return Ok(mono) };
            sum += sample?;
        }
        mono.push(sum / f32::from(channels));
    }
}

fn check(spec: &WavSpec) -> Result<(), Error> {
    if !RATES.contains(&spec.sample_rate) {
        return Err(Error::Unsupported(format!("{} Hz", spec.sample_rate)));
    }
    if !(1..=2).contains(&spec.channels) {
        return Err(Error::Unsupported(format!("{} channels", spec.channels)));
    }
    match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Int, 8 | 16 | 24 | 32) | (SampleFormat::Float, 32) => Ok(()),
        (_, bits) => Err(Error::Unsupported(format!("{bits} bits"))),
    }
}

/// Full scale is 32,768, so that 16-bit samples come through unchanged; what is over it is clipped,
/// and what is no number is silence.
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

/// Writes samples at 8 kHz to a file.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: impl AsRef<Path>, samples: &[i16]) -> Result<(), Error> {
    let mut recorder = Recorder::create(path)?;
    recorder.write(samples)?;
    recorder.finish()
}

/// A WAV file in memory, with samples at 8 kHz.
///
/// # Errors
/// If there are more than fit a WAV file: 2 GB.
pub fn encode(samples: &[i16]) -> Result<Vec<u8>, Error> {
    let mut bytes = Cursor::new(Vec::with_capacity(samples.len() * 2 + 44));
    let mut recorder = Recorder { wav: WavWriter::new(&mut bytes, SPEC)? };
    recorder.write(samples)?;
    recorder.finish()?;
    Ok(bytes.into_inner())
}

/// Writes a file as the sound comes.
pub struct Recorder<W: Write + Seek = BufWriter<File>> {
    wav: WavWriter<W>,
}

impl Recorder {
    /// Begins a file; one that exists is replaced.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self { wav: WavWriter::new(BufWriter::new(File::create(path)?), SPEC)? })
    }
}

impl<W: Write + Seek> Recorder<W> {
    /// Appends samples at 8 kHz.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), Error> {
        samples.iter().try_for_each(|sample| self.wav.write_sample(*sample))?;
        Ok(())
    }

    /// Makes the file on disk whole, should the program end before [`Recorder::finish`].
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.wav.flush()?)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<(), Error> {
        Ok(self.wav.finalize()?)
    }
}

impl<W: Write + Seek> std::fmt::Debug for Recorder<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({} samples)", self.wav.len())
    }
}
