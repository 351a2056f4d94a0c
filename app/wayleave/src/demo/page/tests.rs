//! What can be said of the page without a browser.

use std::collections::BTreeMap;

use super::STYLE;

/// The colours of a scheme: what stands in the n-th `:root`.
fn colours(nth: usize) -> BTreeMap<&'static str, [f64; 3]> {
    let block = STYLE.split(":root {").nth(nth).unwrap().split('}').next().unwrap();
    let hex = |text: &str, at: usize| {
        f64::from(u8::from_str_radix(&text[at..at + 2], 16).unwrap()) / 255.0
    };
    let colour = |line: &'static str| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
        Some((name, [0, 2, 4].map(|at| hex(value, at))))
    };
    block.split(';').filter_map(colour).collect()
}

/// The contrast of two colours (WCAG 2.1, "contrast ratio").
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let luminance = |colour: [f64; 3]| {
        let [r, g, b] =
            colour.map(|c| if c <= 0.03928 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn text_stands_out_from_its_ground_by_day_and_by_night() {
    // WCAG 2.1 §1.4.3: 4.5 to 1.
    for scheme in [colours(1), colours(2)] {
        let grounds = ["page", "card", "soft"];
        let text =
            ["ink", "muted", "accent", "alice", "bob", "core", "good", "relay", "bad", "stun"];
        let pairs = text.iter().flat_map(|ink| grounds.map(|ground| (*ink, ground)));
        let soft = ["good-soft", "relay-soft", "bad-soft", "media"];
        let fates = [("good", "good-soft"), ("relay", "relay-soft"), ("bad", "bad-soft")];
        let marked = soft.iter().flat_map(|ground| [("ink", *ground), ("muted", *ground)]);
        for (ink, ground) in pairs.chain(fates).chain(marked) {
            let contrast = contrast(scheme[ink], scheme[ground]);
            assert!(contrast >= 4.5, "{ink} on {ground}: {contrast}");
        }
    }
}
