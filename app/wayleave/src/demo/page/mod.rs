//! `report.html`: the whole story on one page that needs nothing else, not even a script.
//!
//! | module | what |
//! |---|---|
//! | `topology` | who is behind what, with the NATs' tables as on the talk's slides |
//! | `path` | which path won and why, or why there is none |
//! | `candidates` | what could have been a path, and what became of it |
//! | `ladder` | who said what to whom, and every message in full |
//! | `quality` | how it sounded over time |
//! | `sound` | both sides' sound, to look at and to hear |
//! | `compare` | the same call without ICE, and over the other signalling |
//!
//! Text that came over the wire is escaped by `maud`. The page forbids itself whatever lies outside of
//! it (Content Security Policy).

mod candidates;
mod compare;
mod ladder;
mod path;
mod quality;
mod sound;
mod topology;

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use scenarios::{Access, Spec, Who};

use super::outcome::{Call, Outcome, via_name};
use crate::ladder::svg;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What the page may load: nothing but what is in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      media-src data:; img-src data:; base-uri 'none'; form-action 'none'";

/// The page.
pub fn render(outcome: &Outcome) -> String {
    let fate = Fate::of(outcome.failed().unwrap_or_else(|| outcome.first()));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { "Alice calls Bob: " (fate.short()) }
                style { (PreEscaped(STYLE)) (PreEscaped(svg::STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the call" }
                (head(outcome, fate))
                main #main {
                    @if outcome.calls.len() > 1 {
                        (compare::signalling(outcome))
                        (ladder::section(outcome))
                    }
                    (topology::section(outcome))
                    (path::section(outcome))
                    (candidates::section(outcome))
                    (sound::section(outcome))
                    (quality::section(outcome))
                    @if outcome.calls.len() == 1 { (ladder::section(outcome)) }
                    (compare::without(outcome))
                }
                (foot(outcome))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// How a call's media went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Direct,
    Relayed,
    None,
}

impl Fate {
    fn of(call: &Call) -> Self {
        match &call.report.alice.path {
            Some(path) if call.report.connected() => {
                if path.relayed {
                    Self::Relayed
                } else {
                    Self::Direct
                }
            }
            _ => Self::None,
        }
    }

    const fn class(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Relayed => "relayed",
            Self::None => "none",
        }
    }

    const fn short(self) -> &'static str {
        match self {
            Self::Direct => "connected directly",
            Self::Relayed => "connected through a relay",
            Self::None => "no path for the media",
        }
    }

    /// A sign that says the same as the colour.
    const fn sign(self) -> &'static str {
        match self {
            Self::Direct => "✓",
            Self::Relayed => "⤴",
            Self::None => "✗",
        }
    }
}

fn head(outcome: &Outcome, fate: Fate) -> Markup {
    html! {
        header.top {
            p.brand { "wayleave demo" }
            h1 { "Alice calls Bob" }
            p.verdict { span class={ "badge " (fate.class()) } { span aria-hidden="true" { (fate.sign()) } " " (capital(fate.short())) } }
            p.lede { (lede(&outcome.first().spec, &vias(outcome))) }
            (tiles(outcome))
            nav aria-label="On this page" {
                @for (id, name) in parts(outcome) { a href={ "#" (id) } { (name) } }
            }
        }
    }
}

/// The sections in their order, by id and in a word or two.
fn parts(outcome: &Outcome) -> Vec<(&'static str, &'static str)> {
    let ladder = ("ladder", "Ladder");
    let mut parts =
        vec![("where", "Who is where"), ("path", "The path"), ("candidates", "Candidates")];
    parts.extend([("sound", "Sound"), ("quality", "Quality")]);
    if outcome.calls.len() > 1 {
        parts.splice(0..0, [("takes", "SIP and XMPP"), ladder]);
    } else {
        parts.push(ladder);
    }
    parts.push(("without", "Without ICE"));
    parts
}

/// What was simulated, in a sentence or two.
fn lede(spec: &Spec, vias: &[&str]) -> Markup {
    let loss = [("Alice", spec.alice_loss), ("Bob", spec.bob_loss)];
    let loss: Vec<String> = loss
        .iter()
        .filter(|(_, share)| *share > 0.0)
        .map(|(who, share)| format!("{:.0} % of what {who} sends is lost", share * 100.0))
        .collect();
    html! {
        "Over " (vias.join(" and then over ")) ". Alice is " strong { (behind(&spec.alice)) } ", Bob is "
        strong { (behind(&spec.bob)) } ". A round trip takes " (spec.rtt.as_millis()) " ms between any two of them and the core; "
        @if loss.is_empty() { "no packet is lost" } @else { (loss.join(", ")) }
        @if spec.turn { "." } @else { "; there is no relay." }
    }
}

/// Where somebody is, in words.
fn behind(access: &Access) -> String {
    let kind = access.to_string();
    match (access.nats().len(), kind.contains('=')) {
        (0, _) if access.firewall().is_none() => "at a public address".to_owned(),
        (0, _) => format!("behind a firewall ({kind})"),
        (1, false) if access.firewall().is_none() => {
            let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            format!("behind {article} {kind} NAT")
        }
        (1, _) if access.firewall().is_none() => format!("behind a NAT ({kind})"),
        (1, _) => format!("behind a NAT and a firewall ({kind})"),
        _ => format!("behind two NATs in a row ({kind})"),
    }
}

