//! What is played where nothing came: the last pitch period, repeated and faded, after the idea of
//! G.711 Appendix I, without its delay.

use std::collections::VecDeque;

use crate::defaults::CONCEAL_SAMPLES;

/// Pitch periods that are looked for: 200 Hz down to 66 Hz at 8 kHz.
const SHORTEST_PITCH: usize = 40;
const LONGEST_PITCH: usize = 120;
/// The stretch that is compared to find the pitch: 20 ms.
const COMPARED: usize = 160;
/// What must be remembered for that.
const HISTORY: usize = COMPARED + LONGEST_PITCH;
/// Concealment stays at full level so long (10 ms) before it fades.
const FULL_LEVEL: usize = 80;
/// What comes after a gap is faded in over this (4 ms).
const FADE_IN: usize = 32;

/// Fills gaps in a stream of samples.
#[derive(Clone, Debug, Default)]
pub struct Concealer {
    history: VecDeque<i16>,
    /// The repeated period while a gap lasts.
    period: Vec<i16>,
    /// Samples made up in this gap.
    made: usize,
}

impl Concealer {
    /// A concealer that has heard nothing: gaps are silent.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes samples that came, and smooths their start if a gap precedes them.
    pub fn heard(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            for (n, sample) in samples.iter_mut().take(FADE_IN).enumerate() {
                let made_up = i32::from(self.next_made());
                let weight = n as i32 + 1;
                let fade_in = FADE_IN as i32 + 1;
                *sample =
                    ((i32::from(*sample) * weight + made_up * (fade_in - weight)) / fade_in) as i16;
            }
            self.made = 0;
        }
        self.remember(samples);
    }

    /// Makes up samples for a gap.
    pub fn conceal(&mut self, samples: &mut [i16]) {
        if self.made == 0 {
            self.period = self.find_period();
        }
        samples.fill_with(|| self.next_made());
        self.remember(samples);
    }

    fn next_made(&mut self) -> i16 {
        let at = self.made;
        self.made += 1;
        let Some(sample) = at.checked_rem(self.period.len()).and_then(|n| self.period.get(n))
        else {
            return 0;
        };
        let left = CONCEAL_SAMPLES.saturating_sub(at.max(FULL_LEVEL)) as i32;
        (i32::from(*sample) * left / (CONCEAL_SAMPLES - FULL_LEVEL) as i32) as i16
    }

    fn remember(&mut self, samples: &[i16]) {
        let recent = samples.get(samples.len().saturating_sub(HISTORY)..).unwrap_or(samples);
        self.history.extend(recent);
        let excess = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..excess);
    }

    /// The last pitch period, its end blended into what preceded it so that it repeats smoothly.
    fn find_period(&mut self) -> Vec<i16> {
        if self.history.len() < HISTORY {
            return Vec::new();
        }
        let history: &[i16] = self.history.make_contiguous();
        let pitch = (SHORTEST_PITCH..=LONGEST_PITCH)
            .map(|lag| (lag, likeness(history, lag)))
            .fold(
                (SHORTEST_PITCH, f64::MIN),
                |best, this| if this.1 > best.1 { this } else { best },
            )
            .0;
        let start = HISTORY - pitch;
        let blended = pitch / 4;
        let mut period = history[start..].to_vec();
        for n in 0..blended {
            let weight = n as i32 + 1;
            let before = i32::from(history[start - blended + n]);
            let sample = &mut period[pitch - blended + n];
            let sum = i32::from(*sample) * (blended as i32 - weight) + before * weight;
            *sample = (sum / blended as i32) as i16;
        }
        period
    }
}

/// Normalised correlation of the last stretch with the one `lag` before it.
fn likeness(history: &[i16], lag: usize) -> f64 {
    let recent = &history[HISTORY - COMPARED..];
    let earlier = &history[HISTORY - COMPARED - lag..HISTORY - lag];
    let (mut product, mut energy) = (0_i64, 1_i64);
    for (a, b) in recent.iter().zip(earlier) {
        product += i64::from(*a) * i64::from(*b);
        energy += i64::from(*b) * i64::from(*b);
    }
    product as f64 / (energy as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::Concealer;

    fn tone(n: usize) -> i16 {
        (8000.0 * (n as f64 * std::f64::consts::TAU * 100.0 / 8000.0).sin()) as i16
    }

    #[test]
    fn a_tone_goes_on_through_a_short_gap() {
        let mut concealer = Concealer::new();
        let mut heard: Vec<i16> = (0..800).map(tone).collect();
        concealer.heard(&mut heard);
        let mut gap = [0; 80];
        concealer.conceal(&mut gap);
        let worst = (0..80).map(|n| (gap[n] - tone(800 + n)).abs()).max();
        assert!(worst < Some(400), "{worst:?}");
        let mut after: Vec<i16> = (880..1040).map(tone).collect();
        concealer.heard(&mut after);
        let worst = (0..160).map(|n| (after[n] - tone(880 + n)).abs()).max();
        assert!(worst < Some(800), "{worst:?}");
    }

    #[test]
    fn a_long_gap_fades_to_silence() {
        let mut concealer = Concealer::new();
        let mut heard: Vec<i16> = (0..800).map(tone).collect();
        concealer.heard(&mut heard);
        let mut gap = [0; 960];
        concealer.conceal(&mut gap);
        assert!(gap[480..].iter().all(|&sample| sample == 0));
        assert!(gap[..200].iter().any(|&sample| sample.abs() > 5000));
    }

    #[test]
    fn nothing_heard_nothing_made_up() {
        let mut gap = [1; 160];
        Concealer::new().conceal(&mut gap);
        assert_eq!(gap, [0; 160]);
    }
}
