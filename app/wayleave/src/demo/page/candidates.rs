//! What could have been a path: candidates, pairs, and what became of each.

use maud::{Markup, html};
use phone::{Candidate, Fate, PairReport};
use scenarios::{Side, Who};

use super::{each, kind_words, name, part};
use crate::demo::outcome::{Call, Outcome};

pub fn section(outcome: &Outcome) -> Markup {
    let about = "Each side collects the addresses that it might be reached at, tells them to the other \
                 side, and tries every pair of one here and one there.";
    part("candidates", "Candidates and pairs", about, each(outcome, both))
}

fn both(call: &Call) -> Markup {
    html! {
        div.sides-by-side {
            @for who in [Who::Alice, Who::Bob] { (side(call.report.side(who), who)) }
        }
    }
}

fn side(side: &Side, who: Who) -> Markup {
    let (candidates, pairs) = match &side.explanation {
        Some(explanation) => {
            let local = explanation.local.iter().map(|(_, candidate)| candidate.clone()).collect();
            (local, explanation.pairs.clone())
        }
        None => (side.candidates.clone(), side.pairs.clone()),
    };
    let rtcp = pairs.iter().filter(|pair| pair.component != 1).count();
    html! {
        div.card {
            h3.sub { (name(who)) }
            (offered(who, &candidates))
            @let pairs: Vec<&PairReport> = pairs.iter().filter(|pair| pair.component == 1).collect();
            @if pairs.is_empty() {
                p.empty { "No pair: one of the two sides had nothing to offer." }
            } @else {
                (tried(who, &pairs))
            }
            @if rtcp > 0 { p.more { (rtcp) " more pairs were for the reports (RTCP), beside the sound (RTP)." } }
        }
    }
}

fn offered(who: Who, candidates: &[Candidate]) -> Markup {
    html! {
        table.rows.compact {
            caption { "Candidates of " (super::capital(who.name())) }
            thead { tr { th scope="col" { "Address" } th scope="col" { "What it is" } th scope="col" { "For" } } }
            tbody {
                @for candidate in candidates {
                    tr {
                        th scope="row" { code { (candidate.endpoint) } }
                        td data-name="What it is" {
                            span class={ "kind " (candidate.kind.name()) } { (candidate.kind.name()) } " "
                            (kind_words(candidate.kind))
                        }
                        td data-name="For" { @if candidate.component == 1 { "sound" } @else { "reports" } }
                    }
                }
            }
        }
    }
}

fn tried(who: Who, pairs: &[&PairReport]) -> Markup {
    html! {
        table.rows.pairs {
            caption { "Pairs that " (super::capital(who.name())) " tried for the sound, the best first" }
            thead {
                tr {
                    th scope="col" { "Pair" } th scope="col" { "From, to" } th scope="col" { "What became of it" }
                    th scope="col" { "Checks" } th scope="col" { "Round trip" }
                }
            }
            tbody {
                @for pair in pairs {
                    tr class=(class(&pair.fate)) {
                        th.number scope="row" { span.name-of-row { "Pair " } (pair.id) }
                        td data-name="From, to" {
                            span.way-of { code { (pair.local.endpoint) } code { "→ " (pair.remote.endpoint) } }
                        }
                        td data-name="Fate" {
                            span class={ "fate " (class(&pair.fate)) } {
                                span aria-hidden="true" { (sign(&pair.fate)) } " " (pair.fate)
                            }
                        }
                        td.number data-name="Checks" { (pair.checks_sent) }
                        td.number data-name="Round trip" {
                            @match pair.rtt {
                                Some(rtt) => { (format!("{:.0}", rtt.as_secs_f64() * 1e3)) " ms" }
                                None => "–",
                            }
                        }
                    }
                }
            }
        }
    }
}

const fn class(fate: &Fate) -> &'static str {
    match fate {
        Fate::Selected => "won",
        Fate::Works => "works",
        Fate::Pruned(_) | Fate::NotTried | Fate::Superseded | Fate::Trying => "idle",
        _ => "failed",
    }
}

/// A sign that says the same as the colour.
fn sign(fate: &Fate) -> &'static str {
    match class(fate) {
        "won" => "★",
        "works" => "✓",
        "idle" => "·",
        _ => "✗",
    }
}
