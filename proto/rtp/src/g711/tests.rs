//! Against the tables of G.711, built here from the decision values that the recommendation gives,
//! not from the bit tricks of the code.

use proptest::prelude::*;

use super::Law;

/// Decision values of one polarity in 16-bit units: segments of sixteen steps, and their width.
fn decisions(law: Law) -> Vec<i32> {
    match law {
        // G.711 table 2a: 0, 1, 3, 5 … 31, then steps of 4 to 95, of 8 to 223, … to 8159; 14 bits.
        Law::Mu => {
            let mut values = vec![0, 1];
            (0..8).for_each(|segment| {
                let count = if segment == 0 { 15 } else { 16 };
                (0..count).for_each(|_| values.push(values[values.len() - 1] + (2 << segment)));
            });
            assert_eq!((values[16], values[32], *values.last().unwrap()), (31, 95, 8159));
            values.into_iter().map(|value| value * 4).collect()
        }
        // Table 1a: 0, 2, 4 … 64 in two segments, then steps of 4 to 128, … to 4096; 13 bits.
        Law::A => {
            let mut values = vec![0];
            (0..8_i32).for_each(|segment| {
                let step = 2 << (segment - 1).max(0);
                (0..16).for_each(|_| values.push(values[values.len() - 1] + step));
            });
            assert_eq!((values[32], values[48], *values.last().unwrap()), (64, 128, 4096));
            values.into_iter().map(|value| value * 8).collect()
        }
    }
}

/// The level that `sample` is quantised to: the middle of its step; µ-law's first step is 0.
fn reference(law: Law, sample: i16) -> i32 {
    let decisions = decisions(law);
    let magnitude = i32::from(if sample < 0 { !sample } else { sample });
    let step = decisions.iter().rposition(|&value| value <= magnitude).unwrap();
    let step = step.min(decisions.len() - 2);
    let level = match (law, step) {
        (Law::Mu, 0) => 0,
        _ => (decisions[step] + decisions[step + 1]) / 2,
    };
    if sample < 0 { -level } else { level }
}

#[test]
fn every_sample_is_quantised_as_the_recommendation_says() {
    for law in [Law::Mu, Law::A] {
        for sample in (i16::MIN..=i16::MAX).step_by(3) {
            let level = i32::from(law.decode(law.encode(sample)));
            assert_eq!(level, reference(law, sample), "{law:?} {sample}");
        }
    }
}

#[test]
fn character_signals_are_those_of_the_tables() {
    // G.711 tables 1 and 2: the largest positive and negative values, and around zero.
    assert_eq!((Law::Mu.encode(32_767), Law::Mu.decode(0x80)), (0x80, 32_124));
    assert_eq!((Law::Mu.encode(-32_768), Law::Mu.decode(0x00)), (0x00, -32_124));
    assert_eq!((Law::Mu.encode(0), Law::Mu.encode(-1)), (0xff, 0x7f));
    assert_eq!((Law::A.encode(32_767), Law::A.decode(0xaa)), (0xaa, 32_256));
    assert_eq!((Law::A.encode(-32_768), Law::A.decode(0x2a)), (0x2a, -32_256));
    assert_eq!((Law::A.encode(0), Law::A.encode(-1)), (0xd5, 0x55));
    assert_eq!((Law::A.decode(0xd5), Law::A.decode(0x55)), (8, -8));
}

#[test]
fn codes_survive() {
    for code in 0..=255 {
        assert_eq!(Law::A.encode(Law::A.decode(code)), code);
        // µ-law has two zeros; the negative one comes back as the positive.
        let expected = if code == 0x7f { 0xff } else { code };
        assert_eq!(Law::Mu.encode(Law::Mu.decode(code)), expected);
    }
}

proptest! {
    /// The error is at most half a step, and a step is at most a sixteenth of the magnitude (with
    /// the bias of µ-law added), but for the clipped top.
    #[test]
    fn errors_are_bounded(sample: i16) {
        let magnitude = i32::from(sample).abs();
        let error = |law: Law| (i32::from(law.decode(law.encode(sample))) - i32::from(sample)).abs();
        prop_assert!(error(Law::Mu) <= ((magnitude + 132) / 32 + 4).max(magnitude - 32_124));
        prop_assert!(error(Law::A) <= (magnitude / 32).max(8) + 8);
    }
}
