//! What a load says in the end.

use serde_json::{Value, json};

use super::Args;
use super::gauge::Spent;
use super::traffic::Passed;
use crate::bench::load::Outcome;
use crate::bench::{hundredths, not_measured, split_text};
use crate::ui::Ui;

/// What came of a load.
#[derive(Debug, Default)]
pub struct Report {
    /// The allocations.
    pub allocate: Option<(Outcome, Spent)>,
    /// The permissions or channels.
    pub permit: Option<(Outcome, Spent)>,
    /// The packets that went before, to see whether any come through.
    pub trial: Option<Passed>,
    /// The packets.
    pub traffic: Option<(Passed, Spent)>,
}

impl Report {
    /// Tells it.
    pub fn tell(&self, args: &Args, ui: &Ui) {
        let Args { allocations, size, train, transport, direction, via, .. } = args;
        ui.event(
            "bench",
            json!({
                "what": "turn", "transport": word(transport), "direction": word(direction),
                "via": word(via), "allocations": allocations, "size": size, "train": train,
                "packets": args.packets,
                "allocate": self.allocate.as_ref().map(|(o, s)| requests_json(o, s)),
                "permit": self.permit.as_ref().map(|(o, s)| requests_json(o, s)),
                "trial": self.trial.map(|Passed { sent, received, .. }| json!({
                    "sent": sent, "received": received,
                })),
                "traffic": self.traffic.as_ref().map(|(p, s)| traffic_json(p, s)),
            }),
        );
        if ui.is_json() {
            return;
        }
        if let Some((outcome, spent)) = &self.allocate {
            ui.say(requests_text("allocations", outcome, spent));
        }
        if let Some((outcome, spent)) = &self.permit {
            ui.say(requests_text("permissions", outcome, spent));
        }
        if let Some((passed, spent)) = &self.traffic {
            ui.say(traffic_text(passed, spent));
            if passed.sent != args.packets {
                ui.say(format!(
                    "sent: {} of {} asked, in whole trains of {train}",
                    passed.sent, args.packets
                ));
            }
        }
        if args.pid.is_none() {
            ui.say("server CPU and memory: not measured (--pid PID measures them)");
        }
    }
}

/// The word of a choice on the command line.
fn word(choice: &impl clap::ValueEnum) -> Option<String> {
    choice.to_possible_value().map(|value| value.get_name().to_owned())
}

fn requests_json(outcome: &Outcome, spent: &Spent) -> Value {
    let Outcome { done, refused, lost, repeated, elapsed, .. } = *outcome;
    json!({
        "done": done, "refused": refused, "lost": lost, "repeated": repeated,
        "elapsed_ms": millis(elapsed),
        "rate_per_sec": (done > 0).then(|| rate(done, elapsed).round()),
        "cpu_us": spent.cpu.and_then(|cpu| cpu.us_per(done)).map(hundredths),
        "rss_bytes": spent.memory.and_then(|(before, after)| after.rss_per(before, done)),
        "pss_bytes": spent.memory.and_then(|(before, after)| after.pss_per(before, done)),
        "not_measured": not_measured(spent.cpu, done),
    })
}

fn requests_text(what: &str, outcome: &Outcome, spent: &Spent) -> String {
    let Outcome { done, refused, lost, repeated, elapsed, .. } = *outcome;
    let mut text = format!(
        "{what}: {done} in {:.2} s, {:.0} a second; {refused} refused, {lost} lost, {repeated} \
         repeated",
        elapsed.as_secs_f64(),
        rate(done, elapsed),
    );
    if let Some(us) = spent.cpu.and_then(|cpu| cpu.us_per(done)) {
        let split = spent.cpu.and_then(|cpu| cpu.split_us_per(done));
        text.push_str(&format!("; server CPU {us:.1} µs each{}", split_text(split)));
    }
    if let Some(bytes) = spent.memory.and_then(|(before, after)| after.rss_per(before, done)) {
        text.push_str(&format!(", memory {bytes} bytes each"));
    }
    text
}

fn traffic_json(passed: &Passed, spent: &Spent) -> Value {
    let Passed { sent, received, foreign, elapsed } = *passed;
    let cpu = spent.cpu.and_then(|cpu| cpu.us_per(sent));
    let split = spent.cpu.and_then(|cpu| cpu.split_us_per(sent));
    json!({
        "sent": sent, "received": received, "lost": passed.lost(), "foreign": foreign,
        "elapsed_ms": millis(elapsed),
        "packets_per_sec": (received > 0).then(|| rate(received, elapsed).round()),
        "cpu_us": cpu.map(hundredths),
        "cpu_kernel_us": split.map(|(_, kernel)| hundredths(kernel)),
        "cpu_user_us": split.map(|(user, _)| hundredths(user)),
        "not_measured": not_measured(spent.cpu, sent),
    })
}

fn traffic_text(passed: &Passed, spent: &Spent) -> String {
    let Passed { sent, received, elapsed, .. } = *passed;
    let mut text = format!(
        "packets: {received} of {sent} arrived in {:.2} s, {:.0} a second; {} lost",
        elapsed.as_secs_f64(),
        rate(received, elapsed),
        passed.lost(),
    );
    if let Some(us) = spent.cpu.and_then(|cpu| cpu.us_per(sent)) {
        let split = spent.cpu.and_then(|cpu| cpu.split_us_per(sent));
        text.push_str(&format!("; server CPU {us:.2} µs each{}", split_text(split)));
    }
    text
}

fn millis(elapsed: std::time::Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn rate(count: u64, elapsed: std::time::Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(1e-9)
}
