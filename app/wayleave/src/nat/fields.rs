//! The `nat` event of `--json`.

use portmap::Gateway;
use serde_json::{Value, json};
use survey::alg::Alg;
use survey::{Report, Verdict};

/// Its fields; what is unknown is `null`.
pub fn of(report: &Report, verdict: &Verdict) -> Value {
    let seen = report.ipv4.as_ref();
    let ports = seen.and_then(|seen| seen.ports.as_ref().ok());
    let lifetime = seen.and_then(|seen| seen.lifetime.as_ref().ok());
    json!({
        "server": report.server,
        "address": report.address.map(|ip| ip.to_string()),
        "mapped": seen.and_then(|seen| seen.mapped).map(|mapped| mapped.to_string()),
        "mapping": report.mapping().map(|mapping| mapping.to_string()),
        "filtering": report.filtering().map(|filtering| filtering.to_string()),
        "hairpin": seen.and_then(|seen| seen.hairpin.as_ref().ok()),
        "ports": ports.map(|ports| ports.pattern.to_string()),
        "fragments": seen.and_then(|seen| seen.fragments.as_ref().ok()),
        "lifetime_secs": lifetime.map(|lifetime| lifetime.at_least.as_secs()),
        "ipv6": report.ipv6().map(survey::Ipv6::name),
        "nat64": report.nat64.map(|prefix| prefix.map_or_else(|| "none".to_owned(), |p| p.to_string())),
        "alg": report.alg.as_ref().and_then(|alg| alg.as_ref().ok()).map(|alg| *alg != Alg::None),
        "udp": report.udp(),
        "tcp443": report.tcp443,
        "gateway": report.gateways.iter().map(gateway).collect::<Vec<_>>(),
        "layers": report.layers().name(),
        "unknown": unknown(report),
        "peers": verdict.peers.iter().map(|(kind, way)| json!({
            "peer": kind.to_string(),
            "way": way.to_string(),
        })).collect::<Vec<_>>(),
        "advice": verdict.advice,
        "verdict": verdict.summary,
    })
}

/// One gateway, as `portmap status` tells it too.
pub fn gateway(gateway: &Gateway) -> Value {
    let details = gateway.details.as_ref();
    json!({
        "protocol": gateway.protocol.to_string(),
        "address": gateway.address.to_string(),
        "external": gateway.external.map(|ip| ip.to_string()),
        "trouble": gateway.trouble.as_ref().map(ToString::to_string),
        "epoch_secs": gateway.epoch.map(|epoch| epoch.as_secs()),
        "name": details.map(|details| details.friendly_name.clone()),
        "igd": details.map(|details| details.version),
    })
}

/// Why what is `null` is unknown.
fn unknown(report: &Report) -> Value {
    let Some(seen) = &report.ipv4 else { return json!({}) };
    let mut why = serde_json::Map::new();
    let mut say = |name: &str, error: Option<String>| {
        if let Some(error) = error {
            why.insert(name.to_owned(), error.into());
        }
    };
    say("mapping", seen.mapping.as_ref().err().map(ToString::to_string));
    say("filtering", seen.filtering.as_ref().err().map(ToString::to_string));
    say("hairpin", seen.hairpin.as_ref().err().map(ToString::to_string));
    say("ports", seen.ports.as_ref().err().map(ToString::to_string));
    say("fragments", seen.fragments.as_ref().err().map(ToString::to_string));
    say("lifetime_secs", seen.lifetime.as_ref().err().map(ToString::to_string));
    Value::Object(why)
}
