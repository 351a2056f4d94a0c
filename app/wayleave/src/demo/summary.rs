//! What came of the call.

use std::path::PathBuf;
use std::time::Duration;

use netsim::NatTable;
use phone::Path;
use scenarios::{Report, Side, Signalling, Who};
use serde_json::json;

use super::outcome::{Call, Outcome, via_name};
use super::{files, report};
use crate::ladder::Topic;
use crate::ui::Ui;
use crate::{events, explain};

/// Path, quality, NAT tables, and the same call without ICE; of two calls also what each takes.
pub fn show(ui: &Ui, outcome: &Outcome) {
    if outcome.calls.len() > 1 {
        heading(ui, "Who said what to whom, from when Alice calls");
        files::ladder_text(outcome, true).lines().for_each(|line| ui.say(format!("  {line}")));
        ui.say("");
        compare(ui, outcome);
    }
    for call in &outcome.calls {
        explain(ui, call);
    }
    for call in &outcome.calls {
        let over = over_what(outcome, call);
        path(ui, call, &over);
        quality(ui, &call.report, &over);
        nats(ui, &call.report, &over);
    }
    without_ice(ui, outcome);
}

/// Which call a heading speaks of, where there are two.
fn over_what(outcome: &Outcome, call: &Call) -> String {
    let several = outcome.calls.len() > 1;
    if several { format!(", over {}", via_name(call.spec.via)) } else { String::new() }
}

/// The time of what is told when all is over.
fn end_ms(call: &Call) -> u64 {
    call.report.world.now().mono.as_millis()
}

/// What two calls take, side by side.
fn compare(ui: &Ui, outcome: &Outcome) {
    heading(ui, "What it takes");
    let row = |what: &str, of: &dyn Fn(&Call) -> String| {
        let cells: Vec<String> =
            outcome.calls.iter().map(|call| format!("{:<26}", of(call))).collect();
        ui.say(format!("  {what:<34}{}", cells.concat().trim_end()));
    };
    row("", &|call| via_name(call.spec.via).to_owned());
    let time = |time: Option<Duration>, rtt| match time {
        Some(time) => {
            let trips = report::round_trips(time, rtt);
            format!("{} ms = {trips:.1} round trips", time.as_millis())
        }
        None => "–".to_owned(),
    };
    let step = |of: fn(Signalling) -> Option<Duration>| {
        move |call: &Call| time(of(call.report.signalling()), call.spec.rtt)
    };
    row("until Alice can be reached", &step(|signalling| signalling.reachable));
    row("from dialling until it rings", &step(|signalling| signalling.ringing));
    row("from taking the call to her", &step(|signalling| signalling.answered));
    row("from the answer to media", &|call| time(call.report.alice.time_to_media(), call.spec.rtt));
    row("messages to log in", &|call| call.messages(Topic::Login).to_string());
    row("messages for the call", &|call| call.messages(Topic::Signalling).to_string());
    row("the media's path", &|call| kinds(&call.report.alice));
    row("checks of ICE sent by both", &|call| {
        let sides = [&call.report.alice, &call.report.bob].into_iter();
        let sent = sides.filter_map(|side| side.explanation.as_ref()).map(|e| e.checks_sent);
        sent.map(|sent| sent as usize).sum::<usize>().to_string()
    });
    ui.say("");
}

/// `direct, srflx to srflx`.
fn kinds(side: &Side) -> String {
    let Some(path) = &side.path else { return "none".to_owned() };
    let name = |kind: Option<phone::CandidateKind>| kind.map_or("?", |kind| kind.name());
    let how = if path.relayed { "relayed" } else { "direct" };
    format!("{how}, {} to {}", name(path.local_type), name(path.remote_type))
}

/// Tells programs why each side has the path that it has.
fn explain(ui: &Ui, call: &Call) {
    for who in [Who::Alice, Who::Bob] {
        if let (Some(path), Some(verdict)) = (&call.report.side(who).path, call.verdict(who)) {
            let mut fields = explain::verdict_fields(verdict, Some(path));
            fields["who"] = who.name().into();
            fields["via"] = call.spec.via.name().into();
            ui.event_at(end_ms(call), "explain", fields);
        }
    }
}

fn heading(ui: &Ui, text: &str) {
    ui.say(ui.paint("1", text));
}

fn path(ui: &Ui, call: &Call, which: &str) {
    let report = &call.report;
    let (Some(path), Some(verdict)) = (&report.alice.path, call.verdict(Who::Alice)) else {
        if let Some(explanation) = &report.alice.explanation {
            heading(ui, &format!("What was tried{which}"));
            explanation.words().iter().for_each(|line| ui.say(format!("  {line}")));
            ui.say("");
        }
        return;
    };
    heading(ui, &format!("The path that won, and why{which}"));
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

fn quality(ui: &Ui, report: &Report, which: &str) {
    heading(ui, &format!("What was heard{which}"));
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

fn nats(ui: &Ui, report: &Report, which: &str) {
    let sides = [("Alice", &report.alice_nats), ("Bob", &report.bob_nats)];
    if sides.iter().all(|(_, nats)| nats.is_empty()) {
        return;
    }
    heading(ui, &format!("The NATs' tables while they spoke{which}"));
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

fn without_ice(ui: &Ui, outcome: &Outcome) {
    heading(ui, "The same call with ICE off");
    let packets = |side: &Side| side.stats.as_ref().map_or(0, |stats| stats.received);
    let mut silent = true;
    for call in &outcome.calls {
        let (without, via) = (&call.without, call.spec.via);
        let (bob, alice) = (packets(&without.bob), packets(&without.alice));
        silent &= bob == 0 && alice == 0 && without.alice.answered.is_some();
        let fields = json!({ "bob_received": bob, "alice_received": alice, "via": via.name() });
        ui.event_at(end_ms(call), "without_ice", fields);
        let several = outcome.calls.len() > 1;
        let over = if several { format!("Over {}: ", via_name(via)) } else { String::new() };
        ui.say(format!("  {over}Bob heard {bob} packets, Alice heard {alice}."));
    }
    if silent {
        ui.say("  ERROR: each sent to the address that the other's description named, and that");
        ui.say("  address means nothing outside of its network.");
    }
    ui.say("");
}

/// Where the files are.
pub fn files(ui: &Ui, outcome: &Outcome, files: &[(PathBuf, String)]) {
    heading(ui, "Files");
    let at_ms = outcome.calls.last().map_or(0, end_ms);
    for (path, what) in files {
        ui.event_at(at_ms, "file", json!({ "path": path.to_string_lossy(), "what": what }));
    }
    columns(files).iter().for_each(|line| ui.say(line));
}

/// A line for each file, in columns however long the folder's name is.
fn columns(files: &[(PathBuf, String)]) -> Vec<String> {
    let name = |path: &PathBuf| path.display().to_string();
    let longest = files.iter().map(|(path, _)| name(path).chars().count()).max();
    let width = longest.unwrap_or_default();
    files.iter().map(|(path, what)| format!("  {:<width$}  {what}", name(path))).collect()
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn files_stand_in_columns_however_long_their_names_are() {
        let file = |path: &str| (path.into(), "what".to_owned());
        let folder = "/a/very/long/folder/that/somebody/named/for/the/demo";
        let lines =
            columns(&[file(&format!("{folder}/x")), file(&format!("{folder}/longer.html"))]);
        let column = |line: &String| line.find("what").unwrap();
        assert_eq!(column(&lines[0]), column(&lines[1]), "{lines:#?}");
        assert_eq!(lines[1], format!("  {folder}/longer.html  what"));
    }
}