/// The call in figures; of several calls those of each.
fn tiles(outcome: &Outcome) -> Markup {
    let several = outcome.calls.len() > 1;
    let each = |of: &dyn Fn(&Call) -> Option<String>| {
        let figure = |call| of(call).unwrap_or_else(|| "–".to_owned());
        outcome.calls.iter().map(figure).collect::<Vec<_>>().join(" / ")
    };
    let ms = |of: &dyn Fn(&Call) -> Option<Duration>| {
        let figures = each(&|call| Some(of(call)?.as_millis().to_string()));
        let unit = !several && figures != "–";
        if unit { format!("{figures} ms") } else { figures }
    };
    let unit = |what| if several { format!("ms, {what}") } else { String::from(what) };
    let mos = |call: &Call, who| {
        let stats = call.report.side(who).stats.as_ref()?;
        Some(format!("{:.1}", stats.mos()?))
    };
    let sound = |call: &Call| {
        let (alice, bob) = (mos(call, Who::Alice)?, mos(call, Who::Bob)?);
        Some(if several { alice.min(bob) } else { format!("{alice} / {bob}") })
    };
    let [ringing, first, path] =
        ["from dialling", "from Bob's answer", "of the media's path"].map(unit);
    let [checks, packets] = ["sent by both", "in both directions"].map(str::to_owned);
    let opinion = if several { "of 4.5" } else { "of 4.5, for Alice / Bob" };
    let tiles = [
        ("Ringing after", ms(&|call| call.report.signalling().ringing), ringing),
        ("Sound after", ms(&|call| call.report.alice.time_to_media()), first),
        ("Round trip", ms(&|call| call.report.alice.path.as_ref()?.rtt), path),
        ("Checks of ICE", each(&|call| Some(call.checks().to_string())), checks),
        ("Packets lost", each(&lost), packets),
        ("Sounds like", each(&sound), opinion.to_owned()),
    ];
    html! {
        dl.tiles {
            @for (name, value, what) in &tiles {
                div { dt { (name) } dd { b { (value) } small { (what) } } }
            }
        }
        @if several {
            p.more { "Two figures are those over " (vias(outcome).join(" and over ")) "." }
        }
    }
}

/// Packets lost on both ways, if any arrived.
fn lost(call: &Call) -> Option<String> {
    let stats = [&call.report.alice, &call.report.bob].map(|side| side.stats.as_ref());
    let stats = || stats.iter().flatten();
    if stats().all(|stats| stats.received == 0) {
        return None;
    }
    Some(stats().map(|stats| stats.lost).sum::<u64>().to_string())
}

/// Over what they call, one call after the other.
fn vias(outcome: &Outcome) -> Vec<&'static str> {
    outcome.calls.iter().map(|call| via_name(call.spec.via)).collect()
}

/// A section with its heading, and what it is about.
fn part(id: &str, title: &str, about: &str, content: Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            @if !about.is_empty() { p.about { (about) } }
            (content)
        }
    }
}

/// The same for each call; of several each under its name.
fn each(outcome: &Outcome, content: impl Fn(&Call) -> Markup) -> Markup {
    html! {
        @for call in &outcome.calls {
            @if outcome.calls.len() > 1 { h3.via { "Over " (via_name(call.spec.via)) } }
            (content(call))
        }
    }
}

fn foot(outcome: &Outcome) -> Markup {
    let Spec { alice, bob, seed, rtt, turn, alice_loss, bob_loss, .. } = &outcome.first().spec;
    let built_in = audio::wav::decode(super::ALICE);
    let own = built_in.is_ok_and(|said| said[..] != outcome.first().spec.alice_says[..]);
    let via: Vec<&str> = outcome.calls.iter().map(|call| call.spec.via.name()).collect();
    let mut command = format!("wayleave demo --alice {alice} --bob {bob} --via {}", via.join(","));
    if !turn {
        command.push_str(" --no-turn");
    }
    if own {
        command.push_str(" --play FILE.wav");
    }
    if rtt.as_millis() != 40 {
        command.push_str(&format!(" --rtt {}", rtt.as_millis()));
    }
    if alice_loss.max(*bob_loss) > 0.0 {
        command.push_str(&format!(" --loss {},{}", alice_loss * 100.0, bob_loss * 100.0));
    }
    command.push_str(&format!(" --seed {seed}"));
    html! {
        footer {
            p { "Simulated in virtual time, by the code that also runs on real sockets. The same call again, to the byte:" }
            pre.command { code { (command) } }
        }
    }
}

fn capital(text: &str) -> String {
    svg::capital(text)
}

/// A name, in its colour.
fn name(who: Who) -> Markup {
    html! { span class={ "who " (who.name()) } { (capital(who.name())) } }
}

/// The kind of a candidate in words.
const fn kind_words(kind: phone::CandidateKind) -> &'static str {
    match kind {
        phone::CandidateKind::Host => "own address",
        phone::CandidateKind::ServerReflexive => "outside address, told by STUN",
        phone::CandidateKind::PeerReflexive => "outside address, revealed by a check",
        phone::CandidateKind::Relayed => "address on a relay",
    }
}

#[cfg(test)]
mod tests;
