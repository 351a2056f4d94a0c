//! What came of the call.

use std::path::PathBuf;

use netsim::NatTable;
use phone::Path;
use scenarios::{Report, Side, Who};
use serde_json::json;

use super::Outcome;
use crate::ui::Ui;
use crate::{events, explain};

/// Path, quality, NAT tables, and the same call without ICE.
pub fn show(ui: &Ui, at_ms: u64, outcome: &Outcome<'_>) {
    path(ui, at_ms, outcome);
    quality(ui, outcome.call);
    nats(ui, outcome.call);
    without_ice(ui, at_ms, outcome.without);
}

fn heading(ui: &Ui, text: &str) {
    ui.say(ui.paint("1", text));
}

fn path(ui: &Ui, at_ms: u64, outcome: &Outcome<'_>) {
    let report = outcome.call;
    let (Some(path), Some(verdict)) = (&report.alice.path, outcome.verdict(Who::Alice)) else {
        if let Some(explanation) = &report.alice.explanation {
            heading(ui, "What was tried");
            explanation.words().iter().for_each(|line| ui.say(format!("  {line}")));
            ui.say("");
        }
        return;
    };
    heading(ui, "The path that won, and why");
    for who in [Who::Alice, Who::Bob] {
        if let (Some(path), Some(verdict)) = (&report.side(who).path, outcome.verdict(who)) {
            let mut fields = explain::verdict_fields(verdict, Some(path));
            fields["who"] = who.name().into();
            ui.event_at(at_ms, "explain", fields);
        }
    }
    ui.say(format!("  {}", route(path)));
    if path.relayed {
        ui.say("  Relayed: there is no direct way between Alice and Bob.");
        for side in [("Alice", &report.alice), ("Bob", &report.bob)] {
            ui.say(format!("  {}", over(side)));
        }
    } else {
        ui.say(format!("  {}", verdict.verdict));
    }
    verdict.causes.iter().for_each(|cause| ui.say(format!("  {cause}")));
    verdict.remedies.iter().for_each(|remedy| ui.say(format!("  Would have helped: {remedy}.")));
    if let Some(time) = report.alice.time_to_media() {
        ui.say(format!("  Alice heard Bob {} ms after his answer.", time.as_millis()));
    }
    ui.say("");
}

/// How one side's media get to the relay.
fn over((name, side): (&str, &Side)) -> String {
    let Some(path) = &side.path else { return format!("{name} has no path.") };
    let Some(relay) = path.relay else {
        return format!("{name} sends to the other side's address on the relay, {}.", path.remote);
    };
    let over = events::transport_name(path.transport).to_uppercase();
    let at = path.local;
    format!("{name} sends to the relay {relay} over {over}, and is reached at {at} there.")
}

fn route(path: &Path) -> String {
    let inside = if path.base == path.local { String::new() } else { format!("{} = ", path.base) };
    format!("Alice {inside}{}  ⇄  {} Bob", path.local, path.remote)
}

fn quality(ui: &Ui, report: &Report) {
    heading(ui, "What was heard");
    for who in [Who::Bob, Who::Alice] {
        let side = report.side(who);
        let (listener, speaker) = if who == Who::Bob { ("Bob", "Alice") } else { ("Alice", "Bob") };
        let heard = match &side.stats {
            Some(stats) if stats.received > 0 => format!(
                "{} packets received, {} lost, jitter {:.1} ms, MOS {:.2}",
                stats.received,
                stats.lost,
                stats.jitter.as_secs_f64() * 1e3,
                stats.mos().unwrap_or_default()
            ),
            _ => "nothing".to_owned(),
        };
        ui.say(format!("  {listener} of {speaker}: {heard}"));
    }
    ui.say("");
}

fn nats(ui: &Ui, report: &Report) {
    let sides = [("Alice", &report.alice_nats), ("Bob", &report.bob_nats)];
    if sides.iter().all(|(_, nats)| nats.is_empty()) {
        return;
    }
    heading(ui, "The NATs' tables while they spoke");
    for (name, nats) in sides {
        for (at, nat) in nats.iter().enumerate() {
            let which = if nats.len() > 1 { format!(" {}", at + 1) } else { String::new() };
            table(ui, &format!("{name}'s NAT{which}"), nat);
        }
    }
    ui.say("");
}

fn table(ui: &Ui, title: &str, nat: &NatTable) {
    ui.say(format!("  {title}"));
    for mapping in &nat.mappings {
        let remotes: Vec<String> = mapping.remotes.iter().map(ToString::to_string).collect();
        ui.say(format!(
            "    {:<21} as {:<21} spoke to {}",
            mapping.inside,
            mapping.outside,
            remotes.join(", ")
        ));
    }
}

fn without_ice(ui: &Ui, at_ms: u64, without: &Report) {
    heading(ui, "The same call with ICE off");
    let packets = |side: &Side| side.stats.as_ref().map_or(0, |stats| stats.received);
    let (bob, alice) = (packets(&without.bob), packets(&without.alice));
    ui.event_at(at_ms, "without_ice", json!({ "bob_received": bob, "alice_received": alice }));
    ui.say(format!("  Bob heard {bob} packets, Alice heard {alice}."));
    if bob == 0 && alice == 0 && without.alice.answered.is_some() {
        ui.say("  ERROR: each sent to the address that the other's description named, and that");
        ui.say("  address means nothing outside of its network.");
    }
    ui.say("");
}

/// Where the files are.
pub fn files(ui: &Ui, at_ms: u64, files: &[(PathBuf, &str)]) {
    heading(ui, "Files");
    for (path, what) in files {
        ui.event_at(at_ms, "file", json!({ "path": path.to_string_lossy(), "what": what }));
        ui.say(format!("  {:<32} {what}", path.display()));
    }
}
