//! `report.json`: what came of the call, for programs. Fields are added, never renamed.

use std::time::Duration;

use machine::Instant;
use phone::Stats;
use scenarios::{Access, Side, Signalling, Who};
use serde_json::{Value, json};

use super::outcome::{Call, Outcome};
use crate::ladder::Topic;
use crate::{events, explain};

/// The report: of the first call, and in `calls` of each.
pub fn json(outcome: &Outcome) -> Value {
    let mut report = call_fields(outcome.first());
    report["v"] = 1.into();
    report["calls"] = outcome.calls.iter().map(call_fields).collect();
    report
}

fn call_fields(call: &Call) -> Value {
    let Call { spec, report, without, .. } = call;
    let relayed = report.alice.path.as_ref().map(|path| path.relayed);
    json!({
        "via": spec.via.name(),
        "seed": spec.seed,
        "rtt_ms": millis(spec.rtt),
        "loss": { "alice": spec.alice_loss, "bob": spec.bob_loss },
        "turn": spec.turn,
        "connected": report.connected(),
        "relayed": relayed,
        "signalling": signalling(call),
        "alice": side(call, Who::Alice, &spec.alice),
        "bob": side(call, Who::Bob, &spec.bob),
        "without_ice": {
            "alice_received": received(&without.alice),
            "bob_received": received(&without.bob),
        },
    })
}

/// How long signalling took, in time and in round trips, and how many messages.
fn signalling(call: &Call) -> Value {
    let Signalling { reachable, ringing, answered } = call.report.signalling();
    let step = |time: Option<Duration>| {
        json!({
            "ms": time.map(millis),
            "round_trips": time.map(|time| round_trips(time, call.spec.rtt)),
        })
    };
    json!({
        "reachable": step(reachable),
        "ringing": step(ringing),
        "answered": step(answered),
        "messages": {
            "login": call.messages(Topic::Login),
            "call": call.messages(Topic::Signalling),
        },
    })
}

/// A time in round trips, to a tenth.
pub fn round_trips(time: Duration, rtt: Duration) -> f64 {
    if rtt.is_zero() {
        return 0.0;
    }
    (time.as_secs_f64() / rtt.as_secs_f64() * 10.0).round() / 10.0
}

fn side(call: &Call, who: Who, access: &Access) -> Value {
    let side = call.report.side(who);
    let nats: Vec<String> = access.nats().iter().map(ToString::to_string).collect();
    let path = side.path.as_ref();
    json!({
        "access": access.to_string(),
        "nats": nats,
        "path": path.map(events::path_fields),
        "explain": call.verdict(who).map(|verdict| explain::verdict_fields(verdict, path)),
        "media": side.stats.as_ref().map(|stats| events::media_fields(stats)),
        "quality": side.quality.iter().map(quality).collect::<Vec<_>>(),
        "time_to_media_ms": side.time_to_media().map(millis),
        "heard_ms": (side.heard.samples.len() / 8) as u64,
    })
}

/// Quality at a time.
fn quality((at, stats): &(Instant, Stats)) -> Value {
    let mut fields = events::media_fields(stats);
    fields["at_ms"] = at.as_millis().into();
    fields
}

fn received(side: &Side) -> u64 {
    side.stats.as_ref().map_or(0, |stats| stats.received)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
