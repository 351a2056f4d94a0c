//! The measures measure.

use audio::compare::rms;
use audio::{similarity, tone};

/// Noise that swells and fades, as speech does, the same for the same seed.
fn speech(seed: u64, count: usize) -> Vec<i16> {
    let mut state = seed;
    let mut low = 0.0;
    (0..count)
        .map(|n| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let noise = f64::from((state >> 33) as u32) / f64::from(1 << 30) - 1.0;
            low += 0.3 * (noise - low);
            let swell = (n as f64 / 2000.0).sin().max(0.0);
            (low * swell * 20_000.0) as i16
        })
        .collect()
}

#[test]
fn a_delayed_copy_is_found_to_the_sample() {
    let reference = speech(1, 64_000);
    for lead in [0, 1, 3, 1234] {
        let mut heard = vec![0; lead];
        heard.extend(&reference);
        let found = similarity(&reference, &heard);
        assert_eq!(found.offset, lead as i64);
        assert_eq!(found.coverage, 1.0);
        assert!(found.correlation > 0.9999);
    }
}

#[test]
fn a_cut_beginning_costs_coverage_alone() {
    let reference = speech(1, 64_000);
    let found = similarity(&reference, &reference[6400..]);
    assert_eq!(found.offset, -6400);
    assert!((0.75..0.9).contains(&found.coverage), "{found:?}");
    assert!(found.correlation > 0.999);
    // Silence in its place is no better.
    let mut heard = reference.clone();
    heard[..6400].fill(0);
    let found = similarity(&reference, &heard);
    assert!((0.75..0.9).contains(&found.coverage), "{found:?}");
}

#[test]
fn noise_costs_correlation_and_another_voice_is_not_heard() {
    let reference = speech(1, 64_000);
    let noise = speech(2, 64_000);
    let heard: Vec<i16> = reference.iter().zip(&noise).map(|(a, b)| a / 2 + b / 8).collect();
    let found = similarity(&reference, &heard);
    assert!((0.9..0.99).contains(&found.correlation), "{found:?}");
    assert!(similarity(&reference, &noise).coverage < 0.1);
    assert_eq!(similarity(&reference, &[0; 8000]).coverage, 0.0);
    assert_eq!(similarity(&[], &reference).coverage, 0.0);
    assert_eq!(similarity(&reference, &[]).coverage, 0.0);
}

#[test]
fn a_shift_in_the_middle_shows() {
    let reference = speech(1, 64_000);
    let mut heard = reference[..32_000].to_vec();
    heard.extend([0; 160]);
    heard.extend(&reference[32_000..]);
    assert!(similarity(&reference, &heard).coverage < 0.7);
}

#[test]
fn tones_are_told_apart() {
    let sine = |hz: f64| -> Vec<i16> {
        (0..8000)
            .map(|n| (8000.0 * (f64::from(n) * hz * std::f64::consts::TAU / 8000.0).sin()) as i16)
            .collect()
    };
    assert!(tone(&sine(440.0), 440.0) > 0.99);
    assert!(tone(&sine(880.0), 440.0) < 0.01);
    assert!(tone(&speech(3, 8000), 440.0) < 0.05);
    assert_eq!(tone(&[0; 100], 440.0), 0.0);
    assert!((rms(&sine(1000.0)) - 5657.0).abs() < 5.0);
}
