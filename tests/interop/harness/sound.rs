//! Making sounds to play, and measuring what was heard of them.

use std::f64::consts::TAU;
use std::path::Path;

/// The rate of G.711, and of every file that these tests play: nothing is resampled on the way.
pub(crate) const RATE_HZ: u32 = 8000;

/// A fifth of a second, in which a tone is measured.
const WINDOW: usize = RATE_HZ as usize / 5;

/// Half a second, in which speech is compared.
const SEGMENT: usize = RATE_HZ as usize / 2;

/// A segment quieter than this is a pause between words: nothing to compare.
const PAUSE_RMS: f64 = 100.0;

/// Writes a sine of `hz` at half the full level as a WAV file.
pub(crate) fn write_tone(path: &Path, hz: f64, secs: u32) {
    let samples = (0..secs * RATE_HZ)
        .map(|n| 16_000.0 * (TAU * hz * f64::from(n) / f64::from(RATE_HZ)).sin());
    write(path, samples.map(|sample| sample as i16));
}

fn write(path: &Path, samples: impl Iterator<Item = i16>) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).expect("a WAV file to write");
    for sample in samples {
        file.write_sample(sample).expect("room for a sample");
    }
    file.finalize().expect("room for the header");
}

/// The samples of a mono WAV file at `RATE_HZ`.
pub(crate) fn read(path: &Path) -> Vec<f64> {
    let mut file =
        hound::WavReader::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let spec = file.spec();
    assert_eq!((spec.channels, spec.sample_rate), (1, RATE_HZ), "{}", path.display());
    // A recorder that was ended leaves a header that promises more than there is.
    file.samples::<i16>().map_while(Result::ok).map(f64::from).collect()
}

/// Writes what `speaker` (`alice` or `bob`) says in the demo, at `RATE_HZ`.
pub(crate) fn write_speech(path: &Path, speaker: &str) {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/wayleave/assets");
    let mut file = hound::WavReader::open(assets.join(speaker).with_extension("wav"))
        .expect("the demo's voice");
    assert_eq!(file.spec().sample_rate, 2 * RATE_HZ, "half of it is our rate");
    let samples: Vec<i32> =
        file.samples::<i16>().map(|sample| sample.expect("a whole file").into()).collect();
    write(path, samples.chunks_exact(2).map(|pair| ((pair[0] + pair[1]) / 2) as i16));
}

/// For how many seconds a pure tone of `hz` is heard in `samples`.
pub(crate) fn secs_of_tone(samples: &[f64], hz: f64) -> f64 {
    let heard = samples.chunks_exact(WINDOW).filter(|window| share_of(window, hz) > 0.9).count();
    heard as f64 * WINDOW as f64 / f64::from(RATE_HZ)
}

/// The share of a window's energy that a sine of `hz` carries, 0 for silence.
fn share_of(window: &[f64], hz: f64) -> f64 {
    let energy: f64 = window.iter().map(|sample| sample * sample).sum();
    let length = window.len() as f64;
    if energy < length * PAUSE_RMS * PAUSE_RMS {
        return 0.0;
    }
    let step = TAU * hz / f64::from(RATE_HZ);
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in window.iter().enumerate() {
        let (sin, cos) = (step * n as f64).sin_cos();
        re += sample * cos;
        im += sample * sin;
    }
    2.0 * (re * re + im * im) / (length * energy)
}

/// The share of the spoken segments of `played` that are found in `heard`, each within a little of
/// where the whole is found: a jitter buffer may shift, it may not lose.
pub(crate) fn share_heard(played: &[f64], heard: &[f64]) -> f64 {
    let spoken = || played.chunks_exact(SEGMENT).enumerate().filter(|(_, s)| rms(s) > PAUSE_RMS);
    let Some((n, loudest)) = spoken().max_by(|(_, a), (_, b)| rms(a).total_cmp(&rms(b))) else {
        return 0.0;
    };
    let (_, at) = best_match(loudest, heard, 0..heard.len());
    let delay = at as i64 - (n * SEGMENT) as i64;
    let slack = i64::from(RATE_HZ) / 10;
    let found = spoken().filter(|(n, segment)| {
        let expected = (n * SEGMENT) as i64 + delay;
        let near = (expected - slack).max(0) as usize..(expected + slack).max(0) as usize;
        best_match(segment, heard, near).0 > 0.97
    });
    found.count() as f64 / spoken().count() as f64
}

/// Where among `starts` `segment` matches `heard` best, and how well: 1 is the same shape.
fn best_match(segment: &[f64], heard: &[f64], starts: std::ops::Range<usize>) -> (f64, usize) {
    let fits = starts
        .filter_map(|at| Some((correlation(segment, heard.get(at..at + segment.len())?), at)));
    fits.max_by(|(a, _), (b, _)| a.total_cmp(b)).unwrap_or((0.0, 0))
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa * bb == 0.0 { 0.0 } else { ab / (aa * bb).sqrt() }
}

fn rms(samples: &[f64]) -> f64 {
    (samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&Path)) -> Vec<f64> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.wav");
        write(&path);
        read(&path)
    }

    #[test]
    fn a_tone_is_told_from_its_neighbours_and_from_silence() {
        let tone = written(|path| write_tone(path, 440.0, 2));
        assert!(secs_of_tone(&tone, 440.0) > 1.9);
        assert!(secs_of_tone(&tone, 450.0) < 0.1);
        assert!(secs_of_tone(&vec![0.0; 16_000], 440.0) < 0.1);
        let half = [&tone[..8000], &vec![0.0; 8000]].concat();
        assert!((0.8..1.2).contains(&secs_of_tone(&half, 440.0)));
    }

    #[test]
    fn speech_is_found_where_it_is_and_missed_where_it_is_not() {
        let played = written(|path| write_speech(path, "alice"));
        let other = written(|path| write_speech(path, "bob"));
        let late = [&vec![0.0; 3210], &played[..]].concat();
        assert!(share_heard(&played, &late) > 0.99);
        assert!(share_heard(&played, &other) < 0.2);
        let mut torn = late.clone();
        torn[3210 + played.len() / 2..].fill(0.0);
        let share = share_heard(&played, &torn);
        assert!((0.3..0.7).contains(&share), "{share}");
    }
}
