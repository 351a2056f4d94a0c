//! Who said what to whom: pictures for wide and narrow windows, and every message in full.

use maud::{Markup, html};
use scenarios::Via;

use super::part;
use crate::demo::files::ladder_text;
use crate::demo::outcome::{Call, Outcome, via_name};
use crate::ladder::layout::{self, Align};
use crate::ladder::svg::{self, Sheet};
use crate::ladder::{Ladder, Row, Topic};

pub fn section(outcome: &Outcome) -> Markup {
    let several = outcome.calls.len() > 1;
    let about = if several {
        "The same call over SIP and over XMPP, side by side, in seconds from when Alice calls. What the \
         core is told under TLS is shown as it was before."
    } else {
        "Every message, in seconds from the start; media that flow without a break are one row. A \
         dashed arrow did not arrive. Underlined messages can be read in full below."
    };
    let content = html! {
        (legend(outcome))
        @if several { (beside(outcome)) } @else { (alone(outcome.first())) }
        details { summary { "The ladder as text" } pre.wide tabindex="0" { (ladder_text(outcome, false)) } }
        @for call in &outcome.calls { (messages(call, several)) }
    };
    part("ladder", "The ladder", about, content)
}

/// What the colours mean.
fn legend(outcome: &Outcome) -> Markup {
    let topics = [
        (Topic::Login, "logging in"),
        (Topic::Signalling, "the call"),
        (Topic::Address, "asking STUN"),
        (Topic::Check, "checks of ICE"),
        (Topic::Relay, "asking the relay"),
    ];
    html! {
        ul.legend {
            @for (topic, words) in topics {
                @let said: usize = outcome.calls.iter().map(|call| call.messages(topic)).sum();
                @if said > 0 {
                    li class=(svg::topic_class(topic)) { (words) " " span.count { "(" (said) ")" } }
                }
            }
        }
    }
}

fn window(content: Markup, label: &str, class: &str) -> Markup {
    html! { div class={ "window " (class) } tabindex="0" role="region" aria-label=(label) { (content) } }
}

fn alone(call: &Call) -> Markup {
    let lines = layout::all(&call.ladder);
    let prefix = prefix(call.spec.via);
    let draw = |sheet| svg::inline(&call.ladder, &lines, sheet, false, &prefix);
    html! {
        (window(draw(Sheet::WIDE), "The ladder", "for-wide"))
        (window(draw(Sheet::NARROW), "The ladder", "for-narrow"))
    }
}

fn beside(outcome: &Outcome) -> Markup {
    let ladders: Vec<&Ladder> = outcome.calls.iter().map(|call| &call.ladder).collect();
    let lines = layout::lines(&ladders, Align::Starts);
    let pictures = html! {
        div.beside {
            @for (at, call) in outcome.calls.iter().enumerate() {
                div {
                    h3.via { "Over " (via_name(call.spec.via)) }
                    (svg::inline(&call.ladder, &layout::column(&lines, at), Sheet::HALF, true, &prefix(call.spec.via)))
                }
            }
        }
    };
    html! {
        (window(pictures, "Both ladders", "for-wide"))
        @for call in &outcome.calls {
            @let name = format!("Over {}", via_name(call.spec.via));
            @let lines = layout::all(&call.ladder);
            div.for-narrow { h3.via { (name) } }
            (window(svg::inline(&call.ladder, &lines, Sheet::NARROW, true, &prefix(call.spec.via)), &name, "for-narrow"))
        }
    }
}

/// What the ids of a call's messages begin with.
fn prefix(via: Via) -> String {
    format!("said-{}-", via.name())
}

/// The messages that people can read.
fn messages(call: &Call, several: bool) -> Markup {
    let Ladder { columns, rows, .. } = &call.ladder;
    let said: Vec<(usize, &Row)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| matches!(row, Row::Message { text: Some(_), .. }))
        .collect();
    if said.is_empty() {
        return html! {};
    }
    html! {
        details.messages {
            summary {
                (said.len()) " messages in full"
                @if several { ", over " (via_name(call.spec.via)) }
            }
            @for (at, row) in said {
                @if let Row::Message { at: when, from, to, label, text: Some(text), .. } = row {
                    details.message {
                        summary {
                            span.when { (format!("{:.3}", when.as_secs_f64())) } " "
                            (svg::capital(&columns[*from])) " → " (svg::capital(&columns[*to])) ": " b { (label) }
                        }
                        pre id={ (prefix(call.spec.via)) (at) } tabindex="0" { (text.trim_end()) }
                    }
                }
            }
        }
    }
}
