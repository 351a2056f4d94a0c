//! `report.json`: what came of the call, for programs. Fields are added, never renamed.

use scenarios::{Access, Side, Who};
use serde_json::{Value, json};

use super::Outcome;
use crate::{events, explain};

/// The report.
pub fn json(outcome: &Outcome<'_>) -> Value {
    let Outcome { spec, call, without } = outcome;
    let relayed = call.alice.path.as_ref().map(|path| path.relayed);
    json!({
        "v": 1,
        "seed": spec.seed,
        "rtt_ms": spec.rtt.as_millis() as u64,
        "loss": { "alice": spec.alice_loss, "bob": spec.bob_loss },
        "turn": spec.turn,
        "connected": call.connected(),
        "relayed": relayed,
        "alice": side(outcome, Who::Alice, &spec.alice),
        "bob": side(outcome, Who::Bob, &spec.bob),
        "without_ice": {
            "alice_received": received(&without.alice),
            "bob_received": received(&without.bob),
        },
    })
}

fn side(outcome: &Outcome<'_>, who: Who, access: &Access) -> Value {
    let side = outcome.call.side(who);
    let nats: Vec<String> = access.nats().iter().map(ToString::to_string).collect();
    let path = side.path.as_ref();
    json!({
        "access": access.to_string(),
        "nats": nats,
        "path": path.map(events::path_fields),
        "explain": outcome.verdict(who).map(|verdict| explain::verdict_fields(verdict, path)),
        "media": side.stats.as_ref().map(|stats| events::media_fields(stats)),
        "time_to_media_ms": side.time_to_media().map(|time| time.as_millis() as u64),
        "heard_ms": (side.heard.samples.len() / 8) as u64,
    })
}

fn received(side: &Side) -> u64 {
    side.stats.as_ref().map_or(0, |stats| stats.received)
}
