//! The same call without ICE, and what it takes over each signalling.

use std::time::Duration;

use maud::{Markup, html};
use scenarios::{Side, Signalling, Who};

use super::{name, part};
use crate::demo::outcome::{Call, Outcome, via_name};
use crate::demo::report::round_trips;
use crate::ladder::Topic;

/// What the call takes over each signalling.
pub fn signalling(outcome: &Outcome) -> Markup {
    let about = "The media take the same way whoever carries the offer; the signalling differs.";
    part("takes", "What it takes over SIP and over XMPP", about, takes(outcome))
}

/// What the same call does without ICE.
pub fn without(outcome: &Outcome) -> Markup {
    let about = "Each side tells the address that it knows of itself, and sends to the one that it is \
                 told.";
    let several = outcome.calls.len() > 1;
    let sides = || {
        let whos = [Who::Alice, Who::Bob];
        outcome.calls.iter().flat_map(move |call| whos.map(|who| (call, who)))
    };
    let most = sides().map(|(call, who)| received(call.report.side(who))).max();
    let most = most.unwrap_or_default().max(1);
    let content = html! {
        div.card {
            table.rows.meters {
                caption { "Packets that arrived" }
                thead { tr { th scope="col" { "Who heard" } th scope="col" { "With ICE" } th scope="col" { "Without" } } }
                tbody {
                    @for (call, who) in sides() {
                        tr {
                            th scope="row" { (name(who)) @if several { ", over " (via_name(call.spec.via)) } }
                            td data-name="With ICE" { (meter(received(call.report.side(who)), most)) }
                            td data-name="Without" { (meter(received(call.without.side(who)), most)) }
                        }
                    }
                }
            }
            (verdict(outcome))
        }
    };
    part("without", "The same call without ICE", about, content)
}

/// Why it is so.
fn verdict(outcome: &Outcome) -> Markup {
    let (with, without) = (&outcome.first().report, &outcome.first().without);
    let deaf =
        |call: &Call| [&call.without.alice, &call.without.bob].iter().all(|s| received(s) == 0);
    let deaf = outcome.calls.iter().all(deaf);
    html! {
        @if deaf && without.alice.answered.is_some() {
            p {
                strong.bad { "Nobody heard anything. " }
                "Alice told " code { (with.topology.alice.address) } " and Bob told " code { (with.topology.bob.address) }
                ": each sent to an address that means nothing outside of the other's network."
            }
        } @else if deaf {
            p { strong.bad { "The call did not come about." } }
        } @else {
            p { "What arrived did so because the address that was told can be reached from outside." }
        }
    }
}

fn meter(value: u64, most: u64) -> Markup {
    let share = value as f64 / most as f64 * 100.0;
    html! {
        span.meter aria-hidden="true" { span style={ "width:" (format!("{share:.0}")) "%" } {} }
        b { (value) }
    }
}

fn received(side: &Side) -> u64 {
    side.stats.as_ref().map_or(0, |stats| stats.received)
}

/// What one call comes to, in a few words.
type Figure<'a> = Box<dyn Fn(&Call) -> String + 'a>;

/// What the call takes over each signalling.
fn takes(outcome: &Outcome) -> Markup {
    let time = |time: Option<Duration>, rtt| match time {
        Some(time) => format!("{} ms, {:.1} round trips", time.as_millis(), round_trips(time, rtt)),
        None => "–".to_owned(),
    };
    let step = |of: fn(Signalling) -> Option<Duration>| {
        move |call: &Call| time(of(call.report.signalling()), call.spec.rtt)
    };
    let path = |call: &Call| {
        let Some(path) = &call.report.alice.path else { return "none".to_owned() };
        let kind = |kind: Option<phone::CandidateKind>| kind.map_or("?", |kind| kind.name());
        let how = if path.relayed { "relayed" } else { "direct" };
        format!("{how}, {} to {}", kind(path.local_type), kind(path.remote_type))
    };
    let rows: [(&str, Figure<'_>); 8] = [
        ("Until Alice can be reached", Box::new(step(|signalling| signalling.reachable))),
        ("From dialling until it rings", Box::new(step(|signalling| signalling.ringing))),
        ("From taking the call to her", Box::new(step(|signalling| signalling.answered))),
        (
            "From the answer to sound",
            Box::new(|call| time(call.report.alice.time_to_media(), call.spec.rtt)),
        ),
        ("Messages to log in", Box::new(|call| call.messages(Topic::Login).to_string())),
        ("Messages for the call", Box::new(|call| call.messages(Topic::Signalling).to_string())),
        ("The media's path", Box::new(path)),
        ("Checks of ICE, of both", Box::new(|call| call.checks().to_string())),
    ];
    html! {
        div.card {
            table.rows {
                caption.hidden { "What the call takes over each signalling" }
                thead {
                    tr {
                        th scope="col" { "What" }
                        @for call in &outcome.calls { th scope="col" { (via_name(call.spec.via)) } }
                    }
                }
                tbody {
                    @for (what, of) in &rows {
                        tr {
                            th scope="row" { (what) }
                            @for call in &outcome.calls { td data-name=(via_name(call.spec.via)) { (of(call)) } }
                        }
                    }
                }
            }
        }
    }
}
