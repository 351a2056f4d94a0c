//! Both sides' sound, to look at and to hear.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use scenarios::Who;

use super::{each, name, part};
use crate::demo::outcome::{Call, Outcome};

pub fn section(outcome: &Outcome) -> Markup {
    let about = "Above the line what was said, below it what the other side heard: sound that got lost \
                 on the way is missing below.";
    part("sound", "What was heard", about, each(outcome, both))
}

fn both(call: &Call) -> Markup {
    html! {
        div.sides-by-side {
            (voice(call, Who::Alice, Who::Bob, &call.spec.alice_says))
            (voice(call, Who::Bob, Who::Alice, &call.spec.bob_says))
        }
    }
}

fn voice(call: &Call, speaker: Who, listener: Who, said: &[i16]) -> Markup {
    let heard = &call.report.side(listener).heard.samples;
    let title = html! { (name(listener)) " hears " (name(speaker)) };
    let words = format!(
        "{} said {:.1} seconds, {} heard {:.1}.",
        super::capital(speaker.name()),
        seconds(said),
        super::capital(listener.name()),
        seconds(heard)
    );
    html! {
        figure.card.voice {
            figcaption { h3.sub { (title) } }
            (waves(speaker, said, heard, &words))
            @match audio::wav::encode(heard) {
                Ok(wav) if loud(heard) => {
                    audio controls preload="metadata" aria-label={ "What " (super::capital(listener.name())) " heard" }
                        src={ "data:audio/wav;base64," (STANDARD.encode(wav)) } {}
                }
                _ => p.silence { "Silence: nothing arrived." }
            }
            p.more { (words) }
        }
    }
}

/// Whether there is something to hear.
fn loud(samples: &[i16]) -> bool {
    samples.iter().any(|sample| sample.unsigned_abs() > 64)
}

fn seconds(samples: &[i16]) -> f64 {
    samples.len() as f64 / 8000.0
}

/// Bars of a picture.
const BARS: usize = 180;
const BAR: f64 = 3.0;
const HALF: f64 = 44.0;

/// Said and heard over the same time.
fn waves(speaker: Who, said: &[i16], heard: &[i16], words: &str) -> Markup {
    let longest = said.len().max(heard.len()).max(1);
    let width = BARS as f64 * BAR;
    html! {
        svg class={ "waves " (speaker.name()) } viewBox={ "0 0 " (width) " " (2.0 * HALF) } preserveAspectRatio="none"
            role="img" aria-label=(words) {
            path.said d=(bars(said, longest, -1.0)) {}
            path.heard d=(bars(heard, longest, 1.0)) {}
            line.middle x1="0" x2=(width) y1=(HALF) y2=(HALF) {}
            line.playhead x1="0" x2="0" y1="0" y2=(2.0 * HALF) {}
        }
    }
}

/// The loudest sample of each bar's time as a stroke from the middle line.
fn bars(samples: &[i16], longest: usize, direction: f64) -> String {
    let mut path = String::new();
    let each = longest.div_ceil(BARS);
    for (at, bar) in samples.chunks(each).enumerate() {
        let peak = bar.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default();
        // A voice's quiet parts show better by their root.
        let height = (f64::from(peak) / 32768.0).sqrt() * (HALF - 2.0);
        if height >= 1.0 {
            let x = at as f64 * BAR + 1.0;
            path.push_str(&format!("M{x} {HALF}V{:.0}", HALF + direction * height));
        }
    }
    path
}
