//! Changing the rate: a windowed-sinc low-pass, evaluated only where samples are wanted.

use std::f64::consts::PI;

use crate::defaults::{CUTOFF, KERNEL_CROSSINGS};

/// `samples` at `from` samples a second, brought to `to`. The first sample stays the first.
#[must_use]
pub fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to || samples.is_empty() || from == 0 || to == 0 {
        return samples.to_vec();
    }
    // Output n lies at input n · step / phases: a kernel for each of the phases is enough.
    let divisor = gcd(from, to);
    let (step, phases) = (u64::from(from / divisor), u64::from(to / divisor));
    let kernels: Vec<Vec<f32>> =
        (0..phases).map(|phase| kernel(from, to, phase as f64 / phases as f64)).collect();
    let count = (samples.len() as u64 * phases).div_ceil(step);
    let at = |n: u64| {
        let position = n * step;
        let (whole, phase) = ((position / phases) as usize, (position % phases) as usize);
        convolve(samples, whole, &kernels[phase])
    };
    (0..count).map(at).collect()
}

/// The kernel for outputs that lie `fraction` behind an input sample; its middle is that sample.
fn kernel(from: u32, to: u32, fraction: f64) -> Vec<f32> {
    // In cycles per input sample, twice: the zero crossings are 1 / cutoff apart.
    let cutoff = CUTOFF * (f64::from(to) / f64::from(from)).min(1.0);
    let reach = KERNEL_CROSSINGS as f64 / cutoff;
    let half = reach.ceil() as i64;
    let taps = (-half..=half).map(|tap| {
        let x = tap as f64 - fraction;
        sinc(x * cutoff) * window(x / reach)
    });
    let taps: Vec<f64> = taps.collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

fn convolve(samples: &[f32], middle: usize, kernel: &[f32]) -> f32 {
    let half = kernel.len() / 2;
    // What lies before the first sample and behind the last is silence.
    let (first, skipped) = (middle.saturating_sub(half), half.saturating_sub(middle));
    let inside = samples.get(first..).unwrap_or_default();
    inside.iter().zip(kernel.iter().skip(skipped)).map(|(sample, tap)| sample * tap).sum()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Blackman's window over -1 to 1.
fn window(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        return 0.0;
    }
    0.42 + 0.5 * (PI * x).cos() + 0.08 * (2.0 * PI * x).cos()
}

const fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::resample;
    use std::f64::consts::TAU;

    fn sine(rate: u32, hz: f64, count: usize) -> Vec<f32> {
        (0..count).map(|n| (n as f64 * hz * TAU / f64::from(rate)).sin() as f32).collect()
    }

    fn rms(samples: &[f32]) -> f64 {
        let sum: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        (sum / samples.len() as f64).sqrt()
    }

    const RATES: [u32; 8] = [8000, 11_025, 12_000, 16_000, 22_050, 32_000, 44_100, 48_000];

    #[test]
    fn what_the_telephone_carries_stays_in_place() {
        for rate in RATES {
            for hz in [50.0, 440.0, 1000.0, 3400.0] {
                let out = resample(&sine(rate, hz, rate as usize), rate, 8000);
                assert_eq!(out.len(), 8000);
                let wanted = sine(8000, hz, 8000);
                let error: Vec<f32> = (200..7800).map(|n| out[n] - wanted[n]).collect();
                assert!(rms(&error) < 0.003, "{rate} Hz, {hz}: {}", rms(&error));
            }
        }
    }

    #[test]
    fn what_lies_above_does_not_fold_back() {
        for rate in RATES.into_iter().filter(|rate| *rate > 11_025) {
            for hz in [4100.0, 5000.0, 5900.0] {
                let out = resample(&sine(rate, hz, rate as usize), rate, 8000);
                assert!(rms(&out[200..7800]) < 0.001, "{rate} Hz, {hz}: {}", rms(&out[200..7800]));
            }
        }
    }

    #[test]
    fn upwards_too_and_nothing_from_nothing() {
        let out = resample(&sine(8000, 1000.0, 8000), 8000, 48_000);
        let wanted = sine(48_000, 1000.0, 48_000);
        let worst = (1200..46_800).map(|n| (out[n] - wanted[n]).abs()).fold(0.0, f32::max);
        assert!(worst < 0.003, "{worst}");
        assert!(resample(&[], 16_000, 8000).is_empty());
        assert_eq!(resample(&[0.5], 48_000, 8000).len(), 1);
    }
}
