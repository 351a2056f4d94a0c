//! How a call sounds: loss, jitter, delay, and the mean opinion score of the E-model (ITU-T G.107).
//!
//! All parameters of G.107 but delay, loss and codec stand at their defaults, where the basic
//! signal-to-noise ratio less the simultaneous impairments is 93.2 and echo is perfectly cancelled.

use std::time::Duration;

/// R0 - Is with the default values of G.107 table 2.
const DEFAULT_R: f64 = 93.2;

/// A codec's sensitivity to loss (G.113 Appendix I).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// Ie: what the codec itself costs.
    pub equipment: f64,
    /// Bpl: how robust it is against random loss.
    pub loss_robustness: f64,
}

impl Impairment {
    /// G.711 with concealment: Ie 0, Bpl 25.1.
    pub const G711_CONCEALED: Self = Self { equipment: 0.0, loss_robustness: 25.1 };
    /// G.711 without: Ie 0, Bpl 4.3.
    pub const G711: Self = Self { equipment: 0.0, loss_robustness: 4.3 };
}

/// The quality of one direction of a call, as its receiver measures it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// The share of packets that were lost or came too late, 0 to 1.
    pub loss: f64,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// From mouth to ear.
    pub delay: Duration,
    /// The transmission rating R, 0 to 100.
    pub rating: f64,
    /// The mean opinion score, 1 to 4.5.
    pub mos: f64,
}

impl Quality {
    /// The quality that these measurements mean.
    #[must_use]
    pub fn new(loss: f64, jitter: Duration, delay: Duration, impairment: Impairment) -> Self {
        let loss = loss.clamp(0.0, 1.0);
        let equipment = effective_equipment(impairment, loss * 100.0);
        let rating = (DEFAULT_R - absolute_delay(delay) - equipment).clamp(0.0, 100.0);
        Self { loss, jitter, delay, rating, mos: mos(rating) }
    }
}

/// Ie,eff (G.107 §7.5) with random loss (BurstR 1).
fn effective_equipment(Impairment { equipment, loss_robustness }: Impairment, percent: f64) -> f64 {
    equipment + (95.0 - equipment) * percent / (percent + loss_robustness)
}

/// Idd (G.107 §7.4): what delay costs without echo; nothing up to 100 ms.
fn absolute_delay(delay: Duration) -> f64 {
    let millis = delay.as_secs_f64() * 1000.0;
    if millis <= 100.0 {
        return 0.0;
    }
    let x = (millis / 100.0).log2();
    let root = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

/// The mean opinion score of a rating (G.107 Annex B), 1 to 4.5.
#[must_use]
pub fn mos(rating: f64) -> f64 {
    let r = rating.clamp(0.0, 100.0);
    // Below 6.5 the polynomial dips under the lowest score there is.
    (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::{Impairment, Quality, mos};
    use std::time::Duration;

    fn quality(loss: f64, delay_ms: u64) -> Quality {
        let delay = Duration::from_millis(delay_ms);
        Quality::new(loss, Duration::ZERO, delay, Impairment::G711_CONCEALED)
    }

    #[test]
    fn known_points_of_the_curve() {
        // G.107 Annex B: R 93.2 is 4.41, 80 is 4.02, 70 is 3.60, 60 is 3.10, 50 is 2.58.
        for (rating, score) in
            [(93.2, 4.41), (80.0, 4.02), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)]
        {
            assert!((mos(rating) - score).abs() < 0.006, "{rating}: {}", mos(rating));
        }
        assert_eq!((mos(0.0), mos(100.0), mos(-5.0)), (1.0, 4.5, 1.0));
    }

    #[test]
    fn loss_and_delay_cost() {
        assert!((quality(0.0, 20).mos - 4.41).abs() < 0.01);
        // 5 % of loss with concealment: Ie,eff = 95 · 5 / 30.1 = 15.8.
        assert!((quality(0.05, 20).rating - 77.4).abs() < 0.1);
        // Without concealment: 95 · 5 / 9.3 = 51.
        let bare = Quality::new(0.05, Duration::ZERO, Duration::ZERO, Impairment::G711);
        assert!((bare.rating - 42.1).abs() < 0.1);
        // G.107's own figure: 400 ms costs about 24.
        let cost = quality(0.0, 100).rating - quality(0.0, 400).rating;
        assert!((22.0..26.0).contains(&cost), "{cost}");
    }

    #[test]
    fn worse_is_never_better() {
        let mut last = 5.0;
        for percent in 0..=100 {
            let mos = quality(f64::from(percent) / 100.0, 50).mos;
            assert!(mos <= last);
            last = mos;
        }
        // More than all, and less than nothing.
        assert_eq!(quality(2.0, 50), quality(1.0, 50));
        assert_eq!(quality(-1.0, 50), quality(0.0, 50));
        let endless = Quality::new(0.0, Duration::ZERO, Duration::MAX, Impairment::G711);
        assert_eq!(endless.mos, mos(endless.rating));
        assert!((1.0..2.5).contains(&endless.mos), "{endless:?}");
    }
}
