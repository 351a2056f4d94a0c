//! Every form that is promised comes in; what is not PCM is named.

use std::io::Cursor;

use audio::wav::{decode, encode};
use audio::{Error, defaults, similarity, tone};
use hound::{SampleFormat, WavSpec, WavWriter};

/// A second of 440 Hz at half of full scale, in any form, the same on all channels.
fn file(
    channels: u16,
    sample_rate: u32,
    bits_per_sample: u16,
    sample_format: SampleFormat,
) -> Vec<u8> {
    let spec = WavSpec { channels, sample_rate, bits_per_sample, sample_format };
    let mut bytes = Cursor::new(Vec::new());
    let mut wav = WavWriter::new(&mut bytes, spec).unwrap();
    for n in 0..sample_rate {
        let value =
            0.5 * (f64::from(n) * 440.0 * std::f64::consts::TAU / f64::from(sample_rate)).sin();
        for _ in 0..channels {
            match sample_format {
                SampleFormat::Float => wav.write_sample(value as f32).unwrap(),
                SampleFormat::Int => {
                    let full = (1_u64 << (bits_per_sample - 1)) as f64;
                    wav.write_sample((value * full) as i32).unwrap();
                }
            }
        }
    }
    wav.finalize().unwrap();
    bytes.into_inner()
}

#[test]
fn every_promised_form_is_read() {
    for channels in [1, 2] {
        for rate in [8000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            let forms = [8, 16, 24, 32].map(|bits| (bits, SampleFormat::Int));
            for (bits, format) in forms.into_iter().chain([(32, SampleFormat::Float)]) {
                let samples = decode(&file(channels, rate, bits, format)[..]).unwrap();
                assert_eq!(samples.len(), 8000);
                let peak = samples.iter().max().unwrap();
                assert!((15_800..=16_600).contains(peak), "{channels} {rate} {bits}: {peak}");
                let share = tone(&samples, 440.0);
                assert!(share > 0.99, "{channels} {rate} {bits}: {share}");
            }
        }
    }
}

#[test]
fn sixteen_bits_survive() {
    let samples: Vec<i16> = (i16::MIN..=i16::MAX).step_by(7).collect();
    assert_eq!(decode(&encode(&samples).unwrap()[..]).unwrap(), samples);
}

#[test]
fn what_is_not_pcm_is_named() {
    let message = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    assert!(message(b"ID3\x03 an mp3").starts_with("not a WAV file"));
    assert!(decode(&b"RIFF"[..]).is_err());
    assert!(
        message(&file(3, 8000, 16, SampleFormat::Int)).starts_with("3 channels: give a PCM WAV")
    );
    assert!(
        message(&file(1, 96_000, 16, SampleFormat::Int)).starts_with("96000 Hz: give a PCM WAV")
    );
    assert!(message(&file(1, 4000, 16, SampleFormat::Int)).starts_with("4000 Hz"));
    // The same file, said to be in µ-law.
    let mut compressed = file(1, 8000, 8, SampleFormat::Int);
    let format = compressed.windows(4).position(|w| w == b"fmt ").unwrap() + 8;
    compressed[format] = 7;
    assert!(message(&compressed).contains("give a PCM WAV"), "{}", message(&compressed));
}

#[test]
fn a_file_of_more_than_an_hour_is_not_read() {
    let mut said = file(2, 8000, 8, SampleFormat::Int);
    let data = said.windows(4).position(|w| w == b"data").unwrap() + 4;
    let mut say = |secs: u64| {
        let bytes = 2 * 8000 * secs as u32;
        said[data..data + 4].copy_from_slice(&bytes.to_le_bytes());
        decode(&said[..]).unwrap_err()
    };
    let longest = defaults::MAX_DURATION.as_secs();
    assert!(matches!(say(longest + 1), Error::TooLong));
    // As long as may be, but most of it is missing.
    assert!(!matches!(say(longest), Error::TooLong));
}

#[test]
fn files_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heard.wav");
    let samples: Vec<i16> = (0..1600).map(|n| (n * 10) as i16).collect();
    let mut recorder = audio::wav::Recorder::create(&path).unwrap();
    samples.chunks(160).for_each(|frame| recorder.write(frame).unwrap());
    recorder.flush().unwrap();
    assert_eq!(audio::wav::read(&path).unwrap(), samples, "whole before the end");
    recorder.finish().unwrap();
    assert_eq!(audio::wav::read(&path).unwrap(), samples);
    let missing = audio::wav::read(folder.path().join("missing.wav"));
    assert!(matches!(missing, Err(Error::Io(_))));
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = decode(&bytes[..]);
        let mut file = encode(&[1; 50]).unwrap();
        for (at, byte) in bytes.iter().enumerate().take(2) {
            let place = usize::from(bytes[bytes.len() - 1 - at]) % file.len();
            file[place] = *byte;
        }
        let _ = decode(&file[..]);
    }
}

#[test]
fn a_broken_stereo_pair_is_mixed() {
    let spec = WavSpec {
        channels: 2,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut wav = WavWriter::new(&mut bytes, spec).unwrap();
    for n in 0..8000_i32 {
        wav.write_sample((n % 100) as i16 * 100).unwrap();
        wav.write_sample(0_i16).unwrap();
    }
    wav.finalize().unwrap();
    let mixed = decode(&bytes.into_inner()[..]).unwrap();
    let left: Vec<i16> = (0..8000).map(|n| (n % 100) as i16 * 100).collect();
    assert_eq!(mixed[50], left[50] / 2);
    assert!(similarity(&left, &mixed).correlation > 0.999);
}
